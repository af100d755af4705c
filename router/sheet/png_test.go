package sheet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/router/sheet"
)

var (
	transparentRed = color.NRGBA{0xd0, 0x20, 0x20, 0x00}
	accent         = color.RGBA{0x17, 0x60, 0x3f, 0xff}
	mat            = color.RGBA{0xe8, 0xe6, 0xe0, 0xff}
)

// drawn writes a sheet as a picture and reads it back.
func drawn(tb testing.TB, s *sheet.Sheet) *image.RGBA {
	tb.Helper()
	var b bytes.Buffer
	if err := s.WritePNG(&b); err != nil {
		tb.Fatal(err)
	}
	m, err := png.Decode(&b)
	if err != nil {
		tb.Fatal(err)
	}
	rgba, ok := m.(*image.RGBA)
	if !ok {
		tb.Fatalf("the sheet is a %T", m)
	}
	return rgba
}

// area returns the smallest rectangle that has all the pixels of a colour.
func area(m *image.RGBA, c color.RGBA) image.Rectangle {
	var out image.Rectangle
	want := []byte{c.R, c.G, c.B, c.A}
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride:][:m.Stride]
		first, last := -1, -1
		for at := 0; ; {
			i := bytes.Index(row[at:], want)
			if i < 0 {
				break
			}
			if at += i; at%4 == 0 {
				if first < 0 {
					first = at / 4
				}
				last = at / 4
				at += 4
				continue
			}
			at++
		}
		if first >= 0 {
			out = out.Union(image.Rect(first, y, last+1, y+1))
		}
	}
	return out
}

// untitled has one section with entries and no words but theirs.
func untitled(e ...sheet.Entry) *sheet.Sheet {
	return &sheet.Sheet{Sections: []sheet.Section{{Entries: e}}}
}

