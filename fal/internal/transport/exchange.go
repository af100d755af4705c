package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// exchange is a request while it is under way, with all its attempts. It is
// the context of these: by that, the hooks of the library's client and the
// client's RoundTripper know whose attempt it is.
type exchange struct {
	context.Context // the caller's, or one that outlives it
	t               *Transport
	r               Request
	caller          context.Context
	request         retryablehttp.Request

	attempts int       // begun
	ended    time.Time // the attempt before, if that is logged
	reason   string    // for which it is repeated

	// maybeSent says that the server may have received the request; for a
	// Submit, that it may have accepted it. Traced says that the RoundTripper
	// tells how far it has come, writing that it has begun to write the
	// request, if only into a buffer, and framed that it did so over HTTP/2 or
	// later. All are written by net/http's goroutines too.
	maybeSent, traced, writing, framed atomic.Bool
	// read says that a RoundTripper of the user's has read of the body.
	read atomic.Bool
	// stopRepeating ends an attempt that such a RoundTripper makes a second
	// time by itself.
	stopRepeating context.CancelCauseFunc

	// cancel ends the exchange, stopGrace its Grace; nil without one.
	cancel    context.CancelCauseFunc
	stopGrace func() bool

	// attempt is the context of the attempt, timer its Timeout.
	attempt       context.Context
	cancelAttempt context.CancelCauseFunc
	timer         *time.Timer
	body          body // of the answer
}

// send makes the request and has the library send it. An answer that comes
// with an error is to be closed.
func (e *exchange) send() (*http.Response, error) {
	r := &e.r
	if r.Grace > 0 && e.caller.Done() != nil {
		e.Context = e.withGrace(e.caller)
	}
	if r.Class == Submit {
		e.Context = httptrace.WithClientTrace(e.Context, e.trace())
	}
	req, err := http.NewRequestWithContext(e, r.Method, r.URL, nil)
	if err != nil {
		// The parser's error repeats the URL, which may be long or private.
		return nil, errors.New("the URL is malformed")
	}
	e.request.Request = req
	if u := req.URL; (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, errors.New("the URL is not an absolute http or https URL")
	}
	if err := e.setHeader(req); err != nil {
		return nil, err
	}
	if err := e.caller.Err(); err != nil {
		return nil, err
	}
	if r.Open != nil || len(r.Body) > 0 {
		// The library would open a body once more to learn its length.
		req.GetBody, req.ContentLength = e.rewind, max(r.Length, int64(len(r.Body)))
		if err := openBody(req); err != nil {
			return nil, err
		}
	}
	if r.Guarded {
		return e.t.files.Do(&e.request)
	}
	return e.t.api.Do(&e.request)
}

// exchangeKey is how an exchange is found in the contexts made of it.
type exchangeKey struct{}

