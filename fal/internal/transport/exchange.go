package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// exchange is what is known about a request while it is under way. It is the
// context of the HTTP request, so that the attempts find it.
type exchange struct {
	context.Context
	outer context.Context // the caller's

	request *Request
	origin  *url.URL
	guarded bool // a download
	direct  bool // net/http's own Transport sends it, with nothing in between

	attempt int     // attempts begun
	last    outcome // of the attempt before

	// maybe says that the server may have received the request; for a Submit,
	// that it may have accepted it. Traced says that the RoundTripper tells
	// how far it has come. Both are written by net/http's goroutines too.
	maybe, traced atomic.Bool
	// wrote says that the RoundTripper has begun to write the request, if only
	// into a buffer; framed, that it did so over HTTP/2 or later.
	wrote, framed atomic.Bool
	// fresh returns the body anew; nil if there is none.
	fresh func() (io.ReadCloser, error)

	// cancel ends the exchange; nil without Grace.
	cancel context.CancelCauseFunc
}

type exchangeKey struct{}

// Value makes the exchange known to the attempts.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// prepare fills in the header and body of the request.
func (x *exchange) prepare(req *retryablehttp.Request, key string, userAgent []string) error {
	for name, values := range x.request.Header {
		if x.request.Class == Submit && strings.HasSuffix(textproto.CanonicalMIMEHeaderKey(name), "Idempotency-Key") {
			// net/http would take it for leave to repeat a POST whose answer
			// was lost. It does not know the name in small letters; servers do.
			name = strings.ToLower(name)
		}
		req.Header[name] = values
	}
	req.Header["User-Agent"] = userAgent
	if key != "" {
		req.Header["Authorization"] = []string{keyPrefix + key}
	}
	switch {
	case x.request.Open != nil:
		// A stream: the library must not read it to learn its length.
		opened := false
		err := req.SetBody(retryablehttp.ReaderFunc(func() (io.Reader, error) {
			if !opened { // the library looks at the first one only for its type
				opened = true
				return bytes.NewReader(nil), nil
			}
			return x.request.Open()
		}))
		if err != nil {
			return err
		}
		req.ContentLength = x.request.Length
		x.fresh = x.request.Open
	case len(x.request.Body) > 0:
		if err := req.SetBody(x.request.Body); err != nil {
			return err
		}
		x.fresh = req.GetBody
	}
	req.GetBody = x.fresh
	if x.fresh != nil && x.request.Class == Submit {
		req.GetBody = x.rewind
	}
	return nil
}

// errWritten keeps a RoundTripper from sending a Submit again by itself.
var errWritten = errors.New("the exchange failed after the request may have been written")

// rewind gives the body of a Submit anew to the RoundTripper. Over HTTP/2,
// net/http asks for it, without end, when the server resets the stream with
// PROTOCOL_ERROR, be it after it has read the whole request: that is refused.
// Over HTTP/1 it asks only if not a byte of a POST has left its buffer, as on a
// connection that was closed while it was idle. Of a RoundTripper of the
// user's nothing is known.
func (x *exchange) rewind() (io.ReadCloser, error) {
	if x.wrote.Load() {
		if x.framed.Load() || !x.direct {
			return nil, errWritten
		}
		x.wrote.Store(false)
	}
	return x.fresh()
}

// withGrace lets the exchange outlive its context by the request's grace while
// an answer may still come. Release frees it.
func (x *exchange) withGrace() (release func()) {
	if x.request.Grace <= 0 {
		return func() {}
	}
	x.Context, x.cancel = context.WithCancelCause(context.WithoutCancel(x.outer))
	stop := context.AfterFunc(x.outer, func() {
		end := func() { x.cancel(x.outer.Err()) }
		if !x.maybe.Load() {
			end()
			return
		}
		time.AfterFunc(x.request.Grace, end)
	})
	return func() {
		stop()
		x.cancel(nil)
	}
}

// limit ends an attempt after the request's Timeout. Done stops the clock and
// frees what belongs to it. With a grace, where there are no attempts after
// one that may have been accepted, the exchange as a whole is ended.
func (x *exchange) limit(ctx context.Context) (_ context.Context, clock *time.Timer, done func()) {
	if x.cancel != nil {
		timer := time.AfterFunc(x.request.Timeout, func() { x.cancel(&timeoutError{x.request.Timeout}) })
		return ctx, timer, func() { timer.Stop() }
	}
	limited, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(x.request.Timeout, func() { cancel(&timeoutError{x.request.Timeout}) })
	return limited, timer, func() { timer.Stop(); cancel(nil) }
}

// timeoutError is what a Timeout ends an attempt with.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string   { return "no answer within " + e.after.String() }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }

var _ net.Error = (*timeoutError)(nil)

// explain returns the reason for which the context of an attempt ended, in
// place of an error that may only say that it did.
func (x *exchange) explain(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, io.EOF) {
		return err
	}
	if timeout, ok := errors.AsType[*timeoutError](context.Cause(ctx)); ok {
		return timeout
	}
	if outer := x.outer.Err(); outer != nil {
		return outer
	}
	return err
}

// trace notes when an attempt may have reached the server: from the moment it
// has a connection. (A hook that is called after the first write would be more
// exact, but may come too late when the context ends at the same time.)
// Whether a RoundTripper calls any hooks is known when it calls the first.
func (x *exchange) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			x.maybe.Store(x.wrote.Load()) // a RoundTripper may try several times
			x.traced.Store(true)
		},
		GotConn: func(httptrace.GotConnInfo) { x.maybe.Store(true) },
		WroteHeaderField: func(name string, _ []string) {
			// It is called before the header leaves the buffer. The names of
			// pseudo-headers, which HTTP/1 does not have, begin with a colon.
			x.wrote.Store(true)
			if strings.HasPrefix(name, ":") {
				x.framed.Store(true)
			}
		},
	}
}

// unsent reports whether an attempt that failed was certainly not written.
// What the RoundTripper has told counts for more than the type of its error:
// TLS has errors that look alike before and after the request.
func (x *exchange) unsent(err error) bool {
	if x.traced.Load() {
		return !x.maybe.Load()
	}
	return unsent(err)
}

// body frees what belongs to an attempt when the answer has been read.
type body struct {
	io.ReadCloser
	x     *exchange
	ctx   context.Context
	done  func()
	clock *time.Timer // begins anew with each piece that arrives; may be nil
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && b.clock != nil {
		b.clock.Reset(b.x.request.Timeout)
	}
	if err != nil {
		err = b.x.explain(b.ctx, err)
		b.done()
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.done()
	return err
}
