package pricing_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

func TestAmounts(t *testing.T) {
	t.Parallel()
	a := pricing.Amounts{Min: 1, Expected: 2, Max: 3}
	sum, err := a.Add(pricing.Amounts{Min: 10, Expected: 20, Max: 30})
	if diff := cmp.Diff(pricing.Amounts{Min: 11, Expected: 22, Max: 33}, sum); diff != "" || err != nil {
		t.Errorf("Add: %v (-want +got)\n%s", err, diff)
	}
	product, err := a.Mul(4)
	if diff := cmp.Diff(pricing.Amounts{Min: 4, Expected: 8, Max: 12}, product); diff != "" || err != nil {
		t.Errorf("Mul: %v (-want +got)\n%s", err, diff)
	}
	// One that cannot be held leaves none.
	if got, err := a.Add(pricing.Amounts{Max: math.MaxInt64}); !errors.Is(err, pricing.ErrOverflow) || got != (pricing.Amounts{}) {
		t.Errorf("Add: %v, %v, want ErrOverflow", got, err)
	}
	if got, err := a.Mul(math.MaxInt64 / 2); !errors.Is(err, pricing.ErrOverflow) || got != (pricing.Amounts{}) {
		t.Errorf("Mul: %v, %v, want ErrOverflow", got, err)
	}
	if text, err := json.Marshal(pricing.Amounts{Min: pricing.Cent, Max: pricing.Dollar}); err != nil || string(text) != `{"min":"0.01","max":"1.00"}` {
		t.Errorf("%s, %v", text, err)
	}
}

// What a quote tells beside its amounts: how many pictures, and what a unit costs.
func TestQuoteImagesAndUnitPrice(t *testing.T) {
	t.Parallel()
	const cent = pricing.Cent
	for endpoint, want := range map[string]struct {
		images int64
		unit   pricing.Amounts
	}{
		"fal-ai/flux-2-pro":                {3, pricing.Amounts{Min: 3 * cent, Expected: 3 * cent, Max: 3 * cent}},
		"fal-ai/flux-2/klein/4b":           {3, pricing.Amounts{Min: cent / 2, Expected: cent / 2, Max: 14 * cent / 10}},
		"fal-ai/qwen-image-layered":        {1, pricing.Amounts{Min: 5 * cent, Expected: 5 * cent, Max: 5 * cent}},
		"fal-ai/flux-general/rf-inversion": {0, pricing.Amounts{Min: cent / 8, Expected: cent / 8, Max: cent / 8}},
		"no/such-model":                    {},
	} {
		q, err := pricing.EstimateUsage(fal.Usage{Endpoint: endpoint, Outputs: 3, Size: fal.SquareHD})
		if err != nil && !errors.Is(err, pricing.ErrUnknown) {
			t.Error(err)
		}
		if q.Images() != want.images || q.UnitPrice() != want.unit {
			t.Errorf("%s: %d images, a unit costs %v, want %v", endpoint, q.Images(), q.UnitPrice(), want)
		}
	}
}

// Another unit price leaves the rest of the rule, and an unknown price unknown.
func TestWithUnitPrice(t *testing.T) {
	t.Parallel()
	p, _ := pricing.Embedded().Price("fal-ai/flux-2-pro")
	want := pricing.PerTieredMegapixel{First: 2 * pricing.Cent, Extra: 15 * pricing.Cent / 10, InputCap: 4}
	if got := p.WithUnitPrice(2 * pricing.Cent); got.Rule != want || p.Rule == want {
		t.Errorf("%+v, want %+v", got.Rule, want)
	}
	if got := (pricing.Price{Endpoint: "a/b", Unknown: "x"}).WithUnitPrice(pricing.Cent); got.Rule != nil {
		t.Errorf("%+v", got)
	}
}
