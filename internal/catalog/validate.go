package catalog

import (
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal/schema"
)

// Validate holds the catalogue to every rule that the generator, package
// faltest and the tools rely on, and returns all that is wrong with it, each with
// the id and the field, or nil.
func Validate() error { return ValidateFS(files) }

// ValidateFS is [Validate] for the files of a catalogue elsewhere: fields.json,
// flux.json and qwen.json in its folder data.
func ValidateFS(dir fs.FS) error {
	l, err := load(dir)
	if err != nil {
		return err
	}
	v := &validator{loaded: l, names: map[string]*Endpoint{}, pointers: map[pointerKey]*pointerRule{}}
	v.enums()
	for _, m := range l.modelList {
		for i := range m.Fields {
			for _, pkg := range m.Packages {
				v.field(m.Name, pkg, &m.Fields[i])
			}
		}
	}
	for _, e := range l.all {
		v.endpoint(e)
	}
	for _, f := range l.fields {
		used := slices.ContainsFunc(l.all, func(e *Endpoint) bool { g, ok := e.Field(f.Name); return ok && g.Type == f.Type })
		v.refuse(!used, "fields.json: "+f.Name, "no endpoint has a field of type %s with this name", f.Type)
	}
	for _, key := range slices.SortedFunc(maps.Keys(v.pointers), func(a, b pointerKey) int { return strings.Compare(a.name, b.name) }) {
		v.pointers[key].check(v, key.name)
	}
	return errors.Join(v.problems...)
}

// What the catalogue may say, as far as a list holds it.
var (
	outputs     = []string{"images", "layers", "training", "upscaled", "frames"}
	prices      = []string{"", "$", "$$", "$$$", "step", "second"}
	confidences = []string{"high", "medium", "low"}
	// returned are the fields of results, each with the models that it may have.
	returned = map[string][]string{
		"images": {"Image", "ImageFile", "File", "Frame"}, "image": {"Image", "ImageFile", "File"},
		"seed": {""}, "prompt": {""}, "caption": {""}, "timings": {""}, "has_nsfw_concepts": {""},
		"diffusers_lora_file": {"File"}, "lora_file": {"File"}, "config_file": {"File"}, "debug_preprocessed_output": {"File"},
	}
	placeholder  = regexp.MustCompile(`\{[a-z]*\}`)
	placeholders = []string{"{range}", "{max}", "{multiple}", "{length}", "{enum}", "{least}", "{most}", "{count}", "{size}", "{aim}"}
	fileName     = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
)

type validator struct {
	*loaded
	problems []error
	names    map[string]*Endpoint // by package and name
	pointers map[pointerKey]*pointerRule
}

