// Structured composes an advertisement with FLUX.2 [pro]: three references, a
// prompt in parts, and exact brand colours.
//
//	go run ./examples/structured -out out
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

// The brand's colours.
const (
	green flux.Color = "#2ECC71 (emerald green)"
	dark  flux.Color = "#1A1A2E (midnight blue)"
)

func main() {
	out := flag.String("out", "out", "folder for the picture")
	flag.Parse()
	demo.Main(func(ctx context.Context, client *fal.Client) error { return compose(ctx, client, *out) })
}

func compose(ctx context.Context, client *fal.Client, out string) error {
	// Cheap drafts stand in for a photographer's pictures.
	var refs flux.Refs
	var names []string
	for _, what := range []string{"a ceramic coffee mug on white", "an oak table in a kitchen", "a potted succulent on white"} {
		images, err := demo.Images(ctx, client, flux.Schnell{Prompt: what, ImageSize: fal.SquareHD})
		if err != nil {
			return err
		}
		names = append(names, refs.Add(images[0].File()))
	}
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
		return err
	}
	fmt.Println(prompt.Prompt())

	images, err := demo.Images(ctx, client, flux.Pro2Edit{
		Prompt:    prompt.Prompt(),
		ImageURLs: refs.Files(),
		ImageSize: fal.Landscape4x3,
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	path := filepath.Join(out, "structured"+images[0].Extension())
	fmt.Println("saved", path)
	return client.Save(ctx, images[0], path)
}
