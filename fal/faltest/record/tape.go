package record

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"unicode/utf8"
)

// Tape is what was recorded.
type Tape struct {
	// HidesPrompts says that prompts were left out.
	HidesPrompts bool       `json:"hides_prompts,omitzero"`
	Exchanges    []Exchange `json:"exchanges"`
}

// Exchange is one request and its answer.
type Exchange struct {
	Method string `json:"method"`
	// URL is the address, with the hosts that fal has even where a local fal was
	// recorded; the query of a signed one is left out.
	URL string `json:"url"`
	// Header are the headers of the request and Answer.Header those of the answer
	// that say something of them.
	Header http.Header `json:"header,omitzero"`
	Body   Body        `json:"body,omitzero"`
	Answer Answer      `json:"answer"`
}

// Answer is what came back.
type Answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitzero"`
	Body   Body        `json:"body,omitzero"`
}

// Body is a body: one of JSON, Text and Base64, or none of them if it is empty.
type Body struct {
	JSON   json.RawMessage `json:"json,omitzero"`
	Text   string          `json:"text,omitzero"`
	Base64 string          `json:"base64,omitzero"`
	// Digest is what there is instead of what is not kept: "sha256:" and 64
	// digits; Length is how long that was.
	Digest string `json:"digest,omitzero"`
	Length int    `json:"length,omitzero"`
	// Cut says that the answer was not read to its end, or that there is more of
	// it than is kept.
	Cut bool `json:"cut,omitzero"`
}

// bodyOf returns the body with some content.
func bodyOf(content []byte) Body {
	switch {
	case len(content) == 0:
		return Body{}
	case json.Valid(content):
		return Body{JSON: content}
	case utf8.Valid(content):
		return Body{Text: string(content)}
	}
	return Body{Base64: base64.StdEncoding.EncodeToString(content)}
}

// content returns what is in a body.
func (b Body) content() []byte {
	switch {
	case b.JSON != nil:
		return b.JSON
	case b.Text != "":
		return []byte(b.Text)
	}
	content, _ := base64.StdEncoding.DecodeString(b.Base64) // it was looked at when it was read
	return content
}

// maxTape is how long a tape may be that is read.
const maxTape = 512 << 20

// ReadFile reads a tape.
func ReadFile(path string) (*Tape, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read only
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Read reads a tape. One that is malformed is an error that says where.
func Read(r io.Reader) (*Tape, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxTape+1))
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if len(content) > maxTape {
		return nil, fmt.Errorf("record: the tape has more than %d bytes", maxTape)
	}
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	t := new(Tape)
	if err := dec.Decode(t); err != nil {
		return nil, fmt.Errorf("record: the tape: %w", err)
	}
	for i, e := range t.Exchanges {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("record: exchange %d of the tape: %w", i+1, err)
		}
	}
	return t, nil
}

func (e Exchange) check() error {
	if _, err := parseURL(e.URL); err != nil {
		return err
	}
	if e.Answer.Status < 200 || e.Answer.Status > 599 {
		return fmt.Errorf("status %d: must be 200 to 599", e.Answer.Status)
	}
	if e.Method == "" {
		return fmt.Errorf("%s has no method", e.URL)
	}
	for _, b := range []Body{e.Body, e.Answer.Body} {
		if _, err := base64.StdEncoding.DecodeString(b.Base64); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes the tape into a file, which nobody else may read.
func (t *Tape) WriteFile(path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = t.Write(f)
	return cmp.Or(err, f.Close())
}

// Write writes the tape as JSON, with a line for each field.
func (t *Tape) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(t)
}
