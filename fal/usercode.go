package fal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// recovered turns a panic of code that is not ours into an error: in one of
// our goroutines it would end the process.
func recovered(what string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s panicked: %v", what, p)
	}
}

// guardedReader turns panics of a reader that is not ours into errors.
type guardedReader struct{ r io.ReadCloser }

func (g guardedReader) Read(p []byte) (n int, err error) {
	defer recovered("reading it", &err)
	n, err = g.r.Read(p)
	if n < 0 || n > len(p) {
		return 0, errors.New("its reader returned a count that cannot be")
	}
	return n, err
}

func (g guardedReader) Close() (err error) {
	defer recovered("reading it", &err)
	return g.r.Close()
}

// info tells of a regular file; nil for anything else.
func (g guardedReader) info() (info fs.FileInfo) {
	file, ok := g.r.(fs.File)
	if !ok {
		return nil
	}
	err := errors.New("it panicked")
	func() {
		defer recovered("reading it", &err)
		info, err = file.Stat()
	}()
	if err != nil || info == nil || !info.Mode().IsRegular() {
		return nil
	}
	return info
}

// size returns how many bytes there are to be read, -1 if that is not known.
func (g guardedReader) size() int64 {
	if m, ok := g.r.(memory); ok {
		return m.Size()
	}
	if info := g.info(); info != nil {
		return info.Size()
	}
	return -1
}

// at returns what reads the content at any place, nil if nothing does.
func (g guardedReader) at() io.ReaderAt {
	if r, ok := g.r.(io.ReaderAt); ok && g.size() >= 0 {
		return guardedReaderAt{r}
	}
	return nil
}

type guardedReaderAt struct{ r io.ReaderAt }

func (g guardedReaderAt) ReadAt(p []byte, at int64) (n int, err error) {
	defer recovered("reading it", &err)
	n, err = g.r.ReadAt(p, at)
	if n < 0 || n > len(p) {
		return 0, errors.New("its reader returned a count that cannot be")
	}
	return n, err
}
