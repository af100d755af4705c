package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/sheet"
)

// maxEmbedded is the largest picture that a contact sheet embeds, in bytes.
const maxEmbedded = 64 << 20

// mostRequest is the largest request that a contact sheet shows, in bytes.
const mostRequest = 16 << 10

// Section returns the comparison as a section of a contact sheet. It downloads
// the pictures through the client and embeds them, so that the sheet lasts
// longer than fal keeps them; one that cannot be had is linked, with the error.
func (c *Comparison) Section(ctx context.Context, client *fal.Client) sheet.Section {
	s := sheet.Section{Prompt: c.Task.Prose()}
	for i := range c.Models {
		m := &c.Models[i]
		for _, a := range m.Attempts {
			s.Entries = append(s.Entries, a.entries(ctx, client)...)
		}
		if len(m.Attempts) == 0 && m.Err != nil {
			s.Entries = append(s.Entries, sheet.Entry{Title: m.Candidate.Model.Title, Endpoint: m.Candidate.Model.Endpoint, Error: m.Err.Error()})
		}
	}
	return s
}

// Sections returns the drafts, with the chosen ones marked, and the finals as
// sections of a contact sheet. Pictures are embedded as by
// [Comparison.Section].
func (d *Drafted) Sections(ctx context.Context, client *fal.Client) []sheet.Section {
	prompt := d.Plan.task.Prose()
	drafts := sheet.Section{Title: "Drafts", Prompt: prompt}
	for _, v := range d.Variants {
		entries := v.entries(ctx, client)
		entries[0].Key = strconv.Itoa(v.Index)
		entries[0].Picked = slices.ContainsFunc(d.Picked, func(p Variant) bool { return p.Index == v.Index })
		drafts.Entries = append(drafts.Entries, entries...)
	}
	finals := sheet.Section{Title: "Finals", Prompt: prompt}
	for i, o := range d.Finals {
		from := len(finals.Entries)
		for _, a := range o.Attempts {
			finals.Entries = append(finals.Entries, a.entries(ctx, client)...)
		}
		for j := range finals.Entries[from:] {
			finals.Entries[from+j].Key = finalKey(d.Picked[i].Index, j)
		}
	}
	return []sheet.Section{drafts, finals}
}

// waiting is what is shown of a draft that is not there yet.
func (p *DraftPlan) waiting(i int) sheet.Entry {
	e := sheet.Entry{Key: strconv.Itoa(i), Title: p.Draft.Model.Title, Endpoint: p.Draft.Model.Endpoint, Waiting: "It is being made, or waits for its turn."}
	if user, ok := p.Draft.Request.(interface{ Usage() fal.Usage }); ok {
		e.Width, e.Height, _ = user.Usage().Size.Dimensions()
	}
	return e
}

// finalKey is what the final of a draft is called on a sheet, or what else was
// made while it was tried.
func finalKey(draft, n int) string {
	if n == 0 {
		return fmt.Sprintf("final %d", draft)
	}
	return fmt.Sprintf("final %d-%d", draft, n+1)
}

// because returns the reasons that come from rules, and the losses.
func because(reasons []router.Reason, losses []router.Loss) []string {
	var out []string
	for _, r := range reasons {
		switch r.Rule {
		case "quality", "speed", "price":
		default:
			out = append(out, r.Text)
		}
	}
	for _, l := range losses {
		out = append(out, l.Text)
	}
	return out
}

// entries returns the pictures of an attempt, which it downloads, or its error.
func (a *Attempt) entries(ctx context.Context, client *fal.Client) []sheet.Entry {
	return a.describe(func(_ int, m fal.Image, e *sheet.Entry) {
		var err error
		if e.Picture, err = content(ctx, client, m); err == nil {
			err = e.Check()
		}
		if err != nil {
			e.Picture, e.Error = nil, err.Error()
		}
	})
}

// describe returns what is known about the pictures of an attempt, or its error.
// Each picture is put into its entry by a function.
func (a *Attempt) describe(put func(i int, m fal.Image, e *sheet.Entry)) []sheet.Entry {
	e := sheet.Entry{
		Title: a.Model.Title, Endpoint: a.Model.Endpoint, Elapsed: a.Elapsed, Seed: a.Seed, RequestID: a.RequestID, Reasons: a.because,
	}
	if body, err := json.MarshalIndent(a.Request, "", "  "); err == nil && len(body) <= mostRequest {
		e.Request = string(body)
	}
	switch {
	case a.Billed > 0:
		e.Price = a.Billed.String()
	case a.Spent > 0:
		e.Price = "at most " + a.Spent.String()
	}
	if a.First {
		e.Reasons = append([]string{"the first of two steps"}, e.Reasons...)
	}
	for _, w := range a.warnings() {
		e.Reasons = append([]string{w.Message}, e.Reasons...)
	}
	if a.Result == nil || len(a.Result.Images) == 0 {
		e.Error = "the result has no picture"
		if a.Err != nil {
			e.Error = a.Err.Error()
		}
		return []sheet.Entry{e}
	}
	if e.Seed == nil && a.Result.Seed != 0 {
		e.Seed = &a.Result.Seed
	}
	var out []sheet.Entry
	for i, image := range a.Result.Images {
		one := e
		if i > 0 {
			one.Price = "" // it is that of the request
		}
		one.URL, one.Flagged = address(image), a.Flagged(i)
		put(i, image, &one)
		out = append(out, one)
	}
	return out
}

// warnings are those that are not about a single picture.
func (a *Attempt) warnings() []fal.Warning {
	if a.Result == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(a.Result.Warnings), func(w fal.Warning) bool { return w.Picture >= 0 })
}

// address returns the URL of a picture unless it holds the picture itself, or is
// none that a sheet can link.
func address(m fal.Image) string {
	if u, ok := m.File().URL(); ok && (&sheet.Entry{URL: u}).Check() == nil {
		return u
	}
	return ""
}

// content downloads a picture.
func content(ctx context.Context, client *fal.Client, m fal.Image) ([]byte, error) {
	r, err := client.Download(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(io.LimitReader(r, maxEmbedded+1))
	if err == nil && len(data) > maxEmbedded {
		err = fmt.Errorf("the picture has more than %d bytes", maxEmbedded)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
