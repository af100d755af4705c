package jstypes_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/internal/jstypes"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const text = `export type Base = {
    /**
     * The prompt.
     */
    prompt: string;
    size?: ImageSize | "square";
    format?: "jpeg" | "png";
};
export type Other = Base;
export type EndpointTypeMap = {
    "fal-ai/one": {
        input: Base;
        output: Out;
    };
    "fal-ai/two": {
        input: Other;
        output: Out;
    };
};
`
	got, err := jstypes.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	fields := []jstypes.Field{
		{Name: "prompt", Required: true}, {Name: "size"}, {Name: "format", Values: []string{"jpeg", "png"}},
	}
	if diff := cmp.Diff(map[string][]jstypes.Field{"fal-ai/one": fields, "fal-ai/two": fields}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// difference is a known one between the published types and the catalogue,
// with the reason why the catalogue is right.
type difference struct {
	ID   string `json:"id"`
	What string `json:"what"`
	Why  string `json:"why"`
}

var update = flag.Bool("update", false, "write testdata/published.json from the installed client")

// TestPublished compares the catalogue with the types that fal has published for
// JavaScript, in version 1.10.1 of @fal-ai/client. Where they differ, the reason
// stands in testdata/differences.json.
func TestPublished(t *testing.T) {
	t.Parallel()
	published := kept(t)
	var got []string
	for _, e := range catalog.All() {
		for _, id := range append([]string{e.ID}, e.Aliases...) {
			fields, ok := published[id]
			if !ok {
				got = append(got, id+": not published")
				continue
			}
			got = append(got, compare(id, fields, e.Fields)...)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(known(t), got); diff != "" {
		t.Errorf("differences between the catalogue and the published types (-known +found):\n%s", diff)
	}
}

// kept returns what was published, as it is kept here.
func kept(t *testing.T) map[string][]jstypes.Field {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "published.json"))
	if err != nil {
		t.Fatal(err)
	}
	var published map[string][]jstypes.Field
	if err := json.Unmarshal(text, &published); err != nil {
		t.Fatal(err)
	}
	return published
}

// TestInstalledTypes holds what is kept of the published types against the client
// that is installed.
func TestInstalledTypes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "jsclient", "node_modules", "@fal-ai", "client", "src", "types", "endpoints.d.ts"))
	if os.IsNotExist(err) && os.Getenv("FALIMAGE_REQUIRE_NODE") == "" {
		t.Skip("left out: @fal-ai/client is not installed; .ci/run installs it")
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := jstypes.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	installed := map[string][]jstypes.Field{}
	for _, e := range catalog.All() {
		for _, id := range append([]string{e.ID}, e.Aliases...) {
			if fields, ok := all[id]; ok {
				installed[id] = fields
			}
		}
	}
	if *update {
		var b bytes.Buffer
		for i, id := range slices.Sorted(maps.Keys(installed)) {
			fields, err := json.Marshal(installed[id])
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s\n  %q: %s", map[bool]string{true: "{", false: ","}[i == 0], id, fields)
		}
		b.WriteString("\n}\n")
		if err := os.WriteFile(filepath.Join("testdata", "published.json"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(kept(t), installed); diff != "" {
		t.Errorf("testdata/published.json is not what is installed; -update writes it (-kept +installed):\n%s", diff)
	}
}

// known returns the known differences. Each must have a reason.
func known(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "differences.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []difference
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, d := range list {
		if d.Why == "" {
			t.Errorf("%s: %s: no reason is given", d.ID, d.What)
		}
		lines = append(lines, d.ID+": "+d.What)
	}
	slices.Sort(lines)
	return lines
}

// compare lists the differences in field names, in what is required and in
// the values of enums.
func compare(id string, published []jstypes.Field, ours []catalog.Field) []string {
	var differences []string
	note := func(text string) { differences = append(differences, id+": "+text) }
	for _, p := range published {
		i := slices.IndexFunc(ours, func(f catalog.Field) bool { return f.Name == p.Name })
		if i < 0 {
			note(p.Name + " is published only")
			continue
		}
		f := ours[i]
		if p.Required != f.Required {
			note(p.Name + " is required in one of them only")
		}
		if a, b := slices.Sorted(slices.Values(p.Values)), slices.Sorted(slices.Values(f.Enum)); f.Type == catalog.Enum && !f.Open && !slices.Equal(a, b) {
			note(p.Name + " has other values")
		}
	}
	for _, f := range ours {
		if !slices.ContainsFunc(published, func(p jstypes.Field) bool { return p.Name == f.Name }) {
			note(f.Name + " is ours only")
		}
	}
	return differences
}
