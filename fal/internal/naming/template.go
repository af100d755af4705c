package naming

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Fill fills a template by what value returns for each field: a field is a name in
// braces, and "{{" is a brace. A "}" is one too, but not beside another one, as in
// "{n}}", if no brace is open.
func Fill(template string, value func(field string) (string, bool)) (string, error) {
	var b strings.Builder
	open := 0 // braces of the text
	for rest := template; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		for i, c := range []byte(before) {
			if c != '}' {
				continue
			}
			at := len(template) - len(rest) + i
			if open == 0 && at > 0 && template[at-1] == '}' {
				return "", fmt.Errorf("at column %d a brace is closed and none is open", at+1)
			}
			open = max(0, open-1)
		}
		if b.WriteString(before); !found {
			break
		}
		if strings.HasPrefix(after, "{") {
			b.WriteByte('{')
			open++
			rest = after[1:]
			continue
		}
		field, end, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("at column %d a brace is opened and not closed; write {{ for a brace", len(template)-len(after))
		}
		text, ok := value(field)
		if !ok {
			return "", fmt.Errorf("at column %d there is an unknown field {%.60s}", len(template)-len(after), field)
		}
		b.WriteString(text)
		rest = end
	}
	return b.String(), nil
}

// Plain returns a text as a part of a file name: what is no letter, digit, dot,
// hyphen or underscore is replaced, and a sum then tells it from others.
func Plain(s string) string {
	const longest = 100
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
	name = strings.TrimLeft(name, ".")
	if len(name) > longest {
		name = name[:longest]
	}
	if name != s {
		name += "-" + Sum(s)
	}
	return name
}

// Sum returns a short sum of a text.
func Sum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
