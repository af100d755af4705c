package studio

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

// mostModels is how many models Do tries.
const mostModels = 4

// Do does a task with the best model for it. If that fails in a way that
// another model may not share, such as a model that is down, the next best one
// makes what is missing. MaxPrice bounds what all of them may cost together,
// counting what failed and may have been charged.
//
// Do stops, and sends nothing more, when another model would not help or must
// not be tried: if it is unknown whether fal accepted a request, or a job may
// still be running; if the account is locked, the key wrong or too much under
// way; if the content policy was violated; and when the context ends. The error
// comes with an outcome that has what was made and spent until then.
func (s Studio) Do(ctx context.Context, c *fal.Client, t router.Task, opts ...fal.Option) (*Outcome, error) {
	return s.do(ctx, c, t, "", opts)
}

// do is Do that tries a certain model first, if one is given.
func (s Studio) do(ctx context.Context, c *fal.Client, t router.Task, first string, opts []fal.Option) (*Outcome, error) {
	out := new(Outcome)
	wanted, limit := max(t.Count, 1), t.MaxPrice
	var failure error
	for range mostModels {
		best, err := s.best(t, first)
		if err != nil {
			return out, errors.Join(failure, err)
		}
		first = ""
		attempts := run(ctx, c, planned(best, t.Seed), opts, func(err error) bool { return err != nil })
		if err := out.add(attempts); err != nil {
			return out, err
		}
		made, err := tally(attempts)
		if err == nil {
			return out, nil
		}
		failure = errors.Join(failure, err)
		if ctx.Err() != nil || slices.ContainsFunc(attempts, func(a Attempt) bool { return ends(a.Err) }) {
			return out, failure
		}
		if wanted -= made; wanted <= 0 {
			return out, failure
		}
		t.Count = wanted
		t.Not = append(slices.Clone(t.Not), best.Model.Endpoint)
		if limit > 0 {
			if t.MaxPrice = limit - out.Spent; t.MaxPrice <= 0 {
				return out, fmt.Errorf("%w; nothing is left of %v for another model", failure, limit)
			}
		}
		if e, ok := errors.AsType[*spend.BudgetError](err); ok && (t.MaxPrice == 0 || e.Left < t.MaxPrice) {
			if t.MaxPrice = e.Left; t.MaxPrice <= 0 {
				return out, failure
			}
		}
	}
	return out, failure
}

// best returns the best candidate, or that of a certain model.
func (s Studio) best(t router.Task, model string) (*router.Candidate, error) {
	if model != "" {
		t.Only = []string{model}
	}
	routing, err := s.router().Route(t)
	if err != nil {
		return nil, err
	}
	return routing.Best(), nil
}

// ends reports whether no other model may be tried after an error.
func ends(err error) bool {
	if err == nil {
		return false
	}
	if maybeRunning(err) {
		return true
	}
	if e, ok := errors.AsType[*fal.Error](err); ok {
		return errors.Is(e, fal.ErrUnauthorized) || errors.Is(e, fal.ErrLocked) || errors.Is(e, fal.ErrRateLimited) ||
			errors.Is(e, fal.ErrContentPolicy) || errors.Is(e, fal.ErrCancelled)
	}
	_, invalid := errors.AsType[*fal.ValidationError](err)
	_, budget := errors.AsType[*spend.BudgetError](err)
	return !invalid && !budget
}
