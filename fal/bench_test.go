package fal_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// quickServer is a fal whose jobs are done at once. It does as little as it
// can, so that what is measured is the client.
func quickServer() *httptest.Server { return httptest.NewServer(quickFal(0)) }

// quickFal serves jobs that take a while.
func quickFal(takes time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			_, _ = io.Copy(io.Discard, r.Body)
			base := "http://" + r.Host + "/fal-ai/flux-2-pro/requests/job-1"
			fmt.Fprintf(w, `{"status":"IN_QUEUE","request_id":"job-1","response_url":%q,"status_url":"%s/status","cancel_url":"%s/cancel","queue_position":0}`, base, base, base)
		case strings.HasSuffix(r.URL.Path, "/status/stream"):
			w.Header().Set("Content-Type", "text/event-stream")
			if takes > 0 {
				_ = http.NewResponseController(w).Flush()
				time.Sleep(takes)
			}
			_, _ = io.WriteString(w, `data: {"status":"COMPLETED","request_id":"job-1","metrics":{"inference_time":1.5}}`+"\n\n")
		default:
			w.Header().Set("X-Fal-Request-Id", "job-1")
			w.Header().Set("X-Fal-Billable-Units", "1")
			_, _ = io.WriteString(w, `{"images":[{"url":"https://v3.fal.media/files/a.jpeg","width":1920,"height":1080,"content_type":"image/jpeg"}],"seed":15860307465884635512}`)
		}
	})
}

// plainPro2 is what somebody would write who has no client: the same fields,
// encoded by encoding/json.
type plainPro2 struct {
	Prompt    string `json:"prompt"`
	ImageSize struct {
		Width  int `json:"width"`
		Height int `json:"height"`
	} `json:"image_size"`
	Seed                *uint64 `json:"seed,omitzero"`
	SafetyTolerance     string  `json:"safety_tolerance,omitzero"`
	EnableSafetyChecker *bool   `json:"enable_safety_checker,omitzero"`
	OutputFormat        string  `json:"output_format,omitzero"`
	SyncMode            bool    `json:"sync_mode,omitzero"`
}

var benchRequest = flux.Pro2{
	Prompt:    "a ceramic coffee mug on a marble countertop, morning light, editorial product photography style",
	ImageSize: fal.Size(1920, 1080),
	Seed:      fal.Seed(42),
}

func newPlain() plainPro2 {
	p := plainPro2{Prompt: benchRequest.Prompt, Seed: benchRequest.Seed}
	p.ImageSize.Width, p.ImageSize.Height = 1920, 1080
	return p
}

// BenchmarkSubscribe compares Subscribe with a loop over net/http that does
// the same exchanges and nothing else.
func BenchmarkSubscribe(b *testing.B) {
	srv := quickServer()
	defer srv.Close()

	b.Run("bare net/http", func(b *testing.B) {
		b.ReportAllocs()
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		defer client.CloseIdleConnections()
		for b.Loop() {
			if err := bareSubscribe(client, srv.URL, newPlain()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fal.Subscribe", func(b *testing.B) {
		b.ReportAllocs()
		client := &fal.Client{
			Key: fal.NewKey(secret), Logger: slog.New(slog.DiscardHandler),
			Hosts: fal.Hosts{Run: srv.URL, Queue: srv.URL, REST: srv.URL},
		}
		ctx := context.Background()
		for b.Loop() {
			if _, err := fal.Subscribe(ctx, client, benchRequest); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// bareSubscribe does the exchanges of Subscribe, header for header.
func bareSubscribe(client *http.Client, origin string, in plainPro2) error {
	do := func(method, url string, body []byte, header ...string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Key "+secret)
		req.Header.Set("User-Agent", "bare-go/0.1.0")
		req.Header.Set("X-Call-Id", "0123456789abcdef")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		return client.Do(req)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := do(http.MethodPost, origin+"/fal-ai/flux-2-pro", body, "Content-Type", "application/json")
	if err != nil {
		return err
	}
	var job struct {
		ResponseURL string `json:"response_url"`
		StatusURL   string `json:"status_url"`
	}
	err = json.NewDecoder(resp.Body).Decode(&job)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	if resp, err = do(http.MethodGet, job.StatusURL+"/stream", nil, "Accept", "text/event-stream", "Cache-Control", "no-cache"); err != nil {
		return err
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var status struct {
			Status string `json:"status"`
		}
		if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			if err := json.Unmarshal(data, &status); err != nil || status.Status == "COMPLETED" {
				break
			}
		}
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp, err = do(http.MethodGet, job.ResponseURL, nil); err != nil {
		return err
	}
	defer resp.Body.Close()
	var out fal.Images
	return json.NewDecoder(resp.Body).Decode(&out)
}

func BenchmarkEncode(b *testing.B) {
	b.Run("encoding/json of a plain struct", func(b *testing.B) {
		b.ReportAllocs()
		plain := newPlain()
		for b.Loop() {
			if _, err := json.Marshal(&plain); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("flux.Pro2", func(b *testing.B) {
		b.ReportAllocs()
		var request any = benchRequest
		for b.Loop() {
			if _, err := json.Marshal(request); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTwoSecondJob tells how many status exchanges a job of two seconds
// costs, and how long after its end the result is in hand.
func BenchmarkTwoSecondJob(b *testing.B) {
	const takes = 2 * time.Second
	srv := faltest.New(faltest.QueueTime(takes/4), faltest.RunTime(takes-takes/4))
	defer srv.Close()
	client := quiet(srv.Client())
	var late time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := fal.Subscribe(context.Background(), client, benchRequest); err != nil {
			b.Fatal(err)
		}
		late += time.Since(start) - takes
	}
	l := srv.Ledger()
	b.ReportMetric(float64(l.Polls+l.Streams)/float64(b.N), "exchanges/op")
	b.ReportMetric(float64(late.Microseconds())/1000/float64(b.N), "late-ms/op")
}

// TestBareSubscribe sees to it that the loop that Subscribe is measured against
// does the same exchanges, but for the values of its headers.
func TestBareSubscribe(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	quick := quickFal(0)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprint(r.Method, " ", r.URL.Path, " ", slices.Sorted(maps.Keys(r.Header)), " ", string(body)))
		quick.ServeHTTP(w, r)
	}))
	defer srv.Close()
	if err := bareSubscribe(srv.Client(), srv.URL, newPlain()); err != nil {
		t.Fatal(err)
	}
	bare := got
	got = nil
	client := &fal.Client{Key: fal.NewKey(secret), Hosts: fal.Hosts{Run: srv.URL, Queue: srv.URL, REST: srv.URL}}
	if _, err := fal.Subscribe(t.Context(), client, benchRequest); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bare, got); diff != "" {
		t.Errorf("-bare +fal.Subscribe:\n%s", diff)
	}
}
