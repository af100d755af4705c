package fal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/HugoSmits86/nativewebp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

// lying is a JPEG that its metadata says is to be turned.
func lying(t *testing.T, m image.Image, orientation byte) []byte {
	t.Helper()
	segment := "\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string([]byte{orientation}) + "\x00\x00\x00\x00\x00\x00\x00"
	stored := encoded(t, m, asJPEG)
	return slices.Concat(stored[:2], []byte(segment), stored[2:])
}

// lyingWebP is the same as WebP.
func lyingWebP(t *testing.T, m image.Image, orientation byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := nativewebp.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	w, h := byte(m.Bounds().Dx()-1), byte(m.Bounds().Dy()-1)
	exif := "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string([]byte{orientation}) + "\x00\x00\x00\x00\x00\x00\x00"
	body := slices.Concat([]byte("WEBPVP8X\x0a\x00\x00\x00\x08\x00\x00\x00"), []byte{w, 0, 0, h, 0, 0}, b.Bytes()[12:], []byte("EXIF"), binary.LittleEndian.AppendUint32(nil, uint32(len(exif))), []byte(exif))
	return slices.Concat([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body)
}

func asWebP(w io.Writer, m image.Image) error { return nativewebp.Encode(w, m, nil) }

// chunk is one of a PNG file.
func chunk(name, data string) string {
	size := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(name+data)))
	return string(size) + name + data + string(sum)
}

func read(t *testing.T, f fal.File) []byte {
	t.Helper()
	r, err := f.Open()
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

// A picture that is stored lying is turned, and one that is not stays as it is.
func TestUpright(t *testing.T) {
	t.Parallel()
	// White where it is to be up and left, once it is turned by 90 degrees.
	m := image.NewGray(image.Rect(0, 0, 48, 32))
	for y := 16; y < 32; y++ {
		for x := range 24 {
			m.SetGray(x, y, color.Gray{255})
		}
	}
	const byRight = 6
	photo := lying(t, m, byRight)
	for name, tt := range map[string]struct {
		f      fal.File
		format string
	}{
		"jpeg":     {fal.Bytes(photo), "jpeg"},
		"webp":     {fal.Bytes(lyingWebP(t, m, byRight)), "png"},
		"data URL": {fal.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(photo)), "jpeg"},
		"twice":    {fal.Bytes(photo).Upright(), "jpeg"},
		"sized":    {fal.Bytes(photo).Sized(32, 48), "jpeg"},
	} {
		f := tt.f.Upright()
		for range 2 {
			got, format, err := image.Decode(bytes.NewReader(read(t, f)))
			if err != nil || format != tt.format || got.Bounds().Dx() != 32 || got.Bounds().Dy() != 48 {
				t.Fatalf("%s: %s %v, %v", name, format, got.Bounds(), err)
			}
			for _, p := range []struct{ x, y, white int }{{4, 4, 1}, {28, 4, 0}, {4, 44, 0}, {28, 44, 0}} {
				if c, _, _, _ := got.At(p.x, p.y).RGBA(); int(c>>15) != p.white {
					t.Errorf("%s: at %d, %d it has %d", name, p.x, p.y, c)
				}
			}
		}
		if width, height, err := f.Dimensions(); width != 32 || height != 48 || err != nil {
			t.Errorf("%s: %dx%d, %v", name, width, height, err)
		}
		if err := f.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, content := range map[string][]byte{"upright": lying(t, m, 1), "png": encoded(t, m, png.Encode), "no picture": []byte("x"), "nothing": nil} {
		if got := read(t, fal.Bytes(content).Upright()); !bytes.Equal(got, content) {
			t.Errorf("%s: was changed", name)
		}
	}
	if !(fal.File{}).Upright().IsZero() {
		t.Error("no file became one")
	}
}

// What is sent is turned, under a name that tells its format.
func TestUprightSent(t *testing.T) {
	t.Parallel()
	m := image.NewGray(image.Rect(0, 0, 48, 32))
	fsys := fstest.MapFS{
		"a.webp": {Data: lyingWebP(t, m, 6)},
		"b.JPEG": {Data: lying(t, m, 6)},
		"c.webp": {Data: encoded(t, m, asWebP)},
		"broken": {Data: lying(t, m, 6)[:200]},
		"large":  {Data: largeLying()},
	}
	for name, want := range map[string]string{"a.webp": "a.png", "b.JPEG": "b.jpg", "c.webp": "c.webp"} {
		got, contentType, err := fal.UploadedAs(t.Context(), fal.FS(fsys, name).Upright())
		if err != nil || got != want || !strings.HasPrefix(contentType, "image/") {
			t.Errorf("%s goes as %s, %s, %v, want %s", name, got, contentType, err, want)
		}
	}
	for want, f := range map[string]fal.File{
		"cannot be turned upright here": fal.URL("https://x.example/a.png"),
		"cannot be turned upright: ":    fal.FS(fsys, "broken"),
		"which is too many":             fal.FS(fsys, "large"),
		"file does not exist":           fal.FS(fsys, "missing"),
		"data URL":                      fal.URL("data:image/png;base64,!"),
	} {
		_, err := sendDoubting[fal.Images](t, flux.ProFill{Prompt: "p", ImageURL: f.Upright(), MaskURL: fal.Bytes(encoded(t, m, png.Encode))})
		if err == nil || !strings.Contains(err.Error(), want) || !fal.NotSent(err) {
			t.Errorf("error %v, want %q", err, want)
		}
		if want == "file does not exist" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	}
	// The mask lies over its picture then.
	white := image.NewGray(m.Rect)
	white.Pix[0] = 255
	photo, mask := fal.Bytes(lying(t, m, 6)), fal.Bytes(lying(t, white, 8))
	for _, tt := range []struct {
		photo, mask fal.File
		doubt       bool
	}{{photo, mask, true}, {photo.Upright(), mask, true}, {photo.Upright(), mask.Upright(), false}} {
		log, err := sendDoubting[fal.Images](t, flux.ProFill{Prompt: "p", ImageURL: tt.photo, MaskURL: tt.mask})
		if err != nil || strings.Contains(log, "File.Upright") != tt.doubt {
			t.Errorf("%v, doubts %q, want some: %t", err, log, tt.doubt)
		}
	}
}

// largeLying is the head of a PNG of 65 megapixels that lies.
func largeLying() []byte {
	return []byte("\x89PNG\r\n\x1a\n" + chunk("IHDR", "\x00\x00\x20\x00\x00\x00\x21\x00\x08\x00\x00\x00\x00") +
		chunk("eXIf", "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"))
}
