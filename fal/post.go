package fal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
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
			return nil, p.unknown(start, "", 0, err)
		}
		err = notSentTo(p.endpoint, err)
		p.reservation.Released(err)
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	body, readErr := readHead(resp)
	e := p.c.newError(p.endpoint, "", resp, body).withSuccessor(&p.usage)
	if (e.Status >= 500 || e.Status == http.StatusRequestTimeout) && !e.falsWord {
		// A machine in between may have passed the request on before it failed,
		// or gave up waiting.
		return nil, p.unknown(start, e.RequestID, e.Status, errors.Join(e, readErr))
	}
	if e.Billing == BillingUnknown && (p.queued || turnedDown(e)) {
		e.Billing = NotBilled // the queue charges nothing for what it does not accept
	}
	p.c.forgetIfGone(p.uploaded, e)
	finish(p.reservation, Meta{}, e)
	return nil, e
}

// unknown is the error for a request of which it is not known whether fal
// accepted it. Status is that of an answer, 0 without one.
func (p *prepared) unknown(sent time.Time, requestID string, status int, err error) *OutcomeUnknownError {
	return &OutcomeUnknownError{
		Endpoint: p.endpoint, RequestID: requestID, Sent: p.c.clock.of(sent), Status: status, Err: err,
		Payload: func() json.RawMessage { return bytes.Clone(p.body) },
		claim:   &claim{p: p, sent: sent},
	}
}

// turnedDown reports whether a direct call was refused before the model began
// to work. Of other answers that have a request id it may be the author.
func turnedDown(e *Error) bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return true
	case http.StatusUnprocessableEntity:
		return false
	}
	return e.RequestID == ""
}

// newError makes the error for an answer with a status of 300 or above. A
// server that repeats the API key does not get it into our error.
func (c *Client) newError(endpoint, requestID string, resp *http.Response, body []byte) *Error {
	return newError(endpoint, requestID, resp.StatusCode, resp.Header, body, c.clean)
}

// forgetIfGone drops what is remembered of uploads, if an error says that fal
// could not fetch a file: it may have expired, and is sent again the next time.
func (c *Client) forgetIfGone(uploaded []string, e *Error) {
	if len(uploaded) > 0 && e.hasType("file_download_error") {
		c.uploads.forgetURLs(uploaded)
	}
}
