package fal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

// These tests run in virtual time, against a mocked HTTP transport: what they
// check is when the client asks, how often, and when it stops.

const (
	submitURL = "https://queue.fal.run/fal-ai/flux-2-pro"
	jobURL    = "https://queue.fal.run/fal-ai/flux-2-pro/requests/job-1"
)

// TestMain looks up a name outside of a bubble: net keeps a channel for that,
// which would otherwise belong to the first bubble that does.
func TestMain(m *testing.M) {
	_, _ = net.DefaultResolver.LookupHost(context.Background(), "localhost")
	os.Exit(m.Run())
}

var request = flux.Pro2{Prompt: "a mug"}

// mock is a fal that is made of answers.
type mock struct {
	*httpmock.MockTransport
	client *fal.Client
}

func newMock() *mock {
	transport := httpmock.NewMockTransport()
	m := &mock{transport, &fal.Client{
		Key:        fal.NewKey(secret),
		HTTPClient: &http.Client{Transport: transport},
		Logger:     slog.New(slog.DiscardHandler),
	}}
	m.answer(http.MethodPost, submitURL, 200, `{"status":"IN_QUEUE","request_id":"job-1","queue_position":0}`)
	m.answer(http.MethodGet, jobURL+"/status/stream", 404, `{"detail":"Not Found"}`)
	m.answer(http.MethodGet, jobURL, 200, `{"images":[{"url":"https://v3.fal.media/a.png"}],"seed":18446744073709551615}`)
	m.answer(http.MethodPut, jobURL+"/cancel", 202, `{"status":"CANCELLATION_REQUESTED"}`)
	return m
}

func (m *mock) answer(method, url string, status int, body string) {
	m.RegisterResponder(method, url, httpmock.NewStringResponder(status, body))
}

// calls returns how often a URL was asked for.
func (m *mock) calls(method, url string) int {
	return m.GetCallCountInfo()[method+" "+url]
}

// completesAfter answers polls as a job does that takes d.
func (m *mock) completesAfter(d time.Duration) {
	start := time.Now()
	m.RegisterResponder(http.MethodGet, jobURL+"/status", func(*http.Request) (*http.Response, error) {
		if time.Since(start) < d {
			return httpmock.NewStringResponse(202, `{"status":"IN_PROGRESS"}`), nil
		}
		return httpmock.NewStringResponse(200, `{"status":"COMPLETED","metrics":{"inference_time":1.5}}`), nil
	})
}

func TestPollingGrowsWithTheWait(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		takes            time.Duration
		least, most      int
		late             time.Duration // at most, after completion
		wantOutput, seed bool
	}{
		{takes: 0, least: 1, most: 1, late: 0},
		{takes: time.Second, least: 5, most: 11, late: 100 * time.Millisecond},
		{takes: 10 * time.Second, least: 15, most: 40, late: time.Second},
		{takes: 10 * time.Minute, least: 100, most: 170, late: 5 * time.Second},
	} {
		t.Run(tt.takes.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMock()
				m.completesAfter(tt.takes)
				start := time.Now()
				out, err := fal.Subscribe(t.Context(), m.client, request)
				if err != nil {
					t.Fatal(err)
				}
				if late := time.Since(start) - tt.takes; late > tt.late {
					t.Errorf("the result came %v after the job was done", late)
				}
				if n := m.calls(http.MethodGet, jobURL+"/status"); n < tt.least || n > tt.most {
					t.Errorf("%d polls, want %d to %d", n, tt.least, tt.most)
				}
				if out.Seed != 18446744073709551615 || out.RequestID != "job-1" || out.InferenceTime != 1500*time.Millisecond {
					t.Errorf("unexpected result: %+v", out)
				}
				if n := m.calls(http.MethodPost, submitURL); n != 1 {
					t.Errorf("%d submissions", n)
				}
			})
		})
	}
}

