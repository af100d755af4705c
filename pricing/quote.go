package pricing

import (
	"cmp"
	"fmt"
	"iter"
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// Quote is what a request will cost, and why. The zero Quote is of nothing.
type Quote struct {
	// Endpoint is the id of the endpoint.
	Endpoint string
	// Amounts are what it costs; see the package comment for what is expected.
	Amounts

	card       *card
	quantities quantities
	wanted     fal.ImageSize
}

// Exact reports whether only one amount is possible under the rule. How sure
// the rule is, Price tells.
func (q Quote) Exact() bool { return q.card != nil && q.Min == q.Max }

// Price returns the price behind the quote: the rule, the confidence in it,
// sources, date and what other sources say.
func (q Quote) Price() Price {
	if q.card == nil {
		return Price{}
	}
	return q.card.price()
}

// UnitPrice returns what each unit that fal bills costs: by the rule, and where
// sources disagree by the cheapest and the dearest of them. It is zero where
// there is no unit price.
func (q Quote) UnitPrice() Amounts {
	if q.card == nil || q.card.Rule == nil {
		return Amounts{}
	}
	rules := &q.card.rules
	return Amounts{rules[least].UnitPrice(), rules[likely].UnitPrice(), rules[most].UnitPrice()}
}

// Confidence returns the lower of the confidence in the price and that in how
// it is rounded.
func (q Quote) Confidence() Confidence {
	switch {
	case q.card == nil:
		return Low
	case q.card.Rounding.level() < q.card.Confidence.level():
		return q.card.Rounding
	}
	return q.card.Confidence
}

// Units returns the number of units that the expected amount is; see the
// package comment. It is 0 where there is no unit price.
func (q Quote) Units() Units {
	if q.card == nil {
		return 0
	}
	if r, ok := q.card.Rule.(PerMegapixel); ok && r.Fractions && q.Max > 0 {
		return q.quantities.fractions() // the amount is rounded, the units are not
	}
	u, _ := unitsOf(q.Expected, q.UnitPrice().Expected) // 0 with an error
	return u
}

// Images returns the number of images that the request makes. What is charged
// by the request, such as a picture taken apart into layers, is one. It is 0
// where there is no quote.
func (q Quote) Images() int64 {
	if q.card == nil || q.Max == 0 {
		return 0
	}
	if _, ok := q.card.Rule.(PerRequest); ok {
		return 1
	}
	return q.quantities.outputs
}

// Line is one line of a quote. The lines of a quote add up to it, in each of
// the three amounts.
type Line struct {
	Item Item
	// Count is how many are charged for on this line. It is 1 for an input
	// that has a line of its own.
	Count int64
	Amounts

	rule    Rule
	charges [3]charge
}

// Lines returns the lines of the quote.
func (q Quote) Lines() iter.Seq[Line] {
	return func(yield func(Line) bool) {
		if q.card == nil || q.Max == 0 {
			return
		}
		var cases [3][]charge
		for c := range cases {
			// These were added up before, so there is no error.
			cases[c], _ = charges(nil, q.card.rules[c], &q.quantities, which(c))
		}
		for i := range cases[most] {
			l := Line{rule: q.card.rules[likely]}
			for c := range cases {
				l.charges[c] = cases[c][i]
			}
			l.Item, l.Count = l.charges[likely].item, l.charges[likely].count
			if l.numbered() {
				l.Count = 1
			}
			l.Amounts = Amounts{l.charges[least].amount, l.charges[likely].amount, l.charges[most].amount}
			if l.Max > 0 && !yield(l) {
				return
			}
		}
	}
}

// numbered reports whether the line is for one of several inputs.
func (l Line) numbered() bool {
	switch r := l.rule.(type) {
	case PerMegapixel:
		return l.Item == ItemInput && r.Inputs != InputsOneEach
	case PerTieredImage:
		return false
	}
	return l.Item == ItemInput
}

// String returns the line in words, such as
// "1 output x 2 MP: $0.03 + $0.015 = $0.045".
func (l Line) String() string {
	var b strings.Builder
	switch first, last := l.charges[least], l.charges[most]; {
	case l.numbered():
		fmt.Fprintf(&b, "input %d", first.count)
	case l.Item == ItemMinimum:
		b.WriteString(string(l.Item))
	case first.count != last.count:
		fmt.Fprintf(&b, "%d to %d %ss", first.count, last.count, l.Item)
	case l.Item == ItemLoRA:
		fmt.Fprintf(&b, "%d x %s", last.count, l.Item)
	case last.count == 1:
		fmt.Fprintf(&b, "1 %s", l.Item)
	default:
		fmt.Fprintf(&b, "%d %ss", last.count, l.Item)
	}
	b.WriteString(l.sizes())
	b.WriteString(": ")
	if l.Min != l.Max {
		fmt.Fprintf(&b, "%v to %v, expected %v", l.Min, l.Max, l.Expected)
		return b.String()
	}
	if sum := l.sum(); sum != "" {
		b.WriteString(sum + " = ")
	}
	b.WriteString(l.Expected.String())
	return b.String()
}

// sizes returns the size of what the line charges for, in words.
func (l Line) sizes() string {
	low, high := l.charges[least].size, l.charges[most].size
	if high == 0 {
		return ""
	}
	switch r := l.rule.(type) {
	case PerTieredImage:
		if low != high {
			return " " + r.sizeWords(low-1) + " or " + r.sizeWords(high-1)
		}
		return " " + r.sizeWords(high-1)
	case PerMegapixel:
		if r.Fractions {
			// Sizes are pixels, so that this cannot overflow.
			l, _ := mulDiv(low, billion, r.area(), roundNearest)
			h, _ := mulDiv(high, billion, r.area(), roundNearest)
			if l != h {
				return fmt.Sprintf(" x %v to %v MP", Units(l), Units(h))
			}
			return fmt.Sprintf(" x %v MP", Units(h))
		}
	}
	if low != high {
		return fmt.Sprintf(" x %d to %d MP", low, high)
	}
	return fmt.Sprintf(" x %d MP", high)
}

// sum returns how the amount of the line came about, or "" where that is no
// news.
func (l Line) sum() string {
	c := l.charges[likely]
	price := l.rule.UnitPrice()
	n := c.count
	switch r := l.rule.(type) {
	case PerTieredMegapixel:
		if l.Item == ItemOutput && !r.FirstOfInputs {
			return tieredSum(r, c)
		}
		if l.Item == ItemInput && r.FirstOfInputs && c.count == 1 {
			return tieredSum(r, c) // of the first input
		}
		price, n = r.Extra, c.size
		if l.Item == ItemOutput {
			n *= c.count
		}
	case PerMegapixel:
		if l.numbered() {
			n = 1
		}
		if r.Fractions {
			return ""
		}
		n *= c.size
	case PerTieredImage:
		price = r.Reference
		if l.Item == ItemOutput {
			price = r.Tiers[c.size-1].Price
		}
	}
	// A multiplier may have come in: then the product would not be right.
	if product, err := price.Mul(n); n == 1 || err != nil || product != c.amount {
		return ""
	}
	return fmt.Sprintf("%d x %v", n, price)
}

func tieredSum(r PerTieredMegapixel, c charge) string {
	each := r.First.String()
	switch {
	case c.size == 2:
		each += " + " + r.Extra.String()
	case c.size > 2:
		each += fmt.Sprintf(" + %d x %v", c.size-1, r.Extra)
	case c.count == 1:
		return ""
	}
	if c.count == 1 {
		return each
	}
	if c.size > 1 {
		each = "(" + each + ")"
	}
	return fmt.Sprintf("%d x %s", c.count, each)
}

// String returns the quote in words: the amount, its lines, the rule and where
// it is from.
func (q Quote) String() string {
	if q.card == nil || q.Max == 0 {
		return q.Endpoint + ": no price"
	}
	var b strings.Builder
	b.WriteString(q.Expected.String())
	if !q.Exact() {
		fmt.Fprintf(&b, " expected, %v to %v", q.Min, q.Max)
	}
	fmt.Fprintf(&b, " for %s\n", q.Endpoint)
	for l := range q.Lines() {
		fmt.Fprintf(&b, "  %v\n", l)
	}
	fmt.Fprintf(&b, "  rule: %v\n", q.card.Rule)
	for _, a := range q.card.Alternates {
		fmt.Fprintf(&b, "  disputed: another source says %v\n", a)
	}
	for _, h := range q.card.History {
		fmt.Fprintf(&b, "  before: %v\n", h)
	}
	if q.card.Discount > 0 {
		fmt.Fprintf(&b, "  after a discount of %v percent\n", q.card.Discount)
	}
	fmt.Fprintf(&b, "  as of %s, confidence %s, from: %s", cmp.Or(q.card.AsOf, "an unknown date"), q.Confidence(), strings.Join(q.card.Sources, "; "))
	return b.String()
}
