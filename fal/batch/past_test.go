package batch_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
)

// seeded returns an item that has the same body whenever it is sent.
func seeded() item {
	return item{Key: "a", Request: flux.Schnell{Prompt: "a mug", ImageSize: fal.Size(256, 256), Seed: fal.Seed(7)}}
}

// failOnce does an item whose job fails without cost, and returns the id of that.
func failOnce(t *testing.T, srv *faltest.Server, run *batch.Runner) (requestID string) {
	t.Helper()
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "x"), 1)
	res, err := batch.Step(t.Context(), run, seeded())
	if err == nil || res.State != batch.Failed || res.RequestID == "" {
		t.Fatalf("%s %s %v", res.State, res.RequestID, err)
	}
	return res.RequestID
}

// paidOnce checks that an item is done by another job than the one that failed, the
// only one that was paid.
func paidOnce(t *testing.T, srv *faltest.Server, res batch.Result[fal.Images], err error, failed string) {
	t.Helper()
	l := srv.Ledger()
	if err != nil || res.State != batch.Done || l.Posts != 2 || l.Submissions != 2 || len(l.Bills) != 2 || l.Bills[0].Units != "0" || l.Bills[1].RequestID != res.RequestID {
		t.Errorf("%s by request %s: %v; %+v", res.State, res.RequestID, err, l)
	}
	if diff := cmp.Diff([]string{failed}, res.Past); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The answer to a second sending is lost: the history, which has the job that failed
// with the same body, leads to the second, or not to any as long as that is not listed.
func TestPastInHistory(t *testing.T) {
	t.Parallel()
	for name, lag := range map[string]time.Duration{"listed": 0, "listed later": 300 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			c := quick(srv)
			run := &batch.Runner{Client: c, Journal: batch.Memory(), Reconcile: platform.Reconciler{Client: c}.Find}
			failed := failOnce(t, srv, run)
			if lag > 0 {
				srv.SetLag(lag, lag)
				time.Sleep(lag + 100*time.Millisecond) // the one that failed is listed, and the next not yet
			}
			srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
			res, err := batch.Step(t.Context(), run, seeded())
			for end := time.Now().Add(20 * time.Second); res.State == batch.Unknown && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				res, err = batch.Step(t.Context(), run, seeded())
			}
			paidOnce(t, srv, res, err, failed)
		})
	}
}

// A Reconcile that answers with the job that failed is not believed.
func TestPastByReconcile(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv), Journal: batch.Memory()}
	failed := failOnce(t, srv, run)
	run.Reconcile = func(_ context.Context, lost *fal.OutcomeUnknownError) (string, error) {
		if diff := cmp.Diff([]string{failed}, lost.Not); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		return failed, nil
	}
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	res, err := batch.Step(t.Context(), run, seeded())
	if _, unknown := errors.AsType[*fal.OutcomeUnknownError](err); !unknown || res.State != batch.Unknown || res.RequestID != "" {
		t.Errorf("%s %s: %v", res.State, res.RequestID, err)
	}
}

// told is a journal that tells what it noted.
type told struct {
	batch.Journal
	noted func(batch.Row)
}

func (j told) Put(ctx context.Context, row batch.Row) error {
	err := j.Journal.Put(ctx, row)
	if err == nil {
		j.noted(row)
	}
	return err
}

// Fal calls again for the job that failed while the item is on its way once more: that
// changes nothing.
func TestPastByWebhook(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(ctx context.Context, run *batch.Runner, failed string) error{
		"received": func(ctx context.Context, run *batch.Runner, failed string) error {
			return batch.Received(ctx, run.Journal, "a", failed)
		},
		"delivered": func(ctx context.Context, run *batch.Runner, failed string) error {
			_, err := batch.Deliver[fal.Images](ctx, run, "a", &webhook.Event{RequestID: failed})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			c, j := quick(srv), batch.Memory()
			other := &batch.Runner{Client: c, Journal: j}
			failed := failOnce(t, srv, other)
			calls := 0
			res, err := batch.Step(t.Context(), &batch.Runner{Client: c, Journal: told{j, func(row batch.Row) {
				if row.State != batch.Intent {
					return
				}
				calls++
				if err := call(t.Context(), other, failed); err != nil {
					t.Error(err)
				}
				if row, _, err := j.Get(t.Context(), "a"); err != nil || row.State != batch.Intent || row.RequestID != "" {
					t.Errorf("%s %s %v", row.State, row.RequestID, err)
				}
			}}}, seeded())
			if calls != 1 {
				t.Errorf("%d calls", calls)
			}
			paidOnce(t, srv, res, err, failed)
		})
	}
}