func TestPicturesInPlace(t *testing.T) {
	t.Parallel()
	m := drawn(t, untitled(
		sheet.Entry{Title: "Red", Picture: pngOf(t, flat(red, 960, 960))},
		sheet.Entry{Title: "Blue", Picture: pngOf(t, flat(blue, 100, 60))},
		sheet.Entry{Title: "Green", Picture: pngOf(t, flat(color.RGBA{0, 200, 0, 255}, 960, 480))},
	))
	if got := m.Bounds().Dx(); got != 2*64+3*480+2*48 {
		t.Errorf("the sheet is %d pixels wide", got)
	}
	// The shape of the section is 3:2, the nearest to the three.
	top := area(m, red).Min.Y
	for _, tt := range []struct {
		name string
		c    color.RGBA
		want image.Rectangle
	}{
		{"a square is as high as the cell", red, image.Rect(64+80, top, 64+80+320, top+320)},
		{"a small picture is in the middle and keeps its size", blue, image.Rect(592+190, top+130, 592+290, top+190)},
		{"a wide picture is as wide as the cell", color.RGBA{0, 200, 0, 255}, image.Rect(1120, top+40, 1600, top+280)},
	} {
		if got := area(m, tt.c); got != tt.want {
			t.Errorf("%s: it is at %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestTransparency(t *testing.T) {
	t.Parallel()
	half := image.NewNRGBA(image.Rect(0, 0, 480, 480))
	for y := range 480 {
		for x := range 240 {
			half.Set(x, y, red)
		}
	}
	m := drawn(t, untitled(sheet.Entry{Picture: pngOf(t, half)}))
	left := area(m, red)
	if left.Dx() < 235 || left.Dx() > 241 || left.Dy() != 480 {
		t.Errorf("the opaque half is %v", left)
	}
	for _, c := range []color.RGBA{{0xd3, 0xd0, 0xc8, 0xff}, mat} {
		if got := area(m, c); got.Max.X != left.Min.X+480 || got.Dy() != 480 {
			t.Errorf("no ground shows through: %v is at %v", c, got)
		}
	}
	// The ground is squares of 12 pixels in two colours that take turns.
	for y := 6; y < 480; y += 12 {
		for x := 258; x < 480; x += 12 {
			want := mat
			if (x/12+y/12)%2 == 0 {
				want = color.RGBA{0xd3, 0xd0, 0xc8, 0xff}
			}
			if got := m.RGBAAt(left.Min.X+x, left.Min.Y+y); got != want {
				t.Fatalf("at %d, %d the ground is %v, want %v", x, y, got, want)
			}
		}
	}
}

func TestPickedFrame(t *testing.T) {
	t.Parallel()
	e := sheet.Entry{Title: "Red", Picture: pngOf(t, flat(red, 480, 480))}
	if got := area(drawn(t, untitled(e, e)), accent); !got.Empty() {
		t.Errorf("nothing was picked, and there is a mark at %v", got)
	}
	picked := e
	picked.Picked = true
	m := drawn(t, untitled(e, picked))
	at := image.Rect(592, area(m, red).Min.Y, 1072, area(m, red).Max.Y)
	got := area(m, accent)
	if want := at.Inset(-11); got.Min != want.Min || got.Max.X != want.Max.X || got.Max.Y < want.Max.Y+20 {
		t.Errorf("the marks are at %v; the frame should be at %v, and the badge below", got, want)
	}
	frame, inside := at.Inset(-11), at.Inset(-6)
	for y := frame.Min.Y - 2; y < frame.Max.Y+2; y++ {
		for x := frame.Min.X - 2; x < frame.Max.X+2; x++ {
			p := image.Pt(x, y)
			if is, want := m.RGBAAt(x, y) == accent, p.In(frame) && !p.In(inside); is != want {
				t.Fatalf("frame at %v: %t, want %t", p, is, want)
			}
		}
	}
}

// TestAddressOfFailed proves that the address of a picture that failed is told as
// long as one line is left below the error.
func TestAddressOfFailed(t *testing.T) {
	t.Parallel()
	look := func(lines int, url string) []byte {
		wide := sheet.Entry{Picture: pngOf(t, flat(red, 210, 90))}
		failed := sheet.Entry{Error: strings.Repeat("word\n", lines), URL: url, Key: "2"}
		return drawn(t, untitled(wide, failed)).Pix
	}
	for lines, want := range map[int]bool{1: true, 2: true, 3: false, 8: false} {
		if told := !bytes.Equal(look(lines, "https://files.example/a.png"), look(lines, "")); told != want {
			t.Errorf("below %d lines the address is told: %t, want %t", lines, told, want)
		}
	}
}

// TestWords compares sheets: two that say the same look the same.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text, same string
	}{
		{"Han", "雪中的红狐 in snow", "[5 characters: Han] in snow"},
		{"Japanese", "雪のキツネ。", "[6 characters: Han, Hiragana, Katakana]"},
		{"two words", "वन में fox", "[5 characters: Devanagari] fox"},
		{"Arabic", "ثعلب", "[4 characters: Arabic]"},
		{"one", "tiếng", "ti□ng"},
		{"two", "a 狐狸 b", "a □□ b"},
		{"symbols", "🦊🦊🦊", "[3 symbols]"},
		{"joined", "👩\u200d🚀️", "□□"},
		{"known", "Füchse лиса αλεπού – “ok” €", "Füchse лиса αλεπού – “ok” €"},
		{"bytes", "fox\xff", "fox\uFFFD"},
		{"control", "a\x00b", "a\uFFFDb"},
		{"tab", "a\tb", "a b"},
		{"lines", "雪中的\n红狐狸", "[3 characters: Han]\n[3 characters: Han]"},
		{"soft hyphen", "a\u00adb\u200b", "ab"},
		{"spaces", "  a  b ", "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var pictures [3]bytes.Buffer
			for i, text := range []string{tt.text, tt.same, "x"} {
				s := &sheet.Sheet{Sections: []sheet.Section{{Title: "T", Prompt: text}}}
				if err := s.WritePNG(&pictures[i]); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(pictures[0].Bytes(), pictures[1].Bytes()) {
				t.Errorf("%q does not look like %q", tt.text, tt.same)
			}
			if bytes.Equal(pictures[0].Bytes(), pictures[2].Bytes()) {
				t.Errorf("%q looks like nothing", tt.text)
			}
		})
	}
}

// TestShown proves that each field makes a difference.
func TestShown(t *testing.T) {
	t.Parallel()
	base := sheet.Entry{Title: "T", Picture: pngOf(t, flat(red, 20, 20))}
	seen := map[string]string{string(drawn(t, untitled(base)).Pix): "plain entry"}
	for name, set := range map[string]func(*sheet.Entry){
		"title":    func(e *sheet.Entry) { e.Title = "U" },
		"endpoint": func(e *sheet.Entry) { e.Endpoint = "fal-ai/t" },
		"prompt":   func(e *sheet.Entry) { e.Prompt = "fox" },
		"price":    func(e *sheet.Entry) { e.Price = "$1" },
		"elapsed":  func(e *sheet.Entry) { e.Elapsed = 1e9 },
		"seed":     func(e *sheet.Entry) { e.Seed = new(uint64) },
		"request":  func(e *sheet.Entry) { e.RequestID = "r" },
		"reasons":  func(e *sheet.Entry) { e.Reasons = []string{"cheap"} },
		"picked":   func(e *sheet.Entry) { e.Picked = true },
		"error":    func(e *sheet.Entry) { e.Error = "late" },
		"URL":      func(e *sheet.Entry) { e.Picture, e.URL = nil, "https://files.example/a.png" },
		"gone at":  func(e *sheet.Entry) { e.Picture, e.Error, e.URL = nil, "gone", "https://files.example/a.png" },
		"gone":     func(e *sheet.Entry) { e.Picture, e.Error = nil, "gone" },
	} {
		e := base
		set(&e)
		got := string(drawn(t, untitled(e)).Pix)
		if same, ok := seen[got]; ok {
			t.Errorf("the %s looks like the %s", name, same)
		}
		seen[got] = name
	}
}

// TestFits proves that no text leaves its cell, however long its words are.
func TestFits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("W", 100_000)
	m := drawn(t, &sheet.Sheet{Title: long, Note: long, Sections: []sheet.Section{{Title: long, Prompt: long, Entries: []sheet.Entry{
		{Title: long, Endpoint: long + "e", Prompt: long + "p", Price: long, RequestID: long, Reasons: []string{long}, Error: long, Picked: true},
		{Title: long, URL: "https://files.example/" + long},
		{Title: "short", Error: strings.Repeat("word ", 10_000)},
	}}}})
	ground := m.RGBAAt(0, 0)
	// The margins and the gaps are as empty as the corner, but for the frame.
	top := m.Bounds().Dy() / 2
	for _, x := range []int{0, 20, 50, 564, 580, 1080, 1100, 1605, m.Bounds().Dx() - 1} {
		for y := range m.Bounds().Dy() {
			if m.RGBAAt(x, y) != ground && (x < 70 || x > 1600 || y > top) {
				t.Fatalf("there is something at %d, %d", x, y)
			}
		}
	}
}

