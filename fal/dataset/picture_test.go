package dataset_test

import (
	"bytes"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/HugoSmits86/nativewebp"
	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
)

func isobmff(brands ...string) string {
	b := string([]byte{0, 0, 0, byte(12 + 4*len(brands))}) + "ftyp" + brands[0] + "\x00\x00\x00\x00" + strings.Join(brands[1:], "")
	return b + "\x00\x00\x00\x20meta avif heic"
}

func TestFilesThatAreNoPictures(t *testing.T) {
	t.Parallel()
	const take = ": trainers take PNG, JPEG and WebP"
	for content, want := range map[string]string{
		"":                                    "is empty",
		"root:x:0:0:root:/root:/bin/bash":     "is no picture, but of type text/plain",
		"<!DOCTYPE html><p>gone</p>":          "is no picture, but of type text/html",
		"PK\x03\x04archive":                   "is no picture, but of type application/zip",
		"%PDF-1.7":                            "is no picture, but of type application/pdf",
		"GIF89a":                              "is a picture of type image/gif" + take,
		"BM\x00\x00\x00":                      "is a picture of type image/bmp" + take,
		"II*\x00\x08\x00\x00\x00":             "is a TIFF picture or the raw data of a camera" + take,
		"MM\x00*\x00\x00\x00\x08":             "is a TIFF picture or the raw data of a camera" + take,
		"\x00\x01\x02\x03":                    "is not a PNG, JPEG or WebP picture",
		"\x00\x00\x00\x20ftyp":                "is not a PNG, JPEG or WebP picture",
		isobmff("heic", "mif1", "heic"):       "is a HEIC picture" + take,
		isobmff("mif1", "heic"):               "is a HEIC picture" + take,
		isobmff("msf1", "hevc"):               "is a HEIC picture" + take,
		isobmff("hevc"):                       "is a HEIC picture" + take,
		isobmff("avif", "mif1"):               "is an AVIF picture" + take,
		isobmff("mif1", "avif"):               "is an AVIF picture" + take,
		isobmff("avis", "msf1"):               "is an AVIF picture" + take,
		isobmff("mp42", "isom"):               "is no picture, but of type video/mp4",
		isobmff("qt  "):                       "is not a PNG, JPEG or WebP picture",
		"\x00\x01\x02\x03none" + "heic, avif": "is not a PNG, JPEG or WebP picture",
		"\x00\x00\x00\x08ftypavif":            "is an AVIF picture" + take,
		isobmff("heic")[:12]:                  "is a HEIC picture" + take,
		string(pngPicture[:20]):               "is a picture that cannot be read: unexpected EOF",
	} {
		got := problems(t, dataset.ReadImages(folder(map[string]string{"IMG_1.jpg": content})), options{})
		if diff := cmp.Diff([]string{"IMG_1: file IMG_1.jpg: " + want}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", content, diff)
		}
	}
}

