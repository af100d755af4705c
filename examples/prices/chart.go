package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html"
	"slices"
	"unicode/utf8"

	"github.com/falimage/falimage-go/pricing"
)

// The chart's measures, in pixels.
const (
	left, top, bottom = 76, 108, 72
	plotted           = 674 // from the left to the right of the lines
	megapixels        = 4   // the x axis ends here, at 2048x2048
	apart             = 20  // from label to label
	letter            = 8   // the width of one, of which most are narrower
)

// colours tell lines apart on light and dark, for eyes that do not see all; and
// dashes tell those that have the same colour.
var (
	colours = []string{"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8A6FDF", "#7F7F7F"}
	dashes  = []string{"", "9 6", "2 6", "14 5 2 5"}
)

// style follows the reader's choice of light or dark.
const style = `<style>
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 13px; fill: #404650 }
.page { fill: #ffffff } .title { font-size: 22px; font-weight: 600; fill: #16191d } .small { font-size: 12px; fill: #6a7280 }
.grid { stroke: #e4e7eb; stroke-width: 1 } .axis { stroke: #8a919c; stroke-width: 1 }
.line { fill: none; stroke-width: 3; stroke-linejoin: round; stroke-linecap: round } .dashed { stroke-dasharray: 3 4 } .leader { stroke-width: 1; opacity: .6 }
@media (prefers-color-scheme: dark) {
text { fill: #c6ccd6 } .page { fill: #15181d } .title { fill: #f3f5f8 } .small { fill: #98a1af }
.grid { stroke: #2a2f37 } .axis { stroke: #7b8390 } }
</style>
`

// line is a model in the chart: what a picture of 1, 2, ... megapixels costs.
type line struct {
	title, colour string
	dash          string
	costs         [megapixels]pricing.USD
	raised        [megapixels]float64 // to be seen where another line runs
	label         float64             // where its name stands
}

// draw returns an SVG of what a picture costs by each model, against its size.
func draw(models []string) ([]byte, error) {
	var lines []*line
	var most pricing.USD
	if most := len(colours) * len(dashes); len(models) > most {
		return nil, fmt.Errorf("-models: %d models: at most %d can be told apart", len(models), most)
	}
	longest := 0
	for i, name := range models {
		m, err := find(name)
		if err != nil {
			return nil, err
		}
		l := &line{title: m.Title, colour: colours[i%len(colours)], dash: dashes[i/len(colours)]}
		if m.Task != "text-to-image" {
			l.title += ", " + m.Task
		}
		longest = max(longest, utf8.RuneCountInString(l.title))
		for n := range l.costs {
			q, err := quoteSized(m, n+1)
			if err != nil {
				return nil, err
			}
			l.costs[n] = q.Expected
			for _, other := range lines {
				if other.costs[n] == q.Expected {
					l.raised[n] += 4
				}
			}
		}
		most = max(most, l.costs[megapixels-1])
		lines = append(lines, l)
	}
	if len(lines) == 0 {
		return nil, errors.New("-models: at least one is needed")
	}
	step := tick(most)
	ceiling := (most/step + 1) * step
	// The page is as wide as the longest label and as high as all of them ask for.
	width := max(960, left+plotted+40+longest*letter)
	height := max(560, top+bottom+apart*len(lines))
	x := func(mp float64) float64 { return left + mp/megapixels*plotted }
	y := func(v pricing.USD) float64 {
		return float64(height-bottom) - float64(v)/float64(ceiling)*float64(height-top-bottom)
	}

	var c canvas
	c.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Cost of a picture against its size">`, width, height)
	c.WriteString(style)
	c.add(`<rect class="page" width="%d" height="%d"/>`, width, height)
	c.text("title", "start", left-44, 40, "What one picture costs, by its size")
	c.text("", "start", left-44, 64, "Most models count each started megapixel whole; some go by the image, or by tiers of sizes.")
	for v := pricing.USD(0); v <= ceiling; v += step {
		c.line("grid", left, y(v), x(megapixels), y(v))
		c.text("", "end", left-10, y(v)+4.5, v.String())
	}
	for _, size := range [][2]int{{1024, 1024}, {1920, 1080}, {2560, 1440}, {2048, 2048}} {
		at := x(float64(size[0]*size[1]) / pricing.MegapixelArea)
		c.line("grid dashed", at, top-8, at, y(0))
		c.text("small", "middle", at, top-14, fmt.Sprintf("%d×%d", size[0], size[1]))
	}
	for mp := range megapixels + 1 {
		at := x(float64(mp))
		c.line("axis", at, y(0), at, y(0)+5)
		c.text("", "middle", at, y(0)+22, fmt.Sprintf("%d MP", mp))
	}
	c.line("axis", left, y(0), x(megapixels), y(0))
	place(lines, y)
	for _, l := range lines {
		fmt.Fprintf(&c, `<path class="line" stroke="%s" stroke-dasharray="%s" d="M%.1f %.1f`, l.colour, l.dash, x(0), y(l.costs[0])-l.raised[0])
		for n, cost := range l.costs {
			fmt.Fprintf(&c, "V%.1fH%.1f", y(cost)-l.raised[n], x(float64(n+1)))
		}
		c.add(`"/>`)
		c.add(`<path class="leader" stroke="%s" d="M%.1f %.1fL%.1f %.1f"/>`, l.colour, x(megapixels)+3, y(l.costs[megapixels-1])-l.raised[megapixels-1], x(megapixels)+20, l.label)
		c.add(`<path class="line" stroke="%s" stroke-dasharray="%s" d="M%.1f %.1fh12"/>`, l.colour, l.dash, x(megapixels)+20, l.label)
		c.text("", "start", x(megapixels)+38, l.label+4.5, l.title)
	}
	c.text("small", "start", left-44, float64(height-16), "1 MP is 1,048,576 pixels. Prices and their sources: package pricing.")
	c.add("</svg>")
	return c.Bytes(), nil
}

// canvas is an SVG in the making.
type canvas struct{ bytes.Buffer }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.add(`<path class="%s" d="M%.1f %.1fL%.1f %.1f"/>`, class, x1, y1, x2, y2)
}

func (c *canvas) text(class, anchor string, x, y float64, text string) {
	c.add(`<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`, class, anchor, x, y, html.EscapeString(text))
}

// tick returns a round distance between the lines of the grid.
func tick(most pricing.USD) pricing.USD {
	for step := pricing.Cent / 1000; ; step *= 10 {
		for _, s := range []pricing.USD{step, 2 * step, 5 * step} {
			if most/s < 8 {
				return s
			}
		}
	}
}

// place finds places for the names beside the ends of their lines, so that none
// covers another: from the bottom up, and then back down where the top was
// passed. There is room for all.
func place(lines []*line, y func(pricing.USD) float64) {
	order := slices.SortedStableFunc(slices.Values(lines), func(a, b *line) int {
		return cmp.Or(cmp.Compare(a.costs[megapixels-1], b.costs[megapixels-1]), cmp.Compare(a.costs[0], b.costs[0]))
	})
	lowest := y(0)
	for _, l := range order {
		l.label = min(y(l.costs[megapixels-1]), lowest)
		lowest = l.label - apart
	}
	highest := float64(top)
	for _, l := range slices.Backward(order) {
		l.label = max(l.label, highest)
		highest = l.label + apart
	}
}
