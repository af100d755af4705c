package fal_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

// A result is read to its limit, and no byte further, whether its length is told
// or not.
func TestLongestResult(t *testing.T) {
	t.Parallel()
	const most = 16 << 20
	for size, good := range map[int]bool{most: true, most + 1: false} {
		for _, told := range []bool{true, false} {
			result := `{"images":[{"url":"https://x.example/a.png"}]}`
			result += strings.Repeat(" ", size-len(result))
			c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Fal-Request-Id", "r-1")
				if told {
					w.Header().Set("Content-Length", strconv.Itoa(size))
				} else {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.WriteString(w, result)
			})
			out, err := fal.Run(t.Context(), c, flux.Pro2{Prompt: "x"})
			if (err == nil) != good || good && len(out.Images) != 1 {
				t.Errorf("%d bytes, told %t: %v", size, told, err)
			}
		}
	}
}

// What cannot stand in a URL is escaped, and nothing else.
func TestEscapes(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://x.example/a~b?c=~":    "https://x.example/a~b?c=~",
		"https://x.example/a?c=\x7f":   "https://x.example/a?c=\x7f", // no URL: Check tells
		"https://x.example/a b?c=d e":  "https://x.example/a%20b?c=d%20e",
		"https://x.example/ä?ö=%C3%BC": "https://x.example/%C3%A4?%C3%B6=%C3%BC",
		" https://x.example/a\n":       "https://x.example/a",
		"https://ü.example/a b":        "https://ü.example/a b",
		"data:text/plain,a b":          "data:text/plain,a b",
	} {
		if got, _ := fal.URL(given).URL(); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
	if err := fal.URL("https://x.example/a?c=\x7f").Check(); err == nil {
		t.Error("a control character in a URL was taken")
	}
}

// What is asked of fal's storage is JSON that says so.
func TestStorageIsAskedInJSON(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			asked.Add(1)
			if got := r.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("%s has the type %q", r.URL.Path, got)
			}
			_, _ = fmt.Fprintf(w, `{"upload_url":"http://%s/up","file_url":"https://x.example/a"}`, r.Host)
		}
	})
	if _, err := c.Upload(t.Context(), fal.Bytes([]byte("x"))); err != nil || asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}

// A download that brings something goes on as often as that takes, up to a limit,
// and one that brings nothing ends soon.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		each int // bytes of an answer
		most int32
		size int
		good bool
	}{
		"a byte at a time":    {1, 101, 101, true},
		"more times than so":  {1, 101, 102, false},
		"nothing at any time": {0, 5, 10, false},
	} {
		var asked atomic.Int32
		c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			from := 0
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			if from > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, tt.size-1, tt.size))
			}
			w.Header().Set("Content-Length", strconv.Itoa(tt.size-from))
			if from > 0 {
				w.WriteHeader(http.StatusPartialContent)
			}
			each := tt.each
			if from == 0 {
				each = 1 // else it is no answer
			}
			_, _ = io.WriteString(w, strings.Repeat("x", each))
			_ = http.NewResponseController(w).Flush()
			if from+each < tt.size {
				panic(http.ErrAbortHandler)
			}
		})
		body, err := c.Download(t.Context(), fal.OutputFile{URL: c.Hosts.Run + "/a"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		_ = body.Close()
		if (err == nil) != tt.good || asked.Load() > tt.most || tt.good && len(got) != tt.size || errors.Is(err, io.EOF) {
			t.Errorf("%s: %d bytes in %d answers, %v", name, len(got), asked.Load(), err)
		}
	}
}

// Files are named by where they stand, from the first to the last of many.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	files := make([]fal.File, 12)
	for i := range files {
		files[i] = fal.Bytes([]byte{byte(i)})
	}
	var fields []string
	_, err := fal.MapFiles(fal.Call[fal.Images]{ID: "a/b", Input: map[string]any{"image_urls": files}}, func(field string, f fal.File) (fal.File, error) {
		fields = append(fields, field)
		return f, nil
	})
	if err != nil || len(fields) != 12 || fields[9] != "image_urls[9]" || fields[11] != "image_urls[11]" {
		t.Errorf("%q, %v", fields, err)
	}
}
