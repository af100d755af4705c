package riverbatch_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

var pro2 = flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(1000, 1000)}.Usage() // $0.03

// totals compares where a budget stands.
func totals(t *testing.T, b *riverbatch.Budget, want riverbatch.Totals) {
	t.Helper()
	got, err := b.Totals(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// Machines that ask at once get no more than there is.
func TestBudgetAtOnce(t *testing.T) {
	t.Parallel()
	var passed, refused atomic.Int64
	var wait sync.WaitGroup
	for range 4 {
		b := &riverbatch.Budget{Pool: pooled(t), Name: t.Name(), Limit: 30 * pricing.Cent}
		for i := range 10 {
			wait.Go(func() {
				reserve := func() (fal.Reservation, error) { return b.Reserve(t.Context(), pro2, nil) }
				if i%2 == 0 {
					reserve = func() (fal.Reservation, error) { return b.ReserveAs(t.Context(), rand.Text(), pro2, nil) }
				}
				_, err := reserve()
				e, isBudget := errors.AsType[*spend.BudgetError](err)
				switch {
				case err == nil:
					passed.Add(1)
				case isBudget && e.Exhausted() && e.Left == 0 && e.Limit == 30*pricing.Cent:
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	if passed.Load() != 10 || refused.Load() != 30 {
		t.Errorf("%d passed, %d were refused", passed.Load(), refused.Load())
	}
	totals(t, &riverbatch.Budget{Pool: pooled(t), Name: t.Name()}, riverbatch.Totals{Reserved: 30 * pricing.Cent, Open: 10})
}

// What one machine has set aside, another takes over; what was billed is booked once,
// whoever was told of it.
func TestBudgetTakenOver(t *testing.T) {
	t.Parallel()
	const cent = pricing.Cent
	b := &riverbatch.Budget{Pool: pooled(t), Name: t.Name(), Limit: 100 * cent}
	meta := func(id string) fal.Meta { return fal.Meta{Endpoint: pro2.Endpoint, RequestID: id, BillableUnits: "1"} }
	reserve := func(id string) fal.Reservation {
		r, err := b.ReserveAs(t.Context(), id, pro2, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	under := reserve("under way all the time")
	reserve("a")
	first := reserve("a") // after a crash
	totals(t, b, riverbatch.Totals{Reserved: 6 * cent, Open: 2})
	first.Accepted("r1")
	b.Resume("a", "r1").Settled(meta("r1"))
	first.Settled(meta("r1"))
	b.Resume("a", "r1").Settled(meta("r1"))
	totals(t, b, riverbatch.Totals{Billed: 3 * cent, Requests: 1, Reserved: 3 * cent, Open: 1})

	reserve("b") // lost before it was told of its job
	b.Resume("b", "r2").Settled(meta("r2"))
	totals(t, b, riverbatch.Totals{Billed: 6 * cent, Requests: 2, Reserved: 3 * cent, Open: 1})

	reserve("c") // proved absent
	b.Resume("c", "").Released(errors.New("absent"))
	reserve("c").Released(errors.New("refused"))
	totals(t, b, riverbatch.Totals{Billed: 6 * cent, Requests: 2, Reserved: 3 * cent, Open: 1})

	failed := reserve("d") // failed at fal, and was sent again
	failed.Accepted("r3")
	b.Resume("d", "r3").Released(errors.New("failed"))
	again := reserve("d")
	totals(t, b, riverbatch.Totals{Billed: 6 * cent, Requests: 2, Reserved: 6 * cent, Open: 2})
	again.Accepted("r4")
	again.Settled(fal.Meta{Endpoint: pro2.Endpoint, RequestID: "r4"}) // fal tells no units
	b.Resume("nobody's", "r5").Settled(meta("r5"))
	totals(t, b, riverbatch.Totals{Billed: 12 * cent, Requests: 4, Reserved: 3 * cent, Open: 1})
	under.Released(errors.New("refused"))
	var kept, reserved int64
	if err := b.Pool.QueryRow(t.Context(), "SELECT billed, reserved FROM falimage_budget WHERE name = $1", b.Name).Scan(&kept, &reserved); err != nil || pricing.USD(kept) != 12*cent || reserved != 0 {
		t.Errorf("the sum is %d, with %d reserved: %v", kept, reserved, err)
	}
}

func TestBudgetRefused(t *testing.T) {
	t.Parallel()
	unknown := fal.Usage{Endpoint: "fal-ai/of-no-price", Outputs: 1}
	b := &riverbatch.Budget{Pool: pooled(t), Name: t.Name(), Limit: 10 * pricing.Cent}
	if _, err := b.Reserve(t.Context(), unknown, nil); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("unknown price: %v", err)
	}
	b = &riverbatch.Budget{Pool: pooled(t), Name: t.Name(), Limit: 10 * pricing.Cent, Unpriced: 8 * pricing.Cent}
	if _, err := b.Reserve(t.Context(), unknown, nil); err != nil {
		t.Errorf("unknown price: %v", err)
	}
	if _, err := b.Reserve(t.Context(), unknown, nil); err == nil || !strings.Contains(err.Error(), "there is $0.02 left") {
		t.Errorf("too much: %v", err)
	}
	if _, err := new(riverbatch.Budget).Reserve(t.Context(), pro2, nil); err == nil {
		t.Error("no database was accepted")
	}
	if _, err := new(riverbatch.Budget).Totals(t.Context()); err == nil {
		t.Error("no database was accepted")
	}
}
