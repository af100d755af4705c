package transport

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// exchange is what is known about a request while it is under way. It travels
// in the request's context.
type exchange struct {
	request *Request
	origin  *url.URL
	key     string
	guarded bool // a download

	attempt int // attempts begun

	// maybe says that the server may have received the request in a way that
	// counts. It is written by net/http's goroutines too.
	maybe atomic.Bool
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// prepare fills in the header and body of the request.
func (x *exchange) prepare(req *retryablehttp.Request, userAgent string) error {
	for name, values := range x.request.Header {
		req.Header[name] = values
	}
	if userAgent != "" {
		req.Header["User-Agent"] = []string{userAgent}
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

// withGrace returns a context that outlives ctx by the request's grace while
// an answer may still come. Release frees it.
func (x *exchange) withGrace(ctx context.Context) (inner context.Context, release func()) {
	if x.request.Grace <= 0 {
		return ctx, func() {}
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if !x.maybe.Load() {
			cancel()
			return
		}
		time.AfterFunc(x.request.Grace, cancel)
	})
	return inner, func() {
		stop()
		cancel()
	}
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
	ctx, cancel := req.Context(), func() {}
	if x.guarded {
		if err := rt.t.checkDownload(req.URL); err != nil {
			return nil, err
		}
		ctx = context.WithValue(ctx, hopKey{}, &hop{guarded: !rt.t.configured(req.URL)})
	}
	if limit := x.request.Timeout; limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(ctx)
		timer := time.AfterFunc(limit, stop)
		cancel = func() { timer.Stop(); stop() }
		if x.request.Stream {
			defer timer.Stop() // a stream may take longer than its header
		}
	}
	if x.request.Class == Submit {
		x.maybe.Store(true) // until a hook says otherwise
		ctx = httptrace.WithClientTrace(ctx, x.trace())
	}
	out := req.WithContext(ctx)
	if x.key != "" && sameOrigin(req.URL, x.origin) {
		out.Header = req.Header.Clone()
		out.Header["Authorization"] = []string{"Key " + x.key}
	}
	resp, err := rt.base.RoundTrip(out)
	if err != nil && unsent(err) {
		x.maybe.Store(false)
		if second := rt.tryBackup(x, out); second != nil {
			resp, err = second, nil
		}
	}
	if err != nil {
		cancel()
		if ctx.Err() != nil && req.Context().Err() == nil {
			err = &timeoutError{x.request.Timeout}
		}
		return nil, err
	}
	resp.Request = req // not out, which has the key
	if x.request.Timeout > 0 {
		resp.Body = &body{resp.Body, cancel}
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
