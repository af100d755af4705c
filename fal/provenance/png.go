package provenance

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

const (
	pngSignature = "\x89PNG\r\n\x1a\n"
	pngKeyword   = "XML:com.adobe.xmp"
)

// splitPNG takes a PNG file apart at its chunks with XMP. A new one comes after
// the header.
func splitPNG(picture []byte) (*file, error) {
	f := &file{}
	f.wrap, f.join = wrapPNG, f.plain
	rest, kept := picture[len(pngSignature):], picture[:len(pngSignature)]
	for ended := false; !ended; {
		if len(rest) < 12 {
			return nil, errCut
		}
		size, kind := binary.BigEndian.Uint32(rest), string(rest[4:8])
		if uint64(size)+12 > uint64(len(rest)) {
			return nil, errCut
		}
		if len(f.pieces) == 0 && kind != "IHDR" {
			return nil, errors.New("it has no header")
		}
		end := int(size) + 12
		xmp, err := xmpOfPNG(kind, rest[8:end-4])
		if err != nil {
			return nil, err
		}
		switch {
		case xmp != nil:
			f.add(kept, nil)
			f.add(rest[:end], xmp)
			kept = rest[end:end]
		default:
			kept = kept[:len(kept)+end]
		}
		if len(f.pieces) == 0 {
			f.add(kept, nil) // the header
			kept = rest[end:end]
		}
		rest, ended = rest[end:], kind == "IEND"
	}
	f.add(kept[:len(kept)+len(rest)], nil) // what follows the end stays
	f.place(1)
	return f, nil
}

// xmpOfPNG returns the XMP in a chunk, nil if it holds none.
func xmpOfPNG(kind string, data []byte) ([]byte, error) {
	text, ok := bytes.CutPrefix(data, []byte(pngKeyword+"\x00"))
	if kind != "iTXt" || !ok || len(text) < 2 {
		return nil, nil
	}
	compressed := text[0] == 1
	parts := bytes.SplitN(text[2:], []byte{0}, 3) // language, its keyword, text
	if len(parts) < 3 {
		return nil, errCut
	}
	packet := parts[2]
	if compressed {
		r, err := zlib.NewReader(bytes.NewReader(packet))
		if err != nil {
			return nil, err
		}
		if packet, err = io.ReadAll(io.LimitReader(r, maxPacket+1)); err != nil {
			return nil, err
		}
	}
	if len(packet) > maxPacket {
		return nil, errPacket
	}
	return packet, nil
}

func wrapPNG(packet []byte) ([]byte, error) {
	if err := tooLarge(packet, maxPacket); err != nil {
		return nil, err
	}
	head := pngKeyword + "\x00\x00\x00\x00\x00"
	out := binary.BigEndian.AppendUint32(nil, uint32(len(head)+len(packet)))
	out = append(append(append(out, "iTXt"...), head...), packet...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:])), nil
}
