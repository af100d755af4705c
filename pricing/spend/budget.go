package spend

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

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
	// Per is the period that Amount is for, such as [Month]; default: [Ever].
	// What is set aside or was billed counts in the period in which the request
	// was quoted, for as long as 35 days. Of limits for the same requests each
	// period has its own.
	Per Period
	// Zone is where [Day] and [Month] begin at midnight; nil means UTC.
	Zone *time.Location
}

// Near is a limit that is nearly used up.
type Near struct {
	Limit Limit
	// Tag is that of the requests that the limit is for, as in [BudgetError].
	Tag Tag
	// Used is what is spent and set aside of it, the request that is let pass
	// included.
	Used pricing.USD
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
	// Near, if set, is called when a request is let pass with which 80 percent of
	// a limit or more are spent and set aside, once in each period of each limit
	// and value of its tag. It is called before the request is sent, by the
	// goroutine that sends it, and should not take long.
	Near func(Near)
	// Ledger, if any, gets a record of every request; see [Ledger]. What it
	// holds already counts as spent. A request that it cannot note is refused.
	Ledger *Ledger

	once sync.Once
	err  error   // what is wrong with the limits
	own  *Ledger // in memory, where Ledger is not set

	mu   sync.Mutex
	told map[account]time.Time // when Near was last called
}

// account is what a limit is for: the requests with a tag, in a period.
type account struct {
	tag  Tag
	per  Period
	zone *time.Location
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
	// Per is the period of the limit, and Ends when it is over; zero for a limit
	// that rolls along or is for ever.
	Per  Period
	Ends time.Time
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
	if e.Per != Ever {
		what += fmt.Sprintf(" per %s", e.Per)
	}
	text := fmt.Sprintf("spend: %s: the request may cost %v, of %s of %v there is %v left", e.Endpoint, e.Asked, what, e.Limit, e.Left)
	if !e.Ends.IsZero() {
		text += " until " + e.Ends.Format(time.RFC3339)
	}
	if len(e.Unknowns) > 0 {
		text += fmt.Sprintf("; it is likely to cost %v, but it is not known: %s", e.Expected, strings.Join(e.Unknowns, "; "))
	}
	return text
}

// NotSent returns true: a budget is asked first.
func (e *BudgetError) NotSent() bool { return true }

// Exhausted reports whether the limit is that of all requests together: others
// are likely to be refused too.
func (e *BudgetError) Exhausted() bool { return e.Tag.Name == "" }

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
	tags = merged(tags, localTags(ctx))
	accounts := b.accountsOf(tags)
	if b.Ledger == nil {
		tags = limited(accounts) // the others would only take up memory
	}
	if amount <= 0 { // else it would pass a budget of which nothing is left
		return nil, fmt.Errorf("spend: %.60s: the request would cost %v, which cannot be", quote.Endpoint, amount)
	}
	var near []Near
	id, err := ledger.reserve(ctx, quote, amount, tags, func(held *books, now time.Time) (err error) {
		near, err = b.allow(held, now, accounts, &quote, amount)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, n := range near {
		b.Near(n)
	}
	return &reservation{ledger: ledger, entry: id, quote: quote, amount: amount}, nil
}

// Allows returns a [*BudgetError] if an amount is more than what is left for requests
// with the tags, and those of the context: what a work of many requests costs can be
// asked for before its first is sent. Nothing is set aside.
func (b *Budget) Allows(ctx context.Context, amount pricing.USD, tags map[string]string) error {
	ledger := b.ledger()
	if b.err != nil {
		return b.err
	}
	accounts := b.accountsOf(merged(tags, localTags(ctx)))
	silent := Budget{Limits: b.Limits}
	ledger.mu.Lock()
	defer ledger.mu.Unlock()
	_, err := silent.allow(ledger.held(), time.Now(), accounts, &pricing.Quote{Endpoint: "all of it"}, amount)
	return err
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
// accounts, and else the limits that are to be told as nearly used up.
func (b *Budget) allow(held *books, now time.Time, accounts []account, quote *pricing.Quote, amount pricing.USD) (near []Near, err error) {
	for _, a := range accounts {
		limit, ok := b.limitOf(a)
		if !ok {
			continue
		}
		from, to, err := a.per.begin(now, a.zone)
		if err != nil {
			return nil, err
		}
		used := held.usedSince(a.tag, from)
		left, err := limit.Amount.Sub(used)
		if err != nil {
			left = math.MinInt64
		}
		if amount > left {
			e := &BudgetError{Endpoint: quote.Endpoint, Tag: a.tag, Limit: limit.Amount, Left: left, Asked: amount, Per: a.per, Ends: to}
			if e.Unknowns = quote.Unknowns(); e.Unknowns != nil {
				e.Expected = quote.Expected
			}
			return nil, e
		}
		if used += amount; used >= limit.Amount-limit.Amount/5 && b.tells(a, from, now) {
			near = append(near, Near{limit, a.tag, used})
		}
	}
	return near, nil
}

// tells reports whether Near is to be called for an account, and notes that it
// is.
func (b *Budget) tells(a account, from, now time.Time) bool {
	if b.Near == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	last, told := b.told[a]
	if told && !last.Before(from) {
		return false
	}
	if b.told == nil {
		b.told = make(map[account]time.Time)
	}
	b.told[a] = now
	return true
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
			if _, _, err := l.Per.begin(time.Time{}, l.Zone); err != nil {
				b.err = fmt.Errorf("spend: budget: Limits[%d]: %w", i, err)
			}
		}
	})
	if b.Ledger != nil {
		return b.Ledger
	}
	return b.own
}

// limited returns the tags among accounts.
func limited(accounts []account) map[string]string {
	tags := make(map[string]string, len(accounts))
	for _, a := range accounts {
		if a.tag.Value != "" {
			tags[a.tag.Name] = a.tag.Value
		}
	}
	return tags
}

// accountsOf returns the accounts that a request is for, in the order of their
// limits: by tag and period.
func (b *Budget) accountsOf(tags map[string]string) []account {
	accounts := make([]account, 0, len(b.Limits))
	for _, l := range b.Limits {
		a := account{per: l.Per, zone: l.Zone}
		if l.Tag.Name != "" {
			a.tag = Tag{l.Tag.Name, tags[l.Tag.Name]}
		}
		if !slices.Contains(accounts, a) {
			accounts = append(accounts, a)
		}
	}
	return accounts
}

// limitOf returns the limit of an account: of several the lowest, and of those
// for a tag the one for its value before the one for each.
func (b *Budget) limitOf(a account) (limit Limit, ok bool) {
	var general bool
	for _, l := range b.Limits {
		if l.Tag.Name != a.tag.Name || l.Per != a.per || l.Zone != a.zone || l.Tag.Value != "" && l.Tag.Value != a.tag.Value {
			continue
		}
		forAll := l.Tag.Value == "" && a.tag.Name != ""
		if !ok || general && !forAll || general == forAll && l.Amount < limit.Amount {
			limit, general, ok = l, forAll, true
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
	return l.held().account(tag)
}
