package plan_test

import (
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
)

func ExampleNew() {
	schnell, err1 := pricing.Estimate(flux.Schnell{Prompt: "a mug", ImageSize: fal.SquareHD})
	pro, err2 := pricing.Estimate(flux.Pro2{Prompt: "a mug", ImageSize: fal.SquareHD})
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	month, err := plan.New(10_000,
		plan.Part{Name: "drafts", Quote: schnell, Share: 70},
		plan.Part{Name: "finals", Quote: pro, Share: 30})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range month.Rows {
		fmt.Println(row.Name, row.Images, row.Expected)
	}
	fmt.Println("total", month.Expected)
	// Output:
	// drafts 7000 $21.00
	// finals 3000 $90.00
	// total $111.00
}
