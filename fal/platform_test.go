package fal_test

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

// pictureServer serves a large PNG whose size stands after a comment of the
// given length, with or without ranges, and counts what it sends.
func pictureServer(t *testing.T, width, height, comment int, ranges bool) (address string, sent *atomic.Int64) {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	content := append(buf.Bytes(), make([]byte, 8<<20)...)
	if comment > 0 { // a JPEG may have this much before its size, a PNG may not
		content = jpegWithComments(t, width, height, comment)
	}
	sent = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the key was sent along")
		}
		if !ranges {
			r.Header.Del("Range")
		}
		counted := countedWriter{w, sent}
		http.ServeContent(counted, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, sent
}

type countedWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n.Add(int64(n))
	return n, err
}

func TestClientDimensions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		comment int
		ranges  bool
		most    int64 // bytes sent
	}{
		"range":            {ranges: true, most: 64 << 10},
		"no range":         {most: 8 << 20},
		"size behind 64 K": {comment: 3, ranges: true, most: 64<<10 + 400<<10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, sent := pictureServer(t, 300, 200, tt.comment, tt.ranges)
			client := &fal.Client{Key: fal.NewKey(secret), Hosts: fal.Hosts{Run: address}} // private addresses are refused but for one's own
			width, height, err := client.Dimensions(t.Context(), fal.URL(address+"/a"))
			if err != nil || width != 300 || height != 200 {
				t.Errorf("%dx%d, %v", width, height, err)
			}
			if n := sent.Load(); n > tt.most {
				t.Errorf("%d bytes were sent, want at most %d", n, tt.most)
			}
		})
	}
	for status, want := range map[int]int{http.StatusRequestedRangeNotSatisfiable: 2, http.StatusBadRequest: 2, http.StatusNotFound: 1} {
		asked := 0
		client, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if asked++; r.Header.Get("Range") != "" || status == http.StatusNotFound {
				w.WriteHeader(status)
				return
			}
			_ = png.Encode(w, image.NewGray(image.Rect(0, 0, 3, 2)))
		})
		width, height, err := client.Dimensions(t.Context(), fal.URL(client.Hosts.Run+"/a.png"))
		if asked != want || (err == nil) != (want == 2) || err == nil && (width != 3 || height != 2) {
			t.Errorf("a server that answers %d to a range: %dx%d, %v after %d requests, want %d", status, width, height, err, asked, want)
		}
	}
	client := new(fal.Client)
	if _, _, err := client.Dimensions(t.Context(), fal.URL("http://127.0.0.1:1/a.png")); err == nil {
		t.Error("a private address was asked")
	}
	if w, h, err := client.Dimensions(t.Context(), fal.Picture(image.NewGray(image.Rect(0, 0, 3, 2)))); w != 3 || h != 2 || err != nil {
		t.Errorf("local picture: %dx%d, %v", w, h, err)
	}
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.SetPrice("fal-ai/flux/dev", "0.025", "megapixels")
	client := srv.Client()
	var answer struct {
		Prices []struct {
			Unit string `json:"unit"`
		} `json:"prices"`
	}
	query := url.Values{"endpoint_id": {"fal-ai/flux/dev,fal-ai/other"}}
	if err := client.Platform(t.Context(), http.MethodGet, "/v1/models/pricing", query, nil, &answer); err != nil || len(answer.Prices) != 1 || answer.Prices[0].Unit != "megapixels" {
		t.Errorf("%+v, %v", answer, err)
	}
	err := client.Platform(t.Context(), http.MethodGet, "/v1/models/pricing", nil, nil, &answer)
	if e, ok := errors.AsType[*fal.Error](err); !ok || e.Status != 400 || e.Type != "validation_error" {
		t.Errorf("without ids: %v", err)
	}
	for _, path := range []string{"v1/models", "/v1/models?x=1", "/../x", "", "//evil.example/x#"} {
		before := srv.Ledger().Platform
		if err := client.Platform(t.Context(), http.MethodGet, path, nil, nil, &answer); err == nil || srv.Ledger().Platform != before {
			t.Errorf("path %q: %v", path, err)
		}
	}
	if err := client.Platform(t.Context(), http.MethodGet, "/v1/models/pricing", query, nil, new(int)); err == nil {
		t.Error("an answer of another type was taken")
	}
}

// A POST has a body though there is nothing to say.
func TestPlatformPost(t *testing.T) {
	t.Parallel()
	var bodies []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies = append(bodies, r.Method+" "+string(b))
		_, _ = io.WriteString(w, "{}")
	}))
	defer srv.Close()
	c := &fal.Client{Key: fal.NewKey(secret), Hosts: fal.Hosts{Platform: srv.URL}}
	for _, in := range []any{nil, map[string]int{"a": 1}} {
		var out struct{}
		if err := c.Platform(t.Context(), http.MethodPost, "/v1/x", nil, in, &out); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"POST {}", `POST {"a":1}`}, bodies); diff != "" {
		t.Error(diff)
	}
}

// jpegWithComments returns a JPEG picture with so many comments of 64 KiB
// before its size.
func jpegWithComments(t *testing.T, width, height, comments int) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, image.NewGray(image.Rect(0, 0, width, height)), nil); err != nil {
		t.Fatal(err)
	}
	comment := append([]byte{0xff, 0xfe, 0xff, 0xff}, make([]byte, 0xfffd)...)
	return slices.Concat(buf.Bytes()[:2], bytes.Repeat(comment, comments), buf.Bytes()[2:])
}
