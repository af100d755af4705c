package platform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Field is a field of an endpoint's input, as its OpenAPI description has it.
type Field struct {
	Name string
	// Type is what JSON has for it: "string", "integer", "number", "boolean",
	// "array" or "object"; several with " or " between them, in the order of the
	// alphabet, where it takes several. A field that takes a size, which is an
	// object or the name of one, is "object or string". "" is anything.
	Type     string
	Required bool
	Nullable bool
	Default  json.RawMessage // nil where there is none
	// Enum are the values that it takes, if there are no others: strings as they
	// are, anything else as JSON.
	Enum []string
	// Limits are bounds by the names that they have in the description: minimum,
	// maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, minLength,
	// maxLength, minItems and maxItems. Of one that takes several types, it is
	// the bounds of all.
	Limits map[string]json.Number
}

// What a description may have: so many references and choices in one another,
// and so many of them in all for one field.
const (
	maxNested = 16
	maxVisits = 1000
)

// schema is the part of a JSON Schema that is read.
type schema struct {
	Ref        string                     `json:"$ref"`
	Type       any                        `json:"type"` // a name, or a list of names
	Enum       []json.RawMessage          `json:"enum"`
	Const      json.RawMessage            `json:"const"`
	AnyOf      []json.RawMessage          `json:"anyOf"`
	OneOf      []json.RawMessage          `json:"oneOf"`
	AllOf      []json.RawMessage          `json:"allOf"`
	Default    json.RawMessage            `json:"default"`
	Nullable   bool                       `json:"nullable"`
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
	Order      []string                   `json:"x-fal-order-properties"`
}

// Fields reads the fields of the endpoint's input out of OpenAPI, in their
// order. The error says what is wrong with a description that cannot be read,
// or that there is none.
func (m Model) Fields() ([]Field, error) {
	if len(m.OpenAPI) == 0 {
		return nil, fmt.Errorf("platform: %s: there is no description: it was not asked for", m.Endpoint)
	}
	fields, err := inputFields(m.OpenAPI)
	if err != nil {
		return nil, fmt.Errorf("platform: %s: its description: %w", m.Endpoint, err)
	}
	return fields, nil
}

// inputFields reads a description.
func inputFields(data []byte) ([]Field, error) {
	var doc struct {
		Error *struct {
			Message string `json:"message"`
		} `json:"error"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
		Paths map[string]struct {
			Post struct {
				Body struct {
					Content map[string]struct {
						Schema json.RawMessage `json:"schema"`
					} `json:"content"`
				} `json:"requestBody"`
			} `json:"post"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if doc.Error != nil {
		return nil, fmt.Errorf("the platform could not make it: %.200s", doc.Error.Message)
	}
	var input json.RawMessage
	for _, path := range doc.Paths {
		for kind, content := range path.Post.Body.Content {
			if kind == "application/json" && content.Schema != nil {
				if input != nil && !bytes.Equal(input, content.Schema) {
					return nil, errors.New("there are several inputs")
				}
				input = content.Schema
			}
		}
	}
	if input == nil {
		return nil, errors.New("there is no input")
	}
	r := reader{schemas: doc.Components.Schemas}
	object, err := r.resolve(input)
	if err != nil {
		return nil, err
	}
	if object.Properties == nil {
		return nil, errors.New("the input is no object with fields")
	}
	order := slices.Clone(object.Order)
	for name := range object.Properties {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	slices.SortStableFunc(order[len(object.Order):], strings.Compare)
	var fields []Field
	for _, name := range order {
		property, ok := object.Properties[name]
		if !ok {
			continue
		}
		f := Field{Name: name, Required: slices.Contains(object.Required, name)}
		r.visits = 0
		var types []string
		if err := r.read(property, &f, &types, 0); err != nil {
			return nil, fmt.Errorf("field %.60s: %w", name, err)
		}
		slices.Sort(types)
		f.Type = strings.Join(slices.Compact(types), " or ")
		fields = append(fields, f)
	}
	return fields, nil
}

// reader follows references.
type reader struct {
	schemas map[string]json.RawMessage
	visits  int
}

// resolve follows references until there is what they refer to.
func (r *reader) resolve(data json.RawMessage) (s schema, err error) {
	for range maxNested {
		s = schema{}
		if err := json.Unmarshal(data, &s); err != nil {
			return s, err
		}
		if s.Ref == "" {
			return s, nil
		}
		name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/")
		if data = r.schemas[name]; !ok || data == nil {
			return s, fmt.Errorf("%.80q refers to nothing", s.Ref)
		}
	}
	return s, errors.New("references do not come to an end")
}

// read takes into a field what a schema says of it.
func (r *reader) read(data json.RawMessage, f *Field, types *[]string, depth int) error {
	if r.visits++; depth > maxNested || r.visits > maxVisits {
		return errors.New("it is nested too deep")
	}
	outer := data
	s, err := r.resolve(data)
	if err != nil {
		return err
	}
	if s.Default != nil && f.Default == nil && string(s.Default) != "null" {
		f.Default = s.Default
	}
	f.Nullable = f.Nullable || s.Nullable
	for _, choice := range slices.Concat(s.AnyOf, s.OneOf, s.AllOf) {
		if err := r.read(choice, f, types, depth+1); err != nil {
			return err
		}
	}
	names, _ := s.Type.([]any)
	if name, ok := s.Type.(string); ok {
		names = []any{name}
	}
	for _, name := range names {
		switch name, _ := name.(string); name {
		case "null":
			f.Nullable = true
		case "string", "integer", "number", "boolean", "array", "object":
			*types = append(*types, name)
		default:
			return fmt.Errorf("type %.40q is none", name)
		}
	}
	if s.Const != nil {
		s.Enum = append(s.Enum, s.Const)
	}
	for _, value := range s.Enum {
		text := string(value)
		if value[0] == '"' {
			text = ""
			_ = json.Unmarshal(value, &text) // it was read as JSON before
		}
		if text != "null" && !slices.Contains(f.Enum, text) {
			f.Enum = append(f.Enum, text)
		}
	}
	return readLimits(outer, f)
}

// limits are the names of bounds.
var limits = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems"}

// readLimits takes the bounds that stand in a schema itself. One that is no
// number, as exclusiveMinimum was in old descriptions, is passed over.
func readLimits(data json.RawMessage, f *Field) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for _, name := range limits {
		var n json.Number
		if value, ok := all[name]; ok && json.Unmarshal(value, &n) == nil && n != "" {
			if f.Limits == nil {
				f.Limits = make(map[string]json.Number)
			}
			f.Limits[name] = n
		}
	}
	return nil
}
