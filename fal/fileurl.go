package fal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// bareURL returns a URL as it can be shown: without what may be secret in it,
// and without the content of a data URL.
func bareURL(s string) string {
	if isDataURL(s) {
		kind, _, _ := strings.Cut(s[5:], ",")
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

// isDataURL reports whether a URL holds its content.
func isDataURL(u string) bool { return len(u) >= 5 && strings.EqualFold(u[:5], "data:") }

// decodeDataURL splits a data URL into its media type and content, in all the
// forms that browsers and libraries write: with line ends in the content, with
// the alphabet for URLs, escaped, with and without padding.
func decodeDataURL(u string) (mediaType string, content []byte, err error) {
	head, data, ok := strings.Cut(u[min(len(u), 5):], ",")
	if !ok {
		return "", nil, errors.New("fal: a data URL needs a comma before its content")
	}
	if strings.Contains(data, "%") {
		if data, err = url.PathUnescape(data); err != nil {
			return "", nil, fmt.Errorf("fal: data URL: %w", err)
		}
	}
	mark := strings.LastIndexByte(head, ';') + 1
	if mark == 0 || !strings.EqualFold(strings.TrimSpace(head[mark:]), "base64") {
		return strings.TrimSpace(head), []byte(data), nil
	}
	if strings.ContainsAny(data, " \t\r\n-_") {
		data = dataURLReplacer.Replace(data)
	}
	content, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(data, "="))
	if err != nil {
		return "", nil, fmt.Errorf("fal: data URL: %w", err)
	}
	return strings.TrimSpace(head[:mark-1]), content, nil
}

var dataURLReplacer = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "", "-", "+", "_", "/")

// escapeURL puts a URL into the form in which it can be fetched. What is none is
// left as it is, for [File.Check] to tell.
func escapeURL(s string) string {
	s = strings.TrimSpace(s)
	if isDataURL(s) || !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.ContainsFunc(u.Host, notASCII) {
		return s
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	return u.String()
}

func notASCII(r rune) bool { return r >= 0x80 }

// escapeQuery escapes what cannot stand in a query, and leaves the rest as it
// is: it may be signed.
func escapeQuery(query string) string {
	var b strings.Builder
	for _, c := range []byte(query) {
		if c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
