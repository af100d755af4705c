package spend

import (
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// event is a line of a ledger.
type event struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"`
	ID    string    `json:"id"` // of the entry, not of the request

	// When reserved. A settled event with an endpoint is an entry of its own.
	Endpoint string            `json:"endpoint,omitzero"`
	Tags     map[string]string `json:"tags,omitzero"`
	pricing.Amounts
	Reserved pricing.USD `json:"reserved,omitzero"`
	// UnitPrice is what a billed unit is booked for; 0 if that is not known.
	UnitPrice pricing.USD `json:"unit_price,omitzero"`

	// When accepted or settled.
	RequestID string `json:"request_id,omitzero"`

	// When settled. Presumed says that fal did not tell what it billed.
	Units    string      `json:"units,omitzero"`
	Billed   pricing.USD `json:"billed,omitzero"`
	Presumed bool        `json:"presumed,omitzero"`
}

// valid reports whether the event is one that a ledger knows and could have been
// written by one.
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

// first reports whether the event is both the first and the last of its entry.
func (e event) first() bool { return e.Event == eventSettled && e.Endpoint != "" }
