package fal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal"
)

const pageOfHTML = "<!DOCTYPE html><html><title>Just a moment...</title></html>"

// cutting serves a file of which each answer but the last is cut off.
type cutting struct {
	content []byte
	cuts    int
	ranges  bool
	tag     func(n int) string
	asked   atomic.Int32
	partial atomic.Int32
}

func (s *cutting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(s.asked.Add(1))
	content := s.content
	if s.tag != nil {
		w.Header().Set("Etag", s.tag(n))
	}
	status, from := http.StatusOK, 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil && s.ranges && (s.tag == nil || r.Header.Get("If-Range") == s.tag(n)) {
		s.partial.Add(1)
		status, content = http.StatusPartialContent, content[from:]
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(s.content)-1, len(s.content)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if n <= s.cuts {
		_, _ = w.Write(content[:max(len(content)/2, 1)])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(content)
}

// A file that is cut off is gone on with; one that changed meanwhile is not
// patched together.
func TestCutDownloads(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	same := func(int) string { return `"v1"` }
	for name, tt := range map[string]struct {
		cuts    int
		ranges  bool
		tag     func(int) string
		partial int32
		fails   string
	}{
		"whole":           {},
		"cut, ranges":     {cuts: 3, ranges: true, partial: 3},
		"cut, tagged":     {cuts: 3, ranges: true, tag: same, partial: 3},
		"cut, no ranges":  {cuts: 2},
		"other each time": {cuts: 1, ranges: true, tag: func(n int) string { return fmt.Sprintf("%q", fmt.Sprint("v", n)) }, fails: "broke off"},
		"cut for ever":    {cuts: 1 << 30, fails: "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &cutting{content: content, cuts: tt.cuts, ranges: tt.ranges, tag: tt.tag}
			c, _ := answering(t, server.ServeHTTP)
			path := filepath.Join(t.TempDir(), "a.png")
			if err := os.WriteFile(path, []byte("good"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := c.Save(t.Context(), fal.Image{URL: c.Hosts.Run + "/a.png"}, path)
			got, _ := os.ReadFile(path)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || string(got) != "good" {
					t.Errorf("%d bytes: %v", len(got), err)
				}
				return
			}
			if err != nil || !bytes.Equal(got, content) || server.partial.Load() != tt.partial {
				t.Errorf("%d bytes in %d answers, %d of them parts: %v", len(got), server.asked.Load(), server.partial.Load(), err)
			}
		})
	}
}

// A beginning of which the rest is gone is no file, however short.
func TestCutAndGone(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "the beginning")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	path := filepath.Join(t.TempDir(), "a.png")
	err := c.Save(t.Context(), fal.Image{URL: c.Hosts.Run + "/a.png"}, path)
	if _, missing := os.Stat(path); err == nil || missing == nil {
		t.Errorf("what was cut off is saved as whole: %v", err)
	}
}

// What is no file is asked for again, and replaces nothing.
func TestNoFile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ body, want string }{"empty": {"", "empty"}, "page": {pageOfHTML, "HTML"}} {
		for _, once := range []bool{true, false} {
			var asked atomic.Int32
			c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) > 1 && once {
					_, _ = io.WriteString(w, "picture")
					return
				}
				_, _ = io.WriteString(w, tt.body)
			})
			path := filepath.Join(t.TempDir(), "a.png")
			if err := os.WriteFile(path, []byte("good"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := c.Save(t.Context(), fal.Image{URL: c.Hosts.Run + "/a.png"}, path)
			got, _ := os.ReadFile(path)
			if once && (err != nil || string(got) != "picture" || asked.Load() != 2) {
				t.Errorf("%s once: %q, %v", name, got, err)
			}
			if !once && (err == nil || !strings.Contains(err.Error(), tt.want) || string(got) != "good" || asked.Load() < 2) {
				t.Errorf("%s: %q after %d answers, %v", name, got, asked.Load(), err)
			}
		}
	}
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, pageOfHTML) })
	if r, err := c.Download(t.Context(), fal.OutputFile{URL: c.Hosts.Run + "/a", ContentType: "text/html; charset=utf-8"}); err != nil {
		t.Errorf("a page that is a result: %v", err)
	} else {
		_ = r.Close()
	}
}

