package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
)

// The families in the order of the comparison of 2026-03-17.
var families = []struct {
	name   string
	models []string
}{
	{"FLUX", []string{
		"flux.Image3", "flux.Klein3", "flux.Schnell", "flux.Flash2", "flux.Turbo2", "flux.Dev2", "flux.Dev", "flux.Pro2", "flux.Pro11", "flux.KontextPro",
		"flux.Flex2", "flux.Pro11Ultra", "flux.KontextMax", "flux.Klein3BaseTrainer",
	}},
	{"Qwen Image", []string{
		"qwen.Image3", "qwen.Image3Edit", "qwen.Image21", "qwen.Image", "qwen.Image2512", "qwen.Edit2511", "qwen.Edit2511LoRA",
		"qwen.Layered", "qwen.Image2512Trainer",
	}},
}

// lists prints what a unit of each model costs, from the table of prices.
func lists(w io.Writer) error {
	for _, family := range families {
		fmt.Fprintf(w, "%s on fal\n", family.name)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, name := range family.models {
			m, err := find(name)
			if err != nil {
				return err
			}
			p, ok := pricing.Default().Price(m.Endpoint)
			if !ok || p.Rule == nil {
				return fmt.Errorf("%s has no price", m.Endpoint)
			}
			price := fmt.Sprintf("%v/%s", p.Rule.UnitPrice(), p.Rule.Unit())
			switch r := p.Rule.(type) {
			case pricing.PerTieredMegapixel:
				price = fmt.Sprintf("%v first megapixel, %v each further one", r.First, r.Extra)
			case pricing.PerStep:
				run, err := r.Price.Mul(1000)
				if err != nil {
					return err
				}
				price = fmt.Sprintf("%v per 1,000 steps", run)
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", m.Title, m.Task, price, name)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

// months prints what 1,000 and 10,000 pictures of 1 megapixel cost.
func months(w io.Writer) error {
	parts := make(map[string]plan.Part)
	var each []plan.Part
	for _, name := range []string{"flux.Schnell", "qwen.Image", "flux.Pro2", "qwen.Image3"} {
		m, err := find(name)
		if err != nil {
			return err
		}
		u, _, err := usage(m, fal.SquareHD, nil, 1)
		if err != nil {
			return err
		}
		q, err := pricing.EstimateUsage(u)
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
		fmt.Fprintf(w, "%d pictures of 1 megapixel a month\n", images)
		for _, r := range rows {
			fmt.Fprintf(w, "  %-16s %9v\n", r.Name, r.Expected)
		}
		fmt.Fprintln(w)
	}
	drafts, finals := parts["flux.Schnell"], parts["flux.Pro2"]
	drafts.Share, finals.Share = 70, 30
	month, err := plan.New(10_000, drafts, finals)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "10000 pictures a month, 70 %% drafts and 30 %% finals\n%v", month)
	const budget = 200 * pricing.Dollar
	best, err := plan.MostFinals(10_000, budget, drafts, finals)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nas many finals as %v allow\n%v", budget, best)
	return err
}
