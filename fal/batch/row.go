package batch

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// State is where an item stands.
type State string

// The states of an item. It goes from Intent to Submitted to Done or Failed;
// Unknown is an intent of which nobody knows whether fal accepted it.
const (
	Intent    State = "intent"    // it is about to be sent, or was when the program ended
	Submitted State = "submitted" // fal has accepted it, and its RequestID is known
	Done      State = "done"      // there is a result, and it is paid
	Failed    State = "failed"    // fal refused it, or its job failed
	Unknown   State = "unknown"   // the answer was lost: it is never sent again on a guess
)

// Row is what a [Journal] has about an item.
type Row struct {
	Key string `json:"key"`
	// Revision is 1 in the first row of a key and one more in each that takes its
	// place.
	Revision int64  `json:"revision"`
	State    State  `json:"state"`
	Endpoint string `json:"endpoint"`
	// Digest is that of the request, with local files by their content.
	Digest string `json:"digest"`
	// Sent is when the intent was noted, by fal's clock if that could be asked for; see
	// [fal.Client.Now].
	Sent time.Time `json:"sent"`
	// KeySum is the [fal.Client.KeySum] that it was sent with.
	KeySum string `json:"key_sum,omitzero"`
	// Payload is the body that was sent, as long as it may have to be looked for
	// or sent again: until the item is done, or for longer with a Runner.Mark.
	Payload json.RawMessage `json:"payload,omitzero"`
	// RequestID is that of the job at fal; "" if none is known. Where the state is
	// Unknown it is what came with an answer that said nothing, and asked for first.
	RequestID string `json:"request_id,omitzero"`
	// Past are the ids of its earlier jobs, which failed without cost before it was
	// sent again, the oldest first. None of them is taken for the job that it has now.
	Past []string `json:"past,omitzero"`
	// Units is what fal billed, in units of the endpoint, as the decimal that it
	// sent; "" if it told none.
	Units string `json:"units,omitzero"`
	// Result is what came back, as the JSON of its Go type.
	Result   json.RawMessage `json:"result,omitzero"`
	Warnings []fal.Warning   `json:"warnings,omitzero"`
	// Files are those of the result that are saved, in their order.
	Files []File `json:"files,omitzero"`
	// Failure is why there is no result, or what is wrong with it.
	Failure *Failure `json:"failure,omitzero"`
}

// File is a file of a result that was saved.
type File struct {
	// Name is where it is in the folder of the runner, with slashes.
	Name string `json:"name"`
	// Bytes is its size, and SHA256 its sum in hexadecimal.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Failure is an error as a row keeps it.
type Failure struct {
	Message string `json:"message"`
	// Status, Type, Retryable and Billing are those of a [fal.Error].
	Status    int         `json:"status,omitzero"`
	Type      string      `json:"type,omitzero"`
	Retryable bool        `json:"retryable,omitzero"`
	Billing   fal.Billing `json:"billing,omitzero"`
}

// Failure types of our own.
const (
	typeFlagged = "flagged"
	typeDecode  = "decode"
)

// failureOf returns what a row keeps of an error.
func failureOf(err error) *Failure {
	f := &Failure{Message: err.Error(), Billing: fal.Charged(err)}
	if e, ok := errors.AsType[*fal.Error](err); ok {
		f.Message, f.Status, f.Type, f.Retryable = e.Message, e.Status, e.Type, e.Retryable
	}
	if _, ok := errors.AsType[*fal.DecodeError](err); ok {
		f.Type = typeDecode
	}
	if errors.Is(err, fal.ErrFlagged) {
		f.Type = typeFlagged
	}
	return f
}

// Err returns the error that a row tells of, as [Step] does without sending anything;
// nil if there is none.
func (r *Row) Err() error {
	f := r.Failure
	if f == nil {
		return nil
	}
	if r.State == Unknown || r.State == Intent {
		return r.lost(errors.New(f.Message))
	}
	e := &fal.Error{
		Endpoint: r.Endpoint, RequestID: r.RequestID, Status: f.Status, Type: f.Type, Message: f.Message,
		Retryable: f.Retryable, Billing: f.Billing, BillableUnits: r.Units,
	}
	if f.Type == typeFlagged {
		return fmt.Errorf("%w: %w", fal.ErrFlagged, e)
	}
	return e
}

// job returns the id of the item's job; "" if none is known for certain.
func (r *Row) job() string {
	if r.State == Unknown {
		return ""
	}
	return r.RequestID
}

// lost returns the error of an intent whose fate is not known.
func (r *Row) lost(err error) *fal.OutcomeUnknownError {
	payload := r.Payload
	return &fal.OutcomeUnknownError{
		Endpoint: r.Endpoint, RequestID: r.RequestID, Sent: r.Sent, Err: err, Not: r.Past,
		Payload: func() json.RawMessage { return payload },
	}
}

// free reports whether an item that failed may be sent again: it was certainly
// not charged, and fal never accepted it or may do better the next time.
func (r *Row) free() bool {
	return r.State == Failed && r.Failure != nil && r.Failure.Billing == fal.NotBilled &&
		(r.RequestID == "" || r.Failure.Retryable || r.Failure.Status == statusCancelled)
}

// statusCancelled is fal's for a job that was cancelled.
const statusCancelled = 499

// Validate returns what is wrong with a row that a journal is to keep.
func (r *Row) Validate() error {
	switch {
	case r.Key == "" || len(r.Key) > maxKey:
		return fmt.Errorf("batch: key %.80q: must have 1 to %d bytes", r.Key, maxKey)
	case r.Revision < 1:
		return fmt.Errorf("batch: key %.80q: revision %d: must be 1 or more", r.Key, r.Revision)
	case cmp.Or(r.Endpoint, r.Digest) == "" || r.State == "":
		return fmt.Errorf("batch: key %.80q: the row has no endpoint, digest or state", r.Key)
	}
	return nil
}
