package fal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

func encoded(t *testing.T, m image.Image, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }
func asGIF(w io.Writer, m image.Image) error  { return gif.Encode(w, m, nil) }

// sendDoubting submits to fal's own hosts, behind a mock, and returns what was
// logged as doubtful.
func sendDoubting[Out any](t *testing.T, r fal.Request[Out], opts ...fal.Option) (log string, err error) {
	t.Helper()
	var b bytes.Buffer
	m := newMock()
	m.client.Logger = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelWarn}))
	m.answer(http.MethodPost, "=~^https://queue.fal.run/", http.StatusOK, `{"request_id":"job-1"}`)
	m.answer(http.MethodPost, "=~/storage/upload/initiate", http.StatusOK, `{"upload_url":"https://x.example/put","file_url":"https://x.example/file"}`)
	m.answer(http.MethodPut, "https://x.example/put", http.StatusOK, "")
	_, err = fal.Submit(t.Context(), m.client, r, opts...)
	return b.String(), err
}

// What is no picture is not sent as one.
func TestUnfitFiles(t *testing.T) {
	t.Parallel()
	gray := image.NewGray(image.Rect(0, 0, 8, 8))
	heic := append([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), make([]byte, 100)...)
	for _, tt := range []struct {
		name    string
		content []byte
		image   string // in the error, or
		doubt   bool   // in the log
		archive string // in the error, where an archive goes
	}{
		{"PNG", encoded(t, gray, png.Encode), "", false, "a picture"},
		{"JPEG", encoded(t, gray, asJPEG), "", false, "a picture"},
		{"GIF", encoded(t, gray, asGIF), "", false, "a picture"},
		{"HEIC", heic, "", false, "a picture"},
		{"zip", []byte("PK\x03\x04zip"), "an archive", false, ""},
		{"passwords", []byte("root:x:0:0:root:/root:/bin/bash\n"), "text", false, "text"},
		{"HTML", []byte("<!DOCTYPE html><title>x</title>"), "an HTML page", false, "an HTML page"},
		{"empty", nil, "empty", false, "empty"},
		{"unknown", []byte{0, 1, 2, 3, 200}, "", true, ""},
	} {
		for form, file := range map[string]fal.File{
			"local": fal.Bytes(tt.content),
			"data":  fal.URL("data:application/octet-stream;base64," + base64.StdEncoding.EncodeToString(tt.content)),
		} {
			log, err := sendDoubting[fal.Images](t, flux.KontextDev{Prompt: "p", ImageURL: file})
			invalid, refused := errors.AsType[*fal.ValidationError](err)
			if refused != (tt.image != "") || refused && (!strings.Contains(err.Error(), tt.image) || invalid.Problems[0].Field != "image_url") || err != nil && !refused {
				t.Errorf("%s, %s as a picture: %v", tt.name, form, err)
			}
			if doubted := strings.Contains(log, "image_url"); doubted != tt.doubt {
				t.Errorf("%s, %s as a picture: doubts %q", tt.name, form, log)
			}
		}
		_, err := sendDoubting[fal.Training](t, flux.FastTrainer{ImagesDataURL: fal.Bytes(tt.content)})
		if _, refused := errors.AsType[*fal.ValidationError](err); refused != (tt.archive != "") || refused && !strings.Contains(err.Error(), tt.archive) {
			t.Errorf("%s as a training set: %v", tt.name, err)
		}
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	box := func(brands string) string { return "\x00\x00\x00" + string(rune(8+len(brands))) + "ftyp" + brands }
	for head, want := range map[string]string{
		box("heic\x00\x00\x00\x00mif1heic"): "image/heic",
		box("mif1\x00\x00\x00\x00heic"):     "image/heic",
		box("mif1\x00\x00\x00\x00mif1"):     "image/heif",
		box("avif\x00\x00\x00\x00mif1"):     "image/avif",
		box("isom\x00\x00\x00\x00mp41"):     "video/mp4",
		"II*\x00\x08":                       "image/tiff",
		"MM\x00*\x00":                       "image/tiff",
		"BM\x00\x00":                        "image/bmp",
		"\x00\x00\x00\x00ftyp":              "application/octet-stream",
		"\x00\x00\xff\xffftypheic":          "image/heic",
	} {
		if got := fal.ContentType("", []byte(head)); got != want {
			t.Errorf("%q is %s, want %s", head, got, want)
		}
	}
}

// A photo that is stored lying on its side has the size that is seen.
func TestDimensionsAsShown(t *testing.T) {
	t.Parallel()
	stored := encoded(t, image.NewGray(image.Rect(0, 0, 40, 30)), asJPEG)
	for orientation, want := range map[byte][2]int{1: {40, 30}, 2: {40, 30}, 3: {40, 30}, 4: {40, 30}, 5: {30, 40}, 6: {30, 40}, 7: {30, 40}, 8: {30, 40}, 9: {40, 30}} {
		segment := "\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string([]byte{orientation}) + "\x00\x00\x00\x00\x00\x00\x00"
		photo := []byte(string(stored[:2]) + segment + string(stored[2:]))
		width, height, err := fal.Bytes(photo).Dimensions()
		if err != nil || [2]int{width, height} != want {
			t.Errorf("orientation %d: %dx%d, %v", orientation, width, height, err)
		}
	}
}

// Sizes that are known stay known.
func TestSized(t *testing.T) {
	t.Parallel()
	dimensions := func(f fal.File) [2]int {
		width, height, err := f.Dimensions()
		if err != nil && !errors.Is(err, fal.ErrRemote) {
			t.Error(err)
		}
		return [2]int{width, height}
	}
	const url = "https://x.example/a.png"
	if got := dimensions(fal.URL(url).Sized(640, 480)); got != [2]int{640, 480} {
		t.Errorf("told: %v", got)
	}
	if got := dimensions(fal.Image{URL: url, Width: 1024, Height: 768}.File()); got != [2]int{1024, 768} {
		t.Errorf("of a result: %v", got)
	}
	if got := dimensions(fal.Image{URL: url, Width: 1024}.File()); got != [2]int{} {
		t.Errorf("half told: %v", got)
	}
	m := newMock()
	m.answer(http.MethodPost, "=~/storage/upload/initiate", http.StatusOK, `{"upload_url":"https://x.example/put","file_url":"`+url+`"}`)
	m.answer(http.MethodPut, "https://x.example/put", http.StatusOK, "")
	uploaded, err := m.client.Upload(t.Context(), fal.Picture(image.NewGray(image.Rect(0, 0, 20, 10))))
	if got := dimensions(uploaded); err != nil || got != [2]int{20, 10} || uploaded.String() != url {
		t.Errorf("uploaded: %v, %v, %v", uploaded, got, err)
	}
	if text, err := uploaded.MarshalJSON(); err != nil || string(text) != `"`+url+`"` {
		t.Errorf("written as %s, %v", text, err)
	}
}

// Masks that would change nothing are not paid for.
func TestMasks(t *testing.T) {
	t.Parallel()
	mask := func(width int, paint color.Color) fal.File {
		m := image.NewNRGBA(image.Rect(0, 0, width, 30))
		m.Set(3, 3, paint)
		return fal.Bytes(encoded(t, m, png.Encode))
	}
	black := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	draw.Draw(black, black.Rect, image.Black, image.Point{}, draw.Src)
	photo := encoded(t, image.NewGray(image.Rect(0, 0, 40, 30)), asJPEG)
	picture := fal.Bytes(photo)
	lying := "\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00"
	upsideDown := fal.Bytes(slices.Concat(photo[:2], []byte(lying), photo[2:]))
	for _, turned := range []bool{true, false} {
		req := flux.ProFill{Prompt: "p", ImageURL: upsideDown, MaskURL: mask(40, color.White)}
		if !turned {
			req.ImageURL = picture
		}
		if log, err := sendDoubting[fal.Images](t, req); err != nil || strings.Contains(log, "give both with File.Upright") != turned {
			t.Errorf("turned %t: %v, doubts %q", turned, err, log)
		}
	}
	for _, tt := range []struct {
		name        string
		mask        fal.File
		fail, doubt string
	}{
		{"good", mask(40, color.White), "", ""},
		{"remote", fal.URL("https://x.example/mask.png"), "", ""},
		{"other size", mask(20, color.White), "", "size of the picture, 40x30"},
		{"empty", mask(40, color.Transparent), "nothing would be changed", ""},
		{"black", fal.Bytes(encoded(t, black, png.Encode)), "nothing would be changed", ""},
		{"in its alpha channel", mask(40, color.Black), "alpha channel alone", ""},
	} {
		log, err := sendDoubting[fal.Images](t, flux.ProFill{Prompt: "p", ImageURL: picture, MaskURL: tt.mask})
		if (err != nil) != (tt.fail != "") || err != nil && (!strings.Contains(err.Error(), tt.fail) || !fal.NotSent(err)) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if (log != "") != (tt.doubt != "") || !strings.Contains(log, tt.doubt) {
			t.Errorf("%s: doubts %q", tt.name, log)
		}
	}
}

// Addresses that only this network knows are doubted, in one line, wherever
// they are; not if fal is not asked.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	private := []string{
		"http://192.168.1.20:9000/a.png", "http://10.0.0.5/a.png", "http://localhost:3210/a.png", "https://127.0.0.1/a.png",
		"http://minio:9000/a.png", "http://[fd00::1]/a.png", "http://nas.local/a.png", "http://169.254.169.254/latest",
	}
	var files []fal.File
	for _, u := range private {
		files = append(files, fal.URL(u))
	}
	log, err := sendDoubting[fal.Images](t, flux.Pro2Edit{Prompt: "see http://localhost/x", ImageURLs: append(files, fal.URL("https://x.example/a.png"))})
	if err != nil || strings.Count(log, "\n") != 1 || strings.Count(log, "private network") != len(private) {
		t.Errorf("%v: %s", err, log)
	}
	log, err = sendDoubting[fal.Images](t, flux.DevLoRA{Prompt: "p", LoRAs: []flux.LoRA{{Path: "http://10.1.2.3/x.safetensors"}}})
	if err != nil || !strings.Contains(log, "loras[0].path") {
		t.Errorf("%v: %s", err, log)
	}
	log, err = sendDoubting[fal.Images](t, flux.Dev{Prompt: "p"}, fal.WithWebhook("http://localhost/hook"))
	if err != nil || !strings.Contains(log, "WithWebhook") {
		t.Errorf("%v: %s", err, log)
	}
	var b bytes.Buffer
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"request_id":"r"}`) })
	c.Logger = slog.New(slog.NewTextHandler(&b, nil))
	if _, err := fal.Submit(t.Context(), c, flux.Dev2Edit{Prompt: "p", ImageURLs: files[:1]}); err != nil || b.Len() > 0 {
		t.Errorf("with hosts of one's own: %v, %s", err, &b)
	}
}

func TestURLForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://x.example/a.png?sig=A%2Bb+c/d": "https://x.example/a.png?sig=A%2Bb+c/d",
		" https://x.example/my photo.png\n":     "https://x.example/my%20photo.png",
		"https://x.example/café/猫.png?q=ü y":    "https://x.example/caf%C3%A9/%E7%8C%AB.png?q=%C3%BC%20y",
		"https://x.example/100%25 sure.png":     "https://x.example/100%25%20sure.png",
		"data:text/plain,a b":                   "data:text/plain,a b",
	} {
		if got, ok := fal.URL(in).URL(); !ok || got != want {
			t.Errorf("%q is sent as %q, want %q", in, got, want)
		}
	}
	if err := fal.URL("https://例え.jp/a.png").Check(); err == nil || !strings.Contains(err.Error(), "xn--") {
		t.Errorf("a host that is not ASCII: %v", err)
	}
}

func TestDataURLForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"data:text/plain;base64,aGk_aGk-":             "hi?hi>",
		"data:text/plain;base64,aGk/aGk+":             "hi?hi>",
		"data:;BASE64,aGkh\n IQ==":                    "hi!!",
		"DATA:text/plain;charset=utf-8;base64,aGkh":   "hi!",
		"data:text/plain;base64,aGkhIQ%3D%3D":         "hi!!",
		"data:text/plain; base64,aGkhIQ":              "hi!!",
		"data:,hi%20there":                            "hi there",
		"data:text/plain;charset=utf-8,hi%2C%20there": "hi, there",
	} {
		_, got, err := fal.DecodeDataURL(in)
		if err != nil || string(got) != want {
			t.Errorf("%q holds %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{"data:text/plain;base64", "data:text/plain;base64,%%%", "data:text/plain;base64,a"} {
		if _, got, err := fal.DecodeDataURL(bad); err == nil {
			t.Errorf("%q holds %q", bad, got)
		}
	}
}

// brokenReader is code of a user that fails in each way that code can.
type brokenReader struct{ count int }

func (b brokenReader) Read([]byte) (int, error) {
	if b.count == 0 {
		panic("boom")
	}
	return b.count, nil
}
func (brokenReader) Close() error { panic("boom") }

type brokenPicture struct{ image.Image }

func (brokenPicture) Bounds() image.Rectangle { return image.Rect(0, 0, 8, 8) }
func (brokenPicture) ColorModel() color.Model { return color.GrayModel }
func (brokenPicture) At(int, int) color.Color { panic("boom") }

// What a user's code does in our goroutines does not end the process.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]fal.File{
		"nil reader":        fal.Reader(nil),
		"nil picture":       fal.Picture(nil),
		"picture panics":    fal.Picture(brokenPicture{}),
		"nil function":      fal.Open("x", nil),
		"open panics":       fal.Open("x", func() (io.ReadCloser, error) { panic("boom") }),
		"nothing":           fal.Open("x", func() (io.ReadCloser, error) { return nil, nil }),
		"read panics":       fal.Open("x", func() (io.ReadCloser, error) { return brokenReader{}, nil }),
		"read counts wrong": fal.Open("x", func() (io.ReadCloser, error) { return brokenReader{-1}, nil }),
		"reader panics":     fal.Reader(brokenReader{}),
		"reads too much":    fal.Open("x", func() (io.ReadCloser, error) { return brokenReader{math.MaxInt}, nil }),
	} {
		_, err := sendDoubting[fal.Images](t, flux.KontextDev{Prompt: "p", ImageURL: file})
		if invalid, ok := errors.AsType[*fal.ValidationError](err); !ok || invalid.Problems[0].Field != "image_url" {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := file.Dimensions(); err == nil && name != "picture panics" {
			t.Errorf("%s: it has a size", name)
		}
	}
}

// A file that fal could not fetch any more is uploaded again.
func TestExpiredUpload(t *testing.T) {
	t.Parallel()
	m := newMock()
	m.client.Retry.MaxAttempts = 1
	m.answer(http.MethodPost, "=~/storage/upload/initiate", http.StatusOK, `{"upload_url":"https://x.example/put","file_url":"https://x.example/file"}`)
	puts := 0
	m.RegisterResponder(http.MethodPut, "https://x.example/put", func(*http.Request) (*http.Response, error) {
		puts++
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	})
	m.answer(http.MethodGet, "=~/requests/job-1/status", http.StatusOK, `{"status":"COMPLETED"}`)
	m.answer(http.MethodGet, "=~/requests/job-1$", http.StatusOK, `{"images":[{"url":"u"}]}`)
	m.answer(http.MethodPost, "=~^https://queue.fal.run/", http.StatusOK, `{"request_id":"job-1"}`)
	req := flux.KontextDev{Prompt: "p", ImageURL: fal.Bytes(encoded(t, image.NewGray(image.Rect(0, 0, 8, 8)), png.Encode))}
	send := func() error { _, err := fal.Subscribe(t.Context(), m.client, req); return err }
	var counts []int
	note := func() { counts = append(counts, puts) }
	if err := errors.Join(send(), send()); err != nil {
		t.Fatal(err)
	}
	note()
	const gone = `{"detail":[{"loc":["body","image_url"],"msg":"Failed to download the file.","type":"file_download_error"}]}`
	m.RegisterResponder(http.MethodGet, "=~/requests/job-1$", units(http.StatusUnprocessableEntity, "0", gone))
	if send() == nil {
		t.Error("the job failed and there is no error")
	}
	_ = send()
	note()
	if diff := cmp.Diff([]int{1, 2}, counts); diff != "" {
		t.Errorf("uploads (-want +got)\n%s", diff)
	}
}
