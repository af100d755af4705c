// Mug is the first program of the README.
package main

import (
	"context"
	"log"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

func main() {
	client := &fal.Client{} // the key comes from FAL_KEY
	out, err := fal.Subscribe(context.Background(), client, flux.Image3{
		Prompt: "a ceramic coffee mug on a marble countertop, morning light",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Save(context.Background(), out.Images[0], "mug"+out.Images[0].Extension()); err != nil {
		log.Fatal(err)
	}
}
