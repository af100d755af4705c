package spend_test

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing/spend"
)

// A clock that was far ahead when something was spent, and was set right, ends no
// limit by time: what is spent afterwards counts, also when the ledger was written anew.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	usage := fal.Usage{Endpoint: "fal-ai/flux/schnell", Outputs: 1, Size: fal.Size(1024, 1024)}
	path := filepath.Join(t.TempDir(), "ledger")
	ledger, err := spend.OpenLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&spend.Budget{Ledger: ledger}).Reserve(t.Context(), usage, nil); err != nil {
		t.Fatal(err)
	}
	each := ledger.Totals().All.Reserved
	if err := ledger.Close(); err != nil || each <= 0 {
		t.Fatalf("%v, %v", each, err)
	}
	synctest.Test(t, func(t *testing.T) { // in which it is the year 2000
		ledger, err := spend.OpenLedger(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ledger.Close() }()
		for _, per := range []spend.Period{spend.Day, spend.RollingMonth} {
			budget := &spend.Budget{Limits: []spend.Limit{{Amount: 5 * each, Per: per}}, Ledger: ledger}
			for range 20 {
				if _, err = budget.Reserve(t.Context(), usage, nil); err != nil {
					break
				}
				time.Sleep(time.Minute)
			}
			if e, ok := errors.AsType[*spend.BudgetError](err); !ok || e.Left >= each {
				t.Errorf("per %s: %v of 5 times %v spent, %v", per, ledger.Totals().All.Reserved, each, err)
			}
		}
	})
}
