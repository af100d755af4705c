package batch_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// listen returns a handler that fal can call, and the address for a key.
func listen(t *testing.T, srv *faltest.Server) (*webhook.Handler, func(key string) string) {
	t.Helper()
	hooks := &webhook.Handler{Client: srv.Client()}
	site := httptest.NewServer(hooks)
	t.Cleanup(site.Close)
	return hooks, func(key string) string { return site.URL + "/fal?key=" + url.QueryEscape(key) }
}

// until waits until something is so.
func until(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}

// asked notes when something was last sent, and first asked for after that.
type asked struct {
	mu         sync.Mutex
	sent, read time.Time
}

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	switch now := time.Now(); {
	case r.Method == http.MethodPost:
		a.sent = now
	case a.read.IsZero() && strings.Contains(r.URL.Path, "/requests/"):
		a.read = now
	}
	a.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// Items are waited for by their webhooks: as long as they run, nothing is asked.
func TestByWebhook(t *testing.T) {
	t.Parallel()
	const takes = 400 * time.Millisecond
	srv := faltest.NewServer(t, faltest.RunTime(takes))
	hooks, address := listen(t, srv)
	client, asked := quick(srv), new(asked)
	client.HTTPClient = &http.Client{Transport: asked}
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
	client.Guard = budget
	run := &batch.Runner{Client: client, Dir: t.TempDir(), Webhook: address, Handler: hooks}
	done, failed, end := collect(t.Context(), run, mugs(12))
	if len(done) != 12 || failed != nil || end != nil {
		t.Fatalf("%q %q %v", done, failed, end)
	}
	if waited := asked.read.Sub(asked.sent); waited < takes/2 {
		t.Errorf("something was asked %v after the last was sent", waited)
	}
	if l := srv.Ledger(); l.Webhooks != 12 || l.Results != 12 || budget.Reserved() != 0 || budget.Spent() == 0 {
		t.Errorf("%+v, %v spent, %v set aside", l, budget.Spent(), budget.Reserved())
	}
}

// Who submits ends at once, and who receives knows the journal and no request: the
// results come all the same, those included whose answers were lost.
func TestDeliver(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(300*time.Millisecond))
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 2)
	hooks, address := listen(t, srv)
	j, dir := batch.Memory(), t.TempDir()
	guard := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
	submits := quick(srv)
	submits.Guard = guard
	receives := &batch.Runner{Client: quick(srv), Journal: j, Dir: dir}
	receives.Client.Guard = guard
	hooks.Handle = func(ctx context.Context, e *webhook.Event) error {
		_, err := batch.Deliver[fal.Images](ctx, receives, e.Query.Get("key"), e)
		return err
	}
	ctx, leave := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer leave()
	_, _, _ = collect(ctx, &batch.Runner{Client: submits, Journal: j, Webhook: address}, mugs(8))
	until(t, func() bool {
		n := 0
		for row, err := range j.All(t.Context()) {
			if err == nil && row.State == batch.Done && len(row.Files) == 1 { // a file may be there before the journal knows it
				n++
			}
		}
		return n == 8
	})
	until(t, func() bool { return guard.Reserved() == 0 })
	posts := srv.Ledger().Posts
	done, failed, end := collect(t.Context(), &batch.Runner{Client: submits, Journal: j, Dir: dir, Webhook: address}, mugs(8))
	if l := srv.Ledger(); len(done) != 8 || failed != nil || end != nil || l.Posts != posts || l.Submissions != 8 || l.Downloads != 8 {
		t.Errorf("%q %q %v: %+v", done, failed, end, l)
	}
}

// A step that is looking for its lost answer is told of it by the webhook.
func TestDeliverWhileLooking(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	hooks, address := listen(t, srv)
	j := batch.Memory()
	run := &batch.Runner{Client: quick(srv), Journal: j, Webhook: address, Handler: hooks}
	hooks.Handle = func(ctx context.Context, e *webhook.Event) error {
		_, err := batch.Deliver[fal.Images](ctx, run, e.Query.Get("key"), e)
		return err
	}
	run.Reconcile = func(context.Context, *fal.OutcomeUnknownError) (string, error) {
		until(t, func() bool { return states(t, j)["a"] == batch.Submitted })
		return "", errors.New("the history does not have it yet")
	}
	start := time.Now()
	res, err := batch.Step(t.Context(), run, mug("a"))
	if err != nil || res.State != batch.Done || res.Units == "" || time.Since(start) > 10*time.Second {
		t.Errorf("%s %v", res.State, err)
	}
}

