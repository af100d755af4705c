package flux

import (
	"encoding/base64"

	"github.com/falimage/falimage-go/fal"
)

// Upscaled is the result of [VisionUpscaler].
type Upscaled struct {
	fal.Meta `json:"meta,omitzero"`

	Image fal.Image `json:"image"`
	// Seed is the seed that was used.
	Seed uint64 `json:"seed,omitzero"`
	// Caption is what the model saw in the picture.
	Caption string `json:"caption,omitzero"`
	// Timings are in seconds, by name, as the endpoint reports them.
	Timings map[string]float64 `json:"timings,omitzero"`
}

// Frames is a result of [KleinRealtime].
type Frames struct {
	fal.Meta `json:"meta,omitzero"`

	Images []Frame `json:"images"`
	// Seed is the seed that was used.
	Seed uint64 `json:"seed,omitzero"`
}

// Frame is a picture that comes inside a result, not behind a URL.
type Frame struct {
	// Content is the file.
	Content []byte `json:"content"`
	// ContentType is the media type, usually "image/jpeg".
	ContentType string `json:"content_type,omitzero"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
}

// File returns the frame as input for another request, such as the next frame
// of the same stream.
func (f Frame) File() fal.File {
	kind := f.ContentType
	if kind == "" {
		kind = "image/jpeg"
	}
	return fal.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(f.Content))
}
