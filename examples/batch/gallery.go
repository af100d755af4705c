package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router/sheet"
)

// perSection is how many pictures stand under one heading of the gallery.
const perSection = 100

// gallery writes a page with all pictures, which it shows from their folder as one
// comes to them, and with what went wrong.
func (o *options) gallery(j batch.Journal) error {
	s := sheet.Sheet{Title: "Batch", ID: "batch"}
	n := 0
	for row, err := range j.All(context.Background()) {
		if err != nil {
			return err
		}
		if n%perSection == 0 {
			s.Sections = append(s.Sections, sheet.Section{Title: fmt.Sprintf("From %d on", n+1)})
		}
		section := &s.Sections[len(s.Sections)-1]
		section.Entries = append(section.Entries, entries(&row)...)
		n++
	}
	f, err := os.Create(filepath.Join(o.folder(), "gallery.html"))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	return errors.Join(s.WriteHTML(out), out.Flush(), f.Close())
}

// entries returns the pictures of an item, or why there are none.
func entries(row *batch.Row) []sheet.Entry {
	var sent struct{ Prompt string }
	_ = json.Unmarshal(row.Payload, &sent) // what cannot be read is not told
	e := sheet.Entry{Key: row.Key, Endpoint: row.Endpoint, Prompt: sent.Prompt, RequestID: row.RequestID, Request: string(row.Payload)}
	if row.Failure != nil {
		e.Reasons = []string{row.Failure.Message}
	}
	quote, _ := pricing.EstimateUsage(fal.Usage{Endpoint: row.Endpoint})
	if bill, err := pricing.Settle(quote, fal.Meta{Endpoint: row.Endpoint, RequestID: row.RequestID, BillableUnits: row.Units}); err == nil {
		e.Price = bill.Billed.String()
	}
	if len(row.Files) == 0 {
		e.Error = "there is no picture: " + string(row.State)
		return []sheet.Entry{e}
	}
	var result fal.Images
	_ = json.Unmarshal(row.Result, &result)
	e.Seed = &result.Seed
	out := make([]sheet.Entry, len(row.Files))
	for i, file := range row.Files {
		out[i] = e
		out[i].File = "pictures/" + file.Name
		if i < len(result.Images) {
			out[i].Width, out[i].Height, out[i].Alt = result.Images[i].Width, result.Images[i].Height, sent.Prompt
		}
		if i > 0 {
			out[i].Key, out[i].Price = fmt.Sprintf("%s-%d", row.Key, i+1), ""
		}
	}
	return out
}
