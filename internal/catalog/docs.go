package catalog

import (
	"strconv"
	"strings"
)

// Sentence returns what there is to say about field f of endpoint e: what it
// is, what it takes, and what happens if it is left out. It begins with the
// name of the Go field. E is nil for the fields of a [Model].
func (f *Field) Sentence(e *Endpoint) string {
	text := f.Go + " " + f.describe(e)
	if f.Unconfirmed {
		text += " Unconfirmed: fal's page names the ability, not the field."
	}
	if f.Required {
		return text + " Required."
	}
	if d := f.defaultText(e); d != "" {
		text += " Default: " + d + "."
	}
	if _, turbo := e.turbo(); turbo && (f.Name == "num_inference_steps" || f.Name == "guidance_scale") {
		text += " With UseTurbo nothing else."
	}
	return text
}

// turbo returns the use_turbo field, which excludes others.
func (e *Endpoint) turbo() (*Field, bool) {
	if e == nil {
		return nil, false
	}
	return e.Field("use_turbo")
}

// describe fills in the placeholders of Doc.
func (f *Field) describe(e *Endpoint) string {
	least, most := "", ""
	if len(f.Enum) > 0 {
		least, most = f.Enum[0], f.Enum[len(f.Enum)-1]
	}
	maximum := ""
	if f.Max != nil {
		maximum = ", up to " + number(*f.Max)
	}
	multiple := ""
	if f.MultipleOf != 0 {
		multiple = ", in steps of " + number(f.MultipleOf)
	}
	length := ""
	if f.MaxLength > 0 {
		length = ", up to " + strconv.Itoa(f.MaxLength) + " characters"
	}
	return strings.NewReplacer(
		"{range}", f.rangeText(), "{max}", maximum, "{multiple}", multiple, "{length}", length,
		"{enum}", either(f.Enum), "{least}", least, "{most}", most,
		"{count}", f.countText(e), "{size}", sizeText(e), "{aim}", aim(e),
	).Replace(f.Doc)
}

func (f *Field) rangeText() string {
	switch {
	case f.Min != nil && f.Max != nil:
		return ", " + number(*f.Min) + " to " + number(*f.Max)
	case f.Above != nil && f.Max != nil:
		return ", more than " + number(*f.Above) + " and up to " + number(*f.Max)
	case f.Above != nil:
		return ", more than " + number(*f.Above)
	case f.Min != nil:
		return ", " + number(*f.Min) + " or more"
	case f.Max != nil:
		return ", up to " + number(*f.Max)
	}
	return ""
}

// countText says how many files or weights there may be.
func (f *Field) countText(e *Endpoint) string {
	if e == nil {
		return ""
	}
	if f.Name == "loras" {
		if e.Limits.LoRAs > 0 {
			return ", up to " + strconv.Itoa(e.Limits.LoRAs)
		}
		return ""
	}
	limit := e.Limits.Files[f.Name]
	text := ""
	switch {
	case limit.Max > 0:
		text = ", " + strconv.Itoa(max(limit.Min, 1)) + " to " + strconv.Itoa(limit.Max) + " of them"
	case limit.WarnMin > 1 && limit.WarnMin == limit.WarnMax:
		text = ", " + strconv.Itoa(limit.WarnMin) + " of them"
	}
	if limit.MaxTotalPixels > 0 {
		text += " and " + strconv.Itoa(limit.MaxTotalPixels>>20) + " megapixels in all"
	}
	if limit.MaxPixels > 0 {
		text += ", each up to " + strconv.Itoa(limit.MaxPixels>>20) + " megapixels"
	}
	switch {
	case limit.MinSide > 0 && limit.MaxSide == 0:
		text += ", each side " + strconv.Itoa(limit.MinSide) + " pixels or more"
	case limit.MinSide > 0:
		text += ", each side " + strconv.Itoa(limit.MinSide) + " to " + strconv.Itoa(limit.MaxSide) + " pixels"
	}
	if limit.MaxBytes > 0 {
		text += ", each file up to " + strconv.Itoa(limit.MaxBytes/1_000_000) + " MB"
	}
	if limit.Ignored {
		text += ": the service would ignore more"
	}
	return text
}

