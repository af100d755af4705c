package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/internal/check"
)

// printer collects the text of a Go file.
type printer struct {
	strings.Builder
	packageDoc string // the comment before the package clause, "" for none
}

// line prints a line of code; format.Source indents it.
func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(p, format+"\n", args...)
}

// comment prints text as comment lines of at most 80 columns at the given
// depth of tabs of four columns. A no-break space (U+00A0) keeps two words on
// a line.
func (p *printer) comment(depth int, text string) {
	const columns = 80
	room := columns - 4*depth - len("// ")
	line := ""
	flush := func() {
		if line != "" {
			p.line("// %s", strings.ReplaceAll(line, "\u00a0", " "))
		}
	}
	for word := range strings.SplitSeq(text, " ") {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > room {
			flush()
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
}

// keepDefault makes the default at the end of a sentence stay on one line, if
// it is short.
func keepDefault(text string) string {
	before, value, ok := strings.Cut(text, " Default: ")
	if !ok {
		return text
	}
	first, rest, _ := strings.Cut(value, " ")
	if rest != "" {
		rest = " " + rest
	}
	return before + " Default:\u00a0" + first + rest
}

// number prints a bound or default.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// quoted lists Go string literals.
func quoted(values []string) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(v))
	}
	return b.String()
}

// area prints a number of pixels the way people think of it.
func area(pixels int) string {
	for side := 1; side*side <= pixels; side++ {
		if side*side == pixels {
			return fmt.Sprintf("%d * %d", side, side)
		}
	}
	return strconv.Itoa(pixels)
}

// megapixels prints a number of pixels.
func megapixels(pixels int) string {
	if pixels == check.Megapixel {
		return "check.Megapixel"
	}
	if pixels > check.Megapixel && pixels%check.Megapixel == 0 {
		return fmt.Sprintf("%d * check.Megapixel", pixels/check.Megapixel)
	}
	return area(pixels)
}

// sizeConst is the constant of package fal for a size preset.
func sizeConst(preset string) string {
	return map[string]string{
		"square_hd": "fal.SquareHD", "square": "fal.Square", "portrait_4_3": "fal.Portrait4x3",
		"portrait_16_9": "fal.Portrait16x9", "landscape_4_3": "fal.Landscape4x3",
		"landscape_16_9": "fal.Landscape16x9", "auto": "fal.AutoSize",
	}[preset]
}
