package record

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Recorder passes exchanges on and keeps them. It is an [http.RoundTripper]: set
// it as the Transport of the [http.Client] in Client.HTTPClient. It may be used
// by many goroutines at once.
type Recorder struct {
	// Base makes the exchanges; nil means [http.DefaultTransport].
	Base http.RoundTripper
	// HidePrompts leaves prompts and captions out of the tape. Requests that
	// differ in nothing else are then the same when it is played.
	HidePrompts bool

	mu        sync.Mutex
	exchanges []*taken
	bytes     int // of bodies, that are kept
	secrets   []string
	base      string
}

// What a recorder keeps at most: so many exchanges, and so many bytes of a body
// and of all together. What is beyond is not on the tape.
const (
	maxExchanges = 10_000
	maxBody      = 16 << 20
	maxBytes     = 256 << 20
)

// taken is an exchange as it went over the wire.
type taken struct {
	method, address string
	header          http.Header
	sent            []byte
	sentAll         int
	status          int
	answer          http.Header
	got             []byte
	gotAll          int
	whole           bool // the answer was read to its end
}

// RoundTrip passes a request on. An exchange without an answer is not kept.
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	base := r.Base
	if base == nil {
		base = http.DefaultTransport
	}
	address := *req.URL
	address.User, address.Fragment = nil, ""
	one := &taken{method: req.Method, address: address.String(), header: kept(req.Header)}
	if req.Body != nil && req.Body != http.NoBody {
		body := &capture{ReadCloser: req.Body, keep: func(p []byte) {
			r.mu.Lock()
			defer r.mu.Unlock()
			one.sentAll += len(p)
			one.sent = r.keep(one.sent, p)
		}}
		req = req.Clone(req.Context())
		req.Body = body
	}
	r.learn(req)
	resp, err := base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	one.status, one.answer = resp.StatusCode, kept(resp.Header)
	r.mu.Lock()
	if len(r.exchanges) < maxExchanges {
		r.exchanges = append(r.exchanges, one)
	}
	r.mu.Unlock()
	resp.Body = &capture{
		ReadCloser: resp.Body,
		keep: func(p []byte) {
			r.mu.Lock()
			defer r.mu.Unlock()
			one.gotAll += len(p)
			one.got = r.keep(one.got, p)
		},
		end: func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			one.whole = true
		},
	}
	return resp, nil
}

// keep adds to what is kept of a body, as far as that goes. It is called with mu
// held.
func (r *Recorder) keep(kept, p []byte) []byte {
	n := min(len(p), maxBody-len(kept), maxBytes-r.bytes)
	r.bytes += n
	return append(kept, p[:n]...)
}

// learn keeps what a request has of keys, to take it out of everything, and
// where a local fal is.
func (r *Recorder) learn(req *http.Request) {
	key, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Key ")
	key, _ = strings.CutPrefix(key, "Bearer ")
	r.mu.Lock()
	defer r.mu.Unlock()
	if base := baseOf(req.URL); base != "" {
		r.base = base
	}
	_, secret, _ := strings.Cut(key, ":")
	for _, text := range []string{key, secret} {
		if len(text) >= 6 && !slices.Contains(r.secrets, text) {
			r.secrets = append(r.secrets, text)
		}
	}
}

// capture keeps what is read of a body.
type capture struct {
	io.ReadCloser
	keep func(p []byte)
	end  func()
}

func (c *capture) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.keep(p[:n])
	if errors.Is(err, io.EOF) && c.end != nil {
		c.end()
	}
	return n, err
}

// Tape returns what was recorded so far, cleaned. Exchanges are in the order in
// which their answers began.
func (r *Recorder) Tape() *Tape {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &cleaner{secrets: r.secrets, base: r.base, prompts: r.HidePrompts}
	t := &Tape{HidesPrompts: r.HidePrompts}
	for _, one := range r.exchanges {
		e := Exchange{
			Method: one.method, URL: c.text(one.address), Header: c.headers(one.header),
			Answer: Answer{Status: one.status, Header: c.headers(one.answer)},
		}
		e.Body = c.sent(one)
		e.Answer.Body = c.got(one)
		t.Exchanges = append(t.Exchanges, e)
	}
	return t
}

// sent returns the body of a request: JSON as it is, and else a digest.
func (c *cleaner) sent(one *taken) Body {
	if one.sentAll == 0 {
		return Body{}
	}
	if strings.HasPrefix(one.header.Get("Content-Type"), "application/json") && one.sentAll == len(one.sent) {
		return bodyOf(c.json(one.sent))
	}
	return digest(one.sent, one.sentAll)
}

// got returns the body of an answer.
func (c *cleaner) got(one *taken) Body {
	if one.gotAll > len(one.got) {
		b := digest(one.got, one.gotAll)
		b.Cut = true
		return b
	}
	kind := one.answer.Get("Content-Type")
	content := one.got
	switch {
	case strings.Contains(one.address, "/tokens"):
		content = []byte(`"` + hiddenKey + `"`)
	case strings.HasPrefix(kind, "text/event-stream"):
		content = c.events(content)
	case strings.HasPrefix(kind, "application/json"), strings.HasPrefix(kind, "text/"), kind == "":
		content = c.json(content)
	}
	b := bodyOf(content)
	b.Cut = !one.whole && len(one.got) > 0
	return b
}

// events cleans a stream of events, whose data is JSON.
func (c *cleaner) events(content []byte) []byte {
	lines := bytes.Split(content, []byte("\n"))
	for i, line := range lines {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			lines[i] = append([]byte("data: "), c.json(data)...)
		} else {
			lines[i] = []byte(c.text(string(line)))
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// headers cleans headers.
func (c *cleaner) headers(h http.Header) http.Header {
	if len(h) == 0 {
		return nil
	}
	for _, values := range h {
		for i := range values {
			values[i] = c.text(values[i])
		}
	}
	return h
}

func digest(content []byte, length int) Body {
	return Body{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(content)), Length: length}
}
