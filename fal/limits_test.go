package fal_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

// peak runs f and returns how many MiB the heap has grown meanwhile.
func peak(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done, highest := make(chan struct{}), make(chan uint64)
	go func() {
		most := before.HeapAlloc
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-tick.C:
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			case <-done:
				highest <- most
				return
			}
		}
	}()
	f()
	close(done)
	return (<-highest - before.HeapAlloc) >> 20
}

// flood is an answer that begins, goes on, and goes on.
type flood struct {
	status       int
	begin, again string
	end          string
	size         int // of all, after it was unpacked
	zipped       bool
	events       bool
}

func (f flood) write(w http.ResponseWriter) {
	out := io.Writer(w)
	if f.zipped {
		w.Header().Set("Content-Encoding", "gzip")
	}
	if f.events {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	w.Header().Set("X-Fal-Request-Id", strings.Repeat("i", 100<<10))
	w.WriteHeader(f.status)
	if f.zipped {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		defer func() { _ = z.Close() }()
		out = z
	}
	_, _ = io.WriteString(out, f.begin)
	chunk := strings.Repeat(f.again, (64<<10)/len(f.again)+1)
	for sent := 0; sent < f.size; sent += len(chunk) {
		if _, err := io.WriteString(out, chunk); err != nil {
			return
		}
	}
	_, _ = io.WriteString(out, f.end)
}

// What a hostile server sends takes neither memory nor time.
func TestFloods(t *testing.T) {
	// Not parallel: it looks at the memory of the process.
	const problem = `{"loc":["body","x"],"msg":"m","type":"t","ctx":{"a":1}},`
	for _, tt := range []struct {
		name   string
		at     string // what floods: submit, status, events, result, run or stream
		answer flood
	}{
		{"422 with fields", "submit", flood{status: 422, begin: `{"detail":[`, again: problem, size: 200 << 20}},
		{"422 with fields, packed", "submit", flood{status: 422, begin: `{"detail":[`, again: problem, size: 200 << 20, zipped: true}},
		{"422 that is deep", "submit", flood{status: 422, begin: `{"detail":`, again: `[`, size: 200 << 20}},
		{"422 with one text", "result", flood{status: 422, begin: `{"detail":"`, again: `x`, size: 200 << 20}},
		{"accepted, and more", "submit", flood{status: 200, begin: `{"x":[`, again: `{},`, size: 200 << 20}},
		{"status with a log", "status", flood{status: 200, begin: `{"status":"IN_PROGRESS","logs":[`, again: `{},`, size: 200 << 20}},
		{"status with a log, packed", "status", flood{status: 200, begin: `{"status":"IN_PROGRESS","logs":[`, again: `{"message":"m"},`, size: 200 << 20, zipped: true}},
		{"statuses without end", "events", flood{status: 200, again: "data: {\"status\":\"IN_PROGRESS\",\"logs\":[{\"message\":\"m\"}]}\n\n", size: 400 << 20, events: true}},
		{"one status without end", "events", flood{status: 200, begin: "data: ", again: "x", size: 400 << 20, events: true}},
		{"result with pictures", "result", flood{status: 200, begin: `{"images":[`, again: `{},`, size: 200 << 20}},
		{"result with as many as are read", "result", flood{status: 200, begin: `{"images":[{"url":"u"}`, again: `,{}`, end: `]}`, size: 15 << 20}},
		{"run", "run", flood{status: 200, begin: `{"images":[`, again: `{},`, size: 200 << 20, zipped: true}},
		{"run that fails", "run", flood{status: 500, begin: `{"detail":[`, again: problem, size: 200 << 20}},
		{"events without end", "stream", flood{status: 200, begin: "data: ", again: "x", size: 200 << 20, events: true}},
	} {
		c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			at := "result"
			switch path := r.URL.Path; {
			case strings.HasSuffix(path, "/status"):
				at = "status"
			case strings.HasSuffix(path, "/status/stream"):
				at = "events"
			case strings.HasSuffix(path, "/run/stream"):
				at = "stream"
			case r.Method == http.MethodPost && strings.HasPrefix(path, "/run"):
				at = "run"
			case r.Method == http.MethodPost:
				at = "submit"
			}
			switch {
			case tt.at == "stream" && r.Method == http.MethodPost, at == tt.at:
				tt.answer.write(w)
			case at == "submit":
				_, _ = io.WriteString(w, `{"request_id":"job-1"}`)
			case at == "events":
				w.WriteHeader(http.StatusNotFound)
			case tt.at == "events":
				_, _ = io.WriteString(w, `{"status":"IN_PROGRESS"}`)
			default:
				_, _ = io.WriteString(w, `{"status":"COMPLETED"}`)
			}
		})
		c.Hosts.Run += "/run"
		var took time.Duration
		var err error
		grown := peak(func() {
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			start := time.Now()
			switch tt.at {
			case "run":
				_, err = fal.Run(ctx, c, flux.Dev{Prompt: "p"})
			case "stream":
				for _, err = range fal.Stream(ctx, c, flux.Dev{Prompt: "p"}) {
					continue // the last error counts
				}
			default:
				_, err = fal.Subscribe(ctx, c, flux.Dev{Prompt: "p"}, fal.WithLogs())
			}
			took = time.Since(start)
		})
		t.Logf("%s: %d MiB in %v", tt.name, grown, took.Round(time.Millisecond))
		if err == nil || grown > 100 || took > 10*time.Second || len(err.Error()) > 20<<10 {
			t.Errorf("%s: %d MiB in %v: %.300v", tt.name, grown, took, err)
		}
	}
}

// A log that is longer than is read of a status does not hide the status.
func TestLongLog(t *testing.T) {
	t.Parallel()
	line := `{"message":"` + strings.Repeat("m", 1000) + `"},`
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/stream"):
			w.WriteHeader(http.StatusNotFound)
		case strings.HasSuffix(r.URL.Path, "/status"):
			_, _ = io.WriteString(w, `{"status":"COMPLETED","logs":[`+strings.Repeat(line, 2000)+`{}]}`)
		default:
			_, _ = io.WriteString(w, `{"images":[{"url":"https://x.example/1.png"}]}`)
		}
	})
	out, err := fal.Resume(c, flux.Dev{}.Endpoint(), "job-1").Wait(t.Context())
	if err != nil || len(out.Images) != 1 {
		t.Errorf("got %v, %v", out, err)
	}
}
