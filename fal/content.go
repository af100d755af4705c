package fal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/falimage/falimage-go/fal/internal/naming"
)

const (
	// headSize is how much of a file is looked at before it is sent.
	headSize = 64 << 10
	// partSize is how much of a large file goes at a time.
	partSize = 10 << 20
)

var (
	// errEmpty says that there is nothing in a file.
	errEmpty = errors.New("the file is empty")
	// errChanged says that a file is not what it was a moment ago.
	errChanged = errors.New("the file changed while it was being uploaded")
)

// summary is what must be known of a file before it is uploaded: how it begins.
type summary struct {
	head        [sha256.Size]byte // of the first headSize bytes
	whole       bool              // they are all of it
	size        int64             // -1 if it is not known before all is read
	info        fs.FileInfo       // nil if it is no file of a file system
	contentType string
	name        string
}

// summarize looks at the beginning of the file.
func (f File) summarize(ctx context.Context) (summary, error) {
	return leaving(ctx, func() (summary, error) {
		g, err := f.local.content()
		if err != nil {
			return summary{}, err
		}
		defer func() { _ = g.Close() }()
		head, err := readHeadOf(g)
		if err != nil {
			return summary{}, err
		}
		s := summary{head: sha256.Sum256(head), whole: len(head) < headSize, size: g.size(), info: g.info(), name: f.local.name}
		if s.whole {
			s.size = int64(len(head))
		}
		s.contentType = naming.Type(s.name, head[:min(len(head), naming.Head)])
		if f.local.upright {
			s.name = renamed(s.name, s.contentType)
		}
		if s.name == "" {
			s.name = hex.EncodeToString(s.head[:8]) + naming.Extension(s.contentType)
		}
		return s, nil
	})
}

// readHeadOf reads the first headSize bytes, or what there is.
func readHeadOf(r io.Reader) ([]byte, error) {
	head, err := io.ReadAll(io.LimitReader(r, headSize))
	if err == nil && len(head) == 0 {
		err = errEmpty
	}
	return head, err
}

// openUnchanged opens a file that was summarized, and makes sure that it is
// still the same. The head is what was read of it already.
func (f File) openUnchanged(s summary) (g guardedReader, head []byte, err error) {
	if g, err = f.local.content(); err != nil {
		return g, nil, err
	}
	head, err = readHeadOf(g)
	if err == nil && (sha256.Sum256(head) != s.head || !s.same(g.info())) {
		err = errChanged
	}
	if err != nil {
		_ = g.Close()
	}
	return g, head, err
}

// same reports whether a file is the one that was summarized, and was not
// written to since.
func (s summary) same(now fs.FileInfo) bool {
	if s.info == nil || now == nil {
		return s.info == nil && now == nil
	}
	ofOS := os.SameFile(s.info, s.info) // only of those can it be told
	return (!ofOS || os.SameFile(s.info, now)) && s.info.Size() == now.Size() && s.info.ModTime().Equal(now.ModTime())
}

// leaving calls f, and returns without waiting for it when the context ends: a
// reader that hangs is left behind.
func leaving[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		v, err := f()
		answers <- answer{v, err}
	}()
	select {
	case a := <-answers:
		return a.v, a.err
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}

// contentHash tells content apart: the SHA-256 of the SHA-256 of its parts, or
// that of the only part. So parts can be hashed in any order.
type contentHash [sha256.Size]byte

// joinHashes returns the hash of content from those of its parts.
func joinHashes(parts []contentHash) contentHash {
	if len(parts) == 1 {
		return parts[0]
	}
	h := sha256.New()
	for _, p := range parts {
		h.Write(p[:])
	}
	return contentHash(h.Sum(nil))
}

// contentHasher hashes content that is written to it in order.
type contentHasher struct {
	parts []contentHash // that are complete
	part  hash.Hash     // nil before the first byte of a part
	n     int           // bytes of the part
}

func (c *contentHasher) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if c.part == nil {
			c.part = sha256.New()
		}
		n := min(len(p), partSize-c.n)
		c.part.Write(p[:n])
		p = p[n:]
		if c.n += n; c.n == partSize {
			c.endPart()
		}
	}
	return written, nil
}

func (c *contentHasher) endPart() {
	c.parts = append(c.parts, contentHash(c.part.Sum(nil)))
	c.part, c.n = nil, 0
}

// sum returns the hash. Nothing is written after it.
func (c *contentHasher) sum() contentHash {
	if c.part != nil {
		c.endPart()
	}
	return joinHashes(c.parts)
}

// hash reads all of a file that was summarized.
func (f File) hash(ctx context.Context, s summary) (contentHash, error) {
	return leaving(ctx, func() (contentHash, error) {
		g, head, err := f.openUnchanged(s)
		if err != nil {
			return contentHash{}, err
		}
		defer func() { _ = g.Close() }()
		var h contentHasher
		_, _ = h.Write(head)
		if _, err := io.Copy(&h, &contextReader{ctx, g}); err != nil {
			return contentHash{}, err
		}
		return h.sum(), nil
	})
}

// contextReader stops reading when the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
