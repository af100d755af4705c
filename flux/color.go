package flux

import (
	"errors"
	"fmt"
	"image/color"
	"strings"

	"github.com/falimage/falimage-go/internal/colors"
)

// Color is a colour in a prompt: an exact one such as "#2ECC71", an exact one
// with a name beside it such as "#2ECC71 emerald" or "emerald (#2ECC71)", or a
// name alone such as "warm amber". Constants are converted as they stand:
//
//	const brand flux.Color = "#2ECC71"
//
// Use [Hex] for codes that come from elsewhere: it checks them. FLUX.2 knows
// six digits in either letter case; the short form #RGB and alpha channels are
// documented nowhere, and refused by Hex and Validate.
//
// Models follow exact colours best when each belongs to one thing in the
// picture, has its name beside the code, and there are no more than about five.
type Color string

// Hex returns the colour with a code such as "#2ECC71". Letter case is kept.
// The error says what is wrong with any other code.
func Hex(code string) (Color, error) {
	if wrong := colors.Wrong(code); wrong != "" {
		return "", fmt.Errorf("flux: colour %q: %s", code, wrong)
	}
	return Color(code), nil
}

// ColorOf returns the exact colour of c, in capital letters. Prompts know no
// transparency, so the alpha channel is dropped: half transparent red is red.
func ColorOf(c color.Color) Color {
	n := nrgba(c)
	return Color(fmt.Sprintf("#%02X%02X%02X", n.R, n.G, n.B))
}

// nrgba undoes the multiplication of the channels with alpha.
func nrgba(c color.Color) color.NRGBA {
	if n, ok := c.(color.NRGBA); ok {
		return n // the standard conversion forgets colours that are fully transparent
	}
	n, _ := color.NRGBAModel.Convert(c).(color.NRGBA)
	return n
}

// exact reports whether the colour has a valid code.
func (c Color) exact() bool {
	code, _ := c.split()
	return code != "" && colors.Wrong(code) == ""
}

// Phrase returns the colour as a prompt in prose wants it, with the word
// before its code that makes the model read the code: "color #2ECC71", or
// "emerald green (color #2ECC71)" where it has a name. A name alone is itself.
func (c Color) Phrase() string { return english.color(c) }

// Validate returns an error unless c is a code, a code with a name, or a name.
func (c Color) Validate() error {
	if err := c.check(); err != nil {
		return fmt.Errorf("flux: %w", err)
	}
	return nil
}

func (c Color) check() error {
	code, name := c.split()
	if code == "" {
		if strings.TrimSpace(name) == "" {
			return errors.New("a colour is empty")
		}
		return nil
	}
	if wrong := colors.Wrong(code); wrong != "" {
		return fmt.Errorf("colour %q: %s", string(c), wrong)
	}
	return nil
}

// split returns the code, as far as there is one, and the name. What begins
// with "#" is taken for a code. Several codes, as in a gradient, are a name.
func (c Color) split() (code, name string) {
	s := string(c)
	var at colors.Code
	for next := range colors.All(s) {
		if at.End > 0 {
			return "", s
		}
		at = next
	}
	if at.End == 0 {
		if !strings.HasPrefix(s, "#") {
			return "", s
		}
		if at.End = strings.IndexAny(s, " ("); at.End < 0 {
			at.End = len(s)
		}
	}
	before := strings.TrimRight(s[:at.Start], " (（:,-")
	for _, word := range []string{"color", "colour", "hex"} { // what Phrase adds
		if rest, ok := strings.CutSuffix(before, word); ok && (rest == "" || strings.ContainsAny(rest[len(rest)-1:], " (") || strings.HasSuffix(rest, "（")) {
			before = strings.TrimRight(rest, " (（")
		}
	}
	after := strings.Trim(s[at.End:], " :,-")
	if strings.HasPrefix(after, ")") || strings.HasPrefix(after, "）") { // the code stood in brackets
		after = strings.TrimLeft(after, ")） ")
	}
	if inner := strings.TrimPrefix(strings.TrimPrefix(after, "("), "（"); inner != after {
		after = strings.TrimSuffix(strings.TrimSuffix(inner, ")"), "）")
	}
	return s[at.Start:at.End], strings.TrimSpace(before + " " + after)
}
