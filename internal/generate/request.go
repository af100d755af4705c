package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/internal/catalog"
)

// request prints a request type with its methods.
func (p *printer) request(r *request) {
	p.requestType(r)
	p.endpoint(r)
	p.validate(r)
	p.usage(r)
}

// about is the sentence that says what a type is for.
func about(r *request) string {
	verb := r.Verb
	if verb == "" {
		verb = r.TaskVerb()
	}
	text := verb + " " + r.Title + ": " + r.For + "."
	if r.Notes != "" {
		text += " " + r.Notes
	}
	switch {
	case r.Licence == "FLUX non-commercial":
		text += " Open weights, for non-commercial use."
	case r.OpenWeights:
		text += " Open weights, " + r.Licence + "."
	}
	return text
}

func (p *printer) requestType(r *request) {
	p.comment(0, r.Name+" "+about(r))
	if links := numberTypes(r); len(links) > 0 {
		p.line("//")
		p.comment(0, "The constants for its camera are those of "+and(links)+".")
	}
	p.line("//")
	p.line("// Endpoint: %s", r.pattern())
	for _, alias := range aliases(r) {
		p.line("// Other name, by [fal.At]: %s", alias)
	}
	if d := r.Deprecated(); d != "" {
		p.line("//")
		p.comment(0, d)
	}
	p.line("type %s struct {", r.Name)
	if r.Preset != nil {
		p.comment(1, "Preset is what to do. Required.")
		p.line("Preset %s `json:\"-\"`", r.PresetType)
	}
	for _, f := range r.Fields {
		p.comment(1, keepDefault(sentence(r, &f)))
		p.field(&f)
	}
	p.line("}\n")
}

// numberTypes links the types of the fields whose numbers have constants.
func numberTypes(r *request) []string {
	var links []string
	for _, f := range r.Fields {
		if link := "[" + f.GoType + "]"; f.GoType != "" && !slices.Contains(links, link) {
			links = append(links, link)
		}
	}
	return links
}

// aliases returns the other names of the endpoint, or of all presets at once.
func aliases(r *request) []string {
	if r.Preset == nil {
		return r.Aliases
	}
	var stems []string
	for _, a := range r.Aliases {
		stems = append(stems, strings.TrimSuffix(a, r.Preset.Value)+catalog.PresetMark)
	}
	return stems
}

// sentence is the comment of a field. Where the presets of a type differ, it
// says which need the field.
func sentence(r *request, f *catalog.Field) string {
	if !differs(r, f) {
		return f.Sentence(r.Endpoint)
	}
	bare := *f
	bare.Default, bare.Required = nil, false
	text := bare.Sentence(r.Endpoint)
	if needed := requiredBy(r, f); len(needed) > 0 {
		return text + " Required by " + strings.Join(needed, " and ") + "; the other presets have one of their own."
	}
	return text + " Default: one for each preset."
}

// differs reports whether the presets of a type treat a field differently.
func differs(r *request, f *catalog.Field) bool {
	return slices.ContainsFunc(r.endpoints, func(e *catalog.Endpoint) bool {
		g, _ := e.Field(f.Name)
		return g.Required != f.Required || g.Default != f.Default
	})
}

// required reports whether every endpoint of the type needs the field.
func required(r *request, f *catalog.Field) bool {
	return f.Required && len(requiredBy(r, f)) == len(r.endpoints)
}

// requiredBy returns the constants of the presets that need the field.
func requiredBy(r *request, f *catalog.Field) []string {
	var names []string
	for _, e := range r.endpoints {
		if g, _ := e.Field(f.Name); g.Required {
			if e.Preset == nil {
				return []string{""}
			}
			names = append(names, e.Preset.Go)
		}
	}
	return names
}

// field prints a struct field. Required ones are left out at their zero value
// too: Validate refuses them, and who skips it means what is written.
func (p *printer) field(f *catalog.Field) {
	p.line("%s %s `json:\"%s,omitzero\"`", f.Go, goType(f), f.Name)
	if f.Weights == "file" {
		p.comment(1, "File is the weights in place of Path: a file of this computer, which is uploaded, or that of a result, such as the LoRA of a training. "+
			"Requests with it know how large the weights are, and so do their quotes.")
		p.line("File fal.File `json:\"-\"`")
	}
	if f.PerLayer {
		p.comment(1, "LayerScales is a scale for each layer, by its name, instead of "+f.Go+".")
		p.line("LayerScales map[string]float64 `json:\"-\"`")
	}
}

// goType is the Go type of a field.
func goType(f *catalog.Field) string {
	pointer := ""
	if f.Pointer {
		pointer = "*"
	}
	switch f.Type {
	case catalog.Integer:
		return pointer + "int"
	case catalog.Number:
		return pointer + cmp.Or(f.GoType, "float64")
	case catalog.Boolean:
		return pointer + "bool"
	case catalog.Enum:
		return f.EnumType
	case catalog.Seed:
		return pointer + "uint64"
	case catalog.Size:
		return "fal.ImageSize"
	case catalog.File:
		return "fal.File"
	case catalog.Files:
		return "[]fal.File"
	case catalog.Object:
		return f.Model
	case catalog.List:
		return "[]" + f.Model
	default:
		return "string"
	}
}

func (p *printer) endpoint(r *request) {
	out := r.output()
	if r.Preset != nil {
		p.comment(0, "Endpoint returns the id of the endpoint, of which the preset is a part.")
		p.line("func (r %s) Endpoint() fal.Endpoint[%s] {", r.Name, out)
		before, after, _ := strings.Cut(r.pattern(), catalog.PresetMark)
		id := fmt.Sprintf("%q + fal.Endpoint[%s](r.Preset)", before, out)
		if after != "" {
			id += fmt.Sprintf(" + %q", after)
		}
		p.line("return %s", id)
		p.line("}\n")
		return
	}
	p.line("// Endpoint returns the id of the endpoint.")
	p.line("func (%s) Endpoint() fal.Endpoint[%s] { return %q }\n", r.Name, out, r.ID)
}

// presetTypes returns the requests that have each type of preset.
func presetTypes(all []*request) map[string][]*request {
	users := map[string][]*request{}
	for _, r := range all {
		if r.Preset != nil {
			users[r.PresetType] = append(users[r.PresetType], r)
		}
	}
	return users
}

// presets prints the type of the preset field of some requests.
func (p *printer) presets(name string, users []*request) {
	var links []string
	for _, r := range users {
		links = append(links, "["+r.Name+"]")
	}
	p.comment(0, name+" is a preset of "+and(links)+", a part of the endpoint's id.")
	p.line("type %s string\n", name)
	p.comment(0, "The presets of "+and(links)+".")
	p.line("const (")
	for _, e := range users[0].endpoints {
		text := e.Preset.Go + " is for " + e.Preset.For + "."
		if f, ok := e.Field("prompt"); ok {
			if d, ok := f.Default.(string); ok && d != "" {
				text += " Its default prompt is \"" + d + "\"."
			}
		}
		p.comment(1, text)
		p.line("%s %s = %q", e.Preset.Go, name, e.Preset.Value)
	}
	p.line(")\n")
}

// and lists words: "a", "a and b", "a, b and c".
func and(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
