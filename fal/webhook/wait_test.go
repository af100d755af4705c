package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// site is a server of one's own that fal calls.
func site(t *testing.T, srv *faltest.Server, h *webhook.Handler) (address string) {
	h.Client = srv.Client()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/hook?order=17"
}

func submit(t *testing.T, c *fal.Client, callback string) *fal.Job[fal.Images] {
	t.Helper()
	j, err := fal.Submit(t.Context(), c, flux.Pro2{Prompt: "a mug"}, fal.WithWebhook(callback))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// What a webhook brings is what waiting brings, the units and what a budget
// books included.
func TestWait(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(100*time.Millisecond))
	h := &webhook.Handler{}
	callback := site(t, srv, h)
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
	c := srv.Client()
	c.Guard = budget
	out, err := webhook.Wait(t.Context(), h, submit(t, c, callback))
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Images) != 1 || out.BillableUnits != "1" || budget.Reserved() != 0 || budget.Spent() != 3*pricing.Cent {
		t.Errorf("%+v; spent %v, reserved %v", out, budget.Spent(), budget.Reserved())
	}
	if l := srv.Ledger(); l.Polls != 0 || l.Results != 1 {
		t.Errorf("%d polls, %d results", l.Polls, l.Results)
	}
}

// The webhook may come before it is waited for, and several times.
func TestWaitOfAnEarlyWebhook(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	h := &webhook.Handler{}
	srv.Inject(faltest.OpWebhook, faltest.LostAnswer(), 2)
	j := submit(t, srv.Client(), site(t, srv, h))
	for srv.Ledger().Webhooks < 3 {
		time.Sleep(time.Millisecond)
	}
	if _, err := webhook.Wait(t.Context(), h, j); err != nil {
		t.Error(err)
	}
	if _, err := webhook.Wait(t.Context(), h, j); !errors.Is(err, webhook.ErrTaken) {
		t.Errorf("the second time: %v", err)
	}
	if out, err := j.Wait(t.Context()); err != nil || len(out.Images) != 1 {
		t.Errorf("the result is gone: %v", err)
	}
}

// Of many who wait, in whatever processes, one gets the result.
func TestWaitOnce(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(100*time.Millisecond))
	store := webhook.Memory()
	one, two := &webhook.Handler{Store: store}, &webhook.Handler{Store: store}
	two.Client = srv.Client()
	j := submit(t, srv.Client(), site(t, srv, one))
	var mu sync.Mutex
	results := map[string]int{}
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			_, err := webhook.Wait(t.Context(), one, j)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				results["got"]++
			case errors.Is(err, webhook.ErrTaken):
				results["taken"]++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff(map[string]int{"got": 1, "taken": 4}, results); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Where Handle is, a Wait goes before it, and what Handle has taken is not
// waited for in vain.
func TestWaitBesideHandle(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(50*time.Millisecond))
	handled := make(chan string, 2)
	h := &webhook.Handler{Handle: func(_ context.Context, e *webhook.Event) error {
		handled <- e.RequestID
		return nil
	}}
	callback := site(t, srv, h)
	if _, err := webhook.Wait(t.Context(), h, submit(t, srv.Client(), callback)); err != nil {
		t.Error(err)
	}
	j := submit(t, srv.Client(), callback)
	if id := <-handled; id != j.ID() {
		t.Errorf("handled %s, want %s", id, j.ID())
	}
}

// direct reaches the local fal without a socket, so that time can be virtual.
type direct struct{ srv *faltest.Server }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.srv.ServeHTTP(w, r)
	return w.Result(), nil
}

// The webhook never comes: a look finds that the job is done.
func TestWaitByLooking(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(40*time.Second))
	synctest.Test(t, func(t *testing.T) {
		c := srv.Client()
		c.HTTPClient = &http.Client{Transport: direct{srv}}
		j := submit(t, c, "https://x.example/hook")
		start := time.Now()
		out, err := webhook.Wait(t.Context(), &webhook.Handler{}, j)
		if took := time.Since(start); err != nil || len(out.Images) != 1 || took != 45*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if n := srv.Ledger().Polls; n != 3 {
			t.Errorf("%d polls", n)
		}
	})
}

