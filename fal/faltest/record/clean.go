package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// What stands in place of what is not on a tape.
const (
	hiddenKey    = "[key]"
	hiddenPrompt = "[prompt]"
	hiddenQuery  = "signed=removed"
)

// headers are what is kept beside those that begin with X-Fal-.
var headers = []string{"Content-Type", "Accept", "Retry-After", "X-Ratelimit-Reset", "Content-Range", "Range", "Etag", "Last-Modified", "Location"}

// kept returns the headers that say something.
func kept(all http.Header) http.Header {
	out := make(http.Header)
	for name, values := range all {
		if strings.HasPrefix(name, "X-Fal-") && name != "X-Fal-Target-Url" || slices.Contains(headers, name) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// secretFields are names of fields that hold keys and tokens.
var secretFields = []string{"key", "key_secret", "secret", "token", "access_token", "refresh_token", "password", "authorization"}

// promptFields are names of fields that hold what people have written.
var promptFields = []string{"prompt", "negative_prompt", "additional_prompt", "prompts", "trigger_phrase", "trigger_word", "caption", "query"}

// cleaner takes out of texts what is not to be on a tape.
type cleaner struct {
	secrets []string // texts of keys
	base    string   // of a local fal, such as "http://127.0.0.1:41234"; "" for fal itself
	prompts bool     // are hidden
}

// text cleans a text that is no JSON, or the addresses in one.
func (c *cleaner) text(s string) string {
	for _, secret := range c.secrets {
		s = strings.ReplaceAll(s, secret, hiddenKey)
	}
	if c.base != "" {
		s = strings.ReplaceAll(s, c.base+"/", "https://")
	}
	return signedURL.ReplaceAllStringFunc(s, func(found string) string {
		address, _, _ := strings.Cut(found, "?")
		return address + "?" + hiddenQuery
	})
}

// signedURL is an address whose query lets in whoever has it.
var signedURL = regexp.MustCompile(`(?i)https?://[^\s"'<>?\\]+\?[^\s"'<>\\]*(sig|signature|token|jwt|credential|expires|policy|key)[a-z-]*=[^\s"'<>\\]*`)

// json cleans a JSON text, field by field; another text as it is.
func (c *cleaner) json(content []byte) []byte {
	if !json.Valid(content) {
		return []byte(c.text(string(content)))
	}
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	var v any
	_ = dec.Decode(&v) // it is valid
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(c.value("", v)) // it was read
	return bytes.TrimSpace(b.Bytes())
}

// value cleans a value that has a name.
func (c *cleaner) value(name string, v any) any {
	switch v := v.(type) {
	case string:
		lower := strings.ToLower(name)
		switch {
		case slices.Contains(secretFields, lower) && v != "":
			return hiddenKey
		case c.prompts && slices.Contains(promptFields, lower) && v != "":
			return hiddenPrompt
		}
		return c.text(v)
	case []any:
		for i := range v {
			v[i] = c.value(name, v[i])
		}
	case map[string]any:
		for key, inner := range v {
			v[key] = c.value(key, inner)
		}
	}
	return v
}

// knownHosts are those that a local fal has below its own address.
var knownHosts = []string{"fal.run", "queue.fal.run", "rest.fal.ai", "api.fal.ai", "v3.fal.media"}

// baseOf returns the address of the local fal that a request goes to, or "".
func baseOf(u *url.URL) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if slices.Contains(knownHosts, host) {
		return u.Scheme + "://" + u.Host
	}
	return ""
}

// parseURL reads an address on a tape.
func parseURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("an address is malformed")
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("%.100q is no http or https address", address)
	}
	return u, nil
}
