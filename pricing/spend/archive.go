package spend

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// archivePath returns the path of the archive: the one that is set, or else the
// one that the file had before.
func (f *file) archivePath(path string) (string, error) {
	if path == "" {
		return f.archive, nil
	}
	return filepath.Abs(path)
}

// keepSettled adds the settled requests of the file to the archive, to the disk,
// before the file is written anew without them. The first line of the new file
// tells how long the archive is then: what a crash left after that is written
// again.
func (f *file) keepSettled(path string) (size int64, err error) {
	if path == "" {
		return 0, nil
	}
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	size, err = f.appendSettled(out, path)
	return size, errors.Join(err, out.Close())
}

func (f *file) appendSettled(out *os.File, path string) (int64, error) {
	end, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if path == f.archive && f.archiveSize < end {
		if err := out.Truncate(f.archiveSize); err != nil {
			return 0, err
		}
		if end, err = out.Seek(f.archiveSize, io.SeekStart); err != nil {
			return 0, err
		}
	}
	f.archive, f.archiveSize = path, end // should the ledger not be written anew, this is written again
	counted := &counter{w: out, n: end}
	err = WriteJSONLines(counted, func(yield func(Settled, error) bool) {
		if err := eachNoted(io.NewSectionReader(f.File, 0, f.size), func(s Settled) bool { return yield(s, nil) }); err != nil {
			yield(Settled{}, err)
		}
	})
	if err == nil {
		err = out.Sync()
	}
	if err != nil { // so that nothing is there twice
		err = errors.Join(err, out.Truncate(end))
	}
	return counted.n, err
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
