package transport

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// exchange is what is known about a request while it is under way. It is the
// context of the HTTP request, so that the attempts find it.
type exchange struct {
	context.Context

	request *Request
	origin  *url.URL
	key     string
	guarded bool // a download

	attempt int // attempts begun

	// maybe says that the server may have received the request in a way that
	// counts. It is written by net/http's goroutines too.
	maybe atomic.Bool

	// cancel ends the exchange; nil without Grace. timedOut says that it was
	// the request's Timeout that did.
	cancel   context.CancelFunc
	timedOut atomic.Bool
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
func (x *exchange) prepare(req *retryablehttp.Request, userAgent []string) error {
	maps.Copy(req.Header, x.request.Header)
	req.Header["User-Agent"] = userAgent
	if x.key != "" {
		req.Header["Authorization"] = []string{"Key " + x.key}
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
		req.ContentLength = x.request.Length
		req.GetBody = x.request.Open
		return err
	case len(x.request.Body) > 0:
		return req.SetBody(x.request.Body)
	}
	return nil
}

// withGrace lets the exchange outlive its context by the request's grace while
// an answer may still come. Release frees it.
func (x *exchange) withGrace() (release func()) {
	if x.request.Grace <= 0 {
		return func() {}
	}
	outer := x.Context
	x.Context, x.cancel = context.WithCancel(context.WithoutCancel(outer))
	stop := context.AfterFunc(outer, func() {
		if !x.maybe.Load() {
			x.cancel()
			return
		}
		time.AfterFunc(x.request.Grace, x.cancel)
	})
	return func() {
		stop()
		x.cancel()
	}
}

// limit ends an attempt after the request's Timeout. Done stops the clock and
// frees what belongs to it. With a grace, where there are no attempts after
// one that may have been accepted, the exchange as a whole is ended.
func (x *exchange) limit(ctx context.Context) (limited context.Context, clock *time.Timer, done func()) {
	cancel := x.cancel
	if cancel != nil {
		clock = time.AfterFunc(x.request.Timeout, func() { x.timedOut.Store(true); cancel() })
		return ctx, clock, func() { clock.Stop() }
	}
	limited, cancel = context.WithCancel(ctx)
	clock = time.AfterFunc(x.request.Timeout, cancel)
	return limited, clock, func() { clock.Stop(); cancel() }
}

// trace notes when an attempt may have reached the server: from the moment it
// has a connection. (A hook that is called after the first write would be more
// exact, but may come too late when the context ends at the same time.)
// Whether a RoundTripper calls any hooks is known when it calls the first.
func (x *exchange) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { x.maybe.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { x.maybe.Store(true) },
	}
}

// hop is what the dialler must know about one attempt. It has its own life:
// a dial may go on after the attempt has ended.
type hop struct {
	guarded bool        // private addresses are refused
	backup  bool        // it goes to a backup host
	proxied atomic.Bool // it goes to a proxy
}

type hopKey struct{}

func hopOf(ctx context.Context) *hop {
	h, _ := ctx.Value(hopKey{}).(*hop)
	return h
}

// roundTripper makes one attempt. It also hides the user's RoundTripper from
// the library, which would close its idle connections.
type roundTripper struct {
	t    *Transport
	base http.RoundTripper
}

func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	x.attempt++
	start := time.Now()
	resp, err := rt.try(req, x)
	rt.t.log(req, x, resp, err, start)
	return resp, err
}

func (rt *roundTripper) try(req *http.Request, x *exchange) (*http.Response, error) {
	ctx, done := req.Context(), func() {}
	if x.guarded {
		if err := rt.t.checkDownload(req.URL); err != nil {
			return nil, err
		}
		ctx = context.WithValue(ctx, hopKey{}, &hop{guarded: !rt.t.configured(req.URL)})
	}
	if x.request.Timeout > 0 {
		var clock *time.Timer
		ctx, clock, done = x.limit(ctx)
		if x.request.Stream {
			defer clock.Stop() // a stream may take longer than its header
		}
	}
	if x.request.Class == Submit {
		x.maybe.Store(true) // until a hook says otherwise
		ctx = httptrace.WithClientTrace(ctx, x.trace())
	}
	out := req
	if ctx != req.Context() {
		out = req.WithContext(ctx)
	}
	if !sameOrigin(req.URL, x.origin) {
		out = req.Clone(ctx)
		out.Header.Del("Authorization") // a redirect led elsewhere
	}
	resp, err := rt.base.RoundTrip(out)
	if err != nil && unsent(err) {
		x.maybe.Store(false)
		if second := rt.tryBackup(x, out); second != nil {
			resp, err = second, nil
		}
	}
	if err != nil {
		done()
		if x.timedOut.Load() || ctx.Err() != nil && req.Context().Err() == nil {
			err = &timeoutError{x.request.Timeout}
		}
		return nil, err
	}
	if x.request.Timeout > 0 {
		resp.Body = &body{resp.Body, done}
	}
	return resp, nil
}

// tryBackup tries fal's backup host, if there is one, and returns its answer.
func (rt *roundTripper) tryBackup(x *exchange, req *http.Request) *http.Response {
	backup := rt.t.backupOf(req)
	if backup == nil {
		return nil
	}
	resp, err := rt.base.RoundTrip(backup)
	if err != nil {
		x.maybe.Store(!unsent(err))
		return nil
	}
	return resp
}

// timeoutError is what a Timeout ends an attempt with.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string   { return "no answer within " + e.after.String() }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }

var _ net.Error = (*timeoutError)(nil)

// body frees what belongs to an attempt when the answer has been read.
type body struct {
	io.ReadCloser
	release func()
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.release()
	return err
}

// log writes one record for each attempt: what and how long, but neither
// headers nor bodies nor queries.
func (t *Transport) log(req *http.Request, x *exchange, resp *http.Response, err error, start time.Time) {
	ctx := req.Context()
	if !t.config.Logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs,
		slog.String("endpoint", x.request.Endpoint),
		slog.String("method", req.Method),
		slog.String("url", bare(req.URL)),
		slog.Int("attempt", x.attempt),
		slog.Duration("duration", time.Since(start)))
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("request_id", resp.Header.Get("X-Fal-Request-Id")))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	t.config.Logger.LogAttrs(ctx, slog.LevelDebug, "fal exchange", attrs...)
}