// Value returns the exchange itself for its key.
func (e *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// exchangeOf returns the exchange that a context was made of.
func exchangeOf(ctx context.Context) *exchange {
	e, _ := ctx.Value(exchangeKey{}).(*exchange)
	return e
}

func (e *exchange) setHeader(req *http.Request) error {
	for name, values := range e.r.Header {
		if e.r.Class == Submit && strings.HasSuffix(textproto.CanonicalMIMEHeaderKey(name), "Idempotency-Key") {
			// net/http would take it for leave to repeat a POST whose answer
			// was lost. It does not know the name in small letters; servers do.
			name = strings.ToLower(name)
		}
		req.Header[name] = values
	}
	req.Header["User-Agent"] = e.t.userAgent
	if !e.r.Auth {
		return nil
	}
	setCall(e.caller, req.Header)
	if !e.t.Trusts(req.URL) {
		return fmt.Errorf("the API key is not sent to %s", req.URL.Host)
	}
	key, err := e.t.config.Key()
	if err != nil || key == "" {
		return err
	}
	a := e.t.authorization.Load()
	if a == nil || a.key != key {
		a = &authorization{key, []string{"Key " + key}}
		e.t.authorization.Store(a)
	}
	req.Header["Authorization"] = a.value
	return nil
}

// authorization is a header value and the key it is made of.
type authorization struct {
	key   string
	value []string
}

// openBody gives an attempt its body, if it has one.
func openBody(req *http.Request) (err error) {
	if req.GetBody == nil {
		return nil
	}
	req.Body, err = req.GetBody()
	return err
}

// errWritten keeps a RoundTripper from sending a Submit again by itself.
var errWritten = errors.New("the exchange failed after the request may have been written")

// rewind gives the body anew, to an attempt or to the RoundTripper. Over HTTP/2, net/http asks
// for it, without end, when the server resets the stream with PROTOCOL_ERROR,
// be it after it has read the whole request: for a Submit that is refused.
// Over HTTP/1 it asks only if not a byte of a POST has left its buffer, as on a
// connection that was closed while it was idle. Of a RoundTripper of the
// user's nothing is known.
func (e *exchange) rewind() (io.ReadCloser, error) {
	if e.writing.Load() {
		if e.framed.Load() || !e.t.direct {
			return nil, errWritten
		}
		e.writing.Store(false)
	}
	if e.r.Open != nil {
		return e.r.Open()
	}
	body := bytes.NewReader(e.r.Body)
	if e.r.Class == Submit && !e.t.direct {
		return io.NopCloser(&notingReader{body, &e.read}), nil
	}
	return io.NopCloser(body), nil
}

// notingReader notes that it was read.
type notingReader struct {
	io.Reader
	read *atomic.Bool
}

func (n *notingReader) Read(p []byte) (int, error) {
	n.read.Store(true)
	return n.Reader.Read(p)
}

// errRepeats says that a second request of one attempt was stopped.
var errRepeats = errors.New("the HTTPClient sends requests again by itself, which could pay twice: use one that does not")

// trace notes when an attempt of a Submit may have reached the server: from
// the moment it has a connection. (A hook that is called after the first write
// would be more exact, but may come too late when the context ends at the same
// time.) Whether a RoundTripper calls any hooks is known when it calls the
// first.
func (e *exchange) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			writing := e.writing.Load()
			e.maybeSent.Store(writing) // a RoundTripper may try several times
			if writing && e.stopRepeating != nil {
				e.stopRepeating(errRepeats)
			}
			e.traced.Store(true)
		},
		GotConn: func(httptrace.GotConnInfo) { e.maybeSent.Store(true) },
		WroteHeaderField: func(name string, _ []string) {
			// It is called before the header leaves the buffer. The names of
			// pseudo-headers, which HTTP/1 does not have, begin with a colon.
			e.writing.Store(true)
			if strings.HasPrefix(name, ":") {
				e.framed.Store(true)
			}
		},
	}
}

// withGrace returns a context that outlives the caller's by the request's
// Grace while an answer may still come.
func (e *exchange) withGrace(caller context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(caller))
	e.cancel = cancel
	e.stopGrace = context.AfterFunc(caller, func() {
		if e.maybeSent.Load() {
			time.AfterFunc(e.r.Grace, func() { cancel(caller.Err()) })
		} else {
			cancel(caller.Err()) // at once, before a connection is there
		}
	})
	return ctx
}

// end frees what belongs to the exchange.
func (e *exchange) end() {
	e.endAttempt()
	if e.cancel != nil {
		e.stopGrace()
		e.cancel(nil)
	}
}

// body ends the exchange when the answer has been read.
type body struct {
	io.ReadCloser
	e *exchange
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if r := &b.e.r; n > 0 && r.Timeout > 0 && r.Class == Read && !r.Stream {
		b.e.timer.Reset(r.Timeout)
	}
	if err != nil {
		err = b.e.explain(err)
		b.e.end()
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.e.end()
	return err
}

// bareURL returns the URL as it can be shown.
func (e *exchange) bareURL() string {
	if e.request.Request == nil {
		return "?"
	}
	return bare(e.request.URL)
}

// bare leaves out credentials, query and fragment.
func bare(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }
