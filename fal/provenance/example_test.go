package provenance_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// A picture is made, and its file tells how. From the file alone the request is
// had again, of its type, with its seed.
func Example() {
	srv := faltest.New() // a local fal; with a key, client is &fal.Client{}
	defer srv.Close()
	client, ctx := srv.Client(), context.Background()
	folder, err := os.MkdirTemp("", "provenance")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()

	req := flux.Pro2{Prompt: "a ceramic mug", ImageSize: fal.Size(512, 384), Seed: fal.Seed(42)}
	out, err := fal.Subscribe(ctx, client, req)
	if err != nil {
		fmt.Println(err)
		return
	}
	path := filepath.Join(folder, "mug"+out.Images[0].Extension())
	if err := client.Save(ctx, out.Images[0], path); err != nil {
		fmt.Println(err)
		return
	}
	rec, err := provenance.Of(req, out.Meta, out.Seed)
	if err != nil {
		fmt.Println(err)
		return
	}
	rec.Cost = "$0.03" // what pricing.Settle says was billed
	if err := provenance.MarkFile(path, rec); err != nil {
		fmt.Println(err)
		return
	}

	// A year later:
	rec, err = provenance.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rec.Endpoint, rec.Cost, rec.Source)
	again, err := provenance.Reproduce[fal.Images](rec, nil, flux.Decode, qwen.Decode)
	if err != nil {
		fmt.Println(err) // provenance.ErrNoSeed has the request id: fal.RequestID(err)
		return
	}
	fmt.Printf("%T, %s\n", again, rec.Input)

	// Output:
	// fal-ai/flux-2-pro $0.03 http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia
	// flux.Pro2, {"image_size":{"height":384,"width":512},"prompt":"a ceramic mug","seed":42}
}
