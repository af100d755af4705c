package fal

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Tracer is told what a client does, for tracing and metrics; see
// [Client.Tracer]. Module fal/falotel has one for OpenTelemetry. It is called by
// many goroutines at once.
type Tracer interface {
	// Start is called when something begins. It returns ctx, or one made of it:
	// what happens inside gets that, and so does End.
	Start(ctx context.Context, s Span) context.Context
	// End is called once for each Start, with what is known by then.
	End(ctx context.Context, s Span)
}

// Span is a piece of work that a [Tracer] is told of. More fields may come.
type Span struct {
	// Name says what it is: "subscribe", "submit", "wait", "run" or "stream" for
	// a logical call, by the function of that name; inside of it "upload" for a
	// file, and "attempt" for each time that an HTTP exchange is tried, which
	// ends with the header of the answer.
	Name string
	// CallID is the same in all that belongs to a logical call: in its spans, as
	// "call" in log records, and in the header X-Call-Id of what is sent to fal's
	// API. A job has that of its submit. It is "" for what belongs to none.
	CallID string
	// Endpoint is the id that is called; of an attempt beside models it is a word
	// such as "storage".
	Endpoint string
	// Request is what a logical call began with, prompt and all; nil for "wait".
	Request any

	// Attempt counts the attempts of one exchange from 1; Method, URL, which is
	// without its query, and Status are those of an attempt. Status is 0 if there
	// was no answer.
	Attempt     int
	Method, URL string
	Status      int

	// Usage is what the request of a logical call asked for, from End on; zero if
	// it was refused before that was known.
	Usage Usage
	// Meta is what is known of the answer, from End on: the request id and the
	// units that were billed, of failures too.
	Meta Meta
	// Err is what went wrong, from End on.
	Err error
}

// newCallID returns what names a logical call. It need not be secret.
func newCallID() string {
	var b [8]byte
	for i, n := 0, rand.Uint64(); i < len(b); i, n = i+1, n>>8 {
		b[i] = byte(n)
	}
	return hex.EncodeToString(b[:])
}

// begin begins a logical call.
func (c *Client) begin(ctx context.Context, s *Span) context.Context {
	ctx = transport.WithCall(ctx, s.CallID)
	if c.Tracer != nil {
		ctx = c.Tracer.Start(ctx, *s)
	}
	return ctx
}

// end ends a logical call.
func (c *Client) end(ctx context.Context, s *Span, meta Meta, err error) {
	if c.Tracer == nil {
		return
	}
	if e, ok := errors.AsType[*Error](err); ok {
		meta.BillableUnits = cmp.Or(meta.BillableUnits, e.BillableUnits)
	}
	meta.Endpoint, meta.RequestID = cmp.Or(meta.Endpoint, s.Endpoint), cmp.Or(meta.RequestID, RequestID(err))
	s.Meta, s.Err = meta, err
	c.Tracer.End(ctx, *s)
}

// traceAttempt begins an attempt of an exchange.
func (c *Client) traceAttempt(ctx context.Context, a transport.Attempt) (context.Context, func(*http.Response, error)) {
	s := Span{Name: "attempt", CallID: a.Call, Endpoint: a.Endpoint, Attempt: a.Number, Method: a.Method, URL: a.URL}
	ctx = c.Tracer.Start(ctx, s)
	return ctx, func(resp *http.Response, err error) {
		if s.Err = err; err == nil {
			s.Status, s.Meta.RequestID = resp.StatusCode, c.requestID(resp.Header.Get("X-Fal-Request-Id"))
		}
		c.Tracer.End(ctx, s)
	}
}

// traced does an upload as a span.
func (c *Client) traced(ctx context.Context, upload func(context.Context) error) error {
	if c.Tracer == nil {
		return upload(ctx)
	}
	s := Span{Name: "upload", CallID: transport.CallOf(ctx), Endpoint: "storage"}
	ctx = c.Tracer.Start(ctx, s)
	s.Err = upload(ctx)
	c.Tracer.End(ctx, s)
	return s.Err
}
