// Structured composes an advertisement with FLUX.2 [pro]: three references, a
// prompt in parts, and exact brand colours.
//
//	go run ./examples/structured -out out
package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

// The brand's colours.
const (
	green flux.Color = "#2ECC71 (emerald green)"
	dark  flux.Color = "#1A1A2E (midnight blue)"
)

func main() {
	out := flag.String("out", "out", "folder for the picture")
	demo.Program{
		Name: "structured",
		Plan: cost,
		Run: func(ctx context.Context) error {
			s, stop, err := demo.Begin("structured", *out)
			if err != nil {
				return err
			}
			defer stop()
			return compose(ctx, s, *out)
		},
	}.Main()
}

// parts are cheap drafts that stand in for a photographer's pictures.
var parts = []string{"a ceramic coffee mug on white", "an oak table in a kitchen", "a potted succulent on white"}

func part(what string) flux.Schnell { return flux.Schnell{Prompt: what, ImageSize: fal.SquareHD} }

// cost tells what it costs.
func cost() (string, error) {
	var quotes []pricing.Quote
	var refs flux.Refs
	var names []string
	for _, what := range parts {
		q, err := pricing.Estimate(part(what))
		if err != nil {
			return "", err
		}
		quotes = append(quotes, q)
		names = append(names, refs.Add(fal.URL("https://example.com/"+strings.ReplaceAll(what, " ", "-")).Sized(1024, 1024)))
	}
	final, err := advertisement(names, refs.Files())
	if err != nil {
		return "", err
	}
	q, err := pricing.Estimate(final)
	if err != nil {
		return "", err
	}
	return demo.Cost(append(quotes, q)...)
}

func compose(ctx context.Context, s *demo.Session, out string) error {
	var refs flux.Refs
	var names []string
	for _, what := range parts {
		images, err := demo.Images(ctx, s, part(what))
		if err != nil {
			return err
		}
		names = append(names, refs.Add(images[0].File()))
	}
	final, err := advertisement(names, refs.Files())
	if err != nil {
		return err
	}
	fmt.Println(final.Prompt)
	images, err := demo.Images(ctx, s, final)
	if err != nil {
		return err
	}
	if err := s.Save(ctx, images[0], filepath.Join(out, "structured"+images[0].Extension())); err != nil {
		return err
	}
	return s.End()
}

// advertisement returns the request for the whole, of references by their names.
func advertisement(names []string, files []fal.File) (flux.Pro2Edit, error) {
	mug, table, plant := names[0], names[1], names[2]

	prompt := flux.StructuredPrompt{
		Scene: "morning in a bright kitchen",
		Subjects: []flux.PromptSubject{
			{Description: "the mug of " + mug + " with a matte glaze", Position: "foreground", Colors: []flux.Color{green}},
			{Description: "the table of " + table, Position: "midground"},
			{Description: "the plant of " + plant + ", slightly out of focus", Position: "background"},
		},
		Style:        "editorial product photography",
		ColorPalette: []flux.Color{green, dark, "warm white"},
		Lighting:     "soft window light from the left",
		Composition:  "rule of thirds",
		Camera:       flux.PromptCamera{Angle: "eye level", LensMM: 85, FNumber: "f/2.8", ISO: 200},
	}
	if err := prompt.Validate(); err != nil {
		return flux.Pro2Edit{}, err
	}
	fmt.Println(prompt.Prompt())

	return flux.Pro2Edit{Prompt: prompt.Prompt(), ImageURLs: files, ImageSize: fal.Landscape4x3}, nil
}
