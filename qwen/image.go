package qwen

import (
	"cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/body"
	"github.com/falimage/falimage-go/internal/check"
)

// Image makes pictures with Qwen Image: text in the picture in several
// languages, and prompts with many elements. Open weights, Apache 2.0.
//
// Endpoint: fal-ai/qwen-image
type Image struct {
	// Prompt describes the picture. Required.
	Prompt string `json:"prompt"`
	// NegativePrompt describes what the picture should not show. Default: a
	// single space.
	NegativePrompt string `json:"negative_prompt,omitzero"`
	// ImageSize is the size of the output. Default: landscape_4_3 (1024x768).
	ImageSize fal.ImageSize `json:"image_size,omitzero"`
	// NumInferenceSteps is the number of denoising steps, 2 to 250. Default:
	// 30. Not with UseTurbo.
	NumInferenceSteps int `json:"num_inference_steps,omitzero"`
	// GuidanceScale is how closely the picture follows the prompt, 0 to 20.
	// Default: 2.5. Not with UseTurbo.
	GuidanceScale *float64 `json:"guidance_scale,omitzero"`
	// NumImages is the number of pictures, 1 to 4. Default: 1.
	NumImages int `json:"num_images,omitzero"`
	// Seed makes the result repeatable. Default: a random one.
	Seed *uint64 `json:"seed,omitzero"`
	// Acceleration trades quality for speed: none, regular or high.
	// Default: none.
	Acceleration Acceleration `json:"acceleration,omitzero"`
	// UseTurbo makes the picture in 10 steps with a guidance of 1.2, much
	// faster. Default: false.
	UseTurbo bool `json:"use_turbo,omitzero"`
	// LoRAs are weights to load on top of the model, up to 3.
	LoRAs []LoRA `json:"loras,omitzero"`
	// EnableSafetyChecker flags unsafe pictures. Default: true.
	EnableSafetyChecker *bool `json:"enable_safety_checker,omitzero"`
	// OutputFormat is jpeg or png. Default: png.
	OutputFormat fal.OutputFormat `json:"output_format,omitzero"`
	// SyncMode returns the pictures as data URLs inside the result, which is
	// then not kept in the request history. Default: false.
	SyncMode bool `json:"sync_mode,omitzero"`
}

// Endpoint returns "fal-ai/qwen-image".
func (Image) Endpoint() fal.Endpoint[fal.Images] { return "fal-ai/qwen-image" }

// Validate returns a *fal.ValidationError listing every problem, or nil.
func (r Image) Validate() error {
	var l check.List
	l.Required("prompt", r.Prompt)
	l.Size("image_size", r.ImageSize, check.SizeRule{})
	l.Int("num_inference_steps", r.NumInferenceSteps, 2, 250)
	l.FloatPtr("guidance_scale", r.GuidanceScale, 0, 20)
	l.Int("num_images", r.NumImages, 1, 4)
	check.Enum(&l, "acceleration", r.Acceleration, "none", "regular", "high")
	if r.UseTurbo {
		l.NotWithTurbo(r.NumInferenceSteps, r.GuidanceScale)
	}
	l.Count("loras", len(r.LoRAs), 0, 3)
	for i, v := range r.LoRAs {
		v.check(&l, check.At("loras", i))
	}
	check.Enum(&l, "output_format", r.OutputFormat, "jpeg", "png")
	return l.Err("fal-ai/qwen-image")
}

// Usage returns what the request will be charged for.
func (r Image) Usage() fal.Usage {
	u := fal.Usage{
		Endpoint: "fal-ai/qwen-image",
		Outputs:  cmp.Or(r.NumImages, 1),
		Size:     cmp.Or(r.ImageSize, fal.Landscape4x3),
		Steps:    cmp.Or(r.NumInferenceSteps, 30),
		LoRAs:    len(r.LoRAs),
	}
	if r.UseTurbo {
		u.Steps = 10
	}
	return u
}

// MarshalJSON returns the body of the request.
func (r Image) MarshalJSON() ([]byte, error) {
	o := body.New()
	body.String(o, "prompt", r.Prompt)
	body.String(o, "negative_prompt", r.NegativePrompt)
	o.Size("image_size", r.ImageSize)
	o.Int("num_inference_steps", r.NumInferenceSteps)
	o.FloatPtr("guidance_scale", r.GuidanceScale)
	o.Int("num_images", r.NumImages)
	o.Seed("seed", r.Seed)
	body.String(o, "acceleration", r.Acceleration)
	o.Bool("use_turbo", r.UseTurbo)
	body.List(o, "loras", r.LoRAs)
	o.BoolPtr("enable_safety_checker", r.EnableSafetyChecker)
	body.String(o, "output_format", r.OutputFormat)
	o.Bool("sync_mode", r.SyncMode)
	return o.JSON()
}
