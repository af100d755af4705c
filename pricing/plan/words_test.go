package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
)

// quoted returns a quote by a rule of its own.
func quoted(t *testing.T, p pricing.Price, outputs int) pricing.Quote {
	t.Helper()
	p.Endpoint = "our/model"
	table, err := pricing.NewTable(p)
	if err != nil {
		t.Fatal(err)
	}
	q, err := table.Estimate(fal.Usage{Endpoint: p.Endpoint, Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// A plan as a table: names as wide as the longest, ranges where there are any,
// and a sum of more than one row.
func TestPlanInWords(t *testing.T) {
	t.Parallel()
	exact := quoted(t, pricing.Price{Rule: pricing.PerImage{Price: 2 * pricing.Cent}}, 1)
	open := quoted(t, pricing.Price{Rule: pricing.PerImage{Price: 2 * pricing.Cent}, Alternates: []pricing.Alternate{{Price: 3 * pricing.Cent, Where: "x"}}}, 1)
	for name, tt := range map[string]struct {
		images int64
		parts  []plan.Part
		want   string
	}{
		"one":       {3, []plan.Part{{Name: "a", Quote: exact}}, "a      3  $0.06\n"},
		"one open":  {3, []plan.Part{{Name: "a", Quote: open}}, "a      3  $0.06  $0.06 to $0.09\n"},
		"two":       {4, []plan.Part{{Name: "a long name", Quote: exact}, {Name: "b", Quote: open}}, "a long name  2  $0.04\nb            2  $0.04  $0.04 to $0.06\ntotal        4  $0.08  $0.08 to $0.10\n"},
		"two names": {2, []plan.Part{{Name: "ä", Quote: exact}, {Name: "äöü äöü", Quote: exact}}, "ä        1  $0.02\näöü äöü  1  $0.02\ntotal    2  $0.04\n"},
	} {
		p, err := plan.New(tt.images, tt.parts...)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for line := range strings.Lines(p.String()) {
			got.WriteString(strings.TrimLeft(strings.TrimRight(line, " \n"), " ") + "\n")
		}
		if diff := cmp.Diff(tt.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// What is left over by rounding goes to those that lose most by it, and to the
// first of those that lose the same.
func TestPlanGivesTheRestToWhoLosesMost(t *testing.T) {
	t.Parallel()
	q := quoted(t, pricing.Price{Rule: pricing.PerImage{Price: pricing.Cent}}, 1)
	for _, tt := range []struct {
		images int64
		shares []int64
		want   []int64
	}{
		{10, []int64{50, 16, 34}, []int64{5, 2, 3}}, // 5, 1.6 and 3.4
		{10, []int64{34, 50, 16}, []int64{3, 5, 2}},
		{10, []int64{1, 1, 1}, []int64{4, 3, 3}},
		{2, []int64{1_000_000_000, 1}, []int64{2, 0}},
		{1, []int64{1_000_000_000, 1_000_000_000}, []int64{1, 0}},
	} {
		var parts []plan.Part
		for _, s := range tt.shares {
			parts = append(parts, plan.Part{Quote: q, Share: s})
		}
		p, err := plan.New(tt.images, parts...)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, r := range p.Rows {
			got = append(got, r.Images)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d by %v (-want +got)\n%s", tt.images, tt.shares, diff)
		}
	}
	if _, err := plan.New(1, plan.Part{Quote: q, Share: 1_000_000_001}); err == nil {
		t.Error("a larger share was taken")
	}
}

// Sums count the pictures of each row, and adding leaves both plans as they are.
func TestPlansAddUp(t *testing.T) {
	t.Parallel()
	q := quoted(t, pricing.Price{Rule: pricing.PerImage{Price: pricing.Cent}}, 3)
	sum, err := plan.Sum(q, q)
	if err != nil || sum.Images != 6 || len(sum.Rows) != 1 || sum.Rows[0].Images != 6 || sum.Rows[0].Requests != 2 || sum.Rows[0].Expected != 6*pricing.Cent {
		t.Fatalf("%+v, %v", sum, err)
	}
	sum.Rows = append(make([]plan.Row, 0, 9), sum.Rows...) // with room that could be written to
	one, err := sum.Add(sum)
	if err != nil {
		t.Fatal(err)
	}
	other := quoted(t, pricing.Price{Rule: pricing.PerImage{Price: pricing.Dollar}}, 1)
	dear, err := plan.Sum(other)
	if err != nil {
		t.Fatal(err)
	}
	two, err := sum.Add(dear)
	if err != nil || one.Rows[1].Images != 6 || two.Rows[1].Images != 1 || len(sum.Rows) != 1 || two.Images != 7 {
		t.Errorf("%+v, %+v, %v", one, two, err)
	}
}

// Where a request makes several pictures, the most finals and the error are
// those of trying all.
func TestMostFinalsOfSeveral(t *testing.T) {
	t.Parallel()
	quote := func(price pricing.USD, outputs int) plan.Part {
		return plan.Part{Quote: quoted(t, pricing.Price{Rule: pricing.PerImage{Price: price}}, outputs)}
	}
	for name, tt := range map[string]struct {
		drafts, finals plan.Part
		budget         pricing.USD
		want           int64 // finals; -1 for an error
		says           string
	}{
		"drafts of two":    {quote(pricing.Cent, 2), quote(5*pricing.Cent, 1), 30 * pricing.Cent, 4, ""},
		"finals of two":    {quote(pricing.Cent, 1), quote(5*pricing.Cent, 2), 30 * pricing.Cent, 4, ""},
		"not even drafts":  {quote(pricing.Cent, 2), quote(5*pricing.Cent, 1), 9 * pricing.Cent, -1, "10 images cost up to $0.10 in the cheapest way, which is $0.01 more than the budget of $0.09"},
		"finals are cheap": {quote(5*pricing.Cent, 2), quote(pricing.Cent, 2), 9 * pricing.Cent, -1, "cost up to $0.10 in the cheapest way"},
	} {
		p, err := plan.MostFinals(10, tt.budget, tt.drafts, tt.finals)
		switch {
		case tt.want < 0:
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
		case err != nil || p.Rows[1].Images != tt.want || p.Max > tt.budget:
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
