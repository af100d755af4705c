// Package exif reads from a picture's metadata how it is to be turned, and turns it.
package exif

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

const (
	// maxHead bounds what is read of a JPEG or PNG file, whose metadata stands
	// before the picture, and maxWebP what is read of a WebP file, where it
	// stands behind.
	maxHead = 1 << 20
	maxWebP = 32 << 20
	// maxBlock bounds what is kept of one block of metadata. The orientation
	// stands near its beginning.
	maxBlock = 64 << 10
)

// Orientation returns how the JPEG, PNG or WebP picture that r reads is stored:
// 1 upright, 2 mirrored, 3 upside down, 4 both, and from 5 to 8 lying on a side,
// so that width and height are exchanged when it is shown. It is 1 where the
// metadata says nothing, is damaged or is not among the first megabyte (32 of
// WebP).
func Orientation(r io.Reader) int {
	b := bufio.NewReader(io.LimitReader(r, maxWebP))
	head, _ := b.Peek(12) // what is short is none of these
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8")):
		return jpeg(io.LimitReader(b, maxHead))
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return png(io.LimitReader(b, maxHead))
	case len(head) == 12 && string(head[:4]) == "RIFF" && string(head[8:]) == "WEBP":
		return webp(b)
	}
	return 1
}

// jpeg looks for an Exif segment before the picture.
func jpeg(r io.Reader) int {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 1
	}
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != 0xff {
			return 1
		}
		for head[1] == 0xff { // a marker may be padded
			copy(head[1:], head[2:])
			if _, err := io.ReadFull(r, head[3:]); err != nil {
				return 1
			}
		}
		const startOfScan, endOfImage, app1 = 0xda, 0xd9, 0xe1
		size := int64(binary.BigEndian.Uint16(head[2:])) - 2
		if size < 0 || head[1] == startOfScan || head[1] == endOfImage {
			return 1
		}
		block, ok := read(r, size, head[1] == app1)
		if !ok {
			return 1
		}
		if tiff, ok := bytes.CutPrefix(block, []byte("Exif\x00\x00")); ok {
			return orientation(tiff)
		}
	}
}

// png looks for an eXIf chunk before the picture.
func png(r io.Reader) int {
	if _, ok := read(r, 8, false); !ok {
		return 1
	}
	var head [8]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil || string(head[4:]) == "IDAT" {
			return 1
		}
		found := string(head[4:]) == "eXIf"
		const checksum = 4
		block, ok := read(r, int64(binary.BigEndian.Uint32(head[:]))+checksum, found)
		if found {
			return orientation(block)
		}
		if !ok {
			return 1
		}
	}
}

// webp looks for an EXIF chunk anywhere, if the head promises one.
func webp(r io.Reader) int {
	if _, ok := read(r, 12, false); !ok {
		return 1
	}
	var head [8]byte
	for first := true; ; first = false {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return 1
		}
		name := string(head[:4])
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		size += size & 1 // chunks are padded to even sizes
		block, ok := read(r, size, first || name == "EXIF")
		const hasExif = 1 << 3
		switch {
		case name == "EXIF":
			return orientation(bytes.TrimPrefix(block, []byte("Exif\x00\x00"))) // which some writers put there
		case !ok || first && (name != "VP8X" || len(block) == 0 || block[0]&hasExif == 0):
			return 1
		}
	}
}

// read passes over size bytes, and returns the first of them if they are to be
// kept. It reports whether all were there.
func read(r io.Reader, size int64, keep bool) ([]byte, bool) {
	var block []byte
	if keep {
		block = make([]byte, min(size, maxBlock))
		n, err := io.ReadFull(r, block)
		if err != nil {
			return block[:n], false
		}
	}
	n, err := io.CopyN(io.Discard, r, size-int64(len(block)))
	return block, err == nil && n == size-int64(len(block))
}

// orientation reads the tag in the first directory of a TIFF block.
func orientation(tiff []byte) int {
	var order binary.ByteOrder = binary.BigEndian
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		order = binary.LittleEndian
	case !bytes.HasPrefix(tiff, []byte("MM\x00*")):
		return 1
	}
	if len(tiff) < 8 {
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	count, entries := int(order.Uint16(tiff[at:])), tiff[at+2:]
	const size, tag, short, long = 12, 0x0112, 3, 4
	for ; count > 0 && len(entries) >= size; count, entries = count-1, entries[size:] {
		if order.Uint16(entries) != tag {
			continue
		}
		value := uint32(0)
		switch order.Uint16(entries[2:]) {
		case short:
			value = uint32(order.Uint16(entries[8:]))
		case long:
			value = order.Uint32(entries[8:])
		}
		if value >= 1 && value <= 8 {
			return int(value)
		}
		return 1
	}
	return 1
}
