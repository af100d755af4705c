package faltest

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
)

const (
	// Key is the API key that a server accepts unless [WithKey] says otherwise.
	Key = "faltest-id:faltest-secret"
	// FaultHeader is a request header by which clients in any language ask for
	// a fault: its value is one of [FaultNames].
	FaultHeader = "X-Faltest-Fault"
)

// Server is a local fal. It may be used by many goroutines at once.
type Server struct {
	key          string
	queueTime    time.Duration
	runTime      time.Duration
	keepAlive    time.Duration
	realtimeIdle time.Duration
	strict       bool
	now          func() time.Time
	base         string // the URL of the server
	http         *http.Server
	listener     net.Listener
	stopped      chan struct{}  // closed when the server closes
	callers      sync.WaitGroup // of webhooks
	signer       ed25519.PrivateKey
	oldSigner    ed25519.PrivateKey // is published, and signs nothing any more
	closeOnce    sync.Once

	mu         sync.Mutex
	jobs       jobs
	files      files
	handlers   map[string]http.HandlerFunc
	faults     []*rule
	passes     map[string]pass // by token
	platform   platform
	pasts      pasts
	ledger     Ledger
	bills      []*Bill
	violations []string
	doubts     []string
	serial     uint64
	run        uint32 // begins every id, so that those of two servers differ
}

// Option sets up a server.
type Option func(*Server)

// QueueTime is how long jobs wait in the queue. The default is no time. It
// panics if d is negative.
func QueueTime(d time.Duration) Option {
	must(d >= 0, "QueueTime(%v): must not be negative", d)
	return func(s *Server) { s.queueTime = d }
}

// RunTime is how long the model works on a request. The default is no time. It
// panics if d is negative.
func RunTime(d time.Duration) Option {
	must(d >= 0, "RunTime(%v): must not be negative", d)
	return func(s *Server) { s.runTime = d }
}

// KeepAlive is the time between the comments that keep a status stream alive.
// The default is 15 seconds, as fal's. It panics if d is not positive.
func KeepAlive(d time.Duration) Option {
	must(d > 0, "KeepAlive(%v): must be more than nothing", d)
	return func(s *Server) { s.keepAlive = d }
}

// WithKey sets the API key that is accepted, "key_id:key_secret". It panics if
// the key is of another form.
func WithKey(key string) Option {
	must(strings.Contains(key, ":") && strings.TrimSpace(key) == key, "WithKey: the key must be of the form key_id:key_secret")
	return func(s *Server) { s.key = key }
}

// Strict refuses fields that an endpoint does not have, with status 422 and
// type extra_forbidden. The service passes them over, as a server does that is
// not strict: it notes them in [Server.Doubts]. Servers of [NewServer] are
// strict by default, those of [New] and [Start] are not.
func Strict(on bool) Option { return func(s *Server) { s.strict = on } }

// Clock is where the server takes the time from that decides where jobs stand
// and how long results are kept. The default is [time.Now].
func Clock(now func() time.Time) Option {
	must(now != nil, "Clock: the function is nil")
	return func(s *Server) { s.now = now }
}

// must fails at the caller of what was called wrongly.
func must(ok bool, format string, args ...any) {
	if !ok {
		panic("faltest: " + fmt.Sprintf(format, args...))
	}
}

// NewServer starts a server that closes when the test ends. It is strict: what
// the service would pass over in silence is refused, unless [Strict] says
// otherwise. The test fails if by its end a client has sent credentials where
// none belong, or if a fault that was injected never struck.
func NewServer(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s := New(append([]Option{Strict(true)}, opts...)...)
	tb.Cleanup(func() {
		s.Close()
		for _, v := range s.Violations() {
			tb.Errorf("faltest: %s", v)
		}
		if tb.Failed() {
			return // the test may have ended before the fault's turn came
		}
		for _, f := range s.idle() {
			tb.Errorf("faltest: %s", f)
		}
	})
	return s
}

// New starts a server on a free port of the loopback address. It panics if
// there is none; close the server when done.
func New(opts ...Option) *Server {
	s, err := Start("127.0.0.1:0", opts...)
	if err != nil {
		panic("faltest: " + err.Error())
	}
	return s
}

// Start starts a server on the given address, such as "127.0.0.1:8080". One
// without a host, such as ":8080", listens on all addresses of the machine:
// keep it from networks that you do not trust.
func Start(address string, opts ...Option) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	own, _ := net.InterfaceAddrs() // without any, localhost remains
	s := &Server{
		key: Key, keepAlive: 15 * time.Second, realtimeIdle: time.Minute, now: time.Now, base: "http://" + reachable(listener.Addr(), own),
		listener: listener, stopped: make(chan struct{}), handlers: make(map[string]http.HandlerFunc),
		platform: platform{
			prices: make(map[string]price), discount: "0", settings: json.RawMessage(`{}`),
			access: make(map[string]json.RawMessage), deletions: make(map[string]answer),
		},
		jobs: jobs{byID: make(map[string]*job)}, files: files{byName: make(map[string]*file)}, run: rand.Uint32(),
		signer: newSigner(), oldSigner: newSigner(),
	}
	for _, opt := range opts {
		opt(s)
	}
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() { _ = s.http.Serve(listener) }() // ends when the server closes
	return s, nil
}

