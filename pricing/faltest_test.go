package pricing_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// What the local fal bills is what was quoted, by every kind of rule: the two
// count the same units.
func TestLocalFalBillsAsQuoted(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	ref := fal.Bytes(pngFile(t, 2100, 1000)) // 3 MP
	size := fal.Size(1920, 1080)
	for _, r := range []fal.Request[fal.Images]{
		flux.Schnell{Prompt: "x", ImageSize: size, NumImages: 2},
		flux.Pro2{Prompt: "x", ImageSize: size},
		flux.Pro2Edit{Prompt: "x", ImageSize: size, ImageURLs: []fal.File{ref, ref}},
		flux.Max2{Prompt: "x", ImageSize: size},
		flux.Max2Edit{Prompt: "x", ImageSize: size, ImageURLs: []fal.File{ref}},
		flux.Flex2Edit{Prompt: "x", ImageSize: size, ImageURLs: []fal.File{ref}},
		flux.Dev2Edit{Prompt: "x", ImageSize: size, ImageURLs: []fal.File{ref, ref}},
		flux.KontextPro{Prompt: "x", ImageURL: ref},
		flux.Pro11Ultra{Prompt: "x"},
		qwen.Image{Prompt: "x", ImageSize: size, UseTurbo: true},
		qwen.Edit2511{Prompt: "x", ImageSize: size, ImageURLs: []fal.File{ref}},
		qwen.Image3{Prompt: "x", NumImages: 2},
	} {
		quote := estimate(t, r)
		out, err := fal.Subscribe(t.Context(), client, r)
		if err != nil {
			t.Errorf("%s: %v", r.Endpoint(), err)
			continue
		}
		bill, err := pricing.Settle(quote, out.Meta)
		if err != nil || !quote.Exact() || bill.Difference != 0 || !bill.Within || bill.Units != quote.Units() {
			t.Errorf("%s: %v, %v; the quote:\n%v", r.Endpoint(), bill, err, quote)
		}
		if m := pricing.Mismatches(quote, out.Images); len(m) != 0 {
			t.Errorf("%s: %v", r.Endpoint(), m)
		}
	}
}

// Measure reads the heads of remote pictures; what it cannot read is an error
// that leaves the estimate.
func TestMeasure(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, 1500, 1000))); err != nil { // 2 MP
		t.Fatal(err)
	}
	uploaded, err := client.Upload(t.Context(), fal.Bytes(buf.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if q := estimate(t, flux.Pro2Edit{Prompt: "x", ImageSize: fal.SquareHD, ImageURLs: []fal.File{uploaded}}); !q.Exact() {
		t.Errorf("the size of what was uploaded is not known: %v", q)
	}
	address, _ := uploaded.URL()
	remote := fal.URL(address) // as somebody else gives it, without its size
	req := flux.Pro2Edit{Prompt: "x", ImageSize: fal.SquareHD, ImageURLs: []fal.File{remote, remote}}
	if q := estimate(t, req); q.Exact() {
		t.Fatalf("the size is known before: %v", q)
	}
	q, err := pricing.Measure(t.Context(), client, req)
	if err != nil || !q.Exact() || q.Expected != 9*pricing.Cent {
		t.Errorf("%v, %v, want $0.09", q, err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	req.ImageURLs = append(req.ImageURLs, fal.URL(gone.URL+"/a.png"))
	if q, err := pricing.Measure(t.Context(), client, req); err == nil || q.Max <= q.Min {
		t.Errorf("%v, %v, want an error and a range", q, err)
	}
}

// What would be refused has no price.
func TestNoPriceForInvalid(t *testing.T) {
	t.Parallel()
	_, err := pricing.Estimate(flux.Schnell{Prompt: "x", NumImages: 9})
	if invalid, ok := errors.AsType[*fal.ValidationError](err); !ok || invalid.Problems[0].Field != "num_images" {
		t.Errorf("nine pictures: %v", err)
	}
}
