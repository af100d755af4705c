// Realtime sends a film frame by frame through FLUX.2 [klein] realtime, and
// writes what comes back as an animated picture.
//
//	go run ./examples/realtime -out out
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"time"

	ximage "golang.org/x/image/draw"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/realtime"
	"github.com/falimage/falimage-go/flux"
)

func main() {
	prompt := flag.String("prompt", "Turn this into a living oil painting", "what becomes of the frames")
	n := flag.Int("frames", 24, "number of frames, 2 to 200")
	out := flag.String("out", "out", "folder for the animation")
	demo.Program{
		Name: "realtime",
		Plan: func() (string, error) {
			if *n < 2 || *n > 200 {
				return "", fmt.Errorf("-frames %d: must be 2 to 200", *n)
			}
			return fmt.Sprintf("%d frames with %s, by the second that the model works\n", *n, flux.KleinRealtime{}.Endpoint()), nil
		},
		Run: func(ctx context.Context) error { return film(ctx, *prompt, *n, *out) },
	}.Main()
}

// client returns a client and what ends it: a simulation where there is no key.
func client() (*fal.Client, func()) {
	if demo.HasKey() {
		return &fal.Client{}, func() {}
	}
	fmt.Println(demo.Note)
	srv := faltest.New(faltest.RunTime(20 * time.Millisecond))
	return srv.Client(), srv.Close
}

func film(ctx context.Context, prompt string, n int, out string) error {
	c, stop := client()
	defer stop()
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	session, err := realtime.Open(ctx, c, flux.KleinRealtime{}.Endpoint(), realtime.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // the camera
		for i := range n {
			err := session.Send(ctx, flux.KleinRealtime{Prompt: prompt, ImageURL: fal.Bytes(frame(i, n)), Seed: fal.Seed(uint64(i) + 1)})
			if err != nil {
				cancel(err)
				return
			}
		}
	}()
	start, animation := time.Now(), &gif.GIF{}
	for result, err := range session.Results(ctx) {
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if len(result.Images) == 0 {
			return errors.New("a result without a picture")
		}
		if err := add(animation, result.Images[0]); err != nil {
			return err
		}
		if len(animation.Image) == n {
			break
		}
	}
	took := time.Since(start)
	fmt.Printf("%d frames in %v, %.1f a second\n", n, took.Round(time.Millisecond), float64(n)/took.Seconds())
	return write(animation, filepath.Join(out, "realtime.gif"))
}

// frame is a frame of the film: a ball that goes round, as a JPEG of the size and
// quality that the model likes best.
func frame(i, n int) []byte {
	const side = 704
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(m, m.Bounds(), image.NewUniform(color.RGBA{30, 40, 70, 255}), image.Point{}, draw.Src)
	angle := 2 * math.Pi * float64(i) / float64(n)
	x, y := side/2+int(220*math.Cos(angle)), side/2+int(220*math.Sin(angle))
	for dy := -90; dy <= 90; dy++ {
		half := int(math.Sqrt(float64(90*90 - dy*dy)))
		draw.Draw(m, image.Rect(x-half, y+dy, x+half, y+dy+1), image.NewUniform(color.RGBA{240, 180, 60, 255}), image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, m, &jpeg.Options{Quality: 50}) // a buffer takes everything
	return b.Bytes()
}

// add adds a picture to the animation, at a quarter of its area.
func add(animation *gif.GIF, f flux.Frame) error {
	m, _, err := image.Decode(bytes.NewReader(f.Content))
	if err != nil {
		return err
	}
	small := image.NewPaletted(image.Rect(0, 0, m.Bounds().Dx()/2, m.Bounds().Dy()/2), palette.Plan9)
	ximage.ApproxBiLinear.Scale(small, small.Bounds(), m, m.Bounds(), draw.Src, nil)
	animation.Image = append(animation.Image, small)
	animation.Delay = append(animation.Delay, 8) // hundredths of a second
	return nil
}

func write(animation *gif.GIF, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = errors.Join(gif.EncodeAll(f, animation), f.Close())
	if err == nil {
		fmt.Println("saved", path)
	}
	return err
}
