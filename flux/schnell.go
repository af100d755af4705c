package flux

import (
	"cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/body"
	"github.com/falimage/falimage-go/internal/check"
)

// Schnell makes pictures with FLUX.1 [schnell], the fastest and cheapest
// model of the family: drafts in 1 to 12 steps. Open weights, Apache 2.0.
//
// Endpoint: fal-ai/flux/schnell
type Schnell struct {
	// Prompt describes the picture. Required.
	Prompt string `json:"prompt"`
	// ImageSize is the size of the output. Default: landscape_4_3 (1024x768).
	ImageSize fal.ImageSize `json:"image_size,omitzero"`
	// NumInferenceSteps is the number of denoising steps, 1 to 12. Default: 4.
	NumInferenceSteps int `json:"num_inference_steps,omitzero"`
	// GuidanceScale is how closely the picture follows the prompt, 1 to 20.
	// Default: 3.5.
	GuidanceScale *float64 `json:"guidance_scale,omitzero"`
	// NumImages is the number of pictures, 1 to 4. Default: 1.
	NumImages int `json:"num_images,omitzero"`
	// Seed makes the result repeatable. Default: a random one.
	Seed *uint64 `json:"seed,omitzero"`
	// Acceleration trades quality for speed: none, regular or high.
	// Default: none.
	Acceleration Acceleration `json:"acceleration,omitzero"`
	// EnableSafetyChecker flags unsafe pictures. Default: true.
	EnableSafetyChecker *bool `json:"enable_safety_checker,omitzero"`
	// OutputFormat is jpeg or png. Default: jpeg.
	OutputFormat fal.OutputFormat `json:"output_format,omitzero"`
	// SyncMode returns the pictures as data URLs inside the result, which is
	// then not kept in the request history. Default: false.
	SyncMode bool `json:"sync_mode,omitzero"`
}

// Endpoint returns "fal-ai/flux/schnell".
func (Schnell) Endpoint() fal.Endpoint[fal.Images] { return "fal-ai/flux/schnell" }

// Validate returns a *fal.ValidationError listing every problem, or nil.
func (r Schnell) Validate() error {
	var l check.List
	l.Required("prompt", r.Prompt)
	l.Size("image_size", r.ImageSize, check.SizeRule{})
	l.Int("num_inference_steps", r.NumInferenceSteps, 1, 12)
	l.FloatPtr("guidance_scale", r.GuidanceScale, 1, 20)
	l.Int("num_images", r.NumImages, 1, 4)
	check.Enum(&l, "acceleration", r.Acceleration, "none", "regular", "high")
	check.Enum(&l, "output_format", r.OutputFormat, "jpeg", "png")
	return l.Err("fal-ai/flux/schnell")
}

// Usage returns what the request will be charged for.
func (r Schnell) Usage() fal.Usage {
	return fal.Usage{
		Endpoint: "fal-ai/flux/schnell",
		Outputs:  cmp.Or(r.NumImages, 1),
		Size:     cmp.Or(r.ImageSize, fal.Landscape4x3),
		Steps:    cmp.Or(r.NumInferenceSteps, 4),
	}
}

// MarshalJSON returns the body of the request.
func (r Schnell) MarshalJSON() ([]byte, error) {
	o := body.New()
	body.String(o, "prompt", r.Prompt)
	o.Size("image_size", r.ImageSize)
	o.Int("num_inference_steps", r.NumInferenceSteps)
	o.FloatPtr("guidance_scale", r.GuidanceScale)
	o.Int("num_images", r.NumImages)
	o.Seed("seed", r.Seed)
	body.String(o, "acceleration", r.Acceleration)
	o.BoolPtr("enable_safety_checker", r.EnableSafetyChecker)
	body.String(o, "output_format", r.OutputFormat)
	o.Bool("sync_mode", r.SyncMode)
	return o.JSON()
}
