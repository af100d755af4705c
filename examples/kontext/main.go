// Kontext edits a picture step by step with FLUX.1 Kontext [pro], which keeps
// the character through all of them.
//
//	go run ./examples/kontext -image portrait.jpg -out out "give her a red scarf" "make it winter"
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

func main() {
	path := flag.String("image", "", "picture to begin with; by default one is made first")
	out := flag.String("out", "out", "folder for the pictures")
	flag.Parse()
	edits := flag.Args()
	if len(edits) == 0 {
		edits = []string{"give her a red scarf", "make it winter", "turn it into a watercolour, keep her face"}
	}
	demo.Main(func(ctx context.Context, client *fal.Client) error {
		return edit(ctx, client, *path, edits, *out)
	})
}

func edit(ctx context.Context, client *fal.Client, path string, edits []string, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	picture := fal.Path(path)
	if path == "" {
		images, err := demo.Images(ctx, client, flux.Pro11{Prompt: "portrait of a woman in a park, 85mm", ImageSize: fal.Portrait4x3})
		if err != nil {
			return err
		}
		picture = images[0].File()
	}
	for i, instruction := range edits {
		images, err := demo.Images(ctx, client, flux.KontextPro{Prompt: instruction, ImageURL: picture})
		if err != nil {
			return err
		}
		path := filepath.Join(out, fmt.Sprintf("kontext-%d%s", i+1, images[0].Extension()))
		if err := client.Save(ctx, images[0], path); err != nil {
			return err
		}
		fmt.Printf("saved %s: %s\n", path, instruction)
		picture = images[0].File() // the next edit starts from here
	}
	return nil
}
