package provenance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// Record is what a picture tells of how it was made. What is zero is not known,
// or not told.
type Record struct {
	// Endpoint is the id of the endpoint that made it.
	Endpoint string
	// RequestID identifies the request at fal.
	RequestID string
	// Time is when it was made, to the second.
	Time time.Time
	// Cost is what it cost, such as "$0.045": what pricing.Settle says was
	// billed. [Of] leaves it empty.
	Cost string
	// Prompt is the prompt that it was made with.
	Prompt string
	// Seed is the seed that it was made with; nil for a model without one.
	Seed *uint64
	// Input is the body of the request, with its seed: what [Reproduce] reads.
	Input json.RawMessage
	// Source says what kind of picture it is; "" is written as [Generated].
	Source Source
}

// Source is a kind of picture: a term of IPTC's list of digital source types.
type Source string

// The kinds of pictures that models make.
const (
	// Generated is a picture that a model has made.
	Generated Source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
	// Edited is one that a model has made out of another picture.
	Edited Source = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)

// Of returns the record of a request that was answered just now. Meta and seed
// are those of its result; a seed of 0 means that the result tells none. The
// picture counts as [Edited] if the request has a file. Files that are not at a
// URL are read, for their SHA-256; the error is that of reading them.
func Of[Out any](r fal.Request[Out], meta fal.Meta, seed uint64) (Record, error) {
	rec := Record{Endpoint: string(r.Endpoint()), RequestID: meta.RequestID, Time: time.Now().UTC().Truncate(time.Second), Source: Generated}
	named, err := fal.MapFiles(r, func(field string, f fal.File) (fal.File, error) {
		rec.Source = Edited
		if u, ok := f.URL(); ok && !isDataURL(u) {
			return f, nil
		}
		name, err := nameOf(f)
		if err != nil {
			return f, fmt.Errorf("provenance: %s: %w", field, err)
		}
		return name, nil
	})
	if err != nil {
		return Record{}, err
	}
	body, err := json.Marshal(named)
	if err != nil {
		return Record{}, err
	}
	return rec, rec.setInput(body, seed, hasSeed(reflect.ValueOf(r)))
}

// setInput keeps the body of the request, without what may be secret in it.
func (r *Record) setInput(body []byte, seed uint64, takesSeed bool) error {
	var input map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // seeds have more digits than a float
	if err := dec.Decode(&input); err != nil {
		return fmt.Errorf("provenance: the body of the request is no JSON object: %w", err)
	}
	if input["seed"] == nil && seed != 0 && takesSeed {
		input["seed"] = seed
	}
	if text, ok := input["prompt"].(string); ok {
		r.Prompt = text
	}
	plain, err := json.Marshal(withoutSecrets(input))
	if err != nil {
		return err
	}
	r.Input = plain
	var known struct {
		Seed *uint64 `json:"seed"`
	}
	if json.Unmarshal(plain, &known) == nil {
		r.Seed = known.Seed
	}
	return nil
}

// WithoutPrompt returns the record without the prompt and the request that
// holds it: for pictures that others see.
func (r Record) WithoutPrompt() Record {
	r.Prompt, r.Input = "", nil
	return r
}

// withoutSecrets cuts from the addresses in a JSON value what may be secret:
// the query, which may be a signature, and a user name.
func withoutSecrets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			v[name] = withoutSecrets(item)
		}
	case []any:
		for i, item := range v {
			v[i] = withoutSecrets(item)
		}
	case string:
		u, err := url.Parse(v)
		if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && (u.RawQuery != "" || u.User != nil || u.Fragment != "") {
			u.RawQuery, u.User, u.Fragment = "", nil, ""
			return u.String()
		}
	}
	return v
}

// uploaded begins the address that stands for a file by its SHA-256. The name
// of its host is one that never exists.
const uploaded = "https://sha256.invalid/"

// nameOf returns the address that stands for a file that is at no URL.
func nameOf(f fal.File) (fal.File, error) {
	r, err := f.Open()
	if err != nil {
		return fal.File{}, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return fal.File{}, err
	}
	return fal.URL(uploaded + hex.EncodeToString(h.Sum(nil))), nil
}

func isDataURL(u string) bool { return strings.EqualFold(u[:min(5, len(u))], "data:") }

// hasSeed reports whether a request takes a seed: it has such a field, or it
// has no fields of its own.
func hasSeed(v reflect.Value) bool {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return true
	}
	for f, field := range v.Fields() {
		name, flags, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "seed" || (f.Anonymous || strings.Contains(flags, "inline")) && f.Name != "Extra" && hasSeed(field) {
			return true
		}
	}
	return false
}
