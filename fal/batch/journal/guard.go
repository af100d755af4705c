//go:build !js

package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// guarded calls f and makes an error of a panic: bbolt panics where pages of the file
// are damaged, and reading a file that was cut off behind its back is a fault.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w (%.200s)", errDamaged, fmt.Sprint(r))
		}
	}()
	return f()
}

// do is View or Update of bbolt. Where that panics beside f, on a damaged file, it keeps
// its locks for ever: the journal is stuck then, and they are not asked for again.
func (j *Journal) do(action func(func(*bbolt.Tx) error) error, f func(*bbolt.Tx) error) error {
	if stuck := j.stuck.Load(); stuck != nil {
		return *stuck
	}
	over := false
	err := guarded(func() error {
		err := action(func(tx *bbolt.Tx) error { return guarded(func() error { return f(tx) }) })
		over = true
		return err
	})
	if !over {
		j.stuck.Store(&err)
	}
	return err
}

// What is known of the form of a bbolt file: two pages at its beginning, of which the
// one that is valid and was written last counts. Numbers are in the order of bytes of
// the machine.
const (
	metaMagic  = 0xED0CDAED
	metaHeader = 16 // of a page, before its content
	metaSize   = 64
	maxPage    = 64 << 10
)

// whole returns an error if the file at a path is shorter than it says that it is:
// it was cut off. What it is otherwise is for bbolt to say.
func whole(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	b := make([]byte, 2*maxPage)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	b = b[:n]
	var last, pages, size uint64
	for at := 0; at+metaHeader+metaSize <= len(b); at += 1 << 10 { // pages are 1 KiB at least
		m := b[at+metaHeader:]
		h := fnv.New64a()
		_, _ = h.Write(m[:metaSize-8])
		if binary.NativeEndian.Uint32(m) != metaMagic || binary.NativeEndian.Uint64(m[metaSize-8:]) != h.Sum64() {
			continue
		}
		if txid := binary.NativeEndian.Uint64(m[48:]); pages == 0 || txid > last {
			last, pages, size = txid, binary.NativeEndian.Uint64(m[40:]), uint64(binary.NativeEndian.Uint32(m[8:]))
		}
	}
	if want := pages * size; want > uint64(info.Size()) {
		return fmt.Errorf("%w: it has %d bytes of %d", errDamaged, info.Size(), want)
	}
	return nil
}

// inPlace returns an error if the file that is open is not at its path any more, where
// the next program would look for what is put.
func (j *Journal) inPlace() error {
	ours, err := j.file.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(j.place)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("it was deleted or renamed while it was open: what is put would not be found again")
	case err != nil:
		return err
	case !os.SameFile(now, ours):
		return errors.New("it was replaced by another file while it was open: what is put would not be found again")
	}
	return nil
}

// holderPath returns the path of the file that tells who has a journal.
func holderPath(path string) string { return path + ".holder" }

// hold tells who has a journal. It is for people: what locks it is the file itself.
func hold(path string) {
	host, _ := os.Hostname()
	_ = os.WriteFile(holderPath(path), fmt.Appendf(nil, "process %d on %s, since %s", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339)), 0o600)
}

// release takes that back.
func release(path string) { _ = os.Remove(holderPath(path)) }

// holder says who has a journal, as far as that is known.
func holder(path string) string {
	const longest = 300
	b, err := os.ReadFile(holderPath(path))
	text := strings.ToValidUTF8(string(b[:min(len(b), longest)]), "")
	if err != nil || text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		return ""
	}
	return ": " + text
}