func sizeText(e *Endpoint) string {
	if e == nil {
		return ""
	}
	switch s := e.Limits.Size; {
	case s.PresetsOnly:
		return ": square (" + pixels(s.Square) + ") or square_hd (1024x1024)"
	case s.MaxSide > 0:
		return ", each side " + strconv.Itoa(s.MinSide) + " to " + strconv.Itoa(s.MaxSide) + " pixels"
	case s.MaxArea > 0:
		return ", with an area between that of 512x512 and that of 2048x2048"
	case s.RoundTo > 0:
		return ", each side rounded to a multiple of " + strconv.Itoa(s.RoundTo)
	}
	return ""
}

func pixels(side int) string { return strconv.Itoa(side) + "x" + strconv.Itoa(side) }

// aim is what a prompt describes.
func aim(e *Endpoint) string {
	if e == nil {
		return "the picture"
	}
	_, many := e.Field("image_urls")
	switch {
	case e.Task == "edit" || e.Task == "realtime" || many:
		return "the change"
	case e.Task == "inpaint":
		return "what comes in place of the masked part"
	}
	return "the picture"
}

// The sizes of the presets, for comments.
var presetSizes = map[string]string{
	"square_hd": "1024x1024", "square": "512x512", "portrait_4_3": "768x1024",
	"portrait_16_9": "576x1024", "landscape_4_3": "1024x768", "landscape_16_9": "1024x576",
}

func (f *Field) defaultText(e *Endpoint) string {
	switch d := f.Default.(type) {
	case float64:
		return number(d)
	case bool:
		return strconv.FormatBool(d)
	case string:
		return f.defaultString(d, e)
	}
	switch {
	case f.WhenNull != "":
		return f.WhenNull
	case e == nil:
		return ""
	case f.Type == Size || f.Name == "aspect_ratio":
		return unsetShape(f, e)
	case f.Name == "steps":
		return "left to the trainer"
	}
	return ""
}

func (f *Field) defaultString(d string, e *Endpoint) string {
	switch {
	case d == " ":
		return "a single space"
	case d == "auto" && f.Type == Size:
		return "auto, the model decides"
	case f.Type == Size && e != nil && e.Limits.Size.PresetsOnly:
		return d
	case f.Type == Size:
		return d + " (" + presetSizes[d] + ")"
	case f.Type == String && d != "":
		return strconv.Quote(d)
	}
	return d
}

// unsetShape says what an output looks like for which no size or ratio is
// given.
func unsetShape(f *Field, e *Endpoint) string {
	what := "the size of "
	if e.Limits.Output.Assumed {
		what = "presumably " + what
	}
	if f.Type != Size {
		what = "the ratio of "
	}
	_, single := e.Field("image_url")
	switch {
	case e.Limits.Output.Match == "last":
		return what + "the last picture"
	case single && (e.Limits.Output.Match == "first" || f.Type != Size):
		return what + "the picture"
	case e.Limits.Output.Match == "first" || f.Type != Size:
		return what + "the first picture"
	}
	return "the model decides"
}

// either lists words: "a", "a or b", "a, b or c".
func either(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// tasks are what endpoints do, each with the verb for the comment of a type; ""
// where that differs from one to the next and [Endpoint].Verb says it.
var tasks = map[string]string{
	"text-to-image":  "makes pictures with",
	"image-to-image": "reworks a picture with",
	"edit":           "edits pictures with",
	"inpaint":        "repaints the masked part of a picture with",
	"redux":          "makes variations of a picture with",
	"control":        "makes pictures that follow a control picture with",
	"layers":         "takes a picture apart with",
	"upscale":        "enlarges a picture with the",
	"train":          "trains a LoRA for",
	"relight":        "brightens a picture with",
	"try-on":         "dresses a person with",
	"outpaint":       "extends a picture beyond its edges with",
	"erase":          "removes the masked part of a picture with",
	"reference":      "", "gallery": "", "realtime": "",
}

// TaskVerb says what the type of an endpoint for its task does, in words that a
// title continues.
func (e *Endpoint) TaskVerb() string { return tasks[e.Task] }
