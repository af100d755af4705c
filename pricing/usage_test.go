package pricing_test

import (
	"errors"
	"math"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// What a request cannot know, its caller may: the quote is then exact.
func TestUsageOfTheCaller(t *testing.T) {
	t.Parallel()
	const cent = pricing.Cent
	train := fal.Usage{Endpoint: "fal-ai/flux-2-trainer/edit", Outputs: 1, Steps: 1000} // $5.60 and more
	lora := fal.Usage{Endpoint: "fal-ai/flux-2/lora", Outputs: 1, Size: fal.SquareHD, LoRAs: 1}
	for name, tt := range map[string]struct {
		usage         fal.Usage
		references    int
		bytes         int64
		min, exp, max pricing.USD
	}{
		"no references":     {usage: train, min: 1181*cent + cent*6/10, exp: 1181*cent + cent*6/10, max: 3892 * cent},
		"one reference":     {usage: train, references: 1, min: 1181*cent + cent*6/10, exp: 1181*cent + cent*6/10, max: 1181*cent + cent*6/10},
		"three references":  {usage: train, references: 3, min: 2850*cent + cent*4/10, exp: 2850*cent + cent*4/10, max: 2850*cent + cent*4/10},
		"LoRA of any size":  {usage: lora, min: cent * 21 / 10, exp: cent * 21 / 10, max: cent * 525 / 100},
		"LoRA of 100 MB":    {usage: lora, bytes: 100e6, min: cent * 21 / 10, exp: cent * 21 / 10, max: cent * 21 / 10},
		"LoRA of 3.1 GB":    {usage: lora, bytes: 31e8, min: cent * 315 / 100, exp: cent * 42 / 10, max: cent * 42 / 10}, // 2.9 GiB
		"LoRA of 4.5 GB":    {usage: lora, bytes: 45e8, min: cent * 525 / 100, exp: cent * 525 / 100, max: cent * 525 / 100},
		"LoRA of 3 GB":      {usage: lora, bytes: 3e9, min: cent * 315 / 100, exp: cent * 315 / 100, max: cent * 315 / 100},
		"LoRA of 4 GB sure": {usage: lora, bytes: 4 << 30, min: cent * 42 / 10, exp: cent * 525 / 100, max: cent * 525 / 100},
	} {
		u := tt.usage
		u.References, u.LoRABytes = tt.references, tt.bytes
		q, err := pricing.EstimateUsage(u)
		if err != nil || q.Min != tt.min || q.Expected != tt.exp || q.Max != tt.max {
			t.Errorf("%s: %v, %v", name, q, err)
		}
	}
	table, err := pricing.Embedded().With(pricing.Price{Endpoint: "our/lora", Rule: pricing.PerMegapixel{
		Price: pricing.Cent, LoRA: pricing.LoRASurcharge{MaxGB: 1 << 40, PerGB: 1 << 40},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]fal.Usage{
		"five references":     {Endpoint: train.Endpoint, Outputs: 1, Steps: 1000, References: 5},
		"negative references": {Endpoint: train.Endpoint, Outputs: 1, Steps: 1000, References: -1},
		"negative LoRA":       {Endpoint: lora.Endpoint, Outputs: 1, Size: fal.SquareHD, LoRAs: 1, LoRABytes: -1},
		"too large LoRAs":     {Endpoint: lora.Endpoint, Outputs: 1, Size: fal.SquareHD, LoRAs: 1, LoRABytes: 100e9},
		"far too large LoRAs": {Endpoint: "our/lora", Outputs: 1, Size: fal.SquareHD, LoRAs: 1, LoRABytes: math.MaxInt64},
		"fewest are the most": {Endpoint: train.Endpoint, Outputs: 1, Steps: 1000, References: 2, LeastReferences: 3},
	} {
		if q, err := table.Estimate(u); err == nil || errors.Is(err, pricing.ErrUnknown) {
			t.Errorf("%s: %v", name, q)
		}
	}
}
