package router

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/check"
	"github.com/falimage/falimage-go/internal/refs"
)

// maxCount is the largest number of pictures in a task.
const maxCount = 1_000_000

// check returns what is wrong with the task whatever the model.
func (r *Router) check(t *Task) error {
	p := problems{router: r}
	p.text(t)
	p.pictures(t)
	p.numbers(t)
	p.names(t)
	p.denied(t)
	if len(p.list) > 0 {
		return &TaskError{Problems: p.list}
	}
	return nil
}

type problems struct {
	list   []fal.Problem
	router *Router
}

func (p *problems) add(field, value, message string) {
	p.list = append(p.list, fal.Problem{Field: field, Value: value, Message: message})
}

func (p *problems) text(t *Task) {
	promptless := t.Edit == EditRemove && !t.Mask.IsZero()
	switch t.Edit {
	case EditLayers, EditUpscale, EditAngle, EditVariation, EditExtend, EditRelight:
		promptless = len(t.Pictures) > 0
	}
	switch {
	case t.Prompt != "" && t.Structured != nil:
		p.add("prompt", "", "give either a prompt or a structured one")
	case t.Prompt == "" && t.Structured == nil && !promptless:
		p.add("prompt", "", "is required")
	}
	if t.Structured != nil {
		if err := t.Structured.Validate(); err != nil {
			p.add("structured", "", err.Error())
		}
	}
	for i, c := range t.Colors {
		if err := c.Validate(); err != nil {
			p.add("colors["+strconv.Itoa(i)+"]", string(c), err.Error())
		}
	}
	field, prompt := "prompt", t.Prompt
	if t.Structured != nil {
		field, prompt = "structured", t.Structured.Prose()
	}
	var l check.List
	refs.Check(&l, field, prompt, len(t.Pictures))
	p.list = append(p.list, l.Problems()...)
	for i, s := range t.Text {
		if strings.TrimSpace(s) == "" {
			p.add("text["+strconv.Itoa(i)+"]", "", "is empty")
		}
	}
}

func (p *problems) pictures(t *Task) {
	for i, picture := range t.Pictures {
		at := "pictures[" + strconv.Itoa(i) + "]"
		if err := picture.File.Check(); err != nil {
			p.add(at, picture.File.String(), err.Error())
		}
		if picture.Width < 0 || picture.Height < 0 || (picture.Width == 0) != (picture.Height == 0) || picture.Width > 1<<20 || picture.Height > 1<<20 {
			p.add(at, fmt.Sprintf("%dx%d", picture.Width, picture.Height), "both sides must be positive and below a million, or 0 where they are not known")
		}
	}
	_, known := editFacts[t.Edit]
	switch {
	case known && len(t.Pictures) == 0 && t.Edit != EditLayers: // of which the picture may be made first
		p.add("edit", string(t.Edit), "needs a picture in pictures")
	case !t.Mask.IsZero() && t.Edit != EditInpaint && t.Edit != EditRemove:
		p.add("mask", "", "is for the edits inpaint and remove")
	case t.Edit == EditInpaint && t.Mask.IsZero():
		p.add("mask", "", "is required for the edit inpaint")
	case t.Edit == EditTryOn && len(t.Pictures) != 2:
		p.add("pictures", strconv.Itoa(len(t.Pictures)), "the edit try-on needs two: the person and the garment")
	}
	if !t.Mask.IsZero() {
		if err := t.Mask.Check(); err != nil {
			p.add("mask", t.Mask.String(), err.Error())
		}
	}
	for _, field := range []struct {
		set        bool
		name, edit string
		is         bool
	}{
		{t.Layers != 0, "layers", string(EditLayers), t.Edit == EditLayers},
		{t.Scale != 0, "scale", string(EditUpscale), t.Edit == EditUpscale},
		{t.Angle != Angle{}, "angle", string(EditAngle), t.Edit == EditAngle},
		{t.Strength != nil, "strength", string(EditRework), t.Edit == EditRework},
	} {
		if field.set && !field.is {
			p.add(field.name, "", "is for the edit "+field.edit+" alone")
		}
	}
}

func (p *problems) denied(t *Task) {
	for i, name := range t.Deny {
		if f := slices.Index(factNames[:], name); f < 0 || !detectable.has(fact(f)) {
			p.add(fmt.Sprintf("deny[%d]", i), name, fmt.Sprintf("must be one of %q", detectable.names()))
		}
	}
}

