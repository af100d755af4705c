package plan_test

import (
	"math"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
)

// cheap quotes so many pictures at a price each; at a billionth of a dollar there
// can be more than can be counted.
func cheap(t *testing.T, price pricing.USD, outputs int) pricing.Quote {
	t.Helper()
	table, err := pricing.NewTable(pricing.Price{Endpoint: "our/model", Rule: pricing.PerImage{Price: price}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := table.Estimate(fal.Usage{Endpoint: "our/model", Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// No number of images, requests or dollars turns below zero: what cannot be
// counted is an error, and one that says nothing strange.
func TestPlansDoNotOverflow(t *testing.T) {
	t.Parallel()
	one, all := cheap(t, 1, 1), cheap(t, math.MaxInt64/math.MaxInt, math.MaxInt)
	whole, err := plan.New(math.MaxInt64, plan.Part{Quote: one})
	if err != nil || whole.Max != math.MaxInt64 || whole.Images != math.MaxInt64 || whole.Rows[0].Requests != math.MaxInt64 {
		t.Fatalf("the most that there is: %+v, %v", whole, err)
	}
	for name, f := range map[string]func() (plan.Plan, error){
		"adding plans":  func() (plan.Plan, error) { return whole.Add(whole) },
		"summing":       func() (plan.Plan, error) { return plan.Sum(all, all) },
		"one too much":  func() (plan.Plan, error) { return plan.Sum(all, cheap(t, 2, 1)) },
		"dollars alone": func() (plan.Plan, error) { return plan.Sum(cheap(t, math.MaxInt64, 1), one) },
		"finals that are all too dear": func() (plan.Plan, error) {
			return plan.MostFinals(10, pricing.Dollar, plan.Part{Quote: cheap(t, math.MaxInt64, 1)}, plan.Part{Quote: cheap(t, math.MaxInt64-1, 1)})
		},
		"by several": func() (plan.Plan, error) {
			return plan.MostFinals(100, pricing.Dollar, plan.Part{Quote: cheap(t, math.MaxInt64/2, 2)}, plan.Part{Quote: cheap(t, math.MaxInt64/2, 2)})
		},
		"a budget below zero": func() (plan.Plan, error) {
			return plan.MostFinals(10, math.MinInt64, plan.Part{Quote: one}, plan.Part{Quote: one})
		},
		"a budget below zero for others": func() (plan.Plan, error) {
			return plan.MostFinals(10, math.MinInt64, plan.Part{Quote: all}, plan.Part{Quote: one})
		},
	} {
		p, err := f()
		if err == nil || p.Images != 0 || strings.Contains(err.Error(), "up to $0.00") || strings.Contains(err.Error(), "is -$") {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	// A final that makes more pictures than there will ever be still costs.
	p, err := plan.MostFinals(10, pricing.Dollar, plan.Part{Quote: cheap(t, pricing.Cent, 1)}, plan.Part{Quote: all})
	if err != nil || p.Max > pricing.Dollar || p.Rows[0].Images != 10 {
		t.Errorf("%+v, %v, want 10 drafts", p, err)
	}
}

// Finals that are too dear to be counted do not keep drafts from a plan, and where
// a request makes several pictures, there may be ten million.
func TestMostFinalsAtTheEdge(t *testing.T) {
	t.Parallel()
	const dear = math.MaxInt64 / 8 // so that ten requests cannot be added up
	p, err := plan.MostFinals(20, dear*4, plan.Part{Quote: cheap(t, 1, 2)}, plan.Part{Quote: cheap(t, dear/2, 2)})
	if err != nil || p.Rows[1].Images != 6 || p.Rows[0].Images != 14 || p.Max > dear*4 {
		t.Errorf("%+v, %v", p, err)
	}
	pair := plan.Part{Quote: cheap(t, 1, 2)}
	for images, good := range map[int64]bool{10_000_000: true, 10_000_001: false} {
		p, err := plan.MostFinals(images, pricing.Dollar, pair, pair)
		if (err == nil) != good || good && p.Rows[1].Images != images || !good && !strings.Contains(err.Error(), "10000000 at most") {
			t.Errorf("%d images: %+v, %v", images, p, err)
		}
	}
	// One picture each, to the last billionth.
	single := func(price pricing.USD) plan.Part { return plan.Part{Quote: cheap(t, price, 1)} }
	for name, tt := range map[string]struct {
		draft, final, budget pricing.USD
		want                 int64 // finals; -1 for an error
	}{
		"all finals":         {1, 3, 30, 10},
		"one less":           {1, 3, 29, 9},
		"drafts alone":       {1, 3, 10, 0},
		"not even those":     {1, 3, 9, -1},
		"finals are cheaper": {3, 1, 10, 10},
		"and not to be paid": {3, 1, 9, -1},
		"both at a price":    {2, 2, 20, 10},
		"both, one too dear": {2, 2, 19, -1},
	} {
		p, err := plan.MostFinals(10, tt.budget, single(tt.draft), single(tt.final))
		if (err != nil) != (tt.want < 0) || err == nil && p.Rows[1].Images != tt.want {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
