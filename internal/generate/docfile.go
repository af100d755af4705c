package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/internal/catalog"
)

// intro is what the documentation of a package says before its table.
var intro = map[string]string{
	"flux": `Package flux has a request type for each model of the FLUX family on fal.
The types are plain values; send them with the functions of package fal.

	req := flux.Pro2{
		Prompt:    "a ceramic coffee mug on a marble countertop",
		ImageSize: fal.Size(1920, 1080),
	}
	out, err := fal.Subscribe(ctx, client, req)

Fields at their zero value are left out of the request, so the endpoint's
default applies. Fields where zero means something else are pointers: write
new(false), new(3.5) or fal.Seed(42). Requests with the same fields convert
into one another: [Turbo2] into [Flash2], [Pro2] into [Max2].`,
	"qwen": `Package qwen has a request type for each model of the Qwen Image family on
fal. The types are plain values; send them with the functions of package fal.

	req := qwen.Image{
		Prompt:   "a shop window with the words OPEN LATE in neon",
		UseTurbo: true,
	}
	out, err := fal.Subscribe(ctx, client, req)

Fields at their zero value are left out of the request, so the endpoint's
default applies. Fields where zero means something else are pointers: write
new(false), new(4.5) or fal.Seed(42). Requests with the same fields convert
into one another: [Image2] into [Image2Pro], for example.`,
}

// legend explains the table.
const legend = `The price class is that of a picture of 1 megapixel: $ is under $0.01, $$
under $0.04, $$$ from there on; training is paid by the step and realtime by
the second; a dash is a price that no source settles. Package pricing has the
figures. All endpoints begin with fal-ai/.`

// docFile returns doc.go, which opens the documentation of a package with a
// table of its models.
func docFile(pkg string, all []*request) []byte {
	var b strings.Builder
	b.WriteString(header)
	text := func(s string) {
		for line := range strings.Lines(s + "\n") {
			b.WriteString(strings.TrimRight("// "+line, " \n") + "\n")
		}
	}
	text(strings.ReplaceAll(intro[pkg], "\n\t", "\n    "))
	text("")
	text("# Models\n\n" + legend)
	var families []string
	for _, r := range all {
		if !slices.Contains(families, r.Family) {
			families = append(families, r.Family)
		}
	}
	for _, family := range families {
		text("\n" + family + ":\n")
		for _, row := range table(family, all) {
			text("    " + row)
		}
	}
	b.WriteString("package " + pkg + "\n\n//go:generate go run ../internal/generate\n")
	return []byte(b.String())
}

// table returns the rows for one family, in columns.
func table(family string, all []*request) []string {
	var rows [][4]string
	var width [4]int
	for _, r := range all {
		if r.Family != family {
			continue
		}
		price := r.Price
		if price == "" {
			price = "-"
		}
		id := strings.ReplaceAll(strings.TrimPrefix(r.pattern(), "fal-ai/"), catalog.PresetMark, "...")
		row := [4]string{r.Name, price, id, r.For}
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
		rows = append(rows, row)
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, fmt.Sprintf("%-*s  %-*s  %-*s  %s", width[0], row[0], width[1], row[1], width[2], row[2], row[3]))
	}
	return lines
}
