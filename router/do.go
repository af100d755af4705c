package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

const (
	// atOnce is how many requests of one task are under way at a time. Those
	// that wait in fal's queue are among them.
	atOnce = 8
	// mostModels is how many models Do tries.
	mostModels = 4
)

// Attempt is one request of a task, and what became of it.
type Attempt struct {
	Model Model
	// Seed is that of the request, if it has one.
	Seed *uint64
	// Quote is what the request was to cost.
	Quote pricing.Quote
	// Result is nil if the request failed.
	Result *fal.Images
	// RequestID is the id at fal, "" if the request was not accepted or that is
	// unknown.
	RequestID string
	// Billed is what fal reported, as far as it did.
	Billed pricing.USD
	// Spent is the most that the request can have cost: what was billed, if
	// that is known, by the dearest price if sources disagree on it; or else
	// the maximum of the quote, unless it certainly was not charged.
	Spent pricing.USD
	// Unpriced says that no source tells the price: Spent is then 0 and means
	// nothing, unless Billed is known.
	Unpriced bool
	Elapsed  time.Duration
	Err      error
}

// Outcome is what came of a task.
type Outcome struct {
	// Attempts are all requests that were tried, in order.
	Attempts []Attempt
	// Billed and Spent are the sums of the attempts'.
	Billed, Spent pricing.USD
	// Unpriced is the number of attempts that may have cost what is in neither.
	Unpriced int
}

// Images returns the pictures that were made.
func (o *Outcome) Images() []fal.Image {
	var out []fal.Image
	for _, a := range o.Attempts {
		if a.Result != nil {
			out = append(out, a.Result.Images...)
		}
	}
	return out
}

func (o *Outcome) add(attempts []Attempt) error {
	o.Attempts = append(o.Attempts, attempts...)
	for _, a := range attempts {
		var err error
		if o.Billed, err = o.Billed.Add(a.Billed); err != nil {
			return err
		}
		if o.Spent, err = o.Spent.Add(a.Spent); err != nil {
			return err
		}
		if a.Unpriced {
			o.Unpriced++
		}
	}
	return nil
}

// Do does a task by the default policy. See [Router.Do].
func Do(ctx context.Context, c *fal.Client, t Task, opts ...fal.Option) (*Outcome, error) {
	return Default().Do(ctx, c, t, opts...)
}

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
func (r *Router) Do(ctx context.Context, c *fal.Client, t Task, opts ...fal.Option) (*Outcome, error) {
	return r.do(ctx, c, t, "", opts)
}

// do is Do that tries a certain model first, if one is given.
func (r *Router) do(ctx context.Context, c *fal.Client, t Task, first string, opts []fal.Option) (*Outcome, error) {
	out := new(Outcome)
	wanted, limit := max(t.Count, 1), t.MaxPrice
	var failure error
	for range mostModels {
		best, err := r.best(t, first)
		if err != nil {
			return out, errors.Join(failure, err)
		}
		first = ""
		attempts := run(ctx, c, best, opts, func(err error) bool { return err != nil })
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
		t.Not = append(slices.Clone(t.Not), best.Model.ID)
		if limit > 0 {
			if t.MaxPrice = limit - out.Spent; t.MaxPrice <= 0 {
				return out, fmt.Errorf("%w; nothing is left of %v for another model", failure, limit)
			}
		}
		if e, ok := errors.AsType[*pricing.BudgetError](err); ok && (t.MaxPrice == 0 || e.Left < t.MaxPrice) {
			if t.MaxPrice = e.Left; t.MaxPrice <= 0 {
				return out, failure
			}
		}
	}
	return out, failure
}

// best returns the best candidate, or that of a certain model.
func (r *Router) best(t Task, model string) (*Candidate, error) {
	if model != "" {
		t.Only = []string{model}
	}
	routing, err := r.Route(t)
	if err != nil {
		return nil, err
	}
	return routing.Best(), nil
}

// tally returns how many pictures were made, and the errors.
func tally(attempts []Attempt) (made int, err error) {
	for _, a := range attempts {
		if a.Result != nil {
			made += len(a.Result.Images)
		}
		err = errors.Join(err, a.Err)
	}
	return made, err
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
	_, budget := errors.AsType[*pricing.BudgetError](err)
	return !invalid && !budget
}

// maybeRunning reports whether an error leaves open what became of the
// request. Such errors may wrap a [fal.Error], and so are looked for first.
func maybeRunning(err error) bool {
	_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
	_, lost := errors.AsType[*fal.JobError](err)
	_, broken := errors.AsType[*fal.DecodeError](err)
	return unknown || lost || broken
}

// run sends all requests of a candidate, some at a time, and waits for them. It
// sends no more once one has failed with an error that stops it.
func run(ctx context.Context, c *fal.Client, best *Candidate, opts []fal.Option, stops func(error) bool) []Attempt {
	attempts := make([]Attempt, best.Calls)
	slots := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	var stopped atomic.Bool
	sent := 0
	for i := range attempts {
		slots <- struct{}{}
		if stopped.Load() {
			break
		}
		sent++
		wait.Go(func() {
			attempts[i] = attempt(ctx, c, best, i, opts)
			if stops(attempts[i].Err) {
				stopped.Store(true)
			}
			<-slots
		})
	}
	wait.Wait()
	return attempts[:sent]
}

// attempt sends one of the requests of a candidate and waits for its result.
func attempt(ctx context.Context, c *fal.Client, best *Candidate, i int, opts []fal.Option) Attempt {
	a := Attempt{Model: best.Model, Seed: best.part(i).seed, Quote: best.quote(i), Unpriced: best.Unpriced}
	start := time.Now()
	a.Result, a.Err = fal.Subscribe(ctx, c, best.request(i), opts...)
	a.Elapsed = time.Since(start)
	a.settle()
	return a
}

// settle finds out what an attempt cost.
func (a *Attempt) settle() {
	a.RequestID = fal.RequestID(a.Err)
	a.Spent = a.Quote.Max
	if a.Err == nil {
		a.RequestID = a.Result.RequestID
		if bill, err := pricing.Settle(a.Quote, a.Result.Meta); err == nil {
			a.Billed, a.Spent, a.Unpriced = bill.Billed, bill.Max, false
		}
		return
	}
	if _, broken := errors.AsType[*fal.DecodeError](a.Err); !broken {
		a.Result = nil
	}
	if !charged(a.Err) {
		a.Spent, a.Unpriced = 0, false
	}
}

// charged reports whether a request that failed may have been charged.
func charged(err error) bool {
	if lost, ok := errors.AsType[*fal.JobError](err); ok && lost.Cancel == fal.Cancelled {
		return false
	}
	if maybeRunning(err) {
		return true
	}
	e, ok := errors.AsType[*fal.Error](err)
	return ok && e.Billing != fal.NotBilled
}
