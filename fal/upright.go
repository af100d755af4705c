package fal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/falimage/falimage-go/fal/internal/exif"
	"github.com/falimage/falimage-go/fal/internal/naming"
)

// errNotTurned says that a picture cannot be turned since it is elsewhere.
var errNotTurned = errors.New("a picture at a URL cannot be turned upright here: fetch it with Client.Decode, and give it by fal.Picture")

// Upright returns the file with its picture as it is shown: one that its
// metadata says is stored lying, mirrored or upside down is turned when it is
// read, since a model may not heed that. It is for a mask and its picture that
// are stored in different ways, and would not lie over one another. JPEG stays
// JPEG, in quality 95, PNG and WebP become PNG; metadata is lost. A picture that
// stands upright stays as it is, byte for byte. More than 64 megapixels are an
// error, as is a URL, of which [File.Check] and sending the request tell.
func (f File) Upright() File {
	if isDataURL(f.url) {
		_, content, err := decodeDataURL(f.url)
		if err != nil {
			return f // which File.Check tells
		}
		f.url, f.local = "", Bytes(content).local
	}
	if f.local == nil {
		f.unturned = f.url != ""
		return f
	}
	stored := File{local: f.local}
	l := *f.local
	l.upright, l.path, l.sum = true, "", ""
	l.dims = stored.Dimensions // which are those that are shown
	l.open = func() (io.ReadCloser, error) {
		how := turn(stored)
		if how == 1 {
			return stored.local.open()
		}
		b, err := stored.turned(how)
		return memory{bytes.NewReader(b)}, err
	}
	f.local = &l
	return f
}

// turned returns the picture turned.
func (f File) turned(how int) ([]byte, error) {
	if width, height, err := f.Dimensions(); err == nil && width > exif.MaxPixels/max(height, 1) { // else decoding tells
		return nil, fmt.Errorf("it has %dx%d pixels, which is too many to be turned upright", width, height)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	if err := exif.Upright(&b, r, how); err != nil {
		return nil, fmt.Errorf("it cannot be turned upright: %w", err)
	}
	return b.Bytes(), nil
}

// renamed returns the name of a file with the extension that belongs to its
// type, which turning may have changed.
func renamed(name, contentType string) string {
	if e := naming.Extension(contentType); e != ".bin" && name != "" {
		return strings.TrimSuffix(name, filepath.Ext(name)) + e
	}
	return name
}

// turn is how a picture is to be turned when it is shown; 1 is not at all.
func turn(f File) int {
	r, err := f.Open()
	if err != nil {
		return 1
	}
	defer r.Close()
	return exif.Orientation(r)
}
