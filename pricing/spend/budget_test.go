package spend_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// proUsage is one picture of FLUX.2 [pro] at 1 MP: $0.03.
var proUsage = fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.SquareHD}

// proMeta is its result, with the given units.
func proMeta(id, units string) fal.Meta {
	return fal.Meta{Endpoint: "fal-ai/flux-2-pro", RequestID: id, BillableUnits: units}
}

func tenant(name string) map[string]string { return map[string]string{"tenant": name} }

func tag(value string) spend.Tag { return spend.Tag{Name: "tenant", Value: value} }

func TestBudget(t *testing.T) {
	t.Parallel()
	b := &spend.Budget{Limits: []spend.Limit{
		{Amount: 12 * pricing.Cent},
		{Amount: 6 * pricing.Cent, Tag: tag("")},
		{Amount: 3 * pricing.Cent, Tag: tag("small")},
	}}
	reserve := func(tags map[string]string) fal.Reservation {
		t.Helper()
		r, err := b.Reserve(t.Context(), proUsage, tags)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	refused := func(tags map[string]string, want spend.BudgetError) {
		t.Helper()
		_, err := b.Reserve(t.Context(), proUsage, tags)
		got, ok := errors.AsType[*spend.BudgetError](err)
		if !ok {
			t.Fatalf("got %v, want a BudgetError", err)
		}
		want.Endpoint = proUsage.Endpoint
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	const cent = pricing.Cent
	small := reserve(tenant("small"))
	refused(tenant("small"), spend.BudgetError{Tag: tag("small"), Limit: 3 * cent, Asked: 3 * cent})
	small.Released(errors.New("failed"))
	reserve(tenant("small")).Settled(proMeta("a", "0.5")) // half of what was set aside
	refused(tenant("small"), spend.BudgetError{Tag: tag("small"), Limit: 3 * cent, Left: 3 * cent / 2, Asked: 3 * cent})
	reserve(nil)
	last := reserve(nil)
	refused(nil, spend.BudgetError{Tag: tag(""), Limit: 6 * cent, Asked: 3 * cent})
	reserve(tenant("big")).Settled(proMeta("c", "1"))
	refused(tenant("big"), spend.BudgetError{Limit: 12 * cent, Left: 3 * cent / 2, Asked: 3 * cent})
	last.Settled(proMeta("b", "")) // no units: the most is booked
	if got := b.Spent(); got != 15*cent/2 {
		t.Errorf("spent %v, want $0.075", got)
	}
	if got := b.Reserved(); got != 3*cent {
		t.Errorf("reserved %v, want $0.03", got)
	}
	if got := b.SpentBy(tag("small")); got != 3*cent/2 {
		t.Errorf("spent by small %v, want $0.015", got)
	}
	if got := b.ReservedBy(tag("")); got != 3*cent {
		t.Errorf("reserved without tenant %v, want $0.03", got)
	}
}

// A reservation is settled or released once, whatever happens after.
// Allows says of a work what Reserve would of one request that costs as much, and sets
// nothing aside.
func TestBudgetAllows(t *testing.T) {
	t.Parallel()
	const cent = pricing.Cent
	b := &spend.Budget{Limits: []spend.Limit{
		{Amount: 12 * cent},
		{Amount: 6 * cent, Tag: tag("")},
		{Amount: 3 * cent, Tag: tag("small")},
	}}
	small := spend.WithTags(t.Context(), tenant("small"))
	for _, tt := range []struct {
		ctx  context.Context
		tags map[string]string
		most pricing.USD
	}{
		{t.Context(), tenant("small"), 3 * cent},
		{t.Context(), tenant("big"), 6 * cent},
		{t.Context(), nil, 6 * cent}, // each value of the tag, and none, by itself
		{small, nil, 3 * cent},
		{small, tenant("big"), 3 * cent}, // the context's counts, as when a request is sent
	} {
		for range 2 {
			if err := b.Allows(tt.ctx, tt.most, tt.tags); err != nil {
				t.Errorf("%v: %v", tt.tags, err)
			}
		}
		e, ok := errors.AsType[*spend.BudgetError](b.Allows(tt.ctx, tt.most+1, tt.tags))
		if !ok || e.Limit != tt.most || e.Left != tt.most || e.Asked != tt.most+1 {
			t.Errorf("%v: %+v", tt.tags, e)
		}
	}
	if b.Reserved() != 0 {
		t.Errorf("%v set aside", b.Reserved())
	}
	if err := (&spend.Budget{Limits: []spend.Limit{{Tag: spend.Tag{Value: "x"}}}}).Allows(t.Context(), cent, nil); err == nil {
		t.Error("a limit for a value without a name was accepted")
	}
}

func TestBudgetSettlesOnce(t *testing.T) {
	t.Parallel()
	b := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
	r, err := b.Reserve(t.Context(), proUsage, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Settled(proMeta("a", "1"))
	r.Settled(proMeta("a", "1"))
	r.Released(nil)
	if b.Spent() != 3*pricing.Cent || b.Reserved() != 0 {
		t.Errorf("spent %v, reserved %v, want $0.03 and nothing", b.Spent(), b.Reserved())
	}
}

func TestBudgetUnpriced(t *testing.T) {
	t.Parallel()
	usage := fal.Usage{Endpoint: "fal-ai/some-new-model", Outputs: 1}
	b := &spend.Budget{}
	if _, err := b.Reserve(t.Context(), usage, nil); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	b = &spend.Budget{Unpriced: pricing.Dollar, Limits: []spend.Limit{{Amount: pricing.Dollar}}}
	r, err := b.Reserve(t.Context(), usage, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Settled(fal.Meta{Endpoint: usage.Endpoint, RequestID: "a", BillableUnits: "2"})
	if b.Spent() != pricing.Dollar {
		t.Errorf("spent %v, want $1.00: nobody knows the unit price", b.Spent())
	}
	if _, err := b.Reserve(t.Context(), usage, nil); err == nil {
		t.Error("went over the limit")
	}
}

// Many goroutines cannot take more than the limit between them, whatever they
// settle and release.
func TestBudgetUnderLoad(t *testing.T) {
	t.Parallel()
	const limit = 2 * pricing.Dollar
	ledger, err := spend.OpenLedger(filepath.Join(t.TempDir(), "ledger.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	b := &spend.Budget{
		Limits: []spend.Limit{{Amount: limit}, {Amount: limit / 4, Tag: tag("")}},
		Ledger: ledger,
	}
	var held, accepted, refused, billed atomic.Int64
	var wait sync.WaitGroup
	for i := range 1000 {
		wait.Go(func() {
			tags := tenant(string(rune('a' + i%5)))
			r, err := b.Reserve(t.Context(), proUsage, tags)
			if err != nil {
				refused.Add(1)
				return
			}
			// Held is what is out at most: taken back before it is given back.
			if sum := held.Add(int64(3 * pricing.Cent)); pricing.USD(sum) > limit {
				t.Errorf("%v is out, the limit is %v", pricing.USD(sum), limit)
			}
			accepted.Add(1)
			r.Accepted(string(rune('A' + i)))
			switch rand.IntN(3) {
			case 0:
				held.Add(-int64(3 * pricing.Cent))
				r.Released(nil)
			case 1:
				billed.Add(int64(3 * pricing.Cent))
				r.Settled(proMeta(string(rune('A'+i)), "1"))
			}
		})
	}
	wait.Wait()
	if total := b.Spent() + b.Reserved(); total > limit || total != pricing.USD(held.Load()) {
		t.Errorf("spent and reserved are %v, want %v and at most %v", total, pricing.USD(held.Load()), limit)
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if total := b.SpentBy(tag(name)) + b.ReservedBy(tag(name)); total > limit/4 {
			t.Errorf("tenant %s has %v of %v", name, total, limit/4)
		}
	}
	if refused.Load() == 0 || accepted.Load() == 0 {
		t.Errorf("%d accepted and %d refused: the limit was not reached", accepted.Load(), refused.Load())
	}
	if got := ledger.Totals().All; got.Billed != pricing.USD(billed.Load()) || got.Reserved != b.Reserved() {
		t.Errorf("the ledger has %+v, the budget %v and %v", got, b.Spent(), b.Reserved())
	}
	if err := ledger.Close(); err != nil {
		t.Error(err)
	}
}
