package batch_test

import (
	"context"
	"errors"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
)

// An item was proved absent, by a history that was behind say, and its webhook comes
// before it is sent again: that is the better proof.
func TestWebhookOfTheAbsent(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(ctx context.Context, run *batch.Runner, id string) error{
		"received": func(ctx context.Context, run *batch.Runner, id string) error {
			return batch.Received(ctx, run.Journal, "a", id)
		},
		"delivered": func(ctx context.Context, run *batch.Runner, id string) error {
			_, err := batch.Deliver[fal.Images](ctx, run, "a", &webhook.Event{RequestID: id})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			run := &batch.Runner{Client: quick(srv), Journal: batch.Memory(), Reconcile: func(context.Context, *fal.OutcomeUnknownError) (string, error) {
				return "", absentError{errors.New("it is not there")}
			}}
			srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
			if res, err := batch.Step(t.Context(), run, mug("a")); !fal.NotSent(err) || res.State != batch.Failed {
				t.Fatal(res.State, err)
			}
			id := srv.Ledger().Bills[0].RequestID
			if err := call(t.Context(), run, id); err != nil {
				t.Error(err)
			}
			res, err := batch.Step(t.Context(), run, mug("a"))
			if l := srv.Ledger(); err != nil || res.State != batch.Done || res.RequestID != id || l.Posts != 1 {
				t.Errorf("%s by request %q after %d posts: %v", res.State, res.RequestID, l.Posts, err)
			}
		})
	}
}