// corner is a picture that is red in its first quarter, whose rows and columns
// are not the same number.
func corner(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{0, 0, 200, 255}
			if x < w/2 && y < h/2 {
				c = color.NRGBA{200, 0, 0, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// tiff is metadata with an orientation.
func tiff(turn byte) string {
	return "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string([]byte{turn}) + "\x00\x00\x00\x00\x00\x00\x00"
}

func jpegTurned(m image.Image, turn byte) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	app := "Exif\x00\x00" + tiff(turn)
	return slices.Concat(b.Bytes()[:2], []byte{0xff, 0xe1, 0, byte(len(app) + 2)}, []byte(app), b.Bytes()[2:])
}

func pngTurned(m image.Image, turn byte) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	const head = 8 + 25
	chunk := "eXIf" + tiff(turn)
	sum := crc32.ChecksumIEEE([]byte(chunk))
	return slices.Concat(b.Bytes()[:head], []byte{0, 0, 0, byte(len(chunk) - 4)}, []byte(chunk), []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, b.Bytes()[head:])
}

func webpTurned(m image.Image, turn byte) []byte {
	var b bytes.Buffer
	if err := nativewebp.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	w, h := m.Bounds().Dx()-1, m.Bounds().Dy()-1
	out := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x08\x00\x00\x00")
	out = append(out, byte(w), byte(w>>8), 0, byte(h), byte(h>>8), 0)
	out = append(out, b.Bytes()[12:]...)
	out = append(out, "EXIF"+string([]byte{byte(len(tiff(turn)))})+"\x00\x00\x00"+tiff(turn)...)
	n := len(out) - 8
	copy(out[4:], []byte{byte(n), byte(n >> 8), byte(n >> 16)})
	return out
}

// TestUpright turns a picture that is red in one corner from each of the 8 ways
// to store it.
func TestUpright(t *testing.T) {
	t.Parallel()
	// Where the first pixel is shown.
	corners := map[byte]struct{ right, low bool }{1: {}, 2: {true, false}, 3: {true, true}, 4: {false, true}, 5: {}, 6: {true, false}, 7: {true, true}, 8: {false, true}}
	for turn, want := range corners {
		for name, tt := range map[string]struct {
			content       []byte
			ext, upright  string
			width, height int
		}{
			"jpeg": {jpegTurned(corner(64, 32), turn), ".jpg", ".jpg", 64, 32},
			"png":  {pngTurned(corner(64, 32), turn), ".png", ".png", 64, 32},
			"webp": {webpTurned(corner(64, 32), turn), ".webp", ".png", 64, 32},
		} {
			width, height, ext := tt.width, tt.height, tt.ext
			if turn > 4 {
				width, height = height, width
			}
			if turn != 1 {
				ext = tt.upright
			}
			set := dataset.Images(dataset.Image{Name: "a", File: fal.Bytes(tt.content)})
			archive, err := options{Upright: true}.pack(set)
			if err != nil {
				t.Fatalf("%s %d: %v", name, turn, err)
			}
			files, names := unpack(t, archive)
			if len(names) != 1 || names[0] != "a"+ext {
				t.Fatalf("%s %d: archive of %v, want a%s", name, turn, names, ext)
			}
			m, _, err := image.Decode(strings.NewReader(files[names[0]]))
			if err != nil {
				t.Fatalf("%s %d: %v", name, turn, err)
			}
			if size := m.Bounds().Size(); size != image.Pt(width, height) {
				t.Errorf("%s %d: is %v, want %dx%d", name, turn, size, width, height)
			}
			for y := range height {
				for x := range width {
					r, _, b, _ := m.At(x, y).RGBA()
					red := (x >= width/2) == want.right && (y >= height/2) == want.low
					// JPEG smears 8 pixels; the middle is a multiple of them.
					if red != (r > b) {
						t.Fatalf("%s %d: pixel %d,%d is %v", name, turn, x, y, m.At(x, y))
					}
				}
			}
			if turn == 1 && files[names[0]] != string(tt.content) {
				t.Errorf("%s: a picture that stands upright was changed", name)
			}
		}
	}
}

// TestUprightDepth keeps what formats can hold.
func TestUprightDepth(t *testing.T) {
	t.Parallel()
	deep := image.NewNRGBA64(image.Rect(0, 0, 2, 1))
	deep.SetNRGBA64(0, 0, color.NRGBA64{0x1234, 0x5678, 0x9abc, 0x8000})
	grey := image.NewGray16(image.Rect(0, 0, 2, 1))
	grey.SetGray16(0, 0, color.Gray16{0x1234})
	plain := image.NewGray(image.Rect(0, 0, 2, 1))
	plain.SetGray(0, 0, color.Gray{0x77})
	opaque := image.NewRGBA64(image.Rect(0, 0, 2, 1))
	opaque.SetRGBA64(0, 0, color.RGBA64{0x1234, 0x5678, 0x9abc, 0xffff})
	opaque.SetRGBA64(1, 0, color.RGBA64{0, 0, 0, 0xffff})
	few := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.NRGBA{1, 2, 3, 255}, color.NRGBA{4, 5, 6, 255}})
	faint := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	faint.SetNRGBA(0, 0, color.NRGBA{10, 20, 30, 40})
	for _, tt := range []struct {
		m    image.Image
		want color.Model
	}{
		{deep, color.NRGBA64Model}, {grey, color.Gray16Model}, {plain, color.GrayModel}, {opaque, color.RGBA64Model}, {few, color.RGBAModel}, {faint, color.NRGBAModel},
	} {
		archive, err := options{Upright: true}.pack(dataset.Images(dataset.Image{Name: "a", File: fal.Bytes(pngTurned(tt.m, 2))}))
		if err != nil {
			t.Fatal(err)
		}
		files, _ := unpack(t, archive)
		got, err := png.Decode(strings.NewReader(files["a.png"]))
		if err != nil {
			t.Fatal(err)
		}
		if got.ColorModel() != tt.want {
			t.Errorf("%T became %T", tt.m, got)
		}
		want := tt.want.Convert(tt.m.At(0, 0))
		if got.At(1, 0) != want {
			t.Errorf("%T: pixel %v, want %v", tt.m, got.At(1, 0), want)
		}
	}
}

