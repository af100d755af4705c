package catalog

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/fal/schema"
)

//go:embed data
var files embed.FS

// The files of data. Field definitions stand once in fields.json; an endpoint
// lists the names of its fields with what is special to it.
type (
	fieldsFile struct {
		Fields []Field
		Enums  []EnumDef
		Models []Model
	}
	endpointsFile struct {
		AsOf      string
		Status    schema.Status // of the endpoints that have none of their own
		Endpoints []endpointJSON
	}
	endpointJSON struct {
		ID, Name, File, Family, Task, Title, For, Verb, Notes, Licence, Price string
		OpenWeights, HostedOnly                                               bool
		Aliases                                                               []string
		PresetType                                                            string
		Presets                                                               []presetJSON
		Status                                                                *schema.Status
		AliasStatus                                                           map[string]schema.Status
		Fields                                                                []Field
		Output                                                                string
		Returns                                                               []OutputField
		Limits                                                                Limits
		Sources                                                               []string
	}
	presetJSON struct {
		Value, Go, For string
		Aliases        []string
		Fields         []Field // instead of those of the same name
		Limits         *Limits // its Files stand instead of those of the type
	}
)

type loaded struct {
	all       []*Endpoint
	byID      map[string]*Endpoint
	models    map[string]*Model
	modelList []*Model
	enums     []EnumDef
	fields    []Field // as fields.json defines them
	order     []string
}

// A sync.OnceValue would be shorter, but its initialisation would keep the
// data in every program that imports package flux.
var (
	once   sync.Once
	parsed *loaded
)

// data parses the files once. They are part of the program and tested, so a
// mistake in them is not a condition that a caller could handle.
func data() *loaded {
	once.Do(func() {
		var err error
		if parsed, err = load(files); err != nil {
			panic("catalog: the embedded data is broken: " + err.Error())
		}
	})
	return parsed
}

// packages have a file of endpoints each.
var packages = []string{"flux", "qwen"}

func load(dir fs.FS) (*loaded, error) {
	var defs fieldsFile
	if err := read(dir, "data/fields.json", &defs); err != nil {
		return nil, err
	}
	l := &loaded{byID: map[string]*Endpoint{}, models: map[string]*Model{}, enums: defs.Enums, fields: defs.Fields}
	table := map[string][]Field{}
	for _, f := range defs.Fields {
		if table[f.Name] == nil {
			l.order = append(l.order, f.Name)
		}
		table[f.Name] = append(table[f.Name], f)
	}
	for _, m := range defs.Models {
		model := &m
		l.models[m.Name] = model
		l.modelList = append(l.modelList, model)
	}
	for _, pkg := range packages {
		var file endpointsFile
		if err := read(dir, "data/"+pkg+".json", &file); err != nil {
			return nil, err
		}
		for i := range file.Endpoints {
			if err := l.add(pkg, &file, &file.Endpoints[i], table); err != nil {
				return nil, fmt.Errorf("%s: %w", file.Endpoints[i].ID, err)
			}
		}
	}
	return l, nil
}

func read(dir fs.FS, name string, v any) error {
	b, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// add expands an entry into the endpoints it stands for.
func (l *loaded) add(pkg string, file *endpointsFile, j *endpointJSON, table map[string][]Field) error {
	base := Endpoint{
		ID: j.ID, Name: j.Name, Package: pkg, File: j.File, Family: j.Family, Task: j.Task,
		Title: j.Title, For: j.For, Verb: j.Verb, Notes: j.Notes, Licence: j.Licence, Price: j.Price,
		OpenWeights: j.OpenWeights, HostedOnly: j.HostedOnly, Aliases: j.Aliases,
		PresetType: j.PresetType, Output: j.Output, OutputFields: j.Returns, Limits: j.Limits,
		Status: *cmp.Or(j.Status, &file.Status), AliasStatus: j.AliasStatus, AsOf: file.AsOf, Sources: j.Sources,
	}
	for _, f := range j.Fields {
		field, err := merge(f, table)
		if err != nil {
			return err
		}
		base.Fields = append(base.Fields, field)
	}
	if len(j.Presets) == 0 {
		return l.register(&base)
	}
	for _, p := range j.Presets {
		e := base
		e.ID = strings.Replace(j.ID, PresetMark, p.Value, 1)
		e.Preset = &Preset{Value: p.Value, Go: p.Go, For: p.For, Pattern: j.ID}
		e.Aliases = p.Aliases
		e.Fields = slices.Clone(base.Fields)
		for _, f := range p.Fields {
			i := slices.IndexFunc(e.Fields, func(g Field) bool { return g.Name == f.Name })
			if i < 0 {
				return fmt.Errorf("preset %s: no field %s to replace", p.Value, f.Name)
			}
			field, err := merge(f, table)
			if err != nil {
				return err
			}
			e.Fields[i] = field
		}
		if p.Limits != nil {
			e.Limits.Files = p.Limits.Files
		}
		if err := l.register(&e); err != nil {
			return err
		}
	}
	return nil
}

// merge completes what an endpoint says about a field with what is true of it
// everywhere. A field that holds different things in different endpoints is in
// fields.json once for each type; an endpoint names its type if it is not that
// of the first. What the definition alone decides, an endpoint cannot change.
func merge(special Field, table map[string][]Field) (Field, error) {
	defs := table[special.Name]
	if len(defs) == 0 {
		return Field{}, fmt.Errorf("field %s is not in fields.json", special.Name)
	}
	i := 0
	if special.Type != "" {
		i = slices.IndexFunc(defs, func(f Field) bool { return f.Type == special.Type })
	}
	if i < 0 {
		return Field{}, fmt.Errorf("field %s: fields.json has none of type %s: define it there", special.Name, special.Type)
	}
	if special.Go != "" || special.EnumType != "" || special.Pointer || special.WhenNull != "" {
		return Field{}, fmt.Errorf("field %s: go, enumType, pointer and whenNull are those of fields.json and cannot be changed for one endpoint", special.Name)
	}
	def, f := defs[i], special
	f.Go, f.Type, f.EnumType, f.Pointer, f.WhenNull = def.Go, def.Type, def.EnumType, def.Pointer, def.WhenNull
	if f.GoType == "" {
		f.GoType = def.GoType
	}
	if f.Model == "" {
		f.Model = def.Model
	}
	if f.Doc == "" {
		f.Doc = def.Doc
	}
	return f, nil
}

func (l *loaded) register(e *Endpoint) error {
	l.all = append(l.all, e)
	for _, id := range append([]string{e.ID}, e.Aliases...) {
		if l.byID[id] != nil {
			return fmt.Errorf("id %s stands twice", id)
		}
		l.byID[id] = e
	}
	return nil
}
