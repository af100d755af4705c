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
	"github.com/falimage/falimage-go/pricing"
)

var update = flag.Bool("update", false, "write testdata/quotes.txt anew")

// TestQuotesOfTheTable pins what every endpoint of the embedded table quotes
// for some usual work. Whoever changes a price runs go test -update and looks
// at the difference.
func TestQuotesOfTheTable(t *testing.T) {
	t.Parallel()
	input := fal.Bytes(pngFile(t, 1500, 1000)) // 2 MP
	works := []struct {
		name  string
		usage fal.Usage
	}{
		{"1 MP", fal.Usage{Outputs: 1, Size: fal.SquareHD, Steps: 1000, References: 1}},
		{"3 x 3 MP", fal.Usage{Outputs: 3, Size: fal.Size(2048, 1536), Steps: 30, References: 1}},
		{"2 inputs", fal.Usage{Outputs: 1, Size: fal.SquareHD, Steps: 1000, Inputs: []fal.File{input, input}, References: 4}},
		{"1 LoRA", fal.Usage{Outputs: 1, Size: fal.SquareHD, Steps: 1000, LoRAs: 1}},
	}
	var got bytes.Buffer
	for p := range pricing.Embedded().Prices() {
		fmt.Fprintln(&got, p.Endpoint)
		for _, w := range works {
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
		"reduced": {fal.Usage{Endpoint: proUsage.Endpoint, Outputs: 1, Size: fal.Size(4096, 4096), MaxPixels: 4 << 20},
			75 * pricing.Cent / 10, 255 * pricing.Cent / 10, 255 * pricing.Cent / 10},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil || q.Min != tt.min || q.Expected != tt.expected || q.Max != tt.max {
			t.Errorf("%s: %v, %v", name, q, err)
		}
	}
}
