package provenance

import (
	"encoding/binary"
	"errors"
	"slices"
)

// webpXMP is the flag for XMP in the header of the extended format, webpAlpha
// that for transparency.
const (
	webpXMP   = 0x04
	webpAlpha = 0x10
)

// splitWebP takes a WebP file apart at its chunks with XMP. A new one comes
// after all others. A file of the simple format gets the header of the
// extended one.
func splitWebP(picture []byte) (*file, error) {
	size := binary.LittleEndian.Uint32(picture[4:])
	if size < 12 || uint64(size)+8 > uint64(len(picture)) {
		return nil, errCut
	}
	chunks, tail := picture[12:8+size], picture[8+size:]
	f := &file{wrap: wrapWebP}
	for first := true; len(chunks) > 0; first = false {
		if len(chunks) < 8 {
			return nil, errCut
		}
		kind, size := string(chunks[:4]), binary.LittleEndian.Uint32(chunks[4:])
		if uint64(size)+8 > uint64(len(chunks)) {
			return nil, errCut
		}
		end := 8 + int(size)
		data := chunks[8:end:end]
		raw := chunks[:min(end+end%2, len(chunks))]
		chunks = chunks[len(raw):]
		if first {
			head, err := webpHeader(kind, data)
			if err != nil {
				return nil, err
			}
			f.add(head, nil)
			if kind == "VP8X" {
				continue
			}
		}
		if len(raw)%2 == 1 {
			raw = append(slices.Clip(raw), 0) // the last one, without its padding
		}
		switch {
		case kind == "XMP " && len(data) > maxPacket:
			return nil, errPacket
		case kind == "XMP ":
			f.add(raw, data)
		default:
			f.add(raw, nil)
		}
	}
	f.place(len(f.pieces))
	f.join = func() []byte {
		body := f.plain()
		out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body)))
		return append(append(append(out, "WEBP"...), body...), tail...)
	}
	return f, nil
}

// webpHeader returns the header of the extended format, which says that there is
// XMP, by the first chunk of a file.
func webpHeader(kind string, data []byte) ([]byte, error) {
	head := append([]byte("VP8X\x0a\x00\x00\x00"), make([]byte, 10)...)
	var width, height uint32
	switch {
	case kind == "VP8X" && len(data) >= 10:
		head = binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data)))
		head = append(head, data...)
		if len(data)%2 == 1 {
			head = append(head, 0)
		}
		head[8] |= webpXMP
		return head, nil
	case kind == "VP8 " && len(data) >= 10 && data[0]&1 == 0 && string(data[3:6]) == "\x9d\x01\x2a":
		width, height = uint32(binary.LittleEndian.Uint16(data[6:])&0x3fff), uint32(binary.LittleEndian.Uint16(data[8:])&0x3fff)
	case kind == "VP8L" && len(data) >= 5 && data[0] == 0x2f:
		bits := binary.LittleEndian.Uint32(data[1:])
		width, height = bits&0x3fff+1, bits>>14&0x3fff+1
		if bits>>28&1 == 1 {
			head[8] |= webpAlpha
		}
	default:
		return nil, errors.New("it does not begin with a picture")
	}
	if width == 0 || height == 0 {
		return nil, errors.New("the picture has no pixels")
	}
	head[8] |= webpXMP
	binary.LittleEndian.PutUint16(head[12:], uint16(width-1)) // of 24 bits that there are for it
	binary.LittleEndian.PutUint16(head[15:], uint16(height-1))
	return head, nil
}

func wrapWebP(packet []byte) ([]byte, error) {
	if err := tooLarge(packet, maxPacket); err != nil {
		return nil, err
	}
	out := binary.LittleEndian.AppendUint32([]byte("XMP "), uint32(len(packet)))
	out = append(out, packet...)
	if len(packet)%2 == 1 {
		out = append(out, 0)
	}
	return out, nil
}
