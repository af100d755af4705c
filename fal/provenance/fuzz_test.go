package provenance_test

import (
	"bytes"
	"image"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/provenance"
)

// FuzzMark marks whatever it is given: nothing panics, and what could be marked
// tells its record, once, and stays the same when it is marked again.
func FuzzMark(f *testing.F) {
	all := pictures(f)
	for _, picture := range all {
		f.Add(picture)
		marked, err := provenance.Mark(picture, full())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(marked)
	}
	f.Add(webp(webpChunk("VP8X", make([]byte, 10)), webpChunk("XMP ", nil)))
	f.Add(afterStart(all["jpeg"], segment(0xe0, nil), jpegXMP("")))
	f.Fuzz(func(t *testing.T, picture []byte) {
		_, _ = provenance.Read(picture)
		marked, err := provenance.Mark(picture, full())
		if err != nil {
			return
		}
		held(t, marked)
		before, _, err := image.DecodeConfig(bytes.NewReader(picture))
		if err != nil {
			return
		}
		if after, _, err := image.DecodeConfig(bytes.NewReader(marked)); err == nil && (after.Width != before.Width || after.Height != before.Height) {
			t.Errorf("%dx%d became %dx%d", before.Width, before.Height, after.Width, after.Height)
		}
	})
}

// FuzzXMP marks a picture that has whatever is given as XMP.
func FuzzXMP(f *testing.F) {
	f.Add("")
	f.Add(`<rdf:RDF xmlns:rdf="` + rdf + `"/>`)
	f.Add(`<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about='' xmlns:e="` + iptc + `" e:DigitalSourceType="x"><e:AISystemUsed rdf:resource="y"/></rdf:Description></rdf:RDF>`)
	picture := pictures(f)["png"]
	f.Fuzz(func(t *testing.T, packet string) {
		marked, err := provenance.Mark(afterHeader(picture, pngXMP(packet)), full())
		if err == nil {
			held(t, marked)
		}
	})
}

// held checks that a picture has the record, and nothing of another.
func held(t *testing.T, marked []byte) {
	t.Helper()
	got, err := provenance.Read(marked)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	again, err := provenance.Mark(marked, full())
	if err != nil || !bytes.Equal(marked, again) {
		t.Errorf("marking twice is not the same as marking once: %v\n%q\n%q", err, marked, again)
	}
}
