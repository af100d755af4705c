package pricing_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

func BenchmarkEstimateTextToImage(b *testing.B) {
	// The prompt is made at run time: the compiler keeps constant requests in
	// the program itself, which would hide an allocation.
	req := flux.Pro2{Prompt: strings.Repeat("a mug ", 3), ImageSize: fal.Size(1920, 1080)}
	b.ReportAllocs()
	for b.Loop() {
		q, err := pricing.Estimate(req)
		if err != nil || q.Expected != 45*pricing.Cent/10 {
			b.Fatal(q, err)
		}
	}
}

func BenchmarkEstimateTwoLocalReferences(b *testing.B) {
	req := flux.Pro2Edit{
		Prompt: "both mugs", ImageSize: fal.SquareHD,
		ImageURLs: []fal.File{fal.Path(picture(b, "a.png", 1200, 900)), fal.Path(picture(b, "b.jpg", 3000, 2000))},
	}
	b.ReportAllocs()
	for b.Loop() {
		q, err := pricing.Estimate(req)
		if err != nil || q.Expected != 12*pricing.Cent { // 0.03 + 2 MP and 4 MP (of 6) at 0.015
			b.Fatal(q, err)
		}
	}
}

// picture writes a picture file and returns its path.
func picture(tb testing.TB, name string, width, height int) string {
	tb.Helper()
	var buf bytes.Buffer
	m := image.NewGray(image.Rect(0, 0, width, height))
	var err error
	if filepath.Ext(name) == ".png" {
		err = png.Encode(&buf, m)
	} else {
		err = jpeg.Encode(&buf, m, nil)
	}
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
