package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// Event is what fal tells of a job that is done.
type Event struct {
	// RequestID is the id that the job was submitted with.
	RequestID string
	// GatewayRequestID is the id of fal's last attempt at it.
	GatewayRequestID string
	// Failed says that the job failed, and Error why, in fal's words.
	Failed bool
	Error  string
	// Payload is the result of the model, or its error; nil if fal could not
	// send it along, for the reason in PayloadError.
	Payload      json.RawMessage
	PayloadError string
	// UserID is the account at fal that the job belongs to.
	UserID string
	// Sent is when fal signed it.
	Sent time.Time
	// Query is that of the address which fal called, as it was given to
	// fal.WithWebhook: a name of one's own for the job travels in it. It is not
	// signed: what must not be guessed belongs beside the request id instead.
	Query url.Values
}

// parse reads the body of a webhook whose signature was verified.
func parse(body []byte) (*Event, error) {
	var b struct {
		RequestID        string          `json:"request_id"`
		GatewayRequestID string          `json:"gateway_request_id"`
		Status           string          `json:"status"`
		Error            any             `json:"error"`
		Payload          json.RawMessage `json:"payload"`
		PayloadError     any             `json:"payload_error"`
	}
	err := json.Unmarshal(body, &b)
	if _, oddType := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !oddType {
		return nil, fmt.Errorf("webhook: the body is not JSON: %w", err)
	}
	if b.RequestID == "" || len(b.RequestID) > maxID || !plain(b.RequestID) {
		return nil, errors.New("webhook: the body names no request id")
	}
	e := &Event{
		RequestID: b.RequestID, GatewayRequestID: b.GatewayRequestID,
		Error: text(b.Error), Payload: b.Payload, PayloadError: text(b.PayloadError),
	}
	e.Failed = b.Status != "OK" || e.Error != ""
	if string(e.Payload) == "null" {
		e.Payload = nil
	}
	return e, nil
}

// maxID is how long a request id may be.
const maxID = 200

// text returns what fal says in words, whatever its type.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// Into returns the result that an event brought, in the type of the job: the
// one that was submitted, or one taken up by [fal.Resume]. The errors are those
// of [fal.Job.Wait]; of a failed job the type that the model gave counts, rather
// than the number that fal puts around it. Where the event has no payload, the
// result is fetched.
//
// The units that were billed are not part of an event, so a budget books what it
// has set aside. [Fetch] asks fal for them.
func Into[Out any](ctx context.Context, e *Event, j *fal.Job[Out]) (*Out, error) {
	switch {
	case e == nil:
		return nil, errors.New("webhook: the event is nil")
	case j == nil:
		return nil, errors.New("webhook: the job is nil")
	case j.ID() != e.RequestID:
		return nil, fmt.Errorf("webhook: the event is of request %s, the job is %s", e.RequestID, j.ID())
	case e.Payload != nil && !e.Failed:
		return j.Decode(ctx, http.StatusOK, e.Payload)
	case e.Payload != nil:
		return j.Decode(ctx, e.status(), e.Payload)
	}
	out, err := j.Wait(ctx)
	if _, unknown := errors.AsType[*fal.JobError](err); unknown && e.Failed && ctx.Err() == nil {
		body, _ := json.Marshal(map[string]string{"detail": e.Error}) // a string always can be
		return j.Decode(ctx, e.status(), body)
	}
	return out, err
}

// fetchTime is how long fal is asked for a result that the webhook may have brought
// too.
const fetchTime = 10 * time.Second

// Fetch is [Into] that asks fal for the result first, for 10 seconds: it then has
// the units that were billed. Without an event it waits as [fal.Job.Wait] does.
func Fetch[Out any](ctx context.Context, e *Event, j *fal.Job[Out]) (*Out, error) {
	if e == nil {
		return j.Wait(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	out, err := j.Wait(limited)
	if _, unfinished := errors.AsType[*fal.JobError](err); unfinished && ctx.Err() == nil {
		return Into(ctx, e, j)
	}
	return out, err
}

var statusCode = regexp.MustCompile(`status code: (\d{3})\b`)

// status returns the HTTP status that a failed job ended with, or 0 where fal does not
// name it: the job may have been charged or not.
func (e *Event) status() int {
	if m := statusCode.FindStringSubmatch(e.Error); m != nil {
		if code, err := strconv.Atoi(m[1]); err == nil && code >= 400 && code < 600 {
			return code
		}
	}
	return 0
}
