package router

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// OwnModel is a model that this package does not know, for [Policy.Models]: an
// endpoint of fal's that is none of FLUX or Qwen Image, or one of your own. It
// is chosen, refused, compared, drafted, priced and shown like the others.
type OwnModel struct {
	// Model names it. Name, Endpoint and Title are required, and no other model
	// may have the first two; rules of the policy name it by them.
	Model
	// Task is the kind of work it is for: "text-to-image", "edit" (in words),
	// "image-to-image", "inpaint", "erase", "redux" (variations), "outpaint",
	// "layers", "upscale", "try-on" or "relight".
	Task string
	// Can has the features that it has of those that tasks may lose: the
	// negative prompt, seed, steps, guidance, size, hex colours, image references
	// and the structured prompt as JSON. What is not named is lost on it.
	Can []Feature
	// Open says that its weights are published; see [Task.Licence].
	Open bool
	// Transparent says that it makes pictures with a transparent background where
	// the prompt asks for one.
	Transparent bool
	// Formats are the file formats that it makes. Default: JPEG and PNG.
	Formats []fal.OutputFormat
	// Size is what it makes where a task asks for none; "" where it decides.
	Size fal.ImageSize
	// MinSide and MaxSide bound width and height, MinArea and MaxArea their
	// product, in pixels; 0 is no bound. A size of a task that is not within them
	// is scaled, which is a loss.
	MinSide, MaxSide, MinArea, MaxArea int
	// MaxCount is how many pictures a request can ask for. Default: 1.
	MaxCount int
	// MinPictures and MaxPictures are how many input pictures it takes; 0 as the
	// latter is any number of them.
	MinPictures, MaxPictures int
	// MaxLoRAs is how many LoRAs it takes. Default: none.
	MaxLoRAs int
	// Rating is how good and how fast it is; [Policy.Ratings] may have it too,
	// which counts then. Default: 5 points for each.
	Rating Rating
	// Price says how it charges. Nil is what [Policy.Prices] knows of the
	// endpoint; without that its price is not known.
	Price pricing.Rule
	// Request makes a request of a task in the form that the model takes: the
	// prompt is one text with the colours, lettering and numbers of pictures in
	// it, the size within the bounds, the count that of this request, and what the
	// model does not have is left out. It must always make the same of the same,
	// and open no file. [fal.Call] is such a request, best with a struct whose fields are
	// omitzero: a seed that is nil then is no null. What it charges for is told by this
	// package.
	Request func(t Task) fal.Request[fal.Images]
}

// ownFeatures are the features that a model may say it has.
var ownFeatures = map[Feature]flags{
	FeatureNegative: hasNegative, FeatureSeed: hasSeed, FeatureSteps: hasSteps, FeatureGuidance: hasGuidance, FeatureSize: hasSize,
	FeatureColors: hasColors, FeatureMentions: hasMentions, FeatureStructured: hasJSON,
}

