package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/router"
)

// picture is one to be made: the draft or the final of a product.
type picture struct {
	product string // its sku
	item    batch.Item[fal.Images]
	quote   pricing.Quote
}

// pictures yields the drafts of all products and then the finals, without holding
// them. An error comes last.
func (c *catalogue) pictures() iter.Seq2[picture, error] {
	return func(yield func(picture, error) bool) {
		for _, stage := range []router.Stage{router.StageDraft, router.StageFinal} {
			most := c.n
			if stage == router.StageFinal && c.finals >= 0 && (most == 0 || c.finals < most) {
				if most = c.finals; most == 0 {
					return
				}
			}
			i := 0
			for row, err := range rows(c.csv) {
				var p picture
				if err == nil {
					p, err = c.picture(stage, row)
				}
				if err != nil {
					err = fmt.Errorf("%s: %w", c.csv, err)
				}
				if !yield(p, err) || err != nil {
					return
				}
				if i++; i == most {
					break
				}
			}
		}
	}
}

// rows yields the rows of a CSV file, each sku once.
func rows(path string) iter.Seq2[batch.Record, error] {
	return func(yield func(batch.Record, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(batch.Record{}, err)
			return
		}
		defer func() { _ = f.Close() }()
		seen := make(map[string]int)
		for r, err := range batch.ReadCSV(f) {
			sku := strings.TrimSpace(r.Fields["sku"])
			if line, twice := seen[sku]; err == nil && twice {
				err = fmt.Errorf("line %d: sku %q is that of line %d", r.Line, sku, line)
			}
			seen[sku] = r.Line
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// picture returns what a picture of a product is to be. Drafts are smaller, which is
// faster. Draft and final have the same seed, which every run gives the product again.
func (c *catalogue) picture(stage router.Stage, r batch.Record) (p picture, err error) {
	for _, column := range []string{"sku", "name", "color"} {
		if value, there := r.Fields[column]; !there || strings.TrimSpace(value) == "" {
			return p, fmt.Errorf("line %d: there is no %s: each product has one in the column of that name", r.Line, column)
		}
	}
	color, err := flux.Hex(strings.TrimSpace(r.Fields["color"]))
	if err != nil {
		return p, fmt.Errorf("line %d: color: %w", r.Line, err)
	}
	if name := r.Fields["color_name"]; name != "" {
		color += flux.Color(" (" + name + ")")
	}
	p.product = strings.TrimSpace(r.Fields["sku"])
	h := fnv.New32a()
	_, _ = io.WriteString(h, p.product)
	what := r.Fields["name"]
	if more := r.Fields["description"]; more != "" {
		what += " (" + more + ")"
	}
	t := router.Task{
		Prompt:  "Product photo of one " + what + " in the brand colour, on a seamless pale grey background, soft studio light",
		Colors:  []flux.Color{color},
		Purpose: router.Product, Stage: stage, Size: fal.Square, Format: fal.JPEG, Seed: new(uint64(h.Sum32() >> 1)), Only: c.models[0],
	}
	if stage == router.StageFinal {
		t.Size, t.Only = fal.SquareHD, c.models[1]
	}
	routing, err := router.Route(t)
	if err != nil {
		return p, fmt.Errorf("line %d: %s: %w", r.Line, stage, err)
	}
	best := routing.Best()
	p.item = batch.Item[fal.Images]{Key: p.product + "-" + string(stage), Request: best.Request, Options: []fal.Option{
		fal.WithTags(map[string]string{"sku": p.product, "stage": string(stage)}),
	}}
	p.quote = best.Quote
	return p, nil
}

// plan adds up what is left to do.
func (c *catalogue) plan(j batch.Journal) (cost plan.Plan, pictures, left int, err error) {
	var quotes []pricing.Quote
	for p, err := range c.pictures() {
		if err != nil {
			return cost, 0, 0, err
		}
		row, _, err := j.Get(context.Background(), p.item.Key)
		if err != nil {
			return cost, 0, 0, err
		}
		if pictures++; row.State != batch.Done {
			quotes = append(quotes, p.quote)
		}
	}
	if len(quotes) > 0 {
		cost, err = plan.Sum(quotes...)
	}
	return cost, pictures, len(quotes), err
}

// items yields what is to be made. Of a draft that failed or was flagged there is no
// final. Broken is what is wrong with the file, if it was changed since it was checked.
func (c *catalogue) items(j batch.Journal, broken *error) iter.Seq[batch.Item[fal.Images]] {
	return func(yield func(batch.Item[fal.Images]) bool) {
		for p, err := range c.pictures() {
			draft, _, getErr := j.Get(context.Background(), p.product+"-"+string(router.StageDraft))
			if *broken = errors.Join(err, getErr); *broken != nil {
				return
			}
			if final := draft.Key != p.item.Key; final && (draft.Failure != nil || flagged(&draft)) {
				continue
			}
			if !yield(p.item) {
				return
			}
		}
	}
}

// flagged reports whether the safety checker flagged the picture of an item.
func flagged(row *batch.Row) bool {
	return slices.ContainsFunc(row.Warnings, func(w fal.Warning) bool { return w.Kind == fal.FlaggedByFal })
}
