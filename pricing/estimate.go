package pricing

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/falimage/falimage-go/fal"
)

// ErrUnknown is what the error of a quote is, by [errors.Is], where no source
// tells the price. The error itself is an [*UnknownError].
var ErrUnknown = errors.New("pricing: the price is not known")

// UnknownError says why a request cannot be quoted.
type UnknownError struct {
	Endpoint string
	Reason   string
	// Probable is the likely unit price; 0 if there is no likely one.
	Probable USD
}

func (e *UnknownError) Error() string {
	text := fmt.Sprintf("pricing: the price of %.60s is not known: %s", e.Endpoint, e.Reason)
	if e.Probable > 0 {
		text += fmt.Sprintf("; it is probably %v per unit", e.Probable)
	}
	return text
}

// NotSent returns true: what cannot be quoted is not sent.
func (e *UnknownError) NotSent() bool { return true }

// Is reports whether target is ErrUnknown.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknown }

// Estimate returns what a request will cost, by the default table. It reads
// the headers of local input pictures where their size counts, and sends
// nothing. The error is a [*fal.ValidationError] if the request would be refused,
// [ErrUnknown] if the price is not known, and another if an input cannot be read
// or the amount overflows.
func Estimate[Out any, T fal.Request[Out]](r T) (q Quote, err error) {
	u, err := usageOf[Out](r)
	if err != nil {
		return q, err
	}
	err = Default().estimate(&q, &u, fal.File.Dimensions)
	return q, err
}

// EstimateUsage is like [Estimate], for what a request says of itself.
func EstimateUsage(u fal.Usage) (q Quote, err error) {
	err = Default().estimate(&q, &u, fal.File.Dimensions)
	return q, err
}

// Estimate returns what a request with the given usage will cost by this
// table; see the function [Estimate]. Where the price is not known but a unit
// price is, the quote that comes along with the error is good for [Settle].
func (t *Table) Estimate(u fal.Usage) (q Quote, err error) {
	err = t.estimate(&q, &u, fal.File.Dimensions)
	return q, err
}

// usageOf returns what a request says it will be charged for.
func usageOf[Out any, T fal.Request[Out]](r T) (fal.Usage, error) {
	request := any(r) // put into an interface once, which is the one allocation of a quote
	if v := reflect.ValueOf(request); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return fal.Usage{}, &UnknownError{Endpoint: "this request", Reason: "it is nil"}
	}
	if v, ok := request.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return fal.Usage{}, err
		}
	}
	var u fal.Usage
	if request, ok := request.(interface{ Usage() fal.Usage }); ok {
		u = request.Usage()
	}
	// Where the two differ, as in a type that embeds a request for another
	// endpoint, this is the one that will be asked.
	u.Endpoint = string(r.Endpoint())
	return u, nil
}

// estimate fills in the quote, which is zero before.
func (t *Table) estimate(q *Quote, u *fal.Usage, size measurer) error {
	q.Endpoint = u.Endpoint
	c, ok := t.card(u.Endpoint)
	if !ok {
		return &UnknownError{Endpoint: u.Endpoint, Reason: "the table has no such endpoint"}
	}
	q.card, q.wanted = c, u.Size
	switch {
	case c.Rule == nil:
		return &UnknownError{Endpoint: u.Endpoint, Reason: c.Unknown, Probable: c.Probable}
	case !c.Known():
		return &UnknownError{Endpoint: u.Endpoint, Reason: "it is charged " + c.Rule.String() + ", which nobody knows before"}
	case u.Outputs == 0:
		return &UnknownError{Endpoint: u.Endpoint, Reason: "the request does not tell what it will be charged for"}
	}
	err := q.quantities.set(u, c.Rule, size)
	if err == nil {
		err = q.price()
	}
	if err == nil {
		err = q.plausible()
	}
	if err == nil {
		return nil
	}
	q.quantities, q.Amounts = quantities{}, Amounts{}
	if errors.Is(err, ErrUnknown) {
		return err
	}
	return fmt.Errorf("pricing: %s: %w", u.Endpoint, err)
}

// price adds up the lines.
func (q *Quote) price() (err error) {
	if q.Expected, err = q.sum(likely); err != nil {
		return err
	}
	q.Min, q.Max = q.Expected, q.Expected
	if !q.quantities.open && !q.card.disputed {
		return nil
	}
	if q.Min, err = q.sum(least); err != nil {
		return err
	}
	q.Max, err = q.sum(most)
	return err
}

// plausible returns an error for amounts that no rule can come to: every price
// is more than nothing, so a quote of nothing would be a mistake.
func (a Amounts) plausible() error {
	if a.Min <= 0 || a.Min > a.Expected || a.Expected > a.Max {
		return fmt.Errorf("it comes to %v, %v and %v at most, which cannot be", a.Min, a.Expected, a.Max)
	}
	return nil
}

func (q *Quote) sum(c which) (total USD, err error) {
	var buf [4]charge
	lines, err := charges(buf[:0], q.card.rules[c], &q.quantities, c)
	for i := range lines {
		if err == nil {
			total, err = total.Add(lines[i].amount)
		}
	}
	return total, err
}
