package fal

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"io"
)

const (
	// maxPicture limits the memory that Decode takes for a picture, and
	// smallPicture what it takes for one of which nothing shows that it is as
	// large as it claims.
	maxPicture   = 512 << 20
	smallPicture = 64 << 20
	// pictureRatio is how many bytes of memory a byte of a file may stand for:
	// more than formats reach but for pictures that are empty.
	pictureRatio = 2000
)

// pictureMemory is how much memory it takes to decode a picture, with what the
// decoder needs beside it.
func pictureMemory(format string, c image.Config, head []byte) int64 {
	perPixel := int64(4)
	switch c.ColorModel {
	case color.Gray16Model:
		perPixel = 2
	case color.GrayModel:
		perPixel = 1
	case color.NRGBA64Model, color.RGBA64Model:
		perPixel = 8
	}
	switch format {
	case "png":
		perPixel *= 2 // what is interlaced is put together from parts
	case "webp":
		perPixel = 8
	case "jpeg":
		components := int64(3)
		switch c.ColorModel {
		case color.GrayModel:
			components = 1
		case color.CMYKModel:
			components = 4
		}
		perPixel = components + 4 // colours are converted
		if progressive(head) {
			perPixel += 4 * components // the coefficients are kept
		}
	}
	const block = 32 // JPEG's are as wide and high at most
	return perPixel * (int64(c.Width) + block) * (int64(c.Height) + block)
}

// progressive reports whether a JPEG may be progressive.
func progressive(head []byte) bool {
	const baseline, extended, progressive = 0xc0, 0xc1, 0xc2
	for i := 2; i+4 <= len(head) && head[i] == 0xff; i += 2 + int(head[i+2])<<8 + int(head[i+3]) {
		switch head[i+1] {
		case baseline, extended:
			return false
		case progressive: // whatever follows
			return true
		}
	}
	return true
}

// checkPicture refuses a picture that would take too much memory. Head is what
// was read of it so far; more is read to see whether the file can hold what it
// claims. A size that the result told is believed.
func checkPicture(format string, c image.Config, head *bytes.Buffer, rest io.Reader, m Media) error {
	memory := pictureMemory(format, c, head.Bytes())
	if memory > maxPicture {
		return fmt.Errorf("the picture has %dx%d pixels and would take %d MiB of memory; at most %d are taken", c.Width, c.Height, memory>>20, maxPicture>>20)
	}
	told, _ := m.(Image)
	if memory <= smallPicture || told.Width == c.Width && told.Height == c.Height {
		return nil
	}
	least := memory / pictureRatio
	if _, err := io.CopyN(head, rest, max(least-int64(head.Len()), 0)); err != nil {
		return fmt.Errorf("the picture claims to be %dx%d, but its file has %d bytes", c.Width, c.Height, head.Len())
	}
	return nil
}