// The result is kept once, whoever comes first, and a later call changes nothing.
func TestDeliverAtOnce(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(50*time.Millisecond))
	j := batch.Memory()
	client := quick(srv)
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}, Ledger: new(spend.Ledger)}
	client.Guard = budget
	run := &batch.Runner{Client: client, Journal: j}
	var wait sync.WaitGroup
	wait.Go(func() {
		if res, err := batch.Step(t.Context(), run, mug("a")); err != nil || res.State != batch.Done {
			t.Errorf("%s %v", res.State, err)
		}
	})
	until(t, func() bool { return states(t, j)["a"] == batch.Submitted })
	event := &webhook.Event{RequestID: srv.Ledger().Bills[0].RequestID}
	for range 2 {
		wait.Go(func() { // another program
			other := &batch.Runner{Client: client, Journal: j}
			for range 2 {
				if res, err := batch.Deliver[fal.Images](t.Context(), other, "a", event); err != nil || res.Out == nil || res.State != batch.Done {
					t.Errorf("%s %v", res.State, err)
				}
			}
		})
	}
	wait.Wait()
	row, _, err := j.Get(t.Context(), "a")
	if err != nil || row.State != batch.Done || budget.Spent() != 3*pricing.Cent/10 || budget.Reserved() != 0 || srv.Ledger().Posts != 1 {
		t.Errorf("%+v, %v: %v spent", row, err, budget.Spent())
	}
}

// A job that failed is kept with its error, and fal need not call again.
func TestDeliverFailed(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(300*time.Millisecond))
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1)
	j := batch.Memory()
	run := &batch.Runner{Client: quick(srv), Journal: j}
	ctx, leave := context.WithCancel(t.Context())
	var step sync.WaitGroup
	step.Go(func() { _, _ = batch.Step(ctx, run, mug("a")) })
	until(t, func() bool { return states(t, j)["a"] == batch.Submitted })
	leave()
	step.Wait()
	row, _, _ := j.Get(t.Context(), "a")
	for range 2 {
		res, err := batch.Deliver[fal.Images](t.Context(), run, "a", &webhook.Event{RequestID: row.RequestID})
		if err != nil || res.State != batch.Failed || res.Failure.Type != "content_policy_violation" {
			t.Errorf("%+v %v", res.Row, err)
		}
	}
}

// What is none of the journal's, or of another job, is refused and changes nothing.
func TestDeliverRefused(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	j := batch.Memory()
	run := &batch.Runner{Client: quick(srv), Journal: j}
	if _, err := batch.Step(t.Context(), run, mug("lost")); err == nil {
		t.Fatal("the answer was not lost")
	}
	if _, err := batch.Step(t.Context(), run, mug("done")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		key   string
		event *webhook.Event
		want  string
	}{
		{"none", &webhook.Event{RequestID: "x"}, `"none": the journal does not have it`},
		{"lost", &webhook.Event{RequestID: "somebody-elses"}, "does not know a job"},
		{"lost", &webhook.Event{}, "has no request id"},
		{"lost", nil, "the event is nil"},
		{"done", &webhook.Event{RequestID: "somebody-elses"}, "the event is of request"},
	} {
		_, err := batch.Deliver[fal.Images](t.Context(), run, tt.key, tt.event)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.key, err)
		}
	}
	if got := states(t, j); got["lost"] != batch.Unknown || got["done"] != batch.Done || len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// A row that was written by hand may have any digest.
func TestDeliverShortDigest(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := quick(srv)
	job, err := fal.Submit(t.Context(), client, mug("a").Request)
	if err != nil {
		t.Fatal(err)
	}
	client.Guard = &spend.Budget{Ledger: new(spend.Ledger)}
	j := batch.Memory()
	if err := j.Put(t.Context(), batch.Row{Key: "a", Digest: "short", Endpoint: string(job.Endpoint()), State: batch.Submitted, RequestID: job.ID(), Revision: 1}); err != nil {
		t.Fatal(err)
	}
	res, err := batch.Deliver[fal.Images](t.Context(), &batch.Runner{Client: client, Journal: j}, "a", &webhook.Event{RequestID: job.ID()})
	if err != nil || res.State != batch.Done || res.Units == "" {
		t.Errorf("%+v %v", res.Row, err)
	}
}
