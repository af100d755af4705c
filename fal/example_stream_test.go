package fal_test

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// A picture is shown while it gets better. The last one is the final one.
func ExampleStream() {
	srv := faltest.New()
	defer srv.Close()

	var final *fal.Images
	for out, err := range fal.Stream(context.Background(), srv.Client(), flux.DevLoRA{Prompt: "a fox in the snow"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		final = out // show it
	}
	fmt.Println(len(final.Images), "picture")

	// Output:
	// 1 picture
}
