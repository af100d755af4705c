package batch_test

import (
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
)

// Two items with the same request are two jobs: one whose answer was lost is not taken
// for the other's, though that is all that the history has as yet.
func TestAlike(t *testing.T) {
	t.Parallel()
	for name, lag := range map[string]time.Duration{"listed": 0, "listed later": 300 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			c := quick(srv)
			run := &batch.Runner{Client: c, Journal: batch.Memory(), Reconcile: platform.Reconciler{Client: c}.Find}
			one, two := seeded(), seeded()
			one.Key, two.Key = "one", "two"
			first, err := batch.Step(t.Context(), run, one)
			if err != nil {
				t.Fatal(err)
			}
			if lag > 0 {
				srv.SetLag(lag, lag)
				time.Sleep(lag + 100*time.Millisecond)
			}
			srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
			second, err := batch.Step(t.Context(), run, two)
			for end := time.Now().Add(20 * time.Second); second.State == batch.Unknown && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				second, err = batch.Step(t.Context(), run, two)
			}
			if l := srv.Ledger(); err != nil || second.State != batch.Done || second.RequestID == first.RequestID || l.Posts != 2 || len(l.Bills) != 2 {
				t.Errorf("%s by request %s after %s: %v; %+v", second.State, second.RequestID, first.RequestID, err, l)
			}
		})
	}
}

// If the request is absent, it is sent again: the other's job is no reason to wait.
func TestAlikeAndAbsent(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	c := quick(srv)
	run := &batch.Runner{Client: c, Journal: batch.Memory(), Reconcile: platform.Reconciler{Client: c, Lag: time.Nanosecond}.Find}
	one, two := seeded(), seeded()
	one.Key, two.Key = "one", "two"
	first, err := batch.Step(t.Context(), run, one)
	if err != nil {
		t.Fatal(err)
	}
	srv.Inject(faltest.OpSubmit, faltest.Reset(), 1)
	if _, err := batch.Step(t.Context(), run, two); !fal.NotSent(err) {
		t.Errorf("it was not accepted: %v", err)
	}
	second, err := batch.Step(t.Context(), run, two)
	if second.RequestID == "" || second.RequestID == first.RequestID || err != nil || srv.Ledger().Submissions != 2 {
		t.Errorf("request %s after %s: %v", second.RequestID, first.RequestID, err)
	}
}

// While another item with the same request is being sent, nobody knows whose a job is.
func TestAlikeUnderWay(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	c := quick(srv)
	run := &batch.Runner{Client: c, Journal: batch.Memory()}
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	lost, err := batch.Step(t.Context(), run, seeded())
	if lost.State != batch.Unknown {
		t.Fatal(err)
	}
	other := lost.Row
	other.Key, other.State, other.Revision, other.Failure = "other", batch.Intent, 1, nil
	if err := run.Journal.Put(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	run = &batch.Runner{Client: c, Journal: run.Journal, Reconcile: platform.Reconciler{Client: c}.Find}
	if res, err := batch.Step(t.Context(), run, seeded()); res.State != batch.Unknown || res.RequestID != "" || fal.NotSent(err) {
		t.Errorf("%s %s: %v", res.State, res.RequestID, err)
	}
	other.State, other.Revision = batch.Unknown, 2
	if err := run.Journal.Put(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if res, err := batch.Step(t.Context(), run, seeded()); res.State != batch.Done {
		t.Errorf("%s %s: %v", res.State, res.RequestID, err)
	}
}
