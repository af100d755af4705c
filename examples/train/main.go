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
	"github.com/falimage/falimage-go/pricing"
)

func main() {
	var o options
	flag.StringVar(&o.folder, "folder", "", "folder with pictures and captions")
	flag.StringVar(&o.caption, "caption", "a picture of TOK", "caption of pictures without one")
	flag.StringVar(&o.prompt, "prompt", "TOK on a beach", "what to make with the LoRA")
	flag.IntVar(&o.steps, "steps", 1000, "training steps")
	flag.StringVar(&o.out, "out", "out", "folder for the picture and the LoRA")
	var trainer flux.Dev2Trainer
	demo.Program{
		Name: "train",
		Plan: func() (cost string, err error) {
			trainer, cost, err = prepare(o)
			return cost, err
		},
		Run: func(ctx context.Context) error {
			s, stop, err := demo.Begin("train", o.out)
			if err != nil {
				return err
			}
			defer stop()
			return train(ctx, s, trainer, o)
		},
	}.Main()
}

// options are what the flags say.
type options struct {
	folder, caption, prompt, out string
	steps                        int
}

// prepare checks the flags, packs the training set, and tells what it costs.
func prepare(o options) (trainer flux.Dev2Trainer, cost string, err error) {
	if o.steps < 1 {
		return trainer, "", fmt.Errorf("-steps %d: must be at least 1", o.steps)
	}
	set := dataset.Images(swatches()...)
	if o.folder != "" {
		set = dataset.ReadImages(os.DirFS(o.folder))
	}
	trainer = flux.Dev2Trainer{Steps: o.steps, DefaultCaption: o.caption}
	trainer.ImageDataURL, err = set.Pack(trainer, dataset.Options{})
	if err != nil {
		return trainer, "", err
	}
	training, err := pricing.Estimate(trainer)
	if err != nil {
		return trainer, "", err
	}
	picture, err := pricing.Estimate(flux.Dev2LoRA{Prompt: o.prompt, LoRAs: []flux.LoRA{{Path: "https://example.com/lora.safetensors"}}})
	if err != nil {
		return trainer, "", err
	}
	cost, err = demo.Cost(training, picture)
	return trainer, cost, err
}

// train trains a LoRA, saves it, and makes a picture with it.
func train(ctx context.Context, s *demo.Session, trainer flux.Dev2Trainer, o options) error {
	trained, err := demo.Run(ctx, s, trainer, func(t *fal.Training) fal.Meta { return t.Meta })
	if err != nil {
		return err
	}
	// The LoRA is the dear part: it is saved before anything else.
	if err := s.Save(ctx, trained.LoRA, filepath.Join(o.out, "lora.safetensors")); err != nil {
		return err
	}
	images, err := demo.Images(ctx, s, flux.Dev2LoRA{Prompt: o.prompt, LoRAs: []flux.LoRA{{File: trained.LoRA.File()}}})
	if err != nil {
		return err
	}
	if err := s.Save(ctx, images[0], filepath.Join(o.out, "trained"+images[0].Extension())); err != nil {
		return err
	}
	return s.End()
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
