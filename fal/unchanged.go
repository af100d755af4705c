package fal

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// errChanged says that a file is not what it was a moment ago.
var errChanged = errors.New("the file changed while it was being uploaded")

// unchangedReader passes a file on and fails before its end if it differs
// from its summary, so that what was changed is never uploaded whole.
type unchangedReader struct {
	r    io.ReadCloser
	want summary
	hash hash.Hash
	n    int64
}

func (u *unchangedReader) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.hash.Write(p[:n])
	u.n += int64(n)
	// The check comes with the last byte: who knows the length may not read on.
	if u.n > u.want.size || err == io.EOF && u.n < u.want.size ||
		u.n == u.want.size && n > 0 && [sha256.Size]byte(u.hash.Sum(nil)) != u.want.hash {
		return 0, errChanged
	}
	return n, err
}

func (u *unchangedReader) Close() error { return u.r.Close() }
