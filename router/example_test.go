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
		MaxPricePerImage: 5 * pricing.Cent,
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
	advice, why := routing.Article()
	fmt.Printf("the article: %v, but %s\n", advice, why)
	// Output:
	// Qwen Image 3 (qwen.Image3) $0.04
	// 30 Qwen Image 3 takes the place of Qwen Image 2.0 Pro, which is gone from fal's list and which the article advises for infographics, posters and comics
	// 25 Qwen Image renders text that is legible and in perspective
	// 10 layouts with readable text suit the Qwen family
	// 63 quality 9 of 10, weight 7
	// 3 speed 3 of 10, weight 1
	// 8 price $0.04, 4 of 10, weight 2
	// the article: Qwen Image 2512 (qwen.Image2512), but Qwen Image 3 came after the article: Qwen Image 3 takes the place of Qwen Image 2.0 Pro, which is gone from fal's list and which the article advises for infographics, posters and comics
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
