package provenance_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/provenance"
)

// full is a record with everything in it, and everything that XML escapes.
func full() provenance.Record {
	return provenance.Record{
		Endpoint: "fal-ai/flux-2-pro", RequestID: "764cabcf-b745-4b3e-ae38-1200304cf45b",
		Time: time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC), Cost: "$0.045",
		Prompt: "a <b>mug</b> & \"tea\"\n\tin 's \u4e00\U0001f600", Seed: fal.Seed(18446744073709551615),
		Input:  json.RawMessage(`{"prompt":"a \u003cb\u003emug\u003c/b\u003e \u0026 \"tea\"\n\tin 's 一😀","seed":18446744073709551615}`),
		Source: provenance.Edited,
	}
}

func TestMark(t *testing.T) {
	t.Parallel()
	for kind, picture := range pictures(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			before := bytes.Clone(picture)
			if _, err := provenance.Read(picture); !errors.Is(err, provenance.ErrNoRecord) {
				t.Errorf("Read of an unmarked picture: %v, want ErrNoRecord", err)
			}
			marked, err := provenance.Mark(picture, full())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(picture, before) {
				t.Error("the picture that was given has changed")
			}
			got, err := provenance.Read(marked)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(full(), got); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			samePixels(t, picture, marked)

			again, err := provenance.Mark(marked, full())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(marked, again) {
				t.Error("marking twice is not the same as marking once")
			}

			private, err := provenance.Mark(marked, full().WithoutPrompt())
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(private, []byte("mug")) {
				t.Error("the private prompt is in the file")
			}
			if n := bytes.Count(private, []byte("digitalsourcetype/")); n != 1 {
				t.Errorf("the source type stands there %d times", n)
			}
		})
	}
}

// samePixels holds the pixels of two pictures against each other, and their
// encoded form, which is at the end of each of the files.
func samePixels(t *testing.T, before, after []byte) {
	t.Helper()
	a, _, err := image.Decode(bytes.NewReader(before))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := image.Decode(bytes.NewReader(after))
	if err != nil {
		t.Fatal(err)
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				t.Fatalf("pixel %d,%d was %v and is %v", x, y, a.At(x, y), b.At(x, y))
			}
		}
	}
	encoded := before[33:] // what follows the header of a PNG
	switch string(before[:4]) {
	case "\xff\xd8\xff\xdb":
		encoded = before[2:]
	case "RIFF":
		encoded = before[12:]
	}
	if !bytes.Contains(after, encoded) {
		t.Error("the encoded picture is not the same bytes")
	}
}

const (
	rdf  = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	iptc = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
)