func (p *problems) numbers(t *Task) {
	for _, n := range []struct {
		field       string
		value, most int
	}{
		{"count", t.Count, maxCount}, {"volume", t.Volume, math.MaxInt32}, {"min_pixels", t.MinPixels, schema.MaxSide * schema.MaxSide}, {"layers", t.Layers, 10}, {"steps", t.Steps, 1000},
		{"prefer.quality", t.Prefer.Quality, 1000}, {"prefer.speed", t.Prefer.Speed, 1000}, {"prefer.price", t.Prefer.Price, 1000},
	} {
		if n.value < 0 || n.value > n.most {
			p.add(n.field, strconv.Itoa(n.value), fmt.Sprintf("must be between 0 and %d", n.most))
		}
	}
	if t.Scale != 0 && !(t.Scale >= 1 && t.Scale <= 4) {
		p.add("scale", strconv.FormatFloat(t.Scale, 'g', -1, 64), "must be between 1 and 4")
	}
	if s := t.Strength; s != nil && !(*s >= 0.01 && *s <= 1) {
		p.add("strength", strconv.FormatFloat(*s, 'g', -1, 64), "must be between 0.01 and 1")
	}
	if t.Edit == EditExtend && (t.Size == "" || t.Size == fal.AutoSize) && t.Aspect == "" {
		p.add("size", "", "or aspect is required for the edit extend: what the picture is extended to")
	}
	width, height, sized := t.Size.Dimensions()
	if t.Size != "" && t.Aspect != "" {
		p.add("aspect", t.Aspect, "give either a size or an aspect ratio")
	}
	switch {
	case t.Size != "" && t.Size != fal.AutoSize && (!sized || width < 1 || height < 1):
		p.add("size", string(t.Size), "must be like 1920x1080, or a preset such as square_hd")
	case sized && width <= schema.MaxSide && height <= schema.MaxSide && width*height < t.MinPixels:
		p.add("size", string(t.Size), fmt.Sprintf("has fewer pixels than min_pixels, %d", t.MinPixels))
	}
	if t.Transparent && t.Format == fal.JPEG {
		p.add("format", string(t.Format), "has no transparency: png or webp has")
	}
	if t.Aspect != "" {
		if _, _, err := parseAspect(t.Aspect); err != nil {
			p.add("aspect", "", err.Error())
		}
	}
	if t.MaxPrice < 0 || t.MaxPricePerImage < 0 {
		p.add("max_price", "", "must not be negative")
	}
	if t.UnknownPrice && (t.MaxPrice > 0 || t.MaxPricePerImage > 0) {
		p.add("unknown_price", "true", "a model whose price is not known cannot keep within max_price")
	}
}

func (p *problems) names(t *Task) {
	among(p, "edit", t.Edit, editFacts)
	among(p, "purpose", t.Purpose, purposeFacts)
	among(p, "stage", t.Stage, stageFacts)
	if t.Licence != "" && t.Licence != OpenWeights && t.Licence != Apache2 {
		p.add("licence", string(t.Licence), "must be open or apache")
	}
	for _, list := range []struct {
		field string
		names []string
	}{{"only", t.Only}, {"not", t.Not}} {
		for i, name := range list.names {
			p.model(list.field+"["+strconv.Itoa(i)+"]", name)
		}
	}
	for i, l := range t.LoRAs {
		at := "loras[" + strconv.Itoa(i) + "]"
		if _, ok := loraBases()[strings.ToLower(l.Base)]; !ok && l.Base != "" {
			p.model(at+".base", l.Base)
		}
		if strings.TrimSpace(l.Path) == "" {
			p.add(at+".path", "", "is required")
		}
	}
	for i, f := range t.Require {
		if !slices.Contains(features, f) {
			p.add("require["+strconv.Itoa(i)+"]", string(f), fmt.Sprintf("must be one of %q", features))
		}
	}
	for i, tag := range t.Languages {
		if tag == "" || strings.ContainsFunc(tag, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			p.add("languages["+strconv.Itoa(i)+"]", tag, "must be a language tag such as en or zh-Hant")
		}
	}
}

var features = []Feature{
	FeatureStructured, FeatureColors, FeatureMentions, FeatureNegative, FeatureSeed, FeatureSteps, FeatureGuidance,
	FeatureSize, FeaturePrompt, FeatureLanguage, FeatureMask, FeatureAngle, FeatureLoRABase, FeatureCurrent,
	FeatureStrength, FeatureAlpha, FeatureOneStep,
}

func (p *problems) model(field, name string) {
	if !p.router.knows(name) {
		p.add(field, name, strings.TrimPrefix(p.router.unknownModel(name).Error(), strconv.Quote(name)+": "))
	}
}

// among adds a name that is not a key of a map.
func among[K ~string](p *problems, field string, value K, known map[K]fact) {
	if _, ok := known[value]; !ok && value != "" {
		p.add(field, string(value), fmt.Sprintf("must be one of %q", slices.Sorted(maps.Keys(known))))
	}
}