// TestDoubts reads what is told of pictures that lie, and of nothing else.
func TestDoubts(t *testing.T) {
	t.Parallel()
	upright, lying := fal.Bytes(jpegTurned(corner(64, 32), 1)), fal.Bytes(jpegTurned(corner(32, 64), 6))
	one := dataset.Images(dataset.Image{Name: "a", File: upright}, dataset.Image{Name: "b", File: lying})
	const text = " stored turned, which the metadata says and a trainer may not heed: Options.Upright turns such pictures"
	for _, tt := range []struct {
		name    string
		set     dataset.Set
		options options
		want    string
	}{
		{"upright", dataset.Images(dataset.Image{File: upright}), options{}, ""},
		{"one", one, options{Trainer: "fal-ai/flux-krea-trainer"}, "level=WARN msg=\"fal training set doubt\" endpoint=fal-ai/flux-krea-trainer field=b problem=\"b is" + text + "\"\n"},
		{
			"picture and masks", dataset.Images(
				dataset.Image{Name: "a", File: lying, Mask: lying}, dataset.Image{Name: "b", File: upright, Mask: lying}, dataset.Image{Name: "c", File: lying, Mask: upright},
			),
			options{}, "level=WARN msg=\"fal training set doubt\" endpoint=\"\" field=a problem=\"a and 3 more are" + text + "\"\n",
		},
		{"two", dataset.Images(dataset.Image{Name: "b", File: lying}, dataset.Image{Name: "a", File: lying}), options{}, "level=WARN msg=\"fal training set doubt\" endpoint=\"\" field=b problem=\"b and 1 more are" + text + "\"\n"},
		{"turned", one, options{Upright: true}, ""},
		{"refused", dataset.Images(dataset.Image{Name: "b", File: lying}, dataset.Image{}), options{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			tt.options.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}}))
			if _, err := tt.options.pack(tt.set); (err != nil) != (tt.name == "refused") {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, log.String()); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMasks compares masks and pictures as they are shown.
func TestMasks(t *testing.T) {
	t.Parallel()
	file := func(w, h int, turn byte) fal.File { return fal.Bytes(jpegTurned(corner(w, h), turn)) }
	quiet := slog.New(slog.DiscardHandler)
	for _, tt := range []struct {
		picture, mask fal.File
		want          string
	}{
		{file(64, 32, 1), file(64, 32, 1), ""},
		{file(64, 32, 6), file(32, 64, 1), ""},
		{file(64, 32, 6), file(64, 32, 5), ""},
		{file(64, 32, 1), file(64, 16, 1), "a_mask: is shown as 64x16, and its picture as 64x32"},
		{file(64, 32, 1), file(16, 32, 1), "a_mask: is shown as 16x32, and its picture as 64x32"},
		{file(64, 32, 1), file(64, 32, 6), "a_mask: is shown as 32x64, and its picture as 64x32"},
		{file(64, 32, 8), file(64, 32, 4), "a_mask: is shown as 64x32, and its picture as 32x64"},
	} {
		set := dataset.Images(dataset.Image{Name: "a", File: tt.picture, Mask: tt.mask})
		o := options{Trainer: "fal-ai/flux-lora-fast-training", Logger: quiet}
		if tt.want == "" {
			if _, err := o.pack(set); err != nil {
				t.Error(err)
			}
			continue
		}
		if got := problems(t, set, o); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("problems %q, want %q", got, tt.want)
		}
	}
	broken := dataset.Images(dataset.Image{Name: "a", File: fal.Bytes(nil), Mask: file(64, 32, 1)})
	if got := problems(t, broken, options{}); !slices.Equal(got, []string{"a: file in memory: is empty"}) {
		t.Errorf("problems %q of a mask whose picture is broken", got)
	}
}

