package fal_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// streamServer answers every stream with the given text, and bills one unit.
func streamServer(t *testing.T, text string) (*fal.Client, *ledger) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Fal-Request-Id", "job-1")
		w.Header().Set("X-Fal-Billable-Units", "1")
		_, _ = io.WriteString(w, strings.ReplaceAll(text, "KEY", r.Header.Get("Authorization")))
	}))
	t.Cleanup(srv.Close)
	l := new(ledger)
	return &fal.Client{Key: fal.NewKey(secret), Hosts: fal.Hosts{Run: srv.URL}, Guard: l, Logger: slog.New(slog.DiscardHandler)}, l
}

const (
	event1    = `data: {"images":[{"url":"https://x.example/1.png"}],"seed":1}` + "\n\n"
	event2    = `data: {"images":[{"url":"https://x.example/2.png"}],"seed":2}` + "\n\n"
	oddOne    = `data: {"images":[{"url":"https://x.example/3.png"}],"seed":-1}` + "\n\n"
	noPicture = `data: {"progress":0.5}` + "\n\n"
)

// What a stream holds beside results does no harm, and one that is cut off is
// never taken for a success.
func TestStreamEvents(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want []uint64 // seeds of the results
		log  string   // what the guard was told last
		fail string   // in the error
	}{
		"well":               {text: event1 + event2, want: []uint64{1, 2}, log: "settled 1"},
		"comment":            {text: ": ping\n\n" + event2 + ": bye\n", want: []uint64{2}, log: "settled 1"},
		"event without data": {text: "event: ping\n\n" + event2, want: []uint64{2}, log: "settled 1"},
		"empty data":         {text: "event: ping\ndata:\n\n" + event2, want: []uint64{2}, log: "settled 1"},
		"id alone":           {text: "id: 7\n\n" + event2, want: []uint64{2}, log: "settled 1"},
		"error that is null": {text: `data: {"error":null,"image":{"url":"https://x.example/0.png"}}` + "\n\n" + event2, want: []uint64{0, 2}, log: "settled 1"},
		"carriage returns":   {text: strings.ReplaceAll(event2, "\n", "\r\n"), want: []uint64{2}, log: "settled 1"},
		"odd seed":           {text: oddOne + event2, want: []uint64{0, 2}, log: "settled 1"},
		"none in between":    {text: event1 + noPicture + event2, want: []uint64{1, 2}, log: "settled 1"},
		"none at the end":    {text: event2 + noPicture, want: []uint64{2}, log: "settled 1"},
		"no picture at all":  {text: noPicture + noPicture, log: "settled 1", fail: "no picture"},
		"no blank line":      {text: event1 + strings.TrimSuffix(event2, "\n"), want: []uint64{1, 2}, log: "settled 1"},
		"no end of the line": {text: event1 + strings.TrimSuffix(event2, "\n\n"), want: []uint64{1, 2}, log: "settled 1"},
		"returns alone":      {text: strings.ReplaceAll(event1+event2, "\n", "\r"), want: []uint64{1, 2}, log: "settled 1"},
		"cut in the data":    {text: event1 + event2[:20], want: []uint64{1}, fail: "middle of an event"},
		"nothing":            {text: ": ping\n\n", fail: "without a result"},
		"an error":           {text: event1 + "event: error\ndata: {\"detail\":\"no KEY\"}\n\n", want: []uint64{1}, log: "settled 1", fail: "no Key [redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, guard := streamServer(t, tt.text)
			var seeds []uint64
			var failure error
			for out, err := range fal.Stream(t.Context(), client, request) {
				if err != nil {
					failure = err
					continue
				}
				seeds = append(seeds, out.Seed)
			}
			if diff := cmp.Diff(tt.want, seeds); diff != "" {
				t.Errorf("(-want +got)\n%s%v", diff, failure)
			}
			if (failure != nil) != (tt.fail != "") || failure != nil && (!strings.Contains(failure.Error(), tt.fail) || fal.RequestID(failure) != "job-1") {
				t.Errorf("got %v, want %q with the request id", failure, tt.fail)
			}
			last := guard.log[len(guard.log)-1]
			if tt.log != "" && last != tt.log || tt.log == "" && strings.HasPrefix(last, "settled") {
				t.Errorf("the guard was told %q, want %q", guard.log, tt.log)
			}
		})
	}
}

