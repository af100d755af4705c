package invoice

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// Event is what fal charged for a request, all its billing events together.
type Event struct {
	Count    int           `json:"count"` // 0 where there is none
	Endpoint string        `json:"endpoint"`
	Time     time.Time     `json:"time"` // of the latest
	Units    pricing.Units `json:"units"`
	// UnitPrice is that before the discount; 0 where fal does not tell it.
	UnitPrice pricing.USD `json:"unit_price_usd"`
	// Subtotal less Discount is Total, which is what was charged.
	Subtotal pricing.USD `json:"subtotal_usd"`
	Discount pricing.USD `json:"discount_usd"`
	Total    pricing.USD `json:"total_usd"`
	// Untold says that fal told no amount of at least one event, which is then
	// not in the sums.
	Untold bool `json:"untold"`
}

// Kind says in what the books and the bill of a request differ.
type Kind string

// The kinds of lines.
const (
	Agrees      Kind = "agrees"       // to a billionth of a dollar
	Discounted  Kind = "discounted"   // the books do not know fal's discount
	Reading     Kind = "reading"      // sources disagree, and fal charged by the cheaper reading
	Presumed    Kind = "presumed"     // no units came with the result, so that the most was booked
	OtherUnits  Kind = "other units"  // fal charged other units than came with the result
	OtherPrice  Kind = "other price"  // the same units at another price
	OtherAmount Kind = "other amount" // in neither units nor price: fal's own sum is not their product
	NotCharged  Kind = "not charged"  // booked, but without a billing event
	NotBooked   Kind = "not booked"   // charged, but not in the books
	Unmatched   Kind = "unmatched"    // booked without a request id, such as a realtime session: its events are not booked
	StillOpen   Kind = "still open"   // charged, and in the books without a result
	Untold      Kind = "untold"       // fal has an event, but tells no amount
)

// Line is one request on both sides.
type Line struct {
	RequestID string `json:"request_id"`
	Kind      Kind   `json:"kind"`
	// Booked is what the books say; zero where they do not have the request. One
	// that is still open has no bill in it.
	Booked spend.Settled `json:"booked"`
	Event  Event         `json:"event"`
	// Difference is how much more fal charged than was booked; below zero if it
	// was less. Where the event tells no amount it is 0.
	Difference pricing.USD `json:"difference_usd"`

	open bool
}

// Total is a sum of lines.
type Total struct {
	Lines      int         `json:"lines"`
	Quote      pricing.USD `json:"quote_usd"`
	Billed     pricing.USD `json:"billed_usd"`
	Subtotal   pricing.USD `json:"subtotal_usd"`
	Discount   pricing.USD `json:"discount_usd"`
	Total      pricing.USD `json:"total_usd"`
	Difference pricing.USD `json:"difference_usd"`
}

// Invoice is the books against the bill.
type Invoice struct {
	// Lines are all requests, by their time.
	Lines []Line `json:"lines"`
	// Total is the sum of all, and Kinds the sums of those of each kind.
	Total Total          `json:"total"`
	Kinds map[Kind]Total `json:"kinds"`
}

