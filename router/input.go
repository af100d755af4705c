package router

import (
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// input is a task as the fields of a request take it.
type input struct {
	*asked
	prompt       string
	size         fal.ImageSize
	aspect       string
	count        int
	seed         *uint64
	acceleration string
	turbo        bool
}

// asked is what a task asks of each model in the same form. All inputs share it.
type asked struct {
	task       *Task
	negative   string
	pictures   []fal.File
	mask       fal.File
	layers     int
	steps      int
	guidance   *float64
	loras      []LoRA
	format     fal.OutputFormat
	expansion  *bool
	expander   qwen.PromptExpander
	resolution flux.Resolution
	angle      Angle
	upscale    float64
	strength   *float64

	left, right, top, bottom int // by how many pixels a picture is extended
}

// newAsked fills in all but the pictures.
func newAsked(t *Task, e *extent) *asked {
	a := &asked{
		task: t, negative: t.NegativePrompt, layers: t.Layers, steps: t.Steps, guidance: t.Guidance, loras: t.LoRAs, format: t.Format,
		resolution: resolutionFor(t), angle: t.Angle, upscale: t.Scale, strength: t.Strength,
	}
	wider, higher := t.extension()
	a.left, a.right = shares(wider, e.left, e.right)
	a.top, a.bottom = shares(higher, e.up, e.down)
	if t.VerbatimPrompt {
		a.expansion, a.expander = new(false), qwen.ExpanderNone
	}
	return a
}

// picture returns one of the pictures.
func (in *asked) picture(i int) fal.File {
	if i < 0 || i >= len(in.pictures) {
		return fal.File{}
	}
	return in.pictures[i]
}

// last returns the last of the pictures.
func (in *asked) last() fal.File { return in.picture(len(in.pictures) - 1) }

func (in *asked) fluxLoRAs() []flux.LoRA {
	var out []flux.LoRA
	for _, l := range in.loras {
		out = append(out, flux.LoRA{Path: l.Path, Scale: l.Scale})
	}
	return out
}

func (in *asked) qwenLoRAs() []qwen.LoRA {
	var out []qwen.LoRA
	for _, l := range in.loras {
		out = append(out, qwen.LoRA{Path: l.Path, Scale: l.Scale})
	}
	return out
}

// turn is the direction as a move of the camera. What the move cannot reach is
// refused before.
func (in *asked) turn() qwen.Turn {
	t, _ := in.angle.Direction.Turn()
	return t
}

// upscale lets the result of the upscaler, which is one picture, be read like
// the others.
type upscale struct{ flux.VisionUpscaler }

// Endpoint returns the model of the upscaler.
func (u upscale) Endpoint() fal.Endpoint[fal.Images] {
	return fal.Endpoint[fal.Images](u.VisionUpscaler.Endpoint())
}
