package fal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // for Decode and File.Dimensions
	_ "image/jpeg" // likewise
	"io"
	"net/http"
	"path/filepath"
	"strings"

	_ "golang.org/x/image/webp" // likewise
)

const (
	// maxDownload limits the size of one file. LoRAs are the largest.
	maxDownload = 4 << 30
	// maxPixels limits the pictures that Decode takes: 256 megapixels.
	maxPixels = 256 << 20
	// maxHead limits what Decode reads to find the size of a picture.
	maxHead = 16 << 20
)

// Download returns the content of a file in a result. The API key is never
// sent along; addresses in private networks are refused, unless they are those
// of the client's own Hosts. The caller closes it. Reading more than 4 GiB is
// an error.
func (c *Client) Download(ctx context.Context, m Media) (io.ReadCloser, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errors.New("fal: download: no file is given")
	}
	address, _ := m.media()
	return c.download(ctx, address, nil)
}

// download is Download of an address. The header may ask for a range; the
// answer may then be the whole file all the same.
func (c *Client) download(ctx context.Context, address string, header http.Header) (io.ReadCloser, error) {
	if isDataURL(address) {
		_, content, err := decodeDataURL(address)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(content)), nil
	}
	resp, err := c.transport.Download(ctx, address, header)
	if err != nil {
		return nil, fmt.Errorf("fal: download: %w", err)
	}
	if part := resp.StatusCode == http.StatusPartialContent && header.Get("Range") != ""; resp.StatusCode != http.StatusOK && !part {
		body, _ := readHead(resp)
		e := c.newError("download", "", resp, body)
		e.Message = bareURL(address) + ": " + e.Message
		if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
			e.Message += ": files are kept for a limited time"
		}
		return nil, e
	}
	if resp.ContentLength > maxDownload {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("fal: download: the file has %d bytes; at most %d are read", resp.ContentLength, int64(maxDownload))
	}
	return &limitedBody{resp.Body, maxDownload}, nil
}

// limitedBody fails when more is read than it allows.
type limitedBody struct {
	io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("fal: download: the file has more than the %d bytes that are read", int64(maxDownload))
	}
	return n, err
}

// Decode downloads a picture in a result and decodes it: PNG, JPEG, GIF and
// WebP, of at most 256 megapixels.
func (c *Client) Decode(ctx context.Context, m Media) (image.Image, error) {
	r, err := c.Download(ctx, m)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// The header is read first, so that a small file cannot claim a huge
	// picture; then it is read again as a part of the whole.
	var head bytes.Buffer
	config, _, err := image.DecodeConfig(io.LimitReader(io.TeeReader(r, &head), maxHead))
	if err != nil {
		return nil, fmt.Errorf("fal: decode: not a PNG, JPEG, GIF or WebP picture: %w", err)
	}
	if config.Width > maxPixels/max(config.Height, 1) {
		return nil, fmt.Errorf("fal: decode: the picture is %dx%d; at most %d pixels are decoded", config.Width, config.Height, maxPixels)
	}
	picture, _, err := image.Decode(io.MultiReader(&head, r))
	if err != nil {
		return nil, fmt.Errorf("fal: decode: %w", err)
	}
	return picture, nil
}

// headRange asks for the first bytes of a picture, in which nearly all have
// their size.
var headRange = http.Header{"Range": {"bytes=0-65535"}}

// Dimensions returns the width and height in pixels of a picture, wherever it
// is. For one behind an http or https URL it asks the server for the first 64
// KiB, and reads on only if the size is not among them. It takes the same care
// as [Client.Download]: no key is sent along, and private addresses are
// refused. [File.Dimensions] does it for local files alone.
func (c *Client) Dimensions(ctx context.Context, f File) (width, height int, err error) {
	width, height, err = f.Dimensions()
	if !errors.Is(err, ErrRemote) {
		return width, height, err
	}
	if err := c.ready(ctx); err != nil {
		return 0, 0, err
	}
	width, height, err = c.remoteDimensions(ctx, f.url, headRange)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		width, height, err = c.remoteDimensions(ctx, f.url, nil)
	}
	return width, height, err
}

// remoteDimensions reads a remote picture up to its size and hangs up.
func (c *Client) remoteDimensions(ctx context.Context, address string, header http.Header) (width, height int, err error) {
	body, err := c.download(ctx, address, header)
	if err != nil {
		return 0, 0, err
	}
	defer body.Close()
	width, height, err = dimensions(body)
	if err != nil {
		return 0, 0, fmt.Errorf("fal: %s: %w", bareURL(address), err)
	}
	return width, height, nil
}

// Extension returns the file name extension of the picture's format, with its
// dot, as far as the result tells: ".jpg", ".png", ".webp", ".gif" or ".bin".
func (i Image) Extension() string {
	contentType := i.ContentType
	if data, ok := strings.CutPrefix(i.URL, "data:"); ok {
		contentType, _, _ = strings.Cut(data, ",")
	}
	if ext := extension(contentType); ext != ".bin" {
		return ext
	}
	address, _, _ := strings.Cut(i.URL, "?")
	switch ext := strings.ToLower(filepath.Ext(address)); ext {
	case ".png", ".webp", ".gif", ".jpg":
		return ext
	case ".jpeg":
		return ".jpg"
	}
	return ".bin"
}
