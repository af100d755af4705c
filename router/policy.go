package router

import (
	"bytes"
	_ "embed" // for the default policy
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/falimage/falimage-go/pricing"
)

// Policy says how models are chosen: it is data, to be read and changed. A
// model's score is the sum of its points for quality, speed and price, each
// times its weight, and of the points of every rule that applies to it, less
// the points of what the task would lose on it.
type Policy struct {
	// Ratings are the quality and speed of models, by their Go type, such as
	// "flux.Pro2". A model without one has 5 points for each.
	Ratings map[string]Rating `json:"ratings"`
	// Stages are the weights of each stage, for tasks that prefer nothing.
	Stages map[Stage]Weights `json:"stages"`
	// PricePoints are the points for the expected price of a picture, from the
	// cheapest on. What is dearer than the last has none.
	PricePoints []PricePoints `json:"price_points"`
	// Losses are the points that a model loses for what it cannot do.
	Losses map[Feature]int `json:"losses"`
	Rules  []Rule          `json:"rules"`

	// Judges are further rules, as functions. They are called for each model
	// that can serve the task, and must always answer the same to the same.
	Judges []Judge `json:"-"`
	// Prices is the table that quotes come from; nil is [pricing.Default].
	Prices *pricing.Table `json:"-"`
}

// Rating is how good and how fast a model is, in points of 0 to 10.
type Rating struct {
	Quality int `json:"quality"`
	Speed   int `json:"speed"`
}

// PricePoints are the points of a picture that costs UpTo at most.
type PricePoints struct {
	UpTo   pricing.USD `json:"up_to"`
	Points int         `json:"points"`
}

// Rule gives points to models for tasks of which certain facts are true. The
// names of facts are those that [Routing.Facts] has.
type Rule struct {
	Name string `json:"name"`
	// When are facts that must all be true, Any those of which one must be,
	// Unless those of which none may be.
	When   []string `json:"when,omitzero"`
	Any    []string `json:"any,omitzero"`
	Unless []string `json:"unless,omitzero"`
	// Models are those that get the points, in the forms of [Task.Only].
	Models []string `json:"models"`
	Points int      `json:"points"`
	// Because is the reason in words, and Source where it is from.
	Because string `json:"because"`
	Source  string `json:"source"`
}

// Judge is a rule as a function: the points of a model for a task, and why. No
// points means that the rule does not apply.
type Judge func(t *Task, m Model) (points int, because string)

//go:embed policy.json
var defaultJSON []byte

// DefaultPolicy returns a copy of the policy that comes with this package. It
// reproduces the advice of the article "FLUX vs. Qwen Image" of 2026-03-17;
// each of its rules names the passage, or the catalogue of endpoints. Ratings are the judgement of this
// package, made from what the article says of speed and quality.
func DefaultPolicy() Policy {
	p := defaultPolicy()
	p.Ratings = maps.Clone(p.Ratings)
	p.Stages = maps.Clone(p.Stages)
	p.PricePoints = slices.Clone(p.PricePoints)
	p.Losses = maps.Clone(p.Losses)
	p.Rules = slices.Clone(p.Rules)
	return p
}

var defaultPolicy = sync.OnceValue(func() Policy {
	p, err := ReadPolicy(bytes.NewReader(defaultJSON))
	if err != nil {
		panic(err) // the file is part of the program, and tested
	}
	return p
})

// ReadPolicy reads a policy in the form of the embedded policy.json, which is
// also what encoding/json writes. Unknown fields are an error.
func ReadPolicy(r io.Reader) (Policy, error) {
	const limit = 4 << 20
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("a policy has at most %d bytes", limit)
	}
	var p Policy
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(&p)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("router: reading a policy: %w", err)
	}
	return p, nil
}

// Router chooses models by a policy. It does not change and may be used by
// many goroutines at once.
type Router struct {
	policy  Policy
	entries []entry // of endpoints, by index
}

// entry is what a policy says of an endpoint.
type entry struct {
	rating Rating
	rules  []compiledRule
}

type compiledRule struct {
	when, any, unless facts
	*Rule
}

func (r *compiledRule) applies(f facts) bool {
	return f&r.when == r.when && (r.any == 0 || f&r.any != 0) && f&r.unless == 0
}

// New returns a router by a policy, which must not change afterwards. The
// error names every fact and model in it that there is not.
func New(p Policy) (*Router, error) {
	r := &Router{policy: p, entries: make([]entry, len(endpoints))}
	var errs []error
	for name := range p.Ratings {
		if !slices.ContainsFunc(endpoints, func(e endpoint) bool { return e.goName == name }) {
			errs = append(errs, fmt.Errorf("ratings: %w", unknownModel(name)))
		}
	}
	for stage := range p.Stages {
		if _, ok := stageFacts[stage]; !ok {
			errs = append(errs, fmt.Errorf("stages: %q: must be preview, draft or final", stage))
		}
	}
	for i := range endpoints {
		rating, ok := p.Ratings[endpoints[i].goName]
		if !ok {
			rating = Rating{Quality: 5, Speed: 5}
		}
		r.entries[i].rating = rating
	}
	for i := range p.Rules {
		if err := r.add(&p.Rules[i]); err != nil {
			errs = append(errs, fmt.Errorf("rule %q: %w", p.Rules[i].Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("router: policy: %w", err)
	}
	return r, nil
}

// add compiles a rule.
func (r *Router) add(rule *Rule) error {
	c := compiledRule{Rule: rule}
	for _, part := range []struct {
		names []string
		set   *facts
	}{{rule.When, &c.when}, {rule.Any, &c.any}, {rule.Unless, &c.unless}} {
		for _, name := range part.names {
			f := slices.Index(factNames[:], name)
			if f < 0 {
				return fmt.Errorf("no fact %q: there are %v", name, factNames)
			}
			*part.set |= 1 << f
		}
	}
	for _, name := range rule.Models {
		found := false
		for i := range endpoints {
			if endpoints[i].is(name) {
				found = true
				r.entries[i].rules = append(r.entries[i].rules, c)
			}
		}
		if !found {
			return unknownModel(name)
		}
	}
	return nil
}

// Default returns the router by the default policy.
func Default() *Router { return defaultRouter() }

var defaultRouter = sync.OnceValue(func() *Router {
	r, err := New(DefaultPolicy())
	if err != nil {
		panic(err) // likewise
	}
	return r
})

// table returns the prices.
func (r *Router) table() *pricing.Table {
	if r.policy.Prices != nil {
		return r.policy.Prices
	}
	return pricing.Default()
}

// pricePoints returns the points for the price of one picture.
func (r *Router) pricePoints(price pricing.USD) int {
	if price <= 0 {
		return 0
	}
	for _, p := range r.policy.PricePoints {
		if price <= p.UpTo {
			return p.Points
		}
	}
	return 0
}
