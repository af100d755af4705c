package flux

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Prompt returns the prompt as JSON on one line, for the Prompt field of any
// FLUX.2 request. An extra value that JSON cannot hold, such as a channel, is
// written as text; Validate names it.
func (p StructuredPrompt) Prompt() string { return string(p.fields().lenient()) }

// MarshalJSON returns the prompt as a JSON object, in the order of the fields.
// The error names an extra value that JSON cannot hold.
func (p StructuredPrompt) MarshalJSON() ([]byte, error) { return p.fields().MarshalJSON() }

// UnmarshalJSON reads a prompt in any published form, null as an empty prompt,
// and text that holds a prompt as [ReadPrompt] does. What was in p before is
// replaced. A key that stands twice in one object is an error, since one of its
// values would be lost.
func (p *StructuredPrompt) UnmarshalJSON(data []byte) error {
	read, err := ReadPrompt(string(data))
	if err == nil {
		*p = read
	}
	return err
}

// ReadPrompt reads a prompt as people and language models hand it on: a JSON
// object, one inside of a JSON string, or one between the marks of a code block,
// with or without words around the block. Only the object counts. The error is
// that of [StructuredPrompt.UnmarshalJSON], or says that there are several
// blocks.
func ReadPrompt(text string) (StructuredPrompt, error) {
	var p StructuredPrompt
	fields, err := parseText(text)
	if err != nil {
		return p, fmt.Errorf("flux: structured prompt: %w", err)
	}
	p.Extra, p.Order = fill(p.slots(), fields)
	return p, nil
}

// parseText reads an object, whatever it is wrapped in.
func parseText(text string) (PromptFields, error) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	switch {
	case strings.HasPrefix(text, `"`):
		var inner string // each round takes the quotation marks away
		if err := json.Unmarshal([]byte(text), &inner); err != nil {
			return nil, err
		}
		if inner = strings.TrimSpace(inner); !strings.ContainsAny(inner, "{") {
			return nil, errNoObject
		}
		return parseText(inner)
	case strings.HasPrefix(text, "{"):
	case strings.Contains(text, fence):
		parts := strings.Split(text, fence)
		if len(parts) > 3 {
			return nil, errors.New("there are several code blocks: give one")
		}
		// The word behind the mark is the language.
		inner := strings.TrimLeftFunc(parts[1], func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
		if !strings.Contains(inner, "{") {
			return nil, errNoObject
		}
		return parseText(inner)
	}
	return parseFields([]byte(text))
}

// fence marks the beginning and the end of a code block.
const fence = "```"

var errNoObject = errors.New("must be a JSON object")

// MarshalJSON returns the fields as a JSON object, in their order.
func (f PromptFields) MarshalJSON() ([]byte, error) {
	b, err := f.appendJSON(nil)
	if err != nil {
		return nil, fmt.Errorf("flux: structured prompt: %w", err)
	}
	return b, nil
}

// fields returns the prompt as one object, in the order to write it.
func (p StructuredPrompt) fields() PromptFields { return gather(p.slots(), p.Extra, p.Order) }

func (s PromptSubject) fields() PromptFields { return gather(s.slots(), s.Extra, s.Order) }

func (c PromptCamera) fields() PromptFields { return gather(c.slots(), c.Extra, c.Order) }

// gather returns the slots that are set and the extra fields: first those whose
// keys the order names, then the other slots, then the other extra fields. An
// extra field with the key of a slot that is not set takes the place of that
// slot.
func gather(slots []slot, extra PromptFields, order []string) PromptFields {
	known := make(map[string]bool, len(slots))
	var all PromptFields
	for _, s := range slots {
		known[s.key] = true
		if !isEmpty(s.to) {
			all = append(all, PromptField{Key: s.key, Value: plain(s.to)})
		} else if v, ok := extra.Get(s.key); ok {
			all = append(all, PromptField{Key: s.key, Value: v})
		}
	}
	for _, field := range extra {
		if !known[field.Key] {
			all = append(all, field)
		}
	}
	if len(order) == 0 {
		return all
	}
	place := make(map[string]int, len(order)) // from -len(order) to -1
	for i, key := range order {
		place[key] = min(place[key], i-len(order))
	}
	slices.SortStableFunc(all, func(a, b PromptField) int { return place[a.Key] - place[b.Key] })
	return all
}

// isEmpty reports whether a slot holds nothing, and so is left out.
func isEmpty(to any) bool {
	switch v := to.(type) {
	case *string:
		return *v == ""
	case *int:
		return *v == 0
	case *float64:
		return *v == 0
	case *[]string:
		return len(*v) == 0
	case *[]Color:
		return len(*v) == 0
	case *[]PromptSubject:
		return len(*v) == 0
	case *PromptCamera:
		return len(v.fields()) == 0
	}
	return true
}

// plain returns what a slot holds in terms of JSON.
func plain(to any) any {
	switch v := to.(type) {
	case *string:
		return *v
	case *int:
		return *v
	case *float64:
		return *v
	case *[]string:
		return list(*v, func(s *string) any { return *s })
	case *[]Color:
		return list(*v, func(c *Color) any { return string(*c) })
	case *[]PromptSubject:
		return list(*v, func(s *PromptSubject) any { return s.fields() })
	case *PromptCamera:
		return v.fields()
	}
	return nil
}

func list[T any](items []T, f func(*T) any) []any {
	out := make([]any, len(items))
	for i := range items {
		out[i] = f(&items[i])
	}
	return out
}

