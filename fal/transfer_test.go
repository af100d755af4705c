package fal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// store is fal's storage and nothing else.
type store struct {
	*httptest.Server
	mu      sync.Mutex
	files   map[string][]byte
	types   map[string]string
	begun   int
	puts    int
	failPut int // so many PUTs fail
	leaks   int // credentials that came where none should
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{files: make(map[string][]byte), types: make(map[string]string)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "" && r.Method != http.MethodPost {
		s.leaks++
	}
	switch r.Method {
	case http.MethodPost:
		s.begun++
		var ask struct {
			Type string `json:"content_type"`
			Name string `json:"file_name"`
		}
		if json.Unmarshal(body, &ask) != nil || r.URL.RawQuery != "storage_type=fal-cdn-v3" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		path := fmt.Sprintf("/files/%d-%s", s.begun, ask.Name)
		s.types[path] = ask.Type
		_ = json.NewEncoder(w).Encode(map[string]string{"upload_url": s.URL + path + "?sig=1", "file_url": s.URL + path})
	case http.MethodPut:
		s.puts++
		if s.failPut > 0 {
			s.failPut--
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if r.Header.Get("Content-Type") != s.types[r.URL.Path] || r.ContentLength != int64(len(body)) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.files[r.URL.Path] = body
	case http.MethodGet:
		content, ok := s.files[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", s.types[r.URL.Path])
		_, _ = w.Write(content)
	}
}

func (s *store) client() *fal.Client {
	return &fal.Client{
		Key: fal.NewKey(secret), Logger: slog.New(slog.DiscardHandler),
		Hosts: fal.Hosts{Run: s.URL, Queue: s.URL, REST: s.URL},
		Retry: fal.Retry{MinWait: time.Millisecond, MaxWait: time.Millisecond},
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.failPut = 2 // passing failures of the storage are sat out
	client := s.client()
	content := pngFile(t, 8, 8)
	var wait sync.WaitGroup
	urls := make([]string, 8)
	for i := range urls {
		wait.Go(func() {
			f, err := client.Upload(t.Context(), fal.Bytes(content))
			if err != nil {
				t.Error(err)
			}
			urls[i], _ = f.URL()
		})
	}
	wait.Wait()
	for _, u := range urls {
		if u != urls[0] || !strings.HasSuffix(u, ".png") {
			t.Errorf("the same content has the URLs %q and %q", urls[0], u)
		}
	}
	if s.begun != 1 || s.puts != 3 || s.leaks != 0 {
		t.Errorf("%d uploads with %d PUTs, %d of them with credentials; want 1, 3, 0", s.begun, s.puts, s.leaks)
	}
	// Another lifecycle is another file.
	if _, err := client.Upload(t.Context(), fal.Bytes(content), fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Hour})); err != nil {
		t.Error(err)
	}
	if s.begun != 2 {
		t.Errorf("%d uploads, want 2", s.begun)
	}
	if got := s.files[strings.TrimPrefix(urls[0], s.URL)]; !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived, want %d", len(got), len(content))
	}
	remote := fal.URL("https://x.example/a.png")
	if f, err := client.Upload(t.Context(), remote); f != remote || err != nil {
		t.Errorf("a URL was uploaded: %v, %v", f, err)
	}
}

func TestUploadErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file fal.File
		want string
	}{
		"unreadable path": {fal.Path("/no/such/picture.png"), "picture.png"},
		"empty":           {fal.Bytes(nil), "empty"},
		"none":            {fal.File{}, "no file"},
		"not a URL":       {fal.URL("/etc/passwd"), "fal.Path"},
		"changed":         {changing(), "changed while"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			_, err := s.client().Upload(t.Context(), tt.file)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
			if len(s.files) != 0 {
				t.Error("a file arrived")
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// changing is a file whose content is different each time.
func changing() fal.File {
	n := 0
	return fal.Open("a.txt", func() (io.ReadCloser, error) {
		n++
		return io.NopCloser(strings.NewReader(fmt.Sprintf("content %d", n%10))), nil
	})
}

func TestDownload(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	client := s.client()
	content := pngFile(t, 30, 20)
	f, err := client.Upload(t.Context(), fal.Bytes(content))
	if err != nil {
		t.Fatal(err)
	}
	u, _ := f.URL()
	img := fal.Image{URL: u, ContentType: "image/png"}

	path := filepath.Join(t.TempDir(), "mug.png")
	if err := client.Save(t.Context(), img, path); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); !bytes.Equal(got, content) || err != nil {
		t.Errorf("saved %d bytes, %v", len(got), err)
	}
	picture, err := client.Decode(t.Context(), img)
	if err != nil || picture.Bounds().Dx() != 30 || picture.Bounds().Dy() != 20 {
		t.Errorf("decoded %v", err)
	}
	picture, err = client.Decode(t.Context(), fal.Image{URL: "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"})
	if err != nil || picture.Bounds().Dx() != 1 {
		t.Errorf("decoded %v, %v", picture, err)
	}
	if s.leaks != 0 {
		t.Error("a download carried the key")
	}
	if client.Save(t.Context(), fal.OutputFile{URL: s.URL + "/files/gone"}, path) == nil {
		t.Error("a missing file was saved")
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, content) {
		t.Error("a failed download damaged the file that was there")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("files were left behind: %v", left)
	}
}

func TestDownloadErrors(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.files["/huge.gif"] = hugeGIF()
	s.files["/text"] = []byte("text")
	client := s.client()
	for url, want := range map[string]string{
		"":                          "absolute",
		"ftp://x.example/a":         "http",
		"http://127.0.0.1:1/a.png":  "private",
		"https://10.1.2.3/a.png":    "private",
		"data:image/png;base64,***": "data URL",
		s.URL + "/gone":             "404",
		s.URL + "/text":             "not a PNG",
		s.URL + "/huge.gif":         "pixels",
	} {
		_, err := client.Decode(t.Context(), fal.Image{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode(%q): error = %v, want one with %q", url, err, want)
		}
	}
	if _, err := client.Download(t.Context(), nil); err == nil {
		t.Error("nothing was downloaded")
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := client.Download(ctx, fal.Image{URL: s.URL + "/text"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

// hugeGIF is the header of a picture of 60,000 pixels squared. (On 32 bits,
// the decoder of PNGs refuses such a size by itself.)
func hugeGIF() []byte {
	file := binary.LittleEndian.AppendUint16([]byte("GIF89a"), 60000)
	return append(binary.LittleEndian.AppendUint16(file, 60000), 0, 0, 0)
}

func TestExtension(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		image fal.Image
		want  string
	}{
		{fal.Image{URL: "https://x/a", ContentType: "image/jpg"}, ".jpg"},
		{fal.Image{URL: "https://x/a.png", ContentType: "image/webp; q=1"}, ".webp"},
		{fal.Image{URL: "https://x/a.JPEG?x=.png"}, ".jpg"},
		{fal.Image{URL: "data:image/png;base64,AA"}, ".png"},
		{fal.Image{URL: "https://x/a.exe"}, ".bin"},
		{fal.Image{URL: "https://x/../../a.sh", ContentType: "text/x-sh"}, ".bin"},
	} {
		if got := tt.image.Extension(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.image, got, tt.want)
		}
	}
}
