package pricing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/falimage/falimage-go/fal"
)

// Limit is how much may be spent.
type Limit struct {
	// Amount is the most that may be spent. 0 lets nothing pass.
	Amount USD
	// Tag limits by a tag of the requests, such as "tenant"; "" limits all
	// requests together.
	Tag string
	// Value is the value of the tag that the limit is for. "" limits each
	// value by itself that has no limit of its own, requests without the tag
	// included.
	Value string
}

// Budget keeps spending within limits. It is a [fal.Guard]: set it as the
// Guard of a client, or of one request with fal.WithGuard. Before a request is
// sent it sets aside what that may cost at most; when the result arrives it
// books what was billed instead. A request that could exceed a limit is
// refused with a [*BudgetError] and not sent.
//
//	client := &fal.Client{Guard: &pricing.Budget{Limits: []pricing.Limit{
//		{Amount: 100 * pricing.Dollar},
//		{Amount: 5 * pricing.Dollar, Tag: "tenant"},
//	}}}
//
// What was set aside for a request of unknown fate stays so: it may have been
// charged. A stream that its caller leaves early is one of those: no request id
// is noted for it, so that only [Ledger.Forget] ends it. Where fal does not
// report what it billed, the maximum is booked, and where sources disagree on
// the price, what was billed by the dearest. A budget may be used by many
// goroutines at once; its fields must not be changed after its first use. It
// knows only what passes through it and its ledger: two programs with a budget
// each can spend both.
type Budget struct {
	// Limits are all kept. Without any, nothing is refused for its amount.
	Limits []Limit
	// Unpriced is set aside for a request whose price is unknown. 0 refuses
	// such requests.
	Unpriced USD
	// Table has the prices; nil means the default table.
	Table *Table
	// Ledger, if any, gets a record of every request; see [Ledger]. What it
	// holds already counts as spent. A request that it cannot note is refused.
	Ledger *Ledger

	once sync.Once
	err  error   // what is wrong with the limits
	own  *Ledger // in memory, where Ledger is not set
}

var _ fal.Guard = (*Budget)(nil)

// BudgetError says that a request was refused because it could exceed a limit.
type BudgetError struct {
	Endpoint string
	// Tag and Value are those of the requests that the limit is for; "" for
	// the limit of all requests.
	Tag, Value string
	// Limit is the limit, Left what is neither spent nor set aside of it, and
	// Asked what the request may cost at most.
	Limit, Left, Asked USD
}

func (e *BudgetError) Error() string {
	what := "the budget"
	if e.Tag != "" {
		what = fmt.Sprintf("the budget of %s %q", e.Tag, shorten(e.Value))
	}
	return fmt.Sprintf("pricing: %s: the request may cost %v, of %s of %v there is %v left", e.Endpoint, e.Asked, what, e.Limit, e.Left)
}

// Reserve sets aside the most that a request may cost. The error is a
// [*BudgetError] if that is more than is left, [ErrUnknown] if the price is
// not known and the budget has nothing for such requests, and another if an
// input cannot be read or the ledger not be written.
func (b *Budget) Reserve(ctx context.Context, u fal.Usage, tags map[string]string) (fal.Reservation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ledger := b.ledger()
	if b.err != nil {
		return nil, b.err
	}
	table := b.Table
	if table == nil {
		table = Default()
	}
	quote, err := table.Estimate(u) // reads files, so not under the lock
	amount := quote.Max
	if err != nil {
		if b.Unpriced <= 0 || !errors.Is(err, ErrUnknown) {
			return nil, err
		}
		amount = b.Unpriced
	}
	accounts := b.accountsOf(tags)
	if b.Ledger == nil {
		tags = limited(accounts) // the others would only take up memory
	}
	id, err := ledger.reserve(quote, amount, tags, func(t *Totals) error { return b.allow(t, accounts, quote.Endpoint, amount) })
	if err != nil {
		return nil, err
	}
	return &reservation{ledger: ledger, entry: id, quote: quote, amount: amount}, nil
}

