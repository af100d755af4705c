package provenance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrNoRecord says that a picture tells nothing of how it was made.
var ErrNoRecord = errors.New("provenance: the picture has no record of how it was made")

// maxPicture is how large a picture is at most.
const maxPicture = 256 << 20

var errPicture = fmt.Errorf("provenance: the file is larger than %d bytes", maxPicture)

// Mark returns a PNG, JPEG or WebP picture with the record in it. Values that
// it already has for what a record holds are replaced; everything else stays as
// it is. Picture is not changed. The error says what is wrong with the file, or
// that the record is too large: a JPEG takes 64 kB of XMP, the others 4 MiB.
func Mark(picture []byte, r Record) ([]byte, error) {
	f, err := split(picture)
	if err != nil {
		return nil, err
	}
	for i := range f.pieces {
		p := &f.pieces[i]
		if p.packet == nil {
			continue
		}
		properties := ""
		if i == f.first {
			properties = r.properties()
		}
		merged, err := merge(p.packet, properties)
		if err != nil {
			return nil, fmt.Errorf("provenance: the XMP that is in the picture: %w", err)
		}
		if !bytes.Equal(merged, p.packet) {
			if p.raw, err = f.wrap(merged); err != nil {
				return nil, err
			}
		}
	}
	if f.pieces[f.first].packet == nil {
		raw, err := f.wrap(packet(r.properties()))
		if err != nil {
			return nil, err
		}
		f.pieces[f.first].raw = raw
	}
	return f.join(), nil
}

// Read returns the record in a picture. One whose only trace is the mark of
// another program, that a model made it, gives a record with that alone. The
// error is [ErrNoRecord], or says what is wrong with the file.
func Read(picture []byte) (Record, error) {
	f, err := split(picture)
	if err != nil {
		return Record{}, err
	}
	found := make(map[property]string)
	for _, p := range f.pieces {
		if p.packet == nil {
			continue
		}
		if err := scan(p.packet, func(s span) { found[s.name] = s.value }); err != nil {
			return Record{}, fmt.Errorf("provenance: the XMP that is in the picture: %w", err)
		}
	}
	if len(found) == 0 {
		return Record{}, ErrNoRecord
	}
	return recordOf(found), nil
}

// MarkFile is [Mark] for a file, which is replaced as a whole or not at all.
func MarkFile(path string, r Record) error {
	err := markFile(path, r)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func markFile(path string, r Record) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	picture, err := readFile(target)
	if err != nil {
		return err
	}
	marked, err := Mark(picture, r)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(target), ".falimage-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(marked)
	if err == nil {
		err = temp.Sync()
	}
	_ = temp.Chmod(info.Mode().Perm()) // not every file system has modes
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), target)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}

// ReadFile is [Read] for a file.
func ReadFile(path string) (Record, error) {
	picture, err := readFile(path)
	if err != nil {
		return Record{}, err
	}
	r, err := Read(picture)
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it is only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPicture {
		return nil, errPicture
	}
	picture, err := io.ReadAll(io.LimitReader(f, maxPicture+1))
	if len(picture) > maxPicture { // a device says that it is empty
		return nil, errPicture
	}
	return picture, err
}

// file is a picture taken apart into what is kept and what is XMP.
type file struct {
	pieces []piece
	first  int // the piece that holds the record, or will
	wrap   func(packet []byte) ([]byte, error)
	join   func() []byte
}

// piece is a part of a file. A packet is the XMP that is in it.
type piece struct{ raw, packet []byte }

// add adds a piece that is kept, or one with XMP.
func (f *file) add(raw, packet []byte) {
	f.pieces = append(f.pieces, piece{raw, packet})
}

// place decides where the record goes: where there is XMP, or else into a new
// piece before the one of the given number.
func (f *file) place(before int) {
	for i, p := range f.pieces {
		if p.packet != nil {
			f.first = i
			return
		}
	}
	f.first = before
	f.pieces = append(f.pieces[:before:before], append([]piece{{}}, f.pieces[before:]...)...)
}

// plain puts the pieces together.
func (f *file) plain() []byte {
	parts := make([][]byte, len(f.pieces))
	for i, p := range f.pieces {
		parts[i] = p.raw
	}
	return bytes.Join(parts, nil)
}

// split takes a picture apart.
func split(picture []byte) (*file, error) {
	var (
		f    *file
		err  error
		kind string
	)
	switch {
	case bytes.HasPrefix(picture, []byte(pngSignature)):
		kind = "PNG"
		f, err = splitPNG(picture)
	case bytes.HasPrefix(picture, []byte("\xff\xd8\xff")):
		kind = "JPEG"
		f, err = splitJPEG(picture)
	case len(picture) >= 12 && string(picture[:4]) == "RIFF" && string(picture[8:12]) == "WEBP":
		kind = "WebP"
		f, err = splitWebP(picture)
	default:
		return nil, errors.New("provenance: the file is no PNG, JPEG or WebP picture")
	}
	if err != nil {
		return nil, fmt.Errorf("provenance: the %s file: %w", kind, err)
	}
	return f, nil
}

// errCut says that a file ends too early.
var errCut = errors.New("it is cut off")

// tooLarge says that a packet does not fit.
func tooLarge(packet []byte, most int) error {
	if len(packet) <= most {
		return nil
	}
	return fmt.Errorf("provenance: the record needs %d bytes of XMP, and the file takes at most %d: leave out Input", len(packet), most)
}
