package spend_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	_ "time/tzdata" // for the zones of the tests

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// until sleeps until a moment, in virtual time.
func until(t *testing.T, moment string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(at))
	if !time.Now().Equal(at) {
		t.Fatalf("it is %v already", time.Now())
	}
}

// Limits of a period begin anew with it, at midnight where they say so.
func TestLimitsPerPeriod(t *testing.T) {
	t.Parallel()
	berlin, kathmandu := zone(t, "Europe/Berlin"), zone(t, "Asia/Kathmandu")
	// Each request costs 3 cents, and the limit lets two pass.
	for name, tt := range map[string]struct {
		per   spend.Period
		zone  *time.Location
		steps [][2]string // when, and what happens: "pass", or when the refusal ends
	}{
		"day": {spend.Day, nil, [][2]string{
			{"2026-03-28T00:00:00Z", "pass"},
			{"2026-03-28T23:59:00Z", "pass"},
			{"2026-03-28T23:59:59Z", "2026-03-29T00:00:00Z"},
			{"2026-03-29T00:00:00Z", "pass"},
		}},
		"day of 23 hours": {spend.Day, berlin, [][2]string{
			{"2026-03-28T22:59:00Z", "pass"}, // 23:59 of the day before
			{"2026-03-28T23:00:00Z", "pass"},
			{"2026-03-29T00:30:00Z", "pass"},
			{"2026-03-29T21:59:59Z", "2026-03-30T00:00:00+02:00"},
			{"2026-03-29T22:00:00Z", "pass"},
		}},
		"day at 5:45": {spend.Day, kathmandu, [][2]string{
			{"2026-03-28T18:14:59Z", "pass"},
			{"2026-03-28T18:15:00Z", "pass"},
			{"2026-03-28T18:15:00Z", "pass"},
			{"2026-03-28T18:15:00Z", "2026-03-30T00:00:00+05:45"},
		}},
		"month": {spend.Month, nil, [][2]string{
			{"2026-01-31T23:59:59Z", "pass"},
			{"2026-02-01T00:00:00Z", "pass"},
			{"2026-02-11T00:00:00Z", "pass"},
			{"2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z"},
			{"2026-03-01T00:00:00Z", "pass"},
		}},
		"month of 31 days": {spend.Month, berlin, [][2]string{
			{"2026-11-30T23:00:00Z", "pass"},
			{"2026-11-30T23:00:00Z", "pass"},
			{"2026-12-31T22:59:59Z", "2027-01-01T00:00:00+01:00"},
			{"2026-12-31T23:00:00Z", "pass"},
		}},
		"24 hours": {spend.RollingDay, nil, [][2]string{
			{"2026-03-28T10:05:00Z", "pass"},
			{"2026-03-28T22:00:00Z", "pass"},
			{"2026-03-29T10:14:59Z", "refused"}, // by quarters of an hour
			{"2026-03-29T10:15:00Z", "pass"},
			{"2026-03-29T10:15:00Z", "refused"},
			{"2026-03-29T22:15:00Z", "pass"},
		}},
		"30 days": {spend.RollingMonth, nil, [][2]string{
			{"2026-01-31T10:00:00Z", "pass"},
			{"2026-02-10T10:00:00Z", "pass"},
			{"2026-03-02T10:14:59Z", "refused"},
			{"2026-03-02T10:15:00Z", "pass"},
		}},
		"ever": {spend.Ever, nil, [][2]string{
			{"2026-01-31T10:00:00Z", "pass"},
			{"2027-01-31T10:00:00Z", "pass"},
			{"2030-01-31T10:00:00Z", "refused"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "ledger")
				l := openLedger(t, path)
				b := &spend.Budget{Ledger: l, Limits: []spend.Limit{{Amount: 6 * pricing.Cent, Per: tt.per, Zone: tt.zone}}}
				memory := &spend.Budget{Limits: b.Limits}
				for i, step := range tt.steps {
					until(t, step[0])
					for _, b := range []*spend.Budget{b, memory} {
						r, err := b.Reserve(t.Context(), proUsage, nil)
						e, refused := errors.AsType[*spend.BudgetError](err)
						switch {
						case step[1] == "pass":
							if err != nil {
								t.Fatalf("step %d: %v", i+1, err)
							}
							r.Settled(proMeta(step[0]+string(rune('a'+i)), "1"))
						case !refused || e.Per != tt.per || e.Left != 0 || e.Limit != 6*pricing.Cent:
							t.Fatalf("step %d: %v", i+1, err)
						case step[1] == "refused" != e.Ends.IsZero() || !e.Ends.IsZero() && e.Ends.Format(time.RFC3339) != step[1]:
							t.Errorf("step %d: it ends at %v", i+1, e.Ends)
						case tt.per != "" && !strings.Contains(err.Error(), "the budget per "+string(tt.per)+" of $0.06") ||
							!e.Ends.IsZero() && !strings.HasSuffix(err.Error(), " until "+step[1]):
							t.Errorf("step %d: %v", i+1, err)
						}
					}
					// What is known of each quarter survives.
					if i%2 == 0 {
						if err := l.Compact(); err != nil {
							t.Fatal(err)
						}
					}
					l = reopen(t, l, path)
					b = &spend.Budget{Ledger: l, Limits: b.Limits}
				}
			})
		})
	}
}

