package qwen

import (
	"github.com/falimage/falimage-go/internal/body"
	"github.com/falimage/falimage-go/internal/check"
)

// LoRA is a set of weights to load on top of the model.
type LoRA struct {
	// Path is the URL, Hugging Face repository or path of the weights.
	// Required.
	Path string `json:"path"`
	// Scale is how much the weights count, 0 to 4. Default: 1.
	Scale *float64 `json:"scale,omitzero"`
}

func (v LoRA) check(l *check.List, field string) {
	l.Required(field+".path", v.Path)
	l.FloatPtr(field+".scale", v.Scale, 0, 4)
}

// MarshalJSON returns the weights as they stand in a request.
func (v LoRA) MarshalJSON() ([]byte, error) {
	o := body.New()
	body.String(o, "path", v.Path)
	o.FloatPtr("scale", v.Scale)
	return o.JSON()
}
