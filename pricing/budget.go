package pricing

import (
	"context"
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
// charged. Where fal does not report what it billed, the maximum is booked. A
// budget may be used by many goroutines at once; its fields must not be
// changed after its first use. It knows only what passes through it: two
// programs with a budget each can spend both.
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

	once     sync.Once
	mu       sync.Mutex
	accounts map[Tag]*balance // by tag and value; the zero Tag is for all
	past     Totals           // what the ledger held at first
}

var _ fal.Guard = (*Budget)(nil)

// balance is the state of an account.
type balance struct{ spent, reserved USD }

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
	b.once.Do(b.load)
	table := b.Table
	if table == nil {
		table = Default()
	}
	quote, err := table.Estimate(u) // reads files, so not under the lock
	amount := quote.Max
	if err != nil {
		if b.Unpriced <= 0 {
			return nil, err
		}
		amount = b.Unpriced
	}
	r := &reservation{budget: b, quote: quote, amount: amount, accounts: b.accountsOf(tags)}
	if err := b.take(r); err != nil {
		return nil, err
	}
	if b.Ledger == nil {
		return r, nil
	}
	if r.entry, err = b.Ledger.reserve(quote, amount, tags); err != nil {
		b.book(r, 0)
		return nil, err
	}
	return r, nil
}

// take sets the amount aside in all accounts, or in none.
func (b *Budget) take(r *reservation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range r.accounts {
		limit, ok := b.limitOf(a)
		if !ok {
			continue
		}
		if left := b.left(a, limit); r.amount > left {
			return &BudgetError{Endpoint: r.quote.Endpoint, Tag: a.Name, Value: a.Value, Limit: limit, Left: left, Asked: r.amount}
		}
	}
	for _, a := range r.accounts {
		balance := b.balance(a)
		sum, err := balance.reserved.Add(r.amount)
		if err != nil {
			return err
		}
		balance.reserved = sum
	}
	return nil
}

// book takes back what was set aside and books what was billed.
func (b *Budget) book(r *reservation, billed USD) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.booked {
		return
	}
	r.booked = true
	for _, a := range r.accounts {
		balance := b.balance(a)
		balance.reserved -= r.amount
		balance.spend(billed)
	}
}

// spend adds to what was spent. Where that is more than can be held, the
// account is full for good.
func (b *balance) spend(amount USD) {
	sum, err := b.spent.Add(amount)
	if err != nil {
		sum = math.MaxInt64
	}
	b.spent = sum
}

// left returns what is left of a limit; below zero if more was billed than
// quoted.
func (b *Budget) left(a Tag, limit USD) USD {
	used := *b.balance(a)
	used.spend(used.reserved)
	left, err := limit.Sub(used.spent)
	if err != nil {
		return math.MinInt64
	}
	return left
}

// balance returns the state of an account, which begins with what the ledger
// held before.
func (b *Budget) balance(a Tag) *balance {
	if b.accounts == nil {
		b.accounts = make(map[Tag]*balance)
	}
	if b.accounts[a] == nil {
		b.accounts[a] = &balance{spent: b.past.spent(a)}
	}
	return b.accounts[a]
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

// load takes over what the ledger holds from before.
func (b *Budget) load() {
	if b.Ledger != nil {
		b.past = b.Ledger.Totals()
	}
}

// Spent returns what was billed, and Reserved what is set aside, for all
// requests together.
func (b *Budget) Spent() USD { return b.state("", "").spent }

// Reserved returns what is set aside for requests that are under way or of
// unknown fate, for all requests together.
func (b *Budget) Reserved() USD { return b.state("", "").reserved }

// SpentBy is like Spent, for the requests with the given value of a tag. The
// tag must have a limit.
func (b *Budget) SpentBy(tag, value string) USD { return b.state(tag, value).spent }

// ReservedBy is like Reserved, for the requests with the given value of a tag.
// The tag must have a limit.
func (b *Budget) ReservedBy(tag, value string) USD { return b.state(tag, value).reserved }

func (b *Budget) state(tag, value string) balance {
	b.once.Do(b.load)
	b.mu.Lock()
	defer b.mu.Unlock()
	return *b.balance(Tag{tag, value})
}

// reservation is the money set aside for one request.
type reservation struct {
	budget   *Budget
	quote    Quote
	amount   USD
	accounts []Tag
	entry    string // in the ledger
	booked   bool   // guarded by the lock of the budget
}

// Accepted notes the request id.
func (r *reservation) Accepted(requestID string) {
	if r.entry != "" {
		_ = r.budget.Ledger.accepted(r.entry, requestID) // kept as the ledger's Err
	}
}

// Settled books what was billed.
func (r *reservation) Settled(meta fal.Meta) {
	bill, err := Settle(r.quote, meta)
	if err != nil {
		bill.Billed = r.amount // unknown: as much as it can be
	}
	r.budget.book(r, bill.Billed)
	if r.entry != "" {
		_ = r.budget.Ledger.settled(r.entry, meta, bill.Billed, err == nil)
	}
}

// Released takes back what was set aside.
func (r *reservation) Released(error) {
	r.budget.book(r, 0)
	if r.entry != "" {
		_ = r.budget.Ledger.released(r.entry)
	}
}
