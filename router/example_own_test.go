package router_test

import (
	"encoding/json"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// mug is what the model takes. A seed that a task does not have is left out.
type mug struct {
	Prompt string        `json:"prompt"`
	Seed   *uint64       `json:"seed,omitzero"`
	Size   fal.ImageSize `json:"image_size,omitzero"`
}

// A fine-tune of your own, hosted on fal, is chosen from like the models that
// the package knows.
func ExampleOwnModel() {
	policy := router.DefaultPolicy()
	policy.Models = []router.OwnModel{{
		Model:  router.Model{Name: "acme.Mugs", Endpoint: "acme/mugs", Title: "Acme Mugs", Family: "Acme", What: "our mugs, as they are"},
		Task:   "text-to-image",
		Can:    []router.Feature{router.FeatureSeed, router.FeatureSize},
		Size:   fal.SquareHD,
		Rating: router.Rating{Quality: 8, Speed: 7},
		Price:  pricing.PerMegapixel{Price: pricing.Cent},
		Request: func(t router.Task) fal.Request[fal.Images] {
			return fal.Call[fal.Images]{ID: "acme/mugs", Input: mug{t.Prompt, t.Seed, t.Size}}
		},
	}}
	policy.Rules = append(policy.Rules, router.ScoreRule{
		Name: "our mugs", When: []string{"product"}, Models: []string{"acme.Mugs"}, Points: 40, Because: "it has seen our mugs", Source: "our own tests",
	})
	chooser, err := router.New(policy)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, prompt := range []string{"our mug on marble, product photo", "a sign reading 'OPEN'"} {
		routing, err := chooser.Route(router.Task{Prompt: prompt})
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := json.Marshal(routing.Best().Request)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%v for %v: %s\n%s\n", routing.Best().Model, routing.Best().Expected, routing.Best().Reasons()[0].Text, body)
	}
	// studio.Studio{Router: chooser} does the tasks; chooser.Prices() is for budgets.

	// Output:
	// Acme Mugs (acme.Mugs) for $0.01: it has seen our mugs
	// {"prompt":"our mug on marble, product photo"}
	// Qwen Image (qwen.Image) for $0.02: Qwen Image renders text that is legible and in perspective
	// {"prompt":"a sign reading 'OPEN'"}
}

// A need that no model meets alone takes two steps, which are priced as a whole.
func ExampleCandidate_Steps() {
	routing, err := router.Route(router.Task{Prompt: "a photo of a bar at night", Purpose: router.Poster, Text: []string{"BLUE HOUR"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	best := routing.Best()
	fmt.Printf("%v, then %v: %v, at most %v\n", best.Model, best.Then.Model, best.Expected, best.Max)
	first, then := best.Steps() // studio.Do does both
	fmt.Println("1:", first.Prompt)
	fmt.Println("2:", then(router.Picture{}).Edit)
	// Output:
	// FLUX.2 [pro] (flux.Pro2), then Qwen Image 3 (qwen.Image3Edit): $0.073, at most $0.108
	// 1: a photo of a bar at night. Leave room for lettering, but write none: it is added afterwards.
	// 2: text
}
