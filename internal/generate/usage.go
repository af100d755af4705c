package main

import (
	"fmt"
	"strings"

	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/internal/check"
)

// usage prints the method that says what the request will be charged for.
func (p *printer) usage(r *request) {
	fields := &printer{}
	after := &printer{}
	fields.line("Endpoint: string(r.Endpoint()),")
	fields.line("Outputs: %s,", outputs(r.Endpoint))
	if f, ok := r.Field("resolution"); ok && f.Type == catalog.Enum {
		fields.line("Resolution: string(cmp.Or(r.%s, %q)),", f.Go, f.Default)
	}
	usageSize(fields, after, r.Endpoint)
	usageInputs(fields, after, r.Endpoint)
	for _, name := range []string{"steps", "num_inference_steps"} {
		if f, ok := r.Field(name); ok {
			fields.line("Steps: %s,", orDefault(f))
		}
	}
	var weights, files []string
	for _, name := range []string{"loras", "control_loras"} {
		if f, ok := r.Field(name); ok {
			weights = append(weights, "len(r."+f.Go+")")
			files = append(files, "filesOf(r."+f.Go+")")
		}
	}
	if len(weights) > 0 {
		fields.line("LoRAs: %s,", strings.Join(weights, " + "))
		if len(files) > 1 {
			files = []string{"slices.Concat(" + strings.Join(files, ", ") + ")"}
		}
		fields.line("LoRABytes: check.Bytes(%s...),", files[0])
	}
	if f, ok := r.Field("upscale_factor"); ok {
		fields.line("Upscale: int(math.Round(%s * 1000)),", orDefault(f))
	}
	if _, ok := r.Field("use_turbo"); ok {
		after.line("if r.UseTurbo {\nu.Steps = 10\n}")
	}
	doubts := &printer{}
	if d := r.Doubt(); d != "" {
		doubts.line("l.Add(\"endpoint\", u.Endpoint, %q)", d)
	}
	doubts.doubts(r)
	if doubts.Len() > 0 {
		after.line("var l check.List\n%su.Doubts = l.Problems()", doubts.String())
		p.line("// Usage returns what the request will be charged for, and what is doubtful\n// about it but not refused.")
	} else {
		p.line("// Usage returns what the request will be charged for.")
	}
	p.line("func (r %s) Usage() fal.Usage {", r.Name)
	if after.Len() == 0 {
		p.line("return fal.Usage{\n%s}", fields.String())
	} else {
		p.line("u := fal.Usage{\n%s}\n%sreturn u", fields.String(), after.String())
	}
	p.line("}\n")
}

func outputs(e *catalog.Endpoint) string {
	for _, name := range []string{"num_images", "num_layers"} {
		if f, ok := e.Field(name); ok {
			return orDefault(f)
		}
	}
	return "1"
}

// orDefault is the field or, where it is left out, its default.
func orDefault(f *catalog.Field) string {
	switch d := f.Default.(type) {
	case float64:
		return fmt.Sprintf("cmp.Or(r.%s, %s)", f.Go, number(d))
	case string:
		if f.Type == catalog.Size {
			return fmt.Sprintf("cmp.Or(r.%s, %s)", f.Go, sizeConst(d))
		}
	}
	return "r." + f.Go
}

// usageSize prints how large the output is. What must follow the literal goes
// to after.
func usageSize(fields, after *printer, e *catalog.Endpoint) {
	out := e.Limits.Output
	reduced := e.Limits.Size.WarnMaxArea
	f, sized := e.Field("image_size")
	switch {
	case sized && e.Limits.Size.PresetsOnly:
		fields.line("Size: fal.SquareHD,")
		after.line("if r.ImageSize != fal.SquareHD {")
		after.line("u.Size = fal.Size(%d, %d) // square is larger here than elsewhere", e.Limits.Size.Square, e.Limits.Size.Square)
		after.line("}")
	case sized && f.Default == "auto":
		fields.line("Size: r.ImageSize,")
		after.line("if r.ImageSize == \"\" || r.ImageSize == fal.AutoSize {")
		after.line("u.Size, u.MinPixels, u.MaxPixels = \"\", %d, %s // the model decides, up to %d megapixels",
			out.MinPixels, strings.ReplaceAll(megapixels(out.MaxPixels), " ", ""), out.MaxPixels/check.Megapixel)
		after.line("}")
		if reduced > 0 {
			fields.line("MaxPixels: %s, // larger sizes are reduced", megapixels(reduced))
		}
		return
	case sized:
		fields.line("Size: %s,", orDefault(f))
		if reduced > 0 && f.Default != nil {
			fields.line("MaxPixels: %s, // larger sizes are reduced", megapixels(reduced))
		}
		if f.Default != nil {
			return // it is never zero
		}
	}
	if mode, ok := e.Field("resolution_mode"); ok {
		after.line("if r.%s == \"\" || r.%s == ResolutionMatchInput {\nu.MatchInput = 1\n}", mode.Go, mode.Go)
	} else if match := matchInput(e); match != "" {
		fields.line("MatchInput: %s,", match)
		if out.Assumed {
			fields.line("MatchAssumed: true,")
		}
		if _, ok := e.Field("expand_left"); ok {
			fields.line("Wider: r.ExpandLeft + r.ExpandRight,")
			fields.line("Higher: r.ExpandTop + r.ExpandBottom,")
		}
	}
	if out.MinPixels > 0 {
		fields.line("MinPixels: %s,", area(out.MinPixels))
	}
	if out.MaxPixels > 0 {
		fields.line("MaxPixels: %s,", area(out.MaxPixels))
	}
}

// matchInput is the number of the picture whose size the output takes.
func matchInput(e *catalog.Endpoint) string {
	_, many := e.Field("image_urls")
	switch {
	case e.Limits.Output.Match == "last" && many:
		return "len(r.ImageURLs)"
	case e.Limits.Output.Match != "":
		return "1"
	}
	return ""
}

// usageInputs prints the pictures that are sent along.
func usageInputs(fields, after *printer, e *catalog.Endpoint) {
	var single []string
	for _, f := range e.Fields {
		switch {
		case f.Type == catalog.Files:
			fields.line("Inputs: r.%s,", f.Go)
		case isPicture(&f):
			single = append(single, "r."+f.Go)
		case f.Type == catalog.List && hasPictures(f.Model):
			after.line("for _, v := range r.%s {\nu.Inputs = append(u.Inputs, v.pictures()...)\n}", f.Go)
		case f.Type == catalog.Object && hasPictures(f.Model):
			after.line("u.Inputs = append(u.Inputs, r.%s.pictures()...)", f.Go)
		}
	}
	if len(single) > 0 {
		fields.line("Inputs: check.Given(%s),", strings.Join(single, ", "))
	}
}

// isPicture reports whether a field holds a picture, not an archive, weights
// or a configuration.
func isPicture(f *catalog.Field) bool {
	return f.IsFile() && (strings.Contains(f.Name, "image_url") || f.Name == "mask_url")
}

func hasPictures(model string) bool {
	for _, f := range catalog.ModelOf(model).Fields {
		if isPicture(&f) || f.Type == catalog.List && hasPictures(f.Model) {
			return true
		}
	}
	return false
}
