package main

import (
	"strings"

	"github.com/falimage/falimage-go/internal/catalog"
)

// fills is how a field of a request is filled in from a routed task, by the
// name of the field. A %s is the package of the request's type.
var fills = map[string]string{
	"prompt":              "in.prompt",
	"additional_prompt":   "in.prompt",
	"negative_prompt":     "in.negative",
	"image_url":           "in.picture(0)",
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
	"upscale_factor":      "in.upscale",
	"horizontal_angle":    "in.angle.Direction",
	"vertical_angle":      "in.angle.Height",
	"zoom":                "in.angle.Distance",
	"rotate_right_left":   "in.rotation()",

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
}

// router prints the table of endpoints that package router chooses from.
func (p *printer) router(all []*catalog.Endpoint) {
	p.comment(0, "endpoints are all endpoints but the trainers, in the order of the catalogue.")
	p.line("var endpoints = []endpoint{")
	for _, e := range all {
		if e.Task != "train" {
			p.routed(e)
		}
	}
	p.line("}")
}

func (p *printer) routed(e *catalog.Endpoint) {
	p.line("{")
	p.line("id: %q, goName: %q, title: %q, family: %q, task: %q,", e.ID, e.Package+"."+e.Name, e.Title, e.Family, e.Task)
	what := e.For
	if e.Preset != nil {
		p.line("preset: %q,", e.Preset.Value)
		what = e.Preset.For
	}
	p.line("what: %q,", what)
	if e.Licence != "" {
		p.line("licence: %q,", e.Licence)
	}
	if e.OpenWeights {
		p.line("open: true,")
	}
	if e.Retired != "" {
		p.line("retired: true,")
	}
	var flags []string
	for _, h := range has {
		if f, ok := e.Field(h.field); ok && (f.Type != catalog.List || f.Model == "LoRA") {
			flags = append(flags, h.flag)
		}
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
		p.line("sizes: sizes{%d, %d, %d, %d},", s.MinSide, s.MaxSide, s.MinArea, s.MaxArea)
	}
	if n := e.Limits.LoRAs; n > 0 {
		p.line("maxLoRAs: %d,", n)
	}
	if least, most := pictureCount(e); least > 0 {
		p.line("pictures: [2]int{%d, %d},", least, most)
	}
	if fill := fill(e); fill != "" {
		p.line("compile: func(in *input) fal.Request[fal.Images] { return %s },", fill)
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
	for _, name := range []string{"image_url", "human_image_url", "garment_image_url"} {
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
		case f.Name == "vertical_angle" && f.Min != nil && *f.Min == -1:
			value = "in.tilt()"
		case !ok && f.Required:
			return "" // such as the control picture of a ControlNet
		case !ok:
			continue
		}
		fields = append(fields, f.Go+": "+strings.ReplaceAll(value, "%s", e.Package))
	}
	literal := e.Package + "." + e.Name + "{" + strings.Join(fields, ", ") + "}"
	if e.Output == "upscaled" {
		return "upscale{" + literal + "}"
	}
	return literal
}
