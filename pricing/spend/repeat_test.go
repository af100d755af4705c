package spend_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// A budget may be asked what is spent, and what may be, before anything was sent.
func TestAskedFirst(t *testing.T) {
	t.Parallel()
	budget := func() *spend.Budget {
		return &spend.Budget{Ledger: new(spend.Ledger), Limits: []spend.Limit{{Amount: pricing.Cent}}}
	}
	if sum := budget().Spent() + budget().Reserved() + budget().SpentBy(tag("x")) + budget().ReservedBy(tag("x")); sum != 0 {
		t.Errorf("%v is spent of nothing", sum)
	}
	if err := budget().Allows(t.Context(), pricing.Cent, nil); err != nil {
		t.Error(err)
	}
	over, ok := errors.AsType[*spend.BudgetError](budget().Allows(t.Context(), pricing.Cent+1, nil))
	if !ok || over.Left != pricing.Cent || over.Asked != pricing.Cent+1 {
		t.Errorf("%+v", over)
	}
}

// A job that is taken up is booked as one that is not: where nobody knows what it was
// billed, for as much as it can be.
func TestTakenUpOfUnknownBill(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		usage fal.Usage
		units string
		spent pricing.USD
		least pricing.USD
	}{
		"no price":               {fal.Usage{Endpoint: "some/model", Outputs: 1}, "2", 5 * pricing.Cent, 0},
		"no price and no units":  {fal.Usage{Endpoint: "some/model", Outputs: 1}, "", 5 * pricing.Cent, 0},
		"no units":               {proUsage, "", 3 * pricing.Cent, 3 * pricing.Cent},
		"units that are none":    {proUsage, "many", 3 * pricing.Cent, 3 * pricing.Cent},
		"units, to compare with": {proUsage, "0.5", 3 * pricing.Cent / 2, 3 * pricing.Cent / 2},
	} {
		for _, takenUp := range []bool{false, true} {
			l := new(spend.Ledger)
			b := &spend.Budget{Ledger: l, Unpriced: 5 * pricing.Cent}
			r, err := b.ReserveAs(t.Context(), "mine", tt.usage, nil)
			if err != nil {
				t.Fatal(name, err)
			}
			r.Accepted("job")
			if takenUp {
				r = b.Resume("mine", "job")
			}
			r.Settled(fal.Meta{Endpoint: tt.usage.Endpoint, RequestID: "job", BillableUnits: tt.units})
			if all := l.Totals().All; all.Billed != tt.spent || all.Least != tt.least || all.Open != 0 || all.Reserved != 0 || all.Requests != 1 {
				t.Errorf("%s, taken up %v: %+v", name, takenUp, all)
			}
		}
	}
}

// A job of a batch may be told of twice, by who sent it and by who takes it up: it counts
// once, in a budget without a ledger too, whoever is first.
func TestToldTwice(t *testing.T) {
	t.Parallel()
	for _, units := range []string{"1", ""} {
		for _, ledger := range []*spend.Ledger{nil, new(spend.Ledger)} {
			for _, first := range []int{0, 1} {
				b := &spend.Budget{Ledger: ledger}
				before := b.Spent()
				id := "job" + strconv.Itoa(first) + units
				sent, err := b.ReserveAs(t.Context(), "mine"+id, proUsage, nil)
				if err != nil {
					t.Fatal(err)
				}
				sent.Accepted(id)
				told := []fal.Reservation{sent, b.Resume("mine"+id, id)}
				for _, i := range []int{first, 1 - first, 1} {
					told[i].Settled(proMeta(id, units))
				}
				if b.Spent()-before != 3*pricing.Cent || b.Reserved() != 0 {
					t.Errorf("units %q, ledger %v, first %d: %v spent, %v set aside", units, ledger != nil, first, b.Spent()-before, b.Reserved())
				}
			}
		}
	}
	// So it does if the one that sent it is of an earlier process.
	b := new(spend.Budget)
	for range 2 {
		b.Resume("mine", "job").Settled(proMeta("job", "1"))
	}
	if b.Spent() != 3*pricing.Cent {
		t.Errorf("%v spent", b.Spent())
	}
}

