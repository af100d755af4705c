package flux_test

import (
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

// Requests with the same fields convert into one another.
func Example_convert() {
	draft := flux.Turbo2{Prompt: "a ceramic coffee mug", ImageSize: fal.Size(1024, 1024)}
	fmt.Println(draft.Endpoint())
	fmt.Println(flux.Flash2(draft).Endpoint())
	// Output:
	// fal-ai/flux-2/turbo
	// fal-ai/flux-2/flash
}

// A gateway knows only at run time which model is called.
func ExampleDecode() {
	request, err := flux.Decode("fal-ai/flux/schnell", []byte(`{"prompt": "a mug", "num_images": 2}`))
	fmt.Printf("%T %v\n", request, err)

	_, err = flux.Decode("fal-ai/flux/schnell", []byte(`{"num_images": 9, "style": "oil"}`))
	fmt.Println(err)
	// Output:
	// flux.Schnell <nil>
	// fal-ai/flux/schnell: invalid request: style: "oil": is not a field of this endpoint; prompt: is required; num_images: 9: must be 1 to 4
}

func ExampleModels() {
	for _, m := range flux.Models() {
		if m.Name != "Pro2" {
			continue
		}
		fmt.Println(m.Endpoint, "-", m.Title)
		for _, f := range m.Fields {
			fmt.Println(f.Name, f.Type)
		}
	}
	// Output:
	// fal-ai/flux-2-pro - FLUX.2 [pro]
	// prompt string
	// image_size size
	// seed seed
	// safety_tolerance enum
	// enable_safety_checker boolean
	// output_format enum
	// sync_mode boolean
}
