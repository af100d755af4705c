package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/internal/check"
)

func (p *printer) validate(r *request) {
	p.line("// Validate returns a *fal.ValidationError listing every problem, or nil.")
	p.line("func (r %s) Validate() error {", r.Name)
	p.line("var l check.List")
	if r.Preset != nil {
		p.line("l.Required(\"preset\", string(r.Preset))")
		var values []string
		for _, e := range r.endpoints {
			values = append(values, e.Preset.Value)
		}
		p.line("check.Enum(&l, \"preset\", r.Preset, %s)", quoted(values))
	}
	for _, f := range r.Fields {
		if needed := requiredBy(r, &f); len(needed) > 0 && len(needed) < len(r.endpoints) {
			p.line("if r.Preset == %s {", strings.Join(needed, " || r.Preset == "))
			p.check("r.", &f, r.Endpoint, true)
			p.line("}")
			continue
		}
		p.check("r.", &f, r.Endpoint, required(r, &f))
	}
	if r.Preset != nil {
		// Building the id costs an allocation, so only when it is needed.
		p.line("if l.Valid() {\nreturn nil\n}")
	}
	p.line("return l.Err(string(r.Endpoint()))")
	p.line("}\n")
}

// check prints the checks of one field. Recv is "r." or "v."; e is nil inside
// of a model.
func (p *printer) check(recv string, f *catalog.Field, e *catalog.Endpoint, required bool) {
	v := recv + f.Go
	switch f.Type {
	case catalog.String, catalog.Enum:
		p.checkText(v, f, required)
	case catalog.Integer, catalog.Number:
		if len(f.Enum) > 0 {
			p.line("l.OneOf(%q, %s, %s)", f.Name, v, strings.Join(f.Enum, ", "))
			return
		}
		p.checkNumber(v, f, required)
	case catalog.Seed:
		if f.Max != nil {
			p.line("l.Seed(%q, %s, %s)", f.Name, v, number(*f.Max))
		}
	case catalog.Size:
		p.checkSize(v, f, e)
	case catalog.File, catalog.Files:
		p.checkFiles(v, f, e, required)
	case catalog.Object:
		p.line("l.Object(%q, %s.check())", f.Name, v)
	case catalog.List:
		p.checkList(v, f, e, required)
	}
	if f.Name == "image_urls" && e.Limits.Mentions {
		p.line("refs.Check(&l, \"prompt\", r.Prompt, len(r.ImageURLs))")
	}
	if f.Name == "use_turbo" {
		steps, _ := e.Field("num_inference_steps")
		guidance, _ := e.Field("guidance_scale")
		p.line("if r.UseTurbo {\nl.NotWithTurbo(r.NumInferenceSteps, %v, r.GuidanceScale, %v)\n}", steps.Default, guidance.Default)
	}
}

func (p *printer) checkText(v string, f *catalog.Field, required bool) {
	text := v
	if f.Type == catalog.Enum && f.EnumType != "string" {
		text = "string(" + v + ")"
	}
	if f.Weights == "file" {
		p.line("l.WeightsOrFile(%q, %s, v.File)", f.Name, v)
		return
	}
	if required {
		p.line("l.Required(%q, %s)", f.Name, text)
	}
	switch f.Weights {
	case "path":
		p.line("l.Weights(%q, %s)", f.Name, v)
	case "method":
		p.line("l.MethodOrWeights(%q, %s)", f.Name, v)
	}
	if f.MaxLength > 0 {
		p.line("l.Length(%q, %s, %d, %d)", f.Name, v, f.MinLength, f.MaxLength)
	}
	if f.Type == catalog.Enum && !f.Open {
		p.line("check.Enum(&l, %q, %s, %s)", f.Name, v, quoted(f.Enum))
	}
}