// TestTooLargeToTurn offers heads of pictures that would not fit in memory.
func TestTooLargeToTurn(t *testing.T) {
	t.Parallel()
	large := func(h int, turn byte) dataset.Set {
		b := pngTurned(corner(2, 2), turn)
		copy(b[16:], []byte{0, 0, 0x20, 0, 0, 0, byte(h >> 8), byte(h)}) // 8192 wide
		sum := crc32.ChecksumIEEE(b[12:29])
		copy(b[29:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
		return dataset.Images(dataset.Image{Name: "a", File: fal.Bytes(b)})
	}
	o := options{Upright: true, Logger: slog.New(slog.DiscardHandler)}
	want := []string{"a: file in memory: has 64 megapixels, which is too many to be turned upright here"}
	if got := problems(t, large(8193, 6), o); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if _, err := o.pack(large(8192, 6)); err != nil {
		t.Error(err)
	}
	if _, err := o.pack(large(16384, 1)); err != nil {
		t.Errorf("a large picture that stands upright: %v", err)
	}
	o.Upright = false
	if _, err := o.pack(large(16384, 6)); err != nil {
		t.Errorf("a large picture that stays as it is: %v", err)
	}
}

// TestSizeFarIn looks for the size of a picture in its first 4 megabytes.
func TestSizeFarIn(t *testing.T) {
	t.Parallel()
	far := func(megabytes float64) dataset.Set {
		block := []byte("\xff\xe2\xff\xff" + strings.Repeat("x", 1<<16-3))
		b := slices.Concat(jpegPicture[:2], bytes.Repeat(block, int(megabytes*16)), jpegPicture[2:])
		return dataset.Images(dataset.Image{Name: "a", File: fal.Bytes(b)})
	}
	if _, err := (options{}).pack(far(3.5)); err != nil {
		t.Error(err)
	}
	want := []string{"a: file in memory: is a picture that cannot be read: unexpected EOF"}
	if got := problems(t, far(4.5), options{}); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

// sick is code of the user that does what it should not.
type sick struct{ read, close func() }

func (s sick) Read(p []byte) (int, error) {
	if s.read != nil {
		s.read()
	}
	return copy(p, pngPicture), io.EOF
}

func (s sick) Close() error {
	if s.close != nil {
		s.close()
	}
	return nil
}

type sickPicture struct{ image.Image }

func (sickPicture) At(int, int) color.Color { panic("no pixel") }

// TestPanics has the user's code panic while a set is checked.
func TestPanics(t *testing.T) {
	t.Parallel()
	open := func(f func() (io.ReadCloser, error)) fal.File { return fal.Open("sick.png", f) }
	boom := func() { panic("boom") }
	set := dataset.Images(
		dataset.Image{Name: "open", File: open(func() (io.ReadCloser, error) { panic("boom") })},
		dataset.Image{Name: "read", File: open(func() (io.ReadCloser, error) { return sick{read: boom}, nil })},
		dataset.Image{Name: "close", File: open(func() (io.ReadCloser, error) { return sick{close: boom}, nil })},
		dataset.Image{Name: "nothing", File: open(func() (io.ReadCloser, error) { return nil, nil })},
		dataset.Image{Name: "good", File: fal.Bytes(pngPicture)},
	)
	want := []string{
		"open: file sick.png: reading it panicked: boom",
		"read: file sick.png: reading it panicked: boom",
		"nothing: file sick.png: opening it gave nothing to read",
	}
	if diff := cmp.Diff(want, problems(t, set, options{})); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	for name, file := range map[string]fal.File{
		"no reader": fal.Reader(nil), "no picture": fal.Picture(nil), "a sick picture": fal.Picture(sickPicture{corner(2, 2)}), "no opener": fal.Open("x.png", nil),
	} {
		got := problems(t, dataset.Images(dataset.Image{Name: "a", File: file}), options{})
		if len(got) != 1 || !strings.HasPrefix(got[0], "a: file ") {
			t.Errorf("%s: problems %q, want one that names a", name, got)
		}
	}
	sickFolder := dataset.ReadImages(sickFS{})
	if got, want := problems(t, sickFolder, options{}), []string{"the folder: reading it panicked: boom"}; !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	sickCaption := dataset.ReadImages(sickText{fstest.MapFS{"a.txt": {}, "b.png": {Data: pngPicture}}})
	if got, want := problems(t, sickCaption, options{}), []string{"a.txt: reading it panicked: boom"}; !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

type sickFS struct{}

func (sickFS) Open(string) (fs.File, error) { panic("boom") }

type sickText struct{ fstest.MapFS }

func (s sickText) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".txt") {
		panic("boom")
	}
	return s.MapFS.Open(name)
}

// TestFailsLater has pictures that are good when they are checked and fail when
// the archive is read.
func TestFailsLater(t *testing.T) {
	t.Parallel()
	cause := errors.New("gone")
	for name, tt := range map[string]struct {
		then    func() (io.ReadCloser, error)
		first   []byte
		upright bool
		want    string
		is      error
	}{
		"error":         {func() (io.ReadCloser, error) { return nil, cause }, pngPicture, false, "gone", cause},
		"broken":        {func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(cause)), nil }, pngPicture, false, "gone", cause},
		"missing":       {func() (io.ReadCloser, error) { return missing{}.Open("a.png") }, pngPicture, false, "open a.png: file does not exist", fs.ErrNotExist},
		"nothing":       {func() (io.ReadCloser, error) { return nil, nil }, pngPicture, false, "opening it gave nothing to read", nil},
		"panic":         {func() (io.ReadCloser, error) { panic("boom") }, pngPicture, false, "reading it panicked: boom", nil},
		"panic in Read": {func() (io.ReadCloser, error) { return sick{read: func() { panic(cause) }}, nil }, pngPicture, false, "reading it panicked: gone", nil},
		"turned":        {func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }, pngTurned(corner(2, 2), 6), true, "image: unknown format", nil},
	} {
		opened := 0
		file := fal.Open("a.png", func() (io.ReadCloser, error) {
			if opened++; opened == 1 {
				return io.NopCloser(bytes.NewReader(tt.first)), nil
			}
			return tt.then()
		})
		archive, err := options{Trainer: "fal-ai/turbo-flux-trainer", Upright: tt.upright, Logger: slog.New(slog.DiscardHandler)}.pack(dataset.Images(dataset.Image{Name: "a", File: file}))
		if err != nil {
			t.Fatal(err)
		}
		r, err := archive.Open()
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(r)
		r.Close()
		refused, ok := errors.AsType[*fal.ValidationError](err)
		if !ok || refused.Endpoint != "fal-ai/turbo-flux-trainer" || len(refused.Problems) != 1 || refused.Problems[0].String() != "a.png: "+tt.want {
			t.Errorf("%s: error %v, want one that says %q", name, err, tt.want)
		}
		if !fal.NotSent(err) {
			t.Errorf("%s: error %v may have been sent", name, err)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: error %v is not %v", name, err, tt.is)
		}
	}
}

// TestReadingEndsItsGoroutine does not wait for a picture that never comes.
func TestReadingEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	checked := false
	file := fal.Open("a.png", func() (io.ReadCloser, error) {
		if checked {
			runtime.Goexit()
		}
		return io.NopCloser(bytes.NewReader(pngPicture)), nil
	})
	archive, err := options{}.pack(dataset.Images(dataset.Image{File: file}))
	if err != nil {
		t.Fatal(err)
	}
	checked = true
	r, err := archive.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	done := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(r)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("an archive that was not written was whole")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("reading waits for a goroutine that has ended")
	}
}
