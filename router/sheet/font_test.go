package sheet_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/image/font/gofont/goregular"

	"github.com/falimage/falimage-go/router/sheet"
)

// fontWith returns a font that draws some letters like W, and has no other.
func fontWith(letters ...rune) []byte {
	font := bytes.Clone(goregular.TTF)
	var groups []byte
	for _, r := range letters { // in ascending order
		for _, n := range []uint32{uint32(r), uint32(r), 58} { // from, to, and the number of W in the font
			groups = binary.BigEndian.AppendUint32(groups, n)
		}
	}
	table := []byte{0, 0, 0, 1, 0, 3, 0, 10, 0, 0, 0, 12, 0, 12, 0, 0}
	table = binary.BigEndian.AppendUint32(table, uint32(16+len(groups)))
	table = append(table, 0, 0, 0, 0)
	table = binary.BigEndian.AppendUint32(table, uint32(len(letters)))
	table = append(table, groups...)
	for i := range int(binary.BigEndian.Uint16(font[4:])) {
		record := font[12+16*i:]
		if string(record[:4]) == "cmap" {
			binary.BigEndian.PutUint32(record[8:], uint32(len(font)))
			binary.BigEndian.PutUint32(record[12:], uint32(len(table)))
		}
	}
	return append(font, table...)
}

// A font draws the letters that the Go fonts lack, but none whose shape depends
// on its neighbours.
func TestFonts(t *testing.T) {
	t.Parallel()
	han, arabic := fontWith('狐'), fontWith('ث', '가')
	draw := func(prompt string, fonts ...[]byte) []byte {
		s := &sheet.Sheet{Sections: []sheet.Section{{Title: "T", Prompt: prompt}}, Fonts: fonts}
		var b bytes.Buffer
		if err := s.WritePNG(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, tt := range []struct {
		name, text, same string
		fonts            [][]byte
	}{
		{"a letter", "a 狐 b", "a W b", [][]byte{han}},
		{"a word", "狐狐狐狐", "WWWW", [][]byte{han}},
		{"the second font", "狐", "W", [][]byte{arabic, han}},
		{"a syllable", "가", "W", [][]byte{arabic, han}},
		{"Arabic", "ثثث", "[3 characters: Arabic]", [][]byte{arabic}},
		{"what no font has", "狐雪雪雪", "W[3 characters: Han]", [][]byte{han}},
		{"none", "狐", "□", nil},
	} {
		if !bytes.Equal(draw(tt.text, tt.fonts...), draw(tt.same)) {
			t.Errorf("%s: %q does not look like %q", tt.name, tt.text, tt.same)
		}
	}
}
