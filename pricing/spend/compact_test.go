package spend_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// pair is the same request in two ledgers.
type pair struct {
	file, memory fal.Reservation
	id           string // under which it is accepted
}

// Written anew and opened again at any time, a ledger has the same totals as one
// in memory to which the same happened.
func TestCompactionChangesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			path := filepath.Join(t.TempDir(), "ledger.jsonl")
			l, memory := openLedger(t, path), new(spend.Ledger)
			var pairs []*pair
			n := 0
			id := func() string { return fmt.Sprint("request ", max(0, n-random.IntN(12))) }
			for range 150 {
				time.Sleep(time.Duration(random.IntN(10)) * time.Hour)
				p := pair{}
				if len(pairs) > 0 {
					p = *pairs[random.IntN(len(pairs))]
				}
				switch what := random.IntN(9); {
				case what < 2 || len(pairs) == 0:
					n++
					tags := []map[string]string{nil, tenant("x"), tenant("y"), {"tenant": ""}, {"sku": id(), "tenant": "x"}}[random.IntN(5)]
					usage := fal.Usage{Endpoint: []string{"fal-ai/flux-2-pro", "fal-ai/qwen-image"}[random.IntN(2)], Outputs: 1 + random.IntN(3), Size: fal.SquareHD}
					var err error
					if p.file, err = (&spend.Budget{Ledger: l}).Reserve(t.Context(), usage, tags); err != nil {
						t.Fatal(err)
					}
					if p.memory, err = (&spend.Budget{Ledger: memory}).Reserve(t.Context(), usage, tags); err != nil {
						t.Fatal(err)
					}
					p.id = fmt.Sprint("request ", n)
					pairs = append(pairs, &p)
				case what == 2:
					p.file.Accepted(p.id)
					p.memory.Accepted(p.id)
				case what == 3 || what == 4:
					meta := fal.Meta{RequestID: id(), BillableUnits: []string{"", "0.5", "2"}[random.IntN(3)]}
					p.file.Settled(meta)
					p.memory.Settled(meta)
				case what == 5:
					p.file.Released(nil)
					p.memory.Released(nil)
				case what == 6:
					meta := proMeta(id(), "1.5")
					if err1, err2 := l.Record(meta), memory.Record(meta); (err1 == nil) != (err2 == nil) {
						t.Fatal(err1, err2)
					}
				case what == 7:
					if err := l.Compact(); err != nil {
						t.Fatal(err)
					}
				case what == 8:
					// Reservations of a closed ledger are lost with it.
					if l = reopen(t, l, path); random.IntN(2) == 0 {
						if err := l.Compact(); err != nil {
							t.Fatal(err)
						}
						l = reopen(t, l, path)
					}
					pairs = nil
				}
				if diff := cmp.Diff(memory.Totals(), l.Totals()); diff != "" {
					t.Fatalf("seed %d (-want +got)\n%s", seed, diff)
				}
				ignoreID := func(e spend.Entry) spend.Entry { e.ID, e.Time = "", e.Time.Round(0); return e }
				var want, got []spend.Entry
				for _, e := range memory.Open() {
					want = append(want, ignoreID(e))
				}
				for _, e := range l.Open() {
					got = append(got, ignoreID(e))
				}
				byWhat := func(a, b spend.Entry) int {
					return cmpStrings(fmt.Sprint(a), fmt.Sprint(b))
				}
				slices.SortFunc(want, byWhat)
				slices.SortFunc(got, byWhat)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d: open (-want +got)\n%s", seed, diff)
				}
				for _, of := range []spend.Tag{{}, tag(""), tag("x"), {Name: "sku"}} {
					a, b := &spend.Budget{Ledger: l}, &spend.Budget{Ledger: memory}
					if a.SpentBy(of) != b.SpentBy(of) || a.ReservedBy(of) != b.ReservedBy(of) {
						t.Fatalf("seed %d: %v: %v and %v, want %v and %v", seed, of, a.SpentBy(of), a.ReservedBy(of), b.SpentBy(of), b.ReservedBy(of))
					}
				}
			}
		})
	}
}

func cmpStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// What is settled is known for 35 days; the sums stay for ever.
func TestSettledIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.jsonl")
		l := openLedger(t, path)
		b := &spend.Budget{Ledger: l}
		book(t, b, "a", tenant("x"), settle("a", "1"))
		book(t, b, "b", tenant("x"), settle("b", "")) // presumed
		book(t, b, "c", tenant("x"), nil)             // open
		time.Sleep(35 * 24 * time.Hour)
		for _, step := range []struct {
			after time.Duration
			known int
		}{{0, 2}, {24 * time.Hour, 0}} {
			time.Sleep(step.after)
			if err := l.Compact(); err != nil {
				t.Fatal(err)
			}
			l = reopen(t, l, path)
			all := l.Totals()
			if l.Known() != step.known || all.All.Billed != 6*pricing.Cent || all.All.Open != 1 || all.Days["2000-01-01"] != all.All || all.Tags[tag("x")] != all.All {
				t.Errorf("%d known, %+v", l.Known(), all)
			}
			if step.known > 0 {
				continue
			}
			// Nobody knows any more that the one was settled and the other presumed.
			if err := errors.Join(l.Record(proMeta("a", "1")), l.Record(proMeta("b", "0.5"))); err != nil {
				t.Fatal(err)
			}
			if now := l.Totals().All.Billed; now != 6*pricing.Cent+9*pricing.Cent/2 {
				t.Errorf("%v is billed", now)
			}
		}
	})
}

// A file that grows is written anew by itself; one that is not stays as it is.
func TestLedgerStaysSmall(t *testing.T) { // not parallel: it changes when
	defer spend.CompactAfter(4 << 20)
	spend.CompactAfter(8 << 10)
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	largest, inode := int64(0), 0
	var last os.FileInfo
	for i := range 500 {
		id := strconv.Itoa(i)
		book(t, b, id, tenant("x"), settle(id, "1"))
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && !os.SameFile(last, info) {
			inode++
		}
		last, largest = info, max(largest, info.Size())
	}
	// Each needs 22 bytes for its key: 11 kB in the end, at most as much and a
	// request more for what was added.
	if largest > 27<<10 || inode < 5 || inode > 60 {
		t.Errorf("%d bytes at most, written anew %d times", largest, inode)
	}
	want := l.Totals()
	l = reopen(t, l, path)
	if diff := cmp.Diff(want, l.Totals()); diff != "" || l.Known() != 500 || want.All.Requests != 500 {
		t.Errorf("%d known (-want +got)\n%s", l.Known(), diff)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 2 {
		t.Errorf("%v is left beside it, %v", files, err)
	}
}

// BenchmarkReserveWithoutTag reserves for nobody while there are many tenants.
func BenchmarkReserveWithoutTag(b *testing.B) { reserveWithoutTag(b, spend.Ever) }

// BenchmarkReserveWithoutTagPerMonth is the same for a limit of a month.
func BenchmarkReserveWithoutTagPerMonth(b *testing.B) { reserveWithoutTag(b, spend.RollingMonth) }

func reserveWithoutTag(b *testing.B, per spend.Period) {
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar, Tag: spend.Tag{Name: "tenant"}, Per: per}}}
	for i := range 50_000 {
		if _, err := budget.Reserve(b.Context(), proUsage, tenant(strconv.Itoa(i))); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		r, err := budget.Reserve(b.Context(), proUsage, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Released(nil)
	}
}

// BenchmarkOpenMillion opens a ledger of a million requests by 100 tenants, as
// it is after the last of them. Making it takes minutes: -benchtime=3x is enough.
func BenchmarkOpenMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ledger.jsonl")
	l, err := spend.OpenLedger(path)
	if err != nil {
		b.Fatal(err)
	}
	budget := &spend.Budget{Ledger: l}
	const requests = 1_000_000
	for i := range requests {
		r, err := budget.Reserve(b.Context(), proUsage, tenant(strconv.Itoa(i%100)))
		if err != nil {
			b.Fatal(err)
		}
		id := strconv.Itoa(i)
		r.Accepted(id)
		r.Settled(proMeta(id, "1"))
	}
	for b.Loop() {
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		if l, err = spend.OpenLedger(path); err != nil || l.Totals().All.Requests != requests {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/requests, "B/request")
}
