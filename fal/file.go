package fal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/fal/internal/exif"
)

// File is a file in a request: a picture to edit, a mask, a LoRA, a training
// set. It is made by [URL], [Path], [Bytes], [Reader], [Picture] or [Open],
// never from a bare string, so that a URL that came from a user can never make
// this program read a local file. The zero File is no file.
//
// Files that are not URLs are uploaded when the request is sent, each content
// once per client. A File is small, may be copied, used in several requests
// and by several goroutines at once.
type File struct {
	url   string
	local *local

	width, height int   // as Sized told
	bytes         int64 // as a result or an upload told; 0 if none did
	unturned      bool  // Upright was asked for, of a URL
}

// local is a file on this side of the wire.
type local struct {
	name string
	path string // where it is on this computer; "" if it is nowhere
	sum  string // its SHA-256, if that is known
	open func() (io.ReadCloser, error)
	dims func() (width, height int, err error) // nil: read them from the content
	// progress is told how far an upload has come; nil for nobody.
	progress func(sent, total int64)
	upright  bool // as Upright made it
}

// maxReader is how much Reader is ready to hold in memory.
const maxReader = 256 << 20

// URL returns the file at an http, https or data URL. It is passed on; the
// model fetches it. Spaces and letters outside of ASCII are escaped, as browsers
// do. Data URLs suit small files only: fal refuses request bodies of some 10 MB.
func URL(u string) File { return File{url: escapeURL(u)} }

// Sized returns the file with the width and height in pixels that its picture
// is known to have: quotes and budgets then need not look. It is for pictures
// behind URLs; what is on this side of the wire is measured. Pictures of
// results know their size.
func (f File) Sized(width, height int) File {
	f.width, f.height = max(width, 0), max(height, 0)
	return f
}

// Path returns the file at a path of this computer. It is opened when it is
// needed, and not held open.
func Path(name string) File {
	f := Open(filepath.Base(name), func() (io.ReadCloser, error) { return os.Open(name) })
	f.local.path = name
	return f
}

// FS returns the named file of a file system, such as an embed.FS.
func FS(fsys fs.FS, name string) File {
	return Open(filepath.Base(name), func() (io.ReadCloser, error) { return fsys.Open(name) })
}

// Bytes returns a file with the given content, which must not change
// afterwards.
func Bytes(content []byte) File {
	return Open("", func() (io.ReadCloser, error) { return memory{bytes.NewReader(content)}, nil })
}

// memory is content that is held in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// Reader returns a file with the content of r. It is read once, when first
// needed, and kept in memory; more than 256 MiB is an error. Use [Open] for
// what can be opened again and need not be kept.
func Reader(r io.Reader) File {
	return kept(func() ([]byte, error) {
		if r == nil {
			return nil, errors.New("the reader is nil")
		}
		b, err := io.ReadAll(io.LimitReader(r, maxReader+1))
		if err == nil && len(b) > maxReader {
			err = fmt.Errorf("fal: Reader holds at most %d bytes; use Open for larger files", maxReader)
		}
		return b, err
	})
}

// Picture returns a file holding m, encoded as PNG when first needed.
func Picture(m image.Image) File {
	f := kept(func() ([]byte, error) {
		if m == nil {
			return nil, errors.New("the picture is nil")
		}
		var b bytes.Buffer
		err := png.Encode(&b, m)
		return b.Bytes(), err
	})
	f.local.dims = func() (int, int, error) {
		if m == nil {
			return 0, 0, errors.New("the picture is nil")
		}
		return m.Bounds().Dx(), m.Bounds().Dy(), nil
	}
	return f
}

// kept returns a file whose content is made once, when first needed.
func kept(content func() ([]byte, error)) File {
	once := sync.OnceValues(content)
	return Open("", func() (io.ReadCloser, error) {
		b, err := once()
		return memory{bytes.NewReader(b)}, err
	})
}

// Open returns a file that open opens; it is called once for each reading and
// must give the same content each time. Name is the file name to upload it
// under; when it is empty, a name is made from the content.
func Open(name string, open func() (io.ReadCloser, error)) File {
	return File{local: &local{name: name, open: open}}
}

// Progress returns the same file; while it is uploaded, report is called with
// the bytes that were sent and the bytes that there are, -1 while that is not
// known. It is called often, by one goroutine at a time, and does not count
// what is sent a second time. Content that was uploaded before is told in one
// call. A file at a URL is never uploaded and tells nothing.
func (f File) Progress(report func(sent, total int64)) File {
	if f.local != nil {
		l := *f.local
		l.progress = report
		f.local = &l
	}
	return f
}

// content opens the file, whatever its code does.
func (l *local) content() (g guardedReader, err error) {
	defer recovered("reading it", &err)
	if l.open == nil {
		return g, errors.New("there is no function to open it")
	}
	r, err := l.open()
	if err == nil && r == nil {
		err = errors.New("opening it gave nothing to read")
	}
	return guardedReader{r}, err
}

// IsZero reports whether f is no file.
func (f File) IsZero() bool { return f == File{} }

