package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
)

// The lists, the months and the chart come out whole.
func TestOverview(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out", "prices.svg")
	var out strings.Builder
	if err := overview(&out, path, []string{"flux.Pro2", "qwen.Image"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"$0.003/megapixel", "$4.30 per 1,000 steps", "$400.00", "$111.00", path} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	svg, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the chart: %v", err)
		}
	}
	for _, want := range []string{"FLUX.2 [pro]", "Qwen Image", "$0.08", "1920×1080"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("%q is missing in the chart", want)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model, size string
		inputs      []string
		n           int
		want        string // in the output, or the error if it begins with !
	}{
		{"flux.Pro2", "1920x1080", nil, 4, "4  $0.18"},
		{"fal-ai/qwen-image", "1024x1024", nil, 4, "4 outputs x 1 MP: 4 x $0.02 = $0.08"},
		{"flux.Pro2Edit", "auto", []string{"https://x.example/a.png"}, 1, "$0.045 to $0.135"},
		{"flux.Pro2", "auto", nil, 1, "!-size"},
		{"flux.Pro2", "big", nil, 1, "!-size"},
		{"flux.KontextPro", "square_hd", nil, 1, "!no image size"},
		{"flux.Pro2", "", []string{"a.png"}, 1, "!no input pictures"},
		{"flux.Pro2Edit", "", []string{"no-such-file.png"}, 1, "!no such file"},
		{"flux.Pro2", "", nil, 0, "!0 pictures"},
		{"flux.Pro9", "", nil, 1, "!no model"},
	} {
		var out strings.Builder
		err := quote(&out, tt.model, fal.ImageSize(tt.size), tt.inputs, tt.n)
		got, want := out.String(), tt.want
		if rest, ok := strings.CutPrefix(want, "!"); ok {
			want, got = rest, "no error"
			if err != nil {
				got = err.Error()
			}
		} else if err != nil {
			t.Errorf("%s: %v", tt.model, err)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s %s: %q is missing in\n%s", tt.model, tt.size, want, got)
		}
	}
}
