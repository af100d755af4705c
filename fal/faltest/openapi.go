package faltest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/catalog"
)

// serveModels lists the endpoints of the catalogue with what the platform tells
// of them.
func (s *Server) serveModels(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if tooMany(w, query, "endpoint_id") {
		return
	}
	if status := query.Get("status"); status != "" && status != "active" && status != "deprecated" {
		badQuery(w, "status: must be active or deprecated")
		return
	}
	expand := idsOf(query, "expand")
	for _, name := range expand {
		if name != "openapi-3.0" && name != "enterprise_status" {
			badQuery(w, "expand: must be openapi-3.0 or enterprise_status")
			return
		}
	}
	s.mu.Lock()
	change := s.platform.change
	s.mu.Unlock()
	// Descriptions are long: they are made for those alone that are asked for,
	// or that may be changed.
	models := modelsOf(slices.Contains(expand, "openapi-3.0") || change != nil, func(id string) bool { return change != nil || matches(query, "endpoint_id", id) })
	if change != nil {
		models = change(models)
	}
	models = slices.DeleteFunc(models, func(m map[string]any) bool {
		id, _ := m["endpoint_id"].(string)
		meta, _ := m["metadata"].(map[string]any)
		text := func(name string) string { v, _ := meta[name].(string); return v }
		words := strings.ToLower(id + " " + text("display_name") + " " + text("description"))
		return !matches(query, "endpoint_id", id) ||
			query.Get("status") != "" && query.Get("status") != text("status") ||
			query.Get("category") != "" && query.Get("category") != text("category") ||
			!strings.Contains(words, strings.ToLower(query.Get("q")))
	})
	for _, m := range models {
		if !slices.Contains(expand, "openapi-3.0") {
			delete(m, "openapi")
		}
		if slices.Contains(expand, "enterprise_status") {
			m["enterprise_status"] = "ready"
		}
	}
	writePage(w, query, "models", models, 50, 1000)
}

// modelsOf returns what the platform tells of the endpoints that are wanted, by
// every id that they have.
func modelsOf(described bool, wanted func(id string) bool) []map[string]any {
	models := []map[string]any{}
	for _, e := range catalog.All() {
		for _, id := range append([]string{e.ID}, e.Aliases...) {
			status, ok := e.AliasStatus[id]
			if !ok {
				status = e.Status
			}
			if !wanted(id) || status.State == schema.Delisted {
				continue // the list has them no longer
			}
			listedAs := "active"
			if status.State == schema.Withdrawn {
				listedAs = "deprecated"
			}
			m := map[string]any{"endpoint_id": id, "metadata": map[string]any{
				"display_name": e.Title, "category": categoryOf(e), "description": e.For, "status": listedAs, "tags": []string{},
				"updated_at": e.AsOf + "T00:00:00Z", "date": e.AsOf + "T00:00:00Z", "thumbnail_url": "", "model_url": "https://fal.run/" + id,
				"license_type": "commercial", "kind": kindOf(e), "highlighted": false, "pinned": false,
			}}
			if described {
				m["openapi"] = openAPI(e, id)
			}
			models = append(models, m)
		}
	}
	return models
}

func categoryOf(e *catalog.Endpoint) string {
	switch {
	case e.Task == "train":
		return "training"
	case slices.ContainsFunc(e.Fields, func(f catalog.Field) bool { return f.IsFile() && f.Required }):
		return "image-to-image"
	}
	return "text-to-image"
}

func kindOf(e *catalog.Endpoint) string {
	if e.Task == "train" {
		return "training"
	}
	return "inference"
}

// openAPI describes an endpoint in the form that the service has: the input is
// what the POST refers to, and x-fal-order-properties is the order of fields.
func openAPI(e *catalog.Endpoint, id string) map[string]any {
	schemas := map[string]any{}
	input := objectSchema(schemas, e, e.Name+"Input", e.Fields)
	properties, names := map[string]any{}, []string{}
	for _, f := range e.OutputFields {
		properties[f.Name] = map[string]any{"title": f.Name}
		names = append(names, f.Name)
	}
	schemas[e.Name+"Output"] = map[string]any{"type": "object", "properties": properties, "x-fal-order-properties": names}
	return map[string]any{
		"openapi": "3.0.4",
		"info":    map[string]any{"title": "Queue OpenAPI for " + id, "version": "1.0.0", "x-fal-metadata": map[string]any{"endpointId": id}},
		"components": map[string]any{
			"schemas": schemas,
		},
		"paths": map[string]any{
			"/" + id: map[string]any{"post": map[string]any{
				"requestBody": map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{"schema": input}}},
			}},
		},
		"servers": []any{map[string]any{"url": "https://queue.fal.run"}},
	}
}

