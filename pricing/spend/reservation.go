package spend

import (
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
	}
	_ = r.ledger.settled(r.entry, meta, billed, least, err == nil)
}

// Released takes back what was set aside.
func (r *reservation) Released(error) { _ = r.ledger.Release(r.entry) }
