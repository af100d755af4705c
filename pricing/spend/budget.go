package spend

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// Limit is how much may be spent.
type Limit struct {
	// Amount is the most that may be spent. 0 lets nothing pass.
	Amount pricing.USD
	// Tag is the tag of the requests that the limit is for. Without a name, as
	// in the zero Tag, it is for all requests together. Without a value it is
	// for each value by itself that has no limit of its own, requests without
	// the tag included.
	Tag Tag
}

// Budget keeps spending within limits. It is a [fal.Guard]: set it as the
// Guard of a client, or of one request with fal.WithGuard. Before a request is
// sent it sets aside what that may cost at most; when the result arrives it
// books what was billed instead. A request that could exceed a limit is
// refused with a [*BudgetError] and not sent.
//
//	client := &fal.Client{Guard: &spend.Budget{Limits: []spend.Limit{
//		{Amount: 100 * pricing.Dollar},
//		{Amount: 5 * pricing.Dollar, Tag: spend.Tag{Name: "tenant"}},
//	}}}
//
// What was set aside for a request of unknown fate stays so: it may have been
// charged. A stream that its caller leaves early is one of those: no request id
// is noted for it, so that only [Ledger.Release] ends it. Where fal does not
// report what it billed, the maximum is booked, and where sources disagree on
// the price, what was billed by the dearest. A budget may be used by many
// goroutines at once; its fields must not be changed after its first use. It
// knows only what passes through it and its ledger: two programs with a budget
// each can spend both. They cannot share a ledger: the second is refused.
type Budget struct {
	// Limits are all kept. Without any, nothing is refused for its amount.
	Limits []Limit
	// Unpriced is set aside for a request whose price is unknown. 0 refuses
	// such requests.
	Unpriced pricing.USD
	// Table has the prices; nil means the default table.
	Table *pricing.Table
	// Measure, if set, looks up the sizes of pictures behind URLs where these
	// change the price, so that no more is set aside than needed. What it
	// cannot read is taken for as large as it can be. Nil looks up nothing.
	Measure *fal.Client
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
	// Tag is that of the requests that the limit is for; zero for the limit of
	// all requests.
	Tag Tag
	// Limit is the limit, Left what is neither spent nor set aside of it, and
	// Asked what the request may cost at most.
	Limit, Left, Asked pricing.USD
	// Unknowns say why Asked is no exact amount, and what makes it one; see
	// [pricing.Quote.Unknowns]. Where there are any, Expected is what the
	// request is likely to cost.
	Expected pricing.USD
	Unknowns []string
}

func (e *BudgetError) Error() string {
	what := "the budget"
	if e.Tag.Name != "" {
		what = fmt.Sprintf("the budget of %s %.60q", e.Tag.Name, e.Tag.Value)
	}
	text := fmt.Sprintf("spend: %s: the request may cost %v, of %s of %v there is %v left", e.Endpoint, e.Asked, what, e.Limit, e.Left)
	if len(e.Unknowns) > 0 {
		text += fmt.Sprintf("; it is likely to cost %v, but it is not known: %s", e.Expected, strings.Join(e.Unknowns, "; "))
	}
	return text
}

// NotSent returns true: a budget is asked first.
func (e *BudgetError) NotSent() bool { return true }

// Reserve sets aside the most that a request may cost. The error is a
// [*BudgetError] if that is more than is left, [pricing.ErrUnknown] if the price is
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
		table = pricing.Default()
	}
	quote, err := b.quote(ctx, table, u) // reads files, so not under the lock
	amount := quote.Max
	if err != nil {
		if b.Unpriced <= 0 || !errors.Is(err, pricing.ErrUnknown) {
			return nil, err
		}
		amount = b.Unpriced
	}
	accounts := b.accountsOf(tags)
	if b.Ledger == nil {
		tags = limited(accounts) // the others would only take up memory
	}
	if amount <= 0 { // else it would pass a budget of which nothing is left
		return nil, fmt.Errorf("spend: %.60s: the request would cost %v, which cannot be", quote.Endpoint, amount)
	}
	id, err := ledger.reserve(quote, amount, tags, func(held *books) error { return b.allow(held, accounts, &quote, amount) })
	if err != nil {
		return nil, err
	}
	return &reservation{ledger: ledger, entry: id, quote: quote, amount: amount}, nil
}

// quote prices a request, with the sizes of remote pictures where it may look.
func (b *Budget) quote(ctx context.Context, table *pricing.Table, u fal.Usage) (pricing.Quote, error) {
	if b.Measure == nil {
		return table.Estimate(u)
	}
	quote, err := table.Measure(ctx, b.Measure, u)
	switch {
	case ctx.Err() != nil:
		return quote, ctx.Err()
	case quote.Max > 0: // with an error, some picture may have any size
		return quote, nil
	}
	return quote, err
}

// allow returns an error if an amount is more than what is left in one of the
// accounts.
func (b *Budget) allow(held *books, accounts []Tag, quote *pricing.Quote, amount pricing.USD) error {
	for _, a := range accounts {
		limit, ok := b.limitOf(a)
		if !ok {
			continue
		}
		used := held.account(a)
		left, err := limit.Sub(used.Billed + used.Reserved) // which can be held
		if err != nil {
			left = math.MinInt64
		}
		if amount > left {
			e := &BudgetError{Endpoint: quote.Endpoint, Tag: a, Limit: limit, Left: left, Asked: amount}
			if e.Unknowns = quote.Unknowns(); e.Unknowns != nil {
				e.Expected = quote.Expected
			}
			return e
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
			if l.Tag.Name == "" && l.Tag.Value != "" {
				b.err = fmt.Errorf("spend: budget: Limits[%d]: the value %.60q needs the name of its tag", i, l.Tag.Value)
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
		if name := l.Tag.Name; !seen[name] {
			seen[name] = true
			accounts = append(accounts, Tag{name, tags[name]})
		}
	}
	return accounts
}

// limitOf returns the limit of an account: of several the lowest, and of those
// for a tag the one for its value before the one for each.
func (b *Budget) limitOf(a Tag) (limit pricing.USD, ok bool) {
	var general bool
	for _, l := range b.Limits {
		if l.Tag.Name != a.Name || (l.Tag.Value != "" && l.Tag.Value != a.Value) {
			continue
		}
		forAll := l.Tag.Value == "" && a.Name != ""
		switch {
		case !ok || (general && !forAll):
			limit, general, ok = l.Amount, forAll, true
		case general == forAll:
			limit = min(limit, l.Amount)
		}
	}
	return limit, ok
}

// Spent returns what was billed for all requests together, those that the
// ledger held before included.
func (b *Budget) Spent() pricing.USD { return b.account(Tag{}).Billed }

// Reserved returns what is set aside for requests that are under way or of
// unknown fate, for all requests together.
func (b *Budget) Reserved() pricing.USD { return b.account(Tag{}).Reserved }

// SpentBy is like Spent, for the requests with the given tag; without a value,
// for those that lack it. A limit must name the tag.
func (b *Budget) SpentBy(tag Tag) pricing.USD { return b.account(tag).Billed }

// ReservedBy is like Reserved, for the requests with the given tag; without a
// value, for those that lack it. A limit must name the tag.
func (b *Budget) ReservedBy(tag Tag) pricing.USD { return b.account(tag).Reserved }

func (b *Budget) account(tag Tag) Total {
	l := b.ledger()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books.account(tag)
}
