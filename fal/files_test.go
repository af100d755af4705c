package fal_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

// The types of a user, with files wherever Go lets one put them.
type (
	layer struct {
		Mask   fal.File `json:"mask"`
		Weight float64
	}
	pictures []fal.File
	Weights  struct {
		Path fal.File `json:"path"`
	}
	boxed struct{ File any }
	base  struct {
		Base fal.File `json:"base"`
	}
	Shared struct {
		Shared fal.File `json:"shared"`
		Title  string   `json:"title"`
	}
	everything struct {
		base
		*Shared
		Weights `json:"weights"`

		Untagged fal.File
		Left     fal.File            `json:"left,omitzero"`
		Pointer  *fal.File           `json:"pointer"`
		Twice    **layer             `json:"twice"`
		Array    [2]fal.File         `json:"array"`
		Named    pictures            `json:"named"`
		Layers   []layer             `json:"layers"`
		Pointers []*layer            `json:"pointers"`
		ByName   map[string]fal.File `json:"by_name"`
		ByNumber map[int][]layer     `json:"by_number"`
		Any      any                 `json:"any"`
		Inner    fal.Request[fal.Images]
		Next     *everything `json:"next"`
		Skipped  fal.File    `json:"-"`
	}
	hides struct {
		Shared

		Other fal.File `json:"shared"`
	}
	ownBody struct {
		Preset string   `json:"-"`
		Mask   fal.File `json:"-"`
	}
	foreign struct {
		Name   string
		hidden map[string]any
	}
	foreignBody struct{ request fal.Request[fal.Images] }
	inside      struct{ *base }
	ring        struct {
		Next *ring
		File fal.File
	}
	locked struct {
		sync.Mutex
		cache map[string]any
	}
)

func (everything) Endpoint() fal.Endpoint[fal.Images]  { return "a/b" }
func (o ownBody) MarshalJSON() ([]byte, error)         { return json.Marshal(map[string]any{"mask": o.Mask}) }
func (f foreignBody) MarshalJSON() ([]byte, error)     { return json.Marshal(f.request) }
func (foreignBody) Endpoint() fal.Endpoint[fal.Images] { return "a/b" }

// uploads replaces local files and tells the paths of all.
func uploads(paths *[]string) func(string, fal.File) fal.File {
	return func(path string, f fal.File) fal.File {
		*paths = append(*paths, path)
		if _, remote := f.URL(); !remote {
			f = fal.URL("https://up/" + path)
		}
		return f
	}
}

func TestEachFile(t *testing.T) {
	t.Parallel()
	local := fal.Bytes([]byte("x"))
	remote := fal.URL("https://x/1")
	at := &layer{Mask: local}
	for name, tt := range map[string]struct {
		in    any
		paths []string
	}{
		"a file":        {local, []string{""}},
		"nothing":       {nil, nil},
		"no file":       {map[string]any{"a": 1, "b": []byte("x"), "c": nil, "d": json.RawMessage("{}")}, nil},
		"left out":      {layer{}, nil},
		"nil":           {[]any{(*layer)(nil), (map[string]layer)(nil), error(nil), []fal.File(nil)}, nil},
		"map and slice": {map[string]any{"image": local, "deep": []any{map[string]any{"mask": local}, 7}}, []string{"deep[0].mask", "image"}},
		"typed":         {map[string][]layer{"l": {{}, {Mask: local}}}, []string{"l[1].mask"}},
		"list of maps":  {[]map[string]fal.File{{"f": local}, {"f": remote}}, []string{"[0].f", "[1].f"}},
		"empty in list": {[]fal.File{{}, local}, []string{"[0]", "[1]"}},
		"boxed":         {&boxed{[1]any{&boxed{local}}}, []string{"File[0].File"}},
		"shared":        {[]*layer{at, at}, []string{"[0].mask", "[1].mask"}},
		"call":          {fal.Call[any]{ID: "a/b", Input: []layer{{Mask: local}}}, []string{"[0].mask"}},
		"request":       {flux.Pro2Edit{ImageURLs: []fal.File{remote, local}}, []string{"image_urls[0]", "image_urls[1]"}},
		"wrapped": {
			fal.Raw(fal.With(fal.At(flux.Pro2Edit{ImageURLs: []fal.File{local}}, "a/b"), map[string]any{"mask": local})),
			[]string{"image_urls[0]", "mask"},
		},
		"pointer to a request": {&flux.Pro2Edit{ImageURLs: []fal.File{local}}, []string{"image_urls[0]"}},
		"hidden by its name":   {hides{Shared{local, "t"}, remote}, []string{"shared"}},
		"a body of its own":    {ownBody{Mask: local}, []string{"Mask"}},
		"remote and fixed":     {foreignBody{flux.Pro2Edit{ImageURLs: []fal.File{remote}}}, []string{"request.image_urls[0]"}},
		"what others change":   {&locked{cache: map[string]any{"f": local}}, nil},
		"everything": {
			everything{
				base: base{local}, Shared: &Shared{local, "t"}, Weights: Weights{local}, Untagged: local, Pointer: &local, Twice: &at,
				Array: [2]fal.File{remote, local}, Named: pictures{local}, Layers: []layer{{Mask: local}}, Pointers: []*layer{nil, at},
				ByName: map[string]fal.File{"b": local, "a": local}, ByNumber: map[int][]layer{7: {{Mask: local}}}, Any: []layer{{Mask: local}},
				Inner: flux.Pro2Edit{ImageURLs: []fal.File{local}}, Next: &everything{Left: local}, Skipped: local,
			},
			[]string{
				"base", "shared", "weights.path", "Untagged", "pointer", "twice.mask", "array[0]", "array[1]", "named[0]", "layers[0].mask",
				"pointers[1].mask", "by_name.a", "by_name.b", "by_number.7[0].mask", "any[0].mask", "Inner.image_urls[0]",
				"next.left", "next.array[0]", "next.array[1]",
			},
		},
	} {
		var paths []string
		mapped, problems := fal.EachFile(tt.in, uploads(&paths))
		if problems != nil {
			t.Errorf("%s: %v", name, problems)
		}
		slices.Sort(paths)
		slices.Sort(tt.paths)
		if diff := cmp.Diff(tt.paths, paths); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if name == "everything" { // which has fields that were left out
			continue
		}
		if b, err := json.Marshal(mapped); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if local := strings.Count(string(b), "https://up/"); strings.Contains(string(b), `"seed"`) || local > len(paths) {
			t.Errorf("%s: %s", name, b)
		}
	}
}