// Limits of several periods and tags are kept together; those with a value go
// before those for each, in their own period.
func TestLimitsOfPeriodsAndTags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const cent = pricing.Cent
		b := &spend.Budget{Limits: []spend.Limit{
			{Amount: 100 * cent},
			{Amount: 6 * cent, Per: spend.Day, Tag: tag("")},
			{Amount: 12 * cent, Per: spend.Day, Tag: tag("big")},
			{Amount: 9 * cent, Per: spend.Month, Tag: tag("")},
			{Amount: 12 * cent, Per: spend.Day, Tag: tag("big"), Zone: time.FixedZone("", 3600)},
			{Amount: 50 * cent, Per: spend.Day},
		}}
		pass := func(tags map[string]string) bool {
			t.Helper()
			r, err := b.Reserve(t.Context(), proUsage, tags)
			if _, refused := errors.AsType[*spend.BudgetError](err); err != nil && !refused {
				t.Fatal(err)
			}
			if err == nil {
				r.Settled(proMeta(time.Now().String(), "1"))
			}
			return err == nil
		}
		count := func(tags map[string]string) (n int) {
			for n < 50 && pass(tags) {
				n++
			}
			return n
		}
		for _, tt := range []struct {
			tags map[string]string
			want int
		}{
			{tenant("small"), 2},
			{tenant("big"), 3}, // 9 cents a month for each
			{nil, 2},           // without a tenant they are one of their own
			{map[string]string{"tenant": ""}, 0},
			{tenant("other"), 2},
		} {
			if got := count(tt.tags); got != tt.want {
				t.Errorf("first day, %v: %d pass, want %d", tt.tags, got, tt.want)
			}
		}
		time.Sleep(24 * time.Hour)
		for _, tt := range []struct {
			tags map[string]string
			want int
		}{{tenant("small"), 1}, {tenant("big"), 0}, {nil, 1}, {tenant("new"), 2}} {
			if got := count(tt.tags); got != tt.want {
				t.Errorf("second day, %v: %d pass, want %d", tt.tags, got, tt.want)
			}
		}
	})
}

// What is billed counts in the period of its quote, however late it comes, and
// what is released counts in none.
func TestPeriodOfTheQuote(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &spend.Budget{Limits: []spend.Limit{{Amount: 4 * pricing.Cent, Per: spend.Day}}}
		until(t, "2026-05-01T23:00:00Z")
		late, err := b.Reserve(t.Context(), proUsage, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil {
			t.Fatal("what is set aside does not count")
		}
		until(t, "2026-05-02T01:00:00Z")
		late.Settled(proMeta("late", "100"))
		next, err := b.Reserve(t.Context(), proUsage, nil)
		if err != nil {
			t.Fatalf("the bill of yesterday counts today: %v", err)
		}
		next.Released(nil)
		if _, err := b.Reserve(t.Context(), proUsage, nil); err != nil {
			t.Errorf("what was released counts: %v", err)
		}
		// Two months on nothing is known of the quarters of then, and late news
		// of them change nothing.
		if b.Spent() != 300*pricing.Cent {
			t.Errorf("%v is spent", b.Spent())
		}
	})
}

