package fal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
)

// The files of a result are saved under names that a template makes, with the
// extension that their bytes call for.
func TestSaveAll(t *testing.T) {
	t.Parallel()
	gray := image.NewGray(image.Rect(0, 0, 6, 4))
	content := map[string][]byte{
		"/a.png": encoded(t, gray, asJPEG), "/b": encoded(t, gray, png.Encode), "/c.webp": []byte("no picture that is known"),
		"/lora.pt": []byte("PK\x03\x04 an archive"), "/d": []byte("PK\x03\x04 an archive"),
	}
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(content[r.URL.Path]) })
	at := func(path string) string { return c.Hosts.Run + path }
	pictures := fal.Images{
		Meta:   fal.Meta{Endpoint: "fal-ai/flux/dev", RequestID: "r-1"},
		Images: []fal.Image{{URL: at("/a.png"), ContentType: "image/png"}, {URL: at("/b")}, {}, {URL: at("/c.webp")}},
	}
	type trained struct {
		fal.Meta

		LoRA, Config fal.OutputFile
		Preview      *fal.Image
	}
	for name, tt := range map[string]struct {
		result   any
		template string
		want     []string // files with their content's paths
	}{
		"pictures":              {&pictures, "{id}{-n}{ext}", []string{"r-1.jpg=/a.png", "r-1-2.png=/b", "r-1-3.webp=/c.webp"}},
		"a value":               {pictures, "x/{n}/{{y}{ext}", []string{"x/1/{y}.jpg=/a.png", "x/2/{y}.png=/b", "x/3/{y}.webp=/c.webp"}},
		"by endpoint":           {fal.Images{Meta: fal.Meta{Endpoint: "e"}, Images: pictures.Images[:1]}, "{endpoint}/fixed", []string{"e/fixed=/a.png"}},
		"files alone":           {pictures.Images[:2], "{n}{ext}", []string{"1.jpg=/a.png", "2.png=/b"}},
		"what is no picture":    {&trained{LoRA: fal.OutputFile{URL: at("/lora.pt")}, Config: fal.OutputFile{URL: at("/d"), FileName: "d.json"}, Preview: &pictures.Images[1]}, "{n}{ext}", []string{"1.pt=/lora.pt", "2.json=/d", "3.png=/b"}},
		"a file without a name": {fal.OutputFile{URL: at("/d")}, "lora{-n}{ext}", []string{"lora.zip=/d"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files, err := c.SaveAll(t.Context(), tt.result, filepath.Join(dir, tt.template))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, f := range files {
				_, from, _ := strings.Cut(tt.want[min(i, len(tt.want)-1)], "=")
				path, _ := filepath.Rel(dir, f.Path())
				sum := sha256.Sum256(content[from])
				digest, digestErr := f.SHA256()
				size, sizeErr := f.Size()
				if err := errors.Join(digestErr, sizeErr); err != nil || digest != hex.EncodeToString(sum[:]) || size != int64(len(content[from])) || !bytes.Equal(read(t, f), content[from]) {
					t.Errorf("%s: %d bytes with digest %s: %v", path, size, digest, err)
				}
				got = append(got, filepath.ToSlash(path)+"="+from)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("saved (-want +got):\n%s", diff)
			}
		})
	}
}

// What cannot be named is not fetched.
func TestSaveAllRefused(t *testing.T) {
	t.Parallel()
	var fetched atomic.Int32
	c, _ := answering(t, func(http.ResponseWriter, *http.Request) { fetched.Add(1) })
	two := fal.Images{Images: []fal.Image{{URL: c.Hosts.Run + "/a"}, {URL: c.Hosts.Run + "/b"}}}
	for want, tt := range map[string]struct {
		result   any
		template string
	}{
		"the name is empty":                  {two, ""},
		"no files":                           {fal.Images{}, "{n}"},
		"has no files":                       {nil, "{n}"},
		"result has no files":                {(*fal.Images)(nil), "{n}"},
		"2 files would have the same name":   {two, "a{ext}"},
		"unknown field {seed}":               {two, "{seed}{n}"},
		"column 4 a brace is closed":         {two, "{n}}"},
		"{n}, {-n}, {ext}, {id}":             {two, "{key}{n}"},
		"never closed":                       {two, "{n"},
		"does not tell what to put for {id}": {two, "{id}{n}"},
		"what to put for {endpoint}":         {two, "{endpoint}{n}"},
	} {
		if want == "never closed" {
			want = "not closed"
		}
		files, err := c.SaveAll(t.Context(), tt.result, tt.template)
		if err == nil || !strings.Contains(err.Error(), want) || files != nil || strings.Count(err.Error(), "fal: ") != 1 {
			t.Errorf("%v, %v, want %q", files, err, want)
		}
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("%d files were fetched", n)
	}
}

// A file that is gone does not cost the others, and they come several at a time.
func TestSaveAllParts(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(20 * time.Millisecond)
		if r.URL.Path == "/2" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, "content of "+r.URL.Path)
	})
	var out fal.Images
	for _, path := range []string{"/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"} {
		out.Images = append(out.Images, fal.Image{URL: c.Hosts.Run + path})
	}
	dir := t.TempDir()
	files, err := c.SaveAll(t.Context(), out, filepath.Join(dir, "{n}"))
	if err == nil || !strings.HasPrefix(err.Error(), "fal: file 2: ") || strings.Count(err.Error(), "file ") != 1 || len(files) != 9 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for i, f := range files {
		if f.IsZero() != (i == 1) || i != 1 && string(read(t, f)) != "content of "+out.Images[i].URL[len(c.Hosts.Run):] {
			t.Errorf("file %d is %v", i+1, f)
		}
	}
	if n := most.Load(); n < 2 || n > 4 {
		t.Errorf("%d were fetched at a time, want up to 4", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.SaveAll(ctx, out, filepath.Join(dir, "x{n}")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 8 {
		t.Errorf("%d files are left, %v", len(names), err)
	}
}

// A file tells where it is, and its digest, if that can be known here.
func TestFilePath(t *testing.T) {
	t.Parallel()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		f         fal.File
		path, sum string
		fails     error
	}{
		"path":    {fal.Path(path), path, empty, nil},
		"turned":  {fal.Path(path).Upright(), "", empty, nil},
		"bytes":   {fal.Bytes(nil), "", empty, nil},
		"data":    {fal.URL("data:,"), "", empty, nil},
		"remote":  {fal.URL("https://x.example/a"), "", "", fal.ErrRemote},
		"missing": {fal.Path(path + "x"), path + "x", "", os.ErrNotExist},
	} {
		sum, err := tt.f.SHA256()
		if tt.f.Path() != tt.path || sum != tt.sum || !errors.Is(err, tt.fails) {
			t.Errorf("%s: %q, %q, %v", name, tt.f.Path(), sum, err)
		}
	}
}