// A wait whose context ends says which job it was, and the next one goes on.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(200*time.Millisecond))
	h := &webhook.Handler{}
	j := submit(t, srv.Client(), site(t, srv, h))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := webhook.Wait(ctx, h, j)
	if !errors.Is(err, context.DeadlineExceeded) || fal.RequestID(err) != j.ID() {
		t.Errorf("%v", err)
	}
	if _, err := webhook.Wait(t.Context(), h, j); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"no handler": second(webhook.Wait(t.Context(), nil, j)),
		"no job":     second(webhook.Wait[fal.Images](t.Context(), h, nil)),
		"no context": second(webhook.Wait(nil, h, j)), //nolint:staticcheck // on purpose
		"no event":   second(webhook.Into(t.Context(), nil, j)),
		"other job":  second(webhook.Into(t.Context(), &webhook.Event{RequestID: "x"}, j)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A failure has its own type and status, whatever fal puts around it, and what
// has no payload is fetched.
func TestInto(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Handle("me/odd", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no JSON") })
	c := srv.Client()
	c.Retry.MaxWait = time.Millisecond // an outage is short
	id := submit(t, c, "https://x.example/").ID()
	const detail = `{"detail":[{"loc":["body","prompt"],"msg":"no","type":"content_policy_violation"}]}`
	for name, tt := range map[string]struct {
		event  webhook.Event
		status int
		kind   string
		billed fal.Billing
	}{
		"its own type":      {webhook.Event{Failed: true, Error: "Unexpected status code: 422", Payload: []byte(detail)}, 422, "content_policy_violation", fal.BillingUnknown},
		"a detail alone":    {webhook.Event{Failed: true, Error: "Invalid status code: 422", Payload: []byte(`{"detail":{"type":"downstream_service_error","msg":"x"}}`)}, 422, "downstream_service_error", fal.BillingUnknown},
		"fal's own failure": {webhook.Event{Failed: true, Error: "Invalid status code: 503", Payload: []byte(`{"detail":"x","error_type":"runner_disconnected"}`)}, 503, "runner_disconnected", fal.NotBilled},
		"no number":         {webhook.Event{Failed: true, Error: "it broke", Payload: []byte(`{"detail":"x"}`)}, 500, "", fal.BillingUnknown},
		"an odd number":     {webhook.Event{Failed: true, Error: "status code: 200", Payload: []byte(`{"detail":"x"}`)}, 500, "", fal.BillingUnknown},
		"failed inside":     {webhook.Event{Payload: []byte(detail)}, 200, "content_policy_violation", fal.BillingUnknown},
	} {
		e := tt.event
		e.RequestID = id
		out, err := webhook.Into(t.Context(), &e, fal.Resume(c, flux.Pro2{}.Endpoint(), id))
		got, ok := errors.AsType[*fal.Error](err)
		if !ok || out != nil || got.Status != tt.status || got.Type != tt.kind || got.RequestID != id || got.Billing != tt.billed {
			t.Errorf("%s: %v: %+v", name, out, err)
		}
	}
	j := fal.Resume(c, flux.Pro2{}.Endpoint(), id)
	for name, payload := range map[string]json.RawMessage{"with a payload": []byte(`{"images":[{"url":"https://x.example/a.png"}]}`), "without": nil} {
		out, err := webhook.Into(t.Context(), &webhook.Event{RequestID: id, Payload: payload}, j)
		if err != nil || len(out.Images) != 1 || out.RequestID != id {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
	gone := fal.Resume(c, flux.Pro2{}.Endpoint(), "00000000-0000")
	_, err := webhook.Into(t.Context(), &webhook.Event{RequestID: "00000000-0000", Failed: true, Error: "Invalid status code: 404", PayloadError: "x"}, gone)
	if e, ok := errors.AsType[*fal.Error](err); !ok || e.Status != 404 || !strings.Contains(e.Message, "Invalid status code") {
		t.Errorf("gone: %v", err)
	}
}

// Who waits no longer takes nothing from the others, and what Wait hands out is
// marked as done in the store.
func TestWaitersAreApart(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(300*time.Millisecond))
	store := webhook.Memory()
	h := &webhook.Handler{Store: store}
	j := submit(t, srv.Client(), site(t, srv, h))
	var all sync.WaitGroup
	for _, patience := range []time.Duration{20 * time.Millisecond, 40 * time.Millisecond} {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if _, err := webhook.Wait(ctx, h, j); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	start := time.Now()
	if _, err := webhook.Wait(t.Context(), h, j); err != nil || time.Since(start) > 12*time.Second { // a look comes after 15 s
		t.Errorf("%v after %v", err, time.Since(start))
	}
	all.Wait()
	if state, err := store.Claim(t.Context(), j.ID(), time.Minute); err != nil || state != webhook.Done {
		t.Errorf("the store has it as %s, %v", state, err)
	}
}

// stuck cannot settle, or not claim.
type stuck struct{ webhook.Store }

func (stuck) Settle(context.Context, string, bool) error { return errors.New("no disk") }

// What the store cannot note is not handed out, and may be waited for again.
func TestWaitWithoutItsStore(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	for want, store := range map[string]webhook.Store{"no disk": stuck{webhook.Memory()}, "no database": brokenStore{}} {
		h := &webhook.Handler{Store: store}
		j := submit(t, srv.Client(), site(t, srv, h))
		_, err := webhook.Wait(t.Context(), h, j)
		if _, ok := errors.AsType[*fal.JobError](err); !ok || !strings.Contains(err.Error(), want) || fal.RequestID(err) != j.ID() {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
