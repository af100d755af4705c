package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"net/http"
	"regexp"
	"strings"

	_ "golang.org/x/image/webp" // for image.Decode

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/internal/exif"
)

// maxHead bounds what is read of a picture to find its size.
const maxHead = 4 << 20

// pictureName matches what is called like a picture, by its ending.
var pictureName = regexp.MustCompile(`(?i)\.(png|jpe?g|webp|gif|bmp|tiff?|hei[cf]|avif)$`)

// head is what the first bytes of a picture tell.
type head struct {
	ext           string // ".png", ".jpg" or ".webp", whatever it is called
	width, height int    // as it is stored
	turn          int    // as in package exif: 1 is upright
}

// shown returns the width and height that viewers show.
func (h head) shown() image.Point {
	if h.turn > 4 {
		return image.Pt(h.height, h.width)
	}
	return image.Pt(h.width, h.height)
}

func (h head) pixels() int64 { return int64(h.width) * int64(h.height) }

// turnedExt is the extension of the picture when it was turned.
func (h head) turnedExt() string {
	if h.ext == ".jpg" {
		return ".jpg"
	}
	return ".png" // there is no writer of WebP
}

// look reads the head of a picture. JPEG, PNG and WebP are documented for
// fal-ai/qwen-image-trainer and assumed for the others.
func look(file fal.File) (h head, err error) {
	defer catch(&err)
	r, err := open(file)
	if err != nil {
		return head{}, err
	}
	defer r.Close()
	b := bufio.NewReader(r)
	start, err := b.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return head{}, err
	}
	if h.ext = extension(start); h.ext == "" {
		return head{}, errors.New(notPicture(start))
	}
	var read bytes.Buffer
	config, _, err := image.DecodeConfig(io.TeeReader(io.LimitReader(b, maxHead), &read))
	if err != nil {
		return head{}, fmt.Errorf("is a picture that cannot be read: %w", err)
	}
	h.width, h.height = config.Width, config.Height
	h.turn = exif.Orientation(io.MultiReader(&read, b))
	return h, nil
}

// extension returns the extension that belongs to the first bytes of a file, or
// "" for what trainers do not take.
func extension(start []byte) string {
	switch http.DetectContentType(start) {
	case "image/png":
		return ".png"
	case "image/jpeg":
		return ".jpg"
	case "image/webp":
		return ".webp"
	}
	return ""
}

// notPicture says what a file is by its first bytes.
func notPicture(start []byte) string {
	const take = ": trainers take PNG, JPEG and WebP"
	kind, _, _ := strings.Cut(http.DetectContentType(start), ";")
	brands := ""
	if len(start) >= 12 && string(start[4:8]) == "ftyp" {
		brands = string(start[8:min(len(start), max(12, int(start[3])))])
	}
	switch {
	case len(start) == 0:
		return "is empty"
	case strings.Contains(brands, "avif") || strings.Contains(brands, "avis"):
		return "is an AVIF picture" + take
	case strings.HasPrefix(brands, "he") || strings.HasPrefix(brands, "mif1") || strings.HasPrefix(brands, "msf1"):
		return "is a HEIC picture" + take
	case bytes.HasPrefix(start, []byte("II*\x00")) || bytes.HasPrefix(start, []byte("MM\x00*")):
		return "is a TIFF picture or the raw data of a camera" + take
	case strings.HasPrefix(kind, "image/"):
		return "is a picture of type " + kind + take
	case kind != "application/octet-stream":
		return "is no picture, but of type " + kind
	}
	return "is not a PNG, JPEG or WebP picture"
}

// open opens a file, and does not trust what it gets.
func open(file fal.File) (io.ReadCloser, error) {
	r, err := file.Open()
	if err == nil && r == nil {
		err = errors.New("opening it gave nothing to read")
	}
	return r, err
}

// catch makes an error of a panic in the code of the user, which may open, read
// and draw files.
func catch(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("reading it panicked: %v", r)
	}
}
