package fal_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
)

// How long a result may be follows from what was asked for.
func TestMaxResult(t *testing.T) {
	t.Parallel()
	const inline, plain = `{"sync_mode":true}`, `{"prompt":"x"}`
	const mib = 1 << 20
	for _, tt := range []struct {
		name, body string
		usage      fal.Usage
		want       int64
	}{
		{"nothing known", plain, fal.Usage{}, 64 * mib},
		{"no body", "", fal.Usage{Outputs: 1}, 64 * mib},
		{"pictures elsewhere", plain, fal.Usage{Outputs: 4}, 16 * mib},
		{"one inside", inline, fal.Usage{Outputs: 1, Size: fal.Size(1024, 512)}, 19 * mib},
		{"four inside", inline, fal.Usage{Outputs: 4, Size: fal.Size(1024, 1024)}, 40 * mib},
		{"bounded", inline, fal.Usage{Outputs: 1, MaxPixels: 4 * mib}, 40 * mib},
		{"of any size", inline, fal.Usage{Outputs: 1}, 112 * mib},
		{"very many", inline, fal.Usage{Outputs: 1000}, 512 * mib},
		{"huge", inline, fal.Usage{Outputs: 1, MaxPixels: math.MaxInt}, 512 * mib},
		{"more than there can be", inline, fal.Usage{Outputs: math.MaxInt, MaxPixels: math.MaxInt}, 512 * mib},
	} {
		if got := fal.MaxResult([]byte(tt.body), tt.usage); got != tt.want {
			t.Errorf("%s: %d MiB, want %d", tt.name, got/mib, tt.want/mib)
		}
	}
}

// segment is a part of a JPEG: a marker, its length and what follows.
func segment(marker byte, length int) []byte {
	return append([]byte{0xff, marker, byte(length >> 8), byte(length)}, make([]byte, length-2)...)
}

// The memory for a picture counts what its decoder holds beside it.
func TestPictureMemory(t *testing.T) {
	t.Parallel()
	soi := []byte{0xff, 0xd8}
	baseline := bytes.Join([][]byte{soi, segment(0xe0, 300), segment(0xc0, 17)}, nil)
	extended := bytes.Join([][]byte{soi, segment(0xe0, 16), segment(0xc1, 17)}, nil)
	late := bytes.Join([][]byte{soi, segment(0xe1, 16), segment(0xc2, 17), segment(0xc0, 17)}, nil)
	const pixels = (68 + 32) * (8 + 32)
	for _, tt := range []struct {
		name, format string
		model        color.Model
		head         []byte
		perPixel     int64
	}{
		{"PNG", "png", color.NRGBAModel, nil, 8}, {"gray PNG", "png", color.GrayModel, nil, 2}, {"gray PNG of 16 bits", "png", color.Gray16Model, nil, 4},
		{"PNG of 16 bits", "png", color.NRGBA64Model, nil, 16}, {"opaque PNG of 16 bits", "png", color.RGBA64Model, nil, 16},
		{"GIF", "gif", color.Palette{}, nil, 4}, {"WebP", "webp", color.YCbCrModel, nil, 8},
		{"JPEG", "jpeg", color.YCbCrModel, baseline, 7}, {"extended JPEG", "jpeg", color.YCbCrModel, extended, 7},
		{"progressive JPEG", "jpeg", color.YCbCrModel, late, 19}, {"JPEG cut off", "jpeg", color.YCbCrModel, baseline[:100], 19},
		{"gray JPEG", "jpeg", color.GrayModel, baseline, 5}, {"CMYK JPEG", "jpeg", color.CMYKModel, baseline, 8}, {"gray progressive JPEG", "jpeg", color.GrayModel, late, 9},
	} {
		if got := fal.PictureMemory(tt.format, image.Config{ColorModel: tt.model, Width: 68, Height: 8}, tt.head); got != tt.perPixel*pixels {
			t.Errorf("%s: %d bytes, want %d for each pixel", tt.name, got, tt.perPixel)
		}
	}
}

