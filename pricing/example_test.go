package pricing_test

import (
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

func ExampleEstimate() {
	quote, err := pricing.Estimate(flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(1920, 1080)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(quote.Expected)
	for line := range quote.Lines() {
		fmt.Println(line)
	}
	fmt.Println(quote.Price().Rule)
	// Output:
	// $0.045
	// 1 output x 2 MP: $0.03 + $0.015 = $0.045
	// $0.03 for the first megapixel of output, $0.015 for each further megapixel of output or input, each image rounded up to whole megapixels; input images over 4 megapixels count as 4
}