// A stream that says nothing any more, not even that it is alive, is given up.
func TestSilentStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		m.completesAfter(30 * time.Second)
		m.RegisterResponder(http.MethodGet, jobURL+"/status/stream", func(r *http.Request) (*http.Response, error) {
			return streamResponse(r, `data: {"status":"IN_QUEUE","queue_position":3}`+"\n\n"), nil
		})
		start := time.Now()
		var got []fal.State
		_, err := fal.Subscribe(t.Context(), m.client, request, fal.WithUpdates(func(s fal.Status) { got = append(got, s.State) }))
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 45*time.Second {
			t.Errorf("the end of the job was noticed after %v", took)
		}
		if diff := cmp.Diff([]fal.State{fal.InQueue, fal.InProgress, fal.Completed}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// A stream that is kept alive by comments alone is not given up.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		m.RegisterResponder(http.MethodGet, jobURL+"/status/stream", func(r *http.Request) (*http.Response, error) {
			events := make([]string, 0, 12)
			for range 10 {
				events = append(events, ": keep-alive\n\n")
			}
			return streamResponse(r, append(events, "data: {\"status\":\"COMPLETED\"}\n\n")...), nil
		})
		if _, err := fal.Subscribe(t.Context(), m.client, request); err != nil {
			t.Fatal(err)
		}
	})
}

// streamResponse sends the events 15 seconds apart, and then falls silent.
func streamResponse(r *http.Request, events ...string) *http.Response {
	pr, pw := io.Pipe()
	go func() {
		for i, e := range events {
			if i > 0 {
				time.Sleep(15 * time.Second)
			}
			if _, err := io.WriteString(pw, e); err != nil {
				return
			}
		}
		<-r.Context().Done()
		pw.CloseWithError(r.Context().Err())
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: pr, Request: r}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, cancel string
		status       int
		want         fal.CancelOutcome
	}{
		{"queued", `{"status":"OK"}`, 200, fal.Cancelled},
		{"running", `{"status":"CANCELLATION_REQUESTED"}`, 202, fal.CancelRequested},
		{"per-model form", `{"success":true}`, 200, fal.CancelRequested},
		{"too late", `{"status":"ALREADY_COMPLETED"}`, 400, fal.AlreadyCompleted},
		{"gone", `{"status":"NOT_FOUND"}`, 404, fal.JobNotFound},
		{"broken", `oops`, 500, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMock()
				m.completesAfter(time.Hour)
				m.answer(http.MethodPut, jobURL+"/cancel", tt.status, tt.cancel)
				ctx, stop := context.WithTimeout(t.Context(), 7*time.Second)
				defer stop()
				start := time.Now()
				_, err := fal.Subscribe(ctx, m.client, request)
				lost, ok := errors.AsType[*fal.JobError](err)
				if !ok || !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("error = %v, want a JobError for the deadline", err)
				}
				if lost.RequestID != "job-1" || fal.RequestID(err) != "job-1" || !strings.Contains(err.Error(), "job-1") {
					t.Errorf("the error does not name the job: %v", err)
				}
				if lost.Cancel != tt.want {
					t.Errorf("cancel = %q, want %q", lost.Cancel, tt.want)
				}
				if took := time.Since(start); took > 13*time.Second {
					t.Errorf("it took %v to give up after 7 s", took)
				}
			})
		})
	}
}

// Wait gives the job back when the context ends, and can be called again.
func TestWaitAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		m.completesAfter(20 * time.Second)
		job, err := fal.Submit(t.Context(), m.client, request)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := job.Wait(ctx); fal.RequestID(err) != "job-1" {
			t.Fatalf("error = %v, want one that names the job", err)
		}
		if n := m.calls(http.MethodPut, jobURL+"/cancel"); n != 0 {
			t.Error("Wait cancelled the job")
		}
		again := fal.Resume(m.client, job.Endpoint(), job.ID())
		out, err := again.Wait(t.Context())
		if err != nil || len(out.Images) != 1 {
			t.Errorf("second wait: %v, %v", out, err)
		}
	})
}

// An outage while the job runs is sat out, up to a limit.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		outage time.Duration
		ok     bool
	}{{30 * time.Second, true}, {10 * time.Minute, false}} {
		t.Run(tt.outage.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMock()
				start := time.Now()
				m.RegisterResponder(http.MethodGet, jobURL+"/status", func(*http.Request) (*http.Response, error) {
					if time.Since(start) < tt.outage {
						return nil, errors.New("network is unreachable")
					}
					return httpmock.NewStringResponse(200, `{"status":"COMPLETED"}`), nil
				})
				_, err := fal.Subscribe(t.Context(), m.client, request)
				if (err == nil) != tt.ok {
					t.Errorf("error = %v", err)
				}
				if err != nil && fal.RequestID(err) != "job-1" {
					t.Errorf("the error does not name the job: %v", err)
				}
			})
		})
	}
}

