package pricing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ChangeKind says in what a live price differs from the table.
type ChangeKind string

// The kinds of changes. Only the first is taken over by WithLive.
const (
	ChangedPrice ChangeKind = "price"      // the same unit, another price
	ChangedTier  ChangeKind = "tier"       // neither of the two prices of the rule
	OtherUnit    ChangeKind = "unit"       // another unit: not comparable
	OnlyLive     ChangeKind = "only live"  // the table has no price
	OnlyTable    ChangeKind = "only table" // the platform has no price
	Unreadable   ChangeKind = "unreadable" // not a price in dollars
)

// Change is a difference between a table and the live prices.
type Change struct {
	Endpoint string
	Kind     ChangeKind
	// TablePrice and Unit are the unit price of the table, LivePrice and
	// LiveUnit those of the platform; zero where there is none.
	TablePrice, LivePrice USD
	Unit, LiveUnit        string

	problem string
}

func (c Change) String() string {
	table, live := fmt.Sprintf("%v per %s", c.TablePrice, c.Unit), fmt.Sprintf("%v per %s", c.LivePrice, c.LiveUnit)
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

// Diff compares the table with live prices. An endpoint of the table that is
// not among the live prices is not compared; one that is there without a unit
// price has none at the platform.
func (t *Table) Diff(live []LivePrice) Changes {
	var changes Changes
	for _, l := range live {
		if c := t.compare(l); c.Kind != "" {
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return changes
}

// compare returns how a live price differs from the table, or a Change without
// kind if it does not.
func (t *Table) compare(l LivePrice) Change {
	c := Change{Endpoint: l.Endpoint, LiveUnit: l.Unit}
	var rule Rule
	if card, ok := t.card(l.Endpoint); ok && card.Rule != nil {
		rule = card.Rule
		c.TablePrice, c.Unit = rule.UnitPrice(), rule.Unit()
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
	tiered, isTiered := rule.(PerTieredMegapixel)
	switch {
	case rule == nil:
		c.Kind = OnlyLive
	case isTiered && l.unit() == (PerMegapixel{}).Unit():
		if c.LivePrice != tiered.First && c.LivePrice != tiered.Extra {
			c.Kind = ChangedTier
		}
	case isTiered || l.unit() != c.Unit:
		c.Kind = OtherUnit
	case c.LivePrice != c.TablePrice:
		c.Kind = ChangedPrice
	}
	return c
}
