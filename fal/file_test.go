package fal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/falimage/falimage-go/fal"
)

func pngFile(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFileConstructors(t *testing.T) {
	t.Parallel()
	content := pngFile(t, 30, 20)
	path := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]fal.File{
		"Path":     fal.Path(path),
		"FS":       fal.FS(fstest.MapFS{"b/c.png": {Data: content}}, "b/c.png"),
		"Bytes":    fal.Bytes(content),
		"Reader":   fal.Reader(bytes.NewReader(content)),
		"Picture":  fal.Picture(image.NewRGBA(image.Rect(5, 5, 35, 25))),
		"data URL": fal.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(content)),
	} {
		if err := file.Check(); err != nil {
			t.Errorf("%s: Check: %v", name, err)
		}
		for range 2 { // every file can be read again
			r, err := file.Open()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: read %d bytes, %v, want %d", name, len(got), err, len(content))
			}
			_ = r.Close()
		}
		if w, h, err := file.Dimensions(); w != 30 || h != 20 || err != nil {
			t.Errorf("%s: Dimensions() = %d, %d, %v", name, w, h, err)
		}
		if file.IsZero() || len(file.String()) > 200 {
			t.Errorf("%s: %v", name, file)
		}
		if _, isURL := file.URL(); isURL != (name == "data URL") {
			t.Errorf("%s: URL() says %v", name, isURL)
		}
	}
}

func TestFileJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(map[string]fal.File{"f": fal.URL("https://x.example/a?b&c")})
	if err != nil || string(b) != `{"f":"https://x.example/a?b\u0026c"}` {
		t.Errorf("got %s, %v", b, err)
	}
	if _, err := json.Marshal(fal.Path("/etc/passwd")); err == nil || !strings.Contains(err.Error(), "passwd") {
		t.Errorf("a local file was encoded: %v", err)
	}
	var f fal.File
	if err := json.Unmarshal([]byte(`"/etc/passwd"`), &f); err != nil {
		t.Fatal(err)
	}
	// What came from JSON is a URL, never a path.
	if _, err := f.Open(); !errors.Is(err, fal.ErrRemote) || f.Check() == nil {
		t.Errorf("Open: %v, Check: %v", err, f.Check())
	}
	if err := json.Unmarshal([]byte(`null`), &f); err != nil || !f.IsZero() {
		t.Errorf("null became %v, %v", f, err)
	}
	if err := json.Unmarshal([]byte(`{"path":"x"}`), &f); err == nil {
		t.Error("an object was taken for a file")
	}
}

func TestFileCheck(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://x.example/a.png": true, "http://x.example": true, "data:image/png;base64,AA==": true, "data:,": true,
		"": false, "/etc/passwd": false, "a.png": false, "file:///etc/passwd": false, "ftp://x/y": false, "https://": false, "data:image/png": false, "://": false,
	} {
		if err := fal.URL(url).Check(); (err == nil) != ok {
			t.Errorf("URL(%q).Check() = %v", url, err)
		}
	}
}

func TestFileErrors(t *testing.T) {
	t.Parallel()
	if w, h, err := fal.Path("/no/such/file").Dimensions(); !errors.Is(err, os.ErrNotExist) || w != 0 || h != 0 {
		t.Errorf("%dx%d, error = %v", w, h, err)
	}
	if w, h, err := fal.Bytes([]byte("not a picture")).Dimensions(); err == nil || !strings.Contains(err.Error(), "PNG") || w != 0 || h != 0 {
		t.Errorf("%dx%d, error = %v", w, h, err)
	}
	if _, err := (fal.File{}).Open(); err == nil {
		t.Error("no file was opened")
	}
	broken := fal.Reader(io.MultiReader(strings.NewReader("x"), errReader{}))
	r, err := broken.Open()
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if !errors.Is(err, errBroken) {
		t.Errorf("error = %v", err)
	}
}

var errBroken = errors.New("broken")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

func FuzzDataURL(f *testing.F) {
	for _, s := range []string{"data:,", "data:image/png;base64,iVBORw0KGgo=", "data:text/plain,%41%zz", "data:;base64,!!!!", "data:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		file := fal.URL("data:" + s)
		r, err := file.Open()
		if err == nil {
			_, _ = io.ReadAll(r)
		}
		_, _, _ = file.Dimensions()
		_ = fmt.Sprint(file)
	})
}

func TestFileSize(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(name, []byte("four"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file fal.File
		want int64
	}{
		{fal.Path(name), 4},
		{fal.Bytes([]byte("three")), 5},
		{fal.URL("data:text/plain;base64,YWJj"), 3},
		{fal.OutputFile{URL: "https://example.com/x", FileSize: 7}.File(), 7},
	} {
		if n, err := tt.file.Size(); n != tt.want || err != nil {
			t.Errorf("%v: %d, %v, want %d", tt.file, n, err, tt.want)
		}
	}
	if _, err := fal.URL("https://example.com/x").Size(); !errors.Is(err, fal.ErrRemote) {
		t.Errorf("of a URL: %v", err)
	}
	for _, f := range []fal.File{{}, fal.Path(name + "y"), fal.Path(t.TempDir())} {
		if n, err := f.Size(); err == nil {
			t.Errorf("%v: %d bytes and no error", f, n)
		}
	}
}
