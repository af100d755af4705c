package spend_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// prompts are what the tenants want.
var prompts = []struct{ tenant, prompt string }{
	{"acme", "a mug"}, {"acme", "a teapot"}, {"globex", "a vase"},
}

// A client with a budget sends nothing that could go over it: the second
// picture of a tenant with five cents is refused. The local fal counts what
// arrives.
func ExampleBudget() {
	srv := faltest.New()
	defer srv.Close()
	budget := &spend.Budget{Limits: []spend.Limit{
		{Amount: 20 * pricing.Dollar},                              // in all
		{Amount: 5 * pricing.Cent, Tag: spend.Tag{Name: "tenant"}}, // for each tenant
	}}
	client := srv.Client()
	client.Guard = budget
	for _, p := range prompts {
		req := flux.Pro2{Prompt: p.prompt, ImageSize: fal.SquareHD} // $0.03
		_, err := fal.Subscribe(context.Background(), client, req, fal.WithTags(map[string]string{"tenant": p.tenant}))
		if over, ok := errors.AsType[*spend.BudgetError](err); ok {
			fmt.Printf("%s: %v left of %v, %v asked\n", over.Tag.Value, over.Left, over.Limit, over.Asked)
		} else {
			fmt.Printf("%s: %v\n", p.tenant, err)
		}
	}
	fmt.Println("spent", budget.Spent(), "for", srv.Ledger().Submissions, "requests")
	// Output:
	// acme: <nil>
	// acme: $0.02 left of $0.05, $0.03 asked
	// globex: <nil>
	// spent $0.06 for 2 requests
}
