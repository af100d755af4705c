package studio_test

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// brightness scores a draft: the brighter the better. A program would ask a
// person, or a model that judges pictures.
func brightness(client *fal.Client) func(context.Context, studio.Variant) (float64, error) {
	return func(ctx context.Context, v studio.Variant) (float64, error) {
		m, err := client.Decode(ctx, v.Image)
		if err != nil {
			return 0, err
		}
		r, g, b, _ := m.At(m.Bounds().Dx()/2, 8).RGBA()
		return float64(r + g + b), nil
	}
}

// Seven cheap drafts are made, and the best two again by a better model with
// the same seeds.
func Example_draftToFinal() {
	ctx := context.Background()
	srv := faltest.New() // stands for fal
	defer srv.Close()
	client := srv.Client()

	task := router.Task{Prompt: "a matte black mug on marble, product photography", Size: fal.SquareHD, Seed: fal.Seed(1)}
	drafts := studio.Drafts{Count: 7, Finals: 2}
	plan, err := studio.PlanDrafts(task, drafts)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, then %s: at most %v\n", plan.Draft.Model.Title, plan.Final.Model.Title, plan.Cost.Max)

	made, err := plan.Run(ctx, client, studio.ByScore(drafts.Finals, brightness(client)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, final := range made.Finals {
		fmt.Printf("draft %d became %d×%d pixels\n", made.Picked[i].Index, final.Images()[0].Width, final.Images()[0].Height)
	}
	fmt.Println("billed", made.Billed)
	// Output:
	// FLUX.1 [schnell], then FLUX.2 [pro]: at most $0.081
	// draft 5 became 1024×1024 pixels
	// draft 0 became 1024×1024 pixels
	// billed $0.081
}
