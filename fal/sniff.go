package fal

import "strings"

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