// reachable returns host and port at which others reach a listener, on a machine
// with these addresses. One that listens on all of them has no host of its own.
func reachable(addr net.Addr, own []net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	host := "localhost"
	for _, a := range own {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			host = network.IP.String()
			break
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

// URL returns the address of the server, such as "http://127.0.0.1:41234". If
// it listens on all addresses, this is one that other machines reach.
func (s *Server) URL() string { return s.base }

// Client returns a client of this program that talks to this server and to
// nothing else.
func (s *Server) Client() *fal.Client {
	return &fal.Client{Key: fal.NewKey(s.key), Hosts: s.Hosts()}
}

// Hosts returns the hosts to set in a client of one's own in this program. They
// are at the loopback address if the server listens on all: clients send no key
// to another machine without https.
func (s *Server) Hosts() fal.Hosts {
	if tcp, ok := s.listener.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return HostsAt("http://localhost:" + strconv.Itoa(tcp.Port))
	}
	return HostsAt(s.base)
}

// HostsAt returns the hosts to set in a client of a server that runs at a URL,
// such as "http://127.0.0.1:8080". It panics if the URL is not one of a host.
func HostsAt(base string) fal.Hosts {
	u, err := url.Parse(base)
	must(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "", "HostsAt(%q): must be a URL such as http://127.0.0.1:8080", base)
	base = strings.TrimRight(base, "/")
	return fal.Hosts{Run: base + "/fal.run", Queue: base + "/queue.fal.run", REST: base + "/rest.fal.ai", Platform: base + "/api.fal.ai"}
}

// origin returns the URL at which the client reached this server, which is how
// it will reach it again.
func (s *Server) origin(r *http.Request) string {
	switch {
	case r.Host == "":
		return s.base
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Close ends the server and all its connections.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		close(s.stopped)
		s.mu.Unlock()
		_ = s.listener.Close() // the HTTP server may not have begun to listen
		_ = s.http.Close()
		s.callers.Wait()
	})
}

// Violations returns what clients did that they must never do: send the API
// key with an upload or a download.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

func (s *Server) violation(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.violations) < mostRemarks {
		s.violations = append(s.violations, fmt.Sprintf(format, args...))
	}
}

// mostRemarks bounds what a server remembers to say.
const mostRemarks = 1000

// Doubts returns what was served but is doubtful, in order and each once: a
// field that the endpoint does not have, a webhook that nobody acknowledged.
func (s *Server) Doubts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.doubts)
}

func (s *Server) doubt(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if len(s.doubts) < mostRemarks && !slices.Contains(s.doubts, text) {
		s.doubts = append(s.doubts, text)
	}
}

// Handle serves an endpoint with a function of your own: one that this package
// does not know, or one that it does, instead of what it would do. The
// function is called once for each request that is accepted, with its headers
// and body, and writes what the model answers: status, headers and a JSON
// body. The queue keeps that and hands it out as the result. X-Fal-Billable-Units
// says what is billed; without it, one unit if the status is below 400 and
// else none. Pictures are put where clients can fetch them by [Server.File].
// Of the faults that strike work, [LateFailure] and [Changed] reach it. A nil
// function ends it.
func (s *Server) Handle(endpoint string, f http.HandlerFunc) {
	must(strings.Contains(strings.Trim(endpoint, "/"), "/"), "Handle(%q): must be an endpoint id such as me/my-model", endpoint)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == nil {
		delete(s.handlers, endpoint)
		return
	}
	s.handlers[endpoint] = f
}

func (s *Server) handler(endpoint string) http.HandlerFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handlers[endpoint]
}

// ServeHTTP serves all of fal's hosts.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if s.misspelt(w, r) {
		return
	}
	switch host {
	case "fal.run":
		if r.Header.Get("Upgrade") != "" {
			s.serveRealtime(w, r, path)
			return
		}
		s.authorized(w, r, func() { s.serveRun(w, r, path) })
	case "queue.fal.run":
		s.authorized(w, r, func() { s.serveQueue(w, r, path) })
	case "rest.fal.ai":
		if path == ".well-known/jwks.json" && r.Method == http.MethodGet {
			s.serveKeys(w)
			return
		}
		s.authorized(w, r, func() { s.serveREST(w, r, path) })
	case "api.fal.ai":
		s.servePlatform(w, r, path)
	case "v3.fal.media":
		s.serveMedia(w, r, path)
	default:
		writeDetail(w, http.StatusNotFound, "Path "+r.URL.Path+" not found")
	}
}

// authorized checks the API key in the way and words of the service.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request, next func()) {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Key ")
	switch {
	case !ok || !strings.Contains(key, ":"):
		writeDetail(w, http.StatusUnauthorized, "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.")
	case s.scopeOf(key) == "":
		writeDetail(w, http.StatusUnauthorized, "No user found for Key ID and Secret")
	default:
		next()
	}
}

// wait waits, but no longer than the server and the client last, and until
// the job changes, if there is one.
func (s *Server) wait(r *http.Request, d time.Duration, changed <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
		return true
	case <-r.Context().Done():
		return false
	case <-s.stopped:
		return false
	}
}
