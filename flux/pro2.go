package flux

import (
	"cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/body"
	"github.com/falimage/falimage-go/internal/check"
)

// Pro2 makes pictures with FLUX.2 [pro]: production quality and photorealism
// without steps or guidance to set. The prompt may hold JSON, HEX colours and
// is refined by the model.
//
// Endpoint: fal-ai/flux-2-pro
type Pro2 struct {
	// Prompt describes the picture. Required.
	Prompt string `json:"prompt"`
	// ImageSize is the size of the output. Default: landscape_4_3 (1024x768).
	ImageSize fal.ImageSize `json:"image_size,omitzero"`
	// Seed makes the result repeatable. Default: a random one.
	Seed *uint64 `json:"seed,omitzero"`
	// SafetyTolerance is how much the safety filter lets pass, 1 (strictest)
	// to 5. Default: 2.
	SafetyTolerance SafetyTolerance `json:"safety_tolerance,omitzero"`
	// EnableSafetyChecker flags unsafe pictures. Default: true.
	EnableSafetyChecker *bool `json:"enable_safety_checker,omitzero"`
	// OutputFormat is jpeg or png. Default: jpeg.
	OutputFormat fal.OutputFormat `json:"output_format,omitzero"`
	// SyncMode returns the pictures as data URLs inside the result, which is
	// then not kept in the request history. Default: false.
	SyncMode bool `json:"sync_mode,omitzero"`
}

// Endpoint returns "fal-ai/flux-2-pro".
func (Pro2) Endpoint() fal.Endpoint[fal.Images] { return "fal-ai/flux-2-pro" }

// Validate returns a *fal.ValidationError listing every problem, or nil.
func (r Pro2) Validate() error {
	var l check.List
	l.Required("prompt", r.Prompt)
	l.Size("image_size", r.ImageSize, check.SizeRule{})
	check.Enum(&l, "safety_tolerance", r.SafetyTolerance, "1", "2", "3", "4", "5")
	check.Enum(&l, "output_format", r.OutputFormat, "jpeg", "png")
	return l.Err("fal-ai/flux-2-pro")
}

// Usage returns what the request will be charged for.
func (r Pro2) Usage() fal.Usage {
	return fal.Usage{
		Endpoint: "fal-ai/flux-2-pro",
		Outputs:  1,
		Size:     cmp.Or(r.ImageSize, fal.Landscape4x3),
	}
}

// MarshalJSON returns the body of the request.
func (r Pro2) MarshalJSON() ([]byte, error) {
	o := body.New()
	body.String(o, "prompt", r.Prompt)
	o.Size("image_size", r.ImageSize)
	o.Seed("seed", r.Seed)
	body.String(o, "safety_tolerance", r.SafetyTolerance)
	o.BoolPtr("enable_safety_checker", r.EnableSafetyChecker)
	body.String(o, "output_format", r.OutputFormat)
	o.Bool("sync_mode", r.SyncMode)
	return o.JSON()
}

// Pro2Edit edits and combines up to 9 pictures with FLUX.2 [pro]. The prompt
// refers to them as @image1, @image2 and so on, in the order of ImageURLs.
//
// Endpoint: fal-ai/flux-2-pro/edit
type Pro2Edit struct {
	// Prompt describes the change. Required.
	Prompt string `json:"prompt"`
	// ImageURLs are the pictures to edit or refer to, 1 to 9 of them and 9
	// megapixels in all. Required.
	ImageURLs []fal.File `json:"image_urls"`
	// ImageSize is the size of the output. Default: auto, the model decides.
	ImageSize fal.ImageSize `json:"image_size,omitzero"`
	// Seed makes the result repeatable. Default: a random one.
	Seed *uint64 `json:"seed,omitzero"`
	// SafetyTolerance is how much the safety filter lets pass, 1 (strictest)
	// to 5. Default: 2.
	SafetyTolerance SafetyTolerance `json:"safety_tolerance,omitzero"`
	// EnableSafetyChecker flags unsafe pictures. Default: true.
	EnableSafetyChecker *bool `json:"enable_safety_checker,omitzero"`
	// OutputFormat is jpeg or png. Default: jpeg.
	OutputFormat fal.OutputFormat `json:"output_format,omitzero"`
	// SyncMode returns the pictures as data URLs inside the result, which is
	// then not kept in the request history. Default: false.
	SyncMode bool `json:"sync_mode,omitzero"`
}

// Endpoint returns "fal-ai/flux-2-pro/edit".
func (Pro2Edit) Endpoint() fal.Endpoint[fal.Images] { return "fal-ai/flux-2-pro/edit" }

// Validate returns a *fal.ValidationError listing every problem, or nil.
func (r Pro2Edit) Validate() error {
	var l check.List
	l.Required("prompt", r.Prompt)
	l.Files("image_urls", r.ImageURLs, 1, 9)
	l.Size("image_size", r.ImageSize, check.SizeRule{Auto: true})
	check.Enum(&l, "safety_tolerance", r.SafetyTolerance, "1", "2", "3", "4", "5")
	check.Enum(&l, "output_format", r.OutputFormat, "jpeg", "png")
	return l.Err("fal-ai/flux-2-pro/edit")
}

// Usage returns what the request will be charged for.
func (r Pro2Edit) Usage() fal.Usage {
	u := fal.Usage{
		Endpoint: "fal-ai/flux-2-pro/edit",
		Outputs:  1,
		Size:     r.ImageSize,
		Inputs:   r.ImageURLs,
	}
	if r.ImageSize == "" || r.ImageSize == fal.AutoSize {
		u.Size, u.MinPixels, u.MaxPixels = "", 1, 4<<20 // the model decides, up to 4 megapixels
	}
	return u
}

// MarshalJSON returns the body of the request.
func (r Pro2Edit) MarshalJSON() ([]byte, error) {
	o := body.New()
	body.String(o, "prompt", r.Prompt)
	o.Files("image_urls", r.ImageURLs)
	o.Size("image_size", r.ImageSize)
	o.Seed("seed", r.Seed)
	body.String(o, "safety_tolerance", r.SafetyTolerance)
	o.BoolPtr("enable_safety_checker", r.EnableSafetyChecker)
	body.String(o, "output_format", r.OutputFormat)
	o.Bool("sync_mode", r.SyncMode)
	return o.JSON()
}

// MapFiles returns a copy of the request in which f replaced every file.
func (r Pro2Edit) MapFiles(f func(field string, file fal.File) (fal.File, error)) (fal.Request[fal.Images], error) {
	var err error
	if r.ImageURLs, err = body.MapFiles("image_urls", r.ImageURLs, f); err != nil {
		return nil, err
	}
	return r, nil
}
