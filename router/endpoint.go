package router

import (
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// endpoint is an endpoint that tasks may be routed to.
type endpoint struct {
	id, goName, title, family, task string
	preset                          string // of those that share a Go type
	what                            string // what it is good for
	licence                         string
	open, retired                   bool

	has           flags
	formats       []fal.OutputFormat
	accelerations []string
	aspects       []string // the aspect ratios, where it has no sizes
	sizes         sizes
	maxCount      int    // of pictures in a request; 0 is one
	maxLoRAs      int    // 0 is any number, of those that have any
	pictures      [2]int // how many it must and may get
	// compile fills in a request; nil where it needs what no task has.
	compile func(*input) fal.Request[fal.Images]
}

// sizes bound the width and height of pictures, and their product, in pixels. 0
// is no bound.
type sizes struct{ minSide, maxSide, minArea, maxArea int }

// flags are the fields of a request that a task may or may not find.
type flags uint16

const (
	hasNegative flags = 1 << iota
	hasSize
	hasSeed
	hasSteps
	hasGuidance
	hasLoRAs
	hasTurbo
	hasExpansion // a switch that keeps the prompt as it is
	hasMentions
)

// Model is a model that tasks may be routed to.
type Model struct {
	// Go is its Go type, such as "flux.Pro2"; ID its endpoint.
	Go string `json:"go"`
	ID string `json:"id"`
	// Title is its name as people write it, such as "FLUX.2 [pro]"; Family is
	// such as "FLUX.2".
	Title  string `json:"title"`
	Family string `json:"family"`
	// What says what it is good for.
	What string `json:"what"`
	// Licence is that of the weights, "" if there are none to be had.
	Licence string `json:"licence,omitzero"`
}

func (m Model) String() string { return m.Title + " (" + m.Go + ")" }

func (e *endpoint) model() Model {
	return Model{Go: e.goName, ID: e.id, Title: e.title, Family: e.family, What: e.what, Licence: e.licence}
}

// Models returns every model that a task may be routed to, in the order of the
// catalogue.
func Models() []Model {
	var out []Model
	for i := range endpoints {
		if endpoints[i].routable() {
			out = append(out, endpoints[i].model())
		}
	}
	return out
}

// routable reports whether there are tasks that the endpoint serves.
func (e *endpoint) routable() bool {
	switch e.task {
	case "redux", "control", "reference", "outpaint", "realtime":
		return false
	case "gallery":
		return galleries[e.gallery()] != ""
	}
	return e.compile != nil
}

// is reports whether a name means this endpoint: its package, family, Go type
// or id. Letter case does not count.
func (e *endpoint) is(name string) bool {
	return strings.EqualFold(name, e.goName) || name == e.id || strings.EqualFold(name, e.family) ||
		strings.EqualFold(name, e.pkg()) || strings.EqualFold(name, e.title)
}

// pkg returns the package of its Go type.
func (e *endpoint) pkg() string {
	pkg, _, _ := strings.Cut(e.goName, ".")
	return pkg
}

// readsJSON reports whether structured prompts are documented for it: FLUX.2
// but for [klein].
func (e *endpoint) readsJSON() bool {
	return e.family == "FLUX.2" && !strings.Contains(e.goName, "Klein") && e.task != "gallery"
}

// knowsHex reports whether exact colours in the prompt are documented for it.
func (e *endpoint) knowsHex() bool { return e.readsJSON() }

// chinese reports whether it is documented for Chinese and English alone.
func (e *endpoint) chinese() bool { return e.family == "Qwen Image 2.0" }

// rewrites reports whether it rewrites prompts and has no switch for it. For
// FLUX.2 [pro] the comparison article says so; that its fellows do too is
// assumed.
func (e *endpoint) rewrites() bool {
	return slices.Contains(rewriters, e.goName)
}

var rewriters = []string{"flux.Pro2", "flux.Pro2Edit", "flux.Max2", "flux.Max2Edit", "flux.Flex2", "flux.Flex2Edit"}

// ownArea is the area of its pictures where it decides by itself, or 0 where
// that is not known.
func (e *endpoint) ownArea() int {
	switch {
	case strings.HasPrefix(e.goName, "flux.Pro11Ultra"):
		return 4 << 20
	case len(e.aspects) > 0:
		return 1 << 20 // the Kontext models
	}
	return 0
}

// serves reports whether the endpoint is made for a kind of work.
func (e *endpoint) serves(t *Task) bool {
	if len(t.Pictures) == 0 {
		return e.task == "text-to-image"
	}
	switch e.task {
	case "edit":
		switch t.Edit {
		case EditLayers, EditInpaint, EditUpscale:
			return false
		}
		return true
	case "image-to-image":
		return t.Edit == EditStyle
	case "inpaint":
		return t.Edit == EditInpaint
	case "erase":
		return t.Edit == EditRemove && !t.Mask.IsZero()
	case "layers":
		return t.Edit == EditLayers
	case "upscale":
		return t.Edit == EditUpscale
	case "try-on":
		return t.Edit == EditTryOn
	case "gallery":
		return galleries[e.gallery()] == t.Edit && t.Edit != ""
	}
	return false
}

// galleries are the LoRA galleries that are made for a kind of editing.
var galleries = map[string]Edit{
	"multiple-angles":   EditAngle,
	"remove-element":    EditRemove,
	"add-background":    EditBackground,
	"virtual-tryon":     EditTryOn,
	"integrate-product": EditCompose,
	"next-scene":        EditInContext,
}

// gallery returns the last part of the id: what a gallery is for.
func (e *endpoint) gallery() string {
	if strings.HasSuffix(e.goName, "Angles") {
		return "multiple-angles"
	}
	return e.preset
}

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
	angle            Angle
	upscale          float64
}

// picture returns one of the pictures.
func (in *input) picture(i int) fal.File {
	if i >= len(in.pictures) {
		return fal.File{}
	}
	return in.pictures[i]
}

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

// rotation and tilt are the angle as a move of the camera. What the move
// cannot reach is refused before.
func (in *input) rotation() float64 {
	r, _ := qwen.Rotation(in.angle.Direction)
	return r
}

func (in *input) tilt() float64 { return qwen.Tilt(in.angle.Height) }

// upscale lets the result of the upscaler, which is one picture, be read like
// the others.
type upscale struct{ flux.VisionUpscaler }

// Endpoint returns the endpoint of the upscaler.
func (u upscale) Endpoint() fal.Endpoint[fal.Images] {
	return fal.Endpoint[fal.Images](u.VisionUpscaler.Endpoint())
}