// A picture that is said to be large is believed if the result said so too, or
// if its file is large enough.
func TestCheckPicture(t *testing.T) {
	t.Parallel()
	sized := func(w, h int) image.Config { return image.Config{ColorModel: color.GrayModel, Width: w, Height: h} } // 2 bytes a pixel
	for _, tt := range []struct {
		name      string
		config    image.Config
		has       int // bytes in the file
		told      fal.Media
		fails     string
		readAhead int
	}{
		{name: "small", config: sized(5000, 5000), has: 10},
		{name: "as large as is small", config: sized(5760, 5760), has: 10},
		{name: "large, told", config: sized(8000, 8000), has: 10, told: fal.Image{Width: 8000, Height: 8000}},
		{name: "large, half of it told", config: sized(8000, 8000), has: 10, told: fal.Image{Width: 8000, Height: 80}, fails: "claims to be 8000x8000, but its file has 10 bytes"},
		{name: "large, the other half told", config: sized(8000, 8000), has: 10, told: fal.Image{Width: 80, Height: 8000}, fails: "claims"},
		{name: "large, in a large file", config: sized(8000, 8000), has: 70000, readAhead: 64513},
		{name: "large, in a file that is just too small", config: sized(8000, 8000), has: 64512, fails: "claims"},
		{name: "too large", config: sized(20000, 20000), has: 70000, told: fal.Image{Width: 20000, Height: 20000}, fails: "at most 512"},
	} {
		head, rest := new(bytes.Buffer), bytes.NewReader(make([]byte, tt.has))
		err := fal.CheckPicture("png", tt.config, head, rest, tt.told)
		if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.fails)
		}
		if err == nil && head.Len() != tt.readAhead {
			t.Errorf("%s: %d bytes were read, want %d", tt.name, head.Len(), tt.readAhead)
		}
	}
}

// URLs are shown without what may be secret in them.
func TestBareURL(t *testing.T) {
	t.Parallel()
	for u, want := range map[string]string{
		"https://x.example/a.png?sig=1#f":       "https://x.example/a.png",
		"https://x.example/a.png#f?x":           "https://x.example/a.png",
		"https://user:word@x.example/a@b":       "https://x.example/a@b",
		"https://us@er:word@x.example/a":        "https://x.example/a",
		"https://user@x.example":                "https://x.example",
		"https://@x.example/a":                  "https://x.example/a",
		"https://x.example/@a":                  "https://x.example/@a",
		"a@b":                                   "a@b",
		"?x":                                    "",
		"data:image/png;base64,AAAA":            "data:image/png;base64,... (26 bytes)",
		"https://x.example/\x1b[1m":             `https://x.example/\x1b[1m`,
		"https://x/" + strings.Repeat("a", 200): "https://x/" + strings.Repeat("a", 110) + "... (210 bytes)",
		"https://x/" + strings.Repeat("a", 110): "https://x/" + strings.Repeat("a", 110),
	} {
		if got := fal.BareURL(u); got != want {
			t.Errorf("%q is shown as %q, want %q", u, got, want)
		}
	}
}

// What is in an ISO media file is told by its brands, not by its version.
func TestBrands(t *testing.T) {
	t.Parallel()
	ftyp := func(size byte, rest string) []byte { return append([]byte{0, 0, 0, size}, "ftyp"+rest+"avifavif"...) }
	for _, tt := range []struct {
		size byte
		rest string
		want string
	}{
		{20, "mp42avifisom", "video/mp4"}, {20, "mp42\x00\x00\x00\x00heic", "image/heic"}, {16, "avif\x00\x00\x00\x00", "image/avif"},
		{24, "mif1\x00\x00\x00\x00miafheix", "image/heic"}, {24, "msf1\x00\x00\x00\x00miafabcd", "image/heif"}, {12, "avis", "image/avif"},
		{255, "mp42\x00\x00\x00\x00", "image/avif"},
	} {
		if got := fal.ContentType("", ftyp(tt.size, tt.rest)); got != tt.want {
			t.Errorf("%q of %d bytes is %s, want %s", tt.rest, tt.size, got, tt.want)
		}
	}
}

// A result is asked for again after times that double, up to five seconds.
func TestTimesOfLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		m.completesAfter(0)
		m.client.Retry.MaxAttempts = 1
		var got []time.Duration
		start := time.Now()
		m.RegisterResponder(http.MethodGet, jobURL, func(*http.Request) (*http.Response, error) {
			got = append(got, time.Since(start))
			return reply{200, page, "", false}.response(), nil
		})
		if _, err := fal.Subscribe(t.Context(), m.client, request); err == nil {
			t.Error("no error")
		}
		const ms = time.Millisecond
		if diff := cmp.Diff([]time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 3100 * ms, 6300 * ms, 11300 * ms, 16300 * ms}, got[:9]); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if last := got[len(got)-1]; last < 2*time.Minute || last > 2*time.Minute+5*time.Second {
			t.Errorf("the last look was after %v", last)
		}
	})
}

