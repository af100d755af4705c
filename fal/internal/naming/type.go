// Package naming names files: by templates, and by what their bytes are.
package naming

import (
	"bytes"
	"cmp"
	"mime"
	"net/http"
	"path/filepath"
	"slices"
)

// Head is how many of the first bytes of a file tell what it is.
const Head = 512

// Type returns the media type of a file by its first bytes; its name decides where
// they leave it open.
func Type(name string, head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")):
		return "image/tiff"
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		if kind := brand(head); kind != "" {
			return kind
		}
	}
	kind := http.DetectContentType(head)
	if kind == "application/octet-stream" || kind == "text/plain; charset=utf-8" {
		return cmp.Or(mime.TypeByExtension(filepath.Ext(name)), kind)
	}
	return kind
}

// brand tells which kind of picture an ISO base media file is, by the brands
// that it says it is compatible with; "" if it is none.
func brand(head []byte) string {
	end := min(len(head), int(head[2])<<8|int(head[3]))
	var brands []string
	for at := 8; at+4 <= end; at += 4 {
		if at != 12 { // the version of the first brand
			brands = append(brands, string(head[at:at+4]))
		}
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(brands, func(b string) bool { return slices.Contains(names, b) })
	}
	switch {
	case has("avif", "avis"):
		return "image/avif"
	case has("heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"):
		return "image/heic"
	case has("mif1", "msf1"):
		return "image/heif"
	}
	return ""
}

// extensions are the file name extensions of media types.
var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/jpg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif",
	"image/avif": ".avif", "image/heic": ".heic", "image/heif": ".heif", "image/tiff": ".tiff", "image/bmp": ".bmp",
	"application/zip": ".zip",
}

// Extension returns the file name extension for a media type, with its dot: ".bin"
// for one that is not known.
func Extension(contentType string) string {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return cmp.Or(extensions[mediaType], ".bin")
}
