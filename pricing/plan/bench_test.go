package plan_test

import (
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
)

// A month of 10,000 pictures, by shares.
func BenchmarkPlan10000(b *testing.B) {
	schnell := estimate(b, flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD})
	pro := estimate(b, flux.Pro2{Prompt: "x", ImageSize: fal.SquareHD})
	b.ReportAllocs()
	for b.Loop() {
		got, err := plan.New(10_000, plan.Part{Quote: schnell, Share: 70}, plan.Part{Quote: pro, Share: 30})
		if err != nil || got.Expected != 111*pricing.Dollar {
			b.Fatal(got, err)
		}
	}
}

// The most finals of 10,000 pictures, where each request makes several.
func BenchmarkMostFinals10000(b *testing.B) {
	qwen, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 4, Size: fal.SquareHD})
	if err != nil {
		b.Fatal(err)
	}
	pro, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/qwen-image-2/pro/text-to-image", Outputs: 3})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := plan.MostFinals(10_000, 210*pricing.Dollar, plan.Part{Quote: qwen}, plan.Part{Quote: pro}); err != nil || got.Max > 210*pricing.Dollar {
			b.Fatal(got, err)
		}
	}
}

// 10,000 different requests, each quoted by itself and added up.
func BenchmarkSum10000(b *testing.B) {
	quotes := make([]pricing.Quote, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		for i := range quotes {
			var err error
			quotes[i], err = pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.SquareHD})
			if err != nil {
				b.Fatal(err)
			}
		}
		if got, err := plan.Sum(quotes...); err != nil || got.Expected != 300*pricing.Dollar {
			b.Fatal(got, err)
		}
	}
}
