package exif_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/falimage/falimage-go/fal/internal/exif"
)

// tiff is a block of metadata in which the orientation stands second.
func tiff(order binary.AppendByteOrder, kind uint16, value uint32) string {
	b := []byte("MM\x00*")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b = []byte("II*\x00")
	}
	b = order.AppendUint32(b, 10)
	b = append(b, 0, 0) // the directory need not follow at once
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(b, 0x0100) // width
	b = order.AppendUint16(b, 3)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint32(b, 0)
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, kind)
	b = order.AppendUint32(b, 1)
	if kind == 3 {
		return string(order.AppendUint16(order.AppendUint16(b, uint16(value)), 0))
	}
	return string(order.AppendUint32(b, value))
}

func segment(marker byte, content string) string {
	return string(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(content)+2))) + content
}

func chunk(name, content string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(content)))) + name + content + "sums"
}

func riff(name, content string) string {
	return name + string(binary.LittleEndian.AppendUint32(nil, uint32(len(content)))) + content + strings.Repeat("\x00", len(content)&1)
}

const (
	jpegHead = "\xff\xd8"
	pngHead  = "\x89PNG\r\n\x1a\n"
	webpHead = "RIFF\x00\x00\x00\x00WEBP"
	flags    = "\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)

func TestOrientation(t *testing.T) {
	t.Parallel()
	six := tiff(binary.LittleEndian, 3, 6)
	app := segment(0xe1, "Exif\x00\x00"+six)
	tests := []struct {
		name, picture string
		want          int
	}{
		{"empty", "", 1},
		{"text", "Exif\x00\x00" + six, 1},
		{"jpeg", jpegHead + app, 6},
		{"jpeg, the other order of bytes", jpegHead + segment(0xe1, "Exif\x00\x00"+tiff(binary.BigEndian, 3, 8)), 8},
		{"jpeg, a long number", jpegHead + segment(0xe1, "Exif\x00\x00"+tiff(binary.BigEndian, 4, 3)), 3},
		{"jpeg, highest", jpegHead + segment(0xe1, "Exif\x00\x00"+tiff(binary.LittleEndian, 4, 8)), 8},
		{"jpeg, too high", jpegHead + segment(0xe1, "Exif\x00\x00"+tiff(binary.LittleEndian, 4, 9)), 1},
		{"jpeg, none", jpegHead + segment(0xe1, "Exif\x00\x00"+tiff(binary.LittleEndian, 3, 0)), 1},
		{"jpeg, a text for a number", jpegHead + segment(0xe1, "Exif\x00\x00"+tiff(binary.LittleEndian, 2, 6)), 1},
		{"jpeg, behind other segments", jpegHead + segment(0xe0, "JFIF") + segment(0xe1, "http://ns.adobe.com/xap/1.0/") + "\xff\xff" + app, 6},
		{"jpeg, in another segment", jpegHead + segment(0xe2, "Exif\x00\x00"+six), 1},
		{"jpeg, the first counts", jpegHead + app + segment(0xe1, "Exif\x00\x00"+tiff(binary.LittleEndian, 3, 3)), 6},
		{"jpeg, behind the picture", jpegHead + segment(0xda, "scan") + app, 1},
		{"jpeg, behind the end", jpegHead + segment(0xd9, "") + app, 1},
		{"jpeg, no segment", jpegHead + "\x00\xe1" + app[2:], 1},
		{"jpeg, a size of nothing", jpegHead + "\xff\xe0\x00\x01" + app, 1},
		{"jpeg, padding without end", jpegHead + strings.Repeat("\xff", 5), 1},
		{"jpeg, far in", jpegHead + strings.Repeat(segment(0xe2, strings.Repeat("x", 60_000)), 17) + app, 6},
		{"jpeg, too far in", jpegHead + strings.Repeat(segment(0xe2, strings.Repeat("x", 60_000)), 18) + app, 1},
		{"png", pngHead + chunk("IHDR", "x") + chunk("eXIf", six), 6},
		{"png, behind the picture", pngHead + chunk("IHDR", "x") + chunk("IDAT", "x") + chunk("eXIf", six), 1},
		{"png, cut in the checksum", pngHead + strings.TrimSuffix(chunk("eXIf", six), "sums"), 6},
		{"png, a size without end", pngHead + "\xff\xff\xff\xffIHDR" + chunk("eXIf", six), 1},
		{"webp", webpHead + riff("VP8X", flags) + riff("VP8 ", "odd") + riff("EXIF", six), 6},
		{"webp, with the prefix of JPEG", webpHead + riff("VP8X", flags) + riff("EXIF", "Exif\x00\x00"+six), 6},
		{"webp, not promised", webpHead + riff("VP8X", strings.ReplaceAll(flags, "\x08", "\xf7")) + riff("EXIF", six), 1},
		{"webp, plain", webpHead + riff("VP8L", flags) + riff("EXIF", six), 1},
		{"webp, no flags", webpHead + riff("VP8X", "") + riff("EXIF", six), 1},
		{"webp, not RIFF", "RIFX" + webpHead[4:] + riff("VP8X", flags) + riff("EXIF", six), 1},
		{"webp, another kind", webpHead[:8] + "WAVE" + riff("VP8X", flags) + riff("EXIF", six), 1},
		{"no TIFF", jpegHead + segment(0xe1, "Exif\x00\x00IM*\x00"+six[4:]), 1},
		{"a directory far away", jpegHead + segment(0xe1, "Exif\x00\x00II*\x00\xff\xff\xff\xff"), 1},
		{"no entries", jpegHead + segment(0xe1, "Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00"+six[12:]), 1},
		{"fewer entries than there are", jpegHead + segment(0xe1, "Exif\x00\x00"+six[:10]+"\x01"+six[11:]), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := exif.Orientation(iotest.OneByteReader(strings.NewReader(tt.picture))); got != tt.want {
				t.Errorf("orientation %d, want %d", got, tt.want)
			}
		})
	}
}

