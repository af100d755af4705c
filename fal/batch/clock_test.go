package batch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/platform"
)

// distant is a fal whose clock is not that of this machine. It has one job, whose
// submit's answer is lost, and which its history lists some time later.
type distant struct {
	mu     sync.Mutex
	ahead  time.Duration // of this machine's clock
	late   time.Duration // until it is listed
	sent   time.Time     // by its clock
	input  json.RawMessage
	posts  int
	silent bool // its answers have no date
}

func (d *distant) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now().UTC().Add(d.ahead)
	status := http.StatusOK
	var answer string
	switch path := r.URL.Path; {
	case r.Method == http.MethodPost:
		d.posts++
		d.input, _ = io.ReadAll(r.Body)
		d.sent = now
		return nil, errors.New("the connection was reset")
	case strings.HasPrefix(path, "/v1/models/requests/"):
		answer = `{"items":[],"has_more":false}`
		from, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("start"))
		until, noEnd := time.Parse(time.RFC3339Nano, r.URL.Query().Get("end"))
		if err == nil && !d.sent.IsZero() && !d.sent.Before(from) && (noEnd != nil || d.sent.Before(until)) && now.Sub(d.sent) >= d.late && !strings.HasSuffix(r.URL.Query().Get("endpoint_id"), "/stream") {
			answer = fmt.Sprintf(`{"items":[{"request_id":"job","endpoint_id":%q,"sent_at":%q,"json_input":%s}],"has_more":false}`, r.URL.Query().Get("endpoint_id"), d.sent.Format(time.RFC3339Nano), d.input)
		}
	case path == "/v1/models/billing-events":
		status, answer = http.StatusForbidden, `{"error":{"type":"authorization_error","message":"no"}}`
	case strings.HasSuffix(path, "/requests/job/status"):
		answer = `{"status":"COMPLETED","request_id":"job"}`
	case strings.HasSuffix(path, "/requests/job"):
		answer = `{"images":[{"url":"https://v3.fal.media/a.png"}],"seed":1}`
	default:
		status, answer = http.StatusNotFound, `{"detail":"Path not found"}`
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if !d.silent {
		header.Set("Date", now.Format(http.TimeFormat))
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(answer))), Request: r}, nil
}

// step does the item in a process of its own, whose clock begins anew.
func (d *distant) step(t *testing.T, j batch.Journal, clock, ahead time.Duration) (state batch.State, posts int) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(clock)
		d.ahead = ahead
		c := &fal.Client{HTTPClient: &http.Client{Transport: d}, Key: fal.NewKey("id:secret"), Retry: fal.Retry{MaxAttempts: 1}}
		run := &batch.Runner{Client: c, Journal: j}
		if d.posts > 0 {
			run.Reconcile = platform.Reconciler{Client: c}.Find
		}
		res, _ := batch.Step(t.Context(), run, mug("a"))
		state = res.State
	})
	return state, d.posts
}

// written is a journal whose rows are as a file keeps them.
type written struct{ batch.Journal }

func (j written) Put(ctx context.Context, row batch.Row) error {
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	row = batch.Row{}
	if err := json.Unmarshal(text, &row); err != nil {
		return err
	}
	return j.Journal.Put(ctx, row)
}

// A clock that was wrong when an item was sent, or is when it is looked for, proves no
// item absent that fal has accepted.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	const minute, hour = time.Minute, time.Hour
	type at struct {
		clock, ahead time.Duration
		want         batch.State
	}
	for name, tt := range map[string]struct {
		late  time.Duration
		sent  at
		asked []at
	}{
		"right":                              {sent: at{hour, 0, batch.Unknown}, asked: []at{{hour + minute, 0, batch.Done}}},
		"behind, set right":                  {sent: at{0, 3 * hour, batch.Unknown}, asked: []at{{3*hour + minute, 0, batch.Done}}},
		"behind, set right, listed later":    {late: hour, sent: at{0, 3 * hour, batch.Unknown}, asked: []at{{3*hour + minute, 0, batch.Unknown}, {4*hour + minute, 0, batch.Done}}},
		"ahead, set right":                   {sent: at{3 * hour, -3 * hour, batch.Unknown}, asked: []at{{minute, 0, batch.Done}}},
		"ahead, set right, asked for later":  {sent: at{3 * hour, -3 * hour, batch.Unknown}, asked: []at{{9 * hour, 0, batch.Done}}},
		"jumps ahead before it is asked for": {late: hour, sent: at{0, 0, batch.Unknown}, asked: []at{{2 * hour, minute - 2*hour, batch.Unknown}, {2*hour + hour, minute - 2*hour, batch.Done}}},
		"behind all the time":                {sent: at{0, 30 * hour, batch.Unknown}, asked: []at{{2 * minute, 30 * hour, batch.Done}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, j := &distant{late: tt.late}, written{batch.Memory()}
			for i, at := range append([]at{tt.sent}, tt.asked...) {
				if state, posts := d.step(t, j, at.clock, at.ahead); state != at.want || posts != 1 {
					t.Errorf("step %d: it is %s after %d posts", i, state, posts)
				}
			}
		})
	}
}

// The same without a batch: the request is looked for by the program that sent it, to
// which fal had not answered before.
func TestWrongClockOfOneProgram(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 30 * time.Hour, -30 * time.Hour} {
		d := &distant{ahead: ahead, late: 200 * time.Millisecond}
		c := &fal.Client{HTTPClient: &http.Client{Transport: d}, Key: fal.NewKey("id:secret"), Retry: fal.Retry{MaxAttempts: 1}}
		_, lost := fal.Submit(t.Context(), c, mug("a").Request)
		for found, end := false, time.Now().Add(5*time.Second); !found; time.Sleep(20 * time.Millisecond) {
			job, err := platform.Adopt(t.Context(), platform.Reconciler{Client: c, Lag: 10 * time.Second}, mug("a").Request.Endpoint(), lost)
			if found = job != nil; !found && (fal.NotSent(err) || time.Now().After(end)) {
				t.Errorf("%v ahead: %v", ahead, err)
				break
			}
		}
	}
}

// Where fal's answers do not tell the time, nothing is proved absent.
func TestNoClock(t *testing.T) {
	t.Parallel()
	d, j := &distant{silent: true, late: 1000 * time.Hour}, written{batch.Memory()}
	for _, clock := range []time.Duration{0, 3 * time.Hour} {
		if state, posts := d.step(t, j, clock, 0); state != batch.Unknown || posts != 1 {
			t.Errorf("it is %s after %d posts", state, posts)
		}
	}
}
