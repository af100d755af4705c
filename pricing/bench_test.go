package pricing_test

import (
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

func BenchmarkEstimateTextToImage(b *testing.B) {
	req := flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(1920, 1080)}
	b.ReportAllocs()
	for b.Loop() {
		q, err := pricing.Estimate(req)
		if err != nil || q.Expected != 45*pricing.Cent/10 {
			b.Fatal(q, err)
		}
	}
}
