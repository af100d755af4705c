package sheet

import (
	"fmt"
	"image"
	"image/color"
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
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// parsed has the two fonts, which may be shared, unlike faces.
var parsed = sync.OnceValues(func() ([2]*opentype.Font, error) {
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return [2]*opentype.Font{}, fmt.Errorf("the regular font: %w", err)
	}
	bold, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return [2]*opentype.Font{}, fmt.Errorf("the bold font: %w", err)
	}
	return [2]*opentype.Font{regular, bold}, nil
})

// fonts has a face for each kind of text.
type fonts struct {
	title, heading, bold, body, small, badge *typeface
}

func newFonts() (*fonts, error) {
	both, err := parsed()
	if err != nil {
		return nil, err
	}
	regular, bold := both[0], both[1]
	f := &fonts{}
	for _, t := range []struct {
		to   **typeface
		font *opentype.Font
		size float64
	}{
		{&f.title, bold, 44},
		{&f.heading, bold, 30},
		{&f.bold, bold, 23},
		{&f.body, regular, 21},
		{&f.small, regular, 18},
		{&f.badge, bold, 17},
	} {
		face, err := opentype.NewFace(t.font, &opentype.FaceOptions{Size: t.size, DPI: 72, Hinting: font.HintingNone})
		if err != nil {
			return nil, err
		}
		m := face.Metrics()
		*t.to = &typeface{
			font:   t.font,
			face:   face,
			ascent: m.Ascent.Ceil(),
			line:   m.Ascent.Ceil() + m.Descent.Ceil() + int(t.size*0.2),
			known:  make(map[rune]bool),
		}
	}
	return f, nil
}

// typeface is a font at a size. It is for one goroutine.
type typeface struct {
	font   *opentype.Font
	face   font.Face
	ascent int // from the top of a line to its baseline, in pixels
	line   int // from one line to the next, in pixels
	buf    sfnt.Buffer
	known  map[rune]bool
}

// has tells whether the font has a glyph for r.
func (t *typeface) has(r rune) bool {
	known, ok := t.known[r]
	if !ok {
		i, err := t.font.GlyphIndex(&t.buf, r)
		known = err == nil && i != 0
		t.known[r] = known
	}
	return known
}

// readable returns s with what the font lacks put in a form that it has: a box
// for each of one or two characters in a row, and a note for more.
func (t *typeface) readable(s string) string {
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
		case t.has(r):
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

// width returns how wide s is, in pixels.
func (t *typeface) width(s string) int { return font.MeasureString(t.face, s).Ceil() }

// wrap returns s in at most so many lines of a width in pixels. Words that are
// wider are broken, and what does not fit gives way to "…".
func (t *typeface) wrap(s string, width, lines int) []string {
	s = t.readable(s)
	// A line has fewer bytes than this; the rest of a huge text is not looked at.
	if limit := 2 * width * (lines + 1); len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	var out []string
	for line := range t.lines(s, width) {
		if len(out) == lines {
			last := out[lines-1]
			for last != "" && t.width(last+"…") > width {
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
func (t *typeface) lines(s string, width int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for paragraph := range strings.SplitSeq(s, "\n") {
			line := ""
			for word := range strings.FieldsSeq(paragraph) {
				if line != "" && t.width(line+" "+word) <= width {
					line += " " + word
					continue
				}
				if line != "" && !yield(line) {
					return
				}
				for t.width(word) > width {
					n := t.fit(word, width)
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
func (t *typeface) fit(word string, width int) int {
	n := 0
	var sum fixed.Int26_6
	prev := rune(-1)
	for i, r := range word {
		if prev >= 0 {
			sum += t.face.Kern(prev, r)
		}
		advance, _ := t.face.GlyphAdvance(r)
		if sum += advance; i > 0 && sum.Ceil() > width {
			return n
		}
		prev, n = r, i+len(string(r))
	}
	return n
}

// draw draws s with its baseline at y.
func (t *typeface) draw(dst *image.RGBA, x, y int, c color.RGBA, s string) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: t.face, Dot: fixed.P(x, y)}
	d.DrawString(s)
}