// What others wrote stays, and what they wrote of the same is replaced, in all
// the forms that XMP has for it.
func TestForeignXMP(t *testing.T) {
	t.Parallel()
	const other = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
	for _, tt := range []struct {
		name, packet string
		kept         []string // besides what is not ours
	}{
		{"element", `<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="` + rdf + `"><r:Description r:about="" xmlns:e="` + iptc + `" xmlns:dc="d:"><dc:title>Mine</dc:title><e:DigitalSourceType>` + other + `</e:DigitalSourceType></r:Description></r:RDF></x:xmpmeta>`, []string{"<dc:title>Mine</dc:title>"}},
		{"attribute", `<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about='uuid:7' xmlns:e="` + iptc + "\"\n\te:DigitalSourceType = '" + other + `' xmlns:dc="d:" dc:format="image/png"/></rdf:RDF>`, []string{`dc:format="image/png"`, "<rdf:Description rdf:about='uuid:7' xmlns:rdf"}},
		{"resource", `<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about="" xmlns:e="` + iptc + `"><e:DigitalSourceType rdf:resource="` + other + `"/><e:Event>Fair</e:Event></rdf:Description></rdf:RDF>`, []string{"<e:Event>Fair</e:Event>"}},
		{"list", `<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about="" xmlns:e="` + iptc + `"><e:DigitalSourceType><rdf:Bag><rdf:li>` + other + `</rdf:li></rdf:Bag></e:DigitalSourceType>text</rdf:Description></rdf:RDF>`, []string{">text</rdf:Description>"}},
		{"twice", `<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about="" xmlns:e="` + iptc + `" e:DigitalSourceType="` + other + `"/><rdf:Description rdf:about="" xmlns:e="` + iptc + `"><e:DigitalSourceType>` + other + `</e:DigitalSourceType></rdf:Description></rdf:RDF>`, nil},
		{"comment", `<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about="" xmlns:e="` + iptc + `" e:DigitalSourceType="` + other + `"><!--mine--></rdf:Description></rdf:RDF>`, []string{"<!--mine-->"}},
		{"padding", "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?><rdf:RDF xmlns:rdf=\"" + rdf + "\"></rdf:RDF>\n          \n<?xpacket end='w'?>\x00", []string{"</rdf:RDF>\n          \n<?xpacket end='w'?>\x00"}},
		{"closed", `<z:RDF xmlns:z="` + rdf + `" />`, []string{`<z:RDF xmlns:z="` + rdf + `" >`, "</z:RDF>"}},
		{"empty", " \n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all := pictures(t)
			for kind, picture := range map[string][]byte{
				"png": afterHeader(all["png"], pngXMP(tt.packet)), "jpeg": afterStart(all["jpeg"], jpegXMP(tt.packet)),
				"webp": webp(webpChunk("VP8X", []byte{0x10, 0, 0, 0, 22, 0, 0, 16, 0, 0}), all["webp"][12:], webpChunk("XMP ", []byte(tt.packet))),
			} {
				if strings.Contains(tt.packet, other) {
					if r, err := provenance.Read(picture); err != nil || r.Source != other {
						t.Errorf("%s: Read gives %q, %v before it is marked", kind, r.Source, err)
					}
				}
				marked, err := provenance.Mark(picture, full())
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				if got, err := provenance.Read(marked); err != nil || cmp.Diff(full(), got) != "" {
					t.Errorf("%s: record %v (-want +got):\n%s", kind, err, cmp.Diff(full(), got))
				}
				for _, k := range tt.kept {
					if !bytes.Contains(marked, []byte(k)) {
						t.Errorf("%s: %q is gone from\n%s", kind, k, marked)
					}
				}
				if bytes.Contains(marked, []byte(other)) {
					t.Errorf("%s: the old value is still there", kind)
				}
				again, err := provenance.Mark(marked, full())
				if err != nil || !bytes.Equal(again, marked) {
					t.Errorf("%s: marking twice is not the same as marking once: %v", kind, err)
				}
			}
		})
	}
}

// Everything that is no XMP stays as it is, in its order.
func TestForeignMetadata(t *testing.T) {
	t.Parallel()
	all := pictures(t)
	exif, c2pa := segment(0xe1, []byte("Exif\x00\x00MM\x00*")), segment(0xeb, []byte("JP\x00\x01jumb manifest"))
	jfif, extended := segment(0xe0, []byte("JFIF\x00\x01\x02")), segment(0xe1, []byte("http://ns.adobe.com/xmp/extension/\x00GUID"))
	webpPicture := all["webp"][12:]
	for name, tt := range map[string]struct {
		picture []byte
		parts   [][]byte // what has to be in the marked one, one after the other
	}{
		"png": {
			append(afterHeader(all["png"], pngChunk("caBX", []byte("jumb")), pngChunk("tEXt", []byte("parameters\x00x"))), "trailer"...),
			[][]byte{all["png"][:33], []byte("iTXt"), pngChunk("caBX", []byte("jumb")), pngChunk("tEXt", []byte("parameters\x00x")), all["png"][33:], []byte("trailer")},
		},
		"png with a late packet": {
			bytes.Join([][]byte{all["png"][:len(all["png"])-12], pngXMP(""), all["png"][len(all["png"])-12:]}, nil),
			[][]byte{all["png"][:len(all["png"])-12], []byte("iTXt"), all["png"][len(all["png"])-12:]},
		},
		"jpeg": {
			append(afterStart(all["jpeg"], jfif, exif, []byte{0xff, 0xff, 0xff}, c2pa[1:], extended), "second picture"...),
			[][]byte{{0xff, 0xd8}, jfif, exif, []byte("http://ns.adobe.com/xap/1.0/\x00<?xpacket"), {0xff, 0xff, 0xff}, c2pa[1:], extended, all["jpeg"][2:], []byte("second picture")},
		},
		"webp": {
			append(webp(webpChunk("VP8X", []byte{0x18, 0, 0, 0, 22, 0, 0, 16, 0, 0}), webpPicture, webpChunk("EXIF", []byte("MM*")), webpChunk("C2PA", []byte("jumb"))), "tail"...),
			[][]byte{webpChunk("VP8X", []byte{0x1c, 0, 0, 0, 22, 0, 0, 16, 0, 0}), webpPicture, webpChunk("EXIF", []byte("MM*")), webpChunk("C2PA", []byte("jumb")), []byte("XMP "), []byte("tail")},
		},
		"simple webp": {
			all["webp"],
			[][]byte{webpChunk("VP8X", []byte{0x14, 0, 0, 0, 22, 0, 0, 16, 0, 0}), webpPicture, []byte("XMP ")},
		},
		"lossy webp": {
			webp(webpChunk("VP8 ", []byte("\x10\x00\x00\x9d\x01\x2a\x17\x40\x11\x00x"))), // the two upper bits are no part of the size
			[][]byte{webpChunk("VP8X", []byte{0x04, 0, 0, 0, 22, 0, 0, 16, 0, 0}), []byte("VP8 "), []byte("XMP ")},
		},
		"webp without its last padding": {
			append(binary.LittleEndian.AppendUint32([]byte("RIFF"), 4+8+11), "WEBPVP8 \x0b\x00\x00\x00\x10\x00\x00\x9d\x01\x2a\x17\x00\x11\x00x"...),
			[][]byte{[]byte("VP8X"), []byte("VP8 "), []byte("\x11\x00x\x00XMP ")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marked, err := provenance.Mark(tt.picture, full())
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for i, part := range tt.parts {
				n := bytes.Index(marked[at:], part)
				if n < 0 {
					t.Fatalf("part %d, %q, is not where it should be in\n%q", i, part, marked)
				}
				at += n + len(part)
			}
			if got, err := provenance.Read(marked); err != nil || got.RequestID != full().RequestID {
				t.Errorf("Read: %v, %v", got, err)
			}
			if string(marked[:4]) == "RIFF" {
				size := int(binary.LittleEndian.Uint32(marked[4:]))
				if tail := len(marked) - 8 - size; tail != 0 && tail != len("tail") {
					t.Errorf("the file says that it has %d bytes; it has %d", size+8, len(marked))
				}
			}
		})
	}
}

