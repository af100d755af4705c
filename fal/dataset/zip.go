package dataset

import (
	"archive/zip"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/internal/exif"
)

// entry is one file of an archive: a picture or a text.
type entry struct {
	name string
	file fal.File
	turn int    // as in package exif; 1 copies the picture as it is
	text string // where there is no file
}

// archive returns the zip of the entries. Each reading of it writes it anew.
func archive(trainer string, entries []entry) fal.File {
	return fal.Open("dataset.zip", func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		// The goroutine ends when all is read, or when the reader is closed:
		// then its next write fails.
		go func() {
			err := errors.New("the reading of a picture ended its goroutine")
			defer func() { w.CloseWithError(err) }()
			err = write(w, trainer, entries)
		}()
		return r, nil
	})
}

// write writes the zip. Nothing in it depends on when or where it is written.
// Pictures are compressed already and captions short, so all is stored as it
// is; then not even a new version of a compressor changes the bytes.
func write(w io.Writer, trainer string, entries []entry) error {
	z := zip.NewWriter(w)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Store, Modified: epoch}
		header.SetMode(0o644)
		dst, err := z.CreateHeader(header)
		if err == nil {
			err = e.copyTo(dst)
		}
		if err != nil {
			return refuse(trainer, unreadable(e.name, "", err))
		}
	}
	return z.Close()
}

// epoch is the earliest time that a zip can hold.
var epoch = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

func (e entry) copyTo(dst io.Writer) (err error) {
	defer catch(&err)
	if e.file.IsZero() {
		_, err := io.Copy(dst, strings.NewReader(e.text))
		return err
	}
	src, err := open(e.file)
	if err != nil {
		return err
	}
	defer src.Close()
	if e.turn != 1 {
		return exif.Upright(dst, src, e.turn)
	}
	_, err = io.Copy(dst, src)
	return err
}
