package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

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

// RoundTrip makes an attempt, or follows a redirect of one.
func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	if req.Response == nil { // not a redirect
		x.attempt++
	}
	start := time.Now()
	resp, err := rt.try(req, x)
	if err != nil {
		err = redact(err, req)
	}
	rt.t.log(req, x, resp, err, start)
	x.last.note(resp, err)
	return resp, err
}

func (rt *roundTripper) try(req *http.Request, x *exchange) (*http.Response, error) {
	if err := x.outer.Err(); err != nil {
		closeBody(req)
		return nil, err // even if there is a grace: it is for what was begun
	}
	ctx, done := req.Context(), func() {}
	var clock *time.Timer
	if x.guarded {
		if err := rt.t.checkDownload(ctx, req.URL); err != nil {
			closeBody(req)
			return nil, err
		}
		ctx = context.WithValue(ctx, hopKey{}, &hop{guarded: !rt.t.configured(req.URL)})
	}
	if x.request.Timeout > 0 {
		ctx, clock, done = x.limit(ctx)
		if x.request.Stream {
			defer clock.Stop() // a stream may take longer than its header
		}
	}
	if x.request.Class == Submit {
		x.traced.Store(false)
		x.wrote.Store(false)
		x.framed.Store(false)
		x.maybe.Store(true) // until a hook says otherwise
		ctx = httptrace.WithClientTrace(ctx, x.trace())
	}
	out := req
	if ctx != req.Context() {
		out = req.WithContext(ctx)
	}
	if !sameOrigin(req.URL, x.origin) { // a redirect led elsewhere
		out = req.Clone(ctx)
		out.Header.Del("Authorization")
		out.Header.Del("Referer") // the URL that led there, with its query
	}
	resp, err := rt.send(out)
	if err != nil && x.unsent(err) {
		if x.request.Class == Submit {
			x.maybe.Store(false)
		}
		if second := rt.tryBackup(x, out); second != nil {
			resp, err = second, nil
		}
	} else {
		x.maybe.Store(true)
	}
	if err != nil {
		err = x.explain(ctx, err)
		done()
		return nil, err
	}
	x.wrote.Store(false) // net/http asks for the body before it asks whether to follow a redirect
	if x.request.Timeout > 0 {
		if x.request.Class != Read || x.request.Stream {
			clock = nil
		}
		resp.Body = &body{resp.Body, x, ctx, done, clock}
	}
	return resp, nil
}

// closeBody does what a RoundTripper owes to a request that it does not send.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// send has the user's RoundTripper send a request, and holds it to its
// contract: an answer with a body, or an error.
func (rt *roundTripper) send(req *http.Request) (*http.Response, error) {
	resp, err := rt.base.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case resp == nil:
		return nil, errors.New("the RoundTripper returned neither an answer nor an error")
	case resp.Body == nil:
		resp.Body = http.NoBody
	case resp.StatusCode == http.StatusSwitchingProtocols:
		// Its body would be the bare connection, which knows no context.
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: the server switches to another protocol", errRefused)
	}
	return resp, nil
}

// tryBackup tries fal's backup host, if there is one, and returns its answer.
func (rt *roundTripper) tryBackup(x *exchange, req *http.Request) *http.Response {
	backup := rt.t.backupOf(req)
	if backup == nil {
		return nil
	}
	x.traced.Store(false)
	resp, err := rt.send(backup)
	if err == nil || !x.unsent(err) {
		x.maybe.Store(true)
	}
	return resp
}

const keyPrefix = "Key "

// redact replaces an error of the user's RoundTripper that repeats the key.
func redact(err error, req *http.Request) error {
	key := strings.TrimPrefix(req.Header.Get("Authorization"), keyPrefix)
	if key == "" || !strings.Contains(err.Error(), key) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), key, "[redacted]"))
}
