package sheet_test

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/router/sheet"
)

// whiteness adds up how white the pixels are, in those of full white.
func whiteness(m *image.RGBA, r image.Rectangle, ground color.RGBA) float64 {
	sum := 0.0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if c := m.RGBAAt(x, y); c.G > ground.G && c.B > ground.B {
				sum += float64(c.G-ground.G) / float64(255-ground.G)
			}
		}
	}
	return sum
}

// The marks are a tick, and an exclamation mark of a stroke and a dot: where
// they are, and how much there is of them.
func TestBadges(t *testing.T) {
	t.Parallel()
	picture := pngOf(t, flat(red, 480, 480))
	m := drawn(t, untitled(sheet.Entry{Title: "One", Picture: picture, Picked: true}, sheet.Entry{Title: "Two", Picture: picture, Flagged: true}))
	top := area(m, red).Max.Y + 20
	for _, tt := range []struct {
		name   string
		right  int // where the badge ends
		left   int // where it begins
		ground color.RGBA
		pieces []image.Rectangle // within the badge, from its left end and its top
		want   []float64         // the white pixels in each
	}{
		{"picked", 64 + 480, 441, accent, []image.Rectangle{image.Rect(10, 7, 19, 24), image.Rect(19, 7, 32, 24), image.Rect(9, 7, 33, 12)}, []float64{39.11, 40.64, 15.46}},
		{"flagged", 592 + 480, 959, color.RGBA{0x9c, 0x24, 0x17, 0xff}, []image.Rectangle{image.Rect(15, 5, 25, 12), image.Rect(15, 12, 25, 18), image.Rect(15, 19, 25, 24)}, []float64{21.13, 19.21, 16}},
	} {
		sub, ok := m.SubImage(image.Rect(tt.right-200, top, tt.right, top+30)).(*image.RGBA)
		if !ok {
			t.Fatal("no part")
		}
		left := tt.right - 200 + area(sub, tt.ground).Min.X
		if left != tt.left {
			t.Errorf("%s begins at %d, want %d", tt.name, left, tt.left)
		}
		for i, r := range tt.pieces {
			if got := whiteness(m, r.Add(image.Pt(left, top)), tt.ground); math.Abs(got-tt.want[i]) > 0.4 {
				t.Errorf("%s: at %v there are %.2f white pixels, want %.2f", tt.name, r, got, tt.want[i])
			}
		}
	}
}

// The number stands in the middle of its pill, and a key that is too long ends
// within it. A title has three lines at most.
func TestNumber(t *testing.T) {
	t.Parallel()
	picture := pngOf(t, flat(red, 480, 480))
	words := strings.Repeat("many words ", 30)
	m := drawn(t, untitled(sheet.Entry{Key: "8", Title: words, Picture: picture}, sheet.Entry{Key: strings.Repeat("W", 100), Picture: picture}))
	top := area(m, red).Min.Y
	for _, tt := range []struct {
		x    int // of the picture
		want string
	}{{64, "12-39; 12-43, white 19-31; 24-31"}, {592, "12-39; 12-452, white 20-31; 23-439"}} {
		pill := image.NewRGBA(image.Rect(0, 0, 480, 60))
		draw.Draw(pill, pill.Rect, m, image.Pt(tt.x, top), draw.Src)
		white := image.NewRGBA(pill.Rect)
		for y := range 60 {
			for x := range 480 {
				if pill.RGBAAt(x, y).B > 140 {
					white.Set(x, y, color.White)
				}
			}
		}
		got := inkedOn(pill, pill.Rect) + ", white " + inkedOn(white, white.Rect)
		if got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	text := image.NewRGBA(image.Rect(0, 0, 480, m.Rect.Dy()-top-490))
	draw.Draw(text, text.Rect, m, image.Pt(64, top+490), draw.Src)
	if lines := strings.Fields(inked(text, text.Rect, true)); len(lines) != 4 { // and the size
		t.Errorf("the lines of the caption are %s, want 4", lines)
	}
}
