package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// document is what -json prints.
type document struct {
	Error      *failure      `json:"error,omitzero"`
	Understood []router.Fact `json:"understood,omitzero"`
	Candidates []candidate   `json:"candidates,omitzero"`
	Firmness   *firmness     `json:"firmness,omitzero"`
	Article    *article      `json:"article,omitzero"`
	Refused    []refusal     `json:"refused,omitzero"`
}

// candidate is a model that can serve the task. Body is that of its first
// request; prices are of all its requests together, and missing where unknown.
type candidate struct {
	Rank     int             `json:"rank"`
	Model    string          `json:"model"`
	Title    string          `json:"title"`
	Endpoint string          `json:"endpoint"`
	Calls    int             `json:"calls"`
	Body     json.RawMessage `json:"body"`
	Price    *prices         `json:"price_usd,omitzero"`
	Score    int             `json:"score"`
	Reasons  []router.Reason `json:"reasons"`
	Losses   []router.Loss   `json:"losses"`
	Then     *step           `json:"then,omitzero"`
}

// step is the second of two; its picture is not there yet.
type step struct {
	Model    string          `json:"model"`
	Endpoint string          `json:"endpoint"`
	Body     json.RawMessage `json:"body"`
}

// firmness is by how many points the first model is the best, and what would
// make another so.
type firmness struct {
	Points  int      `json:"points"`
	Changes []string `json:"changes"`
}

// article is the model that the article of 2026-03-17 advises, where it is
// another, and why it is.
type article struct {
	Model string `json:"model,omitzero"`
	Why   string `json:"why"`
}

type prices struct {
	Expected pricing.USD `json:"expected"`
	Min      pricing.USD `json:"min"`
	Max      pricing.USD `json:"max"`
}

// refusal is a model that cannot serve the task.
type refusal struct {
	Model    string   `json:"model"`
	Endpoint string   `json:"endpoint"`
	Why      []string `json:"why"`
}

// failure says why there are no candidates.
type failure struct {
	Message  string    `json:"message"`
	Conflict []string  `json:"conflict,omitzero"`
	Nearest  []nearest `json:"nearest,omitzero"`
	Problems []problem `json:"problems,omitzero"`
}

type nearest struct {
	Model    string      `json:"model"`
	Endpoint string      `json:"endpoint"`
	Without  string      `json:"without"`
	Expected pricing.USD `json:"expected_usd,omitzero"`
	Max      pricing.USD `json:"max_usd,omitzero"`
}

type problem struct {
	Field   string `json:"field"`
	Value   string `json:"value,omitzero"`
	Message string `json:"message"`
}

// writeJSON writes a routing, or why there is none.
func writeJSON(w io.Writer, r *router.Routing, failed error) error {
	var d document
	if failed != nil {
		d = refused(failed)
	} else {
		d.Understood, d.Refused = r.Facts, refusals(r.Refused)
		if advice, why := r.Article(); why != "" {
			d.Article = &article{advice.Name, why}
		}
		if points, changes := r.Firmness(); changes != nil {
			d.Firmness = &firmness{points, changes}
		}
		for i := range r.Candidates {
			c := &r.Candidates[i]
			body, err := body(c.Request)
			if err != nil {
				return err
			}
			one := candidate{
				Rank: i + 1, Model: c.Model.Name, Title: c.Model.Title, Endpoint: c.Model.Endpoint, Calls: c.Calls, Body: body,
				Score: c.Score, Reasons: c.Reasons(), Losses: append([]router.Loss{}, c.Losses...),
			}
			if known(c) {
				one.Price = &prices{c.Expected, c.Min, c.Max}
			}
			if c.Then != nil {
				one.Then = &step{Model: c.Then.Model.Name, Endpoint: c.Then.Model.Endpoint}
				if one.Then.Body, err = json.Marshal(c.Then.Request); err != nil {
					return err
				}
			}
			d.Candidates = append(d.Candidates, one)
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// refused returns the document of an error of the router.
func refused(err error) document {
	d := document{Error: &failure{Message: err.Error()}}
	if e, ok := errors.AsType[*router.NoModelError](err); ok {
		d.Error.Conflict, d.Refused = e.Conflict, refusals(e.Refused)
		for _, n := range e.Nearest {
			d.Error.Nearest = append(d.Error.Nearest, nearest{n.Model.Name, n.Model.Endpoint, n.Without, n.Expected, n.Max})
		}
	}
	if e, ok := errors.AsType[*router.TaskError](err); ok {
		for _, p := range e.Problems {
			d.Error.Problems = append(d.Error.Problems, problem{p.Field, p.Value, p.Message})
		}
	}
	return d
}

func refusals(list []router.Refusal) []refusal {
	var out []refusal
	for i := range list {
		m := list[i].Model()
		out = append(out, refusal{m.Name, m.Endpoint, list[i].Why()})
	}
	return out
}

// body returns what would be sent. Files get their URL when they are uploaded;
// here their description stands for it.
func body(r fal.Request[fal.Images]) (json.RawMessage, error) {
	r, err := fal.MapFiles(r, func(_ string, f fal.File) (fal.File, error) {
		if _, remote := f.URL(); remote {
			return f, nil
		}
		return fal.URL("upload of " + f.String()), nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}
