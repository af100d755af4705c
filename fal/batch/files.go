package batch

import (
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
	"reflect"
	"slices"

	"github.com/falimage/falimage-go/fal"
)

// save saves the files of a result that are not there yet, and keeps in the
// journal which they are.
func save[Out any](ctx context.Context, e *entry, out *Out) error {
	old := e.row.Files
	files := make([]File, 0, len(old))
	var errs []error
	for i, m := range mediaOf(reflect.ValueOf(out), nil, 0) {
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
				e.ill = errors.Join(e.ill, err) // the disk is full, or worse
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
	return errors.Join(errs...)
}

// local reports whether an error is about this machine's files.
func local(err error) bool {
	_, isPath := errors.AsType[*fs.PathError](err)
	_, isLink := errors.AsType[*os.LinkError](err)
	return isPath || isLink
}

// mediaOf returns the files in a result, in the order of its fields.
func mediaOf(v reflect.Value, found []fal.Media, depth int) []fal.Media {
	const deepest = 20
	if depth > deepest {
		return found
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			found = mediaOf(v.Elem(), found, depth+1)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return found
		}
		for i := range v.Len() {
			found = mediaOf(v.Index(i), found, depth+1)
		}
	case reflect.Struct:
		switch m := v.Interface().(type) {
		case fal.Image:
			if m.URL != "" {
				found = append(found, m)
			}
			return found
		case fal.OutputFile:
			if m.URL != "" {
				found = append(found, m)
			}
			return found
		}
		for f, field := range v.Fields() {
			if f.IsExported() {
				found = mediaOf(field, found, depth+1)
			}
		}
	}
	return found
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
	name := r.name(row, m, i)
	target := filepath.Join(r.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return f, err
	}
	part := filepath.Join(filepath.Dir(target), fmt.Sprintf(".%s-%d.part", shortSum(row.Key), i))
	f.Bytes, f.SHA256, err = r.fetch(ctx, m, part)
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
	r.naming.Lock()
	defer r.naming.Unlock()
	switch sum, err := sumOf(target); {
	case err == nil && sum != f.SHA256 && name != had: // another item's
		extension := path.Ext(name)
		name = name[:len(name)-len(extension)] + "-" + shortSum(row.Key) + extension
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

// fetch downloads a file to a path, and forces it to the disk.
func (r *Runner) fetch(ctx context.Context, m fal.Media, to string) (size int64, sum string, err error) {
	f, err := os.Create(to)
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	body, err := r.Client.Download(ctx, m)
	if err != nil {
		return 0, "", err
	}
	defer body.Close()
	h := sha256.New()
	if size, err = io.Copy(io.MultiWriter(f, h), body); err != nil {
		return 0, "", err
	}
	return size, hex.EncodeToString(h.Sum(nil)), f.Sync()
}

// sumOf returns the sum of a file.
func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
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
