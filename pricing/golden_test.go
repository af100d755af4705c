package pricing_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

var update = flag.Bool("update", false, "write testdata/quotes.txt anew")

// TestQuotesOfTheTable pins the rule of every endpoint of the embedded table
// and what it quotes for some usual work. Whoever changes a price runs go test
// -update and looks at the difference.
func TestQuotesOfTheTable(t *testing.T) {
	t.Parallel()
	input := fal.Bytes(pngFile(t, 1500, 1000)) // 2 MP
	works := []struct {
		name  string
		usage fal.Usage
	}{
		{"1 MP", fal.Usage{Outputs: 1, Size: fal.SquareHD, Resolution: "1k", Steps: 1000, References: 1}},
		{"3 x 3 MP", fal.Usage{Outputs: 3, Size: fal.Size(2048, 1536), Resolution: "4k", Steps: 30, References: 1}},
		{"2 inputs", fal.Usage{Outputs: 1, Size: fal.SquareHD, Steps: 1000, Resolution: "1k", Inputs: []fal.File{input, input}, References: 4}},
		{"1 LoRA", fal.Usage{Outputs: 1, Size: fal.SquareHD, Resolution: "1k", Steps: 1000, LoRAs: 1}},
		{"no steps", fal.Usage{Outputs: 1}}, // for trainers alone: others do not count them
	}
	var got bytes.Buffer
	for p := range pricing.Embedded().Prices() {
		rule := "unknown: " + p.Unknown
		if p.Rule != nil {
			rule = p.Rule.String()
		}
		if p.Probable > 0 {
			rule += "; probably " + p.Probable.String()
		}
		fmt.Fprintf(&got, "%s: %s\n", p.Endpoint, rule)
		for _, a := range p.Alternates {
			fmt.Fprintf(&got, "  or %v, confidence %s\n", a, p.Confidence)
		}
		_, trainer := p.Rule.(pricing.PerStep)
		for _, w := range works {
			if w.usage.Steps == 0 && !trainer {
				continue
			}
			w.usage.Endpoint = p.Endpoint
			q, err := pricing.EstimateUsage(w.usage)
			switch {
			case errors.Is(err, pricing.ErrUnknown):
				fmt.Fprintf(&got, "  %-8s unknown\n", w.name)
			case err != nil:
				t.Errorf("%s, %s: %v", p.Endpoint, w.name, err)
			default:
				fmt.Fprintf(&got, "  %-8s %v %v %v\n", w.name, q.Min, q.Expected, q.Max)
			}
		}
	}
	path := filepath.Join("testdata", "quotes.txt")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The least charge has a line of its own, so that the lines add up.
func TestLinesOfTheLeastCharge(t *testing.T) {
	t.Parallel()
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/flux-lora-portrait-trainer", Outputs: 1, Steps: 10})
	if err != nil || q.Expected != 240*pricing.Cent {
		t.Fatalf("%v, %v", q, err)
	}
	table, err := pricing.Embedded().With(pricing.Price{Endpoint: "our/trainer", Rule: pricing.PerStep{Price: pricing.Cent, MinCharge: pricing.Dollar}, Sources: []string{"us"}})
	if err != nil {
		t.Fatal(err)
	}
	q, err = table.Estimate(fal.Usage{Endpoint: "our/trainer", Outputs: 1, Steps: 10})
	var sum pricing.USD
	lines := 0
	for l := range q.Lines() {
		sum += l.Expected
		lines++
	}
	if err != nil || q.Expected != pricing.Dollar || sum != pricing.Dollar || lines != 2 {
		t.Errorf("%v, %v: %d lines of %v", q, err, lines, sum)
	}
}

// The expected number of steps is never more than the most.
func TestStepsWithinTheMost(t *testing.T) {
	t.Parallel()
	table, err := pricing.NewTable(pricing.Price{Endpoint: "our/trainer", Rule: pricing.PerStep{Price: pricing.Cent, MaxSteps: 500}, Sources: []string{"us"}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := table.Estimate(fal.Usage{Endpoint: "our/trainer", Outputs: 1})
	if err != nil || q.Expected != 5*pricing.Dollar || q.Max != 5*pricing.Dollar || q.Min != pricing.Cent {
		t.Errorf("%v, %v", q, err)
	}
}

// A tiered price that is not sure spans what other sources say.
func TestDisputedTiers(t *testing.T) {
	t.Parallel()
	table, err := pricing.NewTable(pricing.Price{
		Endpoint: "our/model", Rule: pricing.PerTieredMegapixel{First: 3 * pricing.Cent, Extra: pricing.Cent}, Confidence: pricing.Low,
		Alternates: []pricing.Alternate{{Price: 6 * pricing.Cent, Where: "a blog"}}, Sources: []string{"us"},
	})
	if err != nil {
		t.Fatal(err)
	}
	q, err := table.Estimate(fal.Usage{Endpoint: "our/model", Outputs: 1, Size: fal.SquareHD})
	if err != nil || q.Exact() || q.Min != 3*pricing.Cent || q.Max != 6*pricing.Cent {
		t.Errorf("%v, %v", q, err)
	}
}

// A size that is only assumed, or that the endpoint reduces, is no exact one.
func TestDoubtfulSizes(t *testing.T) {
	t.Parallel()
	large := fal.Bytes(pngFile(t, 4000, 3000)) // 12 MP
	for name, tt := range map[string]struct {
		usage              fal.Usage
		min, expected, max pricing.USD
	}{
		"assumed": {fal.Usage{Endpoint: "fal-ai/flux-krea-lora", Outputs: 1, Inputs: []fal.File{large}, MatchInput: 1, MatchAssumed: true},
			35 * pricing.Cent / 10, 42 * pricing.Cent, 42 * pricing.Cent},
		"known": {fal.Usage{Endpoint: "fal-ai/flux-krea-lora", Outputs: 1, Inputs: []fal.File{large}, MatchInput: 1},
			42 * pricing.Cent, 42 * pricing.Cent, 42 * pricing.Cent},
		"reduced": {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.Size(4096, 4096), MaxPixels: 4 << 20},
			75 * pricing.Cent / 10, 255 * pricing.Cent / 10, 255 * pricing.Cent / 10},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil || q.Min != tt.min || q.Expected != tt.expected || q.Max != tt.max {
			t.Errorf("%s: %v, %v", name, q, err)
		}
	}
}

// The requests themselves say what is doubtful about their size.
func TestRequestsTellDoubts(t *testing.T) {
	t.Parallel()
	large := fal.Bytes(pngFile(t, 4000, 3000)) // 12 MP
	small := fal.Bytes(pngFile(t, 100, 100))
	for name, tt := range map[string]struct {
		req                fal.Request[fal.Images]
		min, expected, max string
	}{
		"assumed":              {flux.DevLoRAImageToImage{Prompt: "x", ImageURL: large}, "$0.035", "$0.42", "$0.42"},
		"assumed, but small":   {flux.DevLoRAImageToImage{Prompt: "x", ImageURL: small}, "$0.035", "$0.035", "$0.035"},
		"told by a source":     {qwen.Edit2511{Prompt: "x", ImageURLs: []fal.File{large}}, "$0.36", "$0.36", "$0.36"},
		"scaled down":          {flux.Pro2{Prompt: "x", ImageSize: fal.Size(4096, 4096)}, "$0.075", "$0.255", "$0.255"},
		"scaled down, flex":    {flux.Flex2{Prompt: "x", ImageSize: fal.Size(4096, 4096)}, "$0.20", "$0.80", "$0.80"},
		"scaled down, an edit": {flux.Max2Edit{Prompt: "x", ImageSize: fal.Size(4096, 4096), ImageURLs: []fal.File{small}}, "$0.19", "$0.55", "$0.55"},
		"just large enough":    {flux.Max2{Prompt: "x", ImageSize: fal.Size(2048, 2048)}, "$0.16", "$0.16", "$0.16"},
	} {
		q, err := pricing.Estimate(tt.req)
		if err != nil || q.Min.String() != tt.min || q.Expected.String() != tt.expected || q.Max.String() != tt.max {
			t.Errorf("%s: %v, %v", name, q, err)
		}
	}
}

// A field that With adds and that may change the charge leaves no price, so
// that no budget takes the request for a cheap one.
func TestWithLeavesNoPrice(t *testing.T) {
	t.Parallel()
	cheap := flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD}
	dear := fal.With(cheap, map[string]any{"num_images": 4, "image_size": fal.Size(4096, 4096)})
	if q, err := pricing.Estimate(dear); !errors.Is(err, pricing.ErrUnknown) || q.Max != 0 {
		t.Errorf("%v, %v, want ErrUnknown", q, err)
	}
	if q, err := pricing.Estimate(fal.With(cheap, map[string]any{"acceleration": "high"})); err != nil || q.Max != 3*pricing.Cent/10 {
		t.Errorf("%v, %v, want $0.003", q, err)
	}
}