// What an earlier process has set aside is taken over as it is, and as much as the
// request may cost by now if that is more, as far as there is so much.
func TestTakenOverForMore(t *testing.T) {
	t.Parallel()
	const before = 10 * pricing.Cent
	for _, tt := range []struct{ price, limit, want pricing.USD }{
		{5 * pricing.Cent, before, before},
		{before, before, before},
		{30 * pricing.Cent, 30 * pricing.Cent, 30 * pricing.Cent},
		{30 * pricing.Cent, 29 * pricing.Cent, 0}, // which is refused, so that nothing is sent
	} {
		path := filepath.Join(t.TempDir(), "ledger.jsonl")
		reserve := func(l *spend.Ledger, price, limit pricing.USD) error {
			table, err := pricing.Embedded().With(pricing.Price{Endpoint: "our/model", Rule: pricing.PerImage{Price: price}, Sources: []string{"contract"}})
			if err != nil {
				t.Fatal(err)
			}
			b := &spend.Budget{Ledger: l, Table: table, Limits: []spend.Limit{{Amount: limit}}}
			_, err = b.ReserveAs(t.Context(), "mine", fal.Usage{Endpoint: "our/model", Outputs: 1}, nil)
			return err
		}
		l := openLedger(t, path)
		if err := reserve(l, before, before); err != nil {
			t.Fatal(err)
		}
		l = reopen(t, l, path)
		err := reserve(l, tt.price, tt.limit)
		if (err == nil) != (tt.want > 0) {
			t.Errorf("%v of %v: %v", tt.price, tt.limit, err)
		}
		l = reopen(t, l, path)
		var aside pricing.USD
		for _, e := range l.Open() {
			if aside += e.Reserved; e.ID != "mine" {
				t.Errorf("%v of %v: %+v", tt.price, tt.limit, e)
			}
		}
		if aside != tt.want {
			t.Errorf("%v of %v: %v is set aside, want %v", tt.price, tt.limit, aside, tt.want)
		}
	}
}

// The archive is written before the ledger: if that cannot be written anew, the same
// requests go into the archive once all the same, be it the first time or a later one.
func TestArchiveOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, archive := filepath.Join(dir, "ledger"), filepath.Join(dir, "archive.jsonl")
	l := openLedger(t, path)
	l.Archive = archive
	b := &spend.Budget{Ledger: l}
	var want []string
	for _, id := range []string{"a", "b"} {
		book(t, b, id, nil, settle(id, "1"))
		want = append(want, id)
		if err := os.Mkdir(path+".new", 0o700); err != nil {
			t.Fatal(err)
		}
		for _, fails := range []bool{true, true, false} {
			if !fails {
				if err := os.RemoveAll(path + ".new"); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(filepath.Join(path+".new", "x"), nil, 0o600); err != nil { // so that it is not removed
				t.Fatal(err)
			}
			if err := l.Compact(); (err != nil) != fails {
				t.Fatal(err)
			}
			var got []string
			for _, s := range list(t, l) {
				got = append(got, s.RequestID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("fails %v (-want +got)\n%s", fails, diff)
			}
		}
		text, err := os.ReadFile(archive)
		if err != nil || strings.Count(string(text), "\n") != len(want) {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

// A ledger that cannot be written anew goes on with the file that it has, and is written
// anew when that can be done.
func TestNotWrittenAnew(t *testing.T) { // not parallel: it changes when
	defer spend.CompactAfter(4 << 20)
	spend.CompactAfter(2 << 10)
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	if err := os.MkdirAll(filepath.Join(path+".new", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	n := 0
	more := func() int64 {
		for range 20 {
			n++
			id := strconv.Itoa(n)
			book(t, b, id, nil, settle(id, "1"))
		}
		if all := l.Totals().All; all.Requests != int64(n) || all.Billed != pricing.USD(n)*3*pricing.Cent || b.Spent() != all.Billed {
			t.Errorf("after %d: %+v", n, all)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	large := more()
	if err := os.RemoveAll(path + ".new"); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if more() < large {
			break
		}
		if i == 20 {
			t.Fatal("it is not written anew")
		}
	}
	if all := reopen(t, l, path).Totals().All; all.Requests != int64(n) {
		t.Errorf("after %d: %+v", n, all)
	}
}

// What is billed and what is set aside can be held each, and not together: nothing more
// passes.
func TestSumIsHeld(t *testing.T) {
	t.Parallel()
	const most = math.MaxInt64 / 2
	usage := fal.Usage{Endpoint: "some/model", Outputs: 1}
	for _, over := range []pricing.USD{0, 1, 2} {
		l := new(spend.Ledger)
		r, err := (&spend.Budget{Ledger: l, Unpriced: most}).Reserve(t.Context(), usage, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Settled(fal.Meta{RequestID: "a"})
		_, err = (&spend.Budget{Ledger: l, Unpriced: most + over}).Reserve(t.Context(), usage, nil)
		if errors.Is(err, pricing.ErrOverflow) != (over > 1) || (err == nil) != (over <= 1) {
			t.Errorf("%d more: %v", over, err)
		}
		if all := l.Totals().All; all.Billed != most || (all.Reserved == 0) != (over > 1) {
			t.Errorf("%d more: %+v", over, all)
		}
	}
}
