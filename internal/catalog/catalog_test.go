package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/internal/catalog"
)

// TestComplete finds every endpoint by each of its ids.
func TestComplete(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, e := range catalog.All() {
		for _, id := range append([]string{e.ID}, e.Aliases...) {
			ids = append(ids, id)
			if got, ok := catalog.Lookup(id); !ok || got != e {
				t.Errorf("Lookup(%q) = %v, %t", id, got, ok)
			}
		}
	}
	slices.Sort(ids)
	if got := catalog.IDs(); !slices.Equal(got, ids) {
		t.Errorf("IDs() = %q, want %q", got, ids)
	}
	if _, ok := catalog.Lookup("fal-ai/flux-2-lora-gallery"); ok {
		t.Error("Lookup finds the stem of a gallery, which is no endpoint")
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	tasks := []string{
		"text-to-image", "image-to-image", "edit", "inpaint", "redux", "control", "reference", "layers",
		"upscale", "gallery", "relight", "train", "realtime", "try-on", "outpaint", "erase",
	}
	for _, e := range catalog.All() {
		if e.Name == "" || e.File == "" || e.Family == "" || e.Title == "" || e.For == "" || e.AsOf == "" || len(e.Sources) == 0 {
			t.Errorf("%s: incomplete: %+v", e.ID, e)
		}
		if !slices.Contains(tasks, e.Task) {
			t.Errorf("%s: task %q", e.ID, e.Task)
		}
		if (e.Preset != nil) != (e.PresetType != "") {
			t.Errorf("%s: preset without type or type without preset", e.ID)
		}
		last := -1
		for _, f := range e.Fields {
			i := slices.Index(catalog.FieldOrder(), f.Name)
			if i <= last {
				t.Errorf("%s: %s is out of the canonical order", e.ID, f.Name)
			}
			last = i
			checkField(t, e.ID, f)
		}
		for name := range e.Limits.Files {
			if f, ok := e.Field(name); !ok || !f.IsFile() {
				t.Errorf("%s: limit for %s, which is no file of it", e.ID, name)
			}
		}
	}
	for _, m := range catalog.Models() {
		for _, f := range m.Fields {
			checkField(t, m.Name, f)
		}
	}
}

func checkField(t *testing.T, where string, f catalog.Field) {
	t.Helper()
	if f.Go == "" || f.Doc == "" || f.Type == "" {
		t.Errorf("%s: %s is incomplete", where, f.Name)
	}
	if (f.Type == catalog.Enum) != (f.EnumType != "") || f.Type == catalog.Enum && len(f.Enum) == 0 {
		t.Errorf("%s: %s: enum type %q, values %q", where, f.Name, f.EnumType, f.Enum)
	}
	if (f.Type == catalog.Object || f.Type == catalog.List) != (catalog.ModelOf(f.Model) != nil) {
		t.Errorf("%s: %s: model %q", where, f.Name, f.Model)
	}
	if s, ok := f.Default.(string); ok && f.Type == catalog.Enum && !slices.Contains(f.Enum, s) {
		t.Errorf("%s: %s: default %q is not among %q", where, f.Name, s, f.Enum)
	}
	if n, ok := f.Default.(float64); ok {
		if f.Min != nil && n < *f.Min || f.Max != nil && n > *f.Max || f.Above != nil && n <= *f.Above {
			t.Errorf("%s: %s: default %v is out of range", where, f.Name, n)
		}
	}
	if strings.HasSuffix(f.Name, "image_url") && f.Name != "fill_image_url" && f.Type != catalog.File {
		t.Errorf("%s: %s is no file", where, f.Name)
	}
}

// TestPointers asserts the rule for optional numbers and truths: a pointer
// where zero is accepted somewhere and differs from leaving the field out,
// decided for the name over the whole catalogue; seeds always. Text is never a
// pointer: an empty text means none.
func TestPointers(t *testing.T) {
	t.Parallel()
	type key struct {
		name   string
		number bool // a name may be a number here and an object there
	}
	want, got := map[key]bool{}, map[key]bool{}
	note := func(f catalog.Field) {
		number := f.Type == catalog.Integer || f.Type == catalog.Number || f.Type == catalog.Boolean
		k := key{f.Name, number}
		if old, seen := got[k]; seen && old != f.Pointer {
			t.Errorf("%s is a pointer here and not there", f.Name)
		}
		got[k] = f.Pointer
		want[k] = want[k] || f.Type == catalog.Seed || number && zeroAccepted(f) && f.Default != 0.0 && f.Default != false
	}
	for _, e := range catalog.All() {
		for _, f := range e.Fields {
			note(f)
		}
	}
	for _, m := range catalog.Models() {
		for _, f := range m.Fields {
			note(f)
		}
	}
	for k := range want {
		if got[k] != want[k] {
			t.Errorf("%s: pointer %t, the rule says %t", k.name, got[k], want[k])
		}
	}
}

func zeroAccepted(f catalog.Field) bool {
	return len(f.Enum) == 0 && !(f.Min != nil && *f.Min > 0) && !(f.Max != nil && *f.Max < 0) && !(f.Above != nil && *f.Above >= 0)
}
