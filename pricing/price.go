package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
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
	// AsOf is the date of the newest source, such as "2026-07-28", or "2026-08"
	// where its day is not known; "" where no source has a date.
	AsOf string
	// Sources are where the price is from.
	Sources []string
	// Alternates are other prices that some source gives. Where Confidence
	// is not high, quotes span those by the unit of the rule, and those per
	// "reference". Those of a tiered rule are prices of the first megapixel.
	Alternates []Alternate
	// History are prices of before, by the same rule. One that has an Until is
	// what quotes go by until then.
	History []Alternate
	// Discount is the discount of an account in percent that is taken off all
	// amounts already; see [Table.Discounted].
	Discount Units
}

// Alternate is another price for the same.
type Alternate struct {
	// Price is the price of one unit.
	Price USD `json:"price"`
	// Per is the unit; "" if it is that of the rule.
	Per string `json:"per,omitzero"`
	// Where says who gives this price.
	Where string `json:"where"`
	// Until is the first day on which a price of before was not charged any
	// more, in UTC, such as "2026-10-08"; "" where it is not known.
	Until string `json:"until,omitzero"`
}

// perReference is what an alternate is per if it is of what references cost.
const perReference = "reference"

func (a Alternate) String() string {
	text := a.Price.String()
	if a.Per != "" {
		text += " per " + a.Per
	}
	if a.Until != "" {
		text += " until " + a.Until
	}
	return fmt.Sprintf("%s (%s)", text, a.Where)
}

// Known reports whether requests to the endpoint can be quoted.
func (p *Price) Known() bool {
	_, timed := p.Rule.(PerSecond)
	return p.Rule != nil && !timed
}

// WithUnitPrice returns the price with another amount for a unit, such as one
// from a contract, by the same rule. Amounts that are prices of several units,
// such as tiers and a minimum charge, change by as much. Without a rule it stays
// as it is.
func (p Price) WithUnitPrice(amount USD) Price {
	if p.Rule != nil {
		p.Rule = p.Rule.withPrice(amount)
	}
	return p
}

// discounted returns the price less so many percent.
func (p Price) discounted(percent Units) Price {
	by, of := int64(100*One-percent), int64(100*One)
	if p.Rule != nil {
		p.Rule = p.Rule.scaled(by, of)
	}
	p.Probable = p.Probable.ratio(by, of)
	p.Alternates, p.History = slices.Clone(p.Alternates), slices.Clone(p.History)
	for _, others := range [][]Alternate{p.Alternates, p.History} {
		for i := range others {
			others[i].Price = others[i].Price.ratio(by, of)
		}
	}
	p.Discount = percent
	return p
}

// card is a price as a table keeps it: never changed, and ready for use.
type card struct {
	Price
	rules    [3]Rule // in the three cases
	disputed bool    // the rules differ
	past     []past  // the earliest first
}

// past is a card that held before another.
type past struct {
	until time.Time
	card  *card
}

// newCard checks a price and copies it.
func newCard(p Price) (*card, error) {
	if p.Endpoint == "" {
		return nil, errors.New("pricing: a price without endpoint")
	}
	c := &card{Price: p}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("pricing: %s: %w", p.Endpoint, err)
	}
	c.Price = c.price() // slices of its own
	return c, nil
}

// check refuses what is no price, and finds the rules.
func (c *card) check() error {
	if c.Rule == nil && c.Unknown == "" {
		return errors.New("a price needs a rule, or words on why there is none")
	}
	if c.Rule != nil && (c.Unknown != "" || c.Probable != 0) {
		return errors.New("a price with a rule is neither unknown nor probable")
	}
	for _, l := range []Confidence{c.Confidence, c.Rounding} {
		if l != "" && l != High && l != Medium && l != Low {
			return fmt.Errorf("confidence %.60q: must be high, medium or low", l)
		}
	}
	if c.Probable < 0 {
		return fmt.Errorf("a probable price of %v: must not be negative", c.Probable)
	}
	if c.Discount < 0 || c.Discount >= 100*One {
		return fmt.Errorf("a discount of %v percent: must be less than 100 and not negative", c.Discount)
	}
	if c.Rule == nil {
		if len(c.History) > 0 {
			return errors.New("history: goes by the rule, and there is none")
		}
		return nil
	}
	if err := checkRule(c.Rule); err != nil {
		return err
	}
	if err := c.span(); err != nil {
		return err
	}
	return c.dig()
}

// span finds the rules by the cheapest and the dearest source.
func (c *card) span() error {
	low, high := c.Rule.UnitPrice(), c.Rule.UnitPrice()
	tiered, _ := c.Rule.(PerTieredImage)
	lowFee, highFee := tiered.Reference, tiered.Reference
	for _, a := range c.Alternates {
		fee := a.Per == perReference && tiered.Reference > 0
		switch {
		case a.Price < 0 || a.Price == 0 && !fee:
			return fmt.Errorf("an alternate of %v: %w", a.Price, errPrice)
		case a.Until != "":
			return fmt.Errorf("an alternate until %.60q: what has ended is history", a.Until)
		case c.Confidence == High:
		case fee:
			lowFee, highFee = min(lowFee, a.Price), max(highFee, a.Price)
		case cmp.Or(a.Per, c.Rule.Unit()) == c.Rule.Unit():
			low, high = min(low, a.Price), max(high, a.Price)
		}
	}
	c.rules = [3]Rule{c.Rule.withPrice(low), c.Rule, c.Rule.withPrice(high)}
	for which, fee := range map[which]USD{least: lowFee, most: highFee} {
		if r, ok := c.rules[which].(PerTieredImage); ok {
			r.Reference = fee
			c.rules[which] = r
		}
	}
	c.disputed = c.rules[least] != c.rules[most]
	return nil
}

// dig finds the cards of before.
func (c *card) dig() error {
	for _, h := range c.History {
		if h.Price <= 0 {
			return fmt.Errorf("history: %v: %w", h.Price, errPrice)
		}
		if h.Until == "" {
			continue
		}
		until, err := time.Parse(time.DateOnly, h.Until)
		if err != nil || cmp.Or(h.Per, c.Rule.Unit()) != c.Rule.Unit() {
			return fmt.Errorf("history: until %.60q per %.60q: must be a day such as 2026-10-08, and per unit of the rule", h.Until, h.Per)
		}
		before := c.WithUnitPrice(h.Price)
		before.History, before.Alternates, before.Sources = nil, nil, []string{h.Where}
		held, err := newCard(before)
		if err != nil {
			return err
		}
		c.past = append(c.past, past{until, held})
	}
	slices.SortFunc(c.past, func(a, b past) int { return a.until.Compare(b.until) })
	return nil
}

// at returns the card that held at a time.
func (c *card) at(when time.Time) *card {
	for _, p := range c.past {
		if when.Before(p.until) {
			return p.card
		}
	}
	return c
}

// now returns the card that holds now.
func (c *card) now() *card {
	if c.past == nil {
		return c
	}
	return c.at(time.Now())
}

// price returns a copy that the caller may change.
func (c *card) price() Price {
	p := c.Price
	p.Sources = slices.Clone(p.Sources)
	p.Alternates = slices.Clone(p.Alternates)
	p.History = slices.Clone(p.History)
	return p
}
