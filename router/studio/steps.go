package studio

import (
	"context"
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// twoSteps does a task in the two steps of a candidate. Each may fall back on
// other models as far as what was approved for both goes. What the first made is
// in the outcome whatever becomes of the second.
func (s Studio) twoSteps(ctx context.Context, slots slots, t router.Task, best *router.Candidate, limit pricing.USD, opts []fal.Option) (*Outcome, error) {
	out := &Outcome{Missing: max(t.Count, 1)}
	first, then := best.Steps()
	after, err := best.Then.Max.Mul(int64(out.Missing))
	if err != nil {
		return out, unsent(err)
	}
	first.Only, first.MaxPrice, first.MaxPricePerImage = t.Only, 0, 0
	if limit > 0 {
		first.MaxPrice, first.UnknownPrice = limit-after, false
	}
	made, failure := s.do(ctx, slots, first, best.Model.Endpoint, opts)
	for i := range made.Attempts {
		made.Attempts[i].First = true
	}
	if err := out.add(made.Attempts); err != nil {
		return out, errors.Join(failure, err)
	}
	pictures, flagged := good(made.Attempts)
	if flagged > 0 {
		failure = errors.Join(failure, fmt.Errorf("studio: %d pictures of the first step were flagged, and nothing is made of them", flagged))
	}
	for i, m := range pictures {
		if ctx.Err() != nil {
			return out, errors.Join(failure, ctx.Err())
		}
		second := then(router.Picture{File: m.File(), Width: m.Width, Height: m.Height})
		if second.MaxPrice = 0; limit > 0 {
			if second.MaxPrice = (limit - out.Spent) / pricing.USD(len(pictures)-i); second.MaxPrice <= 0 {
				return out, errors.Join(failure, nothingLeft(out, limit))
			}
			second.UnknownPrice = false
		}
		next, err := s.do(ctx, slots, second, best.Then.Model.Endpoint, opts)
		if err != nil {
			err = fmt.Errorf("studio: the second step, of picture %d of the first: %w", i+1, err)
		}
		failure = errors.Join(failure, err)
		if err := out.add(next.Attempts); err != nil {
			return out, errors.Join(failure, err)
		}
		if stopsAll(next) {
			break
		}
	}
	return out, failure
}

// allows returns an error if the budget that requests with the options are asked of,
// theirs or the client's, does not allow an amount. Nothing is set aside.
func allows(ctx context.Context, c *fal.Client, amount pricing.USD, opts []fal.Option) error {
	guard, tags := c.GuardOf(opts...)
	if g, ok := guard.(interface {
		Allows(ctx context.Context, amount pricing.USD, tags map[string]string) error
	}); ok {
		return g.Allows(ctx, amount, tags)
	}
	return nil
}

// good returns the pictures that may be gone on with, and how many may not.
func good(attempts []Attempt) (out []fal.Image, flagged int) {
	for _, a := range attempts {
		if a.Result == nil {
			continue
		}
		for i, m := range a.Result.Images[:a.made()] { // of more than were asked for nothing is made
			if a.Flagged(i) {
				flagged++
				continue
			}
			out = append(out, m)
		}
	}
	return out, flagged
}

// stopsAll reports whether nothing more may be sent after what came of a task.
func stopsAll(o *Outcome) bool {
	for i := range o.Attempts {
		if endsAll(o.Attempts[i].Err) {
			return true
		}
	}
	return false
}
