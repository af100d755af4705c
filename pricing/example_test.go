package pricing_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
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
	fmt.Println(quote.Rule())
	// Output:
	// $0.045
	// 1 output x 2 MP: $0.03 + $0.015 = $0.045
	// $0.03 for the first megapixel of output, $0.015 for each further megapixel of output or input, each image rounded up to whole megapixels; input images over 4 megapixels count as 4
}

func ExampleSettle() {
	quote, err := pricing.Estimate(flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(1920, 1080)})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The Meta of a result has what fal billed.
	bill, err := pricing.Settle(quote, fal.Meta{RequestID: "764cabcf", BillableUnits: "1.5"})
	fmt.Println(bill, err)
	// Output:
	// $0.045 billed (1.5 units), as quoted <nil>
}

func ExampleNewPlan() {
	schnell, err1 := pricing.Estimate(flux.Schnell{Prompt: "a mug", ImageSize: fal.SquareHD})
	pro, err2 := pricing.Estimate(flux.Pro2{Prompt: "a mug", ImageSize: fal.SquareHD})
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	plan, err := pricing.NewPlan(10_000,
		pricing.Part{Name: "drafts", Quote: schnell, Share: 70},
		pricing.Part{Name: "finals", Quote: pro, Share: 30})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range plan.Rows {
		fmt.Println(row.Name, row.Images, row.Expected)
	}
	fmt.Println("total", plan.Expected)
	// Output:
	// drafts 7000 $21.00
	// finals 3000 $90.00
	// total $111.00
}

func ExampleBudget() {
	budget := &pricing.Budget{Limits: []pricing.Limit{
		{Amount: 100 * pricing.Dollar},                 // in all
		{Amount: 3 * pricing.Cent, Tag: "tenant"},      // for each tenant
		{Amount: 0, Tag: "tenant", Value: "suspended"}, // but nothing for this one
	}}
	// A client asks its Guard: &fal.Client{Guard: budget}. By hand:
	usage := qwen.Image{Prompt: "a mug"}.Usage()
	for _, tenant := range []string{"acme", "acme", "suspended"} {
		_, err := budget.Reserve(context.Background(), usage, map[string]string{"tenant": tenant})
		fmt.Println(err)
	}
	fmt.Println(budget.Reserved())
	// Output:
	// <nil>
	// pricing: fal-ai/qwen-image: the request may cost $0.02, of the budget of tenant "acme" of $0.03 there is $0.01 left
	// pricing: fal-ai/qwen-image: the request may cost $0.02, of the budget of tenant "suspended" of $0.00 there is $0.00 left
	// $0.02
}
