package fal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// transfer is an upload under way.
type transfer struct {
	c         *Client
	f         File
	s         summary
	lifecycle string
	progress  *progress
	placed    bool // fal has named a place

	mu    sync.Mutex
	local error // what is wrong on this side
}

// fail notes what is wrong on this side, where repeating does not help.
func (t *transfer) fail(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.local = cmp.Or(t.local, err)
	return err
}

func (t *transfer) localErr() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.local
}

// hold reads the beginning of a file of unknown size. One that is small is held
// in memory, and then goes in one piece.
func (t *transfer) hold(ctx context.Context) error {
	content, err := leaving(ctx, func() ([]byte, error) {
		g, head, err := t.f.openUnchanged(t.s)
		if err != nil {
			return nil, err
		}
		defer func() { _ = g.Close() }()
		return io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(head), g), partSize))
	})
	if err == nil && len(content) < partSize {
		t.f, t.s.size = Bytes(content), int64(len(content))
	}
	return err
}

// whole sends a file in one piece.
func (t *transfer) whole(ctx context.Context, at place) (done, error) {
	hash, err := t.put(ctx, at.method, at.url, t.header(at), t.s.size, func() (*sending, error) {
		g, head, err := t.f.openUnchanged(t.s)
		if err != nil {
			return nil, err
		}
		return &sending{r: io.MultiReader(bytes.NewReader(head), g), closer: g, same: func() bool { return t.s.same(g.info()) }}, nil
	}, func(_ http.Header, body []byte) error {
		if at.fileURL != "" {
			return nil
		}
		var answer struct {
			URL string `json:"access_url"`
		}
		if json.Unmarshal(body, &answer) != nil || answer.URL == "" {
			return errors.New("fal's storage did not say where the file is: " + quoteShort(plainText(body, t.c.clean)))
		}
		at.fileURL = answer.URL
		return nil
	})
	return done{at.fileURL, t.s.size, hash}, err
}

// put sends content to a place, as often as it takes, and returns the hash of
// what was sent at last. Open opens the content for each attempt; what is wrong
// with it once is wrong with it for good.
func (t *transfer) put(ctx context.Context, method, url string, header http.Header, size int64, open func() (*sending, error), read func(http.Header, []byte) error) (contentHash, error) {
	var last *sending
	err := t.exchange(ctx, &transport.Request{
		Class: transport.Upload, Method: method, URL: url, Header: header, Length: size, Guarded: true, Endpoint: "storage",
		Open: func() (io.ReadCloser, error) {
			if err := t.localErr(); err != nil {
				return nil, err
			}
			if last != nil {
				last.counted.drop()
			}
			s, err := open()
			if err != nil {
				return nil, t.fail(err)
			}
			s.t, s.size, s.counted = t, size, t.progress.begin()
			last = s
			return s, nil
		},
	}, read)
	if err != nil {
		return contentHash{}, err
	}
	if t.s.whole {
		return t.s.head, nil // known from the beginning
	}
	if n := last.counted.bytes(); n != size {
		return contentHash{}, fmt.Errorf("fal's storage took %d of %d bytes", n, size)
	}
	return last.hash.sum(), nil
}

// sending reads content while it is sent, in one attempt.
type sending struct {
	r      io.Reader
	closer io.Closer   // may be nil
	same   func() bool // whether the file is still what it was; may be nil

	t       *transfer
	size    int64
	n       int64
	hash    contentHasher
	counted *attempt
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	_, _ = s.hash.Write(p[:n])
	s.n += int64(n)
	ended := errors.Is(err, io.EOF)
	switch {
	case err != nil && !ended:
		return n, s.t.fail(err)
	case s.n > s.size, ended && s.n < s.size,
		// The check comes with the last byte: who knows the length may not read on.
		s.n == s.size && n > 0 && s.same != nil && !s.same():
		return 0, s.t.fail(errChanged)
	}
	s.counted.add(int64(n))
	return n, err
}

func (s *sending) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}
