package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/catalog"
)

// legend explains the table.
const legend = `The price class is that of a picture of 1 megapixel: $ is under $0.01, $$
under $0.04, $$$ from there on; training is paid by the step and realtime by
the second; a dash is a price that no source settles. Package pricing has the
figures. Delisted models are gone from fal's list and may still answer,
withdrawn ones are not supported any more; the others were live when last
seen, which [Models] tells. An endpoint whose owner is not written out begins
with fal-ai/.`

// modelTable is the comment with a table of the models of a package. It ends
// the documentation that doc.go begins, which is written by hand so that linters
// find it: they pass over the comments of generated files.
func modelTable(all []*request) string {
	var b strings.Builder
	text := func(s string) {
		for line := range strings.Lines(s + "\n") {
			b.WriteString(strings.TrimRight("// "+line, " \n") + "\n")
		}
	}
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
	return b.String()
}

// status is what a row says of a model that is not live.
func status(r *request) string {
	if r.Status.State == schema.Live {
		return ""
	}
	return "(" + string(r.Status.State) + ") "
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
		row := [4]string{r.Name, price, id, status(r) + r.For}
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
