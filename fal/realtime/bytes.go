package realtime

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"reflect"
	"strings"
	"sync"
)

// keeper keeps the pictures of a result out of its JSON, which would take most of
// the time for them. Short names stand for them until the result is decoded.
type keeper struct {
	keep func(content []byte) []byte // nil if all goes through JSON
	kept [][]byte
}

const (
	worthKeeping = 1 << 10
	mostKept     = 1000
)

// mark begins the names, which nobody else can know. Its length is a multiple of
// three, so that it begins their base64 too.
var (
	mark     = []byte(rand.Text()[:24])
	markText = base64.StdEncoding.EncodeToString(mark)
)

// keeperFor returns a keeper for results of a type. Where bytes may be wanted as
// text, as in an any, it keeps nothing.
func keeperFor[Out any]() *keeper {
	k := &keeper{}
	if !plain(reflect.TypeFor[Out]()) {
		return k
	}
	k.keep = func(content []byte) []byte {
		if len(content) < worthKeeping || len(k.kept) == mostKept {
			return content
		}
		k.kept = append(k.kept, content)
		return binary.BigEndian.AppendUint32(bytes.Clone(mark), uint32(len(k.kept)-1))
	}
	return k
}

// put puts what was kept into the result.
func (k *keeper) put(out any) {
	if len(k.kept) > 0 {
		k.fill(reflect.ValueOf(out).Elem())
	}
}

func (k *keeper) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			k.fill(field) // also one that is not exported: JSON fills what is in it if it is embedded
		}
	case reflect.Pointer:
		if !v.IsNil() {
			k.fill(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if content, ok := k.named(v.Bytes()); ok {
				v.SetBytes(content)
			}
			return
		}
		if !number(v.Type().Elem().Kind()) {
			for i := range v.Len() {
				k.fill(v.Index(i))
			}
		}
	case reflect.String:
		if !strings.HasPrefix(v.String(), markText) {
			return
		}
		if name, err := base64.StdEncoding.DecodeString(v.String()); err == nil {
			if content, ok := k.named(name); ok {
				v.SetString(base64.StdEncoding.EncodeToString(content))
			}
		}
	}
}

// named returns the content that a name stands for.
func (k *keeper) named(name []byte) ([]byte, bool) {
	number, ok := bytes.CutPrefix(name, mark)
	if !ok || len(number) != 4 || binary.BigEndian.Uint32(number) >= uint32(len(k.kept)) {
		return nil, false
	}
	return k.kept[binary.BigEndian.Uint32(number)], true
}

// number reports whether values of the kind are numbers, or true and false.
func number(kind reflect.Kind) bool { return kind >= reflect.Bool && kind <= reflect.Complex128 }

var plainTypes sync.Map // from type to whether it is plain

// plain reports whether everything in a type can be reached by fill.
func plain(t reflect.Type) bool {
	if known, ok := plainTypes.Load(t); ok {
		return known == true
	}
	answer := plainType(t, 0)
	plainTypes.Store(t, answer)
	return answer
}

func plainType(t reflect.Type, depth int) bool {
	if depth > 10 || reflect.PointerTo(t).Implements(unmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler) {
		return false
	}
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if (f.IsExported() || f.Anonymous) && !plainType(f.Type, depth+1) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Slice:
		return plainType(t.Elem(), depth+1)
	case reflect.Map:
		return number(t.Elem().Kind()) // its values cannot be set
	}
	return number(t.Kind()) || t.Kind() == reflect.String
}

var (
	unmarshaler     = reflect.TypeFor[interface{ UnmarshalJSON(b []byte) error }]()
	textUnmarshaler = reflect.TypeFor[interface{ UnmarshalText(b []byte) error }]()
)
