package naming

import (
	"path"
	"reflect"
)

// Find returns the values of a type in a result, such as its files, in the order
// of its fields, as far as want takes them. What they hold is not looked into.
func Find[T any](out any, want func(T) bool) (found []T) {
	const deepest = 20
	var walk func(v reflect.Value, depth int)
	walk = func(v reflect.Value, depth int) {
		if depth > deepest || !v.IsValid() {
			return
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem(), depth+1)
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				return
			}
			for i := range v.Len() {
				walk(v.Index(i), depth+1)
			}
		case reflect.Struct:
			if m, ok := reflect.TypeAssert[T](v); ok {
				if want(m) {
					found = append(found, m)
				}
				return
			}
			for f, field := range v.Fields() {
				if f.IsExported() {
					walk(field, depth+1)
				}
			}
		}
	}
	walk(reflect.ValueOf(out), 0)
	return found
}

// ExtensionOf returns the file name extension of a file in a result, with its
// dot. Of a picture, what its first bytes are comes before what the result told;
// of other files after that, since many kinds of them begin alike.
func ExtensionOf(told string, picture bool, head []byte) string {
	is := Extension(Type("", head))
	if picture && is != ".bin" || told == ".bin" {
		return is
	}
	return told
}

// ExtensionIn returns the extension of the first name that has a usual one, or
// ".bin".
func ExtensionIn(names ...string) string {
	for _, name := range names {
		if e := path.Ext(name); len(e) > 1 && len(e) < 16 && Plain(e[1:]) == e[1:] {
			return e
		}
	}
	return ".bin"
}
