package fal

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// minSecret is how long a secret is at least to be looked for in a text: a
// shorter one would be found in any. In a result, it may also be a word, or be
// found in a picture by chance.
const (
	minSecret         = 6
	minSecretInResult = 16
)

// sentKey is a key that was sent, and how it is found where it comes back.
type sentKey struct {
	key   string
	parts []keyPart
}

// keyPart finds a key, or its secret part, in any way of writing it.
type keyPart struct {
	*regexp.Regexp
	length int
}

// keyToSend returns the key for an exchange, and remembers what is to be taken
// out of answers: also the key before, which some may still repeat.
func (c *Client) keyToSend() (string, error) {
	key, err := c.key()
	if err != nil {
		return "", within("", err)
	}
	if before := c.sent.Load(); before == nil || before.key != key {
		parts := keyParts(key)
		if before != nil {
			parts = append(parts, keyParts(before.key)...)
		}
		c.sent.Store(&sentKey{key, parts})
	}
	return key, nil
}

func keyParts(key string) (parts []keyPart) {
	_, secret, _ := strings.Cut(key, ":")
	for _, part := range []string{key, secret} {
		if len(part) >= minSecret {
			parts = append(parts, keyPart{anyWriting(part), len(part)})
		}
	}
	return parts
}

// anyWriting finds a text as it is, or escaped for a URL or for JSON.
func anyWriting(text string) *regexp.Regexp {
	var b strings.Builder
	for _, c := range []byte(text) {
		if letterOrDigit := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'; letterOrDigit {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, `(?:\\?\x%02x|(?i:%%%02x|\\u00%02x))`, c, c, c)
	}
	return regexp.MustCompile(b.String())
}

// redact takes the key out of a text that a server has sent. It is called
// before the text is shortened, which could leave a part of the key.
func (c *Client) redact(s string) string {
	if sent := c.sent.Load(); sent != nil {
		for _, part := range sent.parts {
			if len(s) >= part.length {
				s = part.ReplaceAllLiteralString(s, redacted)
			}
		}
	}
	return s
}

// clean makes a text that a server has sent fit to be shown.
func (c *Client) clean(s string) string { return visible(c.redact(s)) }

// redactResult takes the key out of a result.
func (c *Client) redactResult(result []byte) []byte {
	if sent := c.sent.Load(); sent != nil {
		for _, part := range sent.parts {
			if part.length >= minSecretInResult && part.Match(result) {
				result = part.ReplaceAllLiteral(result, []byte(redacted))
			}
		}
	}
	return result
}

// visible shows what would move the cursor of a terminal, forge a line of a log
// or turn a text round: such characters are written as in Go.
func visible(s string) string { return visibleBut("", s) }

// visibleBut is visible for texts that may have some of these characters.
func visibleBut(allowed, s string) string {
	mustShow := func(r rune) bool { return hidden(r) && !strings.ContainsRune(allowed, r) }
	if !strings.ContainsFunc(s, mustShow) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if mustShow(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}
