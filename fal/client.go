package fal

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Client talks to fal. The zero value is ready to use and takes the API key
// from the environment variable FAL_KEY. A client may be used by many
// goroutines at once; it must not be copied or changed after its first use.
type Client struct {
	// Key is the API key; nil means FAL_KEY, or else FAL_KEY_ID and
	// FAL_KEY_SECRET, from the environment.
	Key Key

	// HTTPClient does the exchanges; nil means one of our own. It is never
	// changed. A Timeout set in it also cuts off long calls and streams.
	//
	// Downloads refuse private addresses when they are dialled, with a copy of
	// the client's Transport if that is an [http.Transport]. Any other
	// RoundTripper dials as it likes: for it, the name is looked up and checked
	// beforehand. A name that leads elsewhere a moment later, or that only the
	// RoundTripper finds, is then not caught.
	HTTPClient *http.Client

	// Logger gets a record at debug level for each exchange, and one at warn
	// level for each doubt about a request; never a key, never a prompt.
	// Nil means [slog.Default].
	Logger *slog.Logger

	// Retry says how often and how fast an exchange that failed is repeated.
	// What is never repeated is a request that fal may have accepted.
	Retry Retry

	// Hosts are the servers to talk to; the zero value means fal's.
	Hosts Hosts

	// Guard is asked before each request that may cost money; nil means none.
	Guard Guard

	// Tracer is told of each call, of its attempts and uploads; nil means none,
	// and costs nothing.
	Tracer Tracer

	// FixSeeds gives each request that can have a seed and has none a random
	// one, from 1 to 2^31-1, which comes back in the result. No two bodies are
	// then the same, so that package platform can tell whose a job in fal's
	// history is. It applies to fields with the JSON name seed and the type
	// *uint64, as those of packages flux and qwen are.
	FixSeeds bool

	init      sync.Once
	initErr   error
	hosts     Hosts
	transport *transport.Transport
	logger    *slog.Logger
	sent      atomic.Pointer[sentKey]
	uploads   uploads
	clock     clock
}

// Retry says how an exchange that failed is repeated. A zero field means its
// default.
type Retry struct {
	// MaxAttempts is how often an exchange is tried in all. Default: 4 for
	// requests that cost money, which are only repeated when fal certainly
	// did not accept them, and 6 for others. 1 turns repeating off.
	MaxAttempts int
	// MinWait and MaxWait bound the time between two attempts, which doubles
	// each time and is then drawn at random. Default: 250 ms and 8 s.
	//
	// What is known to fal by its id, a job and its result, is asked for again
	// and again for 15 times MaxWait, by default two minutes, while what comes
	// back says nothing.
	MinWait, MaxWait time.Duration
	// MaxRetryAfter is how long a wait that the server asks for may be. One
	// that asks for more is not waited for: the answer ends the exchange, and
	// Error.RetryAfter has the time. Default: 30 s.
	MaxRetryAfter time.Duration
}

// version is the version of this module as sent to fal.
const version = "0.1.0"

// readTimeout limits one exchange that does no work on the server; while it
// reads, the time in which nothing arrives.
const readTimeout = 60 * time.Second

// ready sets the client up at its first use.
func (c *Client) ready(ctx context.Context) error {
	if c == nil {
		return errors.New("fal: the client is nil; use &fal.Client{}")
	}
	if ctx == nil {
		return errors.New("fal: the context is nil; use context.Background()")
	}
	c.init.Do(c.setUp)
	return c.initErr
}

func (c *Client) setUp() {
	hosts, origins, err := c.Hosts.resolve()
	if err != nil {
		c.initErr = err
		return
	}
	c.hosts = hosts
	c.uploads.parts = make(chan struct{}, parallelParts)
	c.logger = c.Logger
	if c.logger == nil {
		c.logger = slog.Default()
	}
	config := transport.Config{
		HTTPClient: c.HTTPClient,
		Key:        c.keyToSend,
		Redact:     c.redact,
		Trusted:    origins,
		Backup:     origins == nil,
		Logger:     c.logger,
		Retry:      transport.Policy(c.Retry),
		UserAgent:  "falimage-go/" + version,
		Date:       c.clock.told,
	}
	if c.Tracer != nil {
		config.Trace = c.traceAttempt
	}
	c.transport = transport.New(config)
}

// get does an exchange that reads.
func (c *Client) get(ctx context.Context, endpoint, url string) (*http.Response, error) {
	return c.transport.Send(ctx, &transport.Request{
		Class: transport.Read, Method: http.MethodGet, URL: url,
		Auth: true, Endpoint: endpoint, Timeout: readTimeout,
	})
}
