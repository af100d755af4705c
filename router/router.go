package router

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/falimage/falimage-go/pricing"
)

// Router chooses models by a policy. It does not change and may be used by
// many goroutines at once.
type Router struct {
	policy  Policy
	models  []*model // those of this package, and the policy's
	entries []entry  // of models, by index
	prices  *pricing.Table
}

// entry is what a policy says of an endpoint.
type entry struct {
	rating Rating
	rules  []compiledRule
}

type compiledRule struct {
	when, any, unless facts
	*ScoreRule
}

func (r *compiledRule) applies(f facts) bool {
	return f&r.when == r.when && (r.any == 0 || f&r.any != 0) && f&r.unless == 0
}

// New returns a router by a policy, which must not change afterwards. The
// error names everything in it that is wrong: facts, models, stages and losses
// that there are not, points out of their range (0 to 10 for ratings, weights
// and prices up to 1,000, -10,000 to 10,000 for rules), rules that name no model.
func New(p Policy) (*Router, error) {
	r := &Router{policy: p, models: builtIn()}
	errs := p.outOfRange()
	if err := r.addOwn(p.Models); err != nil {
		errs = append(errs, err)
	}
	for name := range p.Ratings {
		if !slices.ContainsFunc(r.models, func(m *model) bool { return m.Name == name }) {
			errs = append(errs, fmt.Errorf("ratings: %w", r.unknownModel(name)))
		}
	}
	r.entries = make([]entry, len(r.models))
	for i, m := range r.models {
		rating, ok := p.Ratings[m.Name]
		switch {
		case ok:
		case m.own != nil && m.own.Rating != Rating{}:
			rating = m.own.Rating
		default:
			rating = Rating{Quality: 5, Speed: 5}
		}
		r.entries[i].rating = rating
	}
	for _, name := range p.Not {
		if !r.knows(name) {
			errs = append(errs, fmt.Errorf("not: %w", r.unknownModel(name)))
		}
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

// outOfRange says which stages and losses there are not, and which numbers are
// out of their range: sums of them then fit into an int.
func (p *Policy) outOfRange() (errs []error) {
	within := func(what string, n, least, most int) {
		if n < least || n > most {
			errs = append(errs, fmt.Errorf("%s: %d: must be between %d and %d", what, n, least, most))
		}
	}
	for name, r := range p.Ratings {
		within("ratings: "+name+": quality", r.Quality, 0, 10)
		within("ratings: "+name+": speed", r.Speed, 0, 10)
	}
	for i := range p.Models {
		within("models: "+p.Models[i].Name+": quality", p.Models[i].Rating.Quality, 0, 10)
		within("models: "+p.Models[i].Name+": speed", p.Models[i].Rating.Speed, 0, 10)
	}
	for stage, w := range p.Stages {
		if _, ok := stageFacts[stage]; !ok {
			errs = append(errs, fmt.Errorf("stages: %q: must be preview, draft or final", stage))
		}
		for _, n := range []int{w.Quality, w.Speed, w.Price} {
			within("stages: "+string(stage), n, 0, 1000)
		}
	}
	for i, pp := range p.PricePoints {
		within("price_points", pp.Points, 0, 1000)
		if pp.UpTo <= 0 || i > 0 && pp.UpTo <= p.PricePoints[i-1].UpTo {
			errs = append(errs, fmt.Errorf("price_points: %v: must be more than nothing, and than the one before", pp.UpTo))
		}
	}
	for f, n := range p.Losses {
		if !slices.Contains(features, f) {
			errs = append(errs, fmt.Errorf("losses: %q: must be one of %q", f, features))
		}
		within("losses: "+string(f), n, 0, 10_000)
	}
	for _, r := range p.Rules {
		within(fmt.Sprintf("rule %q", r.Name), r.Points, -10_000, 10_000)
		if len(r.Models) == 0 {
			errs = append(errs, fmt.Errorf("rule %q: names no model", r.Name))
		}
	}
	return errs
}

// add compiles a rule.
func (r *Router) add(rule *ScoreRule) error {
	c := compiledRule{ScoreRule: rule}
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
		if !r.knows(name) {
			return r.unknownModel(name)
		}
	}
	for i, m := range r.models { // once, however many of the names mean it
		if slices.ContainsFunc(rule.Models, m.is) {
			r.entries[i].rules = append(r.entries[i].rules, c)
		}
	}
	return nil
}

// Default returns the router by the default policy.
func Default() *Router { return defaultRouter() }

var (
	defaultRouter = sync.OnceValue(func() *Router { return mustRouter(DefaultPolicy()) })
	articleRouter = sync.OnceValue(func() *Router { return mustRouter(ArticlePolicy()) })
)

// mustRouter makes a router by a policy of this package.
func mustRouter(p Policy) *Router {
	r, err := New(p)
	if err != nil {
		panic(err) // tested
	}
	return r
}

// addOwn adds the models of a policy, and their prices.
func (r *Router) addOwn(list []OwnModel) error {
	var errs []error
	var prices []pricing.Price
	for i := range list {
		m, err := list[i].model(r.models)
		if err != nil {
			errs = append(errs, fmt.Errorf("models: %q: %w", list[i].Name, err))
		}
		r.models = append(r.models, m)
		if rule := list[i].Price; rule != nil {
			prices = append(prices, pricing.Price{Endpoint: m.Endpoint, Rule: rule, Confidence: pricing.High, Rounding: pricing.High, Sources: []string{"the policy"}})
		}
	}
	if err := errors.Join(errs...); err != nil || len(prices) == 0 {
		return err
	}
	var err error
	if r.prices, err = r.Prices().With(prices...); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	return nil
}

// builtIn returns the models of this package.
func builtIn() []*model {
	out := make([]*model, len(models))
	for i := range models {
		out[i] = &models[i]
	}
	return out
}

// knows reports whether a name means a model.
func (r *Router) knows(name string) bool {
	return slices.ContainsFunc(r.models, func(m *model) bool { return m.is(name) })
}

// Models returns every model that the router may choose: those of [Models], and
// the policy's own.
func (r *Router) Models() []Model {
	var out []Model
	for _, m := range r.models {
		if m.routable() {
			out = append(out, m.Model)
		}
	}
	return out
}

// Prices returns the table that quotes come from, with the prices of the
// policy's own models: budgets of the client need it to know them.
func (r *Router) Prices() *pricing.Table {
	switch {
	case r.prices != nil:
		return r.prices
	case r.policy.Prices != nil:
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
