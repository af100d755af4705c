package fal

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

var (
	fileType      = reflect.TypeFor[File]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// What is known of each type, found out once.
var (
	filesPossible sync.Map // reflect.Type -> bool
	fieldsOfFiles sync.Map // reflect.Type of a struct -> []fileField
)

// mayHoldFile reports whether there can be a [File] in a value of type t.
func mayHoldFile(t reflect.Type) bool {
	if t == nil || t.Kind() <= reflect.Complex128 || t.Kind() == reflect.String {
		return false
	}
	known, ok := filesPossible.Load(t)
	if !ok {
		known, _ = filesPossible.LoadOrStore(t, leadsToFile(t, make(map[reflect.Type]bool)))
	}
	return known == true
}

// leadsToFile reports whether a file can be reached from type t, but not by
// way of the types in passed.
func leadsToFile(t reflect.Type, passed map[reflect.Type]bool) bool {
	if t == fileType || t.Kind() == reflect.Interface {
		return true
	}
	if passed[t] {
		return false
	}
	passed[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return leadsToFile(t.Elem(), passed)
	case reflect.Struct:
		return slices.ContainsFunc(encodedFields(t), func(f fileField) bool { return leadsToFile(f.of, passed) })
	}
	return false
}

// fileField is a field of a struct that may hold a file.
type fileField struct {
	index []int  // through embedded structs
	name  string // in JSON; "" where its own fields take its place
	of    reflect.Type
	fixed bool // it can be looked at, but not be set

	tagged bool // name comes from a tag
}

// fileFields returns the fields of a struct that may hold a file.
func fileFields(t reflect.Type) []fileField {
	known, ok := fieldsOfFiles.Load(t)
	if !ok {
		fields := slices.DeleteFunc(encodedFields(t), func(f fileField) bool { return !mayHoldFile(f.of) })
		known, _ = fieldsOfFiles.LoadOrStore(t, fields)
	}
	fields, _ := known.([]fileField)
	return fields
}

// encodedFields returns the fields that encoding/json writes for a struct, and
// those that the struct may write itself or forget: the unexported ones.
func encodedFields(t reflect.Type) []fileField {
	ownJSON := slices.ContainsFunc([]reflect.Type{jsonMarshaler, textMarshaler}, func(m reflect.Type) bool {
		return t.Implements(m) || reflect.PointerTo(t).Implements(m)
	})
	all := appendFields(nil, t, nil, ownJSON)
	if ownJSON {
		return all
	}
	// As in Go, a name that is less deep hides the others; then one in a tag.
	return slices.DeleteFunc(slices.Clone(all), func(f fileField) bool {
		return !f.fixed && f.name != "" && slices.ContainsFunc(all, func(g fileField) bool {
			if g.fixed || g.name != f.name || slices.Equal(g.index, f.index) {
				return false
			}
			if len(g.index) != len(f.index) {
				return len(g.index) < len(f.index)
			}
			return g.tagged || !f.tagged
		})
	})
}

func appendFields(fields []fileField, t reflect.Type, index []int, ownJSON bool) []fileField {
	locked := holdsLock(t)
	for f := range t.Fields() {
		at := slices.Concat(index, f.Index)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		field := fileField{index: at, name: name, of: f.Type, tagged: name != ""}
		if name == "" {
			field.name = f.Name
		}
		isStruct := f.Type.Kind() == reflect.Struct && f.Type != fileType
		switch {
		case tag == "-" && !ownJSON:
			continue
		case tag == "-":
			field.name = f.Name
		case f.Anonymous && isStruct && name == "":
			fields = appendFields(fields, f.Type, at, ownJSON)
			continue
		case f.Anonymous && f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct && name == "",
			slices.Contains(strings.Split(options, ","), "inline"):
			field.name = ""
		}
		if field.fixed = !f.IsExported(); field.fixed && locked {
			continue
		}
		fields = append(fields, field)
	}
	return fields
}

// holdsLock reports whether a struct has a lock or channel of its own: others
// may be changing its unexported fields, and it is no request.
func holdsLock(t reflect.Type) bool {
	for field := range t.Fields() {
		f := field.Type
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		if p := f.PkgPath(); p == "sync" || p == "sync/atomic" || f.Kind() == reflect.Chan {
			return true
		}
	}
	return false
}
