package batch

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/internal/naming"
)

// save saves the files of a result that are not there yet, and keeps in the
// journal which they are.
func save[Out any](ctx context.Context, e *entry, out *Out) error {
	old := e.row.Files
	files := make([]File, 0, len(old))
	var errs []error
	for i, m := range mediaOf(out) {
		if i < len(old) && e.run.intact(old[i]) {
			files = append(files, old[i])
			continue
		}
		had := ""
		if i < len(old) {
			had = old[i].Name
		}
		f, err := e.save(ctx, m, i, had)
		if err != nil {
			err = fmt.Errorf("batch: key %.80q: file %d of request %s is not saved: %w", e.row.Key, i+1, e.row.RequestID, err)
			if local(err) {
				e.ill = cmp.Or(e.ill, err) // the disk is full, or worse
			}
			errs = append(errs, err)
			continue
		}
		files = append(files, f)
	}
	if len(errs) == 0 && !slices.Equal(files, old) {
		e.row.Files = files
		_ = e.put(ctx)
	}
	if len(errs) > 0 {
		return unkept{errors.Join(errs...)}
	}
	return nil
}

// local reports whether an error is about this machine's files.
func local(err error) bool {
	_, isPath := errors.AsType[*fs.PathError](err)
	_, isLink := errors.AsType[*os.LinkError](err)
	return isPath || isLink
}

// mediaOf returns the files in a result, in the order of its fields.
func mediaOf(out any) []fal.Media {
	return naming.Find(out, func(m fal.Media) bool { return urlOf(m) != "" })
}

func urlOf(m fal.Media) string {
	switch m := m.(type) {
	case fal.Image:
		return m.URL
	case fal.OutputFile:
		return m.URL
	}
	return ""
}

// intact reports whether a file that was saved is there, in its size.
func (r *Runner) intact(f File) bool {
	info, err := os.Stat(filepath.Join(r.Dir, filepath.FromSlash(f.Name)))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Bytes
}

// save saves one file of a result: as a whole or not at all, and to the disk. What
// is there under its name and is another file stays, and this one is named by its
// key too. Had is the name that it had before, if it was saved.
func (e *entry) save(ctx context.Context, m fal.Media, i int, had string) (f File, err error) {
	r, row := e.run, &e.row
	target := filepath.Join(r.Dir, filepath.FromSlash(r.name(row, m, i, nil)))
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return f, err
	}
	part := filepath.Join(filepath.Dir(target), fmt.Sprintf(".%s-%d.part", naming.Sum(row.Key), i))
	var head []byte
	f.Bytes, f.SHA256, head, err = r.fetch(ctx, m, part)
	defer func() {
		if err != nil {
			_ = os.Remove(part)
		}
	}()
	if err != nil {
		return f, err
	}
	if picture, ok := m.(fal.Image); ok {
		if _, _, err := fal.Path(part).Dimensions(); err != nil {
			return f, fmt.Errorf("what came is no picture: %w", err)
		}
		if picture.FileSize > 0 && picture.FileSize != f.Bytes {
			return f, fmt.Errorf("it has %d bytes, and fal told of %d", f.Bytes, picture.FileSize)
		}
		size, sum, marked, err := e.mark(part)
		if err != nil {
			return f, err
		}
		if marked {
			f.Bytes, f.SHA256 = size, sum
		}
	}
	name := r.name(row, m, i, head)
	target = filepath.Join(r.Dir, filepath.FromSlash(name))
	r.naming.Lock()
	defer r.naming.Unlock()
	switch sum, err := fal.Path(target).SHA256(); {
	case err == nil && sum != f.SHA256 && name != had: // another item's
		extension := path.Ext(name)
		name = name[:len(name)-len(extension)] + "-" + naming.Sum(row.Key) + extension
		target = filepath.Join(r.Dir, filepath.FromSlash(name))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return f, err
	}
	f.Name = name
	if err := os.Rename(part, target); err != nil {
		return f, err
	}
	return f, syncFolder(filepath.Dir(target))
}

// fetch downloads a file to a path, and forces it to the disk. Head is its beginning.
func (r *Runner) fetch(ctx context.Context, m fal.Media, to string) (size int64, sum string, head []byte, err error) {
	f, err := os.Create(to)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	body, err := r.Client.Download(ctx, m)
	if err != nil {
		return 0, "", nil, err
	}
	defer body.Close()
	in := bufio.NewReaderSize(body, 32<<10)
	start, _ := in.Peek(naming.Head) // what is wrong is told when it is read
	head = bytes.Clone(start)
	h := sha256.New()
	if size, err = io.Copy(io.MultiWriter(f, h), in); err != nil {
		return 0, "", nil, err
	}
	return size, hex.EncodeToString(h.Sum(nil)), head, f.Sync()
}

// syncFolder forces to the disk which files are in a folder, where the system can.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = f.Sync() // not every system has it
	return f.Close()
}
