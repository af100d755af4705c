package sheet_test

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/router/sheet"
)

// What stands in for a picture stays within its cell, in so many lines.
func TestCells(t *testing.T) {
	t.Parallel()
	words := strings.Repeat("many words that go on ", 200)
	address := "https://files.example/" + strings.Repeat("wide/", 300)
	tall := sheet.Entry{Picture: pngOf(t, flat(red, 90, 160))} // so that cells are high
	for name, tt := range map[string]struct {
		entry sheet.Entry
		lines int // of text, the number and the heading not counted; 0 for as many as fit
	}{
		"failed":           {sheet.Entry{Error: words}, 6},
		"failed, with URL": {sheet.Entry{Error: "short", URL: address}, 0},
		"waiting":          {sheet.Entry{Waiting: words}, 6},
		"linked":           {sheet.Entry{URL: address}, 0},
		"beside":           {sheet.Entry{File: strings.Repeat("wide/", 300) + "a.png"}, 0},
	} {
		m := drawn(t, untitled(tall, tall, tt.entry))
		first := area(m, red) // 90 pixels wide in the middle of a cell of 480×853
		top := first.Min.Y - (853-160)/2
		cell := image.Rect(64+2*528, top, 64+2*528+480, top+853)
		part := image.NewRGBA(image.Rect(0, 0, cell.Dx(), cell.Dy()))
		draw.Draw(part, part.Rect, m, cell.Min, draw.Src)
		// What is beyond the padding is as empty as the ground.
		ground := part.RGBAAt(part.Rect.Dx()-1, 0)
		for y := range part.Rect.Dy() {
			for x := range part.Rect.Dx() {
				if (x < 20 || x > 458 || y > 835) && y > 50 && part.RGBAAt(x, y) != ground {
					t.Fatalf("%s: there is something at %d, %d", name, x, y)
				}
			}
		}
		text := image.NewRGBA(image.Rect(0, 0, 440, 853-80))
		draw.Draw(text, text.Rect, part, image.Pt(20, 80), draw.Src)
		lines := strings.Fields(inked(text, text.Rect, true))
		if n := len(lines); tt.lines > 0 && n != tt.lines || n < 6 {
			t.Errorf("%s: %d lines, want %d", name, n, tt.lines)
		}
		if wide := inked(text, text.Rect, false); !strings.HasSuffix(wide, "40") && !strings.Contains(wide, "-4") {
			t.Errorf("%s: the text is at %s, and could be wider", name, wide)
		}
	}
}

// The colours are those of the page on light paper.
func TestColours(t *testing.T) {
	t.Parallel()
	picture := pngOf(t, flat(red, 480, 480))
	m := drawn(t, &sheet.Sheet{Title: "Title", Note: "Note", Sections: []sheet.Section{{Title: "Section", Prompt: "p", Entries: []sheet.Entry{
		{Title: "One", Picture: picture, Picked: true}, {Title: "Two", Picture: picture, Flagged: true}, {Error: "x"},
	}}}})
	for name, c := range map[string]color.RGBA{
		"ink": {0x1c, 0x1b, 0x19, 0xff}, "soft": {0x5b, 0x58, 0x50, 0xff}, "line": {0xdc, 0xd9, 0xd1, 0xff}, "mat": mat,
		"accent": accent, "error": {0x9c, 0x24, 0x17, 0xff}, "white": {0xff, 0xff, 0xff, 0xff}, "paper": {0xf6, 0xf5, 0xf2, 0xff},
	} {
		if area(m, c).Empty() {
			t.Errorf("nothing is of the colour of %s", name)
		}
	}
}

// A page without pictures needs no script.
func TestNoScript(t *testing.T) {
	t.Parallel()
	for _, s := range []*sheet.Sheet{{}, {Sections: []sheet.Section{{Title: "Nothing"}}}} {
		if got := page(t, s); strings.Contains(got, "<script>") || strings.Contains(got, "<dialog") || strings.Contains(got, "<form") {
			t.Error("the page has a script, or buttons that need one")
		}
	}
}
