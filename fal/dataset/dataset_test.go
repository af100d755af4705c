package dataset_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/HugoSmits86/nativewebp"
	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
)

// Pictures of each format, 2 by 2 pixels.
var (
	pngPicture  = encode(func(w io.Writer, m image.Image) error { return png.Encode(w, m) })
	jpegPicture = encode(func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) })
	webpPicture = encode(func(w io.Writer, m image.Image) error { return nativewebp.Encode(w, m, nil) })
	gifPicture  = encode(func(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) })
)

func encode(f func(io.Writer, image.Image) error) []byte {
	var b bytes.Buffer
	if err := f(&b, image.NewNRGBA(image.Rect(0, 0, 2, 2))); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// folder makes a file system; values are contents.
func folder(files map[string]string) fs.FS {
	fsys := fstest.MapFS{}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

// unpack returns the contents of an archive by name, and the names in order.
func unpack(t *testing.T, file fal.File) (map[string]string, []string) {
	t.Helper()
	b := content(t, file)
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	files, names := map[string]string{}, []string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Method != zip.Store || f.Mode() != 0o644 || !f.Modified.Equal(time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: method %d, mode %v, time %v", f.Name, f.Method, f.Mode(), f.Modified)
		}
		files[f.Name] = string(b)
		names = append(names, f.Name)
	}
	return files, names
}

func content(t *testing.T, file fal.File) []byte {
	t.Helper()
	r, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadAndPack(t *testing.T) {
	t.Parallel()
	p, j, w := string(pngPicture), string(jpegPicture), string(webpPicture)
	tests := []struct {
		name    string
		read    func(fs.FS) dataset.Set
		files   map[string]string
		options options
		want    map[string]string
	}{
		{
			"images", dataset.ReadImages,
			map[string]string{
				"a.png": p, "a.txt": "\ufeff a cat\n", "b.jpeg": j, "b.TXT": "a dog", "c.v2.PNG": w, "c.v2.txt": "a bird",
				".DS_Store": "x", "Thumbs.db": "x", "Desktop.ini": "x", "._a.png": "x", "old/a.png": "not even a picture",
			},
			options{Trainer: "fal-ai/flux-2-trainer"},
			map[string]string{"a.png": p, "a.txt": "a cat", "b.jpg": j, "b.txt": "a dog", "c.v2.webp": w, "c.v2.txt": "a bird"},
		},
		{
			"format by content", dataset.ReadImages,
			map[string]string{"a.png": j, "b": p, "c.webp": w},
			options{DefaultCaption: "a thing"},
			map[string]string{"a.jpg": j, "b.png": p, "c.webp": w},
		},
		{
			"masks", dataset.ReadImages,
			map[string]string{"a.png": p, "a_mask.jpg": j},
			options{Trainer: "fal-ai/flux-lora-fast-training"},
			map[string]string{"a.png": p, "a_mask.jpg": j},
		},
		{
			"a picture called mask", dataset.ReadImages,
			map[string]string{"gas_mask.png": p},
			options{Trainer: "fal-ai/flux-2-trainer", DefaultCaption: "d"},
			map[string]string{"gas_mask.png": p},
		},
		{
			"pairs", dataset.ReadPairs,
			map[string]string{
				"a_start.png": p, "a_end.jpg": j, "a.txt": "make it night",
				"b_c_start.png": p, "b_c_start2.webp": w, "b_c_start3.png": p, "b_c_end.png": p,
			},
			options{Trainer: "fal-ai/flux-2-trainer/edit", DefaultCaption: "make it day"},
			map[string]string{
				"a_start.png": p, "a_end.jpg": j, "a.txt": "make it night",
				"b_c_start.png": p, "b_c_start2.webp": w, "b_c_start3.png": p, "b_c_end.png": p,
			},
		},
		{
			"many references", dataset.ReadPairs,
			map[string]string{
				"a_start.png": p, "a_start10.png": p, "a_start2.png": p, "a_start3.png": p, "a_start4.png": p, "a_start5.png": p, "a_start6.png": p,
				"a_start7.png": p, "a_start8.png": p, "a_start9.png": p, "a_end.png": p,
			},
			options{Trainer: "blackforestlabs/flux-3/klein/base/trainer/edit", DefaultCaption: "d"},
			map[string]string{
				"a_start.png": p, "a_start10.png": p, "a_start2.png": p, "a_start3.png": p, "a_start4.png": p, "a_start5.png": p, "a_start6.png": p,
				"a_start7.png": p, "a_start8.png": p, "a_start9.png": p, "a_end.png": p,
			},
		},
		{
			"layers", dataset.ReadLayers,
			map[string]string{"a_start.png": p, "a_end.webp": w, "a_end2.png": p, "a.txt": "a poster"},
			options{Trainer: "fal-ai/qwen-image-layered-trainer"},
			map[string]string{"a_start.png": p, "a_end.webp": w, "a_end2.png": p, "a.txt": "a poster"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file, err := tt.options.pack(tt.read(folder(tt.files)))
			if err != nil {
				t.Fatal(err)
			}
			got, names := unpack(t, file)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("archive (-want +got):\n%s", diff)
			}
			if !slices.IsSorted(names) {
				t.Errorf("names in the archive are not sorted: %v", names)
			}
			if !bytes.Equal(content(t, file), content(t, file)) {
				t.Error("two readings differ")
			}
		})
	}
}

func TestPackFromMemory(t *testing.T) {
	t.Parallel()
	picture := fal.Bytes(pngPicture)
	p := string(pngPicture)
	tests := []struct {
		name string
		set  dataset.Set
		want map[string]string
	}{
		{"images", dataset.Images(
			dataset.Image{File: picture, Caption: "one"},
			dataset.Image{Name: "two", File: picture, Caption: " 2\n", Mask: picture},
			dataset.Image{File: picture},
		), map[string]string{"00001.png": p, "00001.txt": "one", "two.png": p, "two.txt": " 2\n", "two_mask.png": p, "00003.png": p}},
		{"pairs", dataset.Pairs(dataset.Pair{Start: []fal.File{picture, picture}, End: picture}),
			map[string]string{"00001_start.png": p, "00001_start2.png": p, "00001_end.png": p}},
		{"layers", dataset.Layers(dataset.Stack{Name: "é", Base: picture, Layers: []fal.File{picture, picture}}),
			map[string]string{"é_start.png": p, "é_end.png": p, "é_end2.png": p}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file, err := options{}.pack(tt.set)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := unpack(t, file)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("archive (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSameBytes packs the same pictures from memory in another order and from a
// folder; the archives must be the same.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	a := dataset.Image{Name: "a", File: fal.Bytes(pngPicture), Caption: "one"}
	b := dataset.Image{Name: "b", File: fal.Bytes(jpegPicture), Caption: "two"}
	sets := []dataset.Set{
		dataset.Images(a, b),
		dataset.Images(b, a),
		dataset.ReadImages(folder(map[string]string{"a.png": string(pngPicture), "a.txt": "one\n", "b.jpg": string(jpegPicture), "b.txt": "two"})),
	}
	var first []byte
	for i, set := range sets {
		file, err := options{Trainer: "fal-ai/flux-2-trainer"}.pack(set)
		if err != nil {
			t.Fatal(err)
		}
		got := content(t, file)
		if first == nil {
			first = got
		}
		if !bytes.Equal(first, got) {
			t.Errorf("archive %d differs", i)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	p, j := string(pngPicture), string(jpegPicture)
	picture := fal.Bytes(pngPicture)
	many := slices.Repeat([]fal.File{picture}, 9)
	tests := []struct {
		name    string
		set     dataset.Set
		options options
		want    []string
	}{
		{"empty", dataset.Set{}, options{}, []string{"the set: has no pictures"}},
		{"empty, for a trainer", dataset.Set{}, options{Trainer: "fal-ai/flux-2-trainer/edit"}, []string{"the set: has no pictures"}},
		{"empty folder", dataset.ReadPairs(folder(nil)), options{Trainer: "fal-ai/flux-2-trainer/edit"}, []string{"the set: has no pictures"}},
		{
			"folder of images",
			dataset.ReadImages(folder(map[string]string{
				"a.png": "no picture either", "a.jpg": j, "a.txt": "twice", "b.gif": string(gifPicture), "c.png": "not a picture", "d.txt": "alone",
				"e.png": p, "f.txt": strings.Repeat("long ", 20000), "f.png": p, "g.txt": "\xff", "g.png": p, "h.png": p[:20], "h.txt": "cut",
				"i.png": "", "i.txt": "empty", "j.jpg": j, "j_mask.png": p, "j.txt": " ",
			})),
			options{Trainer: "fal-ai/flux-2-trainer"},
			[]string{
				"f.txt: is larger than 65536 bytes, so it is no caption",
				"g.txt: must be text in UTF-8",
				"a: file a.png: stands twice: there is one more picture of that name",
				"b: file b.gif: is a picture of type image/gif: trainers take PNG, JPEG and WebP",
				"b.txt: is missing: every picture needs a caption, or the request a default caption",
				"c: file c.png: is no picture, but of type text/plain",
				"c.txt: is missing: every picture needs a caption, or the request a default caption",
				"d.txt: has a caption and no picture",
				"e.txt: is missing: every picture needs a caption, or the request a default caption",
				"h: file h.png: is a picture that cannot be read: unexpected EOF",
				"i: file i.png: is empty",
				"j_mask: is a mask, and this trainer takes none",
				"j.txt: is missing: every picture needs a caption, or the request a default caption",
			},
		},
		{
			"folder of pairs",
			dataset.ReadPairs(folder(map[string]string{
				"a_start.png": p, "b_end.png": p, "c.png": p, "d_start1.png": p, "_start.png": p, "e_start.png": p, "e_start3.png": p, "e_end.png": p, "e_end2.png": p,
				"f_start.png": p, "f_start.jpg": j, "f_end.png": p, "g_start02.png": p, "h_start5.png": p, "h_start.png": p, "h_end.png": p, "i.txt": "no pair",
				"j_start99999999999999999999.png": p, "k_start5.png": p, "k_end.png": p, "l_other.png": p,
			})),
			options{Trainer: "fal-ai/flux-2-klein-9b-base-trainer/edit", DefaultCaption: "d"},
			[]string{
				"_start.png: must be called NAME_start or NAME_end, with a number from 2 behind it for any further",
				"c.png: must be called NAME_start or NAME_end, with a number from 2 behind it for any further",
				"d_start1.png: must be called NAME_start or NAME_end, with a number from 2 behind it for any further",
				"g_start02.png: must be called NAME_start or NAME_end, with a number from 2 behind it for any further",
				"j_start99999999999999999999.png: must be called NAME_start or NAME_end, with a number from 2 behind it for any further",
				"l_other.png: must be called NAME_start or NAME_end, with a number from 2 behind it for any further",
				"a_end: is missing",
				"b_start: is missing",
				"e_start2: is missing before e_start3",
				"e_end2: is too many: this trainer takes e_end only",
				"f_start: file f_start.png: stands twice: there is one more picture of that name",
				"h_start5: is too many: this trainer takes h_start to h_start4",
				"i.txt: has a caption and no picture",
				"k_start5: is too many: this trainer takes k_start to k_start4",
			},
		},
		{
			"one start picture only",
			dataset.Pairs(dataset.Pair{Name: "a", Start: many[:2], End: picture, Caption: "c"}),
			options{Trainer: "fal-ai/flux-kontext-trainer"},
			[]string{"a_start2: is too many: this trainer takes a_start only"},
		},
		{
			"layers",
			dataset.Layers(
				dataset.Stack{Name: "a", Base: picture, Layers: many[:2], Caption: "c"},
				dataset.Stack{Name: "b", Base: fal.Bytes(jpegPicture), Layers: many, Caption: "c"},
				dataset.Stack{Name: "c", Caption: "c"},
			),
			options{Trainer: "fal-ai/qwen-image-layered-trainer"},
			[]string{
				"b_end9: is too many: this trainer takes b_end to b_end8",
				"b_start: file in memory: is a JPEG picture; the layered trainer takes PNG and WebP, which can be transparent",
				"c_end: is missing",
				"c_start: is missing",
				"b: has 9 layers and a has 2: all must have the same number",
				"c: has 0 layers and a has 2: all must have the same number",
			},
		},
		{
			"names",
			dataset.Images(
				dataset.Image{Name: "a", File: picture}, dataset.Image{Name: "a", File: picture}, dataset.Image{Name: "x/../../y", File: picture},
				dataset.Image{Name: `x\y`, File: picture}, dataset.Image{Name: ".x", File: fal.Bytes(nil)}, dataset.Image{Name: "x\n", File: picture},
				dataset.Image{Name: "\xff", File: picture}, dataset.Image{Name: "x_mask", File: picture},
				dataset.Image{Name: strings.Repeat("n", 200), File: picture}, dataset.Image{Name: strings.Repeat("l", 201), File: picture},
			),
			options{Trainer: "fal-ai/flux-krea-trainer"},
			[]string{
				"a: stands twice: every name must be another",
				`"x/../../y": file in memory: must not have a slash: archives are flat`,
				`"x\\y": file in memory: must not have a slash: archives are flat`,
				`".x": file in memory: must not begin with a dot: trainers pass over hidden files`,
				`"x\n": file in memory: must be printable text`,
				`"\xff": file in memory: must be printable text`,
				"x_mask: would be taken for the mask of x",
				`"` + strings.Repeat("l", 201) + `": file in memory: must have at most 200 bytes`,
			},
		},
		{
			"files",
			dataset.Images(
				dataset.Image{Name: "url", File: fal.URL("https://example.com/a.png")}, dataset.Image{Name: "none"},
				dataset.Image{Name: "broken", File: fal.Open("b.png", func() (io.ReadCloser, error) { return nil, errors.New("no disk") })},
				dataset.Image{Name: "unreadable", File: fal.Open("u.png", func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(errors.New("bad sector"))), nil })},
			),
			options{},
			[]string{
				"url: https://example.com/a.png: must be on this computer to be packed",
				"none: is missing",
				"broken: file b.png: no disk",
				"unreadable: file u.png: bad sector",
			},
		},
		{
			"two flat pictures", dataset.ReadLayers(folder(map[string]string{"a_start.png": p, "a_start2.png": p, "a_end.png": p})), options{},
			[]string{"a_start2: is too many: this trainer takes a_start only"},
		},
		{
			"form", dataset.Images(dataset.Image{File: picture}), options{Trainer: "fal-ai/flux-2-trainer/edit"},
			[]string{"the set: has single pictures; this trainer takes pairs of pictures"},
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

// problems returns what is wrong with a set.
// options are how a set is packed, in short.
type options struct {
	Trainer, DefaultCaption string
	Upright                 bool
	Logger                  *slog.Logger
}

// pack packs a set with a request that has no type of its own.
func (o options) pack(set dataset.Set) (fal.File, error) {
	var trainer fal.Request[fal.Training]
	if o.Trainer+o.DefaultCaption != "" {
		trainer = fal.Call[fal.Training]{ID: fal.Endpoint[fal.Training](o.Trainer), Input: map[string]string{"default_caption": o.DefaultCaption}}
	}
	return set.Pack(trainer, dataset.Options{Upright: o.Upright, Logger: o.Logger})
}

func problems(t *testing.T, set dataset.Set, o options) []string {
	t.Helper()
	file, err := o.pack(set)
	refused := asRefused(t, err)
	if !file.IsZero() {
		t.Fatalf("Pack = %v with %v", file, err)
	}
	if o.Trainer != "" && refused.Endpoint != o.Trainer || o.Trainer == "" && refused.Endpoint != "training set" {
		t.Errorf("the endpoint of the error is %q", refused.Endpoint)
	}
	if !fal.NotSent(err) || fal.Charged(err) != fal.NotBilled {
		t.Errorf("sent: %v, charged: %v", !fal.NotSent(err), fal.Charged(err))
	}
	var got []string
	for _, p := range refused.Problems {
		got = append(got, p.String())
	}
	return got
}

func asRefused(t *testing.T, err error) *fal.ValidationError {
	t.Helper()
	refused, ok := errors.AsType[*fal.ValidationError](err)
	if !ok {
		t.Fatalf("error %v; want a *fal.ValidationError", err)
	}
	return refused
}

// TestTrainers packs what each kind of trainer takes and nothing else takes.
func TestTrainers(t *testing.T) {
	t.Parallel()
	picture := fal.Bytes(pngPicture)
	sets := map[string]dataset.Set{
		"image":         dataset.Images(dataset.Image{File: picture}),
		"caption":       dataset.Images(dataset.Image{File: picture, Caption: "c"}),
		"mask":          dataset.Images(dataset.Image{File: picture, Mask: picture}),
		"pair":          dataset.Pairs(dataset.Pair{Start: []fal.File{picture}, End: picture, Caption: "c"}),
		"2 references":  dataset.Pairs(dataset.Pair{Start: []fal.File{picture, picture}, End: picture, Caption: "c"}),
		"4 references":  dataset.Pairs(dataset.Pair{Start: slices.Repeat([]fal.File{picture}, 4), End: picture, Caption: "c"}),
		"11 references": dataset.Pairs(dataset.Pair{Start: slices.Repeat([]fal.File{picture}, 11), End: picture, Caption: "c"}),
		"10 references": dataset.Pairs(dataset.Pair{Start: slices.Repeat([]fal.File{picture}, 10), End: picture, Caption: "c"}),
		"mere layers":   dataset.Layers(dataset.Stack{Base: picture, Layers: []fal.File{picture}}),
		"5 references":  dataset.Pairs(dataset.Pair{Start: slices.Repeat([]fal.File{picture}, 5), End: picture, Caption: "c"}),
		"pair, no text": dataset.Pairs(dataset.Pair{Start: []fal.File{picture}, End: picture}),
		"layers":        dataset.Layers(dataset.Stack{Base: picture, Layers: []fal.File{picture}, Caption: "c"}),
	}
	for trainer, want := range map[string][]string{
		"fal-ai/flux-2-trainer":                          {"caption"},
		"fal-ai/flux-2-trainer-v2":                       {"caption"},
		"fal-ai/flux-2-klein-4b-base-trainer":            {"caption"},
		"fal-ai/flux-2-klein-9b-base-trainer":            {"caption"},
		"fal-ai/qwen-image-trainer":                      {"caption"},
		"fal-ai/qwen-image-trainer-v2":                   {"caption"},
		"fal-ai/qwen-image-2512-trainer":                 {"caption"},
		"fal-ai/qwen-image-2512-trainer-v2":              {"caption"},
		"fal-ai/flux-lora-fast-training":                 {"caption", "image", "mask"},
		"fal-ai/flux-krea-trainer":                       {"caption", "image", "mask"},
		"fal-ai/flux-lora-portrait-trainer":              {"caption", "image"},
		"fal-ai/turbo-flux-trainer":                      {"caption", "image"},
		"fal-ai/flux-2-trainer/edit":                     {"2 references", "4 references", "pair"},
		"fal-ai/flux-2-trainer-v2/edit":                  {"2 references", "4 references", "pair"},
		"fal-ai/flux-2-klein-4b-base-trainer/edit":       {"2 references", "4 references", "pair"},
		"fal-ai/flux-2-klein-9b-base-trainer/edit":       {"2 references", "4 references", "pair"},
		"fal-ai/flux-kontext-trainer":                    {"pair"},
		"fal-ai/qwen-image-edit-trainer":                 {"pair"},
		"fal-ai/qwen-image-edit-plus-trainer":            {"10 references", "11 references", "2 references", "4 references", "5 references", "pair"},
		"fal-ai/qwen-image-edit-2509-trainer":            {"10 references", "11 references", "2 references", "4 references", "5 references", "pair"},
		"fal-ai/qwen-image-edit-2511-trainer":            {"10 references", "11 references", "2 references", "4 references", "5 references", "pair"},
		"fal-ai/qwen-image-layered-trainer":              {"layers"},
		"blackforestlabs/flux-3/klein/base/trainer":      {"caption"},
		"blackforestlabs/flux-3/klein/base/trainer/edit": {"10 references", "2 references", "4 references", "5 references", "pair"},
		"": slices.Sorted(maps.Keys(sets)),
	} {
		var got []string
		for name, set := range sets {
			if _, err := (options{Trainer: trainer}).pack(set); err == nil {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s takes (-want +got):\n%s", trainer, diff)
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	f := fal.Bytes(pngPicture)
	for _, tt := range []struct {
		set                     dataset.Set
		len, references, layers int
	}{
		{dataset.Set{}, 0, 0, 0},
		{dataset.Images(dataset.Image{}, dataset.Image{}), 2, 0, 0},
		{dataset.Pairs(), 0, 0, 0},
		{dataset.Pairs(dataset.Pair{End: f}), 1, 0, 0},
		{dataset.Pairs(dataset.Pair{Start: []fal.File{f}}, dataset.Pair{Start: []fal.File{f, f, f}, End: f}), 2, 3, 0},
		{dataset.Layers(dataset.Stack{Base: f, Layers: []fal.File{f, f}}), 1, 0, 2},
	} {
		if got := [3]int{tt.set.Len(), tt.set.References(), tt.set.Layers()}; got != [3]int{tt.len, tt.references, tt.layers} {
			t.Errorf("Len, References and Layers are %v, want %v", got, tt)
		}
	}
}

// TestCloseEarly closes an archive before its end; synctest fails if the
// goroutine that writes it stays behind.
func TestCloseEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file, err := options{}.pack(dataset.Images(dataset.Image{File: fal.Bytes(pngPicture)}))
		if err != nil {
			t.Fatal(err)
		}
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 4)); err != nil {
			t.Error(err)
		}
		r.Close()
	})
}

// TestStreams packs 64 pictures of 4 MB each and looks at the memory.
func TestStreams(t *testing.T) {
	size := 4 << 20
	large := func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(io.MultiReader(bytes.NewReader(pngPicture), zeros{}), int64(size))), nil
	}
	items := make([]dataset.Image, 64)
	for i := range items {
		items[i].File = fal.Open("large.png", large)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	file, err := options{}.pack(dataset.Images(items...))
	if err != nil {
		t.Fatal(err)
	}
	r, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	start := time.Now()
	n, err := io.Copy(io.Discard, r)
	if err != nil || n < int64(len(items)*size) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d MB in %v, %d KB allocated in all", n>>20, time.Since(start), allocated>>10)
	if allocated > 8<<20 {
		t.Errorf("%d bytes were allocated for an archive of %d", allocated, n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
