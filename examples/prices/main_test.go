package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// The lists, the months and the chart come out whole.
func TestOverview(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out", "prices.svg")
	var out strings.Builder
	if err := overview(&out, path, []string{"flux.Pro2", "qwen.Image"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"$0.003/MP", "$4.30/1,000 steps", "$400.00", "MODEL", "$111.00", path} {
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

// No line is wider than a terminal.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := overview(&out, filepath.Join(t.TempDir(), "x.svg"), []string{"flux.Pro2"}); err != nil {
		t.Fatal(err)
	}
	out.Reset() // the path of the chart may be long
	if err := errors.Join(lists(&out), months(&out)); err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"flux.Image3", "flux.Klein3BaseEditTrainer", "fal-ai/flux-pro/v1/vto", "qwen.Image21Edit"} {
		if err := quote(&out, model, "", nil, 1); err != nil {
			t.Fatal(err)
		}
	}
	srv := faltest.NewServer(t)
	srv.SetPrice("fal-ai/qwen-image-edit-2509-lora-gallery/face-to-full-portrait", "0.0351234", "processed megapixels of input and of output")
	if err := showLive(t.Context(), &out, srv.Client()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"KIND", "face-to-full-portrait", "of input and of output", "MODEL", "PICTURES", "reference images"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

// Prices that are as in the table are not different.
func TestLiveAgrees(t *testing.T) {
	t.Parallel()
	client, _, stop := demo.Client()
	defer stop()
	var out strings.Builder
	if err := showLive(t.Context(), &out, client); err != nil || !strings.Contains(out.String(), ", 0 differ\n") {
		t.Errorf("%v: %s", err, &out)
	}
}

// Each flag that changes nothing is named.
func TestIgnored(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ set, want string }{
		{"", ""},
		{"chart models", ""},
		{"model size inputs n", ""},
		{"live", ""},
		{"size n", "-size is ignored without -model and -live\n-n is ignored without -model and -live\n"},
		{"chart model", "-chart is ignored with -model\n"},
		{"live model n yes", "-model is ignored with -live\n-n is ignored with -live\n-yes is ignored: nothing is paid\n"},
	} {
		if got := ignored(strings.Fields(tt.set)); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.set, got, tt.want)
		}
	}
}

// Many models with long names stay on the page, told apart.
func TestChartOfMany(t *testing.T) {
	t.Parallel()
	var models []string
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		p, _ := pricing.Default().Price(m.Endpoint)
		if _, sized := m.Field("image_size"); sized && m.Task == "text-to-image" && p.Known() && len(models) < 31 {
			models = append(models, m.Package+"."+m.Name)
		}
	}
	models = append(models, "qwen.Edit2511LoRA")
	svg, err := draw(models)
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		ViewBox string `xml:"viewBox,attr"`
		Texts   []struct {
			X    float64 `xml:"x,attr"`
			Y    float64 `xml:"y,attr"`
			Text string  `xml:",chardata"`
		} `xml:"text"`
		Paths []struct {
			Class  string `xml:"class,attr"`
			Stroke string `xml:"stroke,attr"`
			Dash   string `xml:"stroke-dasharray,attr"`
			D      string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(svg, &page); err != nil {
		t.Fatal(err)
	}
	var zero, width, height float64
	if _, err := fmt.Sscan(page.ViewBox, &zero, &zero, &width, &height); err != nil {
		t.Fatal(err)
	}
	labels := make(map[float64]bool)
	for _, text := range page.Texts {
		if text.X <= left+plotted { // no label of a line
			continue
		}
		if end := text.X + letter*float64(utf8.RuneCountInString(text.Text)); end > width || text.Y > height-bottom+5 || text.Y < top {
			t.Errorf("%q at %v, %v is off the page of %v, %v", text.Text, text.X, text.Y, width, height)
		}
		for y := range labels {
			if math.Abs(y-text.Y) < apart-0.1 {
				t.Errorf("%q covers another at %v and %v", text.Text, y, text.Y)
			}
		}
		labels[text.Y] = true
	}
	styles := make(map[string]bool)
	for _, p := range page.Paths {
		if p.Class == "line" && strings.HasSuffix(p.D, "h12") {
			styles[p.Stroke+p.Dash] = true
		}
	}
	if len(models) != 32 || len(labels) != len(models) || len(styles) != len(models) {
		t.Errorf("%d models, %d labels, %d styles", len(models), len(labels), len(styles))
	}
	if _, err := draw(append(models, "flux.Pro2")); err == nil {
		t.Error("more than can be told apart")
	}
	for _, level := range []string{"flux.KontextPro", "flux.Image3"} {
		if _, err := draw([]string{level}); err != nil {
			t.Errorf("%s: %v", level, err)
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
		{"flux.Image3", "2k", nil, 1, "1 output at 2k"},
		{"flux.Image3", "3k", nil, 1, "!-size"},
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

// Today's lists have today's models.
func TestListsOfToday(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		for _, name := range family.models {
			if m, err := find(name); err != nil || m.Status.State != schema.Live {
				t.Errorf("%s is %s, %v", name, m.Status.State, err)
			}
		}
	}
}
