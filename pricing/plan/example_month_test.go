package plan_test

import (
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/qwen"
)

// A month of 10,000 pictures: by one model alone, as a mix, and with as many of
// the better pictures as a budget allows.
func Example_month() {
	const images = 10_000
	drafts := part("drafts", 70, flux.Schnell{Prompt: "a mug", ImageSize: fal.SquareHD})
	finals := part("finals", 30, flux.Pro2{Prompt: "a mug", ImageSize: fal.SquareHD})
	other := part("qwen", 0, qwen.Image{Prompt: "a mug", ImageSize: fal.SquareHD})

	alone, err := plan.Rank(images, drafts, finals, other)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range alone {
		fmt.Println(row.Name, row.Expected)
	}
	mix, err := plan.New(images, drafts, finals)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the mix", mix.Expected)
	most, err := plan.MostFinals(images, 200*pricing.Dollar, drafts, finals)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("finals for $200:", most.Rows[1].Images)
	// Output:
	// drafts $30.00
	// qwen $200.00
	// finals $300.00
	// the mix $111.00
	// finals for $200: 6296
}

// part quotes a typical request. One without a price makes the plan fail.
func part(name string, share int64, req fal.Request[fal.Images]) plan.Part {
	quote, err := pricing.Estimate(req)
	if err != nil {
		fmt.Println(err)
	}
	return plan.Part{Name: name, Quote: quote, Share: share}
}
