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

	"github.com/falimage/falimage-go/fal/internal/naming"
)

const (
	// maxDownload limits the size of one file. LoRAs are the largest.
	maxDownload = 4 << 30
	// maxHead limits what is read to find the size of a picture, and firstHead
	// what is read of it at first.
	maxHead, firstHead = 16 << 20, 64 << 10
)

// Download returns the content of a file in a result. The API key is never
// sent along; addresses in private networks are refused, unless they are those
// of the client's own Hosts. The caller closes it. Reading more than 4 GiB is
// an error.
//
// What is cut off, or silent for a minute, is gone on with where it ended, and
// read again as a whole where the server does not allow that. A file that is
// empty, or a page of HTML, is asked for again, and then is an error.
func (c *Client) Download(ctx context.Context, m Media) (io.ReadCloser, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errors.New("fal: download: no file is given")
	}
	address, contentType := m.media()
	if isDataURL(address) {
		_, content, err := decodeDataURL(address)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(content)), nil
	}
	return c.fetchFile(ctx, address, strings.HasPrefix(contentType, "text/html"))
}

// download asks for a file. The header may ask for a range; the answer may then
// be the whole file all the same.
func (c *Client) download(ctx context.Context, address string, header http.Header) (*http.Response, error) {
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
	return resp, nil
}

// Decode downloads a picture in a result and decodes it: PNG, JPEG, GIF and
// WebP. It takes at most 512 MiB of memory: about 64 megapixels as PNG or WebP,
// 76 as JPEG, 28 as progressive JPEG.
func (c *Client) Decode(ctx context.Context, m Media) (image.Image, error) {
	r, err := c.Download(ctx, m)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// The header is read first, so that a small file cannot claim a huge
	// picture; then it is read again as a part of the whole.
	var head bytes.Buffer
	config, format, err := image.DecodeConfig(io.LimitReader(io.TeeReader(r, &head), maxHead))
	if err != nil {
		return nil, fmt.Errorf("fal: decode: not a PNG, JPEG, GIF or WebP picture: %w", err)
	}
	if err := checkPicture(format, config, &head, r, m); err != nil {
		return nil, fmt.Errorf("fal: decode: %w", err)
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
// KiB, and reads on, up to 16 MiB, only if the size is not among them or the server
// refuses to send a part. It takes the same care as [Client.Download]: no key is sent along, and private addresses are
// refused. [File.Dimensions] does it for local files alone.
func (c *Client) Dimensions(ctx context.Context, f File) (width, height int, err error) {
	width, height, err = f.Dimensions()
	if !errors.Is(err, ErrRemote) {
		return width, height, err
	}
	if err := c.ready(ctx); err != nil {
		return 0, 0, err
	}
	resp, err := c.download(ctx, f.url, headRange)
	if err == nil {
		width, height, err = dimensions(io.LimitReader(resp.Body, firstHead))
		_ = resp.Body.Close()
		if err == nil {
			return width, height, nil
		}
	} else if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusRequestedRangeNotSatisfiable && e.Status != http.StatusBadRequest {
		return 0, 0, err
	}
	// The size is not among them, or the server takes no ranges.
	body, err := c.fetchFile(ctx, f.url, false)
	if err != nil {
		return 0, 0, err
	}
	defer body.Close()
	width, height, err = dimensions(io.LimitReader(body, maxHead))
	if err != nil {
		return 0, 0, fmt.Errorf("fal: %s: %w", bareURL(f.url), err)
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
	if ext := naming.Extension(contentType); ext != ".bin" {
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

// Extension returns the file name extension, with its dot, of the name that the
// file has in the result, such as ".safetensors", or of its URL; ".bin" without
// one.
func (f OutputFile) Extension() string {
	address, _, _ := strings.Cut(f.URL, "?")
	return naming.ExtensionIn(f.FileName, address)
}
