package spend_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// Only a price that is not known is worth Unpriced; what is wrong with a
// request is not.
func TestBudgetUnpricedIsForUnknownPrices(t *testing.T) {
	t.Parallel()
	b := &spend.Budget{Unpriced: pricing.Cent, Limits: []spend.Limit{{Amount: pricing.Dollar}}}
	for name, u := range map[string]fal.Usage{
		"overflow":         {Endpoint: proUsage.Endpoint, Outputs: math.MaxInt, Size: fal.Size(math.MaxInt32, 1<<20)},
		"negative outputs": {Endpoint: proUsage.Endpoint, Outputs: -1, Size: fal.SquareHD},
		"missing file":     {Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{fal.Path("missing.png")}},
	} {
		if _, err := b.Reserve(t.Context(), u, nil); err == nil {
			t.Errorf("%s: admitted for %v", name, b.Reserved())
		}
	}
}

// A limit keeps through restarts, for requests without the tag or its value
// too.
func TestBudgetOfEmptyTagLasts(t *testing.T) {
	t.Parallel()
	for _, tags := range []map[string]string{nil, {"tenant": ""}} {
		path := filepath.Join(t.TempDir(), "ledger.jsonl")
		for round := range 3 {
			l, err := spend.OpenLedger(path)
			if err != nil {
				t.Fatal(err)
			}
			b := &spend.Budget{Ledger: l, Limits: []spend.Limit{{Amount: 3 * pricing.Cent, Tag: tag("")}}}
			_, err = b.Reserve(t.Context(), proUsage, tags)
			if (err == nil) != (round == 0) {
				t.Errorf("round %d: %v", round, err)
			}
			if used := b.SpentBy(tag("")) + b.ReservedBy(tag("")); used != 3*pricing.Cent {
				t.Errorf("round %d: %v is used", round, used)
			}
			_ = l.Close()
		}
	}
}