// Compare holds what is settled in one's books, and what is still open, against
// billing events. All may come in any order; requests are matched by their ids.
// Of a request that is settled twice the later counts, as in
// [spend.Ledger.Settled]; one that is open and has no id is passed over, since
// fal may never have accepted it. One that is settled and has no id, such as a
// realtime session, is a line of its own, and its events are others. An error of one of the iterators is an error,
// and so is an amount that is no number or too large.
//
// What is in the books and not among the events counts as not charged: give both
// for the same time, or let [Of] do so.
func Compare(settled iter.Seq2[spend.Settled, error], open []spend.Entry, events iter.Seq2[platform.BillingEvent, error]) (*Invoice, error) {
	lines := make(map[string]*Line)
	for _, e := range open {
		if e.RequestID != "" {
			lines[e.RequestID] = &Line{RequestID: e.RequestID, Booked: spend.Settled{Entry: e}, open: true}
		}
	}
	for s, err := range settled {
		if err != nil {
			return nil, fmt.Errorf("invoice: the books: %w", err)
		}
		key := s.RequestID
		if key == "" {
			if key = "entry " + s.ID; s.ID == "" {
				return nil, errors.New("invoice: the books have a bill without a request id or an entry, which no event can be matched with")
			}
		}
		lines[key] = &Line{RequestID: s.RequestID, Booked: s}
	}
	for e, err := range events {
		if err != nil {
			return nil, fmt.Errorf("invoice: the bill: %w", err)
		}
		line := lines[e.RequestID]
		if line == nil {
			line = &Line{RequestID: e.RequestID}
			lines[e.RequestID] = line
		}
		if err := line.Event.add(e); err != nil {
			return nil, fmt.Errorf("invoice: the bill of request %s: %w", e.RequestID, err)
		}
	}
	inv := &Invoice{Kinds: make(map[Kind]Total)}
	for _, line := range lines {
		err := line.compare()
		sum := inv.Kinds[line.Kind]
		if err := errors.Join(err, sum.add(line), inv.Total.add(line)); err != nil {
			return nil, fmt.Errorf("invoice: %w", err)
		}
		inv.Kinds[line.Kind] = sum
		inv.Lines = append(inv.Lines, *line)
	}
	slices.SortFunc(inv.Lines, func(a, b Line) int {
		return cmp.Or(a.time().Compare(b.time()), cmp.Compare(a.RequestID, b.RequestID), cmp.Compare(a.Booked.ID, b.Booked.ID))
	})
	return inv, nil
}

// add adds a billing event.
func (e *Event) add(b platform.BillingEvent) error {
	e.Count++
	e.Endpoint = cmp.Or(e.Endpoint, b.Endpoint)
	if b.Time.After(e.Time) {
		e.Time = b.Time.Time
	}
	var amounts [5]int64
	var there [5]bool
	for i, n := range []json.Number{b.Units, b.UnitPrice, b.Subtotal, b.Reduction, b.Total} {
		var err error
		if amounts[i], there[i], err = billionths(n); err != nil {
			return err
		}
	}
	units, price := pricing.Units(amounts[0]), pricing.USD(amounts[1])
	subtotal, discount, total := pricing.USD(amounts[2]), pricing.USD(amounts[3]), pricing.USD(amounts[4])
	if !there[4] && b.NanoUSD != "" {
		nano, err := b.NanoUSD.Int64()
		if err != nil {
			return fmt.Errorf("%.40q: must be a whole number", b.NanoUSD)
		}
		total, there[4] = pricing.USD(nano), true
	}
	if !there[4] {
		e.Untold = true
		return nil
	}
	var err error
	if !there[2] { // fal tells less than it does today
		subtotal, err = total.Add(discount)
	}
	if e.UnitPrice == 0 {
		e.UnitPrice = price
	}
	sum := pricing.USD(e.Units)
	for _, s := range []struct {
		to     *pricing.USD
		amount pricing.USD
	}{{&e.Subtotal, subtotal}, {&e.Discount, discount}, {&e.Total, total}, {&sum, pricing.USD(units)}} { // units count in billionths too
		var overflow error
		*s.to, overflow = s.to.Add(s.amount)
		err = errors.Join(err, overflow)
	}
	e.Units = pricing.Units(sum)
	return err
}

// billionths reads a JSON number to the nearest billionth. There is false if
// there is none.
func billionths(n json.Number) (value int64, there bool, err error) {
	if n == "" {
		return 0, false, nil
	}
	text := n.String()
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	r, ok := new(big.Rat), len(text) <= 80 && len(strings.TrimLeft(exponent, "+-0")) <= 2
	if ok {
		r, ok = r.SetString(text)
	}
	if !ok {
		return 0, false, fmt.Errorf("%.40q: must be a number", text)
	}
	rounded, ok := new(big.Int).SetString(r.Mul(r, big.NewRat(1_000_000_000, 1)).FloatString(0), 10)
	if !ok || !rounded.IsInt64() {
		return 0, false, pricing.ErrOverflow
	}
	return rounded.Int64(), true, nil
}

