// Package transport is the one place of this module that speaks HTTP. It
// decides what may be sent again, where the API key may go, and which
// addresses may be downloaded from. It is built on go-retryablehttp.
package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Class says what a request is, and so when it may be sent again.
type Class int

const (
	// Read does no harm when repeated: after a failed connection, 408, 429
	// and 5xx.
	Read Class = iota
	// Submit starts work that costs money. It is repeated only when it
	// certainly was not accepted: it failed before it was written (but not for
	// a certificate that is not trusted), or was refused with 429.
	Submit
	// Upload sends content to a place made for it: repeated like Read.
	Upload
	// Once is never repeated.
	Once
)

// Request is one request, which may take several attempts.
type Request struct {
	Class    Class
	Method   string
	URL      string
	Endpoint string      // for the log
	Header   http.Header // not changed
	// Body is sent along. For what is too large to hold, Open gives it anew
	// for each attempt, Length bytes long. A Submit needs a body: without
	// one, net/http may repeat it by itself over HTTP/2.
	Body   []byte
	Open   func() (io.ReadCloser, error)
	Length int64
	// Auth sends the API key along. If the host is not one that may have it,
	// nothing is sent.
	Auth bool
	// Timeout limits each attempt, reading the body included. For a Read it
	// begins anew with each piece of the body; with Stream it limits the wait
	// for the header alone. 0 does not limit.
	Timeout time.Duration
	Stream  bool
	// Grace is how long the answer of a request that was already written is
	// waited for after the context has ended.
	Grace time.Duration
	// Result says that a job's own failure may be the answer, which would be
	// the same again.
	Result bool
	// Guarded is for an address that somebody else has named, of a download or
	// an upload: it may be anywhere but in a private network, and gets neither
	// key nor cookies.
	Guarded bool
}

// Config is what a Transport is made of.
type Config struct {
	// HTTPClient is the user's, or nil. It is copied, never changed.
	HTTPClient *http.Client
	// Key returns the API key.
	Key func() (string, error)
	// Redact takes the key out of a text that a server may have written; nil
	// leaves all texts as they are.
	Redact func(string) string
	// Trusted are the origins ("https://host:port") that the user has set in
	// place of fal's. Nil means fal's own hosts.
	Trusted []string
	// Backup allows fal's backup hosts.
	Backup bool
	Logger *slog.Logger
	// Trace is told of each attempt, and then how it ended; it may be nil. The
	// attempt is made in the context that it returns.
	Trace     func(context.Context, Attempt) (context.Context, func(*http.Response, error))
	Retry     Policy
	UserAgent string
	// Date is told the date of each answer of fal's; it may be nil.
	Date func(string)
}

// Transport sends requests. It is safe for use by many goroutines.
type Transport struct {
	config Config
	budget *budget
	// direct says that no RoundTripper of the user's is in between.
	direct bool
	// lookUp finds the addresses of a name.
	lookUp func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// userAgent is a header value, made once.
	userAgent []string
	// authorization is the last one made. A key seldom changes.
	authorization atomic.Pointer[authorization]
	api           *retryablehttp.Client
	files         *retryablehttp.Client // guarded, without credentials
}

// New returns a Transport.
func New(c Config) *Transport {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Redact == nil {
		c.Redact = func(s string) string { return s }
	}
	c.Retry = c.Retry.withDefaults()
	t := &Transport{config: c, budget: newBudget(), userAgent: []string{c.UserAgent}}
	// Not the default resolver: it shares look-ups under way with others, which
	// fails between the bubbles of testing/synctest.
	t.lookUp = new(net.Resolver).LookupNetIP
	var api http.Client
	if c.HTTPClient != nil {
		api = *c.HTTPClient
	}
	api.CheckRedirect = redirectPolicy(api.CheckRedirect)
	files := api
	files.Jar = nil // they carry nothing of the user's
	switch base := api.Transport.(type) {
	case nil:
		t.direct = true
		api.Transport, files.Transport = t.own(newHTTPTransport(dial)), t.own(newHTTPTransport(dialGuarded))
	case *http.Transport:
		t.direct = true
		files.Transport = t.own(guardTransport(base))
	}
	t.api, t.files = t.repeating(api), t.repeating(files)
	return t
}

