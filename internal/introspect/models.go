// Package introspect is what flux.Models, flux.Decode and their fellows in
// package qwen are made of. It describes endpoints from the catalogue and
// turns JSON into requests.
package introspect

import (
	"maps"
	"reflect"
	"slices"

	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/catalog"
)

// Models describes the endpoints of a package. NewRequest returns a pointer
// to a new request to an endpoint.
func Models(pkg string, newRequest func(id string) any) []schema.Model {
	var models []schema.Model
	for _, e := range catalog.All() {
		if e.Package == pkg {
			models = append(models, model(e, newRequest))
		}
	}
	return models
}

func model(e *catalog.Endpoint, newRequest func(id string) any) schema.Model {
	m := schema.Model{
		Endpoint: e.ID, Aliases: slices.Clone(e.Aliases), Package: e.Package, Name: e.Name,
		Title: e.Title, Family: e.Family, Task: e.Task, For: e.For, PriceClass: e.Price,
		Licence: e.Licence, OpenWeights: e.OpenWeights, Status: e.Status, AliasStatus: maps.Clone(e.AliasStatus),
		Result: e.Output, Fields: fields(e, e.Fields), AsOf: e.AsOf,
		New: func() any { return reflect.ValueOf(newRequest(e.ID)).Elem().Interface() },
	}
	if e.Preset != nil {
		m.Preset, m.For = e.Preset.Value, e.Preset.For
	}
	return m
}

// fields describes the fields of an endpoint, or those of an object if e is
// nil.
func fields(e *catalog.Endpoint, in []catalog.Field) []schema.Field {
	out := make([]schema.Field, len(in))
	for i, f := range in {
		out[i] = schema.Field{
			Name: f.Name, GoName: f.Go, Type: schema.Type(f.Type), Doc: f.Sentence(e),
			Required: f.Required, Nullable: f.Nullable, Default: f.Default,
			Min: clone(f.Min), Max: clone(f.Max), Above: clone(f.Above), MultipleOf: f.MultipleOf,
			MinLength: f.MinLength, MaxLength: f.MaxLength, MinItems: f.MinItems, MaxItems: f.MaxItems,
			Enum: slices.Clone(f.Enum), Open: f.Open, PerLayer: f.PerLayer, OneOrMany: f.OneOrMany, Unconfirmed: f.Unconfirmed,
		}
		limit(e, &out[i])
		if f.Type == catalog.Size {
			out[i].Enum = sizes(e, &f)
		}
		if m := catalog.ModelOf(f.Model); m != nil {
			out[i].Fields = fields(nil, m.Fields)
		}
	}
	return out
}

// limit adds the counts that stand in no schema.
func limit(e *catalog.Endpoint, f *schema.Field) {
	if e == nil {
		return
	}
	if l, ok := e.Limits.Files[f.Name]; ok && f.Type == schema.Files {
		f.MinItems, f.MaxItems = max(f.MinItems, l.Min), l.Max
	}
	if f.Name == "loras" {
		f.MaxItems = e.Limits.LoRAs
	}
}

// sizes returns the presets that a size may have.
func sizes(e *catalog.Endpoint, f *catalog.Field) []string {
	if e != nil && e.Limits.Size.PresetsOnly {
		return []string{"square", "square_hd"}
	}
	presets := []string{"square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"}
	if f.Auto {
		presets = append(presets, "auto")
	}
	return presets
}

func clone(f *float64) *float64 {
	if f == nil {
		return nil
	}
	return new(*f)
}
