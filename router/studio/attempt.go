package studio

import (
	"context"
	"errors"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// Attempt is one request of a task, and what became of it.
type Attempt struct {
	Model router.Model
	// Request is what was sent.
	Request fal.Request[fal.Images]
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

// planned returns the attempts of a candidate before they are made. The task's
// seed is that of the first.
func planned(c *router.Candidate, seed *uint64) []Attempt {
	out := make([]Attempt, 0, c.Calls)
	for request, quote := range c.Requests() {
		a := Attempt{Model: c.Model, Request: request, Quote: quote, Unpriced: c.Unpriced}
		if seed != nil {
			a.Seed = new(*seed + uint64(len(out)))
		}
		out = append(out, a)
	}
	return out
}

// run makes attempts, some at a time, and returns those it made. It makes no
// more once one has failed with an error that stops it.
func run(ctx context.Context, c *fal.Client, attempts []Attempt, opts []fal.Option, stops func(error) bool) []Attempt {
	made := each(len(attempts), func(i int) bool {
		attempts[i].make(ctx, c, opts)
		return !stops(attempts[i].Err)
	})
	return attempts[:made]
}

// make sends the request and waits for its result.
func (a *Attempt) make(ctx context.Context, c *fal.Client, opts []fal.Option) {
	start := time.Now()
	a.Result, a.Err = fal.Subscribe(ctx, c, a.Request, opts...)
	a.Elapsed = time.Since(start)
	a.settle()
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
	if _, unreadable := errors.AsType[*fal.DecodeError](a.Err); !unreadable {
		a.Result = nil
	}
	if !charged(a.Err) {
		a.Spent, a.Unpriced = 0, false
	}
}

// charged reports whether a request that failed may have been charged.
func charged(err error) bool {
	if job, ok := errors.AsType[*fal.JobError](err); ok && job.Cancel == fal.Cancelled {
		return false
	}
	if maybeRunning(err) {
		return true
	}
	e, ok := errors.AsType[*fal.Error](err)
	return ok && e.Billing != fal.NotBilled
}

// maybeRunning reports whether an error leaves open what became of the
// request. Such errors may wrap a [fal.Error], and so are looked for first.
func maybeRunning(err error) bool {
	_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
	_, unfinished := errors.AsType[*fal.JobError](err)
	_, unreadable := errors.AsType[*fal.DecodeError](err)
	return unknown || unfinished || unreadable
}
