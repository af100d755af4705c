package pricing_test

import (
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

// A request is either in an interface already, as in a list of requests, or
// Go puts it into one for the call, which allocates; its usage does not.
func BenchmarkEstimateTextToImage(b *testing.B) {
	req := flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(1920, 1080)}
	var boxed fal.Request[fal.Images] = req
	for name, estimate := range map[string]func() (pricing.Quote, error){
		"request":          func() (pricing.Quote, error) { return pricing.Estimate(boxed) },
		"request by value": func() (pricing.Quote, error) { return pricing.Estimate(req) },
		"usage":            func() (pricing.Quote, error) { return pricing.EstimateUsage(req.Usage()) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q, err := estimate()
				if err != nil || q.Expected != 45*pricing.Cent/10 {
					b.Fatal(q, err)
				}
			}
		})
	}
}
