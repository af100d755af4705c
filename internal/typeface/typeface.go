// Package typeface writes text into pictures with the Go fonts, for package
// sheet and the local fal of package faltest. Letters that the fonts lack are
// never drawn wrong: they become a box, or a note that counts them. It imports
// nothing of this module, so that both may import it.
package typeface

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"iter"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// fonts are the regular and the bold font, which may be shared, unlike faces.
var fonts = sync.OnceValue(func() (out [2]*opentype.Font) {
	for i, data := range [][]byte{goregular.TTF, gobold.TTF} {
		var err error
		if out[i], err = opentype.Parse(data); err != nil {
			panic("typeface: " + err.Error()) // the fonts are part of the program
		}
	}
	return out
})

// Face is a font at a size. It is for one goroutine.
type Face struct {
	Ascent int // from the top of a line to its baseline, in pixels
	Line   int // from one line to the next, in pixels
	face   *chain
}

// New returns the regular or bold font at a size in pixels, and others for
// letters that it lacks.
func New(bold bool, size float64, others ...*opentype.Font) *Face {
	f := fonts()[0]
	if bold {
		f = fonts()[1]
	}
	c := &chain{known: make(map[rune]font.Face)}
	for _, f := range append([]*opentype.Font{f}, others...) {
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
		if err != nil {
			panic("typeface: " + err.Error()) // the options are valid
		}
		c.fonts, c.faces = append(c.fonts, f), append(c.faces, face)
	}
	m := c.Metrics()
	return &Face{
		Ascent: m.Ascent.Ceil(),
		Line:   m.Ascent.Ceil() + m.Descent.Ceil() + int(size*0.2),
		face:   c,
	}
}

// has tells whether some font has a glyph for r.
func (f *Face) has(r rune) bool { return f.face.of(r) != nil }

// readable returns s with what the font lacks put in a form that it has: a box
// for each of one or two characters in a row, and a note for more.
func (f *Face) readable(s string) string {
	var out strings.Builder
	var run []rune // missing characters, and spaces between them
	flush := func() {
		words := strings.TrimRightFunc(string(run), unicode.IsSpace)
		rest := string(run)[len(words):]
		n := 0
		for _, r := range words {
			if !unicode.IsSpace(r) {
				n++
			}
		}
		switch {
		case n > 2:
			out.WriteString(note(n, words))
		default:
			for _, r := range words {
				if !unicode.IsSpace(r) {
					r = '□'
				}
				out.WriteRune(r)
			}
		}
		out.WriteString(rest)
		run = run[:0]
	}
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
			// These have no shape of their own.
		case unicode.IsSpace(r):
			if r != '\n' {
				r = ' '
			}
			if len(run) > 0 && r != '\n' {
				run = append(run, r)
				continue
			}
			flush()
			out.WriteRune(r)
		case f.has(r):
			flush()
			out.WriteRune(r)
		default:
			run = append(run, r)
		}
	}
	flush()
	return out.String()
}

// note tells of n characters that cannot be drawn, and of their scripts.
func note(n int, words string) string {
	var scripts []string
	for _, r := range words {
		if name := script(r); name != "" && !slices.Contains(scripts, name) {
			scripts = append(scripts, name)
		}
	}
	if len(scripts) == 0 {
		return fmt.Sprintf("[%d symbols]", n)
	}
	return fmt.Sprintf("[%d characters: %s]", n, strings.Join(scripts, ", "))
}

// script returns the name of the script of r, or "" for what several share.
func script(r rune) string {
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return strings.ReplaceAll(name, "_", " ")
		}
	}
	return ""
}

// Width returns how wide s is, in pixels.
func (f *Face) Width(s string) int { return font.MeasureString(f.face, s).Ceil() }

// Wrap returns s in at most so many lines of a width in pixels. Words that are
// wider are broken, and what does not fit gives way to "…".
func (f *Face) Wrap(s string, width, lines int) []string {
	s = f.readable(s)
	// A line has fewer bytes than this; the rest of a huge text is not looked at.
	if limit := 2 * width * (lines + 1); len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	var out []string
	for line := range f.lines(s, width) {
		if len(out) == lines {
			last := out[lines-1]
			for last != "" && f.Width(last+"…") > width {
				_, n := utf8.DecodeLastRuneInString(last)
				last = last[:len(last)-n]
			}
			out[lines-1] = strings.TrimRight(last, " ") + "…"
			break
		}
		out = append(out, line)
	}
	return out
}

// lines yields the lines of s, each no wider than a width in pixels.
func (f *Face) lines(s string, width int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for paragraph := range strings.SplitSeq(s, "\n") {
			line := ""
			for word := range strings.FieldsSeq(paragraph) {
				if line != "" && f.Width(line+" "+word) <= width {
					line += " " + word
					continue
				}
				if line != "" && !yield(line) {
					return
				}
				for f.Width(word) > width {
					n := f.fit(word, width)
					if n == len(word) {
						break
					}
					if !yield(word[:n]) {
						return
					}
					word = word[n:]
				}
				line = word
			}
			if !yield(line) {
				return
			}
		}
	}
}

// fit returns how many bytes of word fit into a width, at least one character.
func (f *Face) fit(word string, width int) int {
	n := 0
	var sum fixed.Int26_6
	prev := rune(-1)
	for i, r := range word {
		if prev >= 0 {
			sum += f.face.Kern(prev, r)
		}
		advance, _ := f.face.GlyphAdvance(r)
		if sum += advance; i > 0 && sum.Ceil() > width {
			return n
		}
		prev, n = r, i+len(string(r))
	}
	return n
}

// Draw draws s with its baseline at y.
func (f *Face) Draw(dst draw.Image, x, y int, c color.Color, s string) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: f.face, Dot: fixed.P(x, y)}
	d.DrawString(s)
}
