// Package faltest is a local fal, for tests and for trying everything without
// an API key. It speaks fal's queue, direct calls, streams and storage over
// HTTP on a loopback address, checks requests as strictly as the service
// does, draws real pictures, counts what it would bill, and fails on request.
//
//	func TestMug(t *testing.T) {
//		srv := faltest.NewServer(t)
//		out, err := fal.Subscribe(t.Context(), srv.Client(), flux.Schnell{Prompt: "a mug"})
//		...
//	}
//
// All of fal's hosts are served by one address, each below a path of its own
// name: https://queue.fal.run/x is at URL()+"/queue.fal.run/x".
//
// What the service does was read in fal's documentation and client sources,
// not seen: see the comments marked unconfirmed.
package faltest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// Key is the API key that a server accepts unless [WithKey] says otherwise.
const Key = "faltest-id:faltest-secret"

// Server is a local fal. It may be used by many goroutines at once.
type Server struct {
	key       string
	queueTime time.Duration
	runTime   time.Duration
	keepAlive time.Duration
	base      string // the URL of the server
	http      *http.Server
	listener  net.Listener
	stopped   chan struct{} // closed when the server closes
	closeOnce sync.Once

	mu         sync.Mutex
	jobs       map[string]*job
	files      map[string]*file
	faults     []*rule
	prices     map[string]price
	ledger     Ledger
	violations []string
	serial     uint64
	run        uint32  // begins every id, so that those of two servers differ
	drawn      []*file // the latest pictures, which are kept
}

// Option sets up a server.
type Option func(*Server)

// QueueTime is how long jobs wait in the queue. The default is no time.
func QueueTime(d time.Duration) Option { return func(s *Server) { s.queueTime = d } }

// RunTime is how long the model works on a request. The default is no time.
func RunTime(d time.Duration) Option { return func(s *Server) { s.runTime = d } }

// KeepAlive is the time between the comments that keep a status stream alive.
// The default is 15 seconds, as fal's.
func KeepAlive(d time.Duration) Option { return func(s *Server) { s.keepAlive = d } }

// WithKey sets the API key that is accepted, "key_id:key_secret".
func WithKey(key string) Option { return func(s *Server) { s.key = key } }

// NewServer starts a server that closes when the test ends. The test fails if
// by then a client has sent credentials where none belong.
func NewServer(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s := New(opts...)
	tb.Cleanup(func() {
		s.Close()
		for _, v := range s.Violations() {
			tb.Errorf("faltest: %s", v)
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

// Start starts a server on the given address.
func Start(address string, opts ...Option) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{
		key: Key, keepAlive: 15 * time.Second, base: "http://" + listener.Addr().String(),
		listener: listener, stopped: make(chan struct{}), jobs: make(map[string]*job), files: make(map[string]*file), prices: make(map[string]price),
		ledger: newLedger(), run: rand.Uint32(),
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

// URL returns the address of the server, such as "http://127.0.0.1:41234".
func (s *Server) URL() string { return s.base }

// Client returns a client that talks to this server and to nothing else.
func (s *Server) Client() *fal.Client {
	return &fal.Client{Key: fal.NewKey(s.key), Hosts: s.Hosts()}
}

// Hosts returns the hosts to set in a client of one's own.
func (s *Server) Hosts() fal.Hosts {
	return fal.Hosts{Run: s.host("fal.run"), Queue: s.host("queue.fal.run"), REST: s.host("rest.fal.ai"), Platform: s.host("api.fal.ai")}
}

func (s *Server) host(name string) string { return s.base + "/" + name }

// Close ends the server and all its connections.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		close(s.stopped)
		_ = s.listener.Close() // the HTTP server may not have begun to listen
		_ = s.http.Close()
	})
}

// Violations returns what clients did that they must never do: send the API
// key with an upload or a download.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.violations...)
}

func (s *Server) violation(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// ServeHTTP serves all of fal's hosts.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch host {
	case "fal.run":
		s.authorized(w, r, func() { s.serveRun(w, r, path) })
	case "queue.fal.run":
		s.authorized(w, r, func() { s.serveQueue(w, r, path) })
	case "rest.fal.ai":
		s.authorized(w, r, func() { s.serveREST(w, r, path) })
	case "api.fal.ai":
		s.authorized(w, r, func() { s.servePlatform(w, r, path) })
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
	case key != s.key:
		writeDetail(w, http.StatusUnauthorized, "No user found for Key ID and Secret")
	default:
		next()
	}
}

// wait waits, but no longer than the server and the client last.
func (s *Server) wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	case <-s.stopped:
		return false
	}
}
