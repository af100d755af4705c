package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Confidence is how sure a fact is.
type Confidence string

// The levels of confidence.
const (
	High   Confidence = "high"
	Medium Confidence = "medium"
	Low    Confidence = "low"
)

// level orders confidences; what is not said is not sure.
func (c Confidence) level() int {
	switch c {
	case High:
		return 2
	case Medium:
		return 1
	}
	return 0
}

// Price is what is known about the price of one endpoint.
type Price struct {
	// Endpoint is the id of the endpoint.
	Endpoint string
	// Rule says how it charges; nil if that is not known.
	Rule Rule
	// Unknown says why there is no rule; "" if there is one.
	Unknown string
	// Probable is the likely unit price where there is no rule; 0 if there is
	// no likely one. It is never charged with.
	Probable USD
	// Confidence is how sure the amounts are, Rounding how sure the way of
	// counting and rounding is.
	Confidence, Rounding Confidence
	// AsOf is the day of the newest check, such as "2026-11-23".
	AsOf string
	// Sources are where the price is from.
	Sources []string
	// Alternates are other prices that some source gives. Where Confidence
	// is not high, quotes span those by the unit of the rule. Those of a
	// tiered rule are prices of the first megapixel.
	Alternates []Alternate
}

// Alternate is another price for the same.
type Alternate struct {
	// Price is the price of one unit.
	Price USD `json:"price"`
	// Per is the unit; "" if it is that of the rule.
	Per string `json:"per,omitzero"`
	// Where says who gives this price.
	Where string `json:"where"`
}

func (a Alternate) String() string {
	if a.Per != "" {
		return fmt.Sprintf("%v per %s (%s)", a.Price, a.Per, a.Where)
	}
	return fmt.Sprintf("%v (%s)", a.Price, a.Where)
}

// Known reports whether requests to the endpoint can be quoted.
func (p *Price) Known() bool {
	_, timed := p.Rule.(PerSecond)
	return p.Rule != nil && !timed
}

// WithUnitPrice returns the price with another amount for a unit, such as one
// from a contract, by the same rule. Without a rule it stays as it is.
func (p Price) WithUnitPrice(amount USD) Price {
	if p.Rule != nil {
		p.Rule = p.Rule.withPrice(amount)
	}
	return p
}

// card is a price as a table keeps it: never changed, and ready for use.
type card struct {
	Price
	rules    [3]Rule // in the three cases
	disputed bool    // the rules differ
}

// newCard checks a price and copies it.
func newCard(p Price) (*card, error) {
	if p.Endpoint == "" {
		return nil, errors.New("pricing: a price without endpoint")
	}
	if p.Rule == nil && p.Unknown == "" {
		return nil, fmt.Errorf("pricing: %s: a price needs a rule, or words on why there is none", p.Endpoint)
	}
	if p.Rule != nil && (p.Unknown != "" || p.Probable != 0) {
		return nil, fmt.Errorf("pricing: %s: a price with a rule is neither unknown nor probable", p.Endpoint)
	}
	for _, c := range []Confidence{p.Confidence, p.Rounding} {
		if c != "" && c != High && c != Medium && c != Low {
			return nil, fmt.Errorf("pricing: %s: confidence %.60q: must be high, medium or low", p.Endpoint, c)
		}
	}
	if p.Probable < 0 {
		return nil, fmt.Errorf("pricing: %s: a probable price of %v: must not be negative", p.Endpoint, p.Probable)
	}
	p.Sources = slices.Clone(p.Sources)
	p.Alternates = slices.Clone(p.Alternates)
	c := &card{Price: p}
	if p.Rule == nil {
		return c, nil
	}
	if err := checkRule(p.Rule); err != nil {
		return nil, fmt.Errorf("pricing: %s: %w", p.Endpoint, err)
	}
	low, high := p.Rule.UnitPrice(), p.Rule.UnitPrice()
	for _, a := range p.Alternates {
		if a.Price <= 0 {
			return nil, fmt.Errorf("pricing: %s: an alternate of %v: %w", p.Endpoint, a.Price, errPrice)
		}
		if p.Confidence != High && cmp.Or(a.Per, p.Rule.Unit()) == p.Rule.Unit() {
			low, high = min(low, a.Price), max(high, a.Price)
		}
	}
	c.rules = [3]Rule{p.Rule.withPrice(low), p.Rule, p.Rule.withPrice(high)}
	c.disputed = c.rules[least] != c.rules[most]
	return c, nil
}

// price returns a copy that the caller may change.
func (c *card) price() Price {
	p := c.Price
	p.Sources = slices.Clone(p.Sources)
	p.Alternates = slices.Clone(p.Alternates)
	return p
}