// model returns what the router chooses from. The error names what is wrong.
func (o *OwnModel) model(others []*model) (*model, error) {
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(o.Name == "" || o.Endpoint == "" || o.Title == "", "name, endpoint and title are required")
	wrong(slices.ContainsFunc(others, func(m *model) bool { return m.Name == o.Name || m.Endpoint == o.Endpoint }), "another model has the name or endpoint")
	wrong(!slices.Contains(ownTasks, o.Task), "task: %q: must be one of %q", o.Task, ownTasks)
	wrong(o.Request == nil, "request: is required")
	for _, n := range []int{o.MinSide, o.MaxSide, o.MinArea, o.MaxArea, o.MaxCount, o.MinPictures, o.MaxPictures, o.MaxLoRAs} {
		wrong(n < 0, "%d: no bound may be negative", n)
	}
	wrong(o.MaxPictures > 0 && o.MaxPictures < o.MinPictures || o.MaxSide > 0 && o.MaxSide < o.MinSide || o.MaxArea > 0 && o.MaxArea < o.MinArea,
		"an upper bound is less than the lower one")
	_, _, sized := o.Size.Dimensions()
	wrong(o.Size != "" && !sized, "size: %q: must be like 1024x1024, or a preset", o.Size)
	m := &model{
		Model: o.Model, task: o.Task, open: o.Open, own: o, formats: o.Formats, maxCount: o.MaxCount, maxLoRAs: o.MaxLoRAs,
		sizes: sizes{o.MinSide, o.MaxSide, o.MinArea, o.MaxArea}, pictures: [2]int{o.MinPictures, o.MaxPictures},
	}
	if m.formats == nil {
		m.formats = []fal.OutputFormat{fal.JPEG, fal.PNG}
	}
	if o.Task != "text-to-image" {
		m.pictures[0] = max(m.pictures[0], 1)
	}
	for _, f := range o.Can {
		flag, ok := ownFeatures[f]
		wrong(!ok, "can: %q: is none that a model may lack", f)
		m.has |= flag
	}
	if o.MaxLoRAs > 0 {
		m.has |= hasLoRAs
	}
	if o.Transparent {
		m.has |= hasAlpha
	}
	m.request = o.request
	return m, errors.Join(errs...)
}

// ownTasks are the kinds of work of a model of one's own.
var ownTasks = []string{"text-to-image", "edit", "image-to-image", "inpaint", "erase", "redux", "outpaint", "layers", "upscale", "try-on", "relight"}

// request compiles the input, and adds what it will be charged for.
func (o *OwnModel) request(in *input) fal.Request[fal.Images] {
	t := *in.task
	t.Prompt, t.Structured, t.NegativePrompt, t.Text, t.Colors = in.prompt, nil, in.negative, nil, nil
	t.Pictures = make([]Picture, len(in.pictures))
	for i, f := range in.pictures {
		t.Pictures[i] = in.task.Pictures[i]
		t.Pictures[i].File = f
	}
	t.Mask, t.Size, t.Aspect, t.Count, t.Seed, t.Strength = in.mask, in.size, "", max(in.count, 1), in.seed, in.strength
	for f, flag := range ownFeatures {
		if slices.Contains(o.Can, f) {
			continue
		}
		switch flag {
		case hasNegative:
			t.NegativePrompt = ""
		case hasSeed:
			t.Seed = nil
		case hasSteps:
			t.Steps = 0
		case hasGuidance:
			t.Guidance = nil
		case hasSize:
			t.Size = ""
		}
	}
	r := o.Request(t)
	if r == nil {
		return nil
	}
	if user, ok := r.(interface{ Usage() fal.Usage }); ok && user.Usage().Outputs > 0 {
		return r
	}
	u := fal.Usage{Endpoint: o.Endpoint, Outputs: t.Count, Size: t.Size, Inputs: in.pictures, Steps: t.Steps, LoRAs: len(t.LoRAs)}
	if u.Size == "" {
		u.Size = o.Size
	}
	if o.Task == "layers" {
		u.Outputs = cmp.Or(t.Layers, 4)
	}
	if u.Size == "" && len(in.pictures) > 0 {
		u.MatchInput, u.MatchAssumed = 1, true
	}
	u.MinPixels, u.MaxPixels = o.MinArea, o.MaxArea
	if o.Task == "upscale" {
		u.Upscale = int(max(t.Scale, 1) * 1000)
	}
	return told{r, u}
}

// told is a request with what it will be charged for.
type told struct {
	Inner fal.Request[fal.Images] `json:",inline"` // exported, so that its files are found
	usage fal.Usage
}

func (t told) Endpoint() fal.Endpoint[fal.Images] { return t.Inner.Endpoint() }
func (t told) MarshalJSON() ([]byte, error)       { return json.Marshal(t.Inner) }
func (t told) Usage() fal.Usage                   { return t.usage }

// Validate passes on what the request inside says.
func (t told) Validate() error {
	if v, ok := t.Inner.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}
