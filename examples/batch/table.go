package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/qwen"
)

// table is the rows to make pictures of.
type table struct {
	path   string // "" is the example
	prompt string
	rows   int // set by cost
}

// records yields the rows. They are read again each time, and not held.
func (t *table) records() iter.Seq2[batch.Record, error] {
	return func(yield func(batch.Record, error) bool) {
		var in io.Reader = strings.NewReader(example())
		if t.path != "" {
			f, err := os.Open(t.path)
			if err != nil {
				yield(batch.Record{}, err)
				return
			}
			defer func() { _ = f.Close() }()
			in = f
		}
		records := batch.ReadCSV(in)
		if ext := filepath.Ext(t.path); ext == ".jsonl" || ext == ".ndjson" {
			records = batch.ReadJSONLines(in)
		}
		records(yield)
	}
}

// item makes the item of a row.
func (t *table) item(r batch.Record) (it batch.Item[fal.Images], err error) {
	it.Key = r.Fields["sku"]
	if it.Key == "" {
		return it, fmt.Errorf("line %d: sku is missing: each row needs one", r.Line)
	}
	prompt, err := r.Fill(t.prompt)
	if err != nil {
		return it, err
	}
	switch model := r.Fields["model"]; model {
	case "flux", "":
		it.Request = flux.Pro2{Prompt: prompt}
	case "qwen":
		it.Request = qwen.Image{Prompt: prompt}
	default:
		return it, fmt.Errorf("line %d: model %q: must be flux or qwen", r.Line, model)
	}
	return it, nil
}

// cost checks every row, and returns what all of them and what one costs at least.
func (t *table) cost() (all plan.Plan, least pricing.USD, err error) {
	seen := make(map[string]int)
	var quotes []pricing.Quote
	for r, err := range t.records() {
		if err != nil {
			return all, 0, err
		}
		it, err := t.item(r)
		if err != nil {
			return all, 0, err
		}
		if line, twice := seen[it.Key]; twice {
			return all, 0, fmt.Errorf("line %d: sku %q is that of line %d", r.Line, it.Key, line)
		}
		seen[it.Key] = r.Line
		quote, err := pricing.Estimate(it.Request)
		if err != nil {
			return all, 0, fmt.Errorf("line %d: %w", r.Line, err)
		}
		quotes = append(quotes, quote)
		if least == 0 || quote.Max < least {
			least = quote.Max
		}
	}
	if t.rows = len(quotes); t.rows == 0 {
		return all, 0, errors.New("the table has no rows")
	}
	all, err = plan.Sum(quotes...)
	return all, least, err
}

// items yields the items, and what is wrong with the table if it has changed since it
// was checked.
func (t *table) items() (items iter.Seq[batch.Item[fal.Images]], err *error) {
	err = new(error)
	return func(yield func(batch.Item[fal.Images]) bool) {
		for r, readErr := range t.records() {
			var it batch.Item[fal.Images]
			if *err = readErr; *err == nil {
				it, *err = t.item(r)
			}
			if *err != nil || !yield(it) {
				return
			}
		}
	}, err
}

// example returns a table of 24 rows: six things in four colours.
func example() string {
	var b strings.Builder
	out := csv.NewWriter(&b)
	_ = out.Write([]string{"sku", "model", "name", "color"})
	for i, name := range []string{"a ceramic mug", "a linen cushion", "a glass carafe", "a table lamp", "a wall clock", "a canvas tote bag"} {
		for k, color := range []string{"emerald green", "deep navy", "brick red", "oatmeal"} {
			_ = out.Write([]string{fmt.Sprintf("P%d%d", i+1, k+1), []string{"flux", "qwen"}[(i+k)%2], name, color})
		}
	}
	out.Flush()
	return b.String()
}
