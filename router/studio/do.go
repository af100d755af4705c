package studio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

// mostModels is how many models Do tries.
const mostModels = 4

// Do does a task with the best model for it. If that fails in a way that
// another model may not share, such as a model that is down, the next best one
// makes what is missing. If a model makes fewer pictures than it was asked for,
// it is asked for the missing ones, one request each. MaxPrice bounds what all of
// this may cost together, counting what failed and may have been charged.
//
// Do stops, and sends nothing more, when another model would not help or must
// not be tried: if it is unknown whether fal accepted a request, or a job may
// still be running; if a result arrived that cannot be read; if the account is
// locked or cannot pay, the key wrong or too much under way; if the content
// policy was violated, or a picture flagged that [fal.RefuseFlagged] refuses; if
// an input cannot be fetched or read; and when the context ends. The error comes
// with an outcome that has what was made and spent until then, and how many
// pictures are missing.
func (s Studio) Do(ctx context.Context, c *fal.Client, t router.Task, opts ...fal.Option) (*Outcome, error) {
	return s.do(ctx, c, t, "", opts)
}

// do is Do that tries a certain model first, if one is given.
func (s Studio) do(ctx context.Context, c *fal.Client, t router.Task, first string, opts []fal.Option) (*Outcome, error) {
	out := &Outcome{Missing: max(t.Count, 1)}
	limit := t.MaxPrice
	var failure error
	for range mostModels {
		best, err := s.best(t, first)
		if err != nil {
			return out, errors.Join(failure, unsent(err))
		}
		first = ""
		attempts := planned(best, max(t.Count, 1), t.Seed)
		for short := false; len(attempts) > 0; {
			attempts = run(ctx, c, attempts, opts, failed)
			if err := out.add(attempts); err != nil {
				return out, errors.Join(failure, err)
			}
			err := failures(attempts)
			if out.Missing == 0 {
				return out, err
			}
			if failure = errors.Join(failure, err); ctx.Err() != nil || slices.ContainsFunc(attempts, func(a Attempt) bool { return ends(a.Err) }) {
				return out, failure
			}
			if limit > 0 {
				if t.MaxPrice = limit - out.Spent; t.MaxPrice <= 0 {
					return out, errors.Join(failure, fmt.Errorf("studio: %d pictures are missing, and nothing is left of %v for them", out.Missing, limit))
				}
			}
			if e, ok := errors.AsType[*spend.BudgetError](err); ok && (t.MaxPrice == 0 || e.Left < t.MaxPrice) {
				if t.MaxPrice = e.Left; t.MaxPrice <= 0 {
					return out, failure
				}
			}
			if err != nil || short {
				break
			}
			short = true
			failure = errors.Join(failure, fmt.Errorf("studio: %s made %d pictures fewer than it was asked for", best.Model.Endpoint, out.Missing))
			attempts = s.singles(t, best.Model.Endpoint, out.Missing)
		}
		t.Count = out.Missing
		t.Not = append(slices.Clone(t.Not), best.Model.Endpoint)
	}
	return out, failure
}

// failed reports whether an attempt did not go well.
func failed(err error) bool { return err != nil }

// singles returns attempts for the n pictures that a model did not make although
// it was asked for them: one picture each, so that nothing is bought beyond
// what is missing, and as many as MaxPrice pays for. Their seeds follow those of
// the task, or they would make what is there already.
func (s Studio) singles(t router.Task, model string, n int) []Attempt {
	seed := t.Seed
	if seed != nil {
		seed = new(*seed + uint64(max(t.Count, 1)))
	}
	limit := t.MaxPrice
	t.Count, t.Seed = 1, seed
	for ; n > 0; n-- {
		if limit > 0 {
			if t.MaxPrice = limit / pricing.USD(n); t.MaxPrice == 0 {
				continue
			}
		}
		best, err := s.best(t, model)
		if err != nil {
			continue
		}
		out := make([]Attempt, n)
		for i := range out {
			out[i] = planned(best, 1, t.Seed)[0]
			if seed != nil {
				out[i].Seed = new(*seed + uint64(i))
				out[i].Request = best.WithSeed(*out[i].Seed)
			}
		}
		return out
	}
	return nil
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

// ends reports whether no other model may be tried after an error: because
// every model would fail alike, or because it is no refusal, of fal's or of this
// side, so that what became of the request is open, or it was billed.
func ends(err error) bool {
	if err == nil {
		return false
	}
	if e := refusal(err); e != nil {
		return slices.Contains(endingStatus, e.Status) || errors.Is(e, fal.ErrLocked) ||
			slices.Contains(endingType, e.Type) ||
			slices.ContainsFunc(e.Fields, func(f fal.FieldError) bool { return slices.Contains(endingType, f.Type) })
	}
	_, invalid := errors.AsType[*fal.ValidationError](err)
	_, budget := errors.AsType[*spend.BudgetError](err)
	return !invalid && !budget
}

// What fal reports that another model shares: it is about the account, the
// prompt or the inputs.
var (
	endingStatus = []int{http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusTooManyRequests, 499}
	endingType   = []string{"content_policy_violation", "file_download_error", "image_load_error", "unsupported_image_format"}
)

// unsent marks an error of which the package knows that nothing was sent.
func unsent(err error) error {
	if err == nil || fal.NotSent(err) {
		return err
	}
	return unsentError{err}
}

type unsentError struct{ error }

func (e unsentError) Unwrap() error { return e.error }

// NotSent returns true. See [fal.NotSent].
func (e unsentError) NotSent() bool { return true }
