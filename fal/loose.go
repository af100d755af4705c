package fal

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// What a server sends is read as far as it goes: an answer that was cut off,
// or in which a field is of another type than it should be, still tells the
// rest. The limits keep a hostile one from taking memory or time.
const (
	maxDepth  = 32    // of objects and lists in one another
	maxValues = 10000 // of an answer with an error
)

// readLoose returns what can be read of a JSON text: maps, lists, strings,
// json.Number, bool or nil. Ok says that there was any JSON value. Clean is
// applied to each string.
func readLoose(data []byte, clean func(string) string) (value any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	r := looseReader{dec: dec, clean: clean, left: maxValues}
	return r.value(0)
}

type looseReader struct {
	dec   *json.Decoder
	clean func(string) string
	left  int
	done  bool // nothing more can be read, or is wanted
}

func (r *looseReader) value(depth int) (any, bool) {
	token, err := r.dec.Token()
	if r.left--; err != nil || r.left < 0 || depth > maxDepth {
		r.done = true
		return nil, false
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for !r.done && r.dec.More() {
			key, _ := r.value(depth + 1)
			value, ok := r.value(depth + 1)
			if name, isText := key.(string); isText && ok {
				object[name] = value
			}
		}
		r.end()
		return object, true
	case json.Delim('['):
		list := []any{}
		for !r.done && r.dec.More() {
			if item, ok := r.value(depth + 1); ok {
				list = append(list, item)
			}
		}
		r.end()
		return list, true
	}
	if text, isText := token.(string); isText {
		return r.clean(text), true
	}
	return token, true
}

// end reads the bracket at the end of an object or a list.
func (r *looseReader) end() {
	if !r.done {
		if _, err := r.dec.Token(); err != nil {
			r.done = true
		}
	}
}

// looseText returns a text, and a number or a truth as text. Other values are
// none.
func looseText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
