package batch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
)

// A history that was asked for with another API key may be that of another account, or of
// that key alone: nothing is proved absent by it.
func TestAbsentByAnotherKey(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	_, other, err := platform.API{Client: srv.Admin()}.CreateKey(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	own, j := srv.Client().Key, batch.Memory()
	step := func(key fal.Key) (batch.Result[fal.Images], error) {
		c := quick(srv)
		c.Key = key
		run := &batch.Runner{Client: c, Journal: j}
		if srv.Ledger().Posts > 0 {
			run.Reconcile = func(context.Context, *fal.OutcomeUnknownError) (string, error) {
				return "", absentError{errors.New("it is not there")}
			}
		}
		return batch.Step(t.Context(), run, mug("a"))
	}
	if res, err := step(own); res.State != batch.Unknown {
		t.Fatal(res.State, err)
	}
	res, err := step(other)
	if res.State != batch.Unknown || fal.NotSent(err) || !strings.Contains(fmt.Sprint(err), "another API key") || srv.Ledger().Posts != 1 {
		t.Errorf("%s after %d posts: %v", res.State, srv.Ledger().Posts, err)
	}
	for part := range strings.SplitSeq(own()+":"+other(), ":") {
		if strings.Contains(fmt.Sprint(err, res.KeySum), part) {
			t.Errorf("the journal or the error has %q of a key", part)
		}
	}
	if res, err := step(func() string { return own() }); err != nil || res.State != batch.Done || srv.Ledger().Posts != 2 {
		t.Errorf("with its own key: %s after %d posts: %v", res.State, srv.Ledger().Posts, err)
	}
}