// Near is called once in each period and for each value, when a request passes.
func TestNear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const cent = pricing.Cent
		var told []spend.Near
		each := spend.Limit{Amount: 15 * cent, Per: spend.Day, Tag: tag("")}
		all := spend.Limit{Amount: 60 * cent}
		rolling := spend.Limit{Amount: 30 * cent, Per: spend.RollingDay}
		b := &spend.Budget{Limits: []spend.Limit{all, each, rolling, {Amount: 0, Tag: spend.Tag{Name: "other", Value: "x"}}}}
		b.Near = func(n spend.Near) { told = append(told, n); _ = b.Spent() } // under no lock
		steps := []struct {
			tenant string
			want   []spend.Near
		}{
			{"a", nil}, {"a", nil}, {"a", nil}, // 9 of 15 cents
			{"a", []spend.Near{{each, tag("a"), 12 * cent}}},
			{"a", nil},
			{"a", nil}, // refused
			{"b", nil}, {"b", nil},
			{"b", []spend.Near{{rolling, spend.Tag{}, 24 * cent}}},
			{"b", []spend.Near{{each, tag("b"), 12 * cent}}},
		}
		step := func(i int, tenantName string, want []spend.Near) {
			t.Helper()
			told = nil
			if r, err := b.Reserve(t.Context(), proUsage, tenant(tenantName)); err == nil {
				r.Settled(proMeta(time.Now().String()+string(rune('a'+i)), "1"))
			}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("step %d (-want +got)\n%s", i+1, diff)
			}
		}
		for i, s := range steps {
			step(i, s.tenant, s.want)
		}
		time.Sleep(36 * time.Hour)
		for i := range 3 {
			step(20+i, "a", nil)
		}
		step(23, "a", []spend.Near{{each, tag("a"), 12 * cent}})
		step(24, "c", nil)
		step(25, "c", nil)
		step(26, "c", []spend.Near{{all, spend.Tag{}, 48 * cent}})
		step(27, "d", []spend.Near{{rolling, spend.Tag{}, 24 * cent}})
	})
}

func TestLimitsRefused(t *testing.T) {
	t.Parallel()
	b := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar, Per: "fortnight"}}}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil || !strings.Contains(err.Error(), `Limits[0]: period "fortnight": must be "day", "month", "24 hours", "30 days"`) {
		t.Errorf("%v", err)
	}
}

// A request that stayed open for longer than quarters are known ends without
// taking anything from those that are.
func TestSlotsOfOldEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger")
		l := openLedger(t, path)
		b := &spend.Budget{Ledger: l, Limits: []spend.Limit{{Amount: 100 * pricing.Cent, Per: spend.Month, Tag: tag("")}}}
		_, err := b.Reserve(t.Context(), proUsage, tenant("x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * 24 * time.Hour)
		book(t, b, "new", tenant("x"), settle("new", "1"))
		if err := l.Compact(); err != nil {
			t.Fatal(err)
		}
		l = reopen(t, l, path)
		for range 2 {
			if err := l.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		entries := l.Open()
		if len(entries) != 1 {
			t.Fatalf("%d are open", len(entries))
		}
		if err := l.Release(entries[0].ID); err != nil {
			t.Fatal(err)
		}
		if err := l.Compact(); err != nil {
			t.Fatal(err)
		}
		b = &spend.Budget{Ledger: l, Limits: []spend.Limit{{Amount: 5 * pricing.Cent, Per: spend.Month, Tag: tag("")}}}
		_, err = b.Reserve(t.Context(), proUsage, tenant("x"))
		if e, ok := errors.AsType[*spend.BudgetError](err); !ok || e.Left != 2*pricing.Cent {
			t.Errorf("%v, want $0.02 left", err)
		}
	})
}
