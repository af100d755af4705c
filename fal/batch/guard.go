package batch

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/internal/naming"
)

// keeper is a guard whose reservations outlive the process, such as a budget with a
// ledger: it knows them by an id of ours.
type keeper interface {
	// ReserveAs is Reserve, and takes over what an earlier process reserved under the
	// id.
	ReserveAs(ctx context.Context, id string, u fal.Usage, tags map[string]string) (fal.Reservation, error)
	// Resume returns the reservation of a job that is taken up; the request id is ""
	// of one that was never accepted.
	Resume(id, requestID string) fal.Reservation
}

// reservationID is the id that an item's reservation has. It names the journal, since
// another batch with the same budget may have the same item.
func (e *entry) reservationID() string {
	return "batch-" + naming.Sum(e.run.journal.ID()+"\n"+e.row.Key+"\n"+e.row.Digest) + "-" + e.row.Digest[:min(len(e.row.Digest), 12)]
}

// resumed returns the reservation of a job that is taken up.
func (e *entry) resumed(ctx context.Context) *reservation {
	r := &reservation{entry: e, ctx: context.WithoutCancel(ctx)}
	if k, ok := e.guard.(keeper); ok {
		r.inner = k.Resume(e.reservationID(), e.row.RequestID)
	}
	return r
}

// noting is the guard of one item: it asks the one that the item has, and notes in the
// journal what is about to be sent and what was accepted.
type noting struct{ *entry }

func (e noting) Reserve(ctx context.Context, u fal.Usage, tags map[string]string) (fal.Reservation, error) {
	r := &reservation{entry: e.entry, ctx: context.WithoutCancel(ctx)}
	e.reserved = r
	if e.guard == nil {
		return r, nil
	}
	var err error
	if k, ok := e.guard.(keeper); ok {
		r.inner, err = k.ReserveAs(ctx, e.reservationID(), u, tags)
	} else {
		r.inner, err = e.guard.Reserve(ctx, u, tags)
	}
	if err != nil {
		if local(err) { // it cannot keep its books, and so will not for others
			e.ill = cmp.Or(e.ill, err)
		}
		return nil, err
	}
	return r, nil
}

// reservation is that of one item.
type reservation struct {
	entry *entry
	inner fal.Reservation // may be nil
	ctx   context.Context // what happened is noted though the caller has gone
}

// Sending notes the intent, before the request is sent.
func (r *reservation) Sending(payload json.RawMessage) error {
	row := &r.entry.row
	before := *row
	now, _ := r.entry.run.Client.Now(r.ctx) // or this machine's time, if fal cannot be asked
	row.State, row.Sent, row.Payload = Intent, now.UTC(), payload
	if row.RequestID != "" {
		row.Past = append(slices.Clip(row.Past), row.RequestID)
	}
	row.RequestID, row.Failure, row.KeySum = "", nil, r.entry.run.Client.KeySum()
	err := r.entry.put(r.ctx)
	if err != nil {
		*row = before
	}
	return err
}

// Accepted notes the request id. That the journal cannot be written is told when
// there is a result: the job is under way, and its id is known as long as this
// program runs.
func (r *reservation) Accepted(requestID string) {
	if row := &r.entry.row; row.State != Submitted || row.RequestID != requestID {
		row.State, row.RequestID = Submitted, requestID
		_ = r.entry.put(r.ctx)
	}
	if r.inner != nil {
		r.inner.Accepted(requestID)
	}
}

// Settled keeps what was billed.
func (r *reservation) Settled(meta fal.Meta) {
	r.entry.row.Units = meta.BillableUnits
	if r.inner != nil {
		r.inner.Settled(meta)
	}
}

// Released passes on that nothing was charged.
func (r *reservation) Released(err error) {
	if r.inner != nil {
		r.inner.Released(err)
	}
}
