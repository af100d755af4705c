package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

// Player answers from a tape, over HTTP on a loopback address, until it is
// closed. It may be used by many goroutines at once.
//
// An exchange is found by method, address and JSON body, in the order of the
// tape. What only reads can be asked for again and again: the last answer is
// then given once more. Another request that is not on the tape is refused with
// status 404 and noted in [Player.Missing].
type Player struct {
	tape   *Tape
	server *httptest.Server
	clean  cleaner
	hosts  []string

	mu      sync.Mutex
	played  map[string]int   // how often, by what was asked for
	found   map[string][]int // exchanges by what is asked for
	missing []string
}

// Play starts a player. Close it when done.
func (t *Tape) Play() *Player {
	p := &Player{tape: t, played: make(map[string]int), found: make(map[string][]int)}
	p.clean = cleaner{prompts: t.HidesPrompts}
	for i, e := range t.Exchanges {
		key := p.key(e.Method, e.URL, e.Body.JSON)
		p.found[key] = append(p.found[key], i)
		if u, err := parseURL(e.URL); err == nil && !slices.Contains(p.hosts, u.Host) {
			p.hosts = append(p.hosts, u.Host)
		}
	}
	p.hosts = append(p.hosts, knownHosts...)
	p.server = httptest.NewServer(p)
	return p
}

// Close ends the player.
func (p *Player) Close() { p.server.Close() }

// Client returns a client that talks to the player.
func (p *Player) Client() *fal.Client {
	return &fal.Client{Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(p.server.URL)}
}

// Client returns a client that is answered from the tape until the test ends.
// The test fails if it asks for what is not on the tape.
func (t *Tape) Client(tb testing.TB) *fal.Client {
	tb.Helper()
	p := t.Play()
	tb.Cleanup(func() {
		p.Close()
		for _, what := range p.Missing() {
			tb.Errorf("record: the tape has no %s", what)
		}
	})
	return p.Client()
}

// Missing returns what was asked for and is not on the tape.
func (p *Player) Missing() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.missing)
}

// key is what an exchange is found by.
func (p *Player) key(method, address string, body []byte) string {
	return method + " " + p.clean.text(address) + " " + string(p.clean.json(body))
}

// maxMissing bounds what is remembered of what is missing.
const maxMissing = 100

// ServeHTTP answers from the tape.
func (p *Player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := "https:/" + r.URL.RequestURI() // its first part is the host
	var body []byte
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		body, _ = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	// Addresses of the player in the body are those of the tape.
	body = bytes.ReplaceAll(body, []byte(p.server.URL+"/"), []byte("https://"))
	key := p.key(r.Method, address, body)
	p.mu.Lock()
	at := p.found[key]
	n := p.played[key]
	if n < len(at) {
		p.played[key]++
	} else if r.Method == http.MethodGet && len(at) > 0 {
		n = len(at) - 1
	}
	if n >= len(at) {
		what := fmt.Sprintf("%s %s", r.Method, p.clean.text(address))
		if len(at) > 0 {
			what = fmt.Sprintf("request no. %d of %s", n+1, what)
		} else if len(body) > 0 {
			what += " with this body"
		}
		if len(p.missing) < maxMissing {
			p.missing = append(p.missing, what)
		}
		p.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]string{"detail": "the tape has no " + what})
		return
	}
	answer := p.tape.Exchanges[at[n]].Answer
	p.mu.Unlock()
	p.write(w, answer)
}

// write gives an answer, with addresses that lead here.
func (p *Player) write(w http.ResponseWriter, a Answer) {
	for name, values := range a.Header {
		for _, v := range values {
			w.Header().Add(name, p.here(v))
		}
	}
	content := a.Body.content()
	if a.Body.Base64 == "" {
		content = []byte(p.here(string(content)))
	}
	if !a.Body.Cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(content)
	if a.Body.Cut && a.Body.Digest != "" {
		panic(http.ErrAbortHandler) // there is more than the tape has
	}
}

// here lets the addresses in a text lead to the player.
func (p *Player) here(s string) string {
	for _, host := range p.hosts {
		s = strings.ReplaceAll(s, "https://"+host+"/", p.server.URL+"/"+host+"/")
	}
	return s
}
