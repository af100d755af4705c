package catalog_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

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

// TestValidate holds the catalogue to every rule.
func TestValidate(t *testing.T) {
	t.Parallel()
	if err := catalog.Validate(); err != nil {
		t.Error(err)
	}
}

// A small catalogue that keeps every rule.
const (
	goodFields = `{"fields": [
		{"name": "prompt", "go": "Prompt", "type": "string", "doc": "describes {aim}{length}."},
		{"name": "image_urls", "go": "ImageURLs", "type": "files", "doc": "are pictures{count}."},
		{"name": "negative_prompt", "go": "NegativePrompt", "type": "string", "doc": "is what to leave out."},
		{"name": "aspect_ratio", "go": "AspectRatio", "type": "enum", "enumType": "AspectRatio", "doc": "is {enum}."},
		{"name": "image_size", "go": "ImageSize", "type": "size", "doc": "is the size{size}."},
		{"name": "num_images", "go": "NumImages", "type": "integer", "doc": "is a number{range}."},
		{"name": "guidance_scale", "go": "GuidanceScale", "type": "number", "pointer": true, "doc": "is a number{range}."},
		{"name": "safety_tolerance", "go": "SafetyTolerance", "type": "enum", "enumType": "string", "doc": "is {enum}."},
		{"name": "safety_tolerance", "go": "SafetyTolerance", "type": "integer", "pointer": true, "doc": "is a number{range}."},
		{"name": "resolution", "go": "Resolution", "type": "integer", "doc": "is {enum}."}
	], "enums": [
		{"name": "AspectRatio", "packages": ["flux"], "doc": "is a ratio.", "constsDoc": "The ratios.", "values": [["1:1", "Ratio1x1"], ["2:1", "Ratio2x1"]]}
	], "models": []}`
	goodEndpoints = `{"asOf": "2026-11-26", "status": {"state": "live", "seen": "2026-10-07", "confidence": "high", "sources": ["a list"]}, "endpoints": [
		{"id": "x/one", "name": "One", "file": "one", "family": "One", "task": "text-to-image", "title": "One", "for": "tests", "price": "$",
		 "fields": [
			{"name": "prompt", "required": true, "maxLength": 100},
			{"name": "image_urls", "minItems": 1},
			{"name": "negative_prompt", "default": ""},
			{"name": "aspect_ratio", "default": "1:1", "enum": ["1:1", "2:1"]},
			{"name": "image_size", "default": "square_hd"},
			{"name": "num_images", "default": 1, "min": 1, "max": 4},
			{"name": "guidance_scale", "default": 1, "min": 0, "max": 10},
			{"name": "safety_tolerance", "type": "integer", "default": 2, "min": 0, "max": 4},
			{"name": "resolution", "default": 512, "enum": ["512", "1024"]}
		 ],
		 "output": "images", "returns": [{"name": "images", "model": "Image"}, {"name": "seed"}],
		 "limits": {"regions": true, "negativeAbove": 1, "doubts": [{"field": "aspect_ratio", "value": "2:1", "why": "a test"}]},
		 "sources": ["a page"]},
		{"id": "x/two", "name": "Two", "file": "one", "family": "One", "task": "text-to-image", "title": "Two", "for": "tests",
		 "status": {"state": "delisted", "since": "2026-08-19", "confidence": "high", "successor": "x/one", "sources": ["a list"]},
		 "fields": [{"name": "prompt", "required": true}, {"name": "safety_tolerance", "default": "2", "enum": ["1", "2"]}],
		 "output": "images", "returns": [{"name": "images", "model": "Image"}], "sources": ["a page"]}
	]}`
)

// broken returns the small catalogue with one passage changed.
func broken(t *testing.T, old, changed string) fstest.MapFS {
	t.Helper()
	if old != "" && strings.Count(goodFields, old)+strings.Count(goodEndpoints, old) != 1 {
		t.Fatalf("%q is not in the catalogue once", old)
	}
	return fstest.MapFS{
		"data/fields.json": {Data: []byte(strings.Replace(goodFields, old, changed, 1))},
		"data/flux.json":   {Data: []byte(strings.Replace(goodEndpoints, old, changed, 1))},
		"data/qwen.json":   {Data: []byte(`{"asOf": "2026-11-26", "endpoints": []}`)},
	}
}

