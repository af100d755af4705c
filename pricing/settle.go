package pricing

import (
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
)

// ErrNoUnits says that fal did not report what it billed.
var ErrNoUnits = errors.New("pricing: fal reported no billed units")

// Settlement is what a request was billed, next to what was quoted.
type Settlement struct {
	Endpoint  string
	RequestID string
	// Units is what fal reported, and Billed that many times the unit price.
	// Min and Max are the same by the cheapest and the dearest reading where
	// sources disagree on the price, or none tells what a unit is, and else the
	// same as Billed; see [Quote.Bill].
	Units            Units
	Billed, Min, Max USD
	// Difference is how much more than expected was billed; below zero if it
	// was less.
	Difference USD
	// Within says that the amount lies between the quote's Min and Max.
	Within bool

	quote   Quote
	settled bool // what was billed is known
}

// Settle tells what a request was billed, from its quote and what came with
// its result. The error is [ErrNoUnits] if fal reported nothing: what was
// billed is then not known, and by no means nothing. It is [ErrUnknown] if the
// quote knows no unit price.
func Settle(q Quote, meta fal.Meta) (Settlement, error) {
	s := Settlement{Endpoint: meta.Endpoint, RequestID: meta.RequestID, quote: q}
	if q.UnitPrice() == (Amounts{}) {
		return s, fmt.Errorf("%w: %.60s has no unit price", ErrUnknown, q.Endpoint)
	}
	if meta.Endpoint != "" && meta.Endpoint != q.Endpoint {
		return s, fmt.Errorf("pricing: the quote is for %s and the result from %.60s", q.Endpoint, meta.Endpoint)
	}
	if meta.BillableUnits == "" {
		return s, ErrNoUnits
	}
	var err error
	if s.Units, err = ParseUnits(meta.BillableUnits); err != nil {
		return s, err
	}
	bill, err := q.Bill(s.Units)
	if err != nil {
		return s, err
	}
	s.Min, s.Billed, s.Max = bill.Min, bill.Expected, bill.Max
	if s.Difference, err = s.Billed.Sub(q.Expected); err != nil {
		return s, err
	}
	s.Within = q.Min <= s.Billed && s.Billed <= q.Max
	s.settled = true
	return s, nil
}

// String says what was billed and how it differs from the quote.
func (s Settlement) String() string {
	if !s.settled {
		return "it is not known what was billed"
	}
	text := fmt.Sprintf("%v billed (%v units)", s.Billed, s.Units)
	switch {
	case s.Min != s.Billed && s.Max != s.Billed:
		text += fmt.Sprintf(", or %v to %v by other readings of price or unit", s.Min, s.Max)
	case s.Min != s.Max:
		text += fmt.Sprintf(", or %v by another reading of price or unit", s.Min+(s.Max-s.Billed))
	}
	switch {
	case s.quote.Max == 0:
		return text + ", and nothing was quoted"
	case s.Difference == 0:
		return text + ", as quoted"
	case s.Within:
		return text + fmt.Sprintf(", within the quote of %v to %v", s.quote.Min, s.quote.Max)
	case s.tieredUnits():
		return text + fmt.Sprintf(", quoted %v: fal may have counted whole megapixels, which would be as quoted", s.quote.Expected)
	}
	how, difference := "more", s.Difference
	if difference < 0 {
		how, difference = "less", -difference
	}
	return text + fmt.Sprintf(", quoted %v: %v %s than expected, since the quote counts %v units of a %s",
		s.quote.Expected, difference, how, s.quote.Units(), s.quote.card.Rule.Unit())
}

// tieredUnits reports whether the bill fits the other reading of units for the
// tiered rule.
func (s Settlement) tieredUnits() bool {
	total, ok := s.quote.megapixelBill(s.quote.card.Rule, s.Units)
	return ok && s.quote.Min <= total && total <= s.quote.Max
}

// Bill returns what a number of billed units costs by the price of the quote: by
// the rule, and by the cheapest and the dearest reading where sources disagree
// on the price. For the tiered rule whole units may be megapixels, of which only
// the first costs as much as a unit: Min is by that reading then. The error is
// [ErrUnknown] where there is no unit price.
func (q Quote) Bill(u Units) (bill Amounts, err error) {
	price := q.UnitPrice()
	if price == (Amounts{}) {
		return bill, fmt.Errorf("%w: %.60s has no unit price", ErrUnknown, q.Endpoint)
	}
	for _, c := range []struct {
		to    *USD
		price USD
	}{{&bill.Min, price.Min}, {&bill.Expected, price.Expected}, {&bill.Max, price.Max}} {
		if *c.to, err = u.At(c.price); err != nil {
			return Amounts{}, err
		}
	}
	if other, ok := q.megapixelBill(q.card.rules[least], u); ok {
		bill.Min = min(bill.Min, other)
	}
	return bill, nil
}

// megapixelBill returns what units of a tiered rule cost if each is a megapixel,
// which whole units may be: of fractions none are billed.
func (q Quote) megapixelBill(rule Rule, u Units) (total USD, ok bool) {
	r, ok := rule.(PerTieredMegapixel)
	firsts := Units(max(1, q.quantities.outputs))
	if r.FirstOfInputs {
		firsts = 1
	}
	if !ok || u%One != 0 || u/One < firsts {
		return 0, false
	}
	first, err := r.First.Mul(int64(firsts))
	rest, err2 := r.Extra.Mul(int64(u/One - firsts))
	total, err3 := first.Add(rest)
	return total, err == nil && err2 == nil && err3 == nil
}