func (v *validator) refuse(wrong bool, where, format string, args ...any) {
	if wrong {
		v.problems = append(v.problems, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
	}
}

func (v *validator) oneOf(where, what, value string, allowed []string) {
	v.refuse(!slices.Contains(allowed, value), where, "%s %q must be one of %q", what, value, allowed)
}

func exported(name string) bool { return token.IsIdentifier(name) && token.IsExported(name) }

// enums checks the Go types of enums.
func (v *validator) enums() {
	for _, pkg := range packages {
		constants := map[string]string{}
		for _, e := range v.loaded.enums {
			if !slices.Contains(e.Packages, pkg) {
				continue
			}
			v.refuse(!exported(e.Name) || e.Doc == "" || e.ConstsDoc == "" || len(e.Values) == 0, e.Name, "an enum needs a name, doc, constsDoc and values")
			for _, value := range e.Values {
				v.refuse(!exported(value[1]), e.Name, "the constant %q of %q is no exported name", value[1], value[0])
				v.refuse(constants[value[1]] != "", e.Name, "the constant %s stands in %s too", value[1], constants[value[1]])
				constants[value[1]] = e.Name
			}
		}
	}
}

// constants returns the values of a Go type of enums in a package, and whether
// there is such a type.
func (v *validator) constants(pkg, name string) (values []string, ok bool) {
	for _, e := range v.loaded.enums {
		if e.Name == name && slices.Contains(e.Packages, pkg) {
			for _, value := range e.Values {
				values = append(values, value[0])
			}
			return values, true
		}
	}
	return nil, false
}

func (v *validator) endpoint(e *Endpoint) {
	for what, text := range map[string]string{"family": e.Family, "title": e.Title, "for": e.For, "asOf": e.AsOf} {
		v.refuse(text == "", e.ID, "%s is missing", what)
	}
	v.refuse(!exported(e.Name), e.ID, "name %q is no exported Go name: pick one by hand", e.Name)
	v.refuse(!fileName.MatchString(e.File), e.ID, "file %q must be small letters and digits", e.File)
	v.refuse(len(e.Sources) == 0, e.ID, "sources are missing")
	verb, known := tasks[e.Task]
	v.refuse(!known, e.ID, "task %q must be one of %q", e.Task, slices.Sorted(maps.Keys(tasks)))
	v.refuse(known && verb == "" && e.Verb == "", e.ID, "verb is missing: the task %s does not say what the type does", e.Task)
	v.oneOf(e.ID, "output", e.Output, outputs)
	v.oneOf(e.ID, "price", e.Price, prices)
	v.refuse((e.Preset != nil) != (e.PresetType != ""), e.ID, "presetType and presets go together")
	same := v.names[e.Package+"."+e.Name]
	v.refuse(same != nil && (e.Preset == nil || same.Preset == nil || same.Preset.Pattern != e.Preset.Pattern), e.ID, "the name %s.%s stands twice", e.Package, e.Name)
	v.names[e.Package+"."+e.Name] = e
	v.status(e, e.ID, e.Status)
	for id, s := range e.AliasStatus {
		v.refuse(!slices.Contains(e.Aliases, id), e.ID, "aliasStatus: %s is no alias", id)
		v.status(e, id, s)
	}
	last := -1
	for i := range e.Fields {
		f := &e.Fields[i]
		at := slices.Index(v.order, f.Name)
		v.refuse(at == last, e.ID, "field %s stands twice", f.Name)
		v.refuse(at < last, e.ID, "field %s is out of the order of fields.json", f.Name)
		last = at
		v.field(e.ID, e.Package, f)
		v.refuse(f.Name == "num_images" && f.Max == nil, e.ID, "num_images needs a max")
	}
	v.refuse(len(e.OutputFields) == 0, e.ID, "returns is missing")
	for _, f := range e.OutputFields {
		models, known := returned[f.Name]
		v.refuse(!known, e.ID, "returns %q, which no result has: add it to package fal and to the rules", f.Name)
		v.refuse(known && !slices.Contains(models, f.Model), e.ID, "returns %s of model %q, want one of %q", f.Name, f.Model, models)
	}
	v.limits(e)
}

func (v *validator) status(e *Endpoint, id string, s schema.Status) {
	v.oneOf(id, "status.state", string(s.State), []string{string(schema.Live), string(schema.Delisted), string(schema.Withdrawn)})
	v.oneOf(id, "status.confidence", s.Confidence, confidences)
	v.refuse(len(s.Sources) == 0, id, "status.sources is missing")
	v.refuse(s.State != schema.Live && s.Since == "", id, "status.since is missing")
	if s.Successor != "" {
		next := v.byID[s.Successor]
		v.refuse(next == nil || next.Package != e.Package || next.Status.State != schema.Live, id, "status.successor %q is no live endpoint of package %s", s.Successor, e.Package)
	}
}

// field checks a field of an endpoint or of a model.
func (v *validator) field(where, pkg string, f *Field) {
	where += ": field " + f.Name
	number := f.Type == Integer || f.Type == Number
	v.refuse(!exported(f.Go) || f.Doc == "", where, "go and doc are missing, or go is no exported name")
	for _, p := range placeholder.FindAllString(f.Doc, -1) {
		v.oneOf(where, "placeholder", p, placeholders)
	}
	switch f.Type {
	case String, Integer, Number, Boolean, Seed, Size, File, Files, Object, List:
		v.refuse(f.EnumType != "", where, "enumType is for enums")
	case Enum:
		v.enumField(where, pkg, f)
	default:
		v.refuse(true, where, "type %q is none of catalog.Type", f.Type)
	}
	// What the generator has no code for is refused, lest it be dropped.
	for _, only := range []struct {
		given bool
		what  string
		ok    bool
	}{
		{f.Min != nil || f.Above != nil, "min and above", number},
		{f.Max != nil, "max", number || f.Type == Seed},
		{f.MultipleOf != 0, "multipleOf", f.Type == Integer && f.MultipleOf == math.Trunc(f.MultipleOf) && f.MultipleOf > 0 && !f.Pointer},
		{f.MinLength != 0, "minLength", f.Type == String || f.Type == File},
		{f.MaxLength != 0, "maxLength", f.Type == String},
		{f.MinItems != 0 || f.MaxItems != 0, "minItems and maxItems", f.Type == Files || f.Type == List},
		{len(f.Enum) > 0, "enum", f.Type == Enum || f.Type == Integer && !f.Pointer},
		{f.Open, "open", f.Type == Enum},
		{f.Auto, "auto", f.Type == Size},
		{f.PerLayer, "perLayer", f.Type == Number && f.Pointer},
		{f.Weights != "", "weights", f.Type == String && slices.Contains([]string{"path", "file", "method"}, f.Weights)},
		{f.OneOrMany, "oneOrMany", f.Type == Files},
		{f.GoType != "", "goType", f.Type == Number},
		{f.Model != "", "model", f.Type == Object || f.Type == List},
		{f.Required && f.Default != nil, "default", false},
		{f.Above != nil && f.Min != nil, "min beside above", false},
	} {
		v.refuse(only.given && !only.ok, where, "%s cannot be expressed for a field of type %s", only.what, f.Type)
	}
	if f.Type == Object || f.Type == List {
		m := v.models[f.Model]
		v.refuse(m == nil || !slices.Contains(m.Packages, pkg), where, "model %q is none of package %s", f.Model, pkg)
	}
	v.refuse(strings.HasSuffix(f.Name, "image_url") && f.Type != File && f.Type != Files, where, "must be a file")
	v.bounds(where, f)
	v.pointer(f)
}

// enumField checks the values and the Go type of an enum.
func (v *validator) enumField(where, pkg string, f *Field) {
	v.refuse(len(f.Enum) == 0, where, "enum has no values")
	switch f.EnumType {
	case "":
		v.refuse(true, where, "enumType is missing")
	case "string":
	case "fal.OutputFormat":
		for _, value := range f.Enum {
			v.oneOf(where, "value", value, []string{"jpeg", "png", "webp"})
		}
	default:
		values, ok := v.constants(pkg, f.EnumType)
		v.refuse(!ok, where, "enumType %s is none of package %s", f.EnumType, pkg)
		for _, value := range f.Enum {
			v.refuse(ok && !slices.Contains(values, value), where, "value %q has no constant of type %s", value, f.EnumType)
		}
	}
}

// bounds checks ranges and defaults.
func (v *validator) bounds(where string, f *Field) {
	v.refuse(f.Min != nil && f.Max != nil && *f.Min > *f.Max, where, "min is more than max")
	if f.Type == Integer {
		for _, value := range f.Enum {
			_, err := strconv.Atoi(value)
			v.refuse(err != nil, where, "enum value %q is no whole number", value)
		}
	}
	fits := f.Default == nil
	switch d := f.Default.(type) {
	case string:
		switch f.Type {
		case String, File:
			fits = true
		case Enum:
			fits = slices.Contains(f.Enum, d)
		case Size:
			fits = presetSizes[d] != "" || d == "auto" && f.Auto
		}
	case float64:
		fits = f.Type == Number || (f.Type == Integer || f.Type == Seed) && d == math.Trunc(d)
		fits = fits && (f.Min == nil || d >= *f.Min) && (f.Max == nil || d <= *f.Max) && (f.Above == nil || d > *f.Above) &&
			(f.MultipleOf == 0 || math.Mod(d, f.MultipleOf) == 0) && (len(f.Enum) == 0 || slices.Contains(f.Enum, number(d)))
	case bool:
		fits = f.Type == Boolean
	}
	v.refuse(!fits, where, "default %v does not fit type, range or values", f.Default)
}

func (v *validator) limits(e *Endpoint) {
	l := &e.Limits
	has := func(name string) bool { _, ok := e.Field(name); return ok }
	for name, limit := range l.Files {
		f, ok := e.Field(name)
		v.refuse(!ok || !f.IsFile(), e.ID, "limits.files: %s is no file of it", name)
		v.refuse(limit.WarnMin+limit.WarnMax > 0 && (limit.WarnWhy == "" || name != "image_urls"), e.ID, "limits.files: %s: warnMin and warnMax are for image_urls, and need warnWhy", name)
		v.refuse(limit.Max > 0 && limit.Min > limit.Max, e.ID, "limits.files: %s: min is more than max", name)
	}
	if has("use_turbo") {
		for _, name := range []string{"num_inference_steps", "guidance_scale"} {
			f, ok := e.Field(name)
			v.refuse(!ok || f.Default == nil, e.ID, "use_turbo needs the field %s with a default", name)
		}
	}
	for _, only := range []struct {
		given  bool
		what   string
		fields []string
	}{
		{l.LoRAs > 0, "loras", []string{"loras"}},
		{l.Size != SizeLimit{}, "size", []string{"image_size"}},
		{l.Mentions, "mentions", []string{"prompt", "image_urls"}},
		{l.Regions, "regions", []string{"prompt", "aspect_ratio"}},
		{l.Alpha, "alpha", []string{"prompt", "output_format"}},
		{l.Prompt.Warn > 0, "prompt", []string{"prompt"}},
		{l.NegativeAbove > 0, "negativeAbove", []string{"negative_prompt", "guidance_scale"}},
	} {
		for _, name := range only.fields {
			v.refuse(only.given && !has(name), e.ID, "limits.%s needs the field %s", only.what, name)
		}
	}
	v.refuse(l.Prompt.Warn > 0 && l.Prompt.WarnWhy == "", e.ID, "limits.prompt needs warnWhy")
	v.refuse(l.Size.PresetsOnly && l.Size.Square == 0, e.ID, "limits.size: presetsOnly needs square")
	v.refuse(!slices.Contains([]string{"", "first", "last"}, l.Output.Match), e.ID, "limits.output.match %q must be first or last", l.Output.Match)
	v.refuse(l.Output.Match != "" && !slices.ContainsFunc(e.Fields, func(f Field) bool { return f.IsFile() }), e.ID, "limits.output.match needs a picture")
	if f, ok := e.Field("guidance_scale"); ok && l.NegativeAbove > 0 {
		d, isNumber := f.Default.(float64)
		v.refuse(!isNumber || d > l.NegativeAbove, e.ID, "limits.negativeAbove: the default of guidance_scale must not be above it")
	}
	for _, d := range l.Doubts {
		f, ok := e.Field(d.Field)
		value := ok && f.Type == Enum && slices.Contains(f.Enum, d.Value) && d.MultipleOf == 0
		multiple := ok && f.Type == Integer && !f.Pointer && d.Value == "" && d.MultipleOf > 0
		v.refuse(!value && !multiple || d.Why == "", e.ID, "limits.doubts: %q of %q: a value of an enum or a multiple of a number, and why", d.Value, d.Field)
	}
}

// pointerKey is a name of fields: one may be a number here and another thing
// there.
type pointerKey struct {
	name   string
	number bool
}

// pointerRule is what is known of the fields of one name: a number or truth is a
// pointer where zero is accepted somewhere and differs from leaving it out,
// decided for the name over the whole catalogue; seeds always. Text is never a
// pointer: an empty text means none.
type pointerRule struct{ is, isNot, must bool }

func (v *validator) pointer(f *Field) {
	scalar := f.Type == Integer || f.Type == Number || f.Type == Boolean
	key := pointerKey{f.Name, scalar}
	rule := v.pointers[key]
	if rule == nil {
		rule = &pointerRule{}
		v.pointers[key] = rule
	}
	rule.is, rule.isNot = rule.is || f.Pointer, rule.isNot || !f.Pointer
	rule.must = rule.must || f.Type == Seed || scalar && f.zeroAccepted() && f.Default != 0.0 && f.Default != false
}

func (p *pointerRule) check(v *validator, name string) {
	where := "fields.json: " + name
	v.refuse(p.is && p.isNot, where, "is a pointer here and not there")
	v.refuse(p.must && p.isNot, where, "must be a pointer: zero is accepted somewhere and differs from leaving it out")
	v.refuse(!p.must && p.is, where, "must be no pointer: zero is accepted nowhere, or the same as leaving it out")
}

func (f *Field) zeroAccepted() bool {
	return len(f.Enum) == 0 && !(f.Min != nil && *f.Min > 0) && !(f.Max != nil && *f.Max < 0) && !(f.Above != nil && *f.Above >= 0)
}
