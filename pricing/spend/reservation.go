package spend

import (
	"errors"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// reservation is what is set aside for one request. What cannot be written
// about it is kept as the ledger's Err.
type reservation struct {
	ledger *Ledger
	entry  string
	quote  pricing.Quote
	amount pricing.USD
}

// Accepted notes the request id.
func (r *reservation) Accepted(requestID string) { _ = r.ledger.accepted(r.entry, requestID) }

// Settled books what was billed.
func (r *reservation) Settled(meta fal.Meta) {
	bill, err := pricing.Settle(r.quote, meta)
	billed, least := bill.Max, bill.Min
	if err != nil {
		billed, least = r.amount, min(r.quote.Min, r.amount) // unknown: as much as it can be
		if most, ok := r.timed(meta); ok && errors.Is(err, pricing.ErrNoUnits) {
			billed, least = most.Max, most.Min
		}
	}
	_ = r.ledger.settled(r.entry, meta, billed, least, err == nil)
}

// timed returns what a realtime session, which has neither units nor an id, may
// cost by its time: at most each second begun, at least what the model told that
// it worked.
func (r *reservation) timed(meta fal.Meta) (a pricing.Amounts, ok bool) {
	if _, timed := r.quote.Price().Rule.(pricing.PerSecond); !timed || meta.RequestID != "" || meta.Elapsed <= 0 {
		return a, false
	}
	seconds := (meta.Elapsed + time.Second - 1) / time.Second
	most, err := r.quote.Bill(pricing.Units(seconds) * pricing.One)
	if err != nil {
		return a, false
	}
	worked, err := r.quote.Bill(pricing.Units(min(meta.InferenceTime, meta.Elapsed).Nanoseconds())) // One is as many as a second has
	if err != nil {
		return a, false
	}
	most.Min = worked.Min
	return most, true
}

// Released takes back what was set aside.
func (r *reservation) Released(error) { _ = r.ledger.Release(r.entry) }
