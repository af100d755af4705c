package platform_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
)

// description is one with an input of the given properties.
func description(properties, schemas string) string {
	return `{"components":{"schemas":{"In":{"type":"object","required":["a"],"x-fal-order-properties":["b","a","gone"],"properties":{` + properties + `}}` + schemas + `}},
		"paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/In"}}}}}},"/x/{id}":{"get":{}}}}`
}

func TestFields(t *testing.T) {
	t.Parallel()
	got, err := platform.Model{OpenAPI: json.RawMessage(description(`
		"d":{"anyOf":[{"$ref":"#/components/schemas/ImageSize"},{"type":"string","enum":["square","portrait"]},{"type":"null"}],"default":"square"},
		"a":{"type":"string","minLength":1},
		"c":{"type":["integer","null"],"minimum":0,"maximum":9223372036854775808,"default":null,"exclusiveMinimum":true},
		"b":{"allOf":[{"$ref":"#/components/schemas/Kind"}],"default":"x","nullable":true},
		"e":{}`,
		`,"Kind":{"type":"string","enum":["x","y",3,null]},"ImageSize":{"type":"object","maximum":5}`))}.Fields()
	if err != nil {
		t.Fatal(err)
	}
	want := []platform.Field{
		{Name: "b", Type: "string", Default: json.RawMessage(`"x"`), Enum: []string{"x", "y", "3"}, Nullable: true},
		{Name: "a", Type: "string", Required: true, Limits: map[string]json.Number{"minLength": "1"}},
		{Name: "c", Type: "integer", Nullable: true, Limits: map[string]json.Number{"minimum": "0", "maximum": "9223372036854775808"}},
		{Name: "d", Type: "object or string", Nullable: true, Default: json.RawMessage(`"square"`), Enum: []string{"square", "portrait"}},
		{Name: "e"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":   "not asked for",
		"{}": "no input",
		"[]": "cannot unmarshal",
		`{"error":{"code":"expansion_failed","message":"no"}}`:                                                                                       "could not make it: no",
		description(`"a":{"$ref":"#/components/schemas/None"}`, ""):                                                                                  "refers to nothing",
		description(`"a":{"$ref":"#/other"}`, ""):                                                                                                    "refers to nothing",
		description(`"a":{"$ref":"#/components/schemas/A"}`, `,"A":{"$ref":"#/components/schemas/A"}`):                                               "do not come to an end",
		description(`"a":{"$ref":"#/components/schemas/A"}`, `,"A":{"anyOf":[{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/A"}]}`): "too deep",
		description(`"a":{"type":"text"}`, ""):                                                                                                       "is none",
		description(`"a":7`, ""):                                                                                                                     "field a",
		strings.Replace(description("", ""), `"properties":{}`, `"more":{}`, 1):                                                                      "no object",
	} {
		_, err := platform.Model{Endpoint: "a/b", OpenAPI: json.RawMessage(text)}.Fields()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// Every description of the local fal can be read.
func TestFieldsOfAll(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	for m, err := range (platform.API{Client: srv.Client()}).Models(t.Context(), platform.ModelQuery{OpenAPI: true, PageSize: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		fields, err := m.Fields()
		if err != nil || len(fields) == 0 {
			t.Errorf("%s: %d fields, %v", m.Endpoint, len(fields), err)
		}
	}
}

func FuzzFields(f *testing.F) {
	f.Add(description(`"a":{"type":"string"},"b":{"anyOf":[{"type":"null"},{"$ref":"#/components/schemas/K"}]}`, `,"K":{"enum":["x"]}`))
	f.Add(`{"error":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := platform.Model{Endpoint: "a/b", OpenAPI: json.RawMessage(text)}.Fields()
		if err != nil && fields != nil {
			t.Errorf("%v with %v", fields, err)
		}
	})
}
