package spend

import (
	"context"
	"crypto/rand"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

type entryID struct{}

// ReserveAs is Reserve under an id of the caller's, for one that goes on with its
// work after a crash, as package batch does. If an earlier process reserved under the
// id and ended before fal accepted the request, that reservation is taken over: the
// caller knows that its request was not sent, or not accepted.
func (b *Budget) ReserveAs(ctx context.Context, id string, u fal.Usage, tags map[string]string) (fal.Reservation, error) {
	b.ledger().repeats()
	return b.Reserve(context.WithValue(ctx, entryID{}, id), u, tags)
}

// repeats has it known, in memory too, which requests are settled: of a job that is
// taken up it is told more than once.
func (l *Ledger) repeats() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if books := l.held(); books.settled == nil {
		books.settled = make(map[key]day)
	}
}

// entryFor returns the id of an entry that is to be made for an amount, and whether it
// is there already. The lock is held.
func (l *Ledger) entryFor(ctx context.Context, amount pricing.USD) (id string, there bool) {
	id, _ = ctx.Value(entryID{}).(string)
	old := l.held().open[id]
	if id == "" || l.live[id] || old != nil && old.RequestID != "" {
		return rand.Text(), false
	}
	if there = old != nil; there && old.Reserved < amount { // its price has risen since
		_ = l.addLocked(event{Event: eventReleased, ID: id}, nil) // what cannot be written has the next line fail
		there = false
	}
	if l.live == nil {
		l.live = make(map[string]bool)
	}
	l.live[id] = true
	return id, there
}

// Resume returns the reservation that was made under an id, maybe by an earlier
// process, for a request that is taken up by the id of its job. If there is none
// under this id, what fal told that it billed is booked all the same, but once for each
// job; see [Ledger.Record].
func (b *Budget) Resume(id, requestID string) fal.Reservation {
	r := resumed{b.ledger(), id, requestID}
	r.ledger.repeats()
	if requestID != "" {
		r.Accepted(requestID)
	}
	return r
}

// resumed is a reservation of which the ledger alone knows what was set aside.
type resumed struct {
	ledger    *Ledger
	id        string
	requestID string
}

// Accepted notes the request id.
func (r resumed) Accepted(requestID string) { _ = r.ledger.accepted(r.id, requestID) }

// Settled books what was billed.
func (r resumed) Settled(meta fal.Meta) {
	if r.ledger.Record(meta) == nil {
		return
	}
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	if entry := r.entry(); entry != nil { // unknown: as much as it can be
		amount := entry.Reserved
		e := event{Event: eventSettled, ID: r.id, RequestID: meta.RequestID, Units: meta.BillableUnits, Billed: amount, Presumed: true}
		e.Less = amount - min(entry.Min, amount)
		_ = r.ledger.addLocked(e, nil)
	}
}

// Released takes back what was set aside.
func (r resumed) Released(error) {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	if r.entry() != nil {
		_ = r.ledger.addLocked(event{Event: eventReleased, ID: r.id}, nil)
	}
}

// entry is what is set aside under the id, unless that is for another job. The lock is
// held.
func (r resumed) entry() *Entry {
	entry := r.ledger.held().open[r.id]
	if entry == nil || entry.RequestID != "" && entry.RequestID != r.requestID {
		return nil
	}
	return entry
}
