package batch_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
	"github.com/falimage/falimage-go/flux"
)

// instant answers as fal does, without a network and at once, so that what is
// measured is ours.
type instant struct{ jobs atomic.Int64 }

func (f *instant) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	var body string
	kind := "application/json"
	switch {
	case r.Method == http.MethodPost:
		body = fmt.Sprintf(`{"request_id":"00000000-0000-4000-8000-%012d","status":"IN_QUEUE"}`, f.jobs.Add(1))
	case strings.HasSuffix(r.URL.Path, "/status/stream"):
		body, kind = "data: {\"status\":\"COMPLETED\"}\n\n", "text/event-stream"
	case strings.HasSuffix(r.URL.Path, "/status"):
		body = `{"status":"COMPLETED"}`
	default:
		body = `{"images":[{"url":"https://v3.fal.media/files/penguin/abcdefghijklmnop.jpg","width":1024,"height":768,"content_type":"image/jpeg"}],"seed":1234567,"has_nsfw_concepts":[false],"prompt":"a mug"}`
	}
	header := http.Header{"Content-Type": {kind}, "X-Fal-Billable-Units": {"1"}}
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

// BenchmarkRun makes b.N items with 1,000 under way at once: in a bare loop, in a batch
// in memory, and in a batch whose every intent is on the disk. Bytes/item are those of
// the journal, and heap-MB the memory in use at the end, and growth-MB how much of it
// came after the first fifth.
func BenchmarkRun(b *testing.B) {
	const atOnce = 1000
	request := func(i int) fal.Request[fal.Images] {
		return flux.Schnell{Prompt: "a ceramic coffee mug on a marble countertop, morning light, number " + strconv.Itoa(i)}
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	client := func() *fal.Client {
		return &fal.Client{Key: fal.NewKey("a:b"), HTTPClient: &http.Client{Transport: new(instant)}, FixSeeds: true}
	}
	b.Run("bare", func(b *testing.B) {
		c, slots := client(), make(chan struct{}, atOnce)
		var wait sync.WaitGroup
		b.ResetTimer()
		for i := range b.N {
			slots <- struct{}{}
			wait.Go(func() {
				defer func() { <-slots }()
				if _, err := fal.Subscribe(b.Context(), c, request(i)); err != nil {
					b.Error(err)
				}
			})
		}
		wait.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
	})
	run := func(b *testing.B, j batch.Journal) {
		items := func(yield func(item) bool) {
			for i := range b.N {
				if !yield(item{Key: fmt.Sprintf("product-%07d", i), Request: request(i)}) {
					return
				}
			}
		}
		var early int64
		n, spent := 0, time.Duration(0)
		b.ResetTimer()
		for _, err := range batch.Run(b.Context(), &batch.Runner{Client: client(), Journal: j, Concurrency: atOnce}, items) {
			if err != nil {
				b.Fatal(err)
			}
			if n++; n == max(1, b.N/5) {
				start := time.Now()
				early = heap()
				spent = time.Since(start)
			}
		}
		b.StopTimer()
		b.ReportMetric(float64(b.N)/(b.Elapsed()-spent).Seconds(), "items/s")
		end := heap()
		runtime.KeepAlive(j)
		b.ReportMetric(float64(end)/1e6, "heap-MB")
		b.ReportMetric(float64(end-early)/1e6, "growth-MB")
	}
	b.Run("memory", func(b *testing.B) { run(b, batch.Memory()) })
	b.Run("journal", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "journal")
		j, err := journal.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		run(b, j)
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/float64(b.N), "bytes/item")
	})
}
