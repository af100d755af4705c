package introspect_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/catalog"
)

var update = flag.Bool("update", false, "write the golden request bodies anew")

func encoded(t *testing.T, request any) []byte {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatalf("encoding %#v: %v", request, err)
	}
	return body
}

// problems returns what Validate says.
func problems(t *testing.T, request any) []fal.Problem {
	t.Helper()
	v, ok := request.(interface{ Validate() error })
	if !ok {
		t.Fatalf("%T has no Validate", request)
	}
	return problemsOf(t, v.Validate())
}

func problemsOf(t *testing.T, err error) []fal.Problem {
	t.Helper()
	if err == nil {
		return nil
	}
	var invalid *fal.ValidationError
	if !errors.As(err, &invalid) {
		t.Fatalf("error %v (%T), want a *fal.ValidationError", err, err)
	}
	return invalid.Problems
}

// TestGolden compares the body of a minimal and of a full request to every
// endpoint with those in testdata. Run it with -update to write them.
func TestGolden(t *testing.T) {
	t.Parallel()
	got := map[string]*strings.Builder{"flux": {}, "qwen": {}}
	for _, s := range subjects(t) {
		fmt.Fprintf(got[s.Package], "%s\nminimal %s\nfull    %s\n\n", s.ID, encoded(t, s.minimal()), encoded(t, s.full()))
	}
	for pkg, text := range got {
		name := filepath.Join("testdata", pkg+".txt")
		if *update {
			if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestRoundTrip decodes what was encoded, through every name of the endpoint.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	forAll(t, func(t *testing.T, s subject) {
		for _, request := range []any{s.minimal(), s.full()} {
			if p := problems(t, request); len(p) > 0 {
				t.Fatalf("%+v: %v", request, p)
			}
			body := encoded(t, request)
			got, err := s.decode(s.ID, body)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if !reflect.DeepEqual(got, request) {
				t.Errorf("decoded %+v, want %+v", got, request)
			}
			for _, alias := range s.Aliases {
				got, err := s.decode(alias, body)
				if err != nil {
					t.Fatalf("%s: %v", alias, err)
				}
				if !reflect.DeepEqual(got, request) {
					t.Errorf("%s: decoded %+v, want %+v", alias, got, request)
				}
			}
			if id := idOf(t, got); id != s.ID {
				t.Errorf("a request to %s goes to %s", s.ID, id)
			}
		}
	})
}

// idOf is the endpoint that a request goes to.
func idOf(t *testing.T, request any) string {
	t.Helper()
	method := reflect.ValueOf(request).MethodByName("Endpoint")
	if !method.IsValid() {
		t.Fatalf("%T has no Endpoint", request)
	}
	return method.Call(nil)[0].String()
}

// TestReflection holds MarshalJSON to what encoding/json makes of the same
// struct without the method.
func TestReflection(t *testing.T) {
	t.Parallel()
	forAll(t, func(t *testing.T, s subject) {
		for _, request := range []any{s.minimal(), s.full()} {
			if diff := cmp.Diff(string(encoded(t, plain(request))), string(encoded(t, request))); diff != "" {
				t.Errorf("-reflection +MarshalJSON:\n%s", diff)
			}
			plainObjects(t, reflect.ValueOf(request))
		}
	})
}

// plain converts a struct into one of the same fields and no methods.
func plain(v any) any {
	value := reflect.ValueOf(v)
	fields := make([]reflect.StructField, 0, value.NumField())
	for f := range value.Type().Fields() {
		fields = append(fields, f)
	}
	return value.Convert(reflect.StructOf(fields)).Interface()
}

// plainObjects compares the objects inside a request the same way.
func plainObjects(t *testing.T, v reflect.Value) {
	t.Helper()
	for f, field := range v.Fields() {
		if f.Type.Kind() != reflect.Slice || f.Type.Elem().Kind() != reflect.Struct || f.Type.Elem() == reflect.TypeFor[fal.File]() {
			continue
		}
		for i := range field.Len() {
			item := field.Index(i)
			if diff := cmp.Diff(string(encoded(t, plain(item.Interface()))), string(encoded(t, item.Interface()))); diff != "" {
				t.Errorf("%s: -reflection +MarshalJSON:\n%s", f.Name, diff)
			}
			plainObjects(t, item)
		}
	}
}

// TestRequired leaves out each required field once, in Go and in JSON.
func TestRequired(t *testing.T) {
	t.Parallel()
	forAll(t, func(t *testing.T, s subject) {
		for _, f := range s.Fields {
			if !f.Required {
				continue
			}
			request := s.with(&f, reflect.Value.SetZero)
			want := []fal.Problem{{Field: f.Name, Message: "is required"}}
			if diff := cmp.Diff(want, problems(t, request)); diff != "" {
				t.Errorf("without %s (-want +got):\n%s", f.Name, diff)
			}
			body := without(t, encoded(t, s.minimal()), f.Name)
			_, err := s.decode(s.ID, body)
			if diff := cmp.Diff(want, problemsOf(t, err)); diff != "" {
				t.Errorf("decoding without %s (-want +got):\n%s", f.Name, diff)
			}
		}
		if s.Preset != nil {
			v := reflect.New(reflect.TypeOf(s.minimal())).Elem()
			v.Set(reflect.ValueOf(s.minimal()))
			v.FieldByName("Preset").SetZero()
			if p := problems(t, v.Interface()); len(p) != 1 || p[0].Field != "preset" {
				t.Errorf("without preset: %v", p)
			}
		}
	})
}

func without(t *testing.T, body []byte, name string) []byte {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, name)
	return encoded(t, fields)
}

// TestReachable proves that every id of the catalogue is reachable by exactly
// one documented way: a type of its own, a preset of a type, or another name.
func TestReachable(t *testing.T) {
	t.Parallel()
	ways := map[string][]string{}
	types := map[string]*catalog.Endpoint{}
	for _, s := range subjects(t) {
		name := s.Package + "." + s.Name
		if s.Preset != nil {
			ways[s.ID] = append(ways[s.ID], "preset "+s.Preset.Go+" of "+name)
		} else {
			ways[s.ID] = append(ways[s.ID], "type "+name)
			if types[name] != nil {
				t.Errorf("%s is the type of %s and %s", name, types[name].ID, s.ID)
			}
			types[name] = s.Endpoint
		}
		for _, alias := range s.Aliases {
			ways[alias] = append(ways[alias], "another name of "+name)
		}
		if got := reflect.TypeOf(s.empty()).String(); got != name {
			t.Errorf("%s: New makes a %s, the catalogue says %s", s.ID, got, name)
		}
		if got := idOf(t, s.empty()); got != s.ID {
			t.Errorf("%s: New makes a request to %s", s.ID, got)
		}
	}
	for id, way := range ways {
		if len(way) != 1 {
			t.Errorf("%s is reachable by %q", id, way)
		}
	}
	for _, id := range catalog.IDs() {
		if ways[id] == nil {
			t.Errorf("%s is not reachable", id)
		}
	}
}
