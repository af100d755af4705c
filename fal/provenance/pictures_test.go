package provenance_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/HugoSmits86/nativewebp"
	_ "golang.org/x/image/webp"
)

// drawn is a small picture with a transparent corner.
func drawn() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 23, 17))
	for i := range m.Pix {
		m.Pix[i] = byte(i * 7)
	}
	m.SetNRGBA(0, 0, color.NRGBA{})
	return m
}

// pictures are one of each kind.
func pictures(tb testing.TB) map[string][]byte {
	tb.Helper()
	var asPNG, asJPEG, asWebP bytes.Buffer
	for _, err := range []error{
		png.Encode(&asPNG, drawn()), jpeg.Encode(&asJPEG, drawn(), nil), nativewebp.Encode(&asWebP, drawn(), nil),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return map[string][]byte{"png": asPNG.Bytes(), "jpeg": asJPEG.Bytes(), "webp": asWebP.Bytes()}
}

func pngChunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

func segment(marker byte, data []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2)), data...)
}

func webpChunk(kind string, data []byte) []byte {
	out := append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data))), data...)
	return append(out, make([]byte, len(data)%2)...)
}

// afterHeader puts something into a PNG behind its header.
func afterHeader(picture []byte, more ...[]byte) []byte {
	return bytes.Join([][]byte{picture[:33], bytes.Join(more, nil), picture[33:]}, nil)
}

// afterStart puts segments into a JPEG behind its first two bytes.
func afterStart(picture []byte, more ...[]byte) []byte {
	return bytes.Join([][]byte{picture[:2], bytes.Join(more, nil), picture[2:]}, nil)
}

// webp puts chunks together to a file.
func webp(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func pngXMP(packet string) []byte {
	return pngChunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"+packet))
}

func jpegXMP(packet string) []byte {
	return segment(0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00"+packet))
}