// Where sources disagree, the dearest price is booked.
func TestDisputedPricesAreBookedDear(t *testing.T) {
	t.Parallel()
	usage := fal.Usage{Endpoint: "fal-ai/flux-2/klein/4b", Outputs: 1, Size: fal.SquareHD} // $0.005, 0.009 or 0.014
	b := &spend.Budget{Limits: []spend.Limit{{Amount: 2 * pricing.Cent}}}
	r, err := b.Reserve(t.Context(), usage, nil)
	if err != nil {
		t.Fatal(err)
	}
	meta := fal.Meta{Endpoint: usage.Endpoint, RequestID: "a", BillableUnits: "1"}
	r.Settled(meta)
	if got := b.Spent(); got != 14*pricing.Cent/10 {
		t.Errorf("%v is booked, want $0.014", got)
	}
	if _, err := b.Reserve(t.Context(), usage, nil); err == nil {
		t.Error("two requests may cost $0.028, more than the limit")
	}
	// So does a record, whether the ledger knows of the request or not.
	l := openLedger(t, filepath.Join(t.TempDir(), "ledger.jsonl"))
	r, err = (&spend.Budget{Ledger: l}).Reserve(t.Context(), usage, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Accepted("a")
	if err := errors.Join(l.Record(meta), l.Record(fal.Meta{Endpoint: usage.Endpoint, RequestID: "b", BillableUnits: "1"})); err != nil {
		t.Fatal(err)
	}
	if got := l.Totals().All; got.Billed != 28*pricing.Cent/10 || got.Open != 0 {
		t.Errorf("recorded: %+v, want $0.028", got)
	}
}

// What the ledger is told, its budgets see.
func TestBudgetSeesItsLedger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l, Limits: []spend.Limit{{Amount: 3 * pricing.Cent}}}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil {
		t.Error("went over the limit")
	}
	if err := l.Release(l.Open()[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err != nil {
		t.Errorf("what was released still counts: %v", err)
	}
	if err := l.Release(l.Open()[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(proMeta("elsewhere", "100")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil || b.Spent() != 300*pricing.Cent {
		t.Errorf("%v of $3.00 is spent, %v", b.Spent(), err)
	}
}

// A bill that comes later takes the place of one that was presumed.
func TestRecordReplacesPresumed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	book(t, b, "a", tenant("x"), settle("a", "")) // no units: the maximum, $0.03
	if err := l.Record(proMeta("a", "0.5")); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*spend.Ledger{"as written": l, "read back": reopen(t, l, path)} {
		if got := l.Totals(); got.All.Billed != 3*pricing.Cent/2 || got.All.Requests != 1 || got.Tags[tag("x")].Billed != 3*pricing.Cent/2 {
			t.Errorf("%s: %+v", name, got)
		}
		if err := l.Record(proMeta("a", "2")); err != nil || l.Totals().All.Billed != 3*pricing.Cent/2 {
			t.Errorf("%s: a second bill changed it to %v, %v", name, l.Totals().All.Billed, err)
		}
	}
}

// It does so however it comes: without its endpoint, or as the result of
// another reservation.
func TestPresumedIsReplacedHoweverItComes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	book(t, b, "a", nil, settle("a", ""))
	if err := l.Record(fal.Meta{RequestID: "a", BillableUnits: "0.5"}); err != nil {
		t.Fatal(err)
	}
	book(t, b, "b", nil, settle("b", ""))
	book(t, b, "b", nil, settle("b", "0.5"))
	book(t, b, "c", nil, settle("c", ""))
	book(t, b, "c", nil, nil) // open, and the same request
	if err := l.Record(proMeta("c", "0.5")); err != nil {
		t.Fatal(err)
	}
	book(t, b, "d", nil, settle("d", "0.5"))
	book(t, b, "d", nil, settle("d", "")) // nothing new
	book(t, b, "e", nil, settle("e", ""))
	book(t, b, "e", nil, settle("", "0.5")) // the id is known from before
	for name, l := range map[string]*spend.Ledger{"as written": l, "read back": reopen(t, l, path)} {
		if got := l.Totals().All; got != (spend.Total{Requests: 5, Quoted: 15 * pricing.Cent, Billed: 15 * pricing.Cent / 2, Least: 15 * pricing.Cent / 2}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// A presumed bill is told as such by the file.
	if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), `"presumed":true`) != 5 {
		t.Errorf("%v\n%s", err, text)
	}
}

// The same request settled by two reservations counts once in the budget too.
func TestSameRequestCountsOnce(t *testing.T) {
	t.Parallel()
	l := openLedger(t, filepath.Join(t.TempDir(), "ledger.jsonl"))
	b := &spend.Budget{Ledger: l}
	book(t, b, "a", nil, settle("a", "1"))
	book(t, b, "a", nil, settle("a", "1"))
	if b.Spent() != 3*pricing.Cent || b.Reserved() != 0 || l.Totals().All.Billed != 3*pricing.Cent {
		t.Errorf("spent %v, reserved %v, the ledger has %+v", b.Spent(), b.Reserved(), l.Totals().All)
	}
}

// A request is recorded by the price that it was quoted with.
func TestRecordByTheQuotedPrice(t *testing.T) {
	t.Parallel()
	ours, err := pricing.Embedded().With(pricing.Price{Endpoint: "our/model", Rule: pricing.PerImage{Price: 10 * pricing.Cent}, Sources: []string{"contract"}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l, Table: ours}
	r, err := b.Reserve(t.Context(), fal.Usage{Endpoint: "our/model", Outputs: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Accepted("a")
	again := reopen(t, l, path) // after a crash
	if err := again.Record(fal.Meta{Endpoint: "our/model", RequestID: "a", BillableUnits: "1"}); err != nil || again.Totals().All.Billed != 10*pricing.Cent {
		t.Errorf("%+v, %v", again.Totals().All, err)
	}
}

// Released, then settled all the same: what was billed counts.
func TestRecordAfterRelease(t *testing.T) {
	t.Parallel()
	l := openLedger(t, filepath.Join(t.TempDir(), "ledger.jsonl"))
	b := &spend.Budget{Ledger: l}
	book(t, b, "a", nil, func(r fal.Reservation) { r.Released(nil) })
	if err := l.Record(proMeta("a", "1")); err != nil {
		t.Fatal(err)
	}
	if got := l.Totals().All; got.Billed != 3*pricing.Cent || got.Requests != 1 || got.Open != 0 {
		t.Errorf("%+v", got)
	}
}

// An amount that cannot be held is refused before it is written, so that the
// ledger can be opened again.
func TestLedgerStaysReadable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l, Unpriced: math.MaxInt64 - 5}
	usage := fal.Usage{Endpoint: "some/model", Outputs: 1}
	r, err := b.Reserve(t.Context(), usage, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Reserve(t.Context(), usage, nil); !errors.Is(err, pricing.ErrOverflow) {
		t.Errorf("got %v, want ErrOverflow", err)
	}
	r.Settled(fal.Meta{RequestID: "a"})
	if err := l.Record(proMeta("b", "1000000")); err != nil {
		t.Fatal(err)
	}
	if got := reopen(t, l, path).Totals().All; got.Billed != math.MaxInt64 {
		t.Errorf("%+v, want the largest amount", got)
	}
}

func TestBudgetLimitNeedsTag(t *testing.T) {
	t.Parallel()
	b := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Cent, Tag: spend.Tag{Value: "acme"}}}}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil || !strings.Contains(err.Error(), "Limits[0]") {
		t.Errorf("got %v", err)
	}
	// Of two limits for the same, the lower counts.
	b = &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}, {Amount: 4 * pricing.Cent}, {Amount: 10 * pricing.Cent}}}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil {
		t.Error("went over the lower limit")
	}
}
