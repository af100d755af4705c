package provenance

import (
	"bytes"
	"encoding/binary"
	"errors"
)

const (
	jpegNamespace = "http://ns.adobe.com/xap/1.0/\x00"
	// maxJPEG is what is left for XMP in a segment.
	maxJPEG = 65502
)

// splitJPEG takes a JPEG file apart at its segments with XMP. A new one comes
// after those of JFIF and Exif, which have to be the first.
func splitJPEG(picture []byte) (*file, error) {
	f := &file{}
	f.wrap, f.join = wrapJPEG, f.plain
	f.add(picture[:2], nil)
	head, leading := 1, true
	for at := 2; ; {
		start := at
		for at < len(picture) && picture[at] == 0xff { // before a marker there may be more of them
			at++
		}
		if at == start || at >= len(picture) {
			return nil, errors.New("it is damaged: a segment is not where it should be")
		}
		marker := picture[at]
		at++
		if marker == 0xda || marker == 0xd9 { // the picture itself, and the end
			f.add(picture[start:], nil)
			f.place(head)
			return f, nil
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 { // without content
			f.add(picture[start:at], nil)
			leading = false
			continue
		}
		if len(picture)-at < 2 {
			return nil, errCut
		}
		size := int(binary.BigEndian.Uint16(picture[at:]))
		if size < 2 || size > len(picture)-at {
			return nil, errCut
		}
		content := picture[at+2 : at+size]
		at += size
		packet, isXMP := bytes.CutPrefix(content, []byte(jpegNamespace))
		if marker == 0xe1 && isXMP { // the record goes into this one
			f.add(picture[start:at], packet)
			continue
		}
		f.add(picture[start:at], nil)
		if leading = leading && (marker == 0xe0 || marker == 0xe1); leading {
			head = len(f.pieces)
		}
	}
}

func wrapJPEG(packet []byte) ([]byte, error) {
	if err := tooLarge(packet, maxJPEG); err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+len(jpegNamespace)+len(packet)))
	return append(append(out, jpegNamespace...), packet...), nil
}
