// Layers takes a picture apart with Qwen Image Layered, saves each layer with
// its transparency, and puts them together again as a preview.
//
//	go run ./examples/layers -image poster.png -layers 4 -out out
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

func main() {
	path := flag.String("image", "", "picture to take apart; by default one is made first")
	layers := flag.Int("layers", 4, "number of layers, 1 to 10")
	out := flag.String("out", "out", "folder for the layers")
	demo.Program{
		Name: "layers",
		Plan: func() (string, error) { return cost(*path, *layers) },
		Run: func(ctx context.Context) error {
			s, stop, err := demo.Begin("layers", *out)
			if err != nil {
				return err
			}
			defer stop()
			return takeApart(ctx, s, *path, *layers, *out)
		},
	}.Main()
}

var poster = qwen.Image{Prompt: "a poster of a lighthouse, text 'NORTH SEA'", ImageSize: fal.Portrait4x3}

// cost checks the flags and tells what they cost.
func cost(path string, n int) (string, error) {
	if n < 1 || n > 10 {
		return "", fmt.Errorf("-layers %d: must be 1 to 10", n)
	}
	var quotes []pricing.Quote
	picture := fal.Path(path)
	if path == "" {
		q, err := pricing.Estimate(poster)
		if err != nil {
			return "", err
		}
		quotes = append(quotes, q)
		picture = fal.URL("https://example.com/poster.png").Sized(768, 1024)
	} else if err := demo.Readable(path); err != nil {
		return "", err
	}
	q, err := pricing.Estimate(qwen.Layered{ImageURL: picture, NumLayers: n})
	if err != nil {
		return "", err
	}
	return demo.Cost(append(quotes, q)...)
}

func takeApart(ctx context.Context, s *demo.Session, path string, n int, out string) error {
	picture := fal.Path(path)
	if path == "" {
		images, err := demo.Images(ctx, s, poster)
		if err != nil {
			return err
		}
		picture = images[0].File()
	}
	layers, err := demo.Images(ctx, s, qwen.Layered{ImageURL: picture, NumLayers: n})
	if err != nil {
		return err
	}
	ctx, stop := demo.Unstopped(ctx) // from here on everything is paid
	defer stop()
	// All layers at once, by names of which their bytes tell the extension.
	saved, err := s.Client.SaveAll(ctx, layers, filepath.Join(out, "layer-{n}{ext}"))
	if err != nil {
		return err
	}
	var preview *image.NRGBA
	for _, layer := range saved {
		digest, err := layer.SHA256()
		if err != nil {
			return err
		}
		fmt.Printf("saved %s, SHA-256 %.12s\n", layer.Path(), digest)
		m, err := decode(layer)
		if err != nil {
			return err
		}
		if preview == nil {
			preview = image.NewNRGBA(m.Bounds())
		}
		draw.Draw(preview, preview.Bounds(), m, m.Bounds().Min, draw.Over) // the first layer is the lowest
	}
	f, err := os.Create(filepath.Join(out, "layers-preview.png"))
	if err != nil {
		return err
	}
	fmt.Println("saved", f.Name())
	if err := errors.Join(png.Encode(f, preview), f.Close()); err != nil {
		return err
	}
	return s.End()
}

// decode reads a picture that was saved.
func decode(f fal.File) (image.Image, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	m, _, err := image.Decode(r)
	return m, err
}
