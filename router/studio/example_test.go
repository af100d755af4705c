package studio_test

import (
	"fmt"

	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

func ExamplePlanDrafts() {
	// The article's split: 70 of 100 pictures are drafts.
	plan, err := studio.PlanDrafts(
		router.Task{Prompt: "a mug on marble, product photography", Size: "square_hd"},
		studio.Drafts{Count: 7_000, Finals: 3_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range plan.Cost.Rows {
		fmt.Println(row.Images, row.Name, row.Expected)
	}
	fmt.Println(plan.Cost.Expected)
	// Output:
	// 7000 drafts by FLUX.1 [schnell] $21.00
	// 3000 finals by FLUX.2 [pro] $90.00
	// $111.00
}
