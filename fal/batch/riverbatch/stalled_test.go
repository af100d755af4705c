package riverbatch_test

import (
	"errors"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/pricing"
)

// A worker that stood still longer than its lease and one that took its item up have
// the same reservation. The second finds that the first has sent the item, and gives its
// own up: the bill of the first counts all the same, and what is set aside for it stays.
func TestBudgetOfAStalledWorker(t *testing.T) {
	t.Parallel()
	const cent = pricing.Cent
	meta := fal.Meta{Endpoint: pro2.Endpoint, RequestID: "r1", BillableUnits: "1"}
	for name, tt := range map[string]struct {
		accepted bool // before the second gives up
		resumed  bool // a third worker waits for the job
	}{
		"accepted before": {accepted: true},
		"accepted after":  {},
		"taken up":        {resumed: true},
		"taken up too":    {accepted: true, resumed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &riverbatch.Budget{Pool: pooled(t), Name: t.Name(), Limit: 100 * cent}
			reserve := func() fal.Reservation {
				r, err := b.ReserveAs(t.Context(), "a", pro2, nil)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			first, second := reserve(), reserve()
			if tt.accepted {
				first.Accepted("r1")
			}
			second.Released(errors.New("the journal has it already"))
			if tt.accepted {
				totals(t, b, riverbatch.Totals{Reserved: 3 * cent, Open: 1})
			} else {
				first.Accepted("r1")
			}
			if tt.resumed {
				first = b.Resume("a", "r1")
			}
			first.Settled(meta)
			totals(t, b, riverbatch.Totals{Billed: 3 * cent, Requests: 1})
			b.Resume("a", "r1").Settled(meta)
			totals(t, b, riverbatch.Totals{Billed: 3 * cent, Requests: 1})
			var kept, reserved int64
			if err := b.Pool.QueryRow(t.Context(), "SELECT billed, reserved FROM falimage_budget WHERE name = $1", b.Name).Scan(&kept, &reserved); err != nil || pricing.USD(kept) != 3*cent || reserved != 0 {
				t.Errorf("the sum is %d, with %d reserved: %v", kept, reserved, err)
			}
		})
	}
}

// What is billed for a job of which nothing is set aside, and fal tells no units, is not
// known: that is not nothing, and it is booked when fal tells.
func TestBudgetOfNoUnits(t *testing.T) {
	t.Parallel()
	b := &riverbatch.Budget{Pool: pooled(t), Name: t.Name(), Limit: 100 * pricing.Cent}
	b.Resume("nobody's", "r1").Settled(fal.Meta{Endpoint: pro2.Endpoint, RequestID: "r1"})
	totals(t, b, riverbatch.Totals{})
	b.Resume("nobody's", "r1").Settled(fal.Meta{Endpoint: pro2.Endpoint, RequestID: "r1", BillableUnits: "1"})
	totals(t, b, riverbatch.Totals{Billed: 3 * pricing.Cent, Requests: 1})
}
