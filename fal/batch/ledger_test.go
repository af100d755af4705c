package batch_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// process returns a client whose budget has the ledger at a path, as a process has it
// that begins then.
func process(t *testing.T, srv *faltest.Server, path string) (*fal.Client, *spend.Ledger) {
	t.Helper()
	ledger, err := spend.OpenLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	c := quick(srv)
	c.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}, Ledger: ledger}
	return c, ledger
}

// Two batches with one ledger have the same item: neither takes what the other has set
// aside for it, nor sets it free.
func TestLedgerOfTwoBatches(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	path := filepath.Join(t.TempDir(), "spend.jsonl")
	one, two := batch.Memory(), batch.Memory()

	c, ledger := process(t, srv, path)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	if _, err := batch.Step(t.Context(), &batch.Runner{Client: c, Journal: one}, mug("a")); fal.Charged(err) != fal.BillingUnknown {
		t.Fatal(err)
	}
	each := ledger.Totals().All.Reserved
	if err := ledger.Close(); err != nil || each <= 0 {
		t.Fatalf("%v set aside, %v", each, err)
	}

	c, ledger = process(t, srv, path)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	if _, err := batch.Step(t.Context(), &batch.Runner{Client: c, Journal: two}, mug("a")); fal.Charged(err) != fal.BillingUnknown {
		t.Fatal(err)
	}
	if got := ledger.Totals().All; got.Reserved != 2*each || got.Open != 2 {
		t.Errorf("two requests of unknown fate at %v each: %+v", each, got)
	}
	first := &batch.Runner{Client: c, Journal: one, Reconcile: func(context.Context, *fal.OutcomeUnknownError) (string, error) {
		first := absentError{errors.New("it is not there")}
		return "", first
	}}
	srv.Inject(faltest.OpSubmit, faltest.Answer(422, `{"detail":"no"}`), 1)
	if _, err := batch.Step(t.Context(), first, mug("a")); err == nil {
		t.Error("fal refused it")
	}
	if got := ledger.Totals().All; got.Reserved != each || got.Open != 1 {
		t.Errorf("one of unknown fate at %v: %+v", each, got)
	}
	if err := ledger.Close(); err != nil {
		t.Error(err)
	}
}
