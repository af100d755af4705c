// Package colors finds the codes of exact colours in prompts, and says what is
// wrong with those that FLUX.2 would not read: it knows a # and six digits of 0
// to 9 and A to F. A prompt without codes, or with right ones, costs no
// allocation.
//
// What only might be meant as a code is taken for one where the chance is good:
// "#12345" and "2ECC71" are, "#123" and "decade" are not, unless a word such as
// "color" stands before them.
package colors

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/falimage/falimage-go/internal/check"
)

// Code is where a code stands in a text.
type Code struct{ Start, End int }

// mostNoted is how many codes of one prompt are told of.
const mostNoted = 10

// Advise notes every code of the text that is not right, each once and ten at
// most.
func Advise(l *check.List, field, text string) {
	var noted []string
	for c := range All(text) {
		code := text[c.Start:c.End]
		if wrong := Wrong(code); wrong != "" && !slices.Contains(noted, code) {
			if noted = append(noted, code); len(noted) > mostNoted {
				return
			}
			l.Add(field, strconv.Quote(code), "as a colour it "+wrong)
		}
	}
}

// Wrong returns what is wrong with a code, or "".
func Wrong(code string) string {
	plain := narrow(code)
	digits, marked := strings.CutPrefix(plain, "#")
	hex := strings.Trim(digits, hexDigits) == ""
	switch {
	case plain != code && hex && len(digits) == 6:
		return "must be in plain characters: write #" + digits
	case !marked && hex && len(digits) == 6:
		return "must begin with #: write #" + digits
	case !marked:
		return "must begin with # and have six digits, as in #2ECC71"
	case !hex:
		return "must have six digits of 0 to 9 and A to F, as in #2ECC71"
	case len(digits) == 6:
		return ""
	case len(digits) == 3:
		return fmt.Sprintf("is the short form, which prompts do not know: write #%[1]c%[1]c%[2]c%[2]c%[3]c%[3]c", digits[0], digits[1], digits[2])
	case len(digits) == 4, len(digits) == 8:
		return "has an alpha channel, which prompts do not know: write six digits, as in #2ECC71"
	default:
		return fmt.Sprintf("has %d digits; must have six, as in #2ECC71", len(digits))
	}
}

const hexDigits = "0123456789abcdefABCDEF"

// All yields what stands in the text as codes, right or wrong, in order.
func All(text string) iter.Seq[Code] {
	return func(yield func(Code) bool) {
		before := utf8.RuneError // the character before
		for i := 0; i < len(text); {
			r, size := utf8.DecodeRuneInString(text[i:])
			mark := r == '#' || r == '＃'
			start := i
			if mark {
				i += size
			}
			end, n := run(text, i)
			if n == 0 {
				before, i = r, start+size
				continue
			}
			if (mark && n >= 3 && n <= 8 || n == 6 || n == 8) && isCode(text, start, end, mark, before) {
				if !yield(Code{start, end}) {
					return
				}
				before = ' ' // another may touch it
			} else {
				before, _ = utf8.DecodeLastRuneInString(text[:end])
			}
			i = end
		}
	}
}

// run returns where the letters and digits at i end, and how many they are.
func run(text string, i int) (end, n int) {
	for i < len(text) {
		size := 1
		if c := text[i]; c < utf8.RuneSelf {
			if !ascii[c] {
				break
			}
		} else {
			var r rune
			if r, size = utf8.DecodeRuneInString(text[i:]); !letter(wide(r)) {
				break
			}
		}
		i += size
		n++
	}
	return i, n
}

// isCode reports whether the characters from start to end, three to eight and
// perhaps a mark, are meant as a code. Mark says that they begin with #; before
// is the character in front of them.
func isCode(text string, start, end int, mark bool, before rune) bool {
	digits, letters, others := 0, 0, 0
	plain := strings.TrimPrefix(narrow(text[start:end]), "#")
	if !mark && len(plain) == 8 && (plain[:2] == "0x" || plain[:2] == "0X") {
		plain = plain[2:]
	}
	if !mark && len(plain) != 6 {
		return false
	}
	for i := range len(plain) {
		switch c := plain[i]; {
		case '0' <= c && c <= '9':
			digits++
		case 'a' <= c|0x20 && c|0x20 <= 'f': // the bit that makes ASCII letters small
			letters++
		default:
			others++
		}
	}
	if !mark && others > 0 {
		return false // most words
	}
	after, _ := utf8.DecodeRuneInString(text[end:])
	if joins(after) || after == '_' {
		return false
	}
	named := signalled(text[:start])
	if mark {
		if joins(before) && !named || before == '&' || before == '_' {
			return false // as in F#m7, issue#12345 and &#12345;
		}
		switch len(plain) {
		case 6: // or a slip of the finger
			return others == 0 || others == 1 && digits > 0
		case 5, 7, 8:
			return others == 0
		case 3, 4: // or a number
			return others == 0 && (letters > 0 || named || before == '"' || strings.Trim(plain, plain[:1]) == "")
		}
		return false
	}
	if named {
		return true
	}
	next, _ := utf8.DecodeRuneInString(text[min(end+1, len(text)):])
	inside := strings.ContainsRune("-_/.&=%@+~", before) || strings.ContainsRune("-/&=%@+~", after) || after == '.' && letter(next)
	return digits > 0 && letters > 0 && !joins(before) && !inside && !exponent(plain)
}

// signals are the words that announce a code.
var signals = []string{"color", "colour", "hex", "code", "色", "颜色为", "色号"}

// signalled reports whether a text ends with such a word.
func signalled(text string) bool {
	text = strings.TrimRight(text, " :：=\"'")
	return slices.ContainsFunc(signals, func(s string) bool {
		return len(text) >= len(s) && strings.EqualFold(text[len(text)-len(s):], s)
	})
}

// exponent reports whether six digits are a number such as 1e1000.
func exponent(plain string) bool {
	i := strings.IndexAny(plain, "eE")
	return i > 0 && strings.Trim(plain[:i], "0123456789")+strings.Trim(plain[i+1:], "0123456789") == ""
}

// narrow returns a text with plain characters for those of full width.
func narrow(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(wide, s)
		}
	}
	return s
}

// wide returns the plain form of a character of full width.
func wide(r rune) rune {
	if r >= '！' && r <= '～' {
		return r - '！' + '!'
	}
	return r
}

func letter(r rune) bool { return r >= 0 && r < utf8.RuneSelf && ascii[r] }

// ascii has the letters and digits of ASCII.
var ascii = func() (is [utf8.RuneSelf]bool) {
	for r := range is {
		is[r] = '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return is
}()

// joins reports whether r continues a word of a script that separates words.
func joins(r rune) bool { return unicode.IsDigit(r) || unicode.IsUpper(r) || unicode.IsLower(r) }
