package fal

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/falimage/falimage-go/internal/transport"
)

// grace is how long an answer is waited for after the context ended, when the
// request may already have been accepted.
const grace = 3 * time.Second

// post sends the request that starts the work and tells apart what must not
// be confused: accepted (a response with a status below 300), certainly not
// accepted, and unknown.
func (p *prepared) post(ctx context.Context, req *transport.Request, start time.Time) (*http.Response, error) {
	resp, err := p.c.transport.Send(ctx, req)
	if err != nil {
		if sendErr, ok := errors.AsType[*transport.Error](err); ok && sendErr.MaybeSent {
			return nil, &SubmitUnknownError{Endpoint: p.endpoint, Sent: start, Err: err}
		}
		err = refused(p.endpoint, "not sent", err)
		p.money.Released(err)
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	body, readErr := readAll(resp, maxErrorBody)
	e := p.c.newError(p.endpoint, "", resp, body)
	_, falsOwn := parseErrorBody(body)
	if turnedAway := e.Status == http.StatusServiceUnavailable && e.RequestID == ""; e.Status >= 500 && !falsOwn && !turnedAway {
		// The answer is not fal's: a machine in between may have passed the
		// request on before it failed. Only with 503 it says that it did not.
		return nil, &SubmitUnknownError{Endpoint: p.endpoint, RequestID: e.RequestID, Sent: start, Status: e.Status, Err: errors.Join(e, readErr)}
	}
	// The queue charges nothing for what it does not accept. A direct call may
	// have been refused by the model itself, after it had begun to work.
	if e.Billing == BillingUnknown && (p.queued || e.Status != http.StatusUnprocessableEntity) {
		e.Billing = NotBilled
	}
	finish(p.money, Meta{}, e)
	return nil, e
}

// newError makes the error for an answer with a status of 300 or above. A
// server that repeats the API key does not get it into our error.
func (c *Client) newError(endpoint, requestID string, resp *http.Response, body []byte) *Error {
	e := newError(endpoint, requestID, resp.StatusCode, resp.Header, body)
	key, err := c.Key.text()
	if err != nil {
		return e
	}
	hide := func(s *string) { *s = strings.ReplaceAll(*s, key, redacted) }
	hide(&e.Message)
	hide(&e.Type)
	for i := range e.Fields {
		hide(&e.Fields[i].Message)
		hide(&e.Fields[i].Value)
		hide(&e.Fields[i].Field)
	}
	return e
}