// URL returns the URL of the file and true, or false where it is on this side
// of the wire.
func (f File) URL() (string, bool) { return f.url, f.local == nil && f.url != "" }

// String describes the file in a few words, without its content.
func (f File) String() string {
	switch {
	case f.local != nil && f.local.name != "":
		return "file " + f.local.name
	case f.local != nil:
		return "file in memory"
	default:
		return bareURL(f.url)
	}
}

// Open returns the content of a file on this side of the wire, or of a data
// URL. For other URLs the error is [ErrRemote]. The caller closes it.
func (f File) Open() (io.ReadCloser, error) {
	switch {
	case f.local != nil:
		g, err := f.local.content()
		if err != nil {
			return nil, err
		}
		return g, nil
	case isDataURL(f.url):
		_, content, err := decodeDataURL(f.url)
		return io.NopCloser(bytes.NewReader(content)), err
	case f.url == "":
		return nil, errors.New("fal: no file is given")
	default:
		return nil, ErrRemote
	}
}

// Dimensions returns the width and height in pixels of a picture on this side
// of the wire, or in a data URL, as it is shown: a photo that is stored lying on
// its side counts upright. Only the header of a PNG, JPEG, GIF or WebP file is
// read. For other URLs it is what [File.Sized] told, or the error is
// [ErrRemote].
func (f File) Dimensions() (width, height int, err error) {
	if f.width > 0 && f.height > 0 {
		return f.width, f.height, nil
	}
	if f.local != nil && f.local.dims != nil {
		defer recovered("reading it", &err)
		return f.local.dims()
	}
	r, err := f.Open()
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	width, height, err = dimensions(r)
	if err != nil {
		return 0, 0, fmt.Errorf("fal: %v: %w", f, err)
	}
	return width, height, nil
}

// Size returns the number of bytes of a file on this side of the wire or in a
// data URL, or of one that a result or [Client.Upload] told the size of. What is
// no file of this computer is read to find it. For other URLs the error is
// [ErrRemote].
func (f File) Size() (int64, error) {
	if f.bytes > 0 {
		return f.bytes, nil
	}
	r, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if g, ok := r.(guardedReader); ok && g.size() >= 0 {
		return g.size(), nil
	}
	return io.Copy(io.Discard, r)
}

// Path returns where the file is on this computer: the path that [Path] was given,
// or that [Client.SaveAll] has saved it to; "" for other files.
func (f File) Path() string {
	if f.local == nil {
		return ""
	}
	return f.local.path
}

// SHA256 returns the digest of the content, in hexadecimal. Of a file that
// [Client.SaveAll] has saved it is that of what was saved; others on this side of
// the wire, and data URLs, are read to find it. For other URLs the error is
// [ErrRemote].
func (f File) SHA256() (string, error) {
	if f.local != nil && f.local.sum != "" {
		return f.local.sum, nil
	}
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// dimensions reads the size of a picture, as it is shown.
func dimensions(r io.Reader) (width, height int, err error) {
	var head bytes.Buffer
	config, _, err := image.DecodeConfig(io.TeeReader(io.LimitReader(r, maxHead), &head))
	if err != nil {
		return 0, 0, fmt.Errorf("not a PNG, JPEG, GIF or WebP picture: %w", err)
	}
	if exif.Orientation(io.MultiReader(&head, r)) > 4 { // lying on a side
		return config.Height, config.Width, nil
	}
	return config.Width, config.Height, nil
}

// MarshalJSON writes the URL. A file that has none yet is an error: it gets
// one when the request is sent, or by [Client.Upload].
func (f File) MarshalJSON() ([]byte, error) {
	if f.local != nil {
		return nil, fmt.Errorf("fal: %v has no URL yet: it gets one when the request is sent, or by Client.Upload", f)
	}
	return json.Marshal(f.url)
}

// UnmarshalJSON reads a URL, and null as no file. The URL is not checked.
func (f *File) UnmarshalJSON(data []byte) error {
	var u *string
	if err := json.Unmarshal(data, &u); err != nil {
		return errors.New("fal: a file is a string holding a URL")
	}
	*f = File{}
	if u != nil {
		f.url = escapeURL(*u)
	}
	return nil
}

// Check returns an error unless f is a local file or an absolute http, https
// or well-formed data URL. It reads nothing.
func (f File) Check() error {
	if f.local != nil {
		return nil
	}
	if f.url == "" {
		return errors.New("no file is given")
	}
	if isDataURL(f.url) {
		if !strings.Contains(f.url, ",") {
			return errors.New("a data URL needs a comma before its content")
		}
		return nil
	}
	if f.unturned {
		return errNotTurned
	}
	u, err := url.Parse(f.url)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("not an absolute http, https or data URL; local files are given by fal.Path")
	}
	if strings.ContainsFunc(u.Host, notASCII) {
		return errors.New("the name of the host is not ASCII; write it in its ASCII form (xn--...)")
	}
	return nil
}

// shorten keeps long values, such as data URLs, out of messages.
func shorten(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("... (%d bytes)", len(s))
}
