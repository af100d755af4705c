package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// Kind says in what a live price differs from the table.
type Kind string

// The kinds of changes. Only the first is taken over by [Apply].
const (
	ChangedPrice Kind = "price"      // the same unit, another price
	ChangedTier  Kind = "tier"       // none of the several prices of the rule
	OtherUnit    Kind = "unit"       // another unit: not comparable
	OnlyLive     Kind = "only live"  // the table has no price
	OnlyTable    Kind = "only table" // the platform has no price
	Unreadable   Kind = "unreadable" // not a price in dollars
)

// Change is a difference between a table and the live prices.
type Change struct {
	Endpoint string
	Kind     Kind
	// TablePrice and TableUnit are the unit price of the table, LivePrice and
	// LiveUnit those of the platform; zero where there is none.
	TablePrice, LivePrice pricing.USD
	TableUnit, LiveUnit   string

	problem string
}

func (c Change) String() string {
	table, live := fmt.Sprintf("%v per %s", c.TablePrice, c.TableUnit), fmt.Sprintf("%v per %s", c.LivePrice, c.LiveUnit)
	switch c.Kind {
	case OnlyLive:
		table = "unknown"
	case OnlyTable:
		live = "unknown"
	case Unreadable:
		live = c.problem
	}
	return fmt.Sprintf("%-10s  %s: table %s, live %s", c.Kind, c.Endpoint, table, live)
}

// Changes are all differences between a table and the live prices, in the
// order of their endpoints. Its String is a line for each, for a log or CI;
// there is none where the two agree.
type Changes []Change

func (c Changes) String() string {
	var b strings.Builder
	for _, change := range c {
		b.WriteString(change.String() + "\n")
	}
	return b.String()
}

// Diff compares the table with live prices, which are those before a discount:
// so should be the table. An endpoint of the table that is
// not among the live prices is not compared; one that is there without a unit
// price has none at the platform.
func Diff(t *pricing.Table, prices []Price) Changes {
	var changes Changes
	for _, p := range prices {
		if c := compare(t, p); c.Kind != "" {
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return changes
}

// compare returns how a live price differs from the table, or a Change without
// kind if it does not.
func compare(t *pricing.Table, l Price) Change {
	c := Change{Endpoint: l.Endpoint, LiveUnit: l.Unit}
	known, _ := t.Price(l.Endpoint)
	rule := known.Rule
	if rule != nil {
		c.TablePrice, c.TableUnit = rule.UnitPrice(), rule.Unit()
	}
	if l.UnitPrice == "" {
		if rule != nil {
			c.Kind = OnlyTable
		}
		return c
	}
	var err error
	if c.LivePrice, err = l.amount(); err != nil {
		c.Kind, c.problem = Unreadable, err.Error()
		return c
	}
	units, amounts := several(rule)
	switch {
	case rule == nil:
		c.Kind = OnlyLive
	case slices.Contains(units, l.unit()):
		if !slices.Contains(amounts, c.LivePrice) {
			c.Kind = ChangedTier
		}
	case l.unit() != c.TableUnit:
		c.Kind = OtherUnit
	case c.LivePrice != c.TablePrice:
		c.Kind = ChangedPrice
	}
	return c
}

// several returns the prices of a rule that has more than one, and the units by
// which the platform may tell one of them.
func several(rule pricing.Rule) (units []string, amounts []pricing.USD) {
	switch r := rule.(type) {
	case pricing.PerTieredMegapixel:
		return []string{r.Unit(), (pricing.PerMegapixel{}).Unit()}, []pricing.USD{r.First, r.Extra}
	case pricing.PerTieredImage:
		amounts = []pricing.USD{r.Price}
		for _, t := range r.Tiers {
			amounts = append(amounts, t.Price)
		}
		return []string{r.Unit(), (pricing.PerImage{}).Unit(), (pricing.PerMegapixel{}).Unit()}, amounts
	}
	return nil, nil
}

// Apply returns a copy of the table with the live prices that mean the same as
// its own: those in US dollars by the unit of the rule. A live price by another
// unit, such as "compute seconds" for a model that is charged by the megapixel,
// or for a rule with several prices, changes nothing but is among the changes, as
// is everything else in which the two differ. When says when the live prices
// were got.
func Apply(t *pricing.Table, prices []Price, when time.Time) (*pricing.Table, Changes, error) {
	changes := Diff(t, prices)
	var changed []pricing.Price
	for _, c := range changes {
		if c.Kind != ChangedPrice {
			continue
		}
		p, _ := t.Price(c.Endpoint)
		p = p.WithUnitPrice(c.LivePrice)
		p.Confidence = pricing.High
		p.AsOf = when.UTC().Format(time.DateOnly)
		p.Sources = []string{"platform pricing API, " + p.AsOf}
		changed = append(changed, p)
	}
	table, err := t.With(changed...)
	return table, changes, err
}
