package spend

import (
	"cmp"
	"math"
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// books is what the lines of a ledger add up to.
type books struct {
	open     map[string]*Entry // by entry
	accepted map[string]string // open entries by request id
	// settled are the requests of recent days that are, and when; nil in books
	// that are not kept, which need not know them. Presumed are those of them
	// of which fal did not tell what it billed.
	settled  map[key]day
	presumed map[string]presumed
	totals   Totals // without Months, which are here:
	months   map[cell]Total
	slots    map[Tag]slots
	// named are the sums of the requests with a tag of some value, by its name.
	named map[string]Total
}

// presumed is a request that is settled by the most that it may have cost.
type presumed struct {
	entry         *Entry
	billed, least pricing.USD
	time          time.Time // when it was settled
}

func newBooks() *books {
	return &books{
		open: make(map[string]*Entry), accepted: make(map[string]string),
		months: make(map[cell]Total), slots: make(map[Tag]slots),
		settled: make(map[key]day), presumed: make(map[string]presumed), named: make(map[string]Total),
		totals: Totals{Endpoints: make(map[string]Total), Tags: make(map[Tag]Total), Days: make(map[string]Total)},
	}
}

// isSettled reports whether a request is known to be settled.
func (b *books) isSettled(requestID string) bool {
	if requestID == "" || len(b.settled) == 0 {
		return false
	}
	_, ok := b.settled[keyOf(requestID)]
	return ok
}

// used is what was billed and what is set aside.
func (b *books) used() pricing.USD { return b.totals.All.Billed + b.totals.All.Reserved }

// news reports whether an event changes anything: a second result for a
// request, for one, does not, unless the first was presumed.
func (b *books) news(e event) bool {
	switch {
	case e.Event == eventReserved:
		return b.open[e.ID] == nil
	case e.first():
		_, again := b.presumed[e.RequestID]
		return !b.isSettled(e.RequestID) || again && !e.Presumed
	case e.Event == eventLedger, e.Event == eventTotal, e.Event == eventKeys:
		return true
	}
	entry := b.open[e.ID]
	return entry != nil && (e.Event != eventAccepted || entry.RequestID == "") // it has one job
}

// apply takes an event into the books. Only a reservation that is too large to
// be held is an error.
func (b *books) apply(e event) error {
	if !b.news(e) {
		return nil
	}
	switch e.Event {
	case eventLedger:
		return nil
	case eventTotal:
		return b.keep(e)
	case eventKeys:
		for _, k := range e.Keys {
			b.settled[k] = dayOf(e.Time)
		}
		return nil
	}
	if b.replace(e, e.RequestID) && e.first() {
		return nil
	}
	if e.Event == eventReserved || e.first() {
		if err := b.begin(e); err != nil || !e.first() {
			return err
		}
	}
	entry := b.open[e.ID]
	if e.Event == eventAccepted {
		entry.RequestID = cmp.Or(e.RequestID, entry.RequestID)
		b.accepted[entry.RequestID] = e.ID
		return nil
	}
	b.end(entry, e)
	return nil
}

// replace puts a bill in the place of one that was presumed for the request,
// and reports whether there was one.
func (b *books) replace(e event, requestID string) bool {
	p, ok := b.presumed[requestID]
	if !ok || e.Event != eventSettled || e.Presumed {
		return false
	}
	delete(b.presumed, requestID)
	b.change(p.entry, Total{Billed: e.Billed - p.billed, Least: e.least() - p.least})
	return true
}

// begin opens an entry.
func (b *books) begin(e event) error {
	entry := e.entry()
	change := Total{Requests: 1, Open: 1, Reserved: e.Reserved, Quoted: e.Expected}
	if _, err := b.totals.All.plus(change); err != nil {
		return err
	}
	b.open[e.ID] = entry
	b.change(entry, change)
	return nil
}

// end closes an entry.
func (b *books) end(entry *Entry, e event) {
	requestID := cmp.Or(e.RequestID, entry.RequestID)
	b.replace(e, requestID)
	delete(b.open, e.ID)
	delete(b.accepted, entry.RequestID)
	change := Total{Open: -1, Reserved: -entry.Reserved}
	if e.Event == eventSettled && !b.isSettled(requestID) {
		change.Billed, change.Least = e.Billed, e.least()
	} else {
		// Released, or another entry for a request that is settled already.
		change.Requests, change.Quoted = -1, -entry.Expected
	}
	if e.Event == eventSettled && requestID != "" && b.settled != nil {
		if e.Presumed && !b.isSettled(requestID) {
			b.presumed[requestID] = presumed{entry, e.Billed, e.least(), e.Time}
		}
		b.settled[keyOf(requestID)] = dayOf(e.Time)
	}
	b.change(entry, change)
}

// change adds to all totals that an entry is part of. What was billed stops at
// the largest amount that can be held: nothing more passes a budget then.
func (b *books) change(e *Entry, change Total) {
	all, err := b.totals.All.plus(change)
	if err != nil {
		change.Billed = math.MaxInt64 - b.totals.All.Billed - b.totals.All.Reserved - change.Reserved
		change.Least = min(change.Least, change.Billed)
		all, _ = b.totals.All.plus(change)
	}
	b.totals.All = all
	// The others are parts of it and cannot overflow.
	add(b.totals.Endpoints, e.Endpoint, change)
	add(b.totals.Days, e.Time.UTC().Format(time.DateOnly), change)
	month := monthOf(e.Time)
	add(b.months, cell{month: month, endpoint: e.Endpoint}, change)
	b.slide(e, change.Billed+change.Reserved)
	for name, value := range e.Tags {
		add(b.totals.Tags, Tag{name, value}, change)
		add(b.months, cell{month, e.Endpoint, Tag{name, value}}, change)
		if value != "" {
			add(b.named, name, change)
		}
	}
}

// add changes one of several totals, and forgets it when nothing is left of it.
func add[K comparable](totals map[K]Total, of K, change Total) {
	if sum, _ := totals[of].plus(change); sum != (Total{}) {
		totals[of] = sum
	} else {
		delete(totals, of)
	}
}

// account returns the sums of the requests that an account is for. The zero Tag
// stands for all requests, and a tag without value for those that lack it or
// have it without one.
func (b *books) account(a Tag) Total {
	switch {
	case a.Name == "":
		return b.totals.All
	case a.Value != "":
		return b.totals.Tags[a]
	}
	rest, with := b.totals.All, b.named[a.Name]
	return Total{Reserved: rest.Reserved - with.Reserved, Billed: rest.Billed - with.Billed} // which is what budgets ask for
}
