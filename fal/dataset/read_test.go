package dataset_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
)

// TestNamesOfTwoForms reads names whose accents are letters of their own, as
// old Macs write them, beside names whose are not.
func TestNamesOfTwoForms(t *testing.T) {
	t.Parallel()
	p := string(pngPicture)
	const apart, joined = "cafe\u0301", "caf\u00e9"
	trainer := options{Trainer: "fal-ai/flux-lora-fast-training"}
	for _, files := range []map[string]string{
		{apart + ".png": p, joined + ".txt": "c", apart + "_mask.png": p},
		{joined + ".png": p, apart + ".txt": "c", joined + "_mask.png": p},
	} {
		file, err := trainer.pack(dataset.ReadImages(folder(files)))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{joined + ".png", joined + ".txt", joined + "_mask.png"}
		if _, names := unpack(t, file); !slices.Equal(names, want) {
			t.Errorf("%q, want %q", names, want)
		}
	}
	both := map[string]string{apart + ".png": p, joined + ".png": p}
	want := []string{joined + ": file " + joined + ".png: stands twice: there is one more picture of that name"}
	if diff := cmp.Diff(want, problems(t, dataset.ReadImages(folder(both)), trainer)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	file, err := trainer.pack(dataset.Images(dataset.Image{Name: apart, File: fal.Bytes(pngPicture)}))
	if err != nil {
		t.Fatal(err)
	}
	if _, names := unpack(t, file); !slices.Equal(names, []string{joined + ".png"}) {
		t.Errorf("%q from memory", names)
	}
}

// stuck is a file system in which it takes for ever to open what is no file.
type stuck struct{ fstest.MapFS }

func (s stuck) Open(name string) (fs.File, error) {
	if f := s.MapFS[name]; f != nil && f.Mode.Type()&^fs.ModeSymlink != 0 {
		select {}
	}
	return s.MapFS.Open(name)
}

func (s stuck) Stat(name string) (fs.FileInfo, error) { return s.MapFS.Stat(name) }

func TestFolderProblems(t *testing.T) {
	t.Parallel()
	p := string(pngPicture)
	tests := []struct {
		name    string
		set     dataset.Set
		options options
		want    []string
	}{
		{"none", dataset.ReadImages(nil), options{}, []string{"the folder: none is given"}},
		{"missing", dataset.ReadImages(missing{}), options{}, []string{"the folder: cannot be read: file does not exist"}},
		{
			"irregular files", dataset.ReadImages(stuck{fstest.MapFS{
				"a.png": {Data: pngPicture}, "b.png": {Mode: fs.ModeNamedPipe}, "c.txt": {Mode: fs.ModeDevice}, "d.png": {Mode: fs.ModeSocket},
				"e.png": {Mode: fs.ModeSymlink, Data: []byte("b.png")}, "f.png": {Mode: fs.ModeSymlink, Data: []byte("a.png")},
				"g.png": {Mode: fs.ModeSymlink, Data: []byte("gone.png")}, "h": {Mode: fs.ModeSymlink, Data: []byte("i")}, "i/x.png": {},
			}}), options{},
			[]string{
				"b.png: is a named pipe and no file", "c.txt: is a device and no file", "d.png: is a device and no file",
				"e.png: is a named pipe and no file", "g.png: open g.png: file does not exist",
			},
		},
		{
			"one folder down", dataset.ReadImages(folder(map[string]string{
				"readme.txt": "see below", "notes.json": "{}", "10_cat/a.png": p, "20_dog/a.JPEG": p, "00/x.txt": "x", "01/._a.png": "x", "__MACOSX/._a.png": "x",
				"30/a.webp": p, "40/a.png": p, ".git/a.png": p,
			})), options{},
			[]string{
				"notes: file notes.json: is no picture, but of type text/plain", "readme.txt: has a caption and no picture",
				"the set: has no pictures itself: they are one folder down, in 10_cat, 20_dog, 30, which is to be read instead",
			},
		},
		{
			"pairs one folder down", dataset.ReadPairs(folder(map[string]string{"x/a_start.png": p, "x/a_end.png": p})), options{},
			[]string{"the set: has no pictures itself: they are one folder down, in x, which is to be read instead"},
		},
		{
			"broken, with folders inside", dataset.ReadImages(folder(map[string]string{"a.png": "", "b.json": "", "x/a.png": p})), options{},
			[]string{"a: file a.png: is empty", "b: file b.json: is empty"},
		},
		{
			"a folder inside that cannot be read", dataset.ReadImages(half{fstest.MapFS{"x/a.png": {Data: pngPicture}}}), options{},
			[]string{"the set: has no pictures"},
		},
		{
			"capitals", dataset.ReadImages(folder(map[string]string{
				"A.png": p, "a.png": p, "B.png": p, "b.txt": "b", "C.png": p, "c_mask.png": p, "D.txt": "1", "D.TXT": "2", "D.png": p,
			})), options{Trainer: "fal-ai/flux-krea-trainer"},
			[]string{
				"D.txt: is a second caption for D",
				"a: differs from A in capital letters only: on many systems they are the same file",
				"b: differs from B in capital letters only: on many systems they are the same file",
				"c: differs from C in capital letters only: on many systems they are the same file",
			},
		},
		{
			"two extensions", dataset.ReadImages(folder(map[string]string{
				"cat.png.png": p, "dog.JPEG.png": p, "cow.png": p, "cow.png.txt": "a cow", "v2.0.png": p,
			})), options{},
			[]string{
				`"cat.png": file cat.png.png: must not end in .png itself: the extension follows it`,
				"cow.png.txt: has a caption and no picture: the caption of cow.png stands in cow.txt",
				`"dog.JPEG": file dog.JPEG.png: must not end in .JPEG itself: the extension follows it`,
			},
		},
		{
			"captions that cannot be used", dataset.ReadImages(folder(map[string]string{
				"a.png": p, "a.txt": "a\x00", "b.txt": "\xff\xfea\x00", "c.png": p, "c.txt": strings.Repeat("x", 64<<10+1), "d.png": "", "d.txt": "caf\xe9",
				"e.png": p, "e.txt": strings.Repeat("x", 64<<10), "f.png": p, "f.TXT": "good", "f.txt": "\xff", "g.png": p, "g.TXT": "\xff", "g.txt": "good",
			})), options{Trainer: "fal-ai/flux-2-trainer"},
			[]string{
				"b.txt: must be text in UTF-8", "c.txt: is larger than 65536 bytes, so it is no caption", "d.txt: must be text in UTF-8",
				"f.txt: must be text in UTF-8", "g.TXT: must be text in UTF-8", "a.txt: must be text in UTF-8", "d: file d.png: is empty",
			},
		},
		{
			"mask without its picture", dataset.ReadImages(folder(map[string]string{"a.png": p, "a_mask.png": p, "a_mask_mask.png": p})), options{},
			[]string{"a_mask: is missing: only its mask is there", "a_mask: would be taken for the mask of a"},
		},
		{
			"layers of a caption", dataset.ReadLayers(folder(map[string]string{"a.txt": "a", "b_start.png": p, "b_end.png": p, "c_start.png": p, "c_end.png": p, "c_end2.png": p})),
			options{Trainer: "fal-ai/qwen-image-layered-trainer", DefaultCaption: "d"},
			[]string{"a.txt: has a caption and no picture", "c: has 2 layers and b has 1: all must have the same number"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, problems(t, tt.set, tt.options)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFolderOnDisk reads folders by their paths, which the errors name.
func TestFolderOnDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "photos")
	for _, read := range []func(fs.FS) dataset.Set{dataset.ReadImages, dataset.ReadPairs, dataset.ReadLayers} {
		_, err := options{}.pack(read(os.DirFS(dir)))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "the folder: "+dir+": cannot be read: ") {
			t.Errorf("error %v, want fs.ErrNotExist and the name of the folder", err)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, want := problems(t, dataset.ReadImages(os.DirFS(dir)), options{}), []string{"the set: " + dir + ": has no pictures"}; !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.png"), pngPicture, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := problems(t, dataset.ReadImages(os.DirFS(dir)), options{Trainer: "fal-ai/flux-2-trainer/edit"}), "the set: "+dir+": has single pictures; "; !strings.HasPrefix(got[0], want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if _, err := (options{}).pack(dataset.ReadImages(os.DirFS(dir))); err != nil {
		t.Error(err)
	}
}

// TestManyFoldersInside looks into 100 folders and no further.
func TestManyFoldersInside(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{100: "the set: has no pictures itself: they are one folder down, in d100, which is to be read instead", 101: "the set: has no pictures"} {
		files := map[string]string{fmt.Sprintf("d%03d/a.png", n): "x"}
		for i := range n - 1 {
			files[fmt.Sprintf("d%03d/a.txt", i+1)] = "x"
		}
		if got := problems(t, dataset.ReadImages(folder(files)), options{}); !slices.Equal(got, []string{want}) {
			t.Errorf("%d folders: problems %q, want %q", n, got, want)
		}
	}
}

// TestPicturesWithoutExtension packs them although a folder inside has pictures
// that are called so.
func TestPicturesWithoutExtension(t *testing.T) {
	t.Parallel()
	set := dataset.ReadImages(folder(map[string]string{"a": string(pngPicture), "old/a.png": string(pngPicture)}))
	if _, err := (options{}).pack(set); err != nil {
		t.Error(err)
	}
}

// counting is a file system that counts the files that are open, and whose
// captions break off where they say so.
type counting struct {
	fstest.MapFS

	open *int
}

type counted struct {
	fs.File

	open *int
}

func (c counting) Open(name string) (fs.File, error) {
	f, err := c.MapFS.Open(name)
	if err == nil {
		*c.open++
	}
	return counted{f, c.open}, err
}

func (c counted) Close() error {
	*c.open--
	return c.File.Close()
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	if bytes.Contains(p[:n], []byte("cut")) {
		err = errors.New("bad sector")
	}
	return n, err
}

// TestFilesAreClosed counts the files that stay open, read or not.
func TestFilesAreClosed(t *testing.T) {
	t.Parallel()
	open := 0
	fsys := counting{fstest.MapFS{
		"a.png": {Data: pngPicture}, "a.txt": {Data: []byte("a")}, "b.jpg": {Data: jpegTurned(corner(4, 2), 6)}, "b.txt": {Data: []byte("b")},
	}, &open}
	archive, err := options{Trainer: "fal-ai/flux-2-trainer", Upright: true}.pack(dataset.ReadImages(fsys))
	if err != nil {
		t.Fatal(err)
	}
	unpack(t, archive)
	fsys.MapFS["c.png"] = &fstest.MapFile{Data: []byte("none")}
	fsys.MapFS["c.txt"] = &fstest.MapFile{Data: []byte("is cut")}
	want := []string{"c.txt: bad sector", "c: file c.png: is no picture, but of type text/plain"}
	if got := problems(t, dataset.ReadImages(fsys), options{}); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if open != 0 {
		t.Errorf("%d files stay open", open)
	}
}

type missing struct{}

func (missing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// half is a file system whose folders cannot be read.
type half struct{ fstest.MapFS }

func (h half) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		panic("no such sector")
	}
	return h.MapFS.ReadDir(name)
}
