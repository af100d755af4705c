package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// attempts makes the attempts of exchanges. It hides the user's RoundTripper
// from the library, which would close its connections.
type attempts struct{ base http.RoundTripper }

// RoundTrip makes an attempt, or follows a redirect of one.
func (a attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	e := exchangeOf(req.Context())
	if req.Response == nil { // not a redirect
		e.attempts++
	}
	start := time.Now()
	var end func(*http.Response, error)
	if trace := e.t.config.Trace; trace != nil {
		var ctx context.Context
		ctx, end = trace(req.Context(), Attempt{CallOf(e.caller), e.r.Endpoint, req.Method, e.t.config.Redact(bare(req.URL)), e.attempts})
		req = req.WithContext(ctx)
	}
	resp, err := e.roundTrip(a.base, req)
	if err != nil {
		err = e.t.redacted(err)
	} else {
		resp.Request = req // by which backoff knows the exchange
	}
	if end != nil {
		end(resp, err)
	}
	e.log(req, resp, err, start)
	return resp, err
}

func (e *exchange) roundTrip(base http.RoundTripper, req *http.Request) (*http.Response, error) {
	if err := e.caller.Err(); err != nil {
		closeBody(req)
		return nil, err // even if there is a grace: it is for what was begun
	}
	e.attempt = req.Context()
	if e.r.Guarded {
		if err := e.t.checkAddress(e.attempt, req.URL); err != nil {
			closeBody(req)
			return nil, err
		}
		if !e.t.configured(req.URL) {
			e.attempt = withGuard(e.attempt)
		}
	}
	if e.r.Timeout > 0 {
		e.limitAttempt()
		if e.r.Stream {
			defer e.timer.Stop() // a stream may take longer than its header
		}
	}
	if e.r.Class == Submit && !e.t.direct {
		e.attempt, e.stopRepeating = context.WithCancelCause(e.attempt)
	}
	out := req
	if e.attempt != req.Context() {
		out = req.WithContext(e.attempt)
	}
	if first := e.request.URL; req.URL.Scheme != first.Scheme || req.URL.Host != first.Host { // a redirect led elsewhere
		out = req.Clone(e.attempt)
		out.Header.Del("Authorization")
		out.Header.Del("Referer") // the URL that led there, with its query
	}
	if e.r.Class == Submit {
		e.traced.Store(false)
		e.writing.Store(false)
		e.framed.Store(false)
		e.read.Store(false)
		e.maybeSent.Store(true) // until a hook says otherwise
	}
	resp, err := transmit(base, out)
	if err != nil && e.unsent(err) {
		if e.r.Class == Submit {
			e.maybeSent.Store(false)
		}
		if second := e.tryBackup(base, out); second != nil {
			resp, err = second, nil
		}
	} else {
		e.maybeSent.Store(true)
	}
	if err != nil {
		err = e.explain(err)
		e.endAttempt()
		return nil, err
	}
	e.writing.Store(false) // net/http asks for the body before it asks whether to follow a redirect
	return resp, nil
}

// closeBody does what a RoundTripper owes to a request that it does not send.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// transmit has the user's RoundTripper send a request, and holds it to its
// contract: an answer with a body, or an error.
func transmit(base http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := base.RoundTrip(req)
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

// unsent reports whether an attempt that failed was certainly not written.
// What the RoundTripper has told counts for more than the type of its error:
// TLS has errors that look alike before and after the request.
func (e *exchange) unsent(err error) bool {
	if e.traced.Load() {
		return !e.maybeSent.Load()
	}
	return !e.read.Load() && provesUnsent(err)
}

// backups are the hosts that answer when fal's own cannot be reached.
var backups = map[string]string{"fal.run": "falrun.com", "queue.fal.run": "queue.falrun.com"}

// tryBackup sends the same request to the backup host and returns its answer;
// nil if there is none.
func (e *exchange) tryBackup(base http.RoundTripper, req *http.Request) *http.Response {
	host, ok := backups[req.URL.Host]
	if !ok || !e.t.config.Backup || e.r.Guarded || e.attempt.Err() != nil {
		return nil
	}
	backup := req.Clone(e.attempt)
	backup.URL.Host, backup.Host = host, host
	if req.Body != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil
		}
		backup.Body = body
	}
	e.traced.Store(false)
	resp, err := transmit(base, backup)
	if err == nil || !e.unsent(err) {
		e.maybeSent.Store(true)
	}
	return resp
}

// dial connects.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout(address)}
	return dialer.DialContext(ctx, network, address)
}

// dialTimeout is how long an address is dialled: a backup host is given less
// time.
func dialTimeout(address string) time.Duration {
	host, _, _ := net.SplitHostPort(address)
	for _, backup := range backups {
		if host == backup {
			return 5 * time.Second
		}
	}
	return 10 * time.Second
}

// limitAttempt ends the attempt after the request's Timeout. With a grace,
// where there are no attempts after one that may have been accepted, the
// exchange as a whole is ended.
func (e *exchange) limitAttempt() {
	e.endAttempt() // of which this is a redirect
	cancel := e.cancel
	if cancel == nil {
		e.attempt, e.cancelAttempt = context.WithCancelCause(e.attempt)
		cancel = e.cancelAttempt
	}
	e.timer = time.AfterFunc(e.r.Timeout, func() { cancel(&timeoutError{e.r.Timeout}) })
}

// endAttempt frees what belongs to an attempt.
func (e *exchange) endAttempt() {
	if e.timer != nil {
		e.timer.Stop()
	}
	if e.cancelAttempt != nil {
		e.cancelAttempt(nil)
	}
	if e.stopRepeating != nil {
		e.stopRepeating(nil)
	}
}

// timeoutError is what a Timeout ends an attempt with.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string   { return "no answer within " + e.after.String() }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }

var _ net.Error = (*timeoutError)(nil)

// explain returns the reason for which the context of the attempt ended, in
// place of an error that may only say that it did.
func (e *exchange) explain(err error) error {
	if e.attempt.Err() == nil || errors.Is(err, io.EOF) {
		return err
	}
	cause := context.Cause(e.attempt)
	if timeout, ok := errors.AsType[*timeoutError](cause); ok {
		return timeout
	}
	if errors.Is(cause, errRepeats) {
		return errRepeats
	}
	if ended := e.caller.Err(); ended != nil {
		return ended
	}
	return err
}
