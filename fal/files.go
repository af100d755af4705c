package fal

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// MapFiles returns a copy of the request in which every file is what f
// returned for it; f is told the JSON path of the file, such as
// "loras[0].path". The request and what it refers to stay as they are. A
// request needs this only where files are to be something else than what
// sending it makes of them, such as uploaded elsewhere. The error is that of f,
// or a [*ValidationError] for a file that cannot be replaced.
func MapFiles[Out any](r Request[Out], f func(field string, file File) (File, error)) (Request[Out], error) {
	var firstErr error
	mapped, problems := eachFile(r, func(path string, file File) File {
		if firstErr == nil {
			file, firstErr = f(path, file)
		}
		return file
	})
	if firstErr == nil && problems != nil {
		firstErr = &ValidationError{Endpoint: string(r.Endpoint()), Problems: problems}
	}
	if firstErr != nil {
		return nil, firstErr
	}
	r, _ = mapped.(Request[Out]) // it has the type of the original
	return r, nil
}

// eachFile returns v with every [File] in it, however deep, replaced by what f
// returns for it. What v refers to stays as it is: only what is on the way to a
// file that is replaced by another one is copied. A field of a struct that
// holds no file is left out, and f not called for it. The problems are files
// that cannot be replaced, and a value that contains itself.
func eachFile(v any, f func(path string, file File) File) (any, []Problem) {
	if !mayHoldFile(reflect.TypeOf(v)) {
		return v, nil
	}
	w := walker{f: f}
	if out, changed := w.walk(reflect.ValueOf(v), false); changed && w.problems == nil {
		return out.Interface(), nil
	}
	return v, w.problems
}

// maxNesting is how deep a request may be nested. A value that contains itself
// is deeper.
const maxNesting = 1000

// walker is one walk through a value.
type walker struct {
	f        func(string, File) File
	path     []byte // of the value at hand
	depth    int
	tooDeep  bool // then nothing more is entered
	problems []Problem
	// seen are the pointers in unexported fields that have been followed.
	// These are only looked at, so once is enough.
	seen map[seenPointer]bool
}

type seenPointer struct {
	address uintptr
	to      reflect.Type
}

// walk returns v with its files replaced, and whether that is another value
// than v. What was reached through an unexported field is fixed: it can be
// looked at, but not be replaced.
func (w *walker) walk(v reflect.Value, fixed bool) (out reflect.Value, changed bool) {
	if w.tooDeep {
		return v, false
	}
	if w.depth == maxNesting {
		w.tooDeep = true
		w.problem(fmt.Sprintf("nested more than %d deep: does it contain itself?", maxNesting))
		return v, false
	}
	w.depth++
	defer func() { w.depth-- }()
	switch {
	case v.Type() == fileType:
		return w.file(v, fixed)
	case v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer:
		return w.indirect(v, fixed)
	case v.Kind() == reflect.Struct:
		return w.fields(v, fixed)
	case v.Kind() == reflect.Map:
		return w.entries(v, fixed)
	default:
		return w.elements(v, fixed)
	}
}

// problem notes what is wrong with the value at hand.
func (w *walker) problem(message string) {
	w.problems = append(w.problems, Problem{Field: string(w.path[:min(len(w.path), 200)]), Message: message})
}

func (w *walker) file(v reflect.Value, fixed bool) (reflect.Value, bool) {
	if fixed {
		if v.FieldByName("local").IsNil() {
			w.f(string(w.path), URL(v.FieldByName("url").String())) // to be looked at, like all
		} else {
			w.problem("a local file in an unexported field cannot be uploaded")
		}
		return v, false
	}
	file, _ := reflect.TypeAssert[File](v)
	replaced := w.f(string(w.path), file)
	return reflect.ValueOf(replaced), replaced != file
}

// indirect walks what a pointer or an interface leads to.
func (w *walker) indirect(v reflect.Value, fixed bool) (reflect.Value, bool) {
	if v.IsNil() || !mayHoldFile(v.Elem().Type()) {
		return v, false
	}
	if fixed && v.Kind() == reflect.Pointer {
		p := seenPointer{v.Pointer(), v.Type()}
		if w.seen[p] {
			return v, false
		}
		if w.seen == nil {
			w.seen = make(map[seenPointer]bool)
		}
		w.seen[p] = true
	}
	elem, changed := w.walk(v.Elem(), fixed)
	if !changed || v.Kind() == reflect.Interface {
		return elem, changed
	}
	return addressable(elem).Addr().Convert(v.Type()), true
}

func (w *walker) fields(v reflect.Value, fixed bool) (out reflect.Value, changed bool) {
	out = v
	for _, f := range fileFields(v.Type()) {
		field := v.FieldByIndex(f.index)
		if field.Type() == fileType && field.IsZero() {
			continue
		}
		n := len(w.path)
		w.name(f.name)
		replaced, ok := w.walk(field, fixed || f.fixed)
		w.path = w.path[:n]
		if !ok {
			continue
		}
		if !changed {
			out, changed = addressable(v), true
		}
		out.FieldByIndex(f.index).Set(replaced)
	}
	return out, changed
}

func (w *walker) elements(v reflect.Value, fixed bool) (out reflect.Value, changed bool) {
	out = v
	for i := range v.Len() {
		n := len(w.path)
		w.path = append(strconv.AppendInt(append(w.path, '['), int64(i), 10), ']')
		replaced, ok := w.walk(v.Index(i), fixed)
		w.path = w.path[:n]
		if !ok {
			continue
		}
		if !changed && v.Kind() == reflect.Array {
			out, changed = addressable(v), true
		} else if !changed {
			out, changed = reflect.MakeSlice(v.Type(), v.Len(), v.Len()), true
			reflect.Copy(out, v)
		}
		out.Index(i).Set(replaced)
	}
	return out, changed
}

func (w *walker) entries(v reflect.Value, fixed bool) (out reflect.Value, changed bool) {
	out = v
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(keyName(a), keyName(b)) })
	for _, key := range keys {
		n := len(w.path)
		w.name(keyName(key))
		replaced, ok := w.walk(v.MapIndex(key), fixed)
		w.path = w.path[:n]
		if !ok {
			continue
		}
		if !changed {
			out, changed = reflect.MakeMapWithSize(v.Type(), len(keys)), true
			for _, key := range keys {
				out.SetMapIndex(key, v.MapIndex(key))
			}
		}
		out.SetMapIndex(key, replaced)
	}
	return out, changed
}

// name adds a name to the path.
func (w *walker) name(name string) {
	if len(w.path) > 0 && name != "" {
		w.path = append(w.path, '.')
	}
	w.path = append(w.path, name...)
}

// keyName returns the name of a map's key in JSON.
func keyName(key reflect.Value) string {
	switch {
	case key.Kind() == reflect.String:
		return key.String()
	case key.CanInterface():
		if m, ok := reflect.TypeAssert[encoding.TextMarshaler](key); ok {
			if text, err := m.MarshalText(); err == nil {
				return string(text)
			}
		}
		return fmt.Sprint(key.Interface())
	}
	return key.String()
}

// addressable returns a copy of v whose parts can be set.
func addressable(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	return out
}
