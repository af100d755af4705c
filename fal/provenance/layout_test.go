package provenance_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/provenance"
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// markOf marks a picture and returns the XMP that is in it then. A record without
// anything is the mark that a model made the picture.
func markOf(t *testing.T, picture []byte, r provenance.Record) (marked []byte, xmp string) {
	t.Helper()
	marked, err := provenance.Mark(picture, r)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := bytes.Index(marked, []byte("<?xpacket begin")), bytes.LastIndex(marked, []byte(`<?xpacket end="w"?>`))
	if begin < 0 || end < 0 {
		t.Fatalf("there is no packet in %.200q", marked)
	}
	return marked, string(marked[begin : end+len(`<?xpacket end="w"?>`)])
}

// The XMP of a JPEG comes behind the segments of JFIF and Exif that begin it, and
// before all others.
func TestPlaceInJPEG(t *testing.T) {
	t.Parallel()
	start, scan, end := []byte{0xff, 0xd8}, []byte{0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9}, []byte{0xff, 0xd9}
	jfif, exif, empty := segment(0xe0, []byte("JFIF")), segment(0xe1, []byte("Exif")), segment(0xe2, nil)
	bare := func(marker byte) []byte { return []byte{0xff, marker} }
	for name, tt := range map[string]struct{ before, after [][]byte }{
		"nothing else":          {nil, [][]byte{scan}},
		"JFIF":                  {[][]byte{jfif}, [][]byte{scan}},
		"Exif":                  {[][]byte{exif}, [][]byte{scan}},
		"both, and others":      {[][]byte{jfif, exif}, [][]byte{empty, jfif, scan}},
		"others first":          {nil, [][]byte{empty, jfif, exif, scan}},
		"the end at once":       {[][]byte{jfif}, [][]byte{end}},
		"behind a TEM":          {[][]byte{jfif}, [][]byte{bare(0x01), exif, scan}},
		"behind a restart":      {[][]byte{jfif}, [][]byte{bare(0xd0), exif, scan}},
		"behind the last one":   {[][]byte{jfif}, [][]byte{bare(0xd7), exif, scan}},
		"beside these, with it": {nil, [][]byte{segment(0x02, []byte("a")), segment(0xcf, []byte("b")), segment(0xd8, []byte("c")), segment(0x00, []byte("d")), scan}},
	} {
		picture := join(start, join(tt.before...), join(tt.after...))
		marked, xmp := markOf(t, picture, provenance.Record{})
		if diff := cmp.Diff(join(start, join(tt.before...), jpegXMP(xmp), join(tt.after...)), marked); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// Where there is XMP the record goes into the first of it, and others lose what they
// say of the same, in whatever kind of file.
func TestSeveralPackets(t *testing.T) {
	t.Parallel()
	one := `<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about="" xmlns:dc="d:" dc:format="x"/></rdf:RDF>`
	two := `<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about="" xmlns:e="` + iptc + `" e:AISystemUsed="me" e:Event="Fair"/></rdf:RDF>`
	left := strings.Replace(two, ` e:AISystemUsed="me"`, "", 1)
	all := pictures(t)
	simple := all["webp"][12:]
	for kind, tt := range map[string]struct {
		picture []byte
		wrap    func(string) []byte
	}{
		"png":  {afterHeader(all["png"], pngXMP(one), pngChunk("tEXt", []byte("a")), pngXMP(two)), pngXMP},
		"jpeg": {afterStart(all["jpeg"], jpegXMP(one), segment(0xe0, nil), jpegXMP(two)), jpegXMP},
		"webp": {webp(webpChunk("VP8X", make([]byte, 10)), webpChunk("XMP ", []byte(one)), simple, webpChunk("XMP ", []byte(two))), func(s string) []byte { return webpChunk("XMP ", []byte(s)) }},
	} {
		marked, err := provenance.Mark(tt.picture, full())
		if err != nil {
			t.Fatal(err)
		}
		first, second := bytes.Index(marked, []byte(`dc:format="x"`)), bytes.Index(marked, []byte("764cabcf"))
		if last := bytes.Index(marked, tt.wrap(left)); first < 0 || second < first || last < second {
			t.Errorf("%s: the first XMP is at %d, the record at %d, the other XMP at %d", kind, first, second, last)
		}
		if got, err := provenance.Read(marked); err != nil || cmp.Diff(full(), got) != "" {
			t.Errorf("%s: %v %v", kind, got, err)
		}
	}
}

// packedXMP is XMP in a PNG that is compressed.
func packedXMP(t *testing.T, packet string) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write([]byte(packet)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return pngChunk("iTXt", join([]byte("XML:com.adobe.xmp\x00\x01\x00\x00\x00"), b.Bytes()))
}

// Of a PNG's texts those count that are XMP, compressed or not; what does not change
// stays as it is.
func TestTextsOfPNG(t *testing.T) {
	t.Parallel()
	const dc = `"><rdf:Description rdf:about="" xmlns:dc="d:" dc:format="x"/></rdf:RDF>`
	foreign := packedXMP(t, `<rdf:RDF xmlns:rdf="`+rdf+dc)
	ours := packedXMP(t, `<rdf:RDF xmlns:rdf="`+rdf+`"><rdf:Description rdf:about="" xmlns:e="`+iptc+`" e:AISystemUsed="me"/></rdf:RDF>`)
	others := join(pngChunk("iTXt", []byte("XML:com.adobe.xmp")), pngChunk("iTXt", []byte("XML:com.adobe.xmp\x00")), pngChunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00")),
		pngChunk("iTXt", []byte("Title\x00\x00\x00\x00\x00<<<")), pngChunk("tEXt", []byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00<<<")))
	picture := pictures(t)["png"]
	marked, xmp := markOf(t, afterHeader(picture, others), provenance.Record{})
	if want := afterHeader(picture, pngXMP(xmp), others); !bytes.Equal(marked, want) {
		t.Errorf("%q\nwant\n%q", marked, want)
	}
	if r, err := provenance.Read(afterHeader(picture, ours)); err != nil || r.Endpoint != "me" {
		t.Errorf("compressed: %v, %v", r, err)
	}
	marked, err := provenance.Mark(afterHeader(picture, ours, foreign), provenance.Record{})
	if err != nil || !bytes.Contains(marked, foreign) || bytes.Contains(marked, ours) {
		t.Errorf("what need not change has changed, or the other: %v", err)
	}
	short := afterHeader(picture, pngChunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00")))
	if _, err := provenance.Read(short); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("a text without its texts: %v", err)
	}
}

// The largest XMP that each kind of file takes, to the byte, is written, and read.
func TestLargestXMP(t *testing.T) {
	t.Parallel()
	for kind, most := range map[string]int{"jpeg": 65502, "png": 4 << 20, "webp": 4 << 20} {
		picture := pictures(t)[kind]
		_, xmp := markOf(t, picture, provenance.Record{Prompt: "p"})
		prompt := strings.Repeat("p", most-len(xmp)+1)
		marked, xmp := markOf(t, picture, provenance.Record{Prompt: prompt})
		if got, err := provenance.Read(marked); err != nil || got.Prompt != prompt || len(xmp) != most {
			t.Errorf("%s: %d bytes of XMP, %v", kind, len(xmp), err)
		}
		if _, err := provenance.Mark(picture, provenance.Record{Prompt: prompt + "p"}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("needs %d bytes of XMP, and the file takes at most %d", most+1, most)) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	long := `<rdf:RDF xmlns:rdf="` + rdf + `"></rdf:RDF>`
	long += strings.Repeat(" ", 4<<20-len(long))
	all := pictures(t)
	for name, with := range map[string]func(string) []byte{
		"png":        func(s string) []byte { return afterHeader(all["png"], pngXMP(s)) },
		"packed png": func(s string) []byte { return afterHeader(all["png"], packedXMP(t, s)) },
		"webp":       func(s string) []byte { return webp(all["webp"][12:], webpChunk("XMP ", []byte(s))) },
	} {
		if _, err := provenance.Read(with(long)); err == nil || err.Error() != provenance.ErrNoRecord.Error() {
			t.Errorf("%s: 4 MiB: %v", name, err)
		}
		if _, err := provenance.Read(with(long + " ")); err == nil || !strings.Contains(err.Error(), "larger than 4194304 bytes") {
			t.Errorf("%s: more: %v", name, err)
		}
	}
}

// A file that ends too early is refused, wherever it ends, and one that is whole is
// not.
func TestCutFiles(t *testing.T) {
	t.Parallel()
	jpeg := func(rest ...byte) []byte { return append([]byte{0xff, 0xd8}, rest...) }
	for name, tt := range map[string]struct {
		picture []byte
		want    string
	}{
		"JPEG after a marker":                {jpeg(0xff, 0xe0), "cut off"},
		"JPEG in a length":                   {jpeg(0xff, 0xe0, 0), "cut off"},
		"JPEG after an empty segment":        {jpeg(0xff, 0xe0, 0, 2), "damaged"},
		"JPEG after a segment":               {jpeg(0xff, 0xe0, 0, 3, 1), "damaged"},
		"JPEG in a segment":                  {jpeg(0xff, 0xe0, 0, 4, 1), "cut off"},
		"JPEG of length 1":                   {jpeg(0xff, 0xe0, 0, 1, 0xff, 0xd9), "cut off"},
		"JPEG after a restart":               {jpeg(0xff, 0xd0), "damaged"},
		"WebP of an empty chunk":             {webp(webpChunk("VP8L", nil)), "does not begin with a picture"},
		"WebP of less":                       {webp([]byte("VP8L\x00\x00\x00")), "cut off"},
		"WebP that says one byte more":       {webpSaying(1, webpChunk("VP8X", make([]byte, 10))), "cut off"},
		"a chunk that says one byte more":    {webp(webpChunk("VP8X", make([]byte, 10)), []byte("EXIF\x01\x00\x00\x00")), "cut off"},
		"WebP in a chunk's length":           {webp(webpChunk("VP8X", make([]byte, 10)), []byte("EXIF\x00\x00\x00")), "cut off"},
		"RIFF that is no WebP":               {[]byte("RIFF\x04\x00\x00\x00WAVE"), "no PNG, JPEG or WebP"},
		"WebP that is no RIFF":               {[]byte("RIFX\x04\x00\x00\x00WEBP"), "no PNG, JPEG or WebP"},
		"WebP of eleven bytes":               {[]byte("RIFF\x04\x00\x00\x00WEB"), "no PNG, JPEG or WebP"},
		"WebP with a short extended header":  {webp(webpChunk("VP8X", make([]byte, 9))), "does not begin with a picture"},
		"lossless of four bytes":             {webp(webpChunk("VP8L", []byte{0x2f, 0, 0, 0})), "does not begin with a picture"},
		"lossless of another version":        {webp(webpChunk("VP8L", []byte{0x2e, 0, 0, 0, 0})), "does not begin with a picture"},
		"lossy of nine bytes":                {webp(webpChunk("VP8 ", []byte("\x10\x00\x00\x9d\x01\x2a\x17\x00\x11"))), "does not begin with a picture"},
		"lossy that begins with a later one": {webp(webpChunk("VP8 ", []byte("\x11\x00\x00\x9d\x01\x2a\x17\x00\x11\x00"))), "does not begin with a picture"},
		"lossy without its start":            {webp(webpChunk("VP8 ", []byte("\x10\x00\x00\x9d\x01\x2b\x17\x00\x11\x00"))), "does not begin with a picture"},
		"lossy without width":                {webp(webpChunk("VP8 ", []byte("\x10\x00\x00\x9d\x01\x2a\x00\x00\x11\x00"))), "no pixels"},
		"lossy without height":               {webp(webpChunk("VP8 ", []byte("\x10\x00\x00\x9d\x01\x2a\x17\x00\x00\x00"))), "no pixels"},
		"PNG in its last chunk":              {cutBy(1, pictures(t)["png"]), "cut off"},
		"PNG in an earlier one":              {pictures(t)["png"][:40], "cut off"},
	} {
		picture := slices.Clip(bytes.Clone(tt.picture)) // nothing is behind it
		_, marked := provenance.Mark(picture, full())
		_, read := provenance.Read(picture)
		for _, err := range []error{marked, read} {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		}
	}
}

func cutBy(n int, picture []byte) []byte { return picture[:len(picture)-n] }

// webpSaying is webp that says that it is longer by some bytes.
func webpSaying(more uint32, chunks ...[]byte) []byte {
	out := webp(chunks...)
	binary.LittleEndian.PutUint32(out[4:], binary.LittleEndian.Uint32(out[4:])+more)
	return out
}

// A simple WebP file gets the extended header, with its size and transparency; an
// extended one keeps its own, and both say that there is XMP.
func TestHeadersOfWebP(t *testing.T) {
	t.Parallel()
	lossless := func(width, height, alpha uint32) []byte {
		return binary.LittleEndian.AppendUint32([]byte{0x2f}, (width-1)|(height-1)<<14|alpha<<28)
	}
	lossy := func(width, height uint16) []byte {
		return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16([]byte("\x10\x00\x00\x9d\x01\x2a"), width), height)
	}
	for name, tt := range map[string]struct{ picture, head []byte }{
		"lossless":           {webpChunk("VP8L", lossless(1, 1, 0)), []byte{4, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		"largest lossless":   {webpChunk("VP8L", lossless(16384, 16384, 0)), []byte{4, 0, 0, 0, 0xff, 0x3f, 0, 0xff, 0x3f, 0}},
		"with transparency":  {webpChunk("VP8L", lossless(258, 772, 1)), []byte{0x14, 0, 0, 0, 1, 1, 0, 3, 3, 0}},
		"lossy":              {webpChunk("VP8 ", lossy(1, 2)), []byte{4, 0, 0, 0, 0, 0, 0, 1, 0, 0}},
		"largest lossy":      {webpChunk("VP8 ", lossy(16383, 16383)), []byte{4, 0, 0, 0, 0xfe, 0x3f, 0, 0xfe, 0x3f, 0}},
		"lossy and enlarged": {webpChunk("VP8 ", lossy(0x4000|300, 0xc000|700)), []byte{4, 0, 0, 0, 0x2b, 1, 0, 0xbb, 2, 0}},
	} {
		marked, xmp := markOf(t, webp(tt.picture), provenance.Record{})
		if diff := cmp.Diff(webp(webpChunk("VP8X", tt.head), tt.picture, webpChunk("XMP ", []byte(xmp))), marked); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	for name, tt := range map[string]struct{ before, after []byte }{
		"extended":               {[]byte{0x3a, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []byte{0x3e, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"extended, of odd size":  {[]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"extended, of even size": {[]byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, []byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	} {
		rest := join(webpChunk("ICCP", []byte("abc")), webpChunk("EXIF", nil))
		for _, prompt := range []string{"a", "ab"} { // of XMP of an odd and of an even length
			marked, xmp := markOf(t, webp(webpChunk("VP8X", tt.before), rest), provenance.Record{Prompt: prompt})
			if diff := cmp.Diff(webp(webpChunk("VP8X", tt.after), rest, webpChunk("XMP ", []byte(xmp))), marked); diff != "" {
				t.Errorf("%s: -want +got\n%s", name, diff)
			}
		}
	}
}

// What a record does not know is not written, and what it knows is, in these words.
func TestWords(t *testing.T) {
	t.Parallel()
	const ours = "https://github.com/falimage/falimage-go/provenance/1.0/"
	packet := func(properties string) string {
		return "<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" + `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="` + rdf + `">` +
			`<rdf:Description rdf:about="" xmlns:rdf="` + rdf + `" xmlns:Iptc4xmpExt="` + iptc + `" xmlns:falimage="` + ours + `">` + "\n" + properties +
			"</rdf:Description></rdf:RDF></x:xmpmeta>\n" + `<?xpacket end="w"?>`
	}
	everything := full()
	everything.Prompt, everything.Input = "a <mug>", json.RawMessage(`{"prompt":"a"}`)
	for name, tt := range map[string]struct {
		record provenance.Record
		want   string
	}{
		"nothing": {provenance.Record{}, "<Iptc4xmpExt:DigitalSourceType>" + string(provenance.Generated) + "</Iptc4xmpExt:DigitalSourceType>\n"},
		"everything": {everything, "<Iptc4xmpExt:DigitalSourceType>" + string(provenance.Edited) + "</Iptc4xmpExt:DigitalSourceType>\n" +
			"<Iptc4xmpExt:AISystemUsed>fal-ai/flux-2-pro</Iptc4xmpExt:AISystemUsed>\n<Iptc4xmpExt:AIPromptInformation>a &lt;mug&gt;</Iptc4xmpExt:AIPromptInformation>\n" +
			"<falimage:Endpoint>fal-ai/flux-2-pro</falimage:Endpoint>\n<falimage:RequestID>764cabcf-b745-4b3e-ae38-1200304cf45b</falimage:RequestID>\n" +
			"<falimage:Time>2026-11-26T09:30:00Z</falimage:Time>\n<falimage:Cost>$0.045</falimage:Cost>\n<falimage:Seed>18446744073709551615</falimage:Seed>\n" +
			"<falimage:Input>{&#34;prompt&#34;:&#34;a&#34;}</falimage:Input>\n"},
	} {
		if _, got := markOf(t, pictures(t)["png"], tt.record); got != packet(tt.want) {
			t.Errorf("%s: -want +got\n%s", name, cmp.Diff(packet(tt.want), got))
		}
	}
}

// What others write is read as it stands; what cannot be read is not known.
func TestReadingOfOthers(t *testing.T) {
	t.Parallel()
	const head = `<rdf:RDF xmlns:rdf="` + rdf + `"><rdf:Description rdf:about="" xmlns:e="` + iptc + `" xmlns:f="https://github.com/falimage/falimage-go/provenance/1.0/">`
	const end = `</rdf:Description></rdf:RDF>`
	for properties, want := range map[string]provenance.Record{
		`<e:AISystemUsed> Camera </e:AISystemUsed>`:                                                    {Endpoint: "Camera"},
		`<e:AISystemUsed>Camera</e:AISystemUsed><f:Endpoint>x/y</f:Endpoint>`:                          {Endpoint: "x/y"},
		`<e:AIPromptInformation> a mug </e:AIPromptInformation><f:Time>yesterday</f:Time>`:             {Prompt: " a mug "},
		`<f:Seed>-1</f:Seed><f:Cost> $1 </f:Cost><f:Input>{</f:Input>`:                                 {Cost: "$1"},
		`<f:Seed>7</f:Seed><f:Input>{"a":1}</f:Input><e:AIPromptInformation>x</e:AIPromptInformation>`: {Seed: fal.Seed(7), Prompt: "x", Input: []byte(`{"a":1}`)},
		`<f:Input>{"prompt":"y"}</f:Input><e:AIPromptInformation>x</e:AIPromptInformation>`:            {Prompt: "y", Input: []byte(`{"prompt":"y"}`)},
		`<other>x</other><f:RequestID>r<b>-1</b></f:RequestID>`:                                        {RequestID: "r-1"},
		`<e:Event><f:RequestID>r-1</f:RequestID></e:Event><f:Cost>$1</f:Cost>`:                         {Cost: "$1"},
	} {
		got, err := provenance.Read(afterHeader(pictures(t)["png"], pngXMP(head+properties+end)))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", properties, err, diff)
		}
	}
}

// What is cut out of XMP and what is put into it, to the byte.
func TestMerging(t *testing.T) {
	t.Parallel()
	const ns = ` xmlns:e="` + iptc + `" xmlns:dc="d:"`
	open := `<rdf:RDF xmlns:rdf="` + rdf + `">`
	for name, tt := range map[string]struct{ before, after string }{ // MARK stands for what is put in
		"nothing of ours":         {open + `<rdf:Description rdf:about=""` + ns + ` dc:a="1"/></rdf:RDF>`, open + `<rdf:Description rdf:about=""` + ns + ` dc:a="1"/>MARK</rdf:RDF>`},
		"a node that is ours":     {open + "\n <rdf:Description rdf:about=\"\"" + ns + ` e:AISystemUsed="x"/>` + "\n</rdf:RDF>", open + "\n \nMARK</rdf:RDF>"},
		"an element of it":        {open + `<rdf:Description` + ns + `><dc:a>1</dc:a><e:AISystemUsed>x</e:AISystemUsed></rdf:Description></rdf:RDF>`, open + `<rdf:Description` + ns + `><dc:a>1</dc:a></rdf:Description>MARK</rdf:RDF>`},
		"an attribute of it":      {open + `<rdf:Description` + ns + ` e:AISystemUsed="x" dc:a='"'/></rdf:RDF>`, open + `<rdf:Description` + ns + ` dc:a='"'/>MARK</rdf:RDF>`},
		"ours, around a comment":  {open + `<rdf:Description` + ns + `><e:AISystemUsed>x</e:AISystemUsed><!-- c --></rdf:Description></rdf:RDF>`, open + `<rdf:Description` + ns + `><!-- c --></rdf:Description>MARK</rdf:RDF>`},
		"ours, with a text":       {open + `<rdf:Description` + ns + `><e:AISystemUsed>x</e:AISystemUsed> t </rdf:Description></rdf:RDF>`, open + `<rdf:Description` + ns + `> t </rdf:Description>MARK</rdf:RDF>`},
		"ours, and an ID":         {open + `<rdf:Description rdf:ID="i"` + ns + `><e:AISystemUsed>x</e:AISystemUsed></rdf:Description></rdf:RDF>`, open + `<rdf:Description rdf:ID="i"` + ns + `></rdf:Description>MARK</rdf:RDF>`},
		"foreign, then ours":      {open + `<rdf:Description` + ns + ` dc:a="1"/><rdf:Description xmlns="x"` + ns + ` e:AISystemUsed="x"/></rdf:RDF>`, open + `<rdf:Description` + ns + ` dc:a="1"/>MARK</rdf:RDF>`},
		"ours, then foreign":      {open + `<rdf:Description` + ns + ` e:AISystemUsed="x"/><rdf:Description` + ns + ` dc:a="1"/></rdf:RDF>`, open + `<rdf:Description` + ns + ` dc:a="1"/>MARK</rdf:RDF>`},
		"two trees":               {`<a>` + open + `</rdf:RDF>` + open + `<rdf:Description` + ns + ` e:AISystemUsed="x"/></rdf:RDF></a>`, `<a>` + open + `MARK</rdf:RDF>` + open + `<rdf:Description` + ns + ` e:AISystemUsed="x"/></rdf:RDF></a>`},
		"ours, beside the tree":   {`<a` + ns + `><e:AISystemUsed>x</e:AISystemUsed>` + open + `</rdf:RDF></a>`, `<a` + ns + `><e:AISystemUsed>x</e:AISystemUsed>` + open + `MARK</rdf:RDF></a>`},
		"ours, deep in another":   {open + `<rdf:Description` + ns + `><dc:a><e:AISystemUsed>x</e:AISystemUsed></dc:a></rdf:Description></rdf:RDF>`, open + `<rdf:Description` + ns + `><dc:a><e:AISystemUsed>x</e:AISystemUsed></dc:a></rdf:Description>MARK</rdf:RDF>`},
		"a tree that is closed":   {`<z:RDF` + "\n" + `xmlns:z="` + rdf + `"/>`, `<z:RDF` + "\n" + `xmlns:z="` + rdf + `">MARK</z:RDF>`},
		"what is about something": {open + `<rdf:Description` + ns + ` rdf:about='u:7' dc:a="1"/></rdf:RDF>`, open + `<rdf:Description` + ns + ` rdf:about='u:7' dc:a="1"/>MARK</rdf:RDF>`},
	} {
		marked, err := provenance.Mark(afterHeader(pictures(t)["png"], pngXMP(tt.before)), provenance.Record{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		about := `""`
		if strings.Contains(tt.before, "u:7") {
			about = `'u:7'`
		}
		mark := `<rdf:Description rdf:about=` + about + ` xmlns:rdf="` + rdf + `" xmlns:Iptc4xmpExt="` + iptc + `" xmlns:falimage="https://github.com/falimage/falimage-go/provenance/1.0/">` +
			"\n<Iptc4xmpExt:DigitalSourceType>" + string(provenance.Generated) + "</Iptc4xmpExt:DigitalSourceType>\n</rdf:Description>"
		want := afterHeader(pictures(t)["png"], pngXMP(strings.Replace(tt.after, "MARK", mark, 1)))
		if !bytes.Equal(want, marked) {
			t.Errorf("%s: got\n%q\nwant\n%q", name, marked[:len(marked)-100], want[:len(want)-100])
		}
	}
}

// XMP is read to a depth of 100.
func TestDepth(t *testing.T) {
	t.Parallel()
	nest := func(n int) []byte {
		packet := strings.Repeat("<a>", n-1) + `<rdf:RDF xmlns:rdf="` + rdf + `"></rdf:RDF>` + strings.Repeat("</a>", n-1)
		return afterHeader(pictures(t)["png"], pngXMP(packet))
	}
	if _, err := provenance.Mark(nest(100), full()); err != nil {
		t.Error(err)
	}
	if _, err := provenance.Mark(nest(101), full()); err == nil || !strings.Contains(err.Error(), "more than 100 deep") {
		t.Errorf("101 deep: %v", err)
	}
}

// A file that is larger than any picture is not read.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "large.png")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 256<<20+1); err != nil {
		t.Fatal(err)
	}
	if _, err := provenance.ReadFile(path); err == nil || !strings.Contains(err.Error(), "larger than 268435456 bytes") {
		t.Error(err)
	}
}
