package pricing_test

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

// What a request cost is held against what it was quoted. The local fal bills
// as fal does, and needs no key.
func ExampleSettle() {
	srv := faltest.New()
	defer srv.Close()
	for _, size := range []fal.ImageSize{fal.SquareHD, fal.Size(1920, 1080)} {
		settled, err := paint(srv.Client(), flux.Pro2{Prompt: "a mug", ImageSize: size})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(settled)
	}
	// Output:
	// $0.03 billed (1 units), as quoted
	// $0.045 billed (1.5 units), as quoted
}

// paint makes a picture if its price is known and exact.
func paint(client *fal.Client, req flux.Pro2) (pricing.Settlement, error) {
	quote, err := pricing.Estimate(req)
	if err != nil {
		return pricing.Settlement{}, err
	}
	if !quote.Exact() {
		return pricing.Settlement{}, fmt.Errorf("it costs %v to %v", quote.Min, quote.Max)
	}
	out, err := fal.Subscribe(context.Background(), client, req)
	if err != nil {
		return pricing.Settlement{}, err
	}
	return pricing.Settle(quote, out.Meta)
}
