package studio

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
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
	// First says that it is the first of two steps, see [router.Candidate]: its
	// pictures are what the second was made of, and not what was asked for.
	First bool
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

	because []string // why its model was taken, and what it cannot do
	key     string   // what the journal calls it
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

// Winner returns the attempt that made a picture last: its model, its request,
// what was flagged and what it cost are those of the result. Nil says that no
// picture was made.
func (o *Outcome) Winner() *Attempt {
	for i := len(o.Attempts) - 1; i >= 0; i-- {
		if o.Attempts[i].made() > 0 && !o.Attempts[i].First {
			return &o.Attempts[i]
		}
	}
	return nil
}

// Images returns the pictures that were made, flagged ones included, without those
// of a first of two steps: these are in Attempts.
func (o *Outcome) Images() []fal.Image {
	var out []fal.Image
	for _, a := range o.Attempts {
		if a.Result != nil && !a.First {
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
		if !a.First {
			o.Missing = max(o.Missing-a.made(), 0)
		}
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

// planned yields the attempts of a candidate for count pictures before they are
// made, one after the other, so that a million do not stand in memory before the
// first is made. The task's seed is that of the first; a model that takes none
// has none.
func planned(c *router.Candidate, count int, seed *uint64) iter.Seq[Attempt] {
	return func(yield func(Attempt) bool) {
		reasons, n := because(c.Reasons(), c.Losses), uint64(0)
		for request, quote := range c.Requests() {
			a := Attempt{Model: c.Model, Request: request, Asked: 1, Quote: quote, Unpriced: c.Unpriced, because: reasons}
			if user, ok := request.(interface{ Usage() fal.Usage }); ok && c.Calls < count {
				a.Asked = user.Usage().Outputs
			}
			if seed != nil && !lacks(c, router.FeatureSeed) {
				a.Seed = new(*seed + n)
			}
			if n++; !yield(a) {
				return
			}
		}
	}
}

// lacks reports whether the model cannot do something of the task.
func lacks(c *router.Candidate, f router.Feature) bool {
	return slices.ContainsFunc(c.Losses, func(l router.Loss) bool { return l.Feature == f })
}

// slots bound how many requests are under way at a time. Those that wait in
// fal's queue are among them.
type slots struct {
	free chan struct{}
	book *book
	made func(i int, a *Attempt) // is told of what run made, if not nil
}

func (s Studio) newSlots(c *fal.Client) slots {
	return slots{free: make(chan struct{}, 8), book: newBook(c, s.Journal)}
}

// reading returns slots that send nothing, and make what is on record.
func (s slots) reading() slots { return slots{free: s.free, book: s.book.reading()} }

// live returns an error of what is about to be sent: on record there is what came of
// what was left then, whatever is now.
func (s slots) live(err error) error {
	if s.book.read {
		return nil
	}
	return err
}

// run makes attempts, some at a time, and returns those it made. It makes no
// more once one has failed with an error that stops it.
func (s slots) run(ctx context.Context, attempts iter.Seq[Attempt], opts []fal.Option, stops func(error) bool) []Attempt {
	if s.book.read {
		return s.read(ctx, attempts, opts)
	}
	var made []*Attempt
	var wait sync.WaitGroup
	var stopped atomic.Bool
	for a := range attempts {
		s.free <- struct{}{}
		if stopped.Load() {
			<-s.free
			break
		}
		number := len(made)
		made = append(made, &a)
		var err error
		if a.key == "" {
			a.key, err = s.book.key(a.Request)
		}
		wait.Go(func() {
			defer func() { <-s.free }()
			start := time.Now()
			if a.Err = err; err == nil {
				a.Result, a.Err = s.book.make(ctx, &a, opts)
			}
			a.Elapsed = time.Since(start)
			a.settle()
			if s.made != nil {
				s.made(number, &a)
			}
			if stops(a.Err) {
				stopped.Store(true)
			}
		})
	}
	wait.Wait()
	out := make([]Attempt, len(made))
	for i, a := range made {
		out[i] = *a
	}
	return out
}

// read returns what is on record of attempts, as run does of those it makes. After
// one that failed, those that are not on record were never begun.
func (s slots) read(ctx context.Context, attempts iter.Seq[Attempt], opts []fal.Option) (out []Attempt) {
	some := false // failed
	for a := range attempts {
		if a.key == "" {
			a.key, a.Err = s.book.key(a.Request)
		}
		if a.Err == nil {
			a.Result, a.Err = s.book.make(ctx, &a, opts)
		}
		none := errors.Is(a.Err, errNotOnRecord)
		if none && some {
			s.book.unmade(a.key)
			break
		}
		a.settle()
		if out = append(out, a); none {
			break
		}
		some = some || a.Err != nil
	}
	return out
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
