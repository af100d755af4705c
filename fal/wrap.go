package fal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Call is a request to any endpoint, with or without a type of its own: ID
// names the endpoint and Input is encoded as JSON. Files ([File]) in Input, of
// any type, are uploaded; Input is never changed. Nothing else is validated
// locally and no price is known.
type Call[Out any] struct {
	ID    Endpoint[Out]
	Input any `json:",inline"`
}

// Endpoint returns the ID of the call.
func (c Call[Out]) Endpoint() Endpoint[Out] { return c.ID }

// MarshalJSON encodes Input.
func (c Call[Out]) MarshalJSON() ([]byte, error) { return json.Marshal(c.Input) }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// At returns a request that sends the same body to another endpoint: a second
// name of the same model, or one that takes the same input. The checks stay
// those of r.
func At[Out any](r Request[Out], e Endpoint[Out]) Request[Out] {
	return at[Out]{wrapper[Out]{r}, e}
}

// With returns a request whose JSON body also has the given fields: what a
// newer server takes and the type does not know yet. A field that r sets
// itself is replaced.
//
// If one of them may change what is charged, nothing is known of the price any
// more: a field that holds a [File], or whose name says that it is a number, a
// size, a file or weights, such as num_images, image_size, aspect_ratio,
// num_inference_steps, image_url, loras or upscale_factor.
func With[Out any](r Request[Out], extra map[string]any) Request[Out] {
	return with[Out]{wrapper[Out]{r}, maps.Clone(extra)}
}

// Raw returns a request with the same endpoint and body as r whose result is
// left undecoded.
func Raw[Out any](r Request[Out]) Request[json.RawMessage] { return raw[Out]{r} }

// wrapper passes on what the request inside it can do. Usage of a request
// that does not tell is the zero Usage.
type wrapper[Out any] struct {
	Inner Request[Out] `json:",inline"` // exported for eachFile
}

func (w wrapper[Out]) Endpoint() Endpoint[Out]      { return w.Inner.Endpoint() }
func (w wrapper[Out]) Validate() error              { return validate(w.Inner) }
func (w wrapper[Out]) Usage() Usage                 { return usage(w.Inner) }
func (w wrapper[Out]) MarshalJSON() ([]byte, error) { return json.Marshal(w.Inner) }

type at[Out any] struct {
	wrapper[Out]
	endpoint Endpoint[Out]
}

func (a at[Out]) Endpoint() Endpoint[Out] { return a.endpoint }

func (a at[Out]) Usage() Usage {
	u := a.wrapper.Usage()
	u.Endpoint = string(a.endpoint)
	// What is told of the other endpoint does not hold here.
	u.Doubts = slices.DeleteFunc(slices.Clone(u.Doubts), func(p Problem) bool { return p.Field == doubtEndpoint })
	return u
}

type with[Out any] struct {
	wrapper[Out]
	Extra map[string]any `json:",inline"`
}

// Usage says nothing of what is charged where a field is added that may change
// it.
func (w with[Out]) Usage() Usage {
	u := w.wrapper.Usage()
	for key, v := range w.Extra {
		if charged(key, v) {
			return Usage{Endpoint: u.Endpoint, Doubts: u.Doubts}
		}
	}
	return u
}

// What may change what is charged: counts, sizes, steps, files and weights.
// Words are parts of a name: "ratio" is one of aspect_ratio and not of
// acceleration.
var (
	chargedFields = []string{
		"image", "images", "mask", "masks", "fill_image", "ip_adapters", "auto_crop", "paste_back", "resize_to_original",
	}
	chargedWords = []string{
		"num", "n", "number", "count", "batch", "outputs", "layers", "steps", "duration", "turbo",
		"size", "width", "height", "area", "ratio", "resolution", "pixels", "megapixels", "mp", "upscale", "scaling", "factor", "expand",
		"url", "urls", "lora", "loras", "controlnet", "controlnets", "easycontrols", "references",
	}
	// notCharged are fields with such a word that change nothing.
	notCharged = []string{"control_lora_strength", "controlnet_strength", "dilate_pixels", "lora_scale", "lora_strength", "output_lora_format"}
)

// charged reports whether a field may change what is charged.
func charged(field string, v any) bool {
	name := strings.ToLower(field)
	if slices.Contains(chargedFields, name) || holdsFile(v) {
		return true
	}
	if slices.Contains(notCharged, name) {
		return false
	}
	for word := range strings.SplitSeq(name, "_") {
		if slices.Contains(chargedWords, word) {
			return true
		}
	}
	return false
}

// holdsFile reports whether there is, or may be, a file in a value.
func holdsFile(v any) bool {
	found := false
	_, problems := eachFile(v, func(_ string, f File) File {
		found = true
		return f
	})
	return found || problems != nil
}

// MarshalJSON keeps the order of the inner request's fields and appends the
// new ones in the order of their names.
func (w with[Out]) MarshalJSON() ([]byte, error) {
	body, err := json.Marshal(w.Inner)
	if err != nil || len(w.Extra) == 0 {
		return body, err
	}
	out := []byte{'{'}
	field := func(key string, value []byte) error {
		name, err := json.Marshal(key)
		if err != nil {
			return err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, name...)
		out = append(out, ':')
		out = append(out, value...)
		return nil
	}

	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("fal: With needs a request whose body is a JSON object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, replaced := w.Extra[name]; replaced {
			continue
		}
		if err := field(name, value); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.Extra)) {
		value, err := json.Marshal(w.Extra[key])
		if err != nil {
			return nil, fmt.Errorf("fal: field %q given to With: %w", key, err)
		}
		if err := field(key, value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

type raw[Out any] struct {
	Inner Request[Out] `json:",inline"`
}

func (r raw[Out]) Endpoint() Endpoint[json.RawMessage] {
	return Endpoint[json.RawMessage](r.Inner.Endpoint())
}
func (r raw[Out]) Validate() error              { return validate(r.Inner) }
func (r raw[Out]) Usage() Usage                 { return usage(r.Inner) }
func (r raw[Out]) MarshalJSON() ([]byte, error) { return json.Marshal(r.Inner) }
