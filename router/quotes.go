package router

import (
	"strings"
	"unicode"
)

// quotation is what stands in quotes.
type quotation struct {
	text     string
	from, to int // its bytes in the prompt
	at, end  int // its tokens
}

// quotes are the marks that open a quotation, each with what closes it.
var quotes = map[rune]string{
	'\'': "'", '"': "\"", '“': "”", '„': "“”", '‘': "’", '«': "»", '「': "」", '『': "』",
}

// longestQuote bounds how far a mark is looked for that closes a quotation, in
// bytes.
const longestQuote = 600

// quoted returns what stands in quotes. An apostrophe is no quote: an opening
// mark has no letter before it, a closing one no letter after it.
func quoted(s string) []quotation {
	var out []quotation
	end := 0                     // of the last one
	looked := make(map[rune]int) // how far for what closes a mark, in vain
	before := ' '
	for i, r := range s {
		previous := before
		before = r
		closing, ok := quotes[r]
		if !ok || i < end || isLetter(previous) && r < 0x80 {
			continue
		}
		from := i + len(string(r))
		begin, most := max(from, looked[r]), min(len(s), from+longestQuote)
		looked[r] = most
		for j, c := range s[min(begin, most):most] {
			to := begin + j
			if !strings.ContainsRune(closing, c) || (c == '\'' || c == '’') && nextIsLetter(s[to:]) {
				continue
			}
			if inner := strings.TrimSpace(s[from:to]); inner != "" && inner != "n" { // rock 'n' roll
				out = append(out, quotation{text: inner, from: from, to: to})
			}
			end, looked[r] = to+len(string(c)), 0
			break
		}
	}
	return out
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// hasHex reports whether a prompt has a colour such as #2ECC71.
func hasHex(s string) bool {
	for {
		_, rest, ok := strings.Cut(s, "#")
		if !ok {
			return false
		}
		n := 0
		for n < len(rest) && strings.IndexByte("0123456789abcdefABCDEF", rest[n]) >= 0 {
			n++
		}
		if n == 6 {
			return true
		}
		s = rest
	}
}
