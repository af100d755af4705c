package sheet_test

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/router/sheet"
)

// inked returns where there is something in the rows or columns of a picture,
// with what is at most three pixels apart as one.
func inked(m *image.RGBA, bounds image.Rectangle, rows bool) string {
	length, across := bounds.Dx(), bounds.Dy()
	if rows {
		length, across = across, length
	}
	var all []string
	first, last := -1, -1
	for i := range length + 4 {
		has := false
		for k := 0; k < across && i < length && !has; k++ {
			x, y := bounds.Min.X+i, bounds.Min.Y+k
			if rows {
				x, y = bounds.Min.X+k, bounds.Min.Y+i
			}
			has = m.RGBAAt(x, y) != m.RGBAAt(0, 0)
		}
		switch {
		case has && first < 0:
			first, last = i, i
		case has:
			last = i
		case first >= 0 && i-last > 3:
			all = append(all, fmt.Sprintf("%d-%d", first, last))
			first = -1
		}
	}
	return strings.Join(all, " ")
}

// TestLayout pins where everything goes.
func TestLayout(t *testing.T) {
	t.Parallel()
	picture := pngOf(t, flat(red, 480, 320))
	s := &sheet.Sheet{
		Title: "Title", Note: "Note",
		Sections: []sheet.Section{
			{Title: "First", Prompt: "a fox", Entries: []sheet.Entry{
				{Title: "Picked", Endpoint: "fal-ai/x", Picture: picture, Picked: true, Seed: new(uint64(1)), RequestID: "r", Reasons: []string{"one", "two"}},
				{Title: "Flagged", Picture: picture, Flagged: true, Prompt: "a fox"},
				{Title: "Missing", Error: "no units", URL: "https://example.com/a.png"},
				{Title: "Linked", URL: "https://example.com/b.png"},
			}},
			{Entries: []sheet.Entry{{Title: "Alone", Picture: picture}}},
		},
	}
	m := drawn(t, s)
	got := []string{fmt.Sprint(m.Bounds())}
	for i := range 4 { // what is in each column of entries, then within its picture
		x := 64 + i*(480+48)
		got = append(got, "rows "+inked(m, image.Rect(x, 0, x+480, m.Rect.Dy()), true),
			"columns "+inked(m, image.Rect(x-24, 342, x+504, 662), false)+"; "+inked(m, image.Rect(x-24, 690, x+504, 900), false),
			"inside "+inkedOn(m, image.Rect(x+1, 350, x+479, 650)))
	}
	for _, c := range []color.RGBA{accent, mat, {0x9c, 0x24, 0x17, 0xff}, {0xdc, 0xd9, 0xd1, 0xff}} {
		got = append(got, fmt.Sprint(area(m, c)))
	}
	want := []string{
		"(0,0)-(2192,1400)",
		"rows 72-106 136-152 189-190 242-266 291-319 337-341 348-667 674-678 688-737 753-769 781-795 805-822 837-847 863-875 930-1249 1274-1292 1311-1327",
		"columns 13-17 24-503 510-514; 24-117 400-503",
		"inside 10-37; 11-42",
		"rows 189-190 337-341 348-667 674-678 688-717 729-745",
		"columns 13-17 24-503 510-514; 24-117 390-503",
		"inside 10-37; 11-42",
		"rows 189-190 348-667 692-714",
		"columns 24-503; 25-108",
		"inside 10-37 54-76 88-102 116-133; 11-235",
		"rows 189-190 348-667 692-710",
		"columns 24-503; 25-96",
		"inside 10-37 54-76 88-105; 11-235",
		// Where there is something of the colours of picked, empty, flagged, and of lines.
		"(53,337)-(555,718)", "(1120,348)-(2128,668)", "(581,337)-(1206,718)", "(64,189)-(2128,320)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// inkedOn is inked for rows, on the ground at the corner of the bounds.
func inkedOn(m *image.RGBA, bounds image.Rectangle) string {
	part := image.NewRGBA(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
	draw.Draw(part, part.Rect, m, bounds.Min, draw.Src)
	return inked(part, part.Rect, true) + "; " + inked(part, part.Rect, false)
}
