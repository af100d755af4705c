package flux

import (
	"errors"
	"fmt"
	"image/color"
	"strings"
)

// Color is a colour in a prompt: an exact one such as "#2ECC71", an exact one
// with a name beside it such as "#2ECC71 (emerald green)", or a name alone such
// as "warm amber". Constants are converted as they stand:
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
	if err := checkCode(code); err != nil {
		return "", fmt.Errorf("flux: colour %q: %w", code, err)
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
	return checkCode(code) == nil
}

// Phrase returns the colour as a prompt in prose wants it, with the word
// before its code that makes the model read the code: "color #2ECC71", or
// "emerald green (color #2ECC71)" where it has a name. A name alone is itself.
func (c Color) Phrase() string {
	code, name := c.split()
	switch {
	case code == "":
		return name
	case name == "":
		return "color " + code
	default:
		return name + " (color " + code + ")"
	}
}

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
	if err := checkCode(code); err != nil {
		return fmt.Errorf("colour %q: %w", string(c), err)
	}
	return nil
}

// split returns the code, as far as there is one, and the name. What begins
// with "#" is taken for a code, up to " (".
func (c Color) split() (code, name string) {
	s := string(c)
	if !strings.HasPrefix(s, "#") {
		return "", s
	}
	if inner, ok := strings.CutSuffix(s, ")"); ok {
		if code, name, ok := strings.Cut(inner, " ("); ok && name != "" {
			return code, name
		}
	}
	return s, ""
}

// checkCode returns what is wrong with a code.
func checkCode(code string) error {
	digits, ok := strings.CutPrefix(code, "#")
	if !ok {
		return errors.New("must begin with # and have six digits, as in #2ECC71")
	}
	for i := range len(digits) {
		if !isHex(digits[i]) {
			return errors.New("must have six digits of 0 to 9 and A to F, as in #2ECC71")
		}
	}
	switch len(digits) {
	case 6:
		return nil
	case 3:
		return fmt.Errorf("is the short form, which prompts do not know: write #%[1]c%[1]c%[2]c%[2]c%[3]c%[3]c", digits[0], digits[1], digits[2])
	case 4, 8:
		return errors.New("has an alpha channel, which prompts do not know: write six digits, as in #2ECC71")
	default:
		return fmt.Errorf("has %d digits; must have six, as in #2ECC71", len(digits))
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
