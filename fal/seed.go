package fal

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
)

// withSeed returns the body of a request with a random seed, if the request can
// have one and has none. See [Client.FixSeeds].
func withSeed(r any, body []byte) []byte {
	if !takesSeed(reflect.ValueOf(r)) {
		return body
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return body // it is no object
	}
	if _, given := fields["seed"]; given {
		return body
	}
	comma := ","
	if len(fields) == 0 {
		comma = ""
	}
	// No endpoint is known that refuses a seed of 31 bits.
	return fmt.Appendf(body[:len(body)-1], `%s"seed":%d}`, comma, 1+rand.Uint64N(1<<31-1))
}

// takesSeed reports whether a request, or one that it wraps, has a field for a
// seed.
func takesSeed(v reflect.Value) bool {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return false
	}
	for _, f := range encodedFields(v.Type()) {
		switch {
		case f.fixed:
		case f.name == "seed":
			return f.of == reflect.TypeFor[*uint64]()
		case f.name == "" && takesSeed(v.FieldByIndex(f.index)):
			return true
		}
	}
	return false
}