func TestTooTall(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	s := &sheet.Sheet{Sections: slices.Repeat([]sheet.Section{{Entries: []sheet.Entry{{Title: "T"}}}}, 30)}
	if err := s.WritePNG(&b); !errors.Is(err, sheet.ErrTooTall) {
		t.Errorf("error %v, want %v", err, sheet.ErrTooTall)
	}
	if b.Len() > 0 {
		t.Errorf("%d bytes were written", b.Len())
	}
}

// sized changes the size in the header of a PNG picture.
func sized(b []byte, w, h uint32) []byte {
	b = bytes.Clone(b)
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestBadPictures(t *testing.T) {
	t.Parallel()
	good := pngOf(t, flat(red, 100, 100))
	const unreadable = `sheet: section 1 ("Red"), entry 1 ("T"): the header of the picture cannot be read: png: unsupported feature: dimension overflow`
	for _, tt := range []struct {
		name    string
		picture []byte
		want    string
	}{
		{"cut", good[:len(good)/2], `sheet: section 1 ("Red"), entry 1 ("T"): the picture cannot be decoded: png: invalid format: not enough pixel data`},
		{"huge", sized(good, 16385, 16384), `sheet: section 1 ("Red"), entry 1 ("T"): the picture has 16385×16384 pixels, which is more than 268435456: scale it down, or leave it out`},
		{"huge both ways", sized(good, 1<<20, 1<<20), `sheet: section 1 ("Red"), entry 1 ("T"): the picture has 1048576×1048576 pixels, which is more than 268435456: scale it down, or leave it out`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			s := one(sheet.Entry{Title: "T", Picture: tt.picture})
			want := tt.want
			unreadableHere := strconv.IntSize == 32 && strings.HasPrefix(tt.name, "huge") // package png counts bytes in an int
			if unreadableHere {
				want = unreadable
			}
			if err := s.WritePNG(&b); err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if b.Len() != 0 {
				t.Errorf("%d bytes were written", b.Len())
			}
			// The page only needs the size.
			if err := s.WriteHTML(io.Discard); (err != nil) != unreadableHere {
				t.Errorf("the page: %v", err)
			}
		})
	}
}

// TestThin proves that a picture of extreme shape neither vanishes nor takes
// much memory.
func TestThin(t *testing.T) {
	t.Parallel()
	m := drawn(t, untitled(sheet.Entry{Picture: pngOf(t, flat(red, 1, 4000))}, sheet.Entry{Picture: pngOf(t, flat(blue, 4000, 30))}))
	if got := area(m, red); got.Dx() != 1 || got.Dy() < 400 {
		t.Errorf("the narrow picture is at %v", got)
	}
	if got := area(m, blue); got.Dx() != 480 || got.Dy() != 4 {
		t.Errorf("the wide picture is at %v", got)
	}
}

func BenchmarkWritePNG(b *testing.B) {
	s := untitled(slices.Repeat([]sheet.Entry{{Title: "FLUX.2 [pro]", Price: "$0.045", Picture: jpegOf(b, flat(blue, 1024, 1024))}}, 8)...)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.WritePNG(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