// What the caller has stays as it was, and what has no file stays the same
// value.
func TestEachFileCopies(t *testing.T) {
	t.Parallel()
	local := fal.Bytes([]byte("x"))
	other := map[string]any{"f": fal.URL("https://x/1")}
	at := &layer{Mask: local}
	in := map[string]any{"list": []any{local}, "other": other, "at": at, "array": [1]fal.File{local}, "typed": map[string]fal.File{"f": local}}
	before := maps.Clone(in)
	var paths []string
	mapped, problems := fal.EachFile(in, uploads(&paths))
	got, ok := mapped.(map[string]any)
	if problems != nil || !ok || len(paths) != 5 {
		t.Fatalf("%v, %v, %v", mapped, problems, paths)
	}
	if list, ok := before["list"].([]any); !ok || list[0] != local || at.Mask != local || in["array"] != [1]fal.File{local} {
		t.Errorf("the caller's value was changed: %v", in)
	}
	if typed, ok := in["typed"].(map[string]fal.File); !ok || typed["f"] != local {
		t.Errorf("the caller's map was changed: %v", typed)
	}
	if same, ok := got["other"].(map[string]any); !ok {
		t.Errorf("other = %v", got["other"])
	} else if same["g"] = true; other["g"] != true {
		t.Error("what has no file to replace was copied")
	}
	if b, err := json.Marshal(mapped); err != nil || strings.Count(string(b), "https://up/") != 4 {
		t.Errorf("%s, %v", b, err)
	}
}

func TestEachFileProblems(t *testing.T) {
	t.Parallel()
	local := fal.Bytes([]byte("x"))
	cycle := &ring{}
	cycle.Next = cycle
	loop := []any{nil, nil}
	loop[0], loop[1] = loop, loop
	chain := map[string]any{}
	chain["next"] = []any{chain, chain}
	hidden := &foreign{hidden: map[string]any{}}
	hidden.hidden["self"] = hidden // harmless: nothing is encoded of it
	for name, tt := range map[string]struct {
		in    any
		field string
		want  string
	}{
		"unexported":            {[]any{foreign{hidden: map[string]any{"f": local}}}, "[0].hidden.f", "unexported"},
		"request in unexported": {foreignBody{flux.Pro2Edit{ImageURLs: []fal.File{local}}}, "request.image_urls[0]", "unexported"},
		"unexported pointer":    {inside{&base{local}}, "base", "unexported"},
		"pointers":              {cycle, "Next.Next", "itself"},
		"slices":                {loop, "[0][0]", "itself"},
		"maps":                  {chain, "next[0].next[0]", "itself"},
		"unexported cycle":      {hidden, "", ""},
	} {
		mapped, problems := fal.EachFile(tt.in, func(_ string, f fal.File) fal.File { return f })
		if tt.want == "" {
			if problems != nil {
				t.Errorf("%s: %v", name, problems)
			}
			continue
		}
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Field, tt.field) || !strings.Contains(problems[0].Message, tt.want) || mapped == nil {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestMapFiles(t *testing.T) {
	t.Parallel()
	local := fal.Bytes([]byte("x"))
	r := flux.Pro2Edit{Prompt: "x", ImageURLs: []fal.File{local, local}}
	mapped, err := fal.MapFiles(r, func(field string, _ fal.File) (fal.File, error) { return fal.URL("https://up/" + field), nil })
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(mapped)
	if want := `{"prompt":"x","image_urls":["https://up/image_urls[0]","https://up/image_urls[1]"]}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
	calls := 0
	_, err = fal.MapFiles(r, func(string, fal.File) (fal.File, error) { calls++; return fal.File{}, errBroken })
	if !errors.Is(err, errBroken) || calls != 1 {
		t.Errorf("error = %v after %d calls", err, calls)
	}
	var invalid *fal.ValidationError
	_, err = fal.MapFiles(foreignBody{r}, func(_ string, f fal.File) (fal.File, error) { return f, nil })
	if !errors.As(err, &invalid) || invalid.Endpoint != "a/b" {
		t.Errorf("error = %v", err)
	}
}

// A request that can hold no file is not even looked at.
func TestEachFileCostsNothing(t *testing.T) {
	var r any = flux.Pro2{Prompt: "x"}
	f := func(_ string, f fal.File) fal.File { return f }
	if n := testing.AllocsPerRun(100, func() { fal.EachFile(r, f) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
