package spend_test

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/qwen"
)

func ExampleBudget_Reserve() {
	budget := &spend.Budget{Limits: []spend.Limit{
		{Amount: 100 * pricing.Dollar},                                  // in all
		{Amount: 3 * pricing.Cent, Tag: spend.Tag{Name: "tenant"}},      // for each tenant
		{Amount: 0, Tag: spend.Tag{Name: "tenant", Value: "suspended"}}, // but nothing for this one
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
	// spend: fal-ai/qwen-image: the request may cost $0.02, of the budget of tenant "acme" of $0.03 there is $0.01 left
	// spend: fal-ai/qwen-image: the request may cost $0.02, of the budget of tenant "suspended" of $0.00 there is $0.00 left
	// $0.02
}
