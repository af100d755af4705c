package sheet_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"testing"
	"time"

	"github.com/falimage/falimage-go/router/sheet"
)

var (
	red  = color.RGBA{0xd0, 0x20, 0x20, 0xff}
	blue = color.RGBA{0x20, 0x40, 0xd0, 0xff}
)

// flat returns a picture of one colour.
func flat(c color.Color, w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, c)
		}
	}
	return m
}

func pngOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func gifOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, m, nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// webpDot is a WebP picture of one pixel.
func webpDot(tb testing.TB) []byte {
	tb.Helper()
	b, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// one is a sheet with one entry.
func one(e sheet.Entry) *sheet.Sheet {
	return &sheet.Sheet{Title: "Foxes", Sections: []sheet.Section{{Title: "Red", Entries: []sheet.Entry{e}}}}
}

// full is a sheet that has everything.
func full(tb testing.TB) *sheet.Sheet {
	tb.Helper()
	return &sheet.Sheet{
		Title: "A red fox",
		Note:  "3 models, $0.09",
		Sections: []sheet.Section{
			{
				Title:  "Models",
				Prompt: "a red fox in the snow",
				Entries: []sheet.Entry{
					{
						Title: "FLUX.2 [pro]", Endpoint: "fal-ai/flux-2-pro", Picture: pngOf(tb, flat(red, 64, 48)),
						URL: "https://files.example/fox.png?a=1&b=2", Price: "$0.045", Elapsed: 6430 * time.Millisecond,
						Seed: new(uint64(math.MaxUint64)), RequestID: "764cabcf", Reasons: []string{"the cheapest", "obeys hex colours"}, Picked: true,
					},
					{Title: "Qwen Image", Picture: jpegOf(tb, flat(blue, 64, 48)), Prompt: "雪中的红狐", Alt: "A fox sits."},
					{Title: "FLUX.1 [dev]", Error: "the budget was spent"},
				},
			},
			{
				Prompt: "the same from afar",
				Entries: []sheet.Entry{
					{Endpoint: "fal-ai/flux/dev", URL: "http://files.example/far.webp", Prompt: "the same from afar"},
					{Picture: webpDot(tb)},
				},
			},
			{Title: "Nothing"},
		},
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		entry sheet.Entry
		want  string
	}{
		{"javascript", sheet.Entry{Title: "T", URL: "javascript:alert(1)"}, `sheet: section 1 ("Red"), entry 1 ("T"): the URL "javascript:alert(1)" is no http or https address`},
		{"javascript with a host", sheet.Entry{URL: "javascript://x/%0aalert(1)"}, `sheet: section 1 ("Red"), entry 1: the URL "javascript://x/%0aalert(1)" is no http or https address`},
		{"file", sheet.Entry{URL: "file:///etc/passwd"}, `sheet: section 1 ("Red"), entry 1: the URL "file:///etc/passwd" is no http or https address`},
		{"data", sheet.Entry{URL: "data:image/png;base64,AAAA"}, `sheet: section 1 ("Red"), entry 1: the URL "data:image/png;base64,AAAA" is no http or https address`},
		{"relative", sheet.Entry{URL: "//files.example/a.png"}, `sheet: section 1 ("Red"), entry 1: the URL "//files.example/a.png" is no http or https address`},
		{"no host", sheet.Entry{URL: "https:/a.png"}, `sheet: section 1 ("Red"), entry 1: the URL "https:/a.png" is no http or https address`},
		{"control", sheet.Entry{URL: "https://files.example/\x00"}, `sheet: section 1 ("Red"), entry 1: the URL "https://files.example/` + "\uFFFD" + `" is no http or https address`},
		{"beside a picture", sheet.Entry{Picture: webpDot(t), URL: "javascript:1"}, `sheet: section 1 ("Red"), entry 1: the URL "javascript:1" is no http or https address`},
		{"text", sheet.Entry{Title: "T", Picture: []byte("<svg onload=alert(1)>")}, `sheet: section 1 ("Red"), entry 1 ("T"): the picture is no PNG, JPEG, WebP or GIF`},
		{"cut header", sheet.Entry{Picture: pngOf(t, flat(red, 1, 1))[:20]}, `sheet: section 1 ("Red"), entry 1: the header of the picture cannot be read: unexpected EOF`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := one(tt.entry)
			for name, write := range map[string]func(io.Writer) error{"HTML": s.WriteHTML, "PNG": s.WritePNG} {
				var b bytes.Buffer
				err := write(&b)
				if err == nil || err.Error() != tt.want {
					t.Errorf("%s: error %v, want %s", name, err, tt.want)
				}
				if b.Len() != 0 {
					t.Errorf("%s: %d bytes were written", name, b.Len())
				}
			}
		})
	}
}

// stingy takes so many bytes and no more.
type stingy int

var errFull = errors.New("no space left")

func (s *stingy) Write(b []byte) (int, error) {
	if len(b) > int(*s) {
		n := int(*s)
		*s = 0
		return n, errFull
	}
	*s -= stingy(len(b))
	return len(b), nil
}

func TestWriteFails(t *testing.T) {
	t.Parallel()
	s := full(t)
	s.Sections[0].Entries[1].Picture = append(jpegOf(t, flat(blue, 64, 48)), make([]byte, 300<<10)...)
	for name, write := range map[string]func(io.Writer) error{"HTML": s.WriteHTML, "PNG": s.WritePNG} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, b.Len() / 3, b.Len() - 1} {
			if err := write(new(stingy(n))); !errors.Is(err, errFull) {
				t.Errorf("%s, %d bytes: error %v, want %v", name, n, err, errFull)
			}
		}
	}
}
