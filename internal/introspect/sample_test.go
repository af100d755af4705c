package introspect_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/qwen"
)

// subject is an endpoint with the means to make requests to it.
type subject struct {
	*catalog.Endpoint
	empty  func() any
	decode func(id string, body []byte) (any, error)
}

// subjects returns every endpoint of the catalogue.
func subjects(tb testing.TB) []subject {
	tb.Helper()
	var all []subject
	add := func(id string, empty func() any, decode func(string, []byte) (any, error)) {
		e, ok := catalog.Lookup(id)
		if !ok {
			tb.Fatalf("%s is not in the catalogue", id)
		}
		all = append(all, subject{e, empty, decode})
	}
	for _, m := range flux.Models() {
		add(m.Endpoint, m.New, flux.Decode)
	}
	for _, m := range qwen.Models() {
		add(m.Endpoint, m.New, qwen.Decode)
	}
	if len(all) != len(catalog.All()) {
		tb.Fatalf("%d models, %d endpoints in the catalogue", len(all), len(catalog.All()))
	}
	return all
}

// forAll runs f as a subtest for each endpoint.
func forAll(t *testing.T, f func(t *testing.T, s subject)) {
	t.Helper()
	for _, s := range subjects(t) {
		t.Run(strings.ReplaceAll(strings.TrimPrefix(s.ID, "fal-ai/"), "/", "-"), func(t *testing.T) {
			t.Parallel()
			f(t, s)
		})
	}
}

// minimal returns a request with only what is required.
func (s subject) minimal() any {
	return s.build(func(f *catalog.Field) bool { return f.Required })
}

// full returns a request with every field set, except use_turbo, which
// excludes others.
func (s subject) full() any {
	return s.build(func(f *catalog.Field) bool { return f.Name != "use_turbo" })
}

// with returns a minimal request with one field set by set.
func (s subject) with(f *catalog.Field, set func(field reflect.Value)) any {
	v := reflect.New(reflect.TypeOf(s.minimal())).Elem()
	v.Set(reflect.ValueOf(s.minimal()))
	set(v.FieldByName(f.Go))
	return v.Interface()
}

func (s subject) build(want func(f *catalog.Field) bool) any {
	v := reflect.New(reflect.TypeOf(s.empty())).Elem()
	v.Set(reflect.ValueOf(s.empty())) // keeps the preset
	fill(v, s.Fields, s.Endpoint, want)
	return v.Interface()
}

func fill(v reflect.Value, fields []catalog.Field, e *catalog.Endpoint, want func(f *catalog.Field) bool) {
	for i := range fields {
		if f := &fields[i]; want(f) {
			sample(v.FieldByName(f.Go), f, e, want)
		}
	}
}

// sample sets a field to a value that is accepted and differs from leaving it
// out.
func sample(v reflect.Value, f *catalog.Field, e *catalog.Endpoint, want func(f *catalog.Field) bool) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch f.Type {
	case catalog.String:
		if f.Weights != "" {
			v.SetString("owner/" + f.Name)
			break
		}
		v.SetString("sample of " + f.Name)
	case catalog.Integer, catalog.Number:
		setNumber(v, sampleNumber(f))
	case catalog.Boolean:
		v.SetBool(true)
	case catalog.Seed:
		n := uint64(18446744073709551615)
		if f.Max != nil {
			n = uint64(*f.Max)
		}
		v.SetUint(n)
	case catalog.Enum:
		v.SetString(f.Enum[len(f.Enum)-1])
	case catalog.Size:
		size := fal.Size(1024, 640)
		if e.Limits.Size.PresetsOnly {
			size = fal.Square
		}
		v.Set(reflect.ValueOf(size))
	case catalog.File:
		v.Set(reflect.ValueOf(sampleFile(f, e, 0)))
	case catalog.Files:
		n := 1
		if want(&catalog.Field{}) { // a full request
			n = 2
		}
		v.Set(reflect.ValueOf(sampleFiles(f, e, n)))
	case catalog.Object:
		fill(v, catalog.ModelOf(f.Model).Fields, nil, want)
	case catalog.List:
		list := reflect.MakeSlice(v.Type(), 1, 1)
		fill(list.Index(0), catalog.ModelOf(f.Model).Fields, nil, want)
		v.Set(list)
	}
}

func setNumber(v reflect.Value, n float64) {
	if v.Kind() == reflect.Float64 {
		v.SetFloat(n)
	} else {
		v.SetInt(int64(n))
	}
}

func sampleNumber(f *catalog.Field) float64 {
	switch {
	case len(f.Enum) > 0:
		n, err := strconv.ParseFloat(f.Enum[0], 64)
		if err != nil {
			panic(err)
		}
		return n
	case f.Max != nil:
		return *f.Max
	case f.Above != nil:
		return *f.Above + 1
	case f.Min != nil:
		return *f.Min + 1
	}
	return 7
}

func sampleFile(f *catalog.Field, e *catalog.Endpoint, i int) fal.File {
	if e != nil && e.Limits.Files[f.Name].DataURLOnly {
		return fal.URL("data:image/jpeg;base64,/9j/")
	}
	return fal.URL(fmt.Sprintf("https://example.com/%s/%d.png", f.Name, i+1))
}

func sampleFiles(f *catalog.Field, e *catalog.Endpoint, n int) []fal.File {
	files := make([]fal.File, n)
	for i := range files {
		files[i] = sampleFile(f, e, i)
	}
	return files
}
