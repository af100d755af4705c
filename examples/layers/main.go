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
	"github.com/falimage/falimage-go/qwen"
)

func main() {
	path := flag.String("image", "", "picture to take apart; by default one is made first")
	layers := flag.Int("layers", 4, "number of layers, 1 to 10")
	out := flag.String("out", "out", "folder for the layers")
	flag.Parse()
	demo.Main(func(ctx context.Context, client *fal.Client) error {
		return takeApart(ctx, client, *path, *layers, *out)
	})
}

func takeApart(ctx context.Context, client *fal.Client, path string, n int, out string) error {
	picture := fal.Path(path)
	if path == "" {
		images, err := demo.Images(ctx, client, qwen.Image{Prompt: "a poster of a lighthouse, text 'NORTH SEA'", ImageSize: fal.Portrait4x3})
		if err != nil {
			return err
		}
		picture = images[0].File()
	}
	layers, err := demo.Images(ctx, client, qwen.Layered{ImageURL: picture, NumLayers: n})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var preview *image.NRGBA
	for i, layer := range layers {
		path := filepath.Join(out, fmt.Sprintf("layer-%02d%s", i+1, layer.Extension()))
		if err := client.Save(ctx, layer, path); err != nil {
			return err
		}
		fmt.Println("saved", path)
		m, err := client.Decode(ctx, layer)
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
	return errors.Join(png.Encode(f, preview), f.Close())
}
