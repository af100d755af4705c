// Package refs finds the pictures that a FLUX.2 prompt refers to, and compares
// them with the files of the request. A prompt that refers to them rightly
// costs no allocation.
//
// A reference is "@image" in any letter case with a number after it, 1 for the
// first file: "@image1", "@Image12". It stands alone: letters, digits or an
// underscore directly before or after make it something else ("me@image1.com",
// "@image1st", "@images"). Letters of scripts without upper and lower case may
// touch it, because Chinese, Japanese or Thai put no space there. In prompts
// that hold JSON, an escape sequence such as \n may stand before it.
package refs

import (
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/falimage/falimage-go/internal/check"
)

// mostNoted is how many references of one prompt are told of.
const mostNoted = 20

// Check notes every reference of the prompt that has no file. Files is the
// number of files given. Each number is noted once, in the order of the prompt,
// and twenty at most.
func Check(l *check.List, field, prompt string, files int) {
	note(l, field, prompt, files, All(prompt))
}

// Doubt notes what Check does, and wording such as "image 3" or "图3" that is
// beyond the files, if there are any: of a picture that is made from words alone
// it may describe what is seen. It is for models that do not define what these
// mean.
func Doubt(l *check.List, field, prompt string, files int) {
	note(l, field, prompt, files, All(prompt))
	if files > 0 {
		note(l, field, prompt, files, beyond(prompt))
	}
}

func note(l *check.List, field, prompt string, files int, found iter.Seq2[int, [2]int]) {
	var noted []int
	for n, span := range found {
		if n >= 1 && n <= files || slices.Contains(noted, n) {
			continue
		}
		if noted = append(noted, n); len(noted) > mostNoted {
			return
		}
		l.Add(field, strconv.Quote(prompt[span[0]:span[1]]), missing(n, files))
	}
}

// All yields the number of each reference of the prompt, in order, and where it
// starts and ends.
func All(prompt string) iter.Seq2[int, [2]int] {
	return func(yield func(int, [2]int) bool) {
		for at := 0; ; {
			n, start, end := next(prompt, at)
			if end == 0 || !yield(n, [2]int{start, end}) {
				return
			}
			at = end
		}
	}
}

func missing(n, files int) string {
	switch {
	case n == 0:
		return "the first file is @image1"
	case files <= 0:
		return "refers to a file, and none is given"
	case files == 1:
		return "refers to file " + strconv.Itoa(n) + "; 1 is given"
	default:
		return "refers to file " + strconv.Itoa(n) + "; " + strconv.Itoa(files) + " are given"
	}
}

// Advise notes every file that the prompt does not mention; see [Unmentioned].
// The path of the files is filesField.
func Advise(l *check.List, filesField, prompt string, files int) {
	for _, n := range Unmentioned(prompt, files) {
		l.Add(check.At(filesField, n-1), "", "the prompt never mentions @image"+strconv.Itoa(n))
	}
}

// next finds the first reference at or after from, which is 0 or the end of
// another reference: its number and where it starts and ends. The end is 0
// where there is none.
func next(s string, from int) (n, start, end int) {
	for i := from; i < len(s); i++ {
		at := strings.IndexByte(s[i:], '@')
		if at < 0 {
			break
		}
		if i += at; !isImage(s, i+1) {
			continue
		}
		// A reference may touch the one before it.
		if follows := from > 0 && i == from; !follows && joinedBefore(s, i) {
			continue
		}
		n, end := number(s, i+1+len("image"))
		if end > 0 && !joinedAfter(s, end) && !isAddress(s, i, end) {
			return n, i, end
		}
	}
	return 0, 0, 0
}

// isAddress reports whether what stands from i to end, after some other
// character, is the beginning of a domain, as in "张三@image1.com".
func isAddress(s string, i, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	return unicode.IsLetter(before) && end+1 < len(s) && s[end] == '.' && (s[end+1]|0x20 >= 'a' && s[end+1]|0x20 <= 'z')
}

// isImage reports whether s has "image" at i, in any letter case.
func isImage(s string, i int) bool {
	const word = "image"
	if len(s)-i < len(word) {
		return false
	}
	for k := range len(word) {
		if s[i+k]|0x20 != word[k] { // the bit that makes ASCII letters small
			return false
		}
	}
	return true
}

// number reads the digits at i. Numbers too large for an int are the largest
// int. The end is 0 where there are no digits.
func number(s string, i int) (n, end int) {
	for ; i < len(s) && isDigit(s[i]); i++ {
		if digit := int(s[i] - '0'); n > (math.MaxInt-digit)/10 {
			n = math.MaxInt
		} else {
			n = n*10 + digit
		}
		end = i + 1
	}
	return n, end
}

// joinedBefore reports whether what ends at i makes one word with what starts
// there.
func joinedBefore(s string, i int) bool {
	if r, ok := escapeBefore(s, i); ok {
		return joins(r)
	}
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return joins(r)
}

func joinedAfter(s string, i int) bool {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return joins(r)
}

// joins reports whether r continues a word of a script that separates words.
func joins(r rune) bool {
	return r == '_' || unicode.IsDigit(r) || unicode.IsUpper(r) || unicode.IsLower(r)
}

// escapeBefore returns the character of the JSON escape sequence that ends at
// i, if one does: \n, \t and the like, or \u and four digits.
func escapeBefore(s string, i int) (rune, bool) {
	switch {
	case i >= 2 && startsEscape(s, i-2):
		switch s[i-1] {
		case 'n', 't', 'r', 'b', 'f':
			return ' ', true
		}
	case i >= 6 && s[i-5] == 'u' && startsEscape(s, i-6):
		if code, err := strconv.ParseUint(s[i-4:i], 16, 16); err == nil {
			return rune(code), true
		}
	}
	return 0, false
}

// startsEscape reports whether s has a backslash at i that is not itself
// escaped.
func startsEscape(s string, i int) bool {
	n := 0
	for ; i >= 0 && s[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
