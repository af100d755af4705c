package studio

import (
	"cmp"
	"context"
	"errors"
	"slices"
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
	// Asked is how many pictures the request is for. Layers of one picture count
	// as one.
	Asked int
	// Seed is that of the request, if it has one.
	Seed *uint64
	// Quote is what the request was to cost.
	Quote pricing.Quote
	// Result is what came, its warnings included. It is nil if the request
	// failed, and may be there beside Err where that is about the pictures.
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
	// Missing is how many pictures are missing of those that were asked for.
	Missing int
}

// Flagged reports whether the safety checker flagged picture i of the result, or
// [fal.RefuseFlagged] found that it is all black.
func (a *Attempt) Flagged(i int) bool {
	return a.Result != nil && slices.ContainsFunc(a.Result.Warnings, func(w fal.Warning) bool {
		return w.Picture == i && (w.Kind == fal.FlaggedByFal || w.Kind == fal.AllBlack)
	})
}

// made is how many of the pictures that were asked for came.
func (a *Attempt) made() int {
	if a.Result == nil {
		return 0
	}
	return min(len(a.Result.Images), a.Asked)
}

// Images returns the pictures that were made, flagged ones included.
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
		o.Missing = max(o.Missing-a.made(), 0)
	}
	return nil
}

// failures joins the errors of attempts.
func failures(attempts []Attempt) error {
	var errs []error
	for i := range attempts {
		errs = append(errs, attempts[i].Err)
	}
	return errors.Join(errs...)
}

// planned returns the attempts of a candidate for count pictures before they
// are made. The task's seed is that of the first.
func planned(c *router.Candidate, count int, seed *uint64) []Attempt {
	out := make([]Attempt, 0, c.Calls)
	for request, quote := range c.Requests() {
		a := Attempt{Model: c.Model, Request: request, Asked: 1, Quote: quote, Unpriced: c.Unpriced}
		if user, ok := request.(interface{ Usage() fal.Usage }); ok && c.Calls < count {
			a.Asked = user.Usage().Outputs
		}
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
	var meta fal.Meta
	switch failed := refusal(a.Err); {
	case a.Result != nil:
		meta = a.Result.Meta
		a.RequestID = cmp.Or(meta.RequestID, a.RequestID)
	case fal.Charged(a.Err) == fal.NotBilled:
		a.Spent, a.Unpriced = 0, false
		return
	case failed != nil:
		meta = fal.Meta{Endpoint: failed.Endpoint, RequestID: failed.RequestID, BillableUnits: failed.BillableUnits}
	}
	if bill, err := pricing.Settle(a.Quote, meta); err == nil {
		a.Billed, a.Spent, a.Unpriced = bill.Billed, bill.Max, false
	}
}

// refusal returns what fal itself reported of a request: that it refused it, or
// that its job failed. An error that leaves open what became of the request may
// wrap one, which says nothing then.
func refusal(err error) *fal.Error {
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) { //nolint:errorlint // what wraps it matters
		case *fal.Error:
			return e
		case interface{ Charged() fal.Billing }:
			return nil
		}
	}
	return nil
}