// A download that falls silent ends, although its context never does.
func TestSilentDownload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		asked := 0
		m.RegisterResponder(http.MethodGet, "https://v3.fal.media/a.png", func(r *http.Request) (*http.Response, error) {
			asked++
			pr, pw := io.Pipe()
			context.AfterFunc(r.Context(), func() { pw.CloseWithError(r.Context().Err()) })
			go func() { _, _ = io.WriteString(pw, "begin") }()
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: pr, ContentLength: 100}, nil
		})
		m.client.Hosts = fal.Hosts{}
		start := time.Now()
		r, err := m.client.Download(context.Background(), fal.Image{URL: "https://v3.fal.media/a.png"})
		if err == nil {
			_, err = io.ReadAll(r)
			_ = r.Close()
		}
		if took := time.Since(start); err == nil || took < time.Minute || took > 15*time.Minute || asked < 2 {
			t.Errorf("after %v and %d answers: %v", took, asked, err)
		}
	})
}

// jpegClaim is the beginning of a JPEG of a size, whose picture is missing.
func jpegClaim(marker byte, side uint16, components byte) []byte {
	file := []byte{0xff, 0xd8, 0xff, marker, 0, 8 + 3*components, 8}
	file = binary.BigEndian.AppendUint16(file, side)
	file = binary.BigEndian.AppendUint16(file, side)
	file = append(file, components)
	for i := range components {
		file = append(file, i+1, 0x11, 0)
	}
	return append(file, 0xff, 0xda, 0, 6+2*components)
}

// pngClaim is the beginning of a PNG of a size.
func pngClaim(side uint32, depth, colour byte) []byte {
	header := []byte("IHDR")
	header = binary.BigEndian.AppendUint32(header, side)
	header = binary.BigEndian.AppendUint32(header, side)
	header = append(header, depth, colour, 0, 0, 0)
	file := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	file = append(file, header...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(header))
}

// A small file that claims a large picture takes no memory for it.
func TestClaims(t *testing.T) {
	// Not parallel: it looks at the memory of the process.
	for name, file := range map[string][]byte{
		"progressive JPEG":       jpegClaim(0xc2, 16000, 3),
		"progressive CMYK":       jpegClaim(0xc2, 8000, 4),
		"smaller progressive":    jpegClaim(0xc2, 4000, 3),
		"JPEG":                   jpegClaim(0xc0, 8000, 3),
		"PNG of 16 bits":         pngClaim(16000, 16, 6),
		"smaller PNG of 16 bits": pngClaim(4000, 16, 2),
		"PNG":                    pngClaim(8000, 8, 6),
		"GIF":                    hugeGIF(),
	} {
		c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(append(file, make([]byte, 1000)...)) })
		var err error
		start := time.Now()
		grown := peak(func() { _, err = c.Decode(t.Context(), fal.Image{URL: c.Hosts.Run + "/a"}) })
		t.Logf("%s: %d MiB in %v", name, grown, time.Since(start).Round(time.Millisecond))
		if err == nil || grown > 100 || !strings.Contains(err.Error(), "the picture") {
			t.Errorf("%s: %d MiB: %v", name, grown, err)
		}
	}
}

// Dimensions does not read on for ever to find a size.
func TestEndlessHead(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		segment := append([]byte{0xff, 0xe1, 0xff, 0xff}, make([]byte, 65533)...)
		_, _ = w.Write([]byte{0xff, 0xd8})
		for range 4096 {
			n, err := w.Write(segment)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	_, _, err := c.Dimensions(t.Context(), fal.URL(c.Hosts.Run+"/a.jpg"))
	if err == nil || sent.Load() > 40<<20 {
		t.Errorf("%d MiB were sent: %v", sent.Load()>>20, err)
	}
	if _, _, err := c.Dimensions(canceled(), fal.URL(c.Hosts.Run+"/a.jpg")); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
