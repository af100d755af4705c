package batch_test

import (
	"bytes"
	"image"
	"image/png"
	"regexp"
	"testing"
)

var sums = regexp.MustCompile("-[0-9a-f]{12}")

// pngOf returns a picture of a size.
func pngOf(t *testing.T, side int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
