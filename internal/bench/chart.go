package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// chart draws lines over named places, on a scale of powers of ten. It is an SVG
// that is read on light and on dark pages.
func chart(title, axis string, labels, names []string, values [][]series) string {
	const width, height, left, top, right, bottom = 760, 396, 64, 48, 200, 72
	colors := []string{"#6b7280", "#0b6bcb", "#c2410c", "#a16207"}
	low, high := math.Inf(1), math.Inf(-1)
	for _, place := range values {
		for _, s := range place {
			if len(s) > 0 {
				low, high = min(low, atLeast(median(s))), max(high, atLeast(median(s)))
			}
		}
	}
	if low > high {
		low, high = 1, 10
	}
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	if from == to {
		to++
	}
	x := func(i int) float64 {
		return left + (float64(i)+0.5)/float64(len(labels))*(width-left-right)
	}
	y := func(v float64) float64 {
		return top + (to-math.Log10(atLeast(v)))/(to-from)*(height-top-bottom)
	}
	var b strings.Builder
	text := func(x, y float64, anchor, fill, s string) {
		var escaped bytes.Buffer
		_ = xml.EscapeText(&escaped, []byte(s))
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", x, y, anchor, fill, escaped.String())
	}
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\">\n", width, height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", width, height)
	text(left, 26, "start", "#111827", title)
	for power := from; power <= to; power++ {
		at := y(math.Pow(10, power))
		fmt.Fprintf(&b, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#d1d5db\"/>\n", left, at, width-right, at)
		text(left-8, at+4, "end", "#374151", fmt.Sprintf("%g", math.Pow(10, power)))
	}
	for i, label := range labels {
		for j, part := range strings.Split(label, ", ") {
			text(x(i), float64(height-bottom+20+16*j), "middle", "#374151", part)
		}
	}
	text((left+width-right)/2, height-14, "middle", "#374151", axis)
	row := 0
	for k, name := range names {
		color, points := colors[k%len(colors)], []string{}
		for i, place := range values {
			if s := place[k]; len(s) > 0 {
				at := fmt.Sprintf("%.1f,%.1f", x(i), y(median(s)))
				points = append(points, at)
				fmt.Fprintf(&b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", x(i), y(median(s)), color)
			}
		}
		if len(points) == 0 {
			continue
		}
		fmt.Fprintf(&b, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", strings.Join(points, " "), color)
		legend := float64(top + 14 + 22*row)
		row++
		fmt.Fprintf(&b, "<circle cx=\"%d\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", width-right+18, legend-4, color)
		text(width-right+30, legend, "start", "#111827", name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// atLeast is a value that has a place on a scale of powers of ten.
func atLeast(v float64) float64 { return max(v, 0.01) }
