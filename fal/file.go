package fal

import (
	"bytes"
	"encoding/base64"
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
}

// local is a file on this side of the wire.
type local struct {
	name string
	open func() (io.ReadCloser, error)
	dims func() (width, height int, err error) // nil: read them from the content
}

// maxReader is how much Reader is ready to hold in memory.
const maxReader = 256 << 20

// URL returns the file at an http, https or data URL. It is passed on as it
// is; the model fetches it. Data URLs suit small files only: fal refuses
// request bodies of some 10 MB.
func URL(u string) File { return File{url: u} }

// Path returns the file at a path of this computer. It is opened when it is
// needed, and not held open.
func Path(name string) File {
	return Open(filepath.Base(name), func() (io.ReadCloser, error) { return os.Open(name) })
}

// FS returns the named file of a file system, such as an embed.FS.
func FS(fsys fs.FS, name string) File {
	return Open(filepath.Base(name), func() (io.ReadCloser, error) { return fsys.Open(name) })
}

// Bytes returns a file with the given content, which must not change
// afterwards.
func Bytes(content []byte) File {
	return Open("", func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
}

// Reader returns a file with the content of r. It is read once, when first
// needed, and kept in memory; more than 256 MiB is an error. Use [Open] for
// what can be opened again and need not be kept.
func Reader(r io.Reader) File {
	content := sync.OnceValues(func() ([]byte, error) {
		b, err := io.ReadAll(io.LimitReader(r, maxReader+1))
		if err == nil && len(b) > maxReader {
			err = fmt.Errorf("fal: Reader holds at most %d bytes; use Open for larger files", maxReader)
		}
		return b, err
	})
	return Open("", func() (io.ReadCloser, error) {
		b, err := content()
		return io.NopCloser(bytes.NewReader(b)), err
	})
}

// Picture returns a file holding m, encoded as PNG when first needed.
func Picture(m image.Image) File {
	content := sync.OnceValues(func() ([]byte, error) {
		var b bytes.Buffer
		err := png.Encode(&b, m)
		return b.Bytes(), err
	})
	f := Open("", func() (io.ReadCloser, error) {
		b, err := content()
		return io.NopCloser(bytes.NewReader(b)), err
	})
	f.local.dims = func() (int, int, error) { return m.Bounds().Dx(), m.Bounds().Dy(), nil }
	return f
}

// Open returns a file that open opens; it is called once for each reading and
// must give the same content each time. Name is the file name to upload it
// under; when it is empty, a name is made from the content.
func Open(name string, open func() (io.ReadCloser, error)) File {
	return File{local: &local{name: name, open: open}}
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

// bareURL returns a URL as it can be shown: without what may be secret in it,
// and without the content of a data URL.
func bareURL(s string) string {
	if data, ok := strings.CutPrefix(s, "data:"); ok {
		kind, _, _ := strings.Cut(data, ",")
		return "data:" + shorten(kind) + fmt.Sprintf(",... (%d bytes)", len(s))
	}
	if end := strings.IndexAny(s, "?#"); end >= 0 {
		s = s[:end]
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		authority, _, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			s = scheme + "://" + rest[at+1:]
		}
	}
	return visible(shorten(s))
}

// Open returns the content of a file on this side of the wire, or of a data
// URL. For other URLs the error is [ErrRemote]. The caller closes it.
func (f File) Open() (io.ReadCloser, error) {
	switch {
	case f.local != nil:
		return f.local.open()
	case strings.HasPrefix(f.url, "data:"):
		_, content, err := decodeDataURL(f.url)
		return io.NopCloser(bytes.NewReader(content)), err
	case f.url == "":
		return nil, errors.New("fal: no file is given")
	default:
		return nil, ErrRemote
	}
}

// Dimensions returns the width and height in pixels of a picture on this side
// of the wire, or in a data URL; only the header of a PNG, JPEG, GIF or WebP
// file is read. For other URLs the error is [ErrRemote].
func (f File) Dimensions() (width, height int, err error) {
	if f.local != nil && f.local.dims != nil {
		return f.local.dims()
	}
	r, err := f.Open()
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	config, _, err := image.DecodeConfig(r)
	if err != nil {
		return 0, 0, fmt.Errorf("fal: %v: not a PNG, JPEG, GIF or WebP picture: %w", f, err)
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
		f.url = *u
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
	if rest, ok := strings.CutPrefix(f.url, "data:"); ok {
		if !strings.Contains(rest, ",") {
			return errors.New("a data URL needs a comma before its content")
		}
		return nil
	}
	u, err := url.Parse(f.url)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("not an absolute http, https or data URL; local files are given by fal.Path")
	}
	return nil
}

// decodeDataURL splits a data URL into its media type and content.
func decodeDataURL(u string) (mediaType string, content []byte, err error) {
	head, data, ok := strings.Cut(strings.TrimPrefix(u, "data:"), ",")
	if !ok {
		return "", nil, errors.New("fal: a data URL needs a comma before its content")
	}
	mediaType, isBase64 := strings.CutSuffix(head, ";base64")
	if !isBase64 {
		text, err := url.PathUnescape(data)
		if err != nil {
			return "", nil, fmt.Errorf("fal: data URL: %w", err)
		}
		return mediaType, []byte(text), nil
	}
	// Some writers pad and some do not.
	content, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(data, "="))
	if err != nil {
		return "", nil, fmt.Errorf("fal: data URL: %w", err)
	}
	return mediaType, content, nil
}

// shorten keeps long values, such as data URLs, out of messages.
func shorten(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("... (%d bytes)", len(s))
}