// bomb is a text that is 64 MiB when it is unpacked.
func bomb(t *testing.T) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := io.Copy(w, io.LimitReader(zeros{}, 64<<20)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestHostile(t *testing.T) {
	all := pictures(t)
	huge := binary.BigEndian.AppendUint32(nil, 0xffffffff)
	inPNG := func(packet string) []byte { return afterHeader(all["png"], pngXMP(packet)) }
	for _, tt := range []struct {
		name    string
		picture []byte
		want    string
	}{
		{"nothing", nil, "no PNG, JPEG or WebP"},
		{"a GIF", []byte("GIF89a..."), "no PNG, JPEG or WebP"},
		{"PNG signature alone", all["png"][:8], "cut off"},
		{"PNG without end", all["png"][:len(all["png"])-12], "cut off"},
		{"PNG without header", append([]byte("\x89PNG\r\n\x1a\n"), all["png"][33:]...), "no header"},
		{"PNG chunk beyond the end", afterHeader(all["png"][:40], append(huge, "iTXtabcdefgh"...)), "cut off"},
		{"PNG text without separators", afterHeader(all["png"], pngChunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00abc"))), "cut off"},
		{"PNG text that is not packed", afterHeader(all["png"], pngChunk("iTXt", []byte("XML:com.adobe.xmp\x00\x01\x00\x00\x00abc"))), "zlib"},
		{"PNG bomb", afterHeader(all["png"], pngChunk("iTXt", append([]byte("XML:com.adobe.xmp\x00\x01\x00\x00\x00"), bomb(t)...))), "larger than"},
		{"PNG with much XMP", inPNG(strings.Repeat(" ", 5<<20)), "larger than"},
		{"JPEG cut in a segment", all["jpeg"][:5], "cut off"},
		{"JPEG cut in a length", []byte{0xff, 0xd8, 0xff, 0xe0, 0}, "cut off"},
		{"JPEG length 1", []byte{0xff, 0xd8, 0xff, 0xe0, 0, 1, 0, 0}, "cut off"},
		{"JPEG without marker", []byte{0xff, 0xd8, 0xff, 0xd0, 0, 4, 0, 0}, "damaged"},
		{"JPEG of fill bytes", bytes.Repeat([]byte{0xff}, 9), "no PNG, JPEG or WebP"},
		{"JPEG that ends in fill bytes", []byte{0xff, 0xd8, 0xff, 0xff}, "damaged"},
		{"WebP that says it is larger", append([]byte("RIFF\xff\xff\xff\xff"), all["webp"][8:]...), "cut off"},
		{"WebP of size 0", append([]byte("RIFF\x00\x00\x00\x00"), all["webp"][8:]...), "cut off"},
		{"WebP of nothing", webp(), "cut off"},
		{"WebP chunk beyond the end", webp([]byte("VP8L\xff\xff\xff\xff....")), "cut off"},
		{"WebP cut in a chunk header", webp([]byte("VP8L")), "cut off"},
		{"WebP of something else", webp(webpChunk("EXIF", []byte("x"))), "does not begin with a picture"},
		{"WebP of no pixels", webp(webpChunk("VP8 ", []byte("\x10\x00\x00\x9d\x01\x2a\x00\x00\x00\x00"))), "no pixels"},
		{"WebP with much XMP", webp(all["webp"][12:], webpChunk("XMP ", make([]byte, 5<<20))), "larger than"},
		{"XMP that is no XML", inPNG("<<<"), "XML syntax error"},
		{"XMP without RDF", inPNG("<a/>"), "no rdf:RDF"},
		{"XMP cut off", inPNG(`<rdf:RDF xmlns:rdf="` + rdf + `">`), "XML syntax error"},
		{"XMP with a document type", inPNG(`<!DOCTYPE a [<!ENTITY b "c">]><a/>`), "document type"},
		{"XMP with an entity", inPNG(`<a>&b;</a>`), "invalid character entity"},
		{"XMP in UTF-16", inPNG(`<?xml version="1.0" encoding="utf-16"?><a/>`), "utf-16"},
		{"a deep nest", inPNG(strings.Repeat("<a>", 1<<20)), "nested more than 100 deep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, markErr := provenance.Mark(tt.picture, full())
			_, readErr := provenance.Read(tt.picture)
			runtime.ReadMemStats(&after)
			for _, err := range []error{markErr, readErr} {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 {
				t.Errorf("it took %d MiB", used>>20)
			}
		})
	}
}

func TestRecordTooLarge(t *testing.T) {
	t.Parallel()
	r := full()
	r.Input = json.RawMessage(`{"prompt":"` + strings.Repeat("x", 70_000) + `"}`)
	all := pictures(t)
	if _, err := provenance.Mark(all["jpeg"], r); err == nil || !strings.Contains(err.Error(), "at most 65502") {
		t.Errorf("a JPEG took 70 kB of XMP: %v", err)
	}
	for _, kind := range []string{"png", "webp"} {
		if _, err := provenance.Mark(all[kind], r); err != nil {
			t.Error(err)
		}
	}
	r.Input = json.RawMessage(`{"prompt":"` + strings.Repeat("x", 5<<20) + `"}`)
	for kind, picture := range all {
		if _, err := provenance.Mark(picture, r); err == nil || !strings.Contains(err.Error(), "leave out Input") {
			t.Errorf("%s: 5 MB of XMP: %v", kind, err)
		}
	}
}

func TestMarkFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(path, pictures(t)["png"], 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.png")
	if err := os.Symlink(path, link); err != nil {
		t.Log(err) // not every system has links
		link = path
	}
	if err := provenance.MarkFile(link, full()); err != nil {
		t.Fatal(err)
	}
	got, err := provenance.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o640 {
		t.Errorf("the mode is %v", mode)
	}
	// What is no picture stays as it is, and nothing is left beside it.
	other := filepath.Join(filepath.Dir(path), "b.txt")
	if err := os.WriteFile(other, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := provenance.MarkFile(other, full()); err == nil || !strings.Contains(err.Error(), "b.txt") {
		t.Errorf("marking a text: %v", err)
	}
	if b, err := os.ReadFile(other); err != nil || string(b) != "text" {
		t.Errorf("the text is %q, %v", b, err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
	for _, missing := range []func(string) error{
		func(p string) error { return provenance.MarkFile(p, full()) },
		func(p string) error { _, err := provenance.ReadFile(p); return err },
	} {
		if err := missing(path + ".none"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file that is not there: %v", err)
		}
	}
	if _, err := provenance.ReadFile(other); err == nil || !strings.Contains(err.Error(), "b.txt") {
		t.Errorf("reading a text: %v", err)
	}
}
