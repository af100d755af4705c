package router

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// Lesson is what a LoRA is to learn.
type Lesson string

// The lessons.
const (
	LearnSubject Lesson = "subject" // a style or subject, from single pictures
	LearnEdit    Lesson = "edit"    // an edit, from pairs of pictures
	LearnLayers  Lesson = "layers"  // a way of taking pictures apart
)

// TrainingTask is a need for a LoRA.
type TrainingTask struct {
	// Lesson is what it is to learn. Default: LearnSubject.
	Lesson Lesson
	// Steps is the number of training steps. Default: 1000.
	Steps int
	// References is the number of start pictures of each pair, as
	// dataset.Set.References tells; 0 if it is not known.
	References int
	// Ecosystem says that it matters more how many tools and LoRAs there are
	// for the model than what the training costs.
	Ecosystem bool
	// MaxPrice bounds what it may cost at most; 0 is no bound.
	MaxPrice pricing.USD
	// Only and Not are the trainers allowed and banned, in the forms of
	// [Task.Only].
	Only, Not []string
}

// Trainer is a trainer that can serve a [TrainingTask].
type Trainer struct {
	Model   Model
	Quote   pricing.Quote
	Reasons []Reason
	// Losses are what speaks against it.
	Losses []Loss
}

// Trainers returns the trainers that can serve a need, by the default policy. See
// [Router.Trainers].
func Trainers(t TrainingTask) ([]Trainer, error) { return Default().Trainers(t) }

// Trainers returns the trainers that can serve a need, the best first: the
// cheapest, or those of FLUX before those of Qwen Image if the ecosystem
// matters more, and last those that may be retired. Trainers whose price is
// not known are left out. It sends nothing. The error is a [*TaskError].
func (r *Router) Trainers(t TrainingTask) ([]Trainer, error) {
	t.Lesson, t.Steps = cmp.Or(t.Lesson, LearnSubject), cmp.Or(t.Steps, 1000)
	if p := t.check(); p != nil {
		return nil, &TaskError{p}
	}
	var out []Trainer
	var cheapest pricing.USD
	for _, m := range trainers() {
		if lesson(m) != t.Lesson || len(t.Only) > 0 && !slices.ContainsFunc(t.Only, named(m)) || slices.ContainsFunc(t.Not, named(m)) {
			continue
		}
		q, err := r.Prices().Estimate(fal.Usage{Endpoint: m.Endpoint, Outputs: 1, Steps: t.Steps, References: t.References})
		switch {
		case errors.Is(err, pricing.ErrUnknown):
			continue
		case err != nil:
			return nil, err
		}
		if cheapest == 0 || q.Max < cheapest {
			cheapest = q.Max
		}
		if t.MaxPrice == 0 || q.Max <= t.MaxPrice {
			out = append(out, trainer(m, t.Lesson, q))
		}
	}
	switch {
	case len(out) > 0:
	case cheapest > 0:
		return nil, trainingError("max_price", t.MaxPrice, fmt.Sprintf("the cheapest of the trainers for %s costs up to %v", t.Lesson, cheapest))
	default:
		return nil, trainingError("lesson", t.Lesson, "no trainer for it with a known price is among those allowed")
	}
	slices.SortStableFunc(out, func(a, b Trainer) int {
		rank := func(one Trainer) int {
			switch {
			case len(one.Losses) > 0:
				return 2
			case t.Ecosystem && strings.HasPrefix(one.Model.Name, "qwen."):
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Quote.Expected, b.Quote.Expected))
	})
	return out, nil
}

// check returns what is wrong with a task; nil if nothing is.
func (t *TrainingTask) check() []fal.Problem {
	var p []fal.Problem
	refuse := func(wrong bool, field string, value any, message string) {
		if wrong {
			p = append(p, fal.Problem{Field: field, Value: fmt.Sprint(value), Message: message})
		}
	}
	lessons := []Lesson{LearnSubject, LearnEdit, LearnLayers}
	refuse(!slices.Contains(lessons, t.Lesson), "lesson", t.Lesson, fmt.Sprintf("must be one of %q", lessons))
	refuse(t.Steps < 1 || t.Steps > 40_000, "steps", t.Steps, "must be between 1 and 40000")
	refuse(t.References < 0 || t.References > 10, "references", t.References, "must be between 0 and 10")
	refuse(t.MaxPrice < 0, "max_price", t.MaxPrice, "must not be negative")
	for _, names := range []struct {
		field string
		names []string
	}{{"only", t.Only}, {"not", t.Not}} {
		for i, name := range names.names {
			known := slices.ContainsFunc(trainers(), func(m schema.Model) bool { return named(m)(name) })
			refuse(!known, fmt.Sprintf("%s[%d]", names.field, i), name, "is no package, family, Go type or endpoint of a trainer")
		}
	}
	return p
}

func trainingError(field string, value any, message string) error {
	return &TaskError{[]fal.Problem{{Field: field, Value: fmt.Sprint(value), Message: message}}}
}

var trainers = sync.OnceValue(func() []schema.Model {
	return slices.DeleteFunc(slices.Concat(flux.Models(), qwen.Models()), func(m schema.Model) bool { return m.Task != "train" })
})

func lesson(m schema.Model) Lesson {
	switch {
	case strings.Contains(m.For, "taking pictures apart"):
		return LearnLayers
	case strings.Contains(m.For, "edit taught"):
		return LearnEdit
	}
	return LearnSubject
}

// named returns a function that reports whether a name means the trainer.
func named(m schema.Model) func(string) bool {
	return func(name string) bool {
		return name == m.Endpoint || strings.EqualFold(name, m.Package) || strings.EqualFold(name, m.Family) || strings.EqualFold(name, m.Package+"."+m.Name)
	}
}

func trainer(m schema.Model, lesson Lesson, q pricing.Quote) Trainer {
	out := Trainer{
		Model: Model{Name: m.Package + "." + m.Name, Endpoint: m.Endpoint, Title: m.Title, Family: m.Family, What: m.For, Licence: m.Licence},
		Quote: q,
	}
	reason := Reason{Rule: "flux-lora", Text: "FLUX has a mature LoRA ecosystem with established tools", Source: "article, Choose FLUX when 3: LoRA fine-tuning"}
	switch {
	case m.Package == "qwen" && lesson != LearnSubject:
		reason = Reason{Rule: "qwen-lora-trainers", Text: "Qwen Image has trainers of its own for generation and for editing", Source: "article, TL;DR: LoRA ecosystem"}
	case m.Package == "qwen":
		reason = Reason{Rule: "qwen-lora-training", Text: "Qwen Image has the cheapest training, $2 for 1,000 steps", Source: "article, Choose Qwen Image when 5: LoRA training cost"}
	}
	out.Reasons = []Reason{reason}
	if e, ok := catalog.Lookup(m.Endpoint); ok && e.Doubt() != "" {
		out.Losses = []Loss{{Feature: FeatureCurrent, Text: e.Doubt()}}
	}
	return out
}