// allow returns an error if an amount is more than what is left in one of the
// accounts.
func (b *Budget) allow(t *Totals, accounts []Tag, endpoint string, amount USD) error {
	for _, a := range accounts {
		limit, ok := b.limitOf(a)
		if !ok {
			continue
		}
		used := t.account(a)
		left, err := limit.Sub(used.Billed + used.Reserved) // which can be held
		if err != nil {
			left = math.MinInt64
		}
		if amount > left {
			return &BudgetError{Endpoint: endpoint, Tag: a.Name, Value: a.Value, Limit: limit, Left: left, Asked: amount}
		}
	}
	return nil
}

// ledger returns the ledger that has what was spent.
func (b *Budget) ledger() *Ledger {
	b.once.Do(func() {
		b.own = &Ledger{books: newBooks()}
		b.own.books.settled = nil // nothing is noted twice in one program
		for i, l := range b.Limits {
			if l.Tag == "" && l.Value != "" {
				b.err = fmt.Errorf("pricing: budget: Limits[%d]: the value %q needs a tag", i, shorten(l.Value))
			}
		}
	})
	if b.Ledger != nil {
		return b.Ledger
	}
	return b.own
}

// limited returns the tags among accounts.
func limited(accounts []Tag) map[string]string {
	tags := make(map[string]string, len(accounts))
	for _, a := range accounts {
		if a.Value != "" {
			tags[a.Name] = a.Value
		}
	}
	return tags
}

// accountsOf returns the accounts that a request is for: that of all, and one
// for each tag that is limited.
func (b *Budget) accountsOf(tags map[string]string) []Tag {
	accounts := []Tag{{}}
	seen := map[string]bool{"": true}
	for _, l := range b.Limits {
		if !seen[l.Tag] {
			seen[l.Tag] = true
			accounts = append(accounts, Tag{l.Tag, tags[l.Tag]})
		}
	}
	return accounts
}

// limitOf returns the limit of an account: of several the lowest, and of those
// for a tag the one for its value before the one for each.
func (b *Budget) limitOf(a Tag) (limit USD, ok bool) {
	var general bool
	for _, l := range b.Limits {
		if l.Tag != a.Name || (l.Value != "" && l.Value != a.Value) {
			continue
		}
		forAll := l.Value == "" && a.Name != ""
		switch {
		case !ok || (general && !forAll):
			limit, general, ok = l.Amount, forAll, true
		case general == forAll:
			limit = min(limit, l.Amount)
		}
	}
	return limit, ok
}

// Spent returns what was billed, and Reserved what is set aside, for all
// requests together, those that the ledger held before included.
func (b *Budget) Spent() USD { return b.state("", "").Billed }

// Reserved returns what is set aside for requests that are under way or of
// unknown fate, for all requests together.
func (b *Budget) Reserved() USD { return b.state("", "").Reserved }

// SpentBy is like Spent, for the requests with the given value of a tag. The
// tag must have a limit.
func (b *Budget) SpentBy(tag, value string) USD { return b.state(tag, value).Billed }

// ReservedBy is like Reserved, for the requests with the given value of a tag.
// The tag must have a limit.
func (b *Budget) ReservedBy(tag, value string) USD { return b.state(tag, value).Reserved }

func (b *Budget) state(tag, value string) Total {
	l := b.ledger()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books.totals.account(Tag{tag, value})
}

// reservation is the money set aside for one request. What cannot be written
// about it is kept as the ledger's Err.
type reservation struct {
	ledger *Ledger
	entry  string
	quote  Quote
	amount USD
}

// Accepted notes the request id.
func (r *reservation) Accepted(requestID string) { _ = r.ledger.accepted(r.entry, requestID) }

// Settled books what was billed.
func (r *reservation) Settled(meta fal.Meta) {
	bill, err := Settle(r.quote, meta)
	billed := bill.Max
	if err != nil {
		billed = r.amount // unknown: as much as it can be
	}
	_ = r.ledger.settled(r.entry, meta, billed, err == nil)
}

// Released takes back what was set aside.
func (r *reservation) Released(error) { _ = r.ledger.released(r.entry) }
