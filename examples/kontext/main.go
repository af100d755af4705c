// Kontext edits a picture step by step with FLUX.1 Kontext [pro], which keeps
// the character through all of them.
//
//	go run ./examples/kontext -image portrait.jpg -out out "give her a red scarf" "make it winter"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

func main() {
	path := flag.String("image", "", "picture to begin with; by default one is made first")
	out := flag.String("out", "out", "folder for the pictures")
	var edits []string
	demo.Program{
		Name: "kontext", Args: true,
		Plan: func() (string, error) {
			if edits = flag.Args(); len(edits) == 0 {
				edits = []string{"give her a red scarf", "make it winter", "turn it into a watercolour, keep her face"}
			}
			return cost(*path, edits)
		},
		Run: func(ctx context.Context) error {
			s, stop, err := demo.Begin("kontext", *out)
			if err != nil {
				return err
			}
			defer stop()
			return edit(ctx, s, *path, edits, *out)
		},
	}.Main()
}

var portrait = flux.Pro11{Prompt: "portrait of a woman in a park, 85mm", ImageSize: fal.Portrait4x3}

// cost checks the arguments and tells what they cost.
func cost(path string, edits []string) (string, error) {
	var quotes []pricing.Quote
	picture := fal.Path(path)
	if path == "" {
		q, err := pricing.Estimate(portrait)
		if err != nil {
			return "", err
		}
		quotes = append(quotes, q)
		picture = fal.URL("https://example.com/portrait.jpg").Sized(768, 1024)
	} else if err := demo.Readable(path); err != nil {
		return "", err
	}
	for _, instruction := range edits {
		if strings.TrimSpace(instruction) == "" {
			return "", errors.New("an edit is empty")
		}
		if strings.HasPrefix(instruction, "-") {
			return "", fmt.Errorf("%q: flags come before the edits", instruction)
		}
		q, err := pricing.Estimate(flux.KontextPro{Prompt: instruction, ImageURL: picture})
		if err != nil {
			return "", err
		}
		quotes = append(quotes, q)
	}
	return demo.Cost(quotes...)
}

func edit(ctx context.Context, s *demo.Session, path string, edits []string, out string) error {
	picture := fal.Path(path)
	if path == "" {
		images, err := demo.Images(ctx, s, portrait)
		if err != nil {
			return err
		}
		picture = images[0].File()
	}
	for i, instruction := range edits {
		images, err := demo.Images(ctx, s, flux.KontextPro{Prompt: instruction, ImageURL: picture})
		if err != nil {
			return err
		}
		if err := s.Save(ctx, images[0], filepath.Join(out, fmt.Sprintf("kontext-%d%s", i+1, images[0].Extension()))); err != nil {
			return err
		}
		picture = images[0].File() // the next edit starts from here
	}
	return s.End()
}
