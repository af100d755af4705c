package pricing

import (
	"cmp"
	"maps"
	"math"
	"time"
)

// event is a line of a ledger.
type event struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"`
	ID    string    `json:"id"` // of the entry, not of the request

	// When reserved. A settled event with an endpoint is an entry of its own.
	Endpoint string            `json:"endpoint,omitzero"`
	Tags     map[string]string `json:"tags,omitzero"`
	Min      USD               `json:"min,omitzero"`
	Expected USD               `json:"expected,omitzero"`
	Max      USD               `json:"max,omitzero"`
	Reserved USD               `json:"reserved,omitzero"`
	// UnitPrice is what a billed unit is booked for; 0 if that is not known.
	UnitPrice USD `json:"unit_price,omitzero"`

	// When accepted or settled.
	RequestID string `json:"request_id,omitzero"`

	// When settled. Presumed says that fal did not tell what it billed.
	Units    string `json:"units,omitzero"`
	Billed   USD    `json:"billed,omitzero"`
	Presumed bool   `json:"presumed,omitzero"`
}

// valid reports whether the event is one of those below and could have been
// written by a ledger.
func (e event) valid() bool {
	switch e.Event {
	case eventReserved, eventAccepted, eventSettled, eventReleased:
	default:
		return false
	}
	return e.ID != "" && min(e.Min, e.Expected, e.Max, e.Reserved, e.UnitPrice, e.Billed) >= 0
}

const (
	eventReserved = "reserved"
	eventAccepted = "accepted"
	eventSettled  = "settled"
	eventReleased = "released"
)

// Entry is a request in a ledger.
type Entry struct {
	// ID is that of the entry, made by the ledger.
	ID string
	// Time is when the request was quoted.
	Time     time.Time
	Endpoint string
	// RequestID is fal's; "" until it is known that fal accepted the request.
	RequestID string
	Tags      map[string]string
	// Min, Expected and Max are the quote, and Reserved what was set aside.
	Min, Expected, Max, Reserved USD
	// UnitPrice is what a billed unit will be booked for: the dearest price
	// where sources disagree. It is 0 if no unit price is known.
	UnitPrice USD
}

// Total is the sum of several requests.
type Total struct {
	// Requests is the number of requests that were charged or may be.
	Requests int64
	// Open is the number of those that are not settled yet, and Reserved what
	// is set aside for them.
	Open     int64
	Reserved USD
	// Quoted is the sum of what was expected, and Billed of what was billed.
	Quoted, Billed USD
}

// Tag is the name and value of a tag.
type Tag struct{ Name, Value string }

// Totals are sums of the requests in a ledger. Requests that were released,
// since they were refused or failed uncharged, do not count.
type Totals struct {
	All    Total
	Models map[string]Total // by endpoint
	Tags   map[Tag]Total
	Days   map[string]Total // by the day of the quote in UTC, such as "2026-11-23"
}

func (t Totals) clone() Totals {
	t.Models, t.Tags, t.Days = maps.Clone(t.Models), maps.Clone(t.Tags), maps.Clone(t.Days)
	return t
}

// account returns the sums of the requests that an account is for. The zero Tag
// stands for all requests, and a tag without value for those that lack it or
// have it without one.
func (t *Totals) account(a Tag) Total {
	if a.Name == "" {
		return t.All
	}
	if a.Value != "" {
		return t.Tags[a]
	}
	rest := t.All
	for tag, of := range t.Tags {
		if tag.Name == a.Name && tag.Value != "" {
			rest.Billed -= of.Billed
			rest.Reserved -= of.Reserved
		}
	}
	return rest
}

// books is what the lines of a ledger add up to.
type books struct {
	open     map[string]*Entry // by entry
	accepted map[string]string // open entries by request id
	// settled are the requests that are, by their ids; nil in books that are
	// not kept, which need not know them. Presumed are those of them of which
	// fal did not tell what it billed.
	settled  map[string]bool
	presumed map[string]presumed
	totals   Totals
	damaged  int
}

// presumed is a request that is settled by the most that it may have cost.
type presumed struct {
	entry  *Entry
	billed USD
}

func newBooks() books {
	return books{
		open: make(map[string]*Entry), accepted: make(map[string]string),
		settled: make(map[string]bool), presumed: make(map[string]presumed),
		totals: Totals{Models: make(map[string]Total), Tags: make(map[Tag]Total), Days: make(map[string]Total)},
	}
}

// news reports whether an event changes anything: a second result for a
// request, for one, does not, unless the first was presumed.
func (b *books) news(e event) bool {
	switch {
	case e.Event == eventReserved:
		return b.open[e.ID] == nil
	case e.first():
		_, again := b.presumed[e.RequestID]
		return !b.settled[e.RequestID] || again && !e.Presumed
	}
	return b.open[e.ID] != nil
}

// first reports whether the event is both the first and the last of its entry.
func (e event) first() bool { return e.Event == eventSettled && e.Endpoint != "" }

// apply takes an event into the books. Only a reservation that is too large to
// be held is an error.
func (b *books) apply(e event) error {
	if !b.news(e) {
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
	b.change(p.entry, Total{Billed: e.Billed - p.billed})
	return true
}

// begin opens an entry.
func (b *books) begin(e event) error {
	entry := &Entry{
		ID: e.ID, Time: e.Time, Endpoint: e.Endpoint, Tags: e.Tags,
		Min: e.Min, Expected: e.Expected, Max: e.Max, Reserved: e.Reserved, UnitPrice: e.UnitPrice,
	}
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
	if e.Event == eventSettled && !b.settled[requestID] {
		change.Billed = e.Billed
	} else {
		// Released, or another entry for a request that is settled already.
		change.Requests, change.Quoted = -1, -entry.Expected
	}
	if e.Event == eventSettled && requestID != "" && b.settled != nil {
		if e.Presumed && !b.settled[requestID] {
			b.presumed[requestID] = presumed{entry, e.Billed}
		}
		b.settled[requestID] = true
	}
	b.change(entry, change)
}

// change adds to all totals that an entry is part of. What was billed stops at
// the largest amount that can be held: nothing more passes a budget then.
func (b *books) change(e *Entry, change Total) {
	all, err := b.totals.All.plus(change)
	if err != nil {
		change.Billed = math.MaxInt64 - b.totals.All.Billed - b.totals.All.Reserved - change.Reserved
		all, _ = b.totals.All.plus(change)
	}
	b.totals.All = all
	// The others are parts of it and cannot overflow.
	b.totals.Models[e.Endpoint], _ = b.totals.Models[e.Endpoint].plus(change)
	day := e.Time.UTC().Format(time.DateOnly)
	b.totals.Days[day], _ = b.totals.Days[day].plus(change)
	for name, value := range e.Tags {
		tag := Tag{name, value}
		b.totals.Tags[tag], _ = b.totals.Tags[tag].plus(change)
	}
}

func (t Total) plus(u Total) (sum Total, err error) {
	sum = Total{Requests: t.Requests + u.Requests, Open: t.Open + u.Open}
	if sum.Reserved, err = t.Reserved.Add(u.Reserved); err != nil {
		return t, err
	}
	if sum.Quoted, err = t.Quoted.Add(u.Quoted); err != nil {
		return t, err
	}
	if sum.Billed, err = t.Billed.Add(u.Billed); err != nil {
		return t, err
	}
	_, err = sum.Billed.Add(sum.Reserved)
	return sum, err
}
