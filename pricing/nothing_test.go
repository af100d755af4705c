package pricing_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

// What seems to be a rule since it embeds one, and pointers, would be counted
// as nothing: a table takes none of them, however they come.
func TestTableTakesPlainRulesOnly(t *testing.T) {
	t.Parallel()
	type ours struct{ pricing.PerImage }
	type byInterface struct{ pricing.Rule }
	image := pricing.PerImage{Price: pricing.Cent}
	for name, rule := range map[string]pricing.Rule{
		"pointer":             &image,
		"nil pointer":         (*pricing.PerImage)(nil),
		"pointer to tiered":   &pricing.PerTieredMegapixel{First: 2, Extra: 1},
		"pointer to steps":    &pricing.PerStep{Price: 1},
		"pointer to seconds":  &pricing.PerSecond{Price: 1},
		"embedded":            ours{image},
		"pointer to embedded": &ours{image},
		"embedded interface":  byInterface{image},
		"embedding nothing":   byInterface{},
	} {
		price := pricing.Price{Endpoint: "our/model", Rule: rule}
		if table, err := pricing.NewTable(price); err == nil {
			q, err := table.Estimate(fal.Usage{Endpoint: "our/model", Outputs: 1})
			t.Errorf("%s: accepted by NewTable, quoted as %v, %v", name, q.Max, err)
		}
		if _, err := pricing.Embedded().With(price); err == nil {
			t.Errorf("%s: accepted by With", name)
		}
	}
}

// A usage that contradicts itself has no quote rather than a low one.
func TestContradictoryUsage(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]fal.Usage{
		"LoRA weights of some size, and none": {Endpoint: "fal-ai/flux-2/lora", Outputs: 1, Size: fal.SquareHD, LoRABytes: 5e9},
		"no outputs":                          {Endpoint: "fal-ai/flux-2/lora", Size: fal.SquareHD},
	} {
		if q, err := pricing.EstimateUsage(u); err == nil || q.Max != 0 {
			t.Errorf("%s: %v, %v", name, q.Max, err)
		}
	}
}

// What only the largest size makes too much, and a cap of one megapixel.
func TestBoundsOfRules(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rule pricing.Rule
		want pricing.USD // 0 is an error
	}{
		"too much at most": {pricing.PerMegapixel{Price: 1 << 58, Inputs: pricing.InputsRoundedUp}, 0},
		"a cap of one":     {pricing.PerMegapixel{Price: 1, Inputs: pricing.InputsRoundedUp, InputCap: 1}, 2},
		"a cap of two":     {pricing.PerMegapixel{Price: 1, Inputs: pricing.InputsRoundedUp, InputCap: 2}, 3},
	} {
		table, err := pricing.NewTable(pricing.Price{Endpoint: "our/model", Rule: tt.rule})
		if err != nil {
			t.Fatal(name, err)
		}
		q, err := table.Estimate(fal.Usage{Endpoint: "our/model", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{fal.URL("https://x.example/a.png")}})
		if (err == nil) != (tt.want > 0) || q.Max != tt.want {
			t.Errorf("%s: %v, %v, want %v", name, q.Max, err, tt.want)
		}
	}
}

// dearer is a request with the body of Schnell for a dearer endpoint.
type dearer struct{ flux.Schnell }

func (dearer) Endpoint() fal.Endpoint[fal.Images] { return "fal-ai/flux-2-max" }

// What counts is the endpoint that will be asked, also where a request has its
// usage from another.
func TestQuoteIsForTheEndpointAsked(t *testing.T) {
	t.Parallel()
	q, err := pricing.Estimate(dearer{flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD}})
	if err != nil || q.Endpoint != "fal-ai/flux-2-max" || q.Max != 7*pricing.Cent {
		t.Errorf("%s: %v, %v, want the $0.07 of flux-2-max", q.Endpoint, q.Max, err)
	}
}

// A request without a price was not sent; a bill without one was.
func TestUnknownPriceWasNotSent(t *testing.T) {
	t.Parallel()
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "our/model", Outputs: 1})
	if !fal.NotSent(err) || fal.Charged(err) != fal.NotBilled {
		t.Errorf("%v: not sent %t, charged %v", err, fal.NotSent(err), fal.Charged(err))
	}
	_, err = pricing.Settle(q, fal.Meta{BillableUnits: "1"})
	if !errors.Is(err, pricing.ErrUnknown) || fal.NotSent(err) || fal.Charged(err) != fal.BillingUnknown {
		t.Errorf("%v: not sent %t, charged %v", err, fal.NotSent(err), fal.Charged(err))
	}
}

func TestMissingPictures(t *testing.T) {
	t.Parallel()
	picture := fal.Image{Width: 1024, Height: 1024}
	for name, tt := range map[string]struct {
		usage fal.Usage
		came  []fal.Image
		want  []string
	}{
		"one of three": {
			fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 3, Size: fal.SquareHD},
			[]fal.Image{picture},
			[]string{"picture 1 is missing: worth $0.00, not $0.02", "picture 2 is missing: worth $0.00, not $0.02"},
		},
		"smaller, and one missing": {
			fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 2, Size: fal.Size(2048, 1024)},
			[]fal.Image{picture},
			[]string{"picture 0 is 1024x1024, not 2048x1024: worth $0.02, not $0.04", "picture 1 is missing: worth $0.00, not $0.04"},
		},
		"all":  {fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 1, Size: fal.SquareHD}, []fal.Image{picture}, nil},
		"more": {fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 1, Size: fal.SquareHD}, []fal.Image{picture, picture}, nil},
		"of a size that the model chooses": {
			fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 2},
			[]fal.Image{picture}, []string{"picture 1 is missing: worth $0.00, not $0.03"},
		},
		"priced by the picture": {
			fal.Usage{Endpoint: "fal-ai/flux-pro/kontext", Outputs: 2},
			[]fal.Image{picture}, []string{"picture 1 is missing: worth $0.00, not $0.04"},
		},
		"priced by the request": {
			fal.Usage{Endpoint: "fal-ai/qwen-image-layered", Outputs: 2},
			nil, []string{"picture 0 is missing: worth $0.00, not $0.05", "picture 1 is missing"},
		},
		"layers": {fal.Usage{Endpoint: "fal-ai/qwen-image-layered", Outputs: 3}, []fal.Image{picture, picture}, []string{"picture 2 is missing"}},
		"training": {
			fal.Usage{Endpoint: "fal-ai/qwen-image-trainer", Outputs: 1, Steps: 100}, nil, nil,
		},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		for _, m := range pricing.Mismatches(q, tt.came) {
			got = append(got, m.String())
			if m.Missing != (m.Width == 0) {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if got := pricing.Mismatches(pricing.Quote{}, nil); got != nil {
		t.Errorf("of no quote: %v", got)
	}
	// A number that no endpoint makes does not fill the memory.
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/flux-pro/kontext", Outputs: 1 << 30})
	if got := pricing.Mismatches(q, nil); err != nil || len(got) != 1000 {
		t.Errorf("%d missing, %v", len(got), err)
	}
}