// objectSchema adds the description of an object in the input of an endpoint
// under a name and returns what refers to it.
func objectSchema(schemas map[string]any, e *catalog.Endpoint, name string, fields []catalog.Field) map[string]any {
	ref := map[string]any{"$ref": "#/components/schemas/" + name}
	if schemas[name] != nil {
		return ref
	}
	properties, order, required := map[string]any{}, []string{}, []string{}
	for i := range fields {
		f := &fields[i]
		properties[f.Name] = fieldSchema(schemas, e, f)
		order = append(order, f.Name)
		if f.Required {
			required = append(required, f.Name)
		}
	}
	object := map[string]any{"title": name, "type": "object", "properties": properties, "x-fal-order-properties": order}
	if len(required) > 0 {
		object["required"] = required
	}
	schemas[name] = object
	return ref
}

// sizes are the names of sizes that a field takes.
func sizes(e *catalog.Endpoint, f *catalog.Field) []string {
	if e.Limits.Size.PresetsOnly {
		return []string{"square", "square_hd"}
	}
	names := slices.Sorted(maps.Keys(presets))
	if f.Auto {
		names = append(names, "auto")
	}
	return names
}

func fieldSchema(schemas map[string]any, e *catalog.Endpoint, f *catalog.Field) map[string]any {
	p := map[string]any{}
	switch f.Type {
	case catalog.String, catalog.File:
		p["type"] = "string"
	case catalog.Enum:
		p["type"] = "string"
		if !f.Open {
			p["enum"] = f.Enum
		}
	case catalog.Integer, catalog.Seed:
		p["type"] = "integer"
		if len(f.Enum) > 0 {
			values := make([]json.Number, len(f.Enum))
			for i, v := range f.Enum {
				values[i] = json.Number(v)
			}
			p["enum"] = values
		}
	case catalog.Number:
		p["type"] = "number"
		if f.PerLayer {
			p["anyOf"] = []any{map[string]any{"type": "number"}, map[string]any{"type": "object"}}
			delete(p, "type")
		}
	case catalog.Boolean:
		p["type"] = "boolean"
	case catalog.Files:
		p["type"], p["items"] = "array", map[string]any{"type": "string"}
		if f.OneOrMany {
			p = map[string]any{"anyOf": []any{p, map[string]any{"type": "string"}}}
		}
	case catalog.Size:
		p["anyOf"] = []any{
			objectSchema(schemas, e, "ImageSize", []catalog.Field{{Name: "width", Type: catalog.Integer, Default: 512.0}, {Name: "height", Type: catalog.Integer, Default: 512.0}}),
			map[string]any{"type": "string", "enum": sizes(e, f)},
		}
	case catalog.Object, catalog.List:
		m := catalog.ModelOf(f.Model)
		ref := objectSchema(schemas, e, m.Name, m.Fields)
		if f.Type == catalog.List {
			p["type"], p["items"] = "array", ref
		} else {
			p = ref
		}
	}
	for name, limit := range map[string]*float64{"minimum": f.Min, "maximum": f.Max, "exclusiveMinimum": f.Above} {
		if limit != nil && f.Type != catalog.Seed {
			p[name] = *limit
		}
	}
	for name, limit := range map[string]int{"minLength": f.MinLength, "maxLength": f.MaxLength, "minItems": f.MinItems, "maxItems": f.MaxItems} {
		if limit > 0 {
			p[name] = limit
		}
	}
	if f.MultipleOf > 0 {
		p["multipleOf"] = f.MultipleOf
	}
	if f.Nullable {
		p = map[string]any{"anyOf": []any{p, map[string]any{"type": "null"}}}
	}
	if f.Default != nil {
		p["default"] = f.Default
	}
	p["title"], p["description"] = f.Name, f.Doc
	return p
}
