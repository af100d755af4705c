package batch_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// A result that the queue has no more, since the batch was gone on with later, comes
// from the history, and is paid, saved and on record as any; that of a job that failed
// is its failure.
func TestRecover(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fault   faltest.Fault
		failed  bool
		blind   bool // the history cannot be read
		nothing bool // there is no Recover
		want    batch.State
	}{
		{name: "made", want: batch.Done},
		{name: "failed", fault: faltest.LateFailure(422, "content_policy_violation", "no"), failed: true, want: batch.Failed},
		{name: "blind", blind: true, want: batch.Submitted},
		{name: "without", nothing: true, want: batch.Submitted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.QueueTime(150*time.Millisecond))
			if tt.failed {
				srv.Inject(faltest.OpSubmit, tt.fault, 1)
			}
			j, client := batch.Memory(), quick(srv)
			client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
			ctx, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer leave()
			_, _ = batch.Step(ctx, &batch.Runner{Client: client, Journal: j}, mug("a"))
			time.Sleep(200 * time.Millisecond) // and then, much later
			srv.Inject(faltest.OpResult, faltest.Answer(404, `{"detail":"Request not found"}`), 50)
			if tt.blind {
				srv.Inject(faltest.OpPlatform, faltest.Answer(500, "down"), 50)
			}
			run := &batch.Runner{Client: client, Journal: j, Dir: t.TempDir(), Recover: platform.Reconciler{Client: client}.Result}
			if tt.nothing {
				run.Recover = nil
			}
			res, err := batch.Step(t.Context(), run, mug("a"))
			if res.State != tt.want || (err == nil) != (tt.want == batch.Done) || errors.Is(err, fal.ErrNotFound) != (tt.want == batch.Submitted) || errors.Is(err, fal.ErrContentPolicy) != tt.failed {
				t.Fatalf("%s: %v", res.State, err)
			}
			files, _ := filepath.Glob(filepath.Join(run.Dir, "a*"))
			if len(files) != len(res.Files) || (len(files) == 1) != (tt.want == batch.Done) || srv.Ledger().Posts != 1 {
				t.Errorf("%q, %d posts", files, srv.Ledger().Posts)
			}
		})
	}
}

// What the history has of another request is not taken.
func TestRecoverNothing(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := quick(srv)
	run := &batch.Runner{Client: client}
	res, err := batch.Step(t.Context(), run, mug("a"))
	if err != nil {
		t.Fatal(err)
	}
	look := platform.Reconciler{Client: client}
	status, body, err := look.Result(t.Context(), res.Endpoint, res.RequestID)
	if err != nil || status != 200 || !json.Valid(body) || !strings.Contains(string(body), "images") {
		t.Errorf("%d %s %v", status, body, err)
	}
	if _, _, err := look.Result(t.Context(), res.Endpoint, "another"); err == nil || !strings.Contains(err.Error(), "does not have the result of request another") {
		t.Errorf("%v", err)
	}
}
