package typeface

import (
	"fmt"
	"image"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Parse reads a TrueType or OpenType font, or a collection of them.
func Parse(data []byte) ([]*opentype.Font, error) {
	c, err := opentype.ParseCollection(data)
	if err != nil {
		return nil, err
	}
	var out []*opentype.Font
	for i := range c.NumFonts() {
		f, err := c.Font(i)
		if err != nil {
			return nil, fmt.Errorf("font %d: %w", i, err)
		}
		out = append(out, f)
	}
	return out, nil
}

// chain is a face of several fonts: each letter is drawn by the first font that
// has it.
type chain struct {
	fonts []*opentype.Font
	faces []font.Face
	buf   sfnt.Buffer
	known map[rune]font.Face
}

// simple has the scripts that are read from left to right, letter by letter.
// Letters of others change with their neighbours, which fonts alone do not tell.
var simple = []*unicode.RangeTable{
	unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Georgian, unicode.Ethiopic, unicode.Cherokee,
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Yi, unicode.Common,
}

// of returns the face that draws r, nil if none does.
func (c *chain) of(r rune) font.Face {
	face, ok := c.known[r]
	if ok {
		return face
	}
	syllable := r >= '가' && r <= '힣'
	for i, f := range c.fonts {
		if i > 0 && !syllable && (!unicode.In(r, simple...) || unicode.Is(unicode.M, r)) {
			break
		}
		if n, err := f.GlyphIndex(&c.buf, r); err == nil && n != 0 {
			face = c.faces[i]
			break
		}
	}
	c.known[r] = face
	return face
}

// or returns the face that draws r, or the first.
func (c *chain) or(r rune) font.Face {
	if face := c.of(r); face != nil {
		return face
	}
	return c.faces[0]
}

// These methods make it a [font.Face].

func (c *chain) Close() error { return nil }

func (c *chain) Glyph(dot fixed.Point26_6, r rune) (dr image.Rectangle, mask image.Image, maskp image.Point, advance fixed.Int26_6, ok bool) {
	return c.or(r).Glyph(dot, r)
}

func (c *chain) GlyphBounds(r rune) (bounds fixed.Rectangle26_6, advance fixed.Int26_6, ok bool) {
	return c.or(r).GlyphBounds(r)
}

func (c *chain) GlyphAdvance(r rune) (advance fixed.Int26_6, ok bool) { return c.or(r).GlyphAdvance(r) }

func (c *chain) Kern(r0, r1 rune) fixed.Int26_6 {
	if face := c.or(r0); face == c.or(r1) {
		return face.Kern(r0, r1)
	}
	return 0
}

func (c *chain) Metrics() font.Metrics { return c.faces[0].Metrics() }
