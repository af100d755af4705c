package router

import (
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// Task is a need for pictures, in words that are no model's own. Zero fields
// say nothing: what matters is then detected in the prompt, or does not matter.
// Tasks can be read from JSON; pictures are then given by URL.
type Task struct {
	// Prompt says what the pictures show, or what to change. Pictures are
	// referred to as @image1, @image2 and so on.
	Prompt string `json:"prompt,omitzero"`
	// Structured is the prompt in parts, instead of Prompt. Models that read
	// JSON get JSON, the others prose.
	Structured *flux.StructuredPrompt `json:"structured,omitzero"`
	// NegativePrompt says what the pictures must not show.
	NegativePrompt string `json:"negative_prompt,omitzero"`

	// Pictures are to be edited or referred to, in the order of their
	// numbers. None means that pictures are made from the prompt alone.
	Pictures []Picture `json:"pictures,omitzero"`
	// Mask is white where Pictures[0] is to be changed; for EditInpaint and
	// EditRemove.
	Mask fal.File `json:"mask,omitzero"`
	// Edit is what is done with the pictures; "" is any change in words.
	Edit Edit `json:"edit,omitzero"`

	// Size is the size of the pictures; or else Aspect is their aspect ratio,
	// such as "16:9". Neither means the model's default, or the size of the
	// picture that is edited, or of one that is extended what the prompt says, as in
	// "extend it to 16:9".
	Size   fal.ImageSize `json:"size,omitzero"`
	Aspect string        `json:"aspect,omitzero"`
	// MinPixels is the least area of each picture, in pixels; 0 for any. Pictures
	// of a model that makes less are enlarged in a second step, up to 4 times as wide
	// and high. A Size is wished only: a model that does not take it makes what is
	// nearest.
	MinPixels int `json:"min_pixels,omitzero"`
	// Count is the number of pictures. Default: 1.
	Count int `json:"count,omitzero"`
	// Volume is the number of pictures of the whole job that the task is one of: it
	// decides, like Count, whether models for many pictures are preferred, and
	// makes none. Default: Count.
	Volume int `json:"volume,omitzero"`
	// Transparent says that the background must be transparent; for final pictures
	// it is also detected, as in "sticker of a cat", and in "remove the background"
	// if no new one is spoken of. That alone refuses nothing: where no model that is
	// allowed makes it so, it is a loss.
	Transparent bool `json:"transparent,omitzero"`

	// Purpose is what the pictures are for; "" is detected in the prompt.
	Purpose Purpose `json:"purpose,omitzero"`
	// Stage is how far the work has come. Default: StageFinal.
	Stage Stage `json:"stage,omitzero"`
	// Text is what is to be read in the pictures. Nil means that it is detected
	// in the prompt: what is quoted beside a word for writing or in capitals,
	// and words such as "signage". A list that is empty and not nil says that
	// there is none.
	Text []string `json:"text,omitzero"`
	// Languages are those of the text, as tags such as "en" or "zh-Hant". What
	// their script tells is also detected.
	Languages []string `json:"languages,omitzero"`
	// ManyElements says that the picture has several subjects which must each
	// be as the prompt says; it is also detected.
	ManyElements bool `json:"many_elements,omitzero"`
	// Deny are facts that are not so although the prompt seems to say them, by
	// the names that [Routing.Facts] has, such as "people".
	Deny []string `json:"deny,omitzero"`

	// Colors are exact colours of the picture as a whole.
	Colors []flux.Color `json:"colors,omitzero"`
	// Seed is where the randomness starts.
	Seed *uint64 `json:"seed,omitzero"`
	// Steps is the number of inference steps; 0 is the model's default.
	Steps int `json:"steps,omitzero"`
	// Guidance is the guidance scale.
	Guidance *float64 `json:"guidance,omitzero"`
	// LoRAs are weights to apply. Models without LoRAs are then no choice.
	LoRAs []LoRA `json:"loras,omitzero"`
	// Layers is the number of layers for EditLayers, 1 to 10. Default: the
	// model's, 4.
	Layers int `json:"layers,omitzero"`
	// Angle is where the camera goes, for EditAngle.
	Angle Angle `json:"angle,omitzero"`
	// Scale is how many times as wide and high EditUpscale makes the picture,
	// 1 to 4. Default: the model's.
	Scale float64 `json:"scale,omitzero"`
	// Strength is how much of the picture EditRework makes anew, 0.01 to 1.
	// Default: the model's.
	Strength *float64 `json:"strength,omitzero"`

	// MaxPricePerImage and MaxPrice bound what each picture and all of them
	// may cost at most; 0 is no bound.
	MaxPricePerImage pricing.USD `json:"max_price_per_image,omitzero"`
	MaxPrice         pricing.USD `json:"max_price,omitzero"`
	// UnknownPrice allows models whose price no source tells. There must be no
	// bound then.
	UnknownPrice bool `json:"unknown_price,omitzero"`
	// Licence is what the licence of the weights must allow.
	Licence Licence `json:"licence,omitzero"`
	// Format is the file format that the pictures must have.
	Format fal.OutputFormat `json:"format,omitzero"`
	// VerbatimPrompt says that the prompt must not be rewritten.
	VerbatimPrompt bool `json:"verbatim_prompt,omitzero"`
	// Only and Not are the models allowed and banned: packages ("flux"),
	// families ("FLUX.2"), Go types ("flux.Pro2") or endpoints
	// ("fal-ai/flux-2-pro"). Of a task in two steps, models in Only are those for the
	// first, and packages and families for both.
	Only []string `json:"only,omitzero"`
	Not  []string `json:"not,omitzero"`
	// Require names what must not be lost: a model without it is no choice.
	Require []Feature `json:"require,omitzero"`

	// Prefer weighs quality, speed and price against each other; the zero
	// value means the weights that the policy has for the stage.
	Prefer Preference `json:"prefer,omitzero"`
}

// Picture is a picture to edit or refer to.
type Picture struct {
	File fal.File `json:"url"`
	// Width and Height are in pixels; 0 where they are not known, which makes
	// prices ranges. [LocalPictures] looks them up.
	Width  int `json:"width,omitzero"`
	Height int `json:"height,omitzero"`
}

// LoRA is weights to apply to a model.
type LoRA struct {
	// Path is the URL of the weights, or the name of a Hugging Face repository.
	Path string `json:"path"`
	// Scale is how strongly they are applied, 0 to 4. Default: 1.
	Scale *float64 `json:"scale,omitzero"`
	// Base is what they were trained for, as one has it: the base model, its
	// trainer or the endpoint for LoRAs, by Go type, title or id, or a family.
	// Without it nothing can be said of whether they fit.
	Base string `json:"base,omitzero"`
}

// Angle is where the camera goes, around the subject. The constants of package
// qwen name directions, heights and distances.
type Angle struct {
	// Direction is in degrees around the subject, 0 to 360: 90 is its right
	// side.
	Direction qwen.Direction `json:"direction,omitzero"`
	// Height is in degrees, -30 (from below) to 90 (from above).
	Height qwen.Height `json:"height,omitzero"`
	// Distance is 0 (wide shot) to 10 (close-up). Default: 5.
	Distance *qwen.Distance `json:"distance,omitzero"`
}

// Preference says how much quality, speed and price count: a model has 0 to 10
// points for each, times the weight.
type Preference struct {
	Quality int `json:"quality,omitzero"`
	Speed   int `json:"speed,omitzero"`
	Price   int `json:"price,omitzero"`
}

// Edit is what is done with pictures.
type Edit string

// The kinds of editing.
const (
	EditInContext  Edit = "in-context"    // a change that keeps the character, also over many steps
	EditStyle      Edit = "style"         // another style
	EditRemove     Edit = "remove"        // something goes
	EditBackground Edit = "background"    // another background
	EditText       Edit = "text"          // the text in the picture
	EditAngle      Edit = "angle"         // another camera angle, see Task.Angle
	EditLayers     Edit = "layers"        // into layers with transparency; without pictures, of one made from the prompt first
	EditInpaint    Edit = "inpaint"       // what the mask covers
	EditTryOn      Edit = "try-on"        // a person (first picture) wears a garment (second)
	EditUpscale    Edit = "upscale"       // larger, see Task.Scale
	EditCompose    Edit = "multi-picture" // one picture out of several
	EditVariation  Edit = "variation"     // others like it; the prompt may be empty
	EditRework     Edit = "rework"        // a new picture that starts from it, see Task.Strength
	EditDepth      Edit = "depth"         // a new picture with its depth; of two pictures, that of the second
	EditEdges      Edit = "edges"         // a new picture with its edges; of two pictures, those of the second
	EditFace       Edit = "face"          // a new picture of the person
	EditSubject    Edit = "subject"       // a new picture of the thing
	EditExtend     Edit = "extend"        // beyond its edges, to Task.Size or Task.Aspect
	EditRelight    Edit = "relight"       // other light
)

// Purpose is what pictures are for.
type Purpose string

// The purposes.
const (
	Photo        Purpose = "photo"
	Product      Purpose = "product"
	Illustration Purpose = "illustration"
	Poster       Purpose = "poster"
	Infographic  Purpose = "infographic"
	Comic        Purpose = "comic"
	UI           Purpose = "ui"
	Texture      Purpose = "texture"
)

// Stage is how far the work has come.
type Stage string

// The stages.
const (
	StagePreview Stage = "preview" // live, while somebody waits
	StageDraft   Stage = "draft"   // one of many attempts
	StageFinal   Stage = "final"   // to be used
)

// Licence is what the licence of a model's weights must allow.
type Licence string

// The licences.
const (
	OpenWeights Licence = "open"   // the weights are published
	Apache2     Licence = "apache" // under Apache 2.0, for any use
)

// Feature is something about a task that a model may be unable to do.
type Feature string

// The features.
const (
	FeatureStructured Feature = "structured prompt" // as JSON
	FeatureColors     Feature = "hex colours"       // exact colours
	FeatureMentions   Feature = "image references"  // @image1 in the prompt
	FeatureNegative   Feature = "negative prompt"
	FeatureSeed       Feature = "seed"
	FeatureSteps      Feature = "steps"
	FeatureGuidance   Feature = "guidance"
	FeatureSize       Feature = "size"     // the exact size
	FeaturePrompt     Feature = "prompt"   // what a model without a prompt field leaves out
	FeatureLanguage   Feature = "language" // a language that the model is documented for
	FeatureMask       Feature = "mask"
	FeatureAngle      Feature = "angle" // by degrees rather than in words
	FeatureLoRABase   Feature = "lora base"
	FeatureCurrent    Feature = "current model" // one that newer lists do not leave out
	FeatureStrength   Feature = "strength"
	FeatureAlpha      Feature = "transparency"
	FeatureOneStep    Feature = "one step" // without a second model, see Candidate.Then
)
