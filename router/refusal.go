package router

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// Refusal is a model that cannot serve a task.
type Refusal struct {
	model *model
	needs needs
	price pricing.USD // what it would cost at most, if that is the reason
	err   error       // of its own limits or its price
}

// Model returns the model.
func (r *Refusal) Model() Model { return r.model.Model }

// index is the place of the model in the router.
func (r *Refusal) index(of *Router) int {
	return slices.IndexFunc(of.models, func(m *model) bool { return m == r.model })
}

// Why returns why the model cannot serve the task, a sentence for each reason.
func (r *Refusal) Why() []string {
	var out []string
	for n := range r.needs.each {
		out = append(out, needTable[n].why(r))
	}
	return out
}

func (r *Refusal) String() string {
	return r.model.Name + ": " + strings.Join(r.Why(), "; ")
}

// tasks say what kinds of endpoints are for.
var tasks = map[string]string{
	"text-to-image":  "makes pictures from a prompt alone",
	"edit":           "edits pictures in words",
	"image-to-image": "reworks a picture as a whole",
	"inpaint":        "repaints what a mask covers",
	"erase":          "removes what a mask covers",
	"redux":          "makes variations of a picture",
	"control":        "follows the depth or the edges of a picture",
	"reference":      "keeps a face or a subject",
	"layers":         "takes a picture apart into layers",
	"upscale":        "enlarges a picture",
	"try-on":         "dresses a person",
	"relight":        "brightens a picture",
	"outpaint":       "extends a picture beyond its edges",
	"realtime":       "needs a realtime session",
	"gallery":        "has a style or purpose of its own",
}

// limits returns what a request itself refuses, in short.
func limits(err error) string {
	e, ok := errors.AsType[*fal.ValidationError](err)
	if !ok {
		return fmt.Sprint(err)
	}
	return inWords(e.Problems)
}
