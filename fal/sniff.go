package fal

import (
	"bytes"
	"cmp"
	"mime"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
)

// sniffed is how many of the first bytes of a file tell what it is.
const sniffed = 512

// contentType tells what the first bytes are; the name decides where they
// leave it open.
func contentType(name string, head []byte) string {
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

// extension returns the file name extension for a media type, with its dot.
func extension(contentType string) string {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return cmp.Or(extensions[mediaType], ".bin")
}

// fit judges a file by its media type and the path of the field that it is in:
// fal's names say what a field takes. The problem is what can never work; the
// doubt is a format that is not known here.
func fit(path, contentType string) (problem, doubt string) {
	name := path[strings.LastIndexByte(path, '.')+1:]
	name, _, _ = strings.Cut(name, "[")
	kind, _, _ := strings.Cut(contentType, ";")
	known := kind != "application/octet-stream" && kind != ""
	switch {
	case strings.HasSuffix(name, "data_url"):
		switch {
		case kind == "application/zip" || kind == "application/x-zip-compressed":
			return "", ""
		case known:
			return "is " + described(kind) + ": a training set is a zip archive, as package dataset makes it", ""
		}
		return "", "is not known to be a zip archive"
	case strings.Contains(name, "image") || strings.Contains(name, "mask"):
		switch {
		case strings.HasPrefix(kind, "image/") && kind != "image/svg+xml":
			return "", ""
		case known:
			return "is " + described(kind) + ", not a picture", ""
		}
		return "", "is in no format that is known here to be a picture"
	}
	return "", ""
}

// described names a media type as people do.
func described(kind string) string {
	switch {
	case kind == "text/html":
		return "an HTML page"
	case kind == "application/zip", kind == "application/x-gzip", kind == "application/x-rar-compressed":
		return "an archive"
	case kind == "application/pdf":
		return "a PDF file"
	case strings.HasPrefix(kind, "text/"):
		return "text"
	case strings.HasPrefix(kind, "image/"):
		return "a picture"
	}
	return kind
}
