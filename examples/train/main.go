// Train makes a LoRA from a folder of pictures and captions, and a picture
// with that LoRA.
//
//	go run ./examples/train -folder photos -caption "a photo of TOK" -prompt "TOK on a beach"
//
// The folder holds pictures (NAME.png, .jpg or .webp) and their captions
// (NAME.txt). Without -folder, a few pictures are drawn to train on.
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"path/filepath"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
	"github.com/falimage/falimage-go/flux"
)

func main() {
	folder := flag.String("folder", "", "folder with pictures and captions")
	caption := flag.String("caption", "a picture of TOK", "caption of pictures without one")
	prompt := flag.String("prompt", "TOK on a beach", "what to make with the LoRA")
	steps := flag.Int("steps", 1000, "training steps")
	out := flag.String("out", "out", "folder for the picture and the LoRA")
	flag.Parse()
	set := dataset.Images(swatches()...)
	if *folder != "" {
		set = dataset.ReadImages(os.DirFS(*folder))
	}
	demo.Main(func(ctx context.Context, client *fal.Client) error {
		archive, err := set.Pack(dataset.Options{Trainer: "fal-ai/flux-2-trainer", DefaultCaption: *caption})
		if err != nil {
			return err
		}
		trainer := flux.Dev2Trainer{ImageDataURL: archive, Steps: *steps, DefaultCaption: *caption}
		trained, err := demo.Run(ctx, client, trainer, func(t *fal.Training) fal.Meta { return t.Meta })
		if err != nil {
			return err
		}
		images, err := demo.Images(ctx, client, flux.Dev2LoRA{
			Prompt: *prompt,
			LoRAs:  []flux.LoRA{{Path: trained.LoRA.URL}},
		})
		if err != nil {
			return err
		}
		if err := os.MkdirAll(*out, 0o755); err != nil {
			return err
		}
		if err := client.Save(ctx, trained.LoRA, filepath.Join(*out, "lora.safetensors")); err != nil {
			return err
		}
		path := filepath.Join(*out, "trained"+images[0].Extension())
		fmt.Println("saved", path)
		return client.Save(ctx, images[0], path)
	})
}

// swatches draws pictures to train on.
func swatches() []dataset.Image {
	var items []dataset.Image
	for i := range 6 {
		m := image.NewNRGBA(image.Rect(0, 0, 512, 512))
		draw.Draw(m, m.Bounds(), image.NewUniform(color.NRGBA{uint8(40 * i), 120, 200, 255}), image.Point{}, draw.Src)
		items = append(items, dataset.Image{File: fal.Picture(m)})
	}
	return items
}