// A job that was dropped from the queue costs nothing.
func TestCancelReleases(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(time.Hour))
	client, guard := quiet(srv.Client()), new(ledger)
	client.Guard = guard
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := fal.Subscribe(ctx, client, flux.Schnell{Prompt: "x"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if last := guard.log[len(guard.log)-1]; last != "released" {
		t.Errorf("the guard was told %q", guard.log)
	}
	job, err := fal.Submit(t.Context(), client, flux.Schnell{Prompt: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if outcome, err := job.Cancel(t.Context()); err != nil || outcome != fal.Cancelled || guard.log[len(guard.log)-1] != "released" {
		t.Errorf("%v, %v, the guard was told %q", outcome, err, guard.log)
	}
}

// Log lines are passed on once, whether the stream tells all of them or the
// new ones, and whether a second stream begins anew.
func TestLogsOnce(t *testing.T) {
	t.Parallel()
	status := func(state string, lines ...string) string {
		var logs []string
		for _, l := range lines {
			logs = append(logs, `{"message":"`+l+`"}`)
		}
		return `data: {"status":"` + state + `","request_id":"job-1","logs":[` + strings.Join(logs, ",") + "]}\n\n"
	}
	for name, streams := range map[string][]string{
		"new ones":             {status("IN_PROGRESS", "a") + status("IN_PROGRESS", "b") + status("COMPLETED", "c")},
		"all of them":          {status("IN_PROGRESS", "a") + status("IN_PROGRESS", "a", "b") + status("COMPLETED", "a", "b", "c")},
		"begun anew, new ones": {status("IN_PROGRESS", "a") + status("IN_PROGRESS", "b"), status("IN_PROGRESS", "a") + status("IN_PROGRESS", "b") + status("COMPLETED", "c")},
		"begun anew, all":      {status("IN_PROGRESS", "a", "b"), status("IN_PROGRESS", "a", "b") + status("COMPLETED", "a", "b", "c")},
		"going on":             {status("IN_PROGRESS", "a") + status("IN_PROGRESS", "b"), status("COMPLETED", "c")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/stream") { // a poll: all so far
					_, _ = io.WriteString(w, strings.TrimPrefix(status("IN_PROGRESS", "a", "b"), "data: "))
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, streams[min(asked, len(streams)-1)])
				asked++
			}))
			t.Cleanup(srv.Close)
			client := &fal.Client{Key: fal.NewKey(secret), Hosts: fal.Hosts{Queue: srv.URL}, Logger: slog.New(slog.DiscardHandler)}
			var got []string
			for s, err := range fal.Resume(client, request.Endpoint(), "job-1").Updates(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range s.Logs {
					got = append(got, l.Message)
				}
			}
			if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// An answer to a submit that was cut off still tells the id.
func TestTruncatedSubmit(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"IN_QUEUE","request_id":"job-1","queue_po`)
	}))
	t.Cleanup(srv.Close)
	client := &fal.Client{Key: fal.NewKey(secret), Hosts: fal.Hosts{Queue: srv.URL}, Logger: slog.New(slog.DiscardHandler)}
	_, err := fal.Submit(t.Context(), client, request)
	if unknown, ok := errors.AsType[*fal.OutcomeUnknownError](err); !ok || unknown.RequestID != "job-1" {
		t.Errorf("got %v, want the id in a OutcomeUnknownError", err)
	}
	for _, id := range []string{"..", ".", "", "a/b"} {
		if _, err := fal.Resume(client, request.Endpoint(), id).Cancel(t.Context()); err == nil || !strings.Contains(err.Error(), "is not a request id") {
			t.Errorf("id %q: %v", id, err)
		}
	}
}

// A result that reads like an error is one if the status says that the job
// failed.
func TestErrorAsResult(t *testing.T) {
	t.Parallel()
	m := newMock()
	m.answer(http.MethodGet, jobURL+"/status", http.StatusOK, `{"status":"COMPLETED","error":"It broke","error_type":"internal_error"}`)
	m.answer(http.MethodGet, jobURL, http.StatusOK, `{"detail":"It broke"}`)
	_, err := fal.Subscribe(t.Context(), m.client, request)
	if e, ok := errors.AsType[*fal.Error](err); !ok || !strings.Contains(e.Message, "It broke") {
		t.Errorf("got %v", err)
	}
}

// A reader that hangs does not hold an upload up beyond its context, and the
// same content under another name is another file.
func TestUploads(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := quiet(srv.Client())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	if _, err := client.Upload(ctx, fal.Reader(r)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	var urls []string
	for _, name := range []string{"captions.txt", "config.json", "config.json"} {
		f, err := client.Upload(t.Context(), fal.Open(name, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("{}")), nil }))
		if err != nil {
			t.Fatal(err)
		}
		u, _ := f.URL()
		urls = append(urls, u)
	}
	if !strings.HasSuffix(urls[0], "captions.txt") || !strings.HasSuffix(urls[1], "config.json") || urls[1] != urls[2] || srv.Ledger().Uploads != 2 {
		t.Errorf("%q, %d uploads", urls, srv.Ledger().Uploads)
	}
}