func (p *printer) checkNumber(v string, f *catalog.Field, required bool) {
	if f.GoType != "" && f.Pointer {
		v = "(*float64)(" + v + ")"
	} else if f.GoType != "" {
		v = "float64(" + v + ")"
	}
	method := map[catalog.Type]string{catalog.Integer: "Int", catalog.Number: "Float"}[f.Type]
	if f.Pointer {
		method += "Ptr"
		if required {
			p.line("check.RequiredNumber(&l, %q, %s)", f.Name, v)
		}
	}
	switch {
	case f.Above != nil:
		p.line("l.Above(%q, %s, %s, %s)", f.Name, v, number(*f.Above), bound(f.Max, "math.MaxFloat64"))
	case f.PerLayer:
		p.line("l.Finite(%q, %s)", f.Name, v)
		p.line("l.Layers(%q, %s, v.LayerScales)", f.Name, v)
	case f.Min != nil || f.Max != nil:
		least, most := "math.MinInt", "math.MaxInt"
		if f.Type == catalog.Number {
			least, most = "-math.MaxFloat64", "math.MaxFloat64"
		}
		p.line("l.%s(%q, %s, %s, %s)", method, f.Name, v, bound(f.Min, least), bound(f.Max, most))
	case f.Type == catalog.Number && f.Pointer:
		p.line("l.Finite(%q, %s)", f.Name, v)
	}
	if f.MultipleOf != 0 {
		p.line("l.Multiple(%q, %s, %s)", f.Name, v, number(f.MultipleOf))
	}
}

func bound(b *float64, otherwise string) string {
	if b == nil {
		return otherwise
	}
	return number(*b)
}

func (p *printer) checkSize(v string, f *catalog.Field, e *catalog.Endpoint) {
	s := e.Limits.Size
	if s.PresetsOnly {
		p.line("check.Enum(&l, %q, %s, \"square\", \"square_hd\")", f.Name, v)
		return
	}
	var rule []string
	if f.Auto {
		rule = append(rule, "Auto: true")
	}
	if s.MaxSide > 0 {
		rule = append(rule, "MinSide: "+strconv.Itoa(s.MinSide), "MaxSide: "+strconv.Itoa(s.MaxSide))
	}
	if s.MaxArea > 0 {
		rule = append(rule, "MinArea: "+area(s.MinArea), "MaxArea: "+area(s.MaxArea))
	}
	p.line("l.Size(%q, %s, check.SizeRule{%s})", f.Name, v, strings.Join(rule, ", "))
}

func (p *printer) checkFiles(v string, f *catalog.Field, e *catalog.Endpoint, required bool) {
	var limit catalog.FileLimit
	if e != nil {
		limit = e.Limits.Files[f.Name]
	}
	files := v
	if f.Type == catalog.Files {
		files += "..."
		least := 0
		if required {
			least = max(1, limit.Min)
		}
		p.line("l.Files(%q, %s, %d, %d)", f.Name, v, least, limit.Max)
	} else if required {
		p.line("l.RequiredFile(%q, %s)", f.Name, v)
	} else {
		p.line("l.File(%q, %s)", f.Name, v)
	}
	if limit.DataURLOnly {
		p.line("l.DataURL(%q, %s)", f.Name, v)
	}
	var rule []string
	if limit.MinSide > 0 {
		rule = append(rule, "MinSide: "+strconv.Itoa(limit.MinSide))
	}
	if limit.MaxSide == check.MaxSide {
		rule = append(rule, "MaxSide: check.MaxSide")
	} else if limit.MaxSide > 0 {
		rule = append(rule, "MaxSide: "+strconv.Itoa(limit.MaxSide))
	}
	if limit.MaxPixels > 0 {
		rule = append(rule, "MaxArea: "+megapixels(limit.MaxPixels))
	}
	if limit.MaxTotalPixels > 0 {
		rule = append(rule, "MaxTotal: "+megapixels(limit.MaxTotalPixels))
	}
	if len(rule) > 0 {
		p.line("l.Pictures(%q, check.PictureRule{%s}, %s)", f.Name, strings.Join(rule, ", "), files)
	}
}

