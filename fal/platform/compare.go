package platform

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
)

// likeness says whether an input of the history is what was sent.
type likeness int

const (
	other   likeness = iota // it certainly is not
	similar                 // it may be
	same
)

// compare compares what was sent with an input of the history, which the
// platform may have changed: given it fields with their defaults, or put
// addresses in the place of data. What differs in a plain value of both is
// another request; what is equal all over is the same.
func compare(sent, input any) likeness {
	a, ok := sent.(map[string]any)
	b, alsoOK := input.(map[string]any)
	if !ok || !alsoOK {
		return similar
	}
	for name, value := range a {
		if inHistory, there := b[name]; there && plain(value) && plain(inHistory) && !equal(value, inHistory, 0) {
			return other
		}
	}
	if equal(a, b, 0) {
		return same
	}
	return similar
}

// plain reports whether the platform has no reason to change a value.
func plain(v any) bool {
	switch v := v.(type) {
	case json.Number, bool:
		return true
	case string:
		return !strings.HasPrefix(v, "data:") && !strings.Contains(v, "://")
	}
	return false
}

// maxDepth bounds how deep values are compared.
const maxDepth = 100

// equal reports whether two JSON values are the same, whatever the order of
// their fields and the way that their numbers are written.
func equal(a, b any, depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, value := range a {
			if other, there := b[name]; !there || !equal(value, other, depth+1) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i, value := range a {
			if !equal(value, b[i], depth+1) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a.String(), b.String())
	}
	return a == b
}

// sameNumber compares two JSON numbers by value. Those that are absurdly long
// or large are compared as they are written.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, y := rational(a), rational(b)
	return x != nil && y != nil && x.Cmp(y) == 0
}

func rational(s string) *big.Rat {
	if at := strings.IndexAny(s, "eE"); len(s) > 60 || at >= 0 && len(strings.TrimLeft(s[at+1:], "+-0")) > 2 {
		return nil
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil
	}
	return r
}

// readJSON reads a value with its numbers as they are written; nil if it is
// none, or null.
func readJSON(data []byte) any {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}
