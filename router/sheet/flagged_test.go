package sheet_test

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/router/sheet"
)

// A flagged picture is marked by a word, and who cannot see it is told, too.
func TestFlaggedPage(t *testing.T) {
	t.Parallel()
	e := sheet.Entry{Title: "Red", Picture: pngOf(t, flat(red, 48, 48))}
	flagged := e
	flagged.Flagged = true
	s := page(t, untitled(e, flagged))
	if n := strings.Count(s, "</svg>Flagged</span>"); n != 1 || !strings.Contains(s, `class="entry flagged"`) {
		t.Errorf("%d marks", n)
	}
	alt := all(s, `alt="([^"]*)"`)
	if len(alt) != 2 || strings.Contains(alt[0], "lagged") || alt[1] != "Flagged by the safety checker, it may be black. "+alt[0] {
		t.Errorf("texts %q", alt)
	}
	flagged.Alt = "A fox"
	if alt := all(page(t, untitled(flagged)), `alt="([^"]*)"`); alt[0] != "Flagged by the safety checker, it may be black. A fox" {
		t.Errorf("texts %q", alt)
	}
}

// In the picture it has a frame and a mark of their own, beside that of a picked
// one.
func TestFlaggedFrame(t *testing.T) {
	t.Parallel()
	warn := color.RGBA{0x9c, 0x24, 0x17, 0xff}
	e := sheet.Entry{Title: "Red", Picture: pngOf(t, flat(red, 480, 480)), Flagged: true}
	m := drawn(t, untitled(e))
	at := image.Rect(64, area(m, red).Min.Y, 544, area(m, red).Max.Y).Inset(-11)
	got := area(m, warn)
	if got.Min != at.Min || got.Max.X != at.Max.X || got.Max.Y < at.Max.Y+20 || !area(m, accent).Empty() {
		t.Errorf("the marks are at %v; the frame should be at %v, and the badge below", got, at)
	}
	e.Picked = true
	m = drawn(t, untitled(e))
	picked := area(m, accent)
	if picked.Empty() || picked.Min.Y < at.Max.Y {
		t.Errorf("the mark of the picked one is at %v", picked)
	}
	for x := picked.Min.X; x < picked.Max.X; x++ {
		if m.RGBAAt(x, picked.Min.Y+15) == warn {
			t.Errorf("the marks cover each other at %d", x)
		}
	}
}
