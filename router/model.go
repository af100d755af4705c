package router

import (
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
)

// Model is a model that tasks may be routed to.
type Model struct {
	// Name is its Go type, such as "flux.Pro2"; Endpoint its id at fal, such as
	// "fal-ai/flux-2-pro".
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	// Title is its name as people write it, such as "FLUX.2 [pro]"; Family is
	// such as "FLUX.2".
	Title  string `json:"title"`
	Family string `json:"family"`
	// What says what it is good for.
	What string `json:"what"`
	// Licence is that of the weights, "" if there are none to be had.
	Licence string `json:"licence,omitzero"`
}

func (m Model) String() string { return m.Title + " (" + m.Name + ")" }

// Models returns every model that a task may be routed to, in the order of the
// catalogue.
func Models() []Model { return Default().Models() }

// model is what is known of a model.
type model struct {
	Model
	task   string // the kind of work it is for, one of tasks
	preset string // of those that share a Go type
	own    *OwnModel
	open   bool
	state  schema.State // "" is live
	doubt  string       // what speaks against sending it anything

	has           flags
	formats       []fal.OutputFormat
	accelerations []string
	aspects       []string // the aspect ratios, where it has no sizes
	sizes         sizes
	reduced       int    // the area that larger pictures are reduced to, or 0
	maxCount      int    // of pictures in a request; 0 is one
	maxLoRAs      int    // 0 is any number, of those that have any
	pictures      [2]int // how many it must and may get
	// request makes a request; nil where it needs what no task has.
	request func(*input) fal.Request[fal.Images]
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
	hasResolution // size classes
	hasStrength
	hasAlpha  // makes transparent pictures
	hasColors // of models of one's own; see knowsHex
	hasJSON   // of models of one's own; see readsJSON
)

// routable reports whether there are tasks that the model serves.
func (m *model) routable() bool {
	return m.request != nil
}

// is reports whether a name means this endpoint: its package, family, Go type
// or id. Letter case does not count.
func (m *model) is(name string) bool {
	return same(name, m.Name) || name == m.Endpoint || m.many(name) || same(name, m.Title)
}

// many reports whether a name means this endpoint and others: its package or family.
func (m *model) many(name string) bool { return same(name, m.Family) || same(name, m.pkg()) }

// same compares names, most of which differ in length.
func same(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// pkg returns the package of its Go type.
func (m *model) pkg() string {
	if i := strings.IndexByte(m.Name, '.'); i >= 0 {
		return m.Name[:i]
	}
	return m.Name
}

// readsJSON reports whether structured prompts are documented for it: FLUX.2
// but for [klein].
func (m *model) readsJSON() bool {
	if m.own != nil {
		return m.has&hasJSON != 0
	}
	return m.Family == "FLUX.2" && !strings.Contains(m.Name, "Klein") && m.task != "gallery"
}

// knowsHex reports whether exact colours in the prompt are documented for it.
func (m *model) knowsHex() bool { return m.readsJSON() || m.has&hasColors != 0 }

// chinese reports whether it is documented for Chinese and English alone.
func (m *model) chinese() bool {
	return m.own == nil && (m.Family == "Qwen Image 2.0" || m.Family == "Qwen Image 3")
}

// rewrites reports whether it rewrites prompts and has no switch for it. For
// FLUX.2 [pro] the comparison article says so; that its fellows do too is
// assumed.
func (m *model) rewrites() bool {
	return slices.Contains(rewriters, m.Name)
}

var rewriters = []string{"flux.Pro2", "flux.Pro2Edit", "flux.Max2", "flux.Max2Edit", "flux.Flex2", "flux.Flex2Edit"}

// ownArea is the area of its pictures where it decides by itself, or 0 where
// that is not known.
func (m *model) ownArea() int {
	switch {
	case m.has&hasResolution != 0:
		return 14 * schema.Megapixel // of its largest class, at any ratio
	case strings.HasPrefix(m.Name, "flux.Pro11Ultra"):
		return 4 * schema.Megapixel
	case len(m.aspects) > 0:
		return schema.Megapixel // the Kontext models
	}
	return 0
}

// serves reports whether the model is made for a kind of work.
func (m *model) serves(t *Task) bool {
	if m.task == "gallery" && t.spells(m) {
		return (len(t.Pictures) > 0) == (m.pictures[0] > 0)
	}
	if len(t.Pictures) == 0 {
		return m.task == "text-to-image" && t.Edit == ""
	}
	switch m.task {
	case "edit":
		switch t.Edit {
		case EditLayers, EditInpaint, EditUpscale, EditVariation, EditRework, EditDepth, EditEdges:
			return false
		}
		return true
	case "image-to-image":
		return t.Edit == EditStyle || t.Edit == EditRework
	case "redux":
		return t.Edit == EditVariation
	case "control":
		return t.Edit == EditDepth && m.preset == "depth" || t.Edit == EditEdges && m.preset == "canny"
	case "reference":
		return t.Edit == EditFace && m.Name == "flux.PuLID" || t.Edit == EditSubject && m.Name != "flux.PuLID"
	case "outpaint":
		return t.Edit == EditExtend
	case "relight":
		return t.Edit == EditRelight
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
		return galleries[m.gallery()] == t.Edit && t.Edit != ""
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

	"lighting-restoration":  EditRelight,
	"remove-lighting":       EditRelight,
	"face-to-full-portrait": EditFace,
	"group-photo":           EditCompose,
}

// gallery returns the last part of the id: what a gallery is for.
func (m *model) gallery() string {
	if strings.HasSuffix(m.Name, "Angles") {
		return "multiple-angles"
	}
	return m.preset
}

// takesPrompt reports whether the model reads a prompt.
func (m *model) takesPrompt() bool {
	switch {
	case m.own != nil:
		return true
	case m.task == "upscale", m.task == "erase", m.task == "outpaint",
		m.task == "redux" && !strings.HasPrefix(m.Name, "flux.Pro"), m.Name == "qwen.Edit2509Lighting", m.Name == "flux.Gallery2Angles", m.Name == "qwen.Edit2509Angles":
		return false
	}
	return true
}

// reaches reports whether the camera can go there: the older weights know a
// quarter turn to each side alone, and those for FLUX.2 no view from below.
// Models without an angle of their own are told in the prompt.
func (m *model) reaches(a Angle) bool {
	switch m.Name {
	case "qwen.Edit2509Angles":
		turn, _ := a.Direction.Turn()
		return a.Direction == 0 || turn != 0
	case "flux.Gallery2Angles":
		return a.Height >= 0 && a.Height <= 60
	}
	return true
}
