package exif

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	imagejpeg "image/jpeg"
	imagepng "image/png"
	"io"

	_ "golang.org/x/image/webp" // for image.Decode
)

// MaxPixels is how large a picture should be at most that is turned: it is held
// in memory.
const MaxPixels = 64 << 20

// Upright writes a picture as it is shown, where turn is its [Orientation]: JPEG
// as JPEG, PNG and WebP as PNG, since there is no writer of WebP.
func Upright(dst io.Writer, src io.Reader, turn int) error {
	m, format, err := image.Decode(src)
	if err != nil {
		return err
	}
	stored, ok := m.(image.RGBA64Image)
	if !ok {
		return fmt.Errorf("a picture held as %T cannot be turned", m)
	}
	t := turned{stored, turn}
	if format == "jpeg" {
		// From here the encoder is many times as fast.
		flat := image.NewRGBA(t.Bounds())
		draw.Draw(flat, flat.Bounds(), t, image.Point{}, draw.Src)
		return imagejpeg.Encode(dst, flat, &imagejpeg.Options{Quality: 95})
	}
	return imagepng.Encode(dst, t)
}

// turned is a picture as it is shown.
type turned struct {
	image.RGBA64Image

	turn int
}

// Bounds is an [image.Image]'s.
func (t turned) Bounds() image.Rectangle {
	b := t.RGBA64Image.Bounds()
	if t.turn > 4 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

// ColorModel keeps 16 bits where there are so many, and no palette.
func (t turned) ColorModel() color.Model {
	switch m := t.RGBA64Image.ColorModel(); m {
	case color.GrayModel, color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		return m
	}
	return color.NRGBAModel
}

// At is an [image.Image]'s.
func (t turned) At(x, y int) color.Color {
	x, y = t.stored(x, y)
	return t.RGBA64Image.At(x, y)
}

// RGBA64At is an [image.RGBA64Image]'s, which package draw asks for no colour
// on the heap.
func (t turned) RGBA64At(x, y int) color.RGBA64 {
	x, y = t.stored(x, y)
	return t.RGBA64Image.RGBA64At(x, y)
}

// stored returns where a pixel that is shown at x, y is stored.
func (t turned) stored(x, y int) (int, int) {
	b := t.RGBA64Image.Bounds()
	if t.turn > 4 {
		x, y = y, x
	}
	switch t.turn {
	case 2, 3, 7, 8:
		x = b.Dx() - 1 - x
	}
	switch t.turn {
	case 3, 4, 6, 7:
		y = b.Dy() - 1 - y
	}
	return b.Min.X + x, b.Min.Y + y
}
