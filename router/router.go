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
	entries []entry // of models, by index
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
	r := &Router{policy: p, entries: make([]entry, len(models))}
	errs := p.outOfRange()
	for name := range p.Ratings {
		if !slices.ContainsFunc(models, func(m model) bool { return m.Name == name }) {
			errs = append(errs, fmt.Errorf("ratings: %w", unknownModel(name)))
		}
	}
	for i := range models {
		rating, ok := p.Ratings[models[i].Name]
		if !ok {
			rating = Rating{Quality: 5, Speed: 5}
		}
		r.entries[i].rating = rating
	}
	for _, name := range p.Not {
		if !slices.ContainsFunc(models, func(m model) bool { return m.is(name) }) {
			errs = append(errs, fmt.Errorf("not: %w", unknownModel(name)))
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
		found := false
		for i := range models {
			if models[i].is(name) {
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
