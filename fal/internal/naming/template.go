package naming

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Fill fills a template by what value returns for each field: a field is a name in braces, and "{{" is a brace.
func Fill(template string, value func(field string) (string, bool)) (string, error) {
	var b strings.Builder
	for rest := template; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if b.WriteString(before); !found {
			break
		}
		if strings.HasPrefix(after, "{") {
			b.WriteByte('{')
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
