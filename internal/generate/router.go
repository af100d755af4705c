package main

import (
	"fmt"
	"strings"

	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/catalog"
)

// fills is how a field of a request is filled in from a routed task, by the
// name of the field. A %s is the package of the request's type.
var fills = map[string]string{
	"prompt":              "in.prompt",
	"additional_prompt":   "in.prompt",
	"negative_prompt":     "in.negative",
	"image_url":           "in.picture(0)",
	"reference_image_url": "in.last()",

	"control_lora_image_url": "in.last()",

	"human_image_url":     "in.picture(0)",
	"garment_image_url":   "in.picture(1)",
	"image_urls":          "in.pictures",
	"mask_url":            "in.mask",
	"image_size":          "in.size",
	"aspect_ratio":        "%s.AspectRatio(in.aspect)",
	"resolution_mode":     "%s.ResolutionMode(in.aspect)",
	"num_images":          "in.count",
	"num_layers":          "in.layers",
	"seed":                "in.seed",
	"num_inference_steps": "in.steps",
	"guidance_scale":      "in.guidance",
	"acceleration":        "%s.Acceleration(in.acceleration)",
	"use_turbo":           "in.turbo",
	"output_format":       "in.format",
	"resolution":          "in.resolution",
	"prompt_expander":     "in.expander",
	"upscale_factor":      "in.upscale",
	"strength":            "in.strength",
	"expand_left":         "in.left",
	"expand_right":        "in.right",
	"expand_top":          "in.top",
	"expand_bottom":       "in.bottom",
	"horizontal_angle":    "in.angle.Direction",
	"vertical_angle":      "in.angle.Height",
	"zoom":                "in.angle.Distance",
	"rotate_right_left":   "in.turn()",

	"enable_prompt_expansion": "in.expansion",
}

// has names the fields whose presence decides what a task loses.
var has = []struct{ field, flag string }{
	{"negative_prompt", "hasNegative"},
	{"image_size", "hasSize"},
	{"seed", "hasSeed"},
	{"num_inference_steps", "hasSteps"},
	{"guidance_scale", "hasGuidance"},
	{"loras", "hasLoRAs"},
	{"use_turbo", "hasTurbo"},
	{"enable_prompt_expansion", "hasExpansion"},
	{"prompt_expander", "hasExpansion"},
	{"resolution", "hasResolution"},
	{"strength", "hasStrength"},
}

