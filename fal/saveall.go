package fal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/falimage/falimage-go/fal/internal/naming"
)

// parallelSaves is how many files of one result are saved at a time.
const parallelSaves = 4

// SaveAll downloads the files in a result, such as an [Images], and returns them as
// they are saved, in the order of its fields: with their path ([File.Path]), digest
// ([File.SHA256]) and size, fit to be sent again. Four are fetched at a time, each
// as by [Client.Save].
//
// Name is a template of paths, such as "out/{id}{-n}{ext}", with these fields: {n}
// is the number of the file, from 1; {-n} is "-2" and so on from the second file
// on; {ext} is the extension, with its dot, that the first bytes of a picture call
// for, and for other files the one that the result tells; {id} is the request id
// and {endpoint} the endpoint, with what cannot be in a file name replaced. "{{"
// is a brace. Folders are made where they are missing.
//
// A result without a file, a template without {n} or {-n} for several files, and
// one with a field that the result does not tell are errors before anything is
// fetched. A file that cannot
// be fetched does not keep the others from being saved: the error tells of each,
// and in its place is a zero File.
func (c *Client) SaveAll(ctx context.Context, result any, name string) ([]File, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	all := outputsOf(result)
	if err := checkNames(name, all); err != nil {
		return nil, fmt.Errorf("fal: save %s: %w", name, err)
	}
	files, errs := make([]File, len(all)), make([]error, len(all))
	slots := make(chan struct{}, parallelSaves)
	var wait sync.WaitGroup
	for i, f := range all {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			if files[i], errs[i] = c.saveNamed(ctx, f, name); errs[i] != nil {
				errs[i] = fmt.Errorf("fal: file %d: %w", i+1, within("", errs[i]))
			}
		})
	}
	wait.Wait()
	return files, errors.Join(errs...)
}

// output is a file in a result.
type output struct {
	Media

	n    int // from 1
	meta Meta
}

// outputsOf returns the files in a result.
func outputsOf(result any) []output {
	var meta Meta
	if found := naming.Find(result, func(interface{ getMeta() Meta }) bool { return true }); len(found) == 1 {
		meta = found[0].getMeta()
	}
	media := naming.Find(result, func(m Media) bool {
		address, _ := m.media()
		return address != ""
	})
	all := make([]output, len(media))
	for i, m := range media {
		all[i] = output{m, i + 1, meta}
	}
	return all
}

// path fills a template for a file with an extension.
func (f output) path(template, ext string) (string, error) {
	missing := ""
	path, err := naming.Fill(template, func(field string) (string, bool) {
		value := ""
		switch field {
		case "n":
			return strconv.Itoa(f.n), true
		case "-n":
			if f.n > 1 {
				value = strconv.Itoa(-f.n)
			}
			return value, true
		case "ext":
			return ext, true
		case "id":
			value = naming.Plain(f.meta.RequestID)
		case "endpoint":
			value = naming.Plain(f.meta.Endpoint)
		default:
			return "", false
		}
		if value == "" {
			missing = field
		}
		return value, true
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("%w; the fields are {n}, {-n}, {ext}, {id}, {endpoint}", err)
	case missing != "":
		return "", fmt.Errorf("the result does not tell what to put for {%s}", missing)
	}
	return path, nil
}

// checkNames returns what is wrong with a template for files.
func checkNames(template string, all []output) error {
	switch {
	case template == "":
		return errors.New("the name is empty")
	case len(all) == 0:
		return errors.New("the result has no files")
	}
	paths := make(map[string]bool, len(all))
	for _, f := range all {
		path, err := f.path(template, "")
		switch {
		case err != nil:
			return err
		case paths[path]:
			return fmt.Errorf("the %d files would have the same name: use {n} or {-n}", len(all))
		}
		paths[path] = true
	}
	return nil
}

// saveNamed saves a file under the name that its bytes call for.
func (c *Client) saveNamed(ctx context.Context, f output, template string) (File, error) {
	name, err := f.path(template, "")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o777)
	}
	if err != nil {
		return File{}, err
	}
	body, err := c.Download(ctx, f.Media)
	if err != nil {
		return File{}, err
	}
	defer body.Close()
	r := bufio.NewReader(body)
	head, _ := r.Peek(naming.Head) // what is wrong is told when it is read
	_, picture := f.Media.(Image)
	if name, err = f.path(template, naming.ExtensionOf(f.Extension(), picture, head)); err != nil {
		return File{}, err
	}
	s, err := c.save(ctx, name, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
	if err != nil {
		return File{}, err
	}
	file := Path(name)
	file.local.sum = s.sum
	return file, nil
}
