package studio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

// mostModels is how many models Do tries.
const mostModels = 4

// Do does a task with the best model for it. If that fails by chance and was
// not charged, it is asked once more. If it fails in a way that another model
// may not share, the next best one makes what is missing, for no more than what
// was approved: see [Fallback]. If a model makes fewer pictures than it was asked
// for, it is asked for the missing ones, one request each.
//
// Where a task takes two steps, see [router.Candidate], each is done so, within what
// was approved for both. If the second fails, the outcome still has what the first
// made, and is the start of another try: of the same task where there is a Journal,
// and else of that which [router.Candidate.Steps] has for the picture.
//
// Do stops, and sends nothing more, when another model would not help or must
// not be tried: if it is unknown whether fal accepted a request, or a job may
// still be running; if a result arrived that cannot be read; if the account is
// locked or cannot pay, the key wrong or too much under way; if the content
// policy was violated, or a picture flagged that [fal.RefuseFlagged] refuses; if
// an input cannot be fetched or read, or is too large; and when the context ends.
// The error comes with an outcome that has what was made and spent until then,
// and how many pictures are missing.
func (s Studio) Do(ctx context.Context, c *fal.Client, t router.Task, opts ...fal.Option) (*Outcome, error) {
	return s.do(ctx, s.newSlots(c), t, "", opts)
}

// do is Do that tries a certain model first, if one is given. With a journal it reads
// first what is on record: if all pictures are there, however they came, that is the
// end. Else the models before the last that may have been paid are left as they failed.
func (s Studio) do(ctx context.Context, slots slots, t router.Task, first string, opts []fal.Option) (*Outcome, error) {
	if s.Journal == nil || slots.book.read {
		out, _, err := s.try(ctx, slots, t, first, -1, opts)
		return out, err
	}
	read := slots.reading()
	out, paid, err := s.try(ctx, read, t, first, -1, opts)
	if out.Missing == 0 {
		slots.book.adopt(read.book)
		return out, err
	}
	out, _, err = s.try(ctx, slots, t, first, paid, opts)
	return out, err
}

// try tries one model after the other, of which the first few only as they are on
// record. It returns which of them was the last that may have been paid; -1 is none.
func (s Studio) try(ctx context.Context, all slots, t router.Task, first string, past int, opts []fal.Option) (out *Outcome, paid int, err error) {
	out, paid = &Outcome{Missing: max(t.Count, 1)}, -1
	approved, limit := t.MaxPrice, pricing.USD(0) // of the first model, and of others
	var failure error
	for round := range mostModels {
		slots := all
		if round < past {
			slots = all.reading()
		}
		best, err := s.best(t, first)
		if err != nil {
			return out, paid, errors.Join(failure, unsent(err))
		}
		switch first = ""; {
		case round == 0:
			if limit, err = s.Fallback.bound(&t, best); err != nil {
				return out, paid, unsent(err)
			}
		case s.Fallback.Before != nil && !slots.book.read:
			step := Step{Next: best, Err: failure, Missing: out.Missing, Spent: out.Spent}
			if err := s.Fallback.Before(ctx, step); err != nil {
				return out, paid, errors.Join(failure, err)
			}
		}
		if best.Then != nil {
			left := limit
			if limit > 0 {
				left -= out.Spent
			}
			if round != past && !s.begun(ctx, slots, t, best, left, opts) {
				if err := allows(ctx, slots.book.runner.Client, best.Max, opts); err != nil {
					// Another way may be cheaper.
					if failure = errors.Join(failure, err); !leave(&t, limit, out.Spent, slots.live(err)) {
						return out, paid, errors.Join(failure, nothingLeft(out, limit))
					}
					continue
				}
			}
			next, err := s.twoSteps(ctx, slots, t, best, left, opts)
			if maybePaid(next.Attempts) {
				paid = round
			}
			if err = errors.Join(err, out.add(next.Attempts)); out.Missing == 0 {
				return out, paid, err
			}
			return out, paid, errors.Join(failure, err)
		}
		attempts := planned(best, out.Missing, t.Seed)
		rest := attempts
		for repeated, short, first := false, false, true; attempts != nil; first = false {
			made := slots.run(ctx, attempts, opts, failed)
			if first {
				rest = after(rest, len(made))
			}
			if maybePaid(made) {
				paid = round
			}
			if err := out.add(made); err != nil {
				return out, paid, errors.Join(failure, err)
			}
			if err = failures(made); out.Missing == 0 {
				return out, paid, err
			}
			if failure = errors.Join(failure, err); ctx.Err() != nil || slices.ContainsFunc(made, func(a Attempt) bool { return ends(a.Err) }) {
				return out, paid, failure
			}
			switch attempts = nil; {
			case err != nil && !repeated && again(made):
				repeated = true
				attempts = repeat(made)
			case err == nil && rest != nil:
				attempts, rest = rest, nil
			case err == nil && !short:
				short = true
				failure = errors.Join(failure, fmt.Errorf("studio: %s made %d pictures fewer than it was asked for", best.Model.Endpoint, out.Missing))
				if !leave(&t, approved, out.Spent, nil) {
					return out, paid, errors.Join(failure, nothingLeft(out, approved))
				}
				attempts = s.singles(t, best.Model.Endpoint, out.Missing)
			}
		}
		if !leave(&t, limit, out.Spent, slots.live(err)) {
			return out, paid, errors.Join(failure, nothingLeft(out, limit))
		}
		t.Count = out.Missing
		t.Not = append(slices.Clone(t.Not), best.Model.Endpoint)
	}
	return out, paid, failure
}

