package router_test

import (
	"fmt"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

func ExampleRoute() {
	routing, err := router.Route(router.Task{
		Prompt:           "a poster for a jazz night, headline 'BLUE HOUR'",
		Aspect:           "3:4",
		MaxPricePerImage: 4 * pricing.Cent,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	best := routing.Best()
	fmt.Println(best.Model, best.Expected)
	for _, reason := range best.Reasons() {
		fmt.Println(reason.Points, reason.Text)
	}
	// Output:
	// Qwen Image 2512 (qwen.Image2512) $0.02
	// 25 Qwen Image renders text that is legible and in perspective
	// 10 layouts with readable text suit the Qwen family
	// 49 quality 7 of 10, weight 7
	// 4 speed 4 of 10, weight 1
	// 12 price $0.02, 6 of 10, weight 2
}

func ExampleRoute_conflict() {
	_, err := router.Route(router.Task{Prompt: "a lighthouse", MaxPricePerImage: pricing.Cent / 10})
	fmt.Println(err)
	// Output:
	// router: no model can do all of this together: a price of at most $0.001 for each picture; without "a price of at most $0.001 for each picture": FLUX.1 [schnell] (flux.Schnell) for $0.003
}

func ExampleTrainers() {
	trainers, err := router.Trainers(router.TrainingTask{Lesson: router.LearnSubject, Ecosystem: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	best := trainers[0]
	fmt.Println(best.Model, best.Quote.Expected, best.Reasons[0].Text)
	// Output:
	// FLUX.1 [dev] (flux.FastTrainer) $2.00 FLUX has a mature LoRA ecosystem with established tools
}