// A lock on the account answers polls with 403 while the job goes on.
func TestLockedWhilePolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		m.answer(http.MethodGet, jobURL+"/status", 403, `{"detail":"User is locked. Reason: Exhausted balance."}`)
		_, err := fal.Subscribe(t.Context(), m.client, request)
		if !errors.Is(err, fal.ErrLocked) || fal.RequestID(err) != "job-1" {
			t.Errorf("error = %v, want ErrLocked with the request id", err)
		}
	})
}

func TestUpdates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		line := func(n int) string { return fmt.Sprintf(`{"message":"line %d"}`, n) }
		bodies := []string{
			`{"status":"IN_QUEUE","queue_position":2,"logs":null}`,
			`{"status":"IN_QUEUE","queue_position":2,"logs":null}`,
			`{"status":"IN_QUEUE","queue_position":1}`,
			`{"status":"IN_PROGRESS","logs":[` + line(1) + `]}`,
			`{"status":"IN_PROGRESS","logs":[` + line(1) + `,` + line(2) + `]}`,
			`{"status":"WARMING_UP","logs":[` + line(1) + `,` + line(2) + `],"queue_position":"?"}`,
			`{"status":"COMPLETED","logs":[` + line(1) + `,` + line(2) + `,` + line(3) + `],"error":"boom","error_type":"x"}`,
		}
		i := 0
		m.RegisterResponder(http.MethodGet, jobURL+"/status", func(*http.Request) (*http.Response, error) {
			i++
			return httpmock.NewStringResponse(202, bodies[i-1]), nil
		})
		job, err := fal.Submit(t.Context(), m.client, request, fal.WithLogs())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for s, err := range job.Updates(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			words := []string{string(s.State), strconv.Itoa(s.QueuePosition)}
			for _, l := range s.Logs {
				words = append(words, l.Message)
			}
			got = append(got, strings.Join(words, " "))
		}
		want := []string{"IN_QUEUE 2", "IN_QUEUE 1", "IN_PROGRESS 0 line 1", "IN_PROGRESS 0 line 2", "WARMING_UP 0", "COMPLETED 0 line 3"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// Leaving the loop ends the exchange: synctest fails if a goroutine is left.
func TestUpdatesBreak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		var streams sync.WaitGroup
		m.RegisterResponder(http.MethodGet, jobURL+"/status/stream", func(r *http.Request) (*http.Response, error) {
			streams.Add(1)
			context.AfterFunc(r.Context(), streams.Done)
			return streamResponse(r, "data: {\"status\":\"IN_PROGRESS\"}\n\n"), nil
		})
		job, err := fal.Submit(t.Context(), m.client, request)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range job.Updates(t.Context()) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		streams.Wait()
	})
}

// The answer to a submit is waited for a little longer than the context lasts.
func TestSubmitGrace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		takes   time.Duration
		unknown bool
	}{{"the answer still comes", 3 * time.Second, false}, {"the answer never comes", time.Hour, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMock()
				m.RegisterResponder(http.MethodPost, submitURL, func(r *http.Request) (*http.Response, error) {
					select {
					case <-time.After(tt.takes):
						return httpmock.NewStringResponse(200, `{"request_id":"job-1"}`), nil
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				})
				ctx, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				start := time.Now()
				_, err := fal.Submit(ctx, m.client, request)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error = %v, want the deadline", err)
				}
				_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
				if unknown != tt.unknown || (fal.RequestID(err) == "job-1") == tt.unknown {
					t.Errorf("error = %v", err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if n := m.calls(http.MethodPost, submitURL); n != 1 {
					t.Errorf("%d submissions", n)
				}
			})
		})
	}
}

func TestSubmitAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		status  int
		header  string // X-Fal-Request-Id
		body    string
		err     error // from the transport
		posts   int
		unknown bool
		id      string
	}{
		{name: "accepted", status: 200, body: `{"request_id":"job-1"}`, posts: 1, id: "job-1"},
		{name: "accepted, odd fields", status: 200, body: `{"request_id":"job-1","queue_position":"first","status":7}`, posts: 1, id: "job-1"},
		{name: "no id", status: 200, body: `{}`, posts: 1, unknown: true},
		{name: "no id in the body", status: 200, header: "gateway-1", body: `oops`, posts: 1, unknown: true, id: "gateway-1"},
		{name: "reset", err: errors.New("connection reset by peer"), posts: 1, unknown: true},
		{name: "lost answer", err: io.ErrUnexpectedEOF, posts: 1, unknown: true},
		{name: "500 of fal", status: 500, header: "r", body: `{"detail":"oops","error_type":"internal_error"}`, posts: 1, id: "r"},
		{name: "500 page", status: 500, body: `<html>`, posts: 1, unknown: true},
		{name: "502 page", status: 502, body: `<html><title>502 Bad Gateway</title>`, posts: 1, unknown: true},
		{name: "504 empty", status: 504, posts: 1, unknown: true},
		{name: "503 of fal", status: 503, body: `{"detail":"oops","error_type":"runner_scheduling_failure"}`, posts: 1},
		{name: "503 in fal's form", status: 503, body: `{"detail":"oops"}`, posts: 1, unknown: true},
		{name: "500 in fal's form", status: 500, header: "r", body: `{"detail":"Internal Server Error"}`, posts: 1, unknown: true, id: "r"},
		{name: "502 of a gateway", status: 502, body: `{"error":{"type":"upstream_error","message":"no"}}`, posts: 1, unknown: true},
		{name: "504 of a gateway", status: 504, body: `{"message":"Endpoint request timed out"}`, posts: 1, unknown: true},
		{name: "an id that is a value", status: 200, body: `{"status":"request_id","x":"job-1"}`, posts: 1, unknown: true},
		{name: "an id inside", status: 200, body: `{"x":{"request_id":"job-1"}}`, posts: 1, unknown: true},
		{name: "an id that is none", status: 200, body: `{"request_id":"../a"}`, posts: 1, unknown: true},
		{name: "an id with the key", status: 200, body: `{"request_id":"` + strings.ReplaceAll(secret, ":", "-") + `"}`, posts: 1, unknown: true},
		{name: "503 with id", status: 503, header: "r", body: `<html>`, posts: 1, unknown: true, id: "r"},
		{name: "503 of nginx", status: 503, body: `<html>nginx`, posts: 1, unknown: true},
		{name: "429", status: 429, body: `{"detail":"slow down"}`, posts: 4},
		{name: "422", status: 422, body: `{"detail":[{"loc":["body","prompt"],"msg":"no"}]}`, posts: 1},
		{name: "redirect", status: 302, body: ``, posts: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMock()
				m.RegisterResponder(http.MethodPost, submitURL, func(*http.Request) (*http.Response, error) {
					if tt.err != nil {
						return nil, tt.err
					}
					resp := httpmock.NewStringResponse(tt.status, tt.body)
					if tt.header != "" {
						resp.Header.Set("X-Fal-Request-Id", tt.header)
					}
					if tt.status == 302 {
						resp.Header.Set("Location", "https://queue.fal.run/elsewhere")
					}
					return resp, nil
				})
				job, err := fal.Submit(t.Context(), m.client, request)
				if n := m.calls(http.MethodPost, submitURL); n != tt.posts {
					t.Errorf("%d submissions, want %d", n, tt.posts)
				}
				if job != nil {
					if job.ID() != tt.id {
						t.Errorf("job %q, want %q", job.ID(), tt.id)
					}
					return
				}
				_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
				if unknown != tt.unknown {
					t.Errorf("unknown = %v, want %v: %v", unknown, tt.unknown, err)
				}
				if !unknown {
					if _, ok := errors.AsType[*fal.Error](err); !ok {
						t.Errorf("error is a %T, want a *fal.Error: %v", err, err)
					}
				}
				if got := fal.RequestID(err); got != tt.id {
					t.Errorf("request id = %q, want %q", got, tt.id)
				}
			})
		})
	}
}
