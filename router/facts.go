package router

import (
	"cmp"
	"fmt"
	"slices"
)

// fact is something that is true of a task and that rules can ask for.
type fact uint8

const (
	always fact = iota
	generate
	editing
	preview
	draft
	final
	photo
	product
	illustration
	poster
	infographic
	comic
	ui
	texture
	text
	multilingual
	manyElements
	people
	references
	manyReferences
	structured
	colors
	mentions
	negative
	steps
	guidance
	loras
	volume
	large
	inContext
	style
	remove
	background
	textEdit
	angle
	layersEdit
	inpaint
	tryOn
	upscaling
	compose
	extend
	cutout
	variation
	rework
	depth
	edges
	face
	subject
	relight
	transparent
	factCount
)

// factNames are the names of facts, as the rules of a policy write them.
var factNames = [factCount]string{
	"always", "generate", "edit", "preview", "draft", "final",
	"photo", "product", "illustration", "poster", "infographic", "comic", "ui", "texture",
	"text", "multilingual", "many-elements", "people", "references", "many-references",
	"structured", "colors", "mentions", "negative", "steps", "guidance", "loras", "volume", "large",
	"in-context", "style", "remove", "background", "text-edit", "angle", "layers", "inpaint", "try-on", "upscale", "multi-picture", "extend", "cut-out",
	"variation", "rework", "depth", "edges", "face", "subject", "relight", "transparent",
}

// facts is a set of facts.
type facts uint64

func (s facts) has(f fact) bool { return s&(1<<f) != 0 }

const (
	// volumeCount is the number of pictures from which on a task is a batch.
	volumeCount = 100
	// largePixels is the area from which on a picture is a large one: what
	// 2K models make and others are stretched to.
	largePixels = 3 << 20
	// manyReferencesCount is more than the Qwen models take.
	manyReferencesCount = 4
)

// Fact is something that was understood of a task.
type Fact struct {
	// Name is as the rules of a policy write it, such as "text".
	Name string `json:"name"`
	// Why says what it was understood from.
	Why string `json:"why"`
}

// understanding is what is known about a task.
type understanding struct {
	facts     facts
	why       [factCount]string
	languages []string
	overPhoto bool // it is a design, such as a poster, over a photo
	cut       bool // that it is transparent follows from a cut-out alone
	extent    extent
}

func (u *understanding) add(f fact, why string) {
	if !u.facts.has(f) {
		u.facts |= 1 << f
		u.why[f] = why
	}
}

// list returns the facts in words.
func (u *understanding) list() []Fact {
	var out []Fact
	for f := generate; f < factCount; f++ {
		if u.facts.has(f) {
			out = append(out, Fact{factNames[f], u.why[f]})
		}
	}
	return out
}

// names returns the names of the facts in the set.
func (s facts) names() []string {
	var out []string
	for f := generate; f < factCount; f++ {
		if s.has(f) {
			out = append(out, factNames[f])
		}
	}
	return out
}

// detectable are the facts that may be found in a prompt.
const detectable facts = 1<<photo | 1<<product | 1<<illustration | 1<<poster | 1<<infographic | 1<<comic | 1<<ui | 1<<texture |
	1<<text | 1<<multilingual | 1<<manyElements | 1<<people | 1<<mentions |
	1<<inContext | 1<<style | 1<<remove | 1<<background | 1<<textEdit | 1<<angle | 1<<extend | 1<<cutout | 1<<tryOn | 1<<relight | 1<<transparent

// replace has a function decide what was detected, and drops what the task
// denies. Facts that the task states stay.
func (u *understanding) replace(t *Task, detect func(*Task, []Fact) []Fact) error {
	if detect != nil && (t.Prompt != "" || t.Structured != nil) {
		found := detect(t, u.list())
		for f := generate; f < factCount; f++ {
			if detectable.has(f) && u.why[f] != given {
				u.facts &^= 1 << f
			}
		}
		for _, f := range found {
			switch i := slices.Index(factNames[:], f.Name); {
			case i < 0:
				return fmt.Errorf("router: policy: detect: no fact %q: there are %q", f.Name, detectable.names())
			case detectable.has(fact(i)):
				u.add(fact(i), cmp.Or(f.Why, "the policy's detection says so"))
			}
		}
	}
	for _, name := range t.Deny {
		f := fact(slices.Index(factNames[:], name))
		if u.why[f] != given {
			u.facts &^= 1 << f
		}
		if f == cutout && u.cut {
			u.facts &^= 1 << transparent
		}
	}
	return nil
}

const given = "the task says so"

var purposeFacts = map[Purpose]fact{
	Photo: photo, Product: product, Illustration: illustration, Poster: poster,
	Infographic: infographic, Comic: comic, UI: ui, Texture: texture,
}

var stageFacts = map[Stage]fact{StagePreview: preview, StageDraft: draft, StageFinal: final}

var editFacts = map[Edit]fact{
	EditInContext: inContext, EditStyle: style, EditRemove: remove, EditBackground: background,
	EditText: textEdit, EditAngle: angle, EditLayers: layersEdit, EditInpaint: inpaint,
	EditTryOn: tryOn, EditUpscale: upscaling, EditCompose: compose, EditVariation: variation, EditRework: rework,
	EditDepth: depth, EditEdges: edges, EditFace: face, EditSubject: subject, EditExtend: extend, EditRelight: relight,
}
