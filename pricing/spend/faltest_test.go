package spend_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// A budget guards a client: what it refuses never reaches fal, and a lost
// answer leaves the money set aside.
func TestBudgetGuardsClient(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	ledger := openLedger(t, filepath.Join(t.TempDir(), "ledger.jsonl"))
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: 10 * pricing.Cent}}, Ledger: ledger}
	client := srv.Client()
	client.Guard = budget
	req := flux.Pro2{Prompt: "x", ImageSize: fal.Size(1920, 1080)} // $0.045
	for range 2 {
		if _, err := fal.Subscribe(t.Context(), client, req, fal.WithTags(tenant("x"))); err != nil {
			t.Fatal(err)
		}
	}
	before := srv.Ledger().Submissions
	_, err := fal.Subscribe(t.Context(), client, req)
	if e, ok := errors.AsType[*spend.BudgetError](err); !ok || e.Left != pricing.Cent || e.Asked != 45*pricing.Cent/10 {
		t.Errorf("got %v, want a BudgetError", err)
	}
	if !fal.NotSent(err) || fal.Charged(err) != fal.NotBilled {
		t.Errorf("%v: not sent %t, charged %v", err, fal.NotSent(err), fal.Charged(err))
	}
	if after := srv.Ledger().Submissions; after != before {
		t.Errorf("%d submissions, want %d: the refused request was sent", after, before)
	}
	if got := ledger.Totals().Tags[tag("x")]; got.Billed != 9*pricing.Cent || got.Requests != 2 {
		t.Errorf("the ledger has %+v", got)
	}
}