// fill puts into the slots what has their form and returns the rest, known keys
// first, and the order of all keys where gather would write another.
func fill(slots []slot, fields PromptFields) (rest PromptFields, order []string) {
	known := make(map[string]bool, len(slots))
	for _, s := range slots {
		known[s.key] = true
		if v, ok := fields.Get(s.key); ok && !take(s.to, v) {
			rest = append(rest, PromptField{Key: s.key, Value: v})
		}
	}
	for _, field := range fields {
		if !known[field.Key] {
			rest = append(rest, field)
		}
	}
	written := gather(slots, rest, nil)
	kept := make(map[string]bool, len(written))
	for _, field := range written {
		kept[field.Key] = true
	}
	for _, field := range fields {
		if kept[field.Key] { // the others are empty
			order = append(order, field.Key)
		}
	}
	if slices.EqualFunc(written, order, func(f PromptField, key string) bool { return f.Key == key }) {
		return rest, nil
	}
	return rest, order
}

// take puts a value into a slot. It returns false, with the slot as it was,
// where the value has another form and must be kept elsewhere. Null, and empty
// values of the slot's form, are taken for nothing.
func take(to, value any) bool {
	if value == nil {
		return true
	}
	switch to := to.(type) {
	case *string:
		return takeAs(to, value, text[string])
	case *int:
		return takeAs(to, value, whole)
	case *float64:
		return takeAs(to, value, number)
	case *[]string:
		return takeList(to, value, text[string])
	case *[]Color:
		return takeList(to, value, text[Color])
	case *[]PromptSubject:
		return takeList(to, value, subject)
	case *PromptCamera:
		return takeAs(to, value, camera)
	}
	return false
}

func takeAs[T any](to *T, value any, as func(any) (T, bool)) bool {
	v, ok := as(value)
	if ok {
		*to = v
	}
	return ok
}

func takeList[T any](to *[]T, value any, as func(any) (T, bool)) bool {
	values, ok := value.([]any)
	if !ok {
		return false
	}
	var items []T
	for _, value := range values {
		item, ok := as(value)
		if !ok {
			return false
		}
		items = append(items, item)
	}
	*to = items
	return true
}

func text[T ~string](value any) (T, bool) {
	s, ok := value.(string)
	return T(s), ok
}

// number returns a number that a float64 holds exactly: one that is written
// with few digits and without an exponent.
func number(value any) (float64, bool) {
	n, ok := value.(json.Number)
	if !ok || len(n) > 15 || bytes.ContainsAny([]byte(n), "eE") {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

func whole(value any) (int, bool) {
	f, ok := number(value)
	n := int(f)
	return n, ok && float64(n) == f
}

func subject(value any) (PromptSubject, bool) {
	fields, ok := value.(PromptFields)
	var s PromptSubject
	s.Extra, s.Order = fill(s.slots(), fields)
	return s, ok
}

func camera(value any) (PromptCamera, bool) {
	fields, ok := value.(PromptFields)
	var c PromptCamera
	c.Extra, c.Order = fill(c.slots(), fields)
	return c, ok
}

// parseFields reads an object, or null as none.
func parseFields(data []byte) (PromptFields, error) {
	// The whole text is checked first, so that the reading below meets no bad
	// syntax and no nesting too deep for the stack.
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := parseValue(d)
	if err != nil {
		return nil, err
	}
	switch value := value.(type) {
	case nil:
		return nil, nil
	case PromptFields:
		return value, nil
	default:
		return nil, errNoObject
	}
}

// parseValue reads the next value; objects become PromptFields, in order.
func parseValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		values := []any{}
		for d.More() {
			value, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		_, err := d.Token() // the bracket that closes
		return values, err
	case json.Delim('{'):
		fields := PromptFields{}
		seen := make(map[string]bool)
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			field := PromptField{Key: fmt.Sprint(key)}
			if seen[field.Key] {
				return nil, fmt.Errorf("the key %q stands twice in one object", field.Key)
			}
			seen[field.Key] = true
			if field.Value, err = parseValue(d); err != nil {
				return nil, err
			}
			fields = append(fields, field)
		}
		_, err := d.Token() // the brace that closes
		return fields, err
	default:
		return token, nil
	}
}

// lenient returns the fields as JSON; what JSON cannot hold becomes text.
func (f PromptFields) lenient() []byte {
	if b, err := f.appendJSON(nil); err == nil {
		return b
	}
	// Some value cannot be written. Which one is found by trying each.
	b, _ := f.asText().appendJSON(nil)
	return b
}

// asText returns a copy in which every value that JSON cannot hold is text.
func (f PromptFields) asText() PromptFields {
	out := make(PromptFields, len(f))
	for i, field := range f {
		out[i] = PromptField{Key: field.Key, Value: asText(field.Value)}
	}
	return out
}

func asText(value any) any {
	if _, err := appendValue(nil, value); err == nil {
		return value
	}
	switch v := value.(type) {
	case PromptFields:
		return v.asText()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = asText(v[i])
		}
		return out
	default:
		return fmt.Sprint(value)
	}
}

// appendJSON appends the fields as a JSON object.
func (f PromptFields) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	for i, field := range f {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, _ = appendValue(dst, field.Key) // text is always written
		dst = append(dst, ':')
		var err error
		if dst, err = appendValue(dst, field.Value); err != nil {
			return dst, fmt.Errorf("%s: %w", field.Key, err)
		}
	}
	return append(dst, '}'), nil
}

// appendValue appends any value. Unlike json.Marshal it writes <, > and & as
// they are: a model reads this text, and "R\u0026D" is not what was meant.
func appendValue(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case PromptFields:
		return v.appendJSON(dst)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendValue(dst, item); err != nil {
				return dst, fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return append(dst, ']'), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return dst, err
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...), nil
}
