package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// known is an id of the catalogue.
type known struct {
	state schema.State
	// model is nil for the second name of another endpoint.
	model *schema.Model
}

// catalogue returns what this module knows, by id.
func catalogue() map[string]known {
	all := make(map[string]known)
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		for _, id := range m.Aliases {
			all[id] = known{state: m.StatusOf(id).State}
		}
		all[m.Endpoint] = known{m.Status.State, &m}
	}
	return all
}

// searches find the endpoints of both families, whoever made them.
var searches = []string{"flux", "qwen-image", "qwen image"}

// ours reports whether an endpoint that is not in the catalogue may belong
// there.
func ours(m platform.Model) bool {
	picture := slices.Contains([]string{"text-to-image", "image-to-image", "training"}, m.Metadata.Category)
	return picture && (strings.Contains(m.Endpoint, "flux") || strings.Contains(m.Endpoint, "qwen-image"))
}

// listed returns what fal tells of the ids of the catalogue and of others that
// may belong there.
func listed(ctx context.Context, api platform.API, here map[string]known) (map[string]platform.Model, error) {
	there := make(map[string]platform.Model)
	ask := func(q platform.ModelQuery) error {
		for m, err := range api.Models(ctx, q) {
			if err != nil {
				return err
			}
			if _, before := there[m.Endpoint]; !before {
				there[m.Endpoint] = m
			}
		}
		return nil
	}
	err := inParts(slices.Sorted(maps.Keys(here)), func(ids []string) error {
		return ask(platform.ModelQuery{Endpoints: ids, OpenAPI: true})
	})
	for _, words := range searches {
		if err == nil {
			err = ask(platform.ModelQuery{Search: words, Status: "active"})
		}
	}
	return there, err
}

// inParts asks about ids, 50 at once. Whether one that is gone is left out of the
// answer or makes it an error is unconfirmed: where it is an error, halves are
// asked about, until there is one id alone, which is then gone.
func inParts(ids []string, ask func(ids []string) error) error {
	for part := range slices.Chunk(ids, 50) {
		err := ask(part)
		if errors.Is(err, fal.ErrNotFound) {
			if err = nil; len(part) > 1 {
				half := len(part) / 2
				err = errors.Join(inParts(part[:half], ask), inParts(part[half:], ask))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compareModels returns how the models of the catalogue differ from fal's.
func compareModels(here map[string]known, there map[string]platform.Model) (all []difference) {
	for id, k := range here {
		m, isListed := there[id]
		deprecated := m.Metadata.Status == "deprecated"
		switch {
		case k.state == schema.Live && !isListed:
			all = append(all, difference{Endpoint: id, Kind: "gone", Here: "live", There: "not listed"})
		case k.state == schema.Live && deprecated:
			all = append(all, difference{Endpoint: id, Kind: "deprecated", Here: "live", There: "deprecated"})
		case k.state != schema.Live && isListed && !deprecated:
			all = append(all, difference{Endpoint: id, Kind: "back", Here: string(k.state), There: m.Metadata.Status})
		}
		if isListed && k.model != nil && k.state == schema.Live {
			all = append(all, compareFields(k.model, m)...)
		}
	}
	for id, m := range there {
		if _, known := here[id]; !known && ours(m) {
			all = append(all, difference{Endpoint: id, Kind: "new", There: m.Metadata.Category})
		}
	}
	return all
}

// compareFields returns how the fields of an endpoint differ.
func compareFields(m *schema.Model, listed platform.Model) (all []difference) {
	add := func(kind, field, here, there string) {
		if here != there {
			all = append(all, difference{m.Endpoint, kind, field, here, there})
		}
	}
	fields, err := listed.Fields()
	if err != nil {
		add("unreadable", "", "", strings.TrimPrefix(err.Error(), "platform: "+m.Endpoint+": "))
		return all
	}
	for _, h := range m.Fields {
		i := slices.IndexFunc(fields, func(f platform.Field) bool { return f.Name == h.Name })
		if i < 0 {
			add("field gone", h.Name, string(h.Type), "")
			continue
		}
		t := fields[i]
		if here := typeOf(h); here != t.Type && t.Type != "" {
			add("type", h.Name, here, t.Type)
			continue // the rest differs for that reason
		}
		add("required", h.Name, strconv.FormatBool(h.Required), strconv.FormatBool(t.Required))
		add("default", h.Name, text(h.Default), defaultOf(t))
		add("values", h.Name, strings.Join(enumOf(h), " "), strings.Join(slices.Sorted(slices.Values(t.Enum)), " "))
		if h.Type != schema.Seed && h.Type != schema.Size {
			add("limits", h.Name, limitsText(limitsOf(h, t.Limits)), limitsText(t.Limits))
		}
	}
	for _, t := range fields {
		if _, ok := m.Field(t.Name); !ok {
			add("field new", t.Name, "", t.Type)
		}
	}
	return all
}

// typeOf returns the type of a field in the words of descriptions.
func typeOf(f schema.Field) string {
	switch f.Type {
	case schema.Integer, schema.Seed:
		return "integer"
	case schema.Number:
		if f.PerLayer {
			return "number or object"
		}
		return "number"
	case schema.Boolean:
		return "boolean"
	case schema.Size:
		return "object or string"
	case schema.Files, schema.List:
		if f.OneOrMany {
			return "array or string"
		}
		return "array"
	case schema.Object:
		return "object"
	}
	return "string"
}

// enumOf returns the values that a field takes, if it does not take others.
func enumOf(f schema.Field) []string {
	if f.Open {
		return nil
	}
	return slices.Sorted(slices.Values(f.Enum))
}

func text(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// defaultOf returns a default in the way that text writes it.
func defaultOf(f platform.Field) string {
	if f.Default == nil {
		return ""
	}
	var v any
	if err := json.Unmarshal(f.Default, &v); err != nil {
		return string(f.Default)
	}
	return text(v)
}

// limitsOf returns the bounds of a field. Those of lengths stand in descriptions
// or only in the words of pages: they are left out where fal's has none.
func limitsOf(f schema.Field, there map[string]json.Number) map[string]json.Number {
	limits := make(map[string]json.Number)
	for name, limit := range map[string]*float64{"minimum": f.Min, "maximum": f.Max, "exclusiveMinimum": f.Above} {
		if limit != nil {
			limits[name] = json.Number(text(*limit))
		}
	}
	for name, limit := range map[string]int{"minLength": f.MinLength, "maxLength": f.MaxLength, "minItems": f.MinItems, "maxItems": f.MaxItems} {
		if limit > 0 && there[name] != "" {
			limits[name] = json.Number(text(limit))
		}
	}
	if f.MultipleOf > 0 {
		limits["multipleOf"] = json.Number(text(f.MultipleOf))
	}
	return limits
}

func limitsText(limits map[string]json.Number) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		value := limits[name].String()
		if n, ok := new(big.Rat).SetString(value); ok && len(value) < 30 { // 1.0 is 1
			value = strings.TrimSuffix(strings.TrimRight(n.FloatString(9), "0"), ".")
		}
		parts = append(parts, name+" "+value)
	}
	return strings.Join(parts, ", ")
}