// compare says in what both sides differ.
func (l *Line) compare() (err error) {
	b, e := &l.Booked, &l.Event
	if !e.Untold {
		l.Difference, err = e.Total.Sub(b.Billed)
	}
	units, unitsErr := pricing.ParseUnits(b.Units)
	switch {
	case e.Untold:
		l.Kind = Untold
	case b.RequestID == "" && b.ID != "":
		l.Kind = Unmatched
	case b.RequestID == "":
		l.Kind = NotBooked
	case e.Count == 0 && (b.Billed == 0 || l.open):
		l.Kind = Agrees // nothing was charged, and nothing is booked
	case e.Count == 0:
		l.Kind = NotCharged
	case l.open:
		l.Kind = StillOpen
	case near(e.Total, b.Billed):
		l.Kind = Agrees
	case b.Presumed || unitsErr != nil:
		l.Kind = Presumed
	case b.Least != b.Billed && (near(e.Subtotal, b.Least) || near(e.Total, b.Least)):
		l.Kind = Reading
	case units != e.Units && (e.Units != 0 || e.Total == 0): // of none it is not known that they were told
		l.Kind = OtherUnits
	case near(e.Subtotal, b.Billed):
		l.Kind = Discounted
	case e.UnitPrice != 0 && priced(e.Units, e.UnitPrice, e.Subtotal):
		l.Kind = OtherPrice
	default:
		l.Kind = OtherAmount
	}
	return err
}

// near reports whether two amounts differ by rounding alone.
func near(a, b pricing.USD) bool { return a-b <= 1 && b-a <= 1 }

// priced reports whether units at a price are an amount.
func priced(units pricing.Units, price, amount pricing.USD) bool {
	product, err := units.At(price)
	return err == nil && near(product, amount)
}

func (l *Line) time() time.Time {
	if !l.Booked.Time.IsZero() {
		return l.Booked.Time
	}
	return l.Event.Time
}

func (t *Total) add(l *Line) error {
	t.Lines++
	var errs []error
	for _, sum := range []struct {
		to     *pricing.USD
		amount pricing.USD
	}{
		{&t.Quote, l.Booked.Expected}, {&t.Billed, l.Booked.Billed}, {&t.Subtotal, l.Event.Subtotal},
		{&t.Discount, l.Event.Discount}, {&t.Total, l.Event.Total}, {&t.Difference, l.Difference},
	} {
		var err error
		*sum.to, err = sum.to.Add(sum.amount)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Differing returns the lines that do not agree.
func (inv *Invoice) Differing() []Line {
	var lines []Line
	for _, l := range inv.Lines {
		if l.Kind != Agrees {
			lines = append(lines, l)
		}
	}
	return lines
}

// String returns a table: a line for each request that differs, and the sums.
func (inv *Invoice) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-36s  %-12s %12s %12s %12s %12s %12s\n", "request", "", "quoted", "by units", "by events", "discount", "difference")
	for _, l := range inv.Differing() {
		charged := l.Event.Total.String()
		if l.Event.Untold {
			charged = "not told"
		}
		fmt.Fprintf(&b, "%-36s  %-12s %12v %12v %12s %12v %12v\n", cmp.Or(l.RequestID, l.Booked.ID), l.Kind, l.Booked.Expected, l.Booked.Billed, charged, l.Event.Discount, l.Difference)
	}
	t := inv.Total
	fmt.Fprintf(&b, "%-36s  %-12s %12v %12v %12v %12v %12v\n", fmt.Sprintf("%d requests", t.Lines), "", t.Quote, t.Billed, t.Total, t.Discount, t.Difference)
	return b.String()
}
