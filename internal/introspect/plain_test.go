package introspect_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/internal/catalog"
)

// TestPlainStructs holds requests to being plain structs: encoding/json and
// fal's walk through files do the rest.
func TestPlainStructs(t *testing.T) {
	t.Parallel()
	// Their JSON is not their struct: a file for a path, a scale for each layer.
	ownJSON := map[string]bool{"LoRA": true, "GeneralLoRA": true, "ControlLoRA": true}
	var visit func(t *testing.T, typ reflect.Type)
	visit = func(t *testing.T, typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || strings.HasSuffix(typ.PkgPath(), "/fal") {
			return
		}
		for _, name := range []string{"MarshalJSON", "MapFiles"} {
			_, has := reflect.PointerTo(typ).MethodByName(name)
			if want := name == "MarshalJSON" && ownJSON[typ.Name()]; has != want {
				t.Errorf("%s has a method %s: %t, want %t", typ, name, has, want)
			}
		}
		for f := range typ.Fields() {
			visit(t, f.Type)
		}
	}
	forAll(t, func(t *testing.T, s subject) { visit(t, reflect.TypeOf(s.minimal())) })
}

// TestIDOnce finds the id of each endpoint once in the file of its type, apart
// from comments.
func TestIDOnce(t *testing.T) {
	t.Parallel()
	comment := regexp.MustCompile(`(?m)^\s*//.*$`)
	// Types whose ids differ in the preset alone begin alike: one each.
	users := map[string]map[string]bool{}
	for _, s := range subjects(t) {
		at := s.File + literal(s)
		if users[at] == nil {
			users[at] = map[string]bool{}
		}
		users[at][s.Name] = true
	}
	for _, s := range subjects(t) {
		text, err := os.ReadFile(filepath.Join("..", "..", s.Package, s.File+".go"))
		if err != nil {
			t.Fatal(err)
		}
		code := comment.ReplaceAllString(string(text), "")
		if n, want := strings.Count(code, literal(s)), len(users[s.File+literal(s)]); n != want {
			t.Errorf("%s: %s stands %d times in %s.go, want %d", s.ID, literal(s), n, s.File, want)
		}
	}
}

// literal is how the id stands in the code.
func literal(s subject) string {
	if s.Preset == nil {
		return strconv.Quote(s.ID)
	}
	before, _, _ := strings.Cut(s.Preset.Pattern, catalog.PresetMark)
	return strconv.Quote(before) + " + fal.Endpoint"
}
