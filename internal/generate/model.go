package main

import (
	"slices"
	"strings"

	"github.com/falimage/falimage-go/internal/catalog"
)

// models prints the types of the objects inside requests.
func (p *printer) models(pkg string) {
	for _, m := range catalog.Models() {
		if slices.Contains(m.Packages, pkg) {
			p.model(m)
		}
	}
	p.line("// filesOf returns the files of weights, none for those with a path.")
	p.line("func filesOf[T interface{ weights() fal.File }](loras []T) []fal.File {")
	p.line("files := make([]fal.File, len(loras))")
	p.line("for i, v := range loras {\nfiles[i] = v.weights()\n}\nreturn files\n}")
}

func (p *printer) model(m *catalog.Model) {
	p.comment(0, m.Name+" "+m.Doc)
	p.line("type %s struct {", m.Name)
	for _, f := range m.Fields {
		text := f.Sentence(nil)
		if f.Weights == "file" {
			text = strings.Replace(text, "Required.", "Required unless File is given.", 1)
		}
		p.comment(1, keepDefault(text))
		p.field(&f)
	}
	p.line("}\n")

	p.line("func (v %s) check() (l check.List) {", m.Name)
	for _, f := range m.Fields {
		p.check("v.", &f, nil, f.Required)
	}
	p.line("return l\n}\n")

	if hasField(m, func(f catalog.Field) bool { return f.Weights == "file" }) {
		p.marshal(m)
		p.line("func (v %s) weights() fal.File { return v.File }\n", m.Name)
	}
	if hasPictures(m.Name) {
		p.pictures(m)
	}
}

func hasField(m *catalog.Model, what func(f catalog.Field) bool) bool {
	return slices.ContainsFunc(m.Fields, what)
}

// marshal prints the method that writes weights: under the one name there
// stands either of two fields.
func (p *printer) marshal(m *catalog.Model) {
	p.line("// MarshalJSON returns the object as it stands in a request.")
	p.line("func (v %s) MarshalJSON() ([]byte, error) {", m.Name)
	p.line("type plain %s", m.Name)
	fields, values := "Path any `json:\"path,omitzero\"`\nplain\n", "check.PathOf(v.Path, v.File), plain(v)"
	if hasField(m, func(f catalog.Field) bool { return f.PerLayer }) {
		fields += "Scale any `json:\"scale,omitzero\"`\n"
		values += ", check.ScaleOf(v.Scale, v.LayerScales)"
	}
	p.line("return json.Marshal(struct {\n%s}{%s})", fields, values)
	p.line("}\n")
}

// pictures prints the method that returns the pictures of a model.
func (p *printer) pictures(m *catalog.Model) {
	var single []string
	many := &printer{}
	list := ""
	for _, f := range m.Fields {
		switch {
		case f.Type == catalog.Files:
			list = "v." + f.Go
		case isPicture(&f):
			single = append(single, "v."+f.Go)
		case f.Type == catalog.List && hasPictures(f.Model):
			many.line("for _, c := range v.%s {\nall = append(all, c.pictures()...)\n}", f.Go)
		}
	}
	p.line("func (v %s) pictures() []fal.File {", m.Name)
	switch {
	case list != "":
		p.line("return %s", list)
	case many.Len() > 0:
		p.line("var all []fal.File\n%sreturn all", many.String())
	default:
		p.line("return check.Given(%s)", strings.Join(single, ", "))
	}
	p.line("}\n")
}

// enums prints the types of enums.
func (p *printer) enums(pkg string) {
	for _, e := range catalog.Enums() {
		if !slices.Contains(e.Packages, pkg) {
			continue
		}
		doc := e.Doc
		if special, ok := e.Docs[pkg]; ok {
			doc = special
		}
		p.comment(0, e.Name+" "+doc)
		p.line("type %s string\n", e.Name)
		p.comment(0, e.ConstsDoc)
		p.line("const (")
		for _, v := range e.Values {
			p.line("%s %s = %q", v[1], e.Name, v[0])
		}
		p.line(")\n")
	}
}

// introspection prints the functions for tools that know models only at run
// time.
func (p *printer) introspection(pkg string, all []*request) {
	p.comment(0, "Models describes every endpoint of this package: its fields, ranges and defaults, and how to make a request.")
	p.line("func Models() []schema.Model { return introspect.Models(%q, newRequest) }\n", pkg)
	p.comment(0, "Decode reads the JSON body of a request to the endpoint with the given id into the type of that endpoint, "+
		"such as "+all[0].Name+", and validates it. Other names of an endpoint give the same type: its requests go to the first name, and by fal.At to another. "+
		"What comes back can be told apart by its type, or by its result, as a fal.Request[fal.Images] for example.")
	p.line("//")
	p.comment(0, "Decode is strict: unknown fields, wrong types and everything that Validate would refuse make it fail, with one "+
		"*fal.ValidationError that lists every problem. Files can be given by URL only.")
	p.line("func Decode(id string, body []byte) (any, error) { return introspect.Decode(%q, newRequest, id, body) }\n", pkg)
	p.comment(0, "newRequest returns a pointer to a new request to an endpoint, or nil if there is no such endpoint.")
	p.line("func newRequest(id string) any {\nswitch id {")
	for _, r := range all {
		for _, e := range r.endpoints {
			p.line("case %s:", quoted(append([]string{e.ID}, e.Aliases...)))
			if e.Preset != nil {
				p.line("return &%s{Preset: %s}", r.Name, e.Preset.Go)
			} else {
				p.line("return new(%s)", r.Name)
			}
		}
	}
	p.line("}\nreturn nil\n}")
}
