package fal

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Error is what fal reports: a request that it refused, or a job that failed.
// Compare it by [errors.Is] with [ErrRateLimited] and the other errors of that kind.
type Error struct {
	Endpoint  string
	RequestID string // "" if fal gave none
	// Status is the HTTP status. A failed job has that of the model.
	Status int
	// Type is fal's name for the error, such as "content_policy_violation" or
	// "runner_disconnected"; "" if it gave none.
	Type string
	// Message says what happened and, where it is known, what to do.
	Message string
	// Fields are the problems with single fields of the request.
	Fields []FieldError
	// Retryable says that the same request may succeed if it is sent again.
	// That may cost again unless Billing is NotBilled.
	Retryable bool
	// RetryAfter is how long fal asks to wait first; 0 if it did not say.
	RetryAfter time.Duration
	// Billing says whether the request was charged.
	Billing Billing
	// BillableUnits is the number of units that were billed, as fal sent it.
	BillableUnits string

	// falsWord says that the error carries fal's own error type, beside the
	// body's detail or in a header. Only that proves of a 5xx that it is fal's.
	falsWord bool
	// ofForm says that the body has anything of the forms of fal's errors.
	ofForm bool
	// noEndpoint says that fal knows no such endpoint.
	noEndpoint bool
}

// Billing says whether a request that failed was charged.
type Billing int

// The states of billing. Fal does not charge for its own failures (5xx); an
// input that the model refused after it had begun to work may be charged.
const (
	BillingUnknown Billing = iota
	NotBilled
	Billed
)

// String returns "billed", "not billed" or "unknown whether billed".
func (b Billing) String() string {
	switch b {
	case Billed:
		return "billed"
	case NotBilled:
		return "not billed"
	}
	return "unknown whether billed"
}

// FieldError is a problem that fal found with one field of a request.
type FieldError struct {
	Field   string         // JSON path, such as "image_urls[0]"
	Type    string         // fal's name for the problem, such as "less_than_equal"
	Message string         // fal's words
	Value   string         // the value given, shortened; "" if fal did not send it
	Limits  map[string]any // what is accepted, by name, such as "le"
}

// String returns the field and what fal says about it, without the value: it
// may be a prompt, or the address of a picture.
func (f FieldError) String() string {
	var b strings.Builder
	if f.Field != "" {
		b.WriteString(f.Field + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Errors to be compared by [errors.Is]: what an [Error] can be, and some that
// come before or after fal.
var (
	// ErrNoKey says that there is no API key to use.
	ErrNoKey = errors.New("fal: no API key: set FAL_KEY (or FAL_KEY_ID and FAL_KEY_SECRET) in the environment, or Client.Key")
	// ErrRemote says that the content of a file is not on this computer, because
	// it is given by an http or https URL.
	ErrRemote = errors.New("the file is remote")
	// ErrFlagged says that the safety checker flagged a picture; see
	// [RefuseFlagged].
	ErrFlagged = errors.New("fal: the safety checker flagged a picture")

	ErrUnauthorized = errors.New("fal: the API key was not accepted")
	ErrLocked       = errors.New("fal: the account is locked")
	ErrNotFound     = errors.New("fal: not found")
	// ErrNoEndpoint says that fal knows no such endpoint, or none any more. It is
	// never sent again; where a successor is known, the text names it. Such an
	// error is an ErrNotFound too.
	ErrNoEndpoint    = errors.New("fal: there is no such endpoint")
	ErrRateLimited   = errors.New("fal: too many requests")
	ErrContentPolicy = errors.New("fal: the content policy was violated")
	ErrCancelled     = errors.New("fal: the job was cancelled")
	ErrStartTimeout  = errors.New("fal: the request was not started in the time that WithStartTimeout gave it")
)

// Is reports whether the error is a target such as [ErrRateLimited].
func (e *Error) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrLocked:
		return e.Status == http.StatusForbidden && e.Type == typeLocked
	case ErrNoEndpoint:
		return e.noEndpoint
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case ErrContentPolicy:
		return e.hasType("content_policy_violation")
	case ErrCancelled:
		return e.Status == statusClientClosed
	case ErrStartTimeout:
		return e.Status == http.StatusGatewayTimeout && e.Type == typeUserTimeout
	}
	return false
}

// withSuccessor adds to an error about an endpoint that is not there what is
// known of it, from the usage of the request that was sent.
func (e *Error) withSuccessor(u *Usage) *Error {
	for _, d := range u.Doubts {
		if e.noEndpoint && d.Field == doubtEndpoint {
			e.Message += "; it " + d.Message
		}
	}
	return e
}

// hasType reports whether the error, or the problem with one of its fields, is
// of a type.
func (e *Error) hasType(name string) bool {
	return e.Type == name || slices.ContainsFunc(e.Fields, func(f FieldError) bool { return f.Type == name })
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "fal: %s: ", e.Endpoint)
	b.WriteString(e.Message)
	fmt.Fprintf(&b, " (status %d", e.Status)
	if e.Type != "" {
		b.WriteString(", " + e.Type)
	}
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	b.WriteByte(')')
	return b.String()
}

