package webhook_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
)

// told answers each request, by what it is told about its path; "" is no answer at
// all, for as long as is waited for.
type told func(path string) (body string)

func (f told) RoundTrip(r *http.Request) (*http.Response, error) {
	body := f(r.URL.Path)
	if body == "" {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if body == "broken" {
		return nil, errors.New("broken")
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// job is one that fal tells of in this way.
func (f told) job() *fal.Job[fal.Images] {
	c := &fal.Client{Key: fal.NewKey("id:secret"), HTTPClient: &http.Client{Transport: f}, Retry: fal.Retry{MaxAttempts: 1}}
	return fal.Resume(c, flux.Pro2{}.Endpoint(), "r-1")
}

const onePicture = `{"images":[{"url":"https://x.example/a.png","width":8,"height":8}]}`

// Fal is asked for a result for ten seconds; then what the event has brought counts,
// unless whoever asked has left.
func TestFetch(t *testing.T) {
	t.Parallel()
	silent := told(func(string) string { return "" })
	for name, tt := range map[string]struct {
		event    *webhook.Event
		patience time.Duration
		takes    time.Duration
		images   int
	}{
		"an event":                     {&webhook.Event{RequestID: "r-1", Payload: []byte(onePicture)}, time.Hour, 10 * time.Second, 1},
		"no event":                     {nil, time.Minute, time.Minute, 0},
		"left before":                  {&webhook.Event{RequestID: "r-1", Payload: []byte(onePicture)}, 5 * time.Second, 5 * time.Second, 0},
		"an event without its payload": {&webhook.Event{RequestID: "r-1", Failed: true}, 15 * time.Second, 15 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				start := time.Now()
				out, err := webhook.Fetch(ctx, tt.event, silent.job())
				if took := time.Since(start); took != tt.takes {
					t.Errorf("took %v, want %v", took, tt.takes)
				}
				if tt.images > 0 {
					if err != nil || len(out.Images) != tt.images {
						t.Errorf("%v, %v", out, err)
					}
				} else if _, unfinished := errors.AsType[*fal.JobError](err); !unfinished || out != nil || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v, %v", out, err)
				}
			})
		})
	}
}

// The status that a failed job ended with is what fal names, where that is one of a
// failure.
func TestStatusOfAFailure(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]int{
		"Invalid status code: 399":           500,
		"Invalid status code: 400":           400,
		"Unexpected status code: 599":        599,
		"Unexpected status code: 600":        500,
		"Unexpected status code: 4000":       500,
		"status code: 404, status code: 503": 404,
	} {
		e := &webhook.Event{RequestID: "r-1", Failed: true, Error: words, Payload: []byte(`{"detail":"x"}`)}
		_, err := webhook.Into(t.Context(), e, told(nil).job())
		if got, ok := errors.AsType[*fal.Error](err); !ok || got.Status != want {
			t.Errorf("%s: %v, want status %d", words, err, want)
		}
	}
}

// What an event without a payload tells stands in for a result that fal has not, and
// for nothing else.
func TestIntoWithoutPayload(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	c := srv.Client()
	c.Retry.MaxWait = time.Millisecond // an outage is short
	const gone = "00000000-0000"
	job := func(id string) *fal.Job[fal.Images] { return fal.Resume(c, flux.Pro2{}.Endpoint(), id) }

	if _, err := webhook.Into(t.Context(), &webhook.Event{RequestID: gone}, job(gone)); err == nil {
		t.Error("a job that is gone and did not fail has a result")
	} else if _, unfinished := errors.AsType[*fal.JobError](err); !unfinished {
		t.Errorf("a job that is gone and did not fail: %v", err)
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := webhook.Into(ended, &webhook.Event{RequestID: gone, Failed: true, Error: "x"}, job(gone))
	if _, unfinished := errors.AsType[*fal.JobError](err); !unfinished || !errors.Is(err, context.Canceled) {
		t.Errorf("whoever asked has left: %v", err)
	}

	srv.Inject(faltest.OpSubmit, faltest.LateFailure(http.StatusUnprocessableEntity, "content_policy_violation", "no"), 1)
	id := submit(t, c, "https://x.example/").ID()
	_, err = webhook.Into(t.Context(), &webhook.Event{RequestID: id, Failed: true, Error: "Invalid status code: 400"}, job(id))
	if e, ok := errors.AsType[*fal.Error](err); !ok || e.Status != http.StatusUnprocessableEntity || e.Type != "content_policy_violation" {
		t.Errorf("fal has its error: %v", err)
	}
}

// Three looks in a row that fail end the waiting for a webhook, and no fewer: one
// that tells where the job stands begins the count anew.
func TestLooksThatFail(t *testing.T) {
	t.Parallel()
	const waiting, running, done = `{"status":"IN_QUEUE"}`, `{"status":"IN_PROGRESS"}`, `{"status":"COMPLETED"}`
	for name, tt := range map[string]struct {
		looks    []string // one each 15 seconds
		want     int      // so many are taken
		followed bool     // as by fal.Job.Wait from then on
	}{
		"done at once":             {[]string{done}, 1, false},
		"in the queue, then done":  {[]string{waiting, waiting, running, done}, 4, false},
		"failed, then done":        {[]string{"broken", "broken", done}, 3, false},
		"failed three times":       {[]string{"broken", "broken", "broken", done}, 3, true},
		"failed, but not in a row": {[]string{"broken", "broken", running, "broken", "broken", waiting, "broken", "broken", "broken", done}, 9, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var after time.Duration
				followed := false
				fake := told(func(path string) string {
					if strings.HasSuffix(path, "/status") {
						look := int(time.Since(start) / (15 * time.Second))
						return tt.looks[min(look, len(tt.looks))-1]
					}
					after = cmp.Or(after, time.Since(start))
					if strings.HasSuffix(path, "/status/stream") {
						followed = true
						return "broken"
					}
					return onePicture
				})
				out, err := webhook.Wait(t.Context(), &webhook.Handler{}, fake.job())
				if err != nil || len(out.Images) != 1 {
					t.Errorf("%v, %v", out, err)
				}
				if int(after/(15*time.Second)) != tt.want || followed != tt.followed {
					t.Errorf("%v after %v, want %v after %d looks", followed, after, tt.followed, tt.want)
				}
			})
		})
	}
}