// nothingLeft says why nothing more is sent although pictures are missing: what failed
// may have been charged, or a budget is used up.
func nothingLeft(out *Outcome, approved pricing.USD) error {
	if approved == 0 || out.Spent < approved {
		return fmt.Errorf("studio: pictures are missing (%d), and nothing more is sent: the budget has nothing left", out.Missing)
	}
	return fmt.Errorf("studio: pictures are missing (%d), and nothing more is sent: %v were approved, and what was sent may be charged up to %v", out.Missing, approved, out.Spent)
}

// leave sets the MaxPrice of a task to what is left of a bound, of which 0 is
// none, and of a budget that refused. It returns false if that is nothing.
func leave(t *router.Task, bound, spent pricing.USD, err error) bool {
	t.MaxPrice = 0
	if bound > 0 {
		if t.MaxPrice = bound - spent; t.MaxPrice <= 0 {
			return false
		}
	}
	if e, ok := errors.AsType[*spend.BudgetError](err); ok && (t.MaxPrice == 0 || e.Left < t.MaxPrice) {
		if t.MaxPrice = e.Left; t.MaxPrice <= 0 {
			return false
		}
	}
	t.UnknownPrice = t.UnknownPrice && t.MaxPrice == 0 // which it cannot be held to
	return true
}

// begun reports whether something of two steps is on record that may have been paid.
func (s Studio) begun(ctx context.Context, slots slots, t router.Task, best *router.Candidate, left pricing.USD, opts []fal.Option) bool {
	if !slots.book.read {
		return false
	}
	out, _ := s.twoSteps(ctx, slots.reading(), t, best, left, opts)
	return maybePaid(out.Attempts)
}

// maybePaid reports whether one of the attempts may have been paid.
func maybePaid(attempts []Attempt) bool {
	return slices.ContainsFunc(attempts, func(a Attempt) bool { return fal.Charged(a.Err) != fal.NotBilled })
}

// after yields the attempts after the first n.
func after(attempts iter.Seq[Attempt], n int) iter.Seq[Attempt] {
	return func(yield func(Attempt) bool) {
		i := 0
		for a := range attempts {
			if i++; i > n && !yield(a) {
				return
			}
		}
	}
}

// repeat yields the attempts that failed, as they were before. Where the journal
// lets one be made again, it is the same there: what it comes to takes the place of
// the failure.
func repeat(made []Attempt) iter.Seq[Attempt] {
	return func(yield func(Attempt) bool) {
		for _, a := range made {
			if a.Err == nil {
				continue
			}
			key := ""
			if e := refusal(a.Err); e != nil && (e.RequestID == "" || e.Retryable) {
				key = a.key
			}
			if !yield(Attempt{Model: a.Model, Request: a.Request, Asked: a.Asked, Seed: a.Seed, Quote: a.Quote, because: a.because, key: key}) {
				return
			}
		}
	}
}

// failed reports whether an attempt did not go well.
func failed(err error) bool { return err != nil }

// singles yields attempts for the n pictures that a model did not make although
// it was asked for them: one picture each, so that nothing is bought beyond
// what is missing, and as many as MaxPrice pays for; nil if that is none. Their
// seeds follow those of the task, or they would make what is there already.
func (s Studio) singles(t router.Task, model string, n int) iter.Seq[Attempt] {
	seed := t.Seed
	if seed != nil {
		seed = new(*seed + uint64(max(t.Count, 1)))
	}
	limit := t.MaxPrice
	t.Count, t.Seed, t.Require = 1, seed, append(slices.Clone(t.Require), router.FeatureOneStep) // as those that came
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
		return func(yield func(Attempt) bool) {
			for i := range n {
				for a := range planned(best, 1, seed) {
					if a.Seed != nil {
						a.Seed = new(*seed + uint64(i))
						a.Request = best.WithSeed(*a.Seed)
					}
					if !yield(a) {
						return
					}
				}
			}
		}
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
