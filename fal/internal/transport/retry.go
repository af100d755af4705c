package transport

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Policy says how often and how fast a request is repeated. A zero field
// means its default.
type Policy struct {
	MaxAttempts      int           // default 4 for Submit, 6 for others
	MinWait, MaxWait time.Duration // default 250 ms and 8 s
	MaxRetryAfter    time.Duration // default 30 s
}

func (p Policy) attempts(c Class) int {
	switch {
	case c == Once:
		return 1
	case p.MaxAttempts > 0:
		return p.MaxAttempts
	case c == Submit:
		return 4
	}
	return 6
}

func or(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}

// checkRetry decides whether an attempt is followed by another. For a Submit
// it answers the question of money: can the server have accepted it?
func (t *Transport) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	x := exchangeOf(ctx)
	var again bool
	switch {
	case ctx.Err() != nil, errors.Is(err, ErrPrivateAddress), errors.Is(err, errRefused):
		again = false
	case x.request.Class == Submit && err != nil:
		again = !x.maybe.Load()
	case x.request.Class == Submit:
		again = notAccepted(resp)
		x.maybe.Store(!again)
	case err != nil:
		again = !permanent(err)
	default:
		again = passing(resp) && (!x.request.Result || !OfJob(resp))
	}
	// The caller's context is looked at last, when what maybe says is settled:
	// if it ends from here on, the exchange ends with it even if it has a grace.
	again = again && x.attempt < t.retry.attempts(x.request.Class) && x.outer.Err() == nil && t.budget.take()
	if err == nil && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		t.budget.give()
	}
	return again, nil
}

// passing reports whether the failure an answer tells of may pass.
func passing(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	case http.StatusGatewayTimeout:
		// The caller's own start time-out is the model's final answer.
		return resp.Header.Get("X-Fal-Request-Timeout-Type") != "user"
	}
	return resp.StatusCode >= 500
}

// OfJob reports whether a failure is that of a job, which is replayed each time
// its result is asked for, rather than one of the exchange.
func OfJob(resp *http.Response) bool {
	return resp.StatusCode >= 500 && cmp.Or(resp.Header.Get("X-Fal-Request-Id"),
		resp.Header.Get("X-Fal-Error-Type"), resp.Header.Get("X-Fal-Billable-Units")) != ""
}

// notAccepted reports whether an answer to a Submit says for certain that the
// request was not accepted and may be repeated.
func notAccepted(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		// The model may have been refused by another, when it had begun to work.
		billed := strings.Trim(resp.Header.Get("X-Fal-Billable-Units"), "0.") != ""
		needsRetry := strings.ToLower(resp.Header.Get("X-Fal-Needs-Retry"))
		return !billed && needsRetry != "0" && needsRetry != "false"
	case http.StatusServiceUnavailable:
		for name := range resp.Header {
			if strings.HasPrefix(name, "X-Fal-") {
				return false
			}
		}
		head, err := peek(resp) // what cannot be read says nothing for certain
		return err == nil && !looksLikeFal(head)
	}
	return false
}

// peek reads the beginning of a body, and leaves the body as it was.
func peek(resp *http.Response) ([]byte, error) {
	const most = 4 << 10
	head, err := io.ReadAll(io.LimitReader(resp.Body, most))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = &failedReader{err}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), resp.Body}
	return head, err
}

type failedReader struct{ err error }

func (r *failedReader) Read([]byte) (int, error) { return 0, r.err }

// looksLikeFal reports whether a body is a JSON object with one of the fields
// that fal's answers have. Of an object that is cut off it is assumed.
func looksLikeFal(head []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(head, []byte("\ufeff"))))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return cutOff(err)
		}
		switch key {
		case "detail", "error_type", "error", "status", "request_id":
			return true
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return cutOff(err)
		}
	}
	_, err := dec.Token() // the closing brace, if there is one
	return cutOff(err)
}

func cutOff(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// unsent reports whether an error proves that no request was written: looking
// up the name, connecting or the TLS handshake failed.
func unsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	return strings.HasSuffix(err.Error(), "TLS handshake timeout") || untrustedCertificate(err)
}

func untrustedCertificate(err error) bool {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return unknown || host || invalid
}

// permanent reports whether an error will be the same the next time.
func permanent(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	return untrustedCertificate(err)
}

// backoff waits as long as the server asks, within limits, or else a random
// time below a bound that doubles.
func (t *Transport) backoff(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
	least, most := or(t.retry.MinWait, 250*time.Millisecond), or(t.retry.MaxWait, 8*time.Second)
	bound := least
	for range attempt {
		if bound >= most/2 { // also keeps it from overflowing
			bound = most
			break
		}
		bound *= 2
	}
	bound = min(bound, most)
	wait := rand.N(max(bound, 1)) + 1
	if asked, ok := retryAfter(resp); ok {
		// The random part keeps those who were refused together apart.
		wait = min(asked, or(t.retry.MaxRetryAfter, 30*time.Second)) + rand.N(max(least, 1))
	}
	return wait
}

func retryAfter(resp *http.Response) (time.Duration, bool) {
	if resp == nil {
		return 0, false
	}
	return RetryAfter(resp.Header)
}

// RetryAfter returns how long the header of an answer asks to wait.
func RetryAfter(header http.Header) (time.Duration, bool) {
	// The platform names the header of its rate limits in its own way.
	value := cmp.Or(header.Get("Retry-After"), header.Get("X-Ratelimit-Reset"))
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); !math.IsNaN(seconds) && (err == nil || math.IsInf(seconds, 0)) {
		const most = 1 << 31 // keeps it from overflowing
		return time.Duration(min(max(seconds, 0), most) * float64(time.Second)), true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0), true
	}
	return 0, false
}

// budget keeps a thousand goroutines from storming a server that is down: a
// repetition costs what ten answers earn.
type budget struct{ tokens atomic.Int64 }

const (
	budgetMax    = 1000 // 100 repetitions
	budgetRepeat = 10
)

func newBudget() *budget {
	b := new(budget)
	b.tokens.Store(budgetMax)
	return b
}

func (b *budget) take() bool {
	for {
		n := b.tokens.Load()
		if n < budgetRepeat {
			return false
		}
		if b.tokens.CompareAndSwap(n, n-budgetRepeat) {
			return true
		}
	}
}

func (b *budget) give() {
	if n := b.tokens.Load(); n < budgetMax {
		b.tokens.CompareAndSwap(n, n+1) // one lost in a race does not matter
	}
}