// TestCut reads pictures that end anywhere.
func TestCut(t *testing.T) {
	t.Parallel()
	six := tiff(binary.LittleEndian, 3, 6)
	for _, whole := range []string{
		jpegHead + segment(0xe0, "JFIF") + segment(0xe1, "Exif\x00\x00"+six), pngHead + chunk("IHDR", "x") + chunk("eXIf", six),
		webpHead + riff("VP8X", flags) + riff("EXIF", six),
	} {
		for n := range whole {
			if got := exif.Orientation(strings.NewReader(whole[:n])); got != 1 && got != 6 {
				t.Errorf("orientation %d of %q", got, whole[:n])
			}
		}
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{0xff}, len(p))), nil }

// TestReadsNoMore offers pictures whose metadata never ends.
func TestReadsNoMore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		head string
		most int
	}{
		"jpeg": {jpegHead, 1<<20 + 4096},
		"png":  {pngHead + "\xff\xff\xff\xffeXIf", 1<<20 + 4096},
		"webp": {webpHead + riff("VP8X", flags) + "VP8 \xff\xff\xff\xff", 32 << 20},
	} {
		c := &counter{r: io.MultiReader(strings.NewReader(tt.head), endless{})}
		if got := exif.Orientation(c); got != 1 || c.n > tt.most {
			t.Errorf("%s: orientation %d after %d bytes", name, got, c.n)
		}
	}
}

func FuzzOrientation(f *testing.F) {
	six := tiff(binary.LittleEndian, 3, 6)
	f.Add([]byte(jpegHead + segment(0xe1, "Exif\x00\x00"+six)))
	f.Add([]byte(pngHead + chunk("eXIf", six)))
	f.Add([]byte(webpHead + riff("VP8X", flags) + riff("EXIF", six)))
	f.Fuzz(func(t *testing.T, picture []byte) {
		if got := exif.Orientation(bytes.NewReader(picture)); got < 1 || got > 8 {
			t.Errorf("orientation %d", got)
		}
	})
}
