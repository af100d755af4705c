package fal_test

import (
	"context"
	"fmt"
	"image"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// Pictures that are on this computer are uploaded when the request is sent,
// each content once. A result is given on by its URL, without being fetched.
func ExampleFile() {
	srv := faltest.New()
	defer srv.Close()
	client, ctx := srv.Client(), context.Background()

	mug := fal.Picture(image.NewGray(image.Rect(0, 0, 256, 256))) // or fal.Path("mug.png")
	edited, err := fal.Subscribe(ctx, client, flux.Pro2Edit{Prompt: "paint @image1 blue", ImageURLs: []fal.File{mug}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = fal.Subscribe(ctx, client, flux.Pro2Edit{
		Prompt: "put @image1 beside @image2", ImageURLs: []fal.File{edited.Images[0].File(), mug},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("uploads:", srv.Ledger().Uploads)

	// What cannot be read is told before anything is uploaded or sent.
	_, err = fal.Subscribe(ctx, client, flux.Pro2Edit{Prompt: "x", ImageURLs: []fal.File{mug, fal.Bytes(nil)}})
	fmt.Println(err)

	// Output:
	// uploads: 1
	// fal-ai/flux-2-pro/edit: not sent: image_urls[1]: file in memory: the file is empty
}