// routerFiles returns the models that package router chooses from, a file for
// each family, and the list of them all.
func routerFiles(all []*catalog.Endpoint) (map[string][]byte, error) {
	var families []string
	byFamily := map[string]*printer{}
	for _, e := range all {
		if e.Task == "train" {
			continue
		}
		if byFamily[e.Family] == nil {
			families = append(families, e.Family)
			byFamily[e.Family] = &printer{}
			byFamily[e.Family].line("var %s = []model{", familyVar(e.Family))
		}
		byFamily[e.Family].routed(e)
	}
	list := &printer{}
	list.comment(0, "models are all models but the trainers, by family, in the order of the catalogue.")
	list.line("var models = slices.Concat(")
	for _, f := range families {
		byFamily[f].line("}")
		list.line("%s,", familyVar(f))
	}
	list.line(")")
	out := map[string][]byte{}
	var err error
	if out["router/models_all.go"], err = list.source("router"); err != nil {
		return nil, err
	}
	for _, f := range families {
		name := "router/models_" + strings.ReplaceAll(familySlug(f), " ", "_") + ".go"
		if out[name], err = byFamily[f].source("router"); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return out, nil
}

// familySlug is the name of a family in small letters and digits: "qwen image
// 20" of "Qwen Image 2.0".
func familySlug(family string) string { return strings.ToLower(strings.ReplaceAll(family, ".", "")) }

// familyVar is the variable with the models of a family: qwenImage20.
func familyVar(family string) string {
	words := strings.Fields(familySlug(family))
	for i, w := range words[1:] {
		words[1+i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

func (p *printer) routed(e *catalog.Endpoint) {
	p.line("{")
	p.line("Model: Model{")
	p.line("Name: %q,", e.Package+"."+e.Name)
	p.line("Endpoint: %q,", e.ID)
	p.line("Title: %q,", e.Title)
	p.line("Family: %q,", e.Family)
	what := e.For
	if e.Preset != nil {
		what = e.Preset.For
	}
	p.line("What: %q,", what)
	if e.Licence != "" {
		p.line("Licence: %q,", e.Licence)
	}
	p.line("},")
	p.line("task: %q,", e.Task)
	if e.Preset != nil {
		p.line("preset: %q,", e.Preset.Value)
	}
	if e.OpenWeights {
		p.line("open: true,")
	}
	if e.Status.State != schema.Live {
		p.line("state: %q,", e.Status.State)
	}
	if d := e.Doubt(); d != "" {
		p.line("doubt: %q,", d)
	}
	var flags []string
	for _, h := range has {
		if f, ok := e.Field(h.field); ok && (f.Type != catalog.List || f.Model == "LoRA") {
			flags = append(flags, h.flag)
		}
	}
	if e.Limits.Alpha {
		flags = append(flags, "hasAlpha")
	}
	if e.Limits.Mentions {
		flags = append(flags, "hasMentions")
	}
	if len(flags) > 0 {
		p.line("has: %s,", strings.Join(flags, " | "))
	}
	if f, ok := e.Field("output_format"); ok {
		p.line("formats: []fal.OutputFormat{%s},", quoted(f.Enum))
	}
	if f, ok := e.Field("acceleration"); ok {
		p.line("accelerations: []string{%s},", quoted(f.Enum))
	}
	for _, name := range []string{"aspect_ratio", "resolution_mode"} {
		if f, ok := e.Field(name); ok {
			p.line("aspects: []string{%s},", quoted(ratios(f.Enum)))
		}
	}
	if f, ok := e.Field("num_images"); ok {
		p.line("maxCount: %d,", int(*f.Max))
	}
	if s := e.Limits.Size; s.MinSide+s.MaxSide+s.MinArea+s.MaxArea > 0 {
		p.line("sizes: sizes{minSide: %d, maxSide: %d, minArea: %d, maxArea: %d},", s.MinSide, s.MaxSide, s.MinArea, s.MaxArea)
	}
	if n := e.Limits.Size.WarnMaxArea; n > 0 {
		p.line("reduced: %d,", n)
	}
	if n := e.Limits.LoRAs; n > 0 {
		p.line("maxLoRAs: %d,", n)
	}
	if least, most := pictureCount(e); least > 0 {
		p.line("pictures: [2]int{%d, %d},", least, most)
	}
	if fill := fill(e); fill != "" {
		p.line("request: func(in *input) fal.Request[fal.Images] {\nreturn %s\n},", fill)
	}
	p.line("},")
}

// ratios are the values that are aspect ratios.
func ratios(values []string) []string {
	var out []string
	for _, v := range values {
		if strings.Contains(v, ":") {
			out = append(out, v)
		}
	}
	return out
}

// pictureCount is how many pictures must and may be sent; 0 as the most is
// any number. Masks and the pictures of image prompts are not counted.
func pictureCount(e *catalog.Endpoint) (least, most int) {
	for _, name := range []string{"image_url", "human_image_url", "garment_image_url", "reference_image_url", "control_lora_image_url"} {
		if f, ok := e.Field(name); ok && f.Required {
			least, most = least+1, most+1
		}
	}
	if f, ok := e.Field("image_urls"); ok {
		limit := e.Limits.Files["image_urls"]
		least, most = max(limit.Min, f.MinItems, 1), limit.Max
		if most == 0 {
			most = limit.WarnMax
		}
	}
	return least, most
}

// fill is the literal of a request that is filled in from the input, or ""
// where a request needs what no task has.
func fill(e *catalog.Endpoint) string {
	if e.Task == "realtime" {
		return ""
	}
	var fields []string
	if e.Preset != nil {
		fields = append(fields, "Preset: "+e.Package+"."+e.Preset.Go)
	}
	for _, f := range e.Fields {
		value, ok := fills[f.Name]
		switch {
		case f.Name == "loras" && f.Model != "LoRA":
			continue // these have more to them
		case f.Name == "loras":
			value = "in." + e.Package + "LoRAs()"
		case f.GoType == "Tilt":
			value = "in.angle.Height.Tilt()"
		case f.GoType != "" && e.Package == "flux" && f.Pointer:
			value = "(*flux." + f.GoType + ")(" + value + ")" // the task has those of qwen
		case f.GoType != "" && e.Package == "flux":
			value = "flux." + f.GoType + "(" + value + ")"
		case f.Name == "image_url" && e.Task == "control" && !f.Required:
			continue // the only picture is the control picture
		case !ok && f.Required:
			return "" // such as the control picture of a ControlNet
		case !ok:
			continue
		}
		fields = append(fields, f.Go+": "+strings.ReplaceAll(value, "%s", e.Package))
	}
	open := "{\n"
	if e.Deprecated() != "" {
		open = "{ //nolint:staticcheck // tasks may name it\n"
	}
	literal := e.Package + "." + e.Name + open + strings.Join(fields, ",\n") + ",\n}"
	if e.Output == "upscaled" {
		return "upscale{" + literal + "}"
	}
	return literal
}
