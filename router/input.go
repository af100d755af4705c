package router

import (
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// input is a task as the fields of a request take it.
type input struct {
	prompt, negative string
	pictures         []fal.File
	mask             fal.File
	size             fal.ImageSize
	aspect           string
	count            int
	layers           int
	seed             *uint64
	steps            int
	guidance         *float64
	acceleration     string
	turbo            bool
	loras            []LoRA
	format           fal.OutputFormat
	expansion        *bool
	expander         qwen.PromptExpander
	resolution       flux.Resolution
	angle            Angle
	upscale          float64
	strength         *float64
	wider, higher    int   // by how many pixels a picture is extended
	task             *Task // that it is made of
}

// picture returns one of the pictures.
func (in *input) picture(i int) fal.File {
	if i < 0 || i >= len(in.pictures) {
		return fal.File{}
	}
	return in.pictures[i]
}

// last returns the last of the pictures.
func (in *input) last() fal.File { return in.picture(len(in.pictures) - 1) }

func (in *input) fluxLoRAs() []flux.LoRA {
	var out []flux.LoRA
	for _, l := range in.loras {
		out = append(out, flux.LoRA{Path: l.Path, Scale: l.Scale})
	}
	return out
}

func (in *input) qwenLoRAs() []qwen.LoRA {
	var out []qwen.LoRA
	for _, l := range in.loras {
		out = append(out, qwen.LoRA{Path: l.Path, Scale: l.Scale})
	}
	return out
}

// turn is the direction as a move of the camera. What the move cannot reach is
// refused before.
func (in *input) turn() qwen.Turn {
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
