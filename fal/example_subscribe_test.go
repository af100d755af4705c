package fal_test

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// A picture is made and saved. Another model is another type:
// qwen.Image{Prompt: "..."} in place of flux.Pro2.
func ExampleSubscribe() {
	srv := faltest.New() // a local fal; with a key, client is &fal.Client{}
	defer srv.Close()
	client := srv.Client()

	out, err := fal.Subscribe(context.Background(), client, flux.Pro2{
		Prompt:    "a ceramic coffee mug on a marble countertop, morning light",
		ImageSize: fal.Size(512, 384),
		Seed:      fal.Seed(42),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	picture := out.Images[0]
	fmt.Printf("%dx%d, seed %d, %s units billed\n", picture.Width, picture.Height, out.Seed, out.BillableUnits)
	// err = client.Save(ctx, picture, "mug"+picture.Extension())

	// Output:
	// 512x384, seed 42, 1 units billed
}
