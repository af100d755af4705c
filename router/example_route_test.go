package router_test

import (
	"encoding/json"
	"fmt"

	"github.com/falimage/falimage-go/router"
)

// needs are what a shop wants painted, in the words of its editors. No model is
// named.
const needs = `[
	{"prompt": "a matte black mug on marble, product photography", "negative_prompt": "people", "aspect": "4:3"},
	{"prompt": "a poster for a jazz night, headline 'BLUE HOUR'", "aspect": "3:4", "max_price_per_image": "0.04"},
	{"prompt": "一家茶馆的招牌,上面写着“清风茶馆”"},
	{"prompt": "put the mug on a wooden table", "edit": "background", "pictures": [
		{"url": "https://shop.example/mug.png", "width": 1024, "height": 1024}
	]}
]`

func Example() {
	var tasks []router.Task
	if err := json.Unmarshal([]byte(needs), &tasks); err != nil {
		fmt.Println(err)
		return
	}
	for _, task := range tasks {
		routing, err := router.Route(task)
		if err != nil {
			fmt.Println(err) // names the needs that conflict, and the nearest choices
			return
		}
		best, next := routing.Best(), routing.Candidates[1]
		fmt.Printf("%v for %v, or else %v\n", best.Model, best.Expected, next.Model)
		fmt.Println("\tbecause", best.Reasons()[0].Text)
		for _, loss := range best.Losses {
			fmt.Println("\talthough it", loss.Text)
		}
	}
	// fal.Subscribe(ctx, client, routing.Best().Request) paints the picture.

	// Output:
	// Qwen Image 3 (qwen.Image3) for $0.04, or else Qwen Image 2512 (qwen.Image2512)
	// 	because quality 9 of 10, weight 7
	// Qwen Image 3 (qwen.Image3) for $0.04, or else Qwen Image 2.1 (qwen.Image21)
	// 	because Qwen Image 3 takes the place of Qwen Image 2.0 Pro, which is gone from fal's list and which the article advises for infographics, posters and comics
	// Qwen Image (qwen.Image) for $0.02, or else Qwen Image 3 (qwen.Image3)
	// 	because Qwen Image renders text that is legible and in perspective
	// Qwen Image 3 (qwen.Image3Edit) for $0.043, or else FLUX 3 (flux.Image3Edit)
	// 	because Qwen Image 3 takes the place of Qwen Image 2.0 Edit, which fal has withdrawn and which the article advises for style transfer, removal, text and backgrounds
}
