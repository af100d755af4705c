package realtime_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/realtime"
	"github.com/falimage/falimage-go/flux"
)

// Frames go out while results come in. Send waits when the model falls behind,
// so that no frame is lost.
func Example() {
	srv := faltest.New() // a local fal; with a key, client is &fal.Client{}
	defer srv.Close()
	client, ctx := srv.Client(), context.Background()

	session, err := realtime.Open(ctx, client, flux.KleinRealtime{}.Endpoint(), realtime.Options{MaxBuffering: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = session.Close() }()

	const frames = 3
	go func() {
		for i := range uint64(frames) {
			var picture bytes.Buffer // of a camera, say
			_ = jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 704, 704)), nil)
			err := session.Send(ctx, flux.KleinRealtime{
				Prompt: "oil painting", ImageURL: fal.Bytes(picture.Bytes()), Seed: fal.Seed(100 + i),
			})
			if err != nil {
				fmt.Println(err)
			}
		}
	}()
	n := 0
	for out, err := range session.Results(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		picture := out.Images[0]
		fmt.Printf("seed %d: %dx%d, %s\n", out.Seed, picture.Width, picture.Height, picture.ContentType)
		if n++; n == frames {
			break
		}
	}

	// Output:
	// seed 100: 768x768, image/jpeg
	// seed 101: 768x768, image/jpeg
	// seed 102: 768x768, image/jpeg
}
