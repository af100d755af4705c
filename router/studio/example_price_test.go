package studio_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// describe prints what was tried and what came of it.
func describe(outcome *studio.Outcome) {
	for _, a := range outcome.Attempts {
		if a.Err != nil {
			fmt.Printf("%s failed and cost at most %v\n", a.Model.Title, a.Spent)
			continue
		}
		fmt.Printf("%s made %d, billed %v\n", a.Model.Title, len(a.Result.Images), a.Billed)
	}
	fmt.Printf("%d pictures for %v\n", len(outcome.Images()), outcome.Spent)
}

// A task may cost 5 cents. The best model fails, and may have been charged for
// it; the next one has to make do with what is left.
func Example_withinAPrice() {
	ctx := context.Background()
	srv := faltest.New() // stands for fal
	defer srv.Close()
	srv.InjectFor("fal-ai/flux-2-pro", faltest.OpSubmit, faltest.LateFailure(http.StatusUnprocessableEntity, "image_too_small", "Too small"), 1)

	outcome, err := studio.Do(ctx, srv.Client(), router.Task{
		Prompt:   "a matte black mug on marble, product photography",
		MaxPrice: 5 * pricing.Cent,
	})
	if err != nil {
		fmt.Println(err)
	}
	describe(outcome)
	// Output:
	// FLUX.2 [pro] failed and cost at most $0.03
	// FLUX.2 [dev] Turbo made 1, billed $0.008
	// 1 pictures for $0.038
}