// Whatever the type of a result is that says that there is a file, one without a
// file is an error, and one with a file none.
func TestResultsOfAnyType(t *testing.T) {
	t.Parallel()
	type one struct{ Picture fal.Image }
	type many struct{ Pictures []fal.Image }
	type file struct{ Weights fal.OutputFile }
	type files struct {
		Weights []fal.OutputFile
		Note    int
	}
	type two struct {
		Picture fal.Image
		Weights fal.OutputFile
	}
	type none struct{ Note int }
	const picture = `{"url":"https://x.example/a"}`
	run[one](t, `{"picture":`+picture+`}`, "")
	run[one](t, `{"picture":{}}`, "no picture")
	run[many](t, `{"pictures":[{},`+picture+`]}`, "")
	run[many](t, `{"pictures":[`+picture+`,{}]}`, "")
	run[many](t, `{"pictures":[{}]}`, "no picture")
	run[file](t, `{"weights":`+picture+`}`, "")
	run[file](t, `{"weights":null}`, "no picture")
	run[files](t, `{"weights":[`+picture+`,{}],"note":"odd"}`, "")
	run[files](t, `{"note":1}`, "no picture")
	run[files](t, `{"weights":[],"note":"odd"}`, "cannot unmarshal")
	run[two](t, `{"picture":`+picture+`}`, "")
	run[two](t, `{"weights":`+picture+`}`, "")
	run[two](t, `{}`, "no picture")
	run[none](t, `{"note":1}`, "")
	run[none](t, `{"note":"odd"}`, "cannot unmarshal")
	run[map[string]int](t, `{"a":1}`, "")
	run[map[string]int](t, `{"a":"odd"}`, "cannot unmarshal")
	run[[]string](t, `["a"]`, "")
	run[any](t, `[`+strings.Repeat("1,", 200_000)+`1]`, "too long")
	run[any](t, `[`+strings.Repeat("1,", 100_000)+`1]`, "")
	run[fal.Training](t, `{"diffusers_lora_file":`+picture+`}`, "")
	run[fal.Training](t, `{"config_file":`+picture+`}`, "no picture")
}

// run gets a result of some type, and wants no error or one with a text.
func run[Out any](t *testing.T, body, want string) {
	t.Helper()
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	out, err := fal.Run(t.Context(), c, fal.Call[Out]{ID: "fal-ai/x"})
	if want == "" && (err != nil || out == nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%T of %.60s: %v, want %q", out, body, err, want)
	}
	if _, ok := errors.AsType[*fal.DecodeError](err); err != nil && (!ok || out == nil) {
		t.Errorf("%T of %.60s: got %v, %T", out, body, out, err)
	}
}

// Events and streams are read up to their limits, and no further.
func TestLimitsOfEvents(t *testing.T) {
	t.Parallel()
	const text = "data: 0123456789\n\ndata: abc\ndata: def\n\n"
	for _, tt := range []struct {
		most, total int64
		want        string
		fails       string
	}{
		{16, 39, "[0123456789] [abc\ndef]", ""}, {15, 39, "", "more than the 15 bytes"}, {16, 38, "", "more than the 38 bytes"},
		{100, 100, "[0123456789] [abc\ndef]", ""},
	} {
		var got []string
		var failure error
		fal.ReadEvents(t.Context(), strings.NewReader(text), tt.most, tt.total, func(_ string, data []byte, err error) bool {
			if failure = err; err == nil {
				got = append(got, fmt.Sprintf("[%s]", data))
			}
			return true
		})
		if s := strings.Join(got, " "); s != tt.want || (failure != nil) != (tt.fails != "") || failure != nil && !strings.Contains(failure.Error(), tt.fails) {
			t.Errorf("at most %d, %d: %q, %v", tt.most, tt.total, s, failure)
		}
	}
}

// Texts in a result are those that JSON says, however they are written.
func TestTextsOfResults(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		`"plain"`: "plain", `""`: "", `"a\u0062\n\"c\""`: "ab\n\"c\"", "\"caf\xe9\"": "caf\ufffd", `"é"`: "é", `7`: "", `null`: "", `["x"]`: "",
	} {
		c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"images":[{"url":"u"}],"prompt":`+written+`}`)
		})
		if out, err := fal.Run(t.Context(), c, anyCall); err != nil || out.Prompt != want {
			t.Errorf("%s is read as %q, %v", written, out.Prompt, err)
		}
	}
}
