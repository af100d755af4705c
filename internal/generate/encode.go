package main

import (
	"fmt"

	"github.com/falimage/falimage-go/internal/catalog"
)

// marshal prints the MarshalJSON method of a request or model.
func (p *printer) marshal(recv, name, comment string, fields []catalog.Field) {
	p.line("// %s", comment)
	p.line("func (%s %s) MarshalJSON() ([]byte, error) {", recv, name)
	p.line("o := body.New()")
	for _, f := range fields {
		p.encode(recv+"."+f.Go, &f)
	}
	p.line("return o.JSON()")
	p.line("}\n")
}

// encode prints the statement that adds a field to the object.
func (p *printer) encode(v string, f *catalog.Field) {
	pointer := ""
	if f.Pointer {
		pointer = "Ptr"
	}
	switch f.Type {
	case catalog.String, catalog.Enum:
		p.line("body.String(o, %q, %s)", f.Name, v)
	case catalog.Integer:
		p.line("o.Int%s(%q, %s)", pointer, f.Name, v)
	case catalog.Number:
		add := fmt.Sprintf("o.Float%s(%q, %s)", pointer, f.Name, v)
		if f.PerLayer {
			add = fmt.Sprintf("if len(v.LayerScales) > 0 {\no.Value(%q, v.LayerScales)\n} else {\n%s\n}", f.Name, add)
		}
		p.line("%s", add)
	case catalog.Boolean:
		p.line("o.Bool%s(%q, %s)", pointer, f.Name, v)
	case catalog.Seed:
		p.line("o.Seed(%q, %s)", f.Name, v)
	case catalog.Size:
		p.line("o.Size(%q, %s)", f.Name, v)
	case catalog.File:
		p.line("o.File(%q, %s)", f.Name, v)
	case catalog.Files:
		p.line("o.Files(%q, %s)", f.Name, v)
	case catalog.Object:
		p.line("if !%s.IsZero() {\no.Value(%q, %s)\n}", v, f.Name, v)
	case catalog.List:
		p.line("body.List(o, %q, %s)", f.Name, v)
	}
}

// mapFiles prints the method that replaces every file, if there are any.
func (p *printer) mapFiles(r *request) {
	body := &printer{}
	for _, f := range r.Fields {
		body.mapField("r", "", &f)
	}
	if body.Len() == 0 {
		return
	}
	p.line("// MapFiles returns a copy of the request in which f replaced every file.")
	p.line("func (r %s) MapFiles(f func(field string, file fal.File) (fal.File, error)) (fal.Request[%s], error) {", r.Name, r.output())
	p.line("var err error\n%sreturn r, nil\n}\n", body.String())
}

// mapField prints the replacement of the files of one field. Path is the Go
// expression of the path in front of it, "" at the top.
func (p *printer) mapField(recv, path string, f *catalog.Field) {
	at := `"` + f.Name + `"`
	fail := "nil"
	if path != "" {
		at = path + ` + ".` + f.Name + `"`
		fail = recv
	}
	v := recv + "." + f.Go
	var call string
	switch {
	case f.Type == catalog.File:
		call = "body.MapFile(" + at + ", " + v + ", f)"
	case f.Type == catalog.Files:
		call = "body.MapFiles(" + at + ", " + v + ", f)"
	case f.Type == catalog.Object:
		for _, inner := range catalog.ModelOf(f.Model).Fields {
			inner.Name, inner.Go = f.Name+"."+inner.Name, f.Go+"."+inner.Go
			p.mapField(recv, path, &inner)
		}
		return
	case f.Type == catalog.List && hasFiles(f.Model):
		call = "body.MapItems(" + at + ", " + v + ", f, " + f.Model + ".mapFiles)"
	default:
		return
	}
	p.line("if %s, err = %s; err != nil {\nreturn %s, err\n}", v, call, fail)
}

func hasFiles(model string) bool {
	for _, f := range catalog.ModelOf(model).Fields {
		if f.IsFile() || f.Type == catalog.List && hasFiles(f.Model) {
			return true
		}
	}
	return false
}
