package fal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Save downloads a file in a result to a path, replacing what is there. The
// file appears only when it is complete and written to disk. Its format is that
// of the result, whatever the path ends in; see [Image.Extension].
//
// A file that is there keeps its mode; a new one gets what the umask leaves of
// 0666. A symbolic link is followed. A pipe or a device is written to as it is,
// and not waited for when the context ends.
func (c *Client) Save(ctx context.Context, m Media, path string) error {
	_, err := c.save(ctx, path, func() (io.ReadCloser, error) { return c.Download(ctx, m) })
	return err
}

// saved is what was written to a file.
type saved struct {
	size int64
	sum  string // SHA-256, in hexadecimal
}

// save writes what open opens to a path. It opens nothing before it is known that
// it can be written.
func (c *Client) save(ctx context.Context, path string, open func() (io.ReadCloser, error)) (s saved, err error) {
	if err = c.ready(ctx); err == nil {
		s, err = writeFile(ctx, path, open)
	}
	if err != nil {
		return s, fmt.Errorf("fal: save %s: %w", path, within("", err))
	}
	return s, nil
}

func writeFile(ctx context.Context, path string, open func() (io.ReadCloser, error)) (s saved, err error) {
	target, old, err := saveTarget(path)
	if err != nil {
		return s, err
	}
	if old != nil && !old.Mode().IsRegular() {
		return leaving(ctx, func() (saved, error) {
			f, err := os.OpenFile(target, os.O_WRONLY, 0) // waits for a reader
			if err != nil {
				return saved{}, err
			}
			stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Now()) }) // nobody may be reading
			defer stop()
			s, err := copyTo(f, open)
			return s, errors.Join(err, f.Close())
		})
	}
	// What can go wrong on this side goes wrong before anything is fetched.
	f, err := createBeside(target)
	if err != nil {
		return s, err
	}
	s, err = copyTo(f, open)
	if err == nil {
		err = f.Sync()
	}
	if err == nil && old != nil {
		_ = f.Chmod(old.Mode().Perm()) // not every file system has modes
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return s, err
}

// saveTarget returns where a path leads, and what is there, if anything.
func saveTarget(path string) (target string, old fs.FileInfo, err error) {
	if path == "" {
		return "", nil, errors.New("the path is empty")
	}
	target, err = filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		target = path
		if to, linkErr := os.Readlink(path); linkErr == nil { // a link to nothing yet
			if target = to; !filepath.IsAbs(to) {
				target = filepath.Join(filepath.Dir(path), to)
			}
		}
		return target, nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	if old, err = os.Stat(target); err == nil && old.IsDir() {
		err = errors.New("it is a directory")
	}
	return target, old, err
}

// createBeside creates a file for what is to appear at a path, with the mode
// that a new file gets there.
func createBeside(target string) (*os.File, error) {
	for i := range 10000 {
		f, err := os.OpenFile(filepath.Join(filepath.Dir(target), fmt.Sprintf(".falimage-%d-%d", os.Getpid(), i)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, errors.New("the directory is full of unfinished files")
}

// copyTo writes what open opens.
func copyTo(w io.Writer, open func() (io.ReadCloser, error)) (s saved, err error) {
	r, err := open()
	if err != nil {
		return s, err
	}
	defer r.Close()
	h := sha256.New()
	if s.size, err = io.Copy(io.MultiWriter(w, h), r); err != nil {
		return s, err
	}
	s.sum = hex.EncodeToString(h.Sum(nil))
	return s, nil
}
