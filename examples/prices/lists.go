package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
)

// The families, each from the cheapest on.
var families = []struct {
	name   string
	models []string
}{
	{"FLUX", []string{
		"flux.Schnell", "flux.Flash2", "flux.Turbo2", "flux.Klein3", "flux.Dev2", "flux.Klein3LoRA", "flux.Dev", "flux.Klein3Base", "flux.Pro2",
		"flux.Pro11", "flux.KontextPro", "flux.Image3", "flux.Flex2", "flux.Pro11Ultra", "flux.Max2", "flux.KontextMax",
		"flux.ProTryOn", "flux.Klein3BaseTrainer",
	}},
	{"Qwen Image", []string{
		"qwen.Image", "qwen.Image2512", "qwen.Image21", "qwen.Edit2511", "qwen.Edit2511LoRA", "qwen.Image21Edit", "qwen.Image3", "qwen.Image3Edit",
		"qwen.Layered", "qwen.Image2512Trainer",
	}},
}

// columns is how wide a terminal is that the tables fit into.
const columns = 80

// table is a table with a line of names, whose last column is cut off where it
// does not fit.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t table) print(w io.Writer) error {
	var widths []int
	for _, row := range t {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "  %-*s", widths[i], cell)
		}
		if _, err := fmt.Fprintln(w, cut(strings.TrimRight(line.String(), " "), columns)); err != nil {
			return err
		}
	}
	return nil
}

// cut returns a text of at most so many letters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// wrap returns a text whose lines have at most so many letters, broken between
// words. What goes on is indented more.
func wrap(text string, most int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		length := 0
		for i, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case i == 0:
				b.WriteString(indent)
				length = len(indent)
			case length+1+n > most:
				b.WriteString("\n" + indent + "    ")
				length = len(indent) + 4
			default:
				b.WriteString(" ")
				length++
			}
			b.WriteString(word)
			length += n
		}
		if strings.HasSuffix(line, "\n") {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// lists prints what a unit of each model costs, from the table of prices.
func lists(w io.Writer) error {
	for _, family := range families {
		fmt.Fprintf(w, "%s on fal\n", family.name)
		t := table{{"MODEL", "PRICE", "WHAT IT IS"}}
		for _, name := range family.models {
			m, err := find(name)
			if err != nil {
				return err
			}
			p, ok := pricing.Default().Price(m.Endpoint)
			if !ok || p.Rule == nil {
				return fmt.Errorf("%s has no price", m.Endpoint)
			}
			price, err := short(p.Rule)
			if err != nil {
				return err
			}
			what := m.Title
			if m.Task != "text-to-image" && !strings.Contains(strings.ToLower(m.Title), m.Task) {
				what += ", " + m.Task
			}
			t.row(name, price, what)
		}
		if err := t.print(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

// short returns a rule in a few letters.
func short(rule pricing.Rule) (string, error) {
	switch r := rule.(type) {
	case pricing.PerMegapixel:
		return fmt.Sprintf("%v/MP", r.Price), nil
	case pricing.PerTieredMegapixel:
		return fmt.Sprintf("%v + %v/MP", r.First, r.Extra), nil
	case pricing.PerTieredImage:
		low, high := pricing.USD(0), pricing.USD(0)
		for _, t := range r.Tiers {
			if low == 0 {
				low = t.Price
			}
			high = max(high, t.Price)
		}
		return fmt.Sprintf("%v to %v/image", low, high), nil
	case pricing.PerStep:
		run, err := r.Price.Mul(1000)
		return fmt.Sprintf("%v/1,000 steps", run), err
	}
	return fmt.Sprintf("%v/%s", rule.UnitPrice(), rule.Unit()), nil
}

// months prints what 1,000 and 10,000 pictures of 1 megapixel cost.
func months(w io.Writer) error {
	parts := make(map[string]plan.Part)
	var each []plan.Part
	for _, name := range []string{"flux.Schnell", "flux.Klein3", "qwen.Image", "flux.Pro2", "qwen.Image3", "flux.Image3"} {
		m, err := find(name)
		if err != nil {
			return err
		}
		q, err := quoteSized(m, 1)
		if err != nil {
			return err
		}
		parts[name] = plan.Part{Name: m.Title, Quote: q}
		each = append(each, parts[name])
	}
	for _, images := range []int64{1_000, 10_000} {
		rows, err := plan.Rank(images, each...)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d pictures of 1 megapixel a month\n  %-18s %10s\n", images, "MODEL", "COST")
		for _, r := range rows {
			fmt.Fprintf(w, "  %-18s %10v\n", cut(r.Name, 18), r.Expected)
		}
		fmt.Fprintln(w)
	}
	drafts, finals := parts["flux.Schnell"], parts["flux.Pro2"]
	drafts.Share, finals.Share = 70, 30
	mix, err := plan.New(10_000, drafts, finals)
	if err != nil {
		return err
	}
	const budget = 200 * pricing.Dollar
	best, err := plan.MostFinals(10_000, budget, drafts, finals)
	if err != nil {
		return err
	}
	for _, p := range []struct {
		title string
		plan  plan.Plan
	}{
		{"10000 pictures a month, 70 % drafts and 30 % finals", mix},
		{fmt.Sprintf("10000 pictures, as many of them finals as %v allow", budget), best},
	} {
		fmt.Fprintf(w, "%s\n  %-18s %8s %10s\n", p.title, "MODEL", "PICTURES", "COST")
		for _, r := range append(p.plan.Rows, plan.Row{Name: "total", Images: p.plan.Images, Amounts: p.plan.Amounts}) {
			fmt.Fprintf(w, "  %-18s %8d %10v\n", cut(r.Name, 18), r.Images, r.Expected)
		}
		fmt.Fprintln(w)
	}
	return nil
}

// quoteSized quotes a picture of so many megapixels, or as near to it as the
// model makes them.
func quoteSized(m schema.Model, megapixels int) (pricing.Quote, error) {
	size := fal.ImageSize("")
	if _, ok := m.Field("image_size"); ok {
		size = fal.Size(1024, 1024*megapixels)
	} else if f, ok := m.Field("resolution"); ok && len(f.Enum) > 0 {
		size = "1k"
		if megapixels > 1 {
			size = "2k"
		}
	}
	u, _, err := usage(m, size, nil, 1)
	if err != nil {
		return pricing.Quote{}, err
	}
	return pricing.EstimateUsage(u)
}