func (p *printer) checkList(v string, f *catalog.Field, e *catalog.Endpoint, required bool) {
	least, most := 0, 0
	if required {
		least = 1
	}
	if f.Name == "loras" && e != nil {
		most = e.Limits.LoRAs
	}
	if least > 0 || most > 0 {
		p.line("l.Count(%q, len(%s), %d, %d)", f.Name, v, least, most)
	}
	item := "v"
	if strings.HasPrefix(v, "v.") {
		item = "c"
	}
	p.line("for i, %s := range %s {\nl.Item(%q, i, %s.check())\n}", item, v, f.Name, item)
}

// doubts prints the statements that note what is doubtful but not refused.
func (p *printer) doubts(r *request) {
	if s := r.Limits.Size; s.WarnMinSide+s.WarnMaxSide+s.WarnMaxArea > 0 {
		var advice []string
		note := func(name, value string, given int) {
			if given > 0 {
				advice = append(advice, name+": "+value)
			}
		}
		note("MinSide", strconv.Itoa(s.WarnMinSide), s.WarnMinSide)
		note("MaxSide", strconv.Itoa(s.WarnMaxSide), s.WarnMaxSide)
		note("MaxArea", megapixels(s.WarnMaxArea), s.WarnMaxArea)
		p.line("l.AdviseSize(\"image_size\", r.ImageSize, check.SizeAdvice{%s})", strings.Join(advice, ", "))
	}
	if r.Limits.Prompt.Warn > 0 {
		p.line("l.AdviseLength(\"prompt\", r.Prompt, %d, %q)", r.Limits.Prompt.Warn, r.Limits.Prompt.WarnWhy)
	}
	for _, d := range r.Limits.Doubts {
		f, _ := r.Field(d.Field)
		if d.MultipleOf > 0 {
			p.line("l.AdviseMultiple(%q, r.%s, %d, %q)", d.Field, f.Go, d.MultipleOf, d.Why)
			continue
		}
		p.line("check.AdviseValue(&l, %q, r.%s, %q, %q)", d.Field, f.Go, d.Value, d.Why)
	}
	if r.Limits.Regions {
		p.line("l.AdviseRegions(r.Prompt, string(r.AspectRatio))")
	}
	if r.Limits.Alpha {
		p.line("l.AdviseAlpha(r.Prompt, r.OutputFormat)")
	}
	if n := r.Limits.NegativeAbove; n > 0 {
		p.line("l.AdviseNegative(r.NegativePrompt, r.GuidanceScale, %s)", number(n))
	}
	p.doubtCounts(r)
	if _, ok := r.Field("prompt"); ok {
		p.line("refs.Doubt(&l, \"prompt\", r.Prompt, len(u.Inputs))")
		if strings.HasPrefix(r.ID, "fal-ai/flux-2") { // these read exact colours
			p.line("colors.Advise(&l, \"prompt\", r.Prompt)")
		}
	}
	if r.Limits.Mentions {
		p.line("refs.Advise(&l, \"image_urls\", r.Prompt, len(r.ImageURLs))")
	}
}

// doubtCounts prints the doubts about numbers of pictures, by preset where they
// differ.
func (p *printer) doubtCounts(r *request) {
	type group struct {
		call    string
		presets []string
	}
	var groups []group
	for _, e := range r.endpoints {
		limit := e.Limits.Files["image_urls"]
		if limit.WarnWhy == "" {
			continue
		}
		call := "l.AdviseCount(\"image_urls\", len(r.ImageURLs), " + strconv.Itoa(limit.WarnMin) + ", " +
			strconv.Itoa(limit.WarnMax) + ", " + strconv.Quote(limit.WarnWhy) + ")"
		name := ""
		if e.Preset != nil {
			name = e.Preset.Go
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.call == call })
		if i < 0 {
			groups = append(groups, group{call: call})
			i = len(groups) - 1
		}
		groups[i].presets = append(groups[i].presets, name)
	}
	if len(groups) == 1 && len(groups[0].presets) == len(r.endpoints) {
		p.line("%s", groups[0].call)
		return
	}
	if len(groups) > 0 {
		p.line("switch r.Preset {")
		for _, g := range groups {
			p.line("case %s:\n%s", strings.Join(g.presets, ", "), g.call)
		}
		p.line("}")
	}
}
