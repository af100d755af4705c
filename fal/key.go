package fal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/falimage/falimage-go/fal/internal/naming"
)

// Key gives the API key when it is needed. It prints as [redacted] however it
// is printed, logged or encoded. Make one with [NewKey], or convert a function
// of your own that fetches the key from where it is kept; it may be called by
// many goroutines at once.
type Key func() string

// NewKey returns the key with the given text, "key_id:key_secret".
func NewKey(text string) Key { return func() string { return text } }

const redacted = "[redacted]"

// String returns "[redacted]".
func (k Key) String() string { return redacted }

// Format prints "[redacted]" for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[redacted]".
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// text returns the key, from the environment if k is nil. White space around
// it, such as the newline at the end of a file, is cut off.
func (k Key) text() string {
	var text string
	switch {
	case k != nil:
		text = k()
	case os.Getenv("FAL_KEY") != "":
		text = os.Getenv("FAL_KEY")
	case os.Getenv("FAL_KEY_ID") != "" && os.Getenv("FAL_KEY_SECRET") != "":
		text = strings.TrimSpace(os.Getenv("FAL_KEY_ID")) + ":" + strings.TrimSpace(os.Getenv("FAL_KEY_SECRET"))
	}
	return strings.TrimSpace(text)
}

// key returns the client's key, which is looked at when it is another than that
// of the exchange before. No error ever holds a part of it.
func (c *Client) key() (string, error) {
	text := c.Key.text()
	if sent := c.sent.Load(); sent != nil && sent.key == text {
		return text, nil
	}
	if text == "" {
		return "", ErrNoKey
	}
	if mistake := keyMistake(text); mistake != "" {
		return "", errors.New("fal: the API key is malformed: " + mistake)
	}
	id, secret, ok := strings.Cut(text, ":")
	if !ok || id == "" || secret == "" {
		return "", errors.New("fal: the API key is malformed: it has the form key_id:key_secret, with a colon between the two")
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f {
			return "", errors.New("fal: the API key is malformed: it holds white space or characters that are not ASCII")
		}
	}
	return text, nil
}

// KeySum tells by which API key requests are sent, without a part of it: it is a short sum
// of the key's id, which stays the same when its secret does not. It is "" without a key.
func (c *Client) KeySum() string {
	key, err := c.key()
	if err != nil {
		return ""
	}
	id, _, _ := strings.Cut(key, ":")
	return naming.Sum("falimage key\n" + id)
}

// keyMistake says what was taken along with a key when it was copied, or "".
func keyMistake(text string) string {
	switch lower := strings.ToLower(text); {
	case strings.Trim(text, "\"'`") != text:
		return "it is in quotes, as a file of variables may have it; give it without them"
	case strings.HasPrefix(lower, "fal_key=") || strings.HasPrefix(lower, "export "):
		return "it begins with the name of the variable; give what stands after FAL_KEY="
	case strings.HasPrefix(lower, "key ") || strings.HasPrefix(lower, "bearer ") || strings.HasPrefix(lower, "authorization:"):
		return "it begins as the header does; give the key alone"
	}
	return ""
}