// Every rule refuses what breaks it, and says where and what.
func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	if err := catalog.ValidateFS(broken(t, "", "")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, changed, want string }{
		{`"file": "one", "family": "One", "task": "text-to-image", "title": "Two"`, `"file": "One", "family": "One", "task": "text-to-image", "title": "Two"`, `x/two: file "One" must be small letters`},
		{`"name": "Two"`, `"name": ""`, "x/two: name \"\" is no exported Go name: pick one by hand"},
		{`"name": "Two"`, `"name": "One"`, "x/two: the name flux.One stands twice"},
		{`"title": "Two"`, `"titel": "Two"`, `unknown field "titel"`},
		{`"id": "x/two"`, `"id": "x/one"`, "x/one: id x/one stands twice"},
		{`"price": "$",`, `"price": "$", "output": "movie",`, ""}, // the later one counts
		{`"output": "images", "returns": [{"name": "images", "model": "Image"}, {"name": "seed"}]`, `"output": "movie", "returns": [{"name": "images", "model": "Image"}]`, `x/one: output "movie" must be one of`},
		{`{"name": "seed"}`, `{"name": "sed"}`, `x/one: returns "sed", which no result has`},
		{`"model": "Image"}, {`, `"model": "Picture"}, {`, `x/one: returns images of model "Picture"`},
		{`"task": "text-to-image", "title": "One"`, `"task": "painting", "title": "One"`, `x/one: task "painting" must be one of`},
		{`"task": "text-to-image", "title": "One"`, `"task": "gallery", "title": "One"`, "x/one: verb is missing"},
		{`"price": "$"`, `"price": "cheap"`, `x/one: price "cheap" must be one of`},
		{`"state": "delisted"`, `"state": "gone"`, `x/two: status.state "gone" must be one of`},
		{`"since": "2026-08-19", `, "", "x/two: status.since is missing"},
		{`"successor": "x/one"`, `"successor": "x/three"`, `x/two: status.successor "x/three" is no live endpoint`},
		{`"successor": "x/one"`, `"successor": "x/two"`, `x/two: status.successor "x/two" is no live endpoint`},
		{`"status": {"state": "delisted"`, `"aliasStatus": {"x/3": {"state": "live", "confidence": "low", "sources": ["a"]}}, "status": {"state": "delisted"`, "x/two: aliasStatus: x/3 is no alias"},
		{`{"name": "prompt", "required": true}, {"name": "safety_tolerance", "default"`, `{"name": "safety_tolerance", "enum": ["1"]}, {"name": "prompt", "default"`, "x/two: field prompt is out of the order"},
		{`{"name": "negative_prompt", "default": ""}`, `{"name": "prompt"}`, "x/one: field prompt is out of the order"},
		{`{"name": "image_urls", "minItems": 1}`, `{"name": "prompt"}`, "x/one: field prompt stands twice"},
		{`{"name": "image_urls", "minItems": 1}`, `{"name": "pictures"}`, "x/one: field pictures is not in fields.json"},
		{`"enumType": "AspectRatio", "doc"`, `"enumType": "Ratio", "doc"`, "field aspect_ratio: enumType Ratio is none of package flux"},
		{`"enum": ["1:1", "2:1"]`, `"enum": ["1:1", "3:1"]`, `field aspect_ratio: value "3:1" has no constant of type AspectRatio`},
		{`"default": "1:1"`, `"default": "auto"`, "field aspect_ratio: default auto does not fit"},
		{`"default": "1:1", "enum": ["1:1", "2:1"]`, `"nullable": true`, "field aspect_ratio: enum has no values"},
		{`"default": "1:1", `, `"default": "1:1", "go": "Ratio", `, "field aspect_ratio: go, enumType, pointer and whenNull are those of fields.json"},
		{`"type": "integer", "default": 2`, `"type": "number", "default": 2`, "field safety_tolerance: fields.json has none of type number"},
		{`"type": "integer", "default": 2`, `"default": 2`, "field safety_tolerance: min and above cannot be expressed for a field of type enum"},
		{`{"name": "image_urls", "minItems": 1}`, `{"name": "image_urls", "maxLength": 1}`, "field image_urls: maxLength cannot be expressed for a field of type files"},
		{`{"name": "image_urls", "minItems": 1}`, `{"name": "image_urls", "enum": ["a"]}`, "field image_urls: enum cannot be expressed"},
		{`"required": true, "maxLength": 100`, `"required": true, "default": "x"`, "field prompt: default cannot be expressed"},
		{`"required": true, "maxLength": 100`, `"required": true, "auto": true`, "field prompt: auto cannot be expressed"},
		{`"default": "square_hd"`, `"default": "auto"`, "field image_size: default auto does not fit"},
		{`"default": 1, "min": 1, "max": 4`, `"default": 1.5, "min": 1, "max": 4`, "field num_images: default 1.5 does not fit"},
		{`"default": 1, "min": 1, "max": 4`, `"default": 9, "min": 1, "max": 4`, "field num_images: default 9 does not fit"},
		{`"default": 1, "min": 1, "max": 4`, `"default": 1, "min": 1`, "x/one: num_images needs a max"},
		{`"default": 1, "min": 1, "max": 4`, `"min": 5, "max": 4`, "field num_images: min is more than max"},
		{`"default": 1, "min": 1, "max": 4`, `"default": 1, "min": 0, "max": 4`, "num_images: must be a pointer"},
		{`"default": 1, "min": 0, "max": 10`, `"default": 1, "min": 1, "max": 10`, "guidance_scale: must be no pointer"},
		{`"enum": ["512", "1024"]`, `"enum": ["512", "many"]`, `field resolution: enum value "many" is no whole number`},
		{`"default": 512`, `"default": 768`, "field resolution: default 768 does not fit"},
		{`are pictures{count}`, `are pictures{cuont}`, `field image_urls: placeholder "{cuont}" must be one of`},
		{`"type": "files"`, `"type": "pictures"`, `field image_urls: type "pictures" is none of catalog.Type`},
		{`"regions": true`, `"mentions": true, "loras": 3`, "x/one: limits.loras needs the field loras"},
		{`"negativeAbove": 1`, `"negativeAbove": 0.5`, "x/one: limits.negativeAbove: the default of guidance_scale"},
		{`"value": "2:1"`, `"value": "3:1"`, `x/one: limits.doubts: "3:1" of "aspect_ratio"`},
		{`"regions": true`, `"files": {"prompt": {"max": 3}}`, "x/one: limits.files: prompt is no file of it"},
		{`["2:1", "Ratio2x1"]`, `["2:1", "Ratio1x1"]`, "AspectRatio: the constant Ratio1x1 stands in AspectRatio too"},
		{`{"name": "negative_prompt", "go"`, `{"name": "strength", "type": "string", "go": "Strength", "doc": "is left over."}, {"name": "negative_prompt", "go"`, "fields.json: strength: no endpoint has a field of type string"},
		{`"asOf": "2026-11-26", "status"`, `"status"`, "x/one: asOf is missing"},
	} {
		err := catalog.ValidateFS(broken(t, tt.old, tt.changed))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s -> %s: %v, want %q", tt.old, tt.changed, err, tt.want)
		}
	}
}