// repeating returns a client that repeats what checkRetry allows.
func (t *Transport) repeating(client http.Client) *retryablehttp.Client {
	client.Transport = attempts{client.Transport}
	return &retryablehttp.Client{
		HTTPClient:   &client,
		RetryMax:     math.MaxInt, // checkRetry counts
		RetryWaitMin: t.config.Retry.MinWait,
		RetryWaitMax: t.config.Retry.MaxWait,
		CheckRetry:   checkRetry,
		Backoff:      backoff,
		PrepareRetry: openBody,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// own has the idle connections of an HTTP transport that nobody else knows
// closed when the Transport is no longer used.
func (t *Transport) own(base *http.Transport) *http.Transport {
	runtime.AddCleanup(t, (*http.Transport).CloseIdleConnections, base)
	return base
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

func newHTTPTransport(dial dialFunc) *http.Transport {
	return &http.Transport{
		Proxy:                  markProxy(http.ProxyFromEnvironment),
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 256 << 10, // fal sends at most 16 kB
		// A thousand jobs at once over HTTP/1 keep the connections that they have:
		// between two exchanges of a job, one that is closed would be dialled anew.
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 1024,
		// Shorter than servers keep a connection, so that a request is seldom
		// written to one that is just being closed.
		IdleConnTimeout:       30 * time.Second,
		ExpectContinueTimeout: time.Second,
		// A long call over HTTP/2 is silent. This finds out that its
		// connection is dead, as TCP's keep-alive does for HTTP/1.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// Error is a request that got no answer.
type Error struct {
	Method   string
	URL      string // without query and credentials
	Attempts int
	// MaybeSent says that the server may have received the request.
	MaybeSent bool
	Err       error
}

func (e *Error) Error() string {
	times := ""
	if e.Attempts > 1 {
		times = fmt.Sprintf(" (%d attempts)", e.Attempts)
	}
	return fmt.Sprintf("%s %s%s: %v", e.Method, e.URL, times, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// redacted replaces an error that repeats the key: what a RoundTripper of the
// user's says, or net/http of an answer that is malformed.
func (t *Transport) redacted(err error) error {
	text := err.Error()
	if clean := t.config.Redact(text); clean != text {
		return errors.New(clean)
	}
	return err
}

// downloadSilence is how long a download may bring nothing.
const downloadSilence = time.Minute

// Download gets a file from anywhere, without credentials. It is Guarded: addresses in
// private networks are refused with ErrPrivateAddress, except on the origins
// that the user has set. A RoundTripper of the user's that is no
// [http.Transport] does its own dialling: there a name is looked up and checked
// beforehand, and may lead elsewhere when it is dialled. Header is sent along;
// it may be nil.
func (t *Transport) Download(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	return t.Send(ctx, &Request{Class: Read, Method: http.MethodGet, URL: address, Header: header, Endpoint: "download", Timeout: downloadSilence, Guarded: true})
}

// Send sends a request, as often as its class allows, and returns the last
// answer, whatever its status. The error is an *Error.
func (t *Transport) Send(ctx context.Context, r *Request) (*http.Response, error) {
	e := &exchange{Context: ctx, t: t, r: *r, caller: ctx}
	resp, err := e.send()
	if err != nil {
		e.end()
		if resp != nil {
			_ = resp.Body.Close()
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			err = ctxErr // of the caller's context rather than of ours
		}
		// The HTTP client's own error would repeat method and URL.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, &Error{Method: r.Method, URL: t.config.Redact(e.bareURL()), Attempts: e.attempts, MaybeSent: e.maybeSent.Load(), Err: t.redacted(err)}
	}
	resp.Request = nil // it has the key
	if r.Auth && t.config.Date != nil {
		t.config.Date(resp.Header.Get("Date"))
	}
	if r.Timeout > 0 || e.cancel != nil {
		e.body = body{resp.Body, e}
		resp.Body = &e.body
	}
	return resp, nil
}
