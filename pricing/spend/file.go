package spend

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrInUse says that a ledger is open already, in this program or another: two
// that do not know of each other's requests would each spend the whole budget.
var ErrInUse = errors.New("spend: the ledger is in use by another program, or opened twice")

// file is the file of a ledger.
type file struct {
	*os.File
	path    string
	release func() // the lock
	info    os.FileInfo
	writeAt func([]byte, int64) (int, error)

	size, n int64 // bytes and lines
	kept    int64 // the size when it was last written anew
	failed  error // nothing can be written any more
	// archive is what got the settled requests that the file does not have one by
	// one, and archiveSize how long it was then; "" if there is none.
	archive     string
	archiveSize int64
	// unwritten are events that could not be written. They are of the past and
	// go before any other.
	unwritten []event
}

// compactAfter is by how many bytes a file grows at least before it is written
// anew. Tests make it less.
var compactAfter int64 = 4 << 20

func (f *file) grown() bool { return f.size-f.kept > max(compactAfter, f.kept) }

// add writes a line at the end of the file, after those that are still to be
// written.
func (f *file) add(e event) error {
	for len(f.unwritten) > 0 {
		if err := f.append(f.unwritten[0]); err != nil {
			return err
		}
		f.unwritten = f.unwritten[1:]
	}
	return f.append(e)
}

func (f *file) append(e event) error {
	if f.failed != nil {
		return f.failed
	}
	if err := f.check(); err != nil {
		return err
	}
	e.N = f.n + 1
	line, err := e.appendLine(nil)
	if err != nil {
		return err
	}
	if _, err = f.writeAt(line, f.size); err != nil {
		// A part of it may be there: it must not be taken for a line.
		if undo := f.Truncate(f.size); undo != nil {
			f.failed = errors.Join(err, undo)
		}
		return err
	}
	f.size += int64(len(line))
	f.n = e.N
	return nil
}

// check returns an error if the file is not what this ledger has written.
func (f *file) check() error {
	now, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s was deleted while it was open: what it held is known to this program alone", f.path)
	case err != nil:
		return err
	case !os.SameFile(now, f.info):
		return fmt.Errorf("%s was replaced by another file while it was open", f.path)
	case now.Size() != f.size:
		return fmt.Errorf("%s was changed by another program while it was open: it has %d bytes, and %d were written", f.path, now.Size(), f.size)
	}
	return nil
}

func (f *file) close() error {
	if f.release == nil {
		return nil
	}
	f.failed = errors.Join(f.failed, errors.New("the ledger is closed"))
	err := f.Close()
	f.release()
	f.release = nil
	return err
}

// open opens the file for reading and writing. Its size is set by who reads it.
func (f *file) open(flag int) (err error) {
	if f.File, err = os.OpenFile(f.path, os.O_RDWR|flag, 0o600); err != nil {
		return err
	}
	f.writeAt = f.WriteAt
	if f.info, err = f.Stat(); err == nil && !f.info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", f.path)
	}
	if err != nil {
		_ = f.Close()
	}
	return err
}

// openFile locks and opens the file at a path.
func openFile(path string) (*file, error) {
	// Of a link, what it leads to is written anew.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// Before it is opened: to open a pipe can take for ever.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	release, err := acquire(path + ".lock")
	if err != nil {
		return nil, err
	}
	f := &file{path: path, release: release}
	if err := f.open(os.O_CREATE); err != nil {
		release()
		return nil, err
	}
	return f, nil
}

// replace puts a new file with the given events in the place of the old one.
func (f *file) replace(events []event) error {
	temporary := f.path + ".new"
	size, err := writeNew(temporary, f.info.Mode().Perm(), events)
	if err != nil {
		_ = os.Remove(temporary)
		return err
	}
	// Nobody else's file is replaced.
	if err = cmp.Or(f.failed, f.check()); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	_ = f.Close() // some systems replace no open file
	err = os.Rename(temporary, f.path)
	if again := f.open(0); again != nil {
		f.failed = again
		return errors.Join(err, again)
	}
	if err != nil {
		return err
	}
	syncFolder(filepath.Dir(f.path))
	f.size, f.kept, f.n = size, size, int64(len(events))
	return nil
}

// writeNew writes a file of events, to the disk.
func writeNew(path string, mode fs.FileMode, events []event) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	var line []byte
	for _, e := range events {
		if line, err = e.appendLine(line[:0]); err != nil {
			break
		}
		n, _ := w.Write(line) // the error is that of Flush
		size += int64(n)
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return size, errors.Join(err, f.Close())
}

// syncFolder makes a rename last. Some systems cannot, and need not.
func syncFolder(path string) {
	if d, err := os.Open(path); err == nil {
		_, _ = d.Sync(), d.Close()
	}
}
