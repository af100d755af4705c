package pricing

import (
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
)

// ErrNoUnits says that fal did not report what it billed.
var ErrNoUnits = errors.New("pricing: fal reported no billed units")

// Bill is what a request was billed, next to what was quoted.
type Bill struct {
	Endpoint  string
	RequestID string
	// Units is what fal reported, and Billed that many times the unit price.
	// Min and Max are the same by the cheapest and the dearest price where
	// sources disagree on it, and else the same as Billed.
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
// billed is then not known, and by no means nothing.
func Settle(q Quote, meta fal.Meta) (Bill, error) {
	b := Bill{Endpoint: meta.Endpoint, RequestID: meta.RequestID, quote: q}
	if q.card == nil || q.card.Rule == nil {
		return b, &UnknownError{Endpoint: q.Endpoint, Reason: "there is no unit price"}
	}
	if meta.Endpoint != "" && meta.Endpoint != q.Endpoint {
		return b, fmt.Errorf("pricing: the quote is for %s and the result from %s", q.Endpoint, shorten(meta.Endpoint))
	}
	if meta.BillableUnits == "" {
		return b, ErrNoUnits
	}
	var err error
	if b.Units, err = ParseUnits(meta.BillableUnits); err != nil {
		return b, err
	}
	if b.Billed, err = b.Units.At(q.card.Rule.UnitPrice()); err != nil {
		return b, err
	}
	if b.Min, err = b.Units.At(q.unitPrice(least)); err != nil {
		return b, err
	}
	if b.Max, err = b.Units.At(q.unitPrice(most)); err != nil {
		return b, err
	}
	if b.Difference, err = b.Billed.Sub(q.Expected); err != nil {
		return b, err
	}
	b.Within = q.Min <= b.Billed && b.Billed <= q.Max
	b.settled = true
	return b, nil
}

// unitPrice returns the price of a unit in one of the cases; 0 if there is none.
func (q *Quote) unitPrice(c which) USD {
	if q.card == nil || q.card.Rule == nil {
		return 0
	}
	return q.card.rules[c].UnitPrice()
}

// String says what was billed and how it differs from the quote.
func (b Bill) String() string {
	if !b.settled {
		return "it is not known what was billed"
	}
	text := fmt.Sprintf("%v billed (%v units)", b.Billed, b.Units)
	switch {
	case b.Min != b.Billed && b.Max != b.Billed:
		text += fmt.Sprintf(", or %v to %v by other sources of the price", b.Min, b.Max)
	case b.Min != b.Max:
		text += fmt.Sprintf(", or %v by another source of the price", b.Min+(b.Max-b.Billed))
	}
	switch {
	case b.quote.Max == 0:
		return text + ", and nothing was quoted"
	case b.Difference == 0:
		return text + ", as quoted"
	case b.Within:
		return text + fmt.Sprintf(", within the quote of %v to %v", b.quote.Min, b.quote.Max)
	case b.tieredUnits():
		return text + fmt.Sprintf(", quoted %v: fal may have counted whole megapixels, which would be as quoted", b.quote.Expected)
	}
	how, difference := "more", b.Difference
	if difference < 0 {
		how, difference = "less", -difference
	}
	return text + fmt.Sprintf(", quoted %v: %v %s than expected, since the quote counts %v units of a %s",
		b.quote.Expected, difference, how, b.quote.Units(), b.quote.card.Rule.Unit())
}

// tieredUnits reports whether the bill fits the other reading of units for the
// tiered rule: a unit for each megapixel.
func (b Bill) tieredUnits() bool {
	r, ok := b.quote.card.Rule.(PerTieredMegapixel)
	if !ok || b.Units < One {
		return false
	}
	rest, err := (b.Units - One).At(r.Extra)
	if err != nil {
		return false
	}
	total, err := r.First.Add(rest)
	return err == nil && b.quote.Min <= total && total <= b.quote.Max
}