// Charged returns the Billing.
func (e *Error) Charged() Billing { return e.Billing }

// OutcomeUnknownError says that a request was sent but it is not known whether
// fal accepted it: the answer was lost, cut off or unreadable. It is never
// sent again by this package. The job may be running, and may be charged; have
// package platform look for it in the request history before sending it once
// more.
type OutcomeUnknownError struct {
	Endpoint string
	// RequestID is the id of the job in the rare case that it is known: it
	// can then be taken up by [Resume].
	RequestID string
	// Sent is when the request was sent, by fal's clock if an answer of fal's had told
	// that before; see [Client.Now].
	Sent time.Time
	// Status is the HTTP status of an answer that could not be understood; 0
	// if there was none.
	Status int
	// Payload returns the body that was sent, as JSON; nil means that it is not
	// known. Package platform looks for it in the request history. It is a
	// function so that the prompt in it is not printed or logged by accident.
	Payload func() json.RawMessage `json:"-"`
	// Not are the ids of jobs that it certainly is not, such as those of earlier
	// attempts with the same body. Package platform leaves them out.
	Not []string
	Err error

	claim *claim
}

func (e *OutcomeUnknownError) Error() string {
	id := ""
	if e.RequestID != "" {
		id = " (request " + e.RequestID + ")"
	}
	return fmt.Sprintf("fal: %s: it is unknown whether fal accepted the request sent at %s%s: %v",
		e.Endpoint, e.Sent.UTC().Format(time.RFC3339), id, within(e.Endpoint, e.Err))
}

func (e *OutcomeUnknownError) Unwrap() error { return e.Err }

// Charged returns [BillingUnknown].
func (e *OutcomeUnknownError) Charged() Billing { return BillingUnknown }

// JobError says that something went wrong after fal accepted a job, on this
// side of the wire or in between: the job itself may well succeed. Take it up
// again with [Resume].
type JobError struct {
	Endpoint  string
	RequestID string
	// Cancel is how the attempt to cancel the job went, where there was one.
	Cancel CancelOutcome
	Err    error
}

func (e *JobError) Error() string {
	note := ""
	if e.Cancel != "" {
		note = ", cancel: " + strings.ToLower(strings.ReplaceAll(string(e.Cancel), "_", " "))
	}
	text := within(e.Endpoint, e.Err).Error()
	if note == "" && strings.Contains(text, "request "+e.RequestID) {
		return fmt.Sprintf("fal: %s: %s", e.Endpoint, text)
	}
	return fmt.Sprintf("fal: %s: %s (request %s%s)", e.Endpoint, text, e.RequestID, note)
}

func (e *JobError) Unwrap() error { return e.Err }

// Charged returns [NotBilled] if the job was cancelled before it ran, and else
// [BillingUnknown].
func (e *JobError) Charged() Billing {
	if e.Cancel == Cancelled {
		return NotBilled
	}
	return BillingUnknown
}

// DecodeError says that a result arrived that does not fit its Go type. The
// result is all there in Body, and what did fit is in the result returned with
// the error.
type DecodeError struct {
	Endpoint  string
	RequestID string
	Body      json.RawMessage
	Err       error

	billing Billing
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("fal: %s: the result does not fit its type: %v (request %s)", e.Endpoint, e.Err, e.RequestID)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// Charged returns [Billed], or [BillingUnknown] if what arrived is no result at
// all and fal said nothing of units.
func (e *DecodeError) Charged() Billing { return e.billing }

// quoteShort quotes a value for a message.
func quoteShort(s string) string { return strconv.Quote(shorten(s)) }

func (e *Error) requestID() string               { return e.RequestID }
func (e *OutcomeUnknownError) requestID() string { return e.RequestID }
func (e *JobError) requestID() string            { return e.RequestID }
func (e *DecodeError) requestID() string         { return e.RequestID }

// within returns an error as it is told inside of another about the same
// endpoint: without the beginning that the other has too.
func within(endpoint string, err error) error {
	text := err.Error()
	short, ours := strings.CutPrefix(text, "fal: ")
	if !ours {
		return err
	}
	return innerError{err, strings.TrimPrefix(short, endpoint+": ")}
}

type innerError struct {
	error
	text string
}

func (e innerError) Error() string { return e.text }
func (e innerError) Unwrap() error { return e.error }
