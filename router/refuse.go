package router

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// needs is a set of what a task needs and a model may lack.
type needs uint32

const (
	needWork needs = 1 << iota
	needPictures
	needMask
	needLoRAs
	needLicence
	needFormat
	needPixels
	needVerbatim
	needOnly
	needNot
	needFeatures
	needAngle
	needLimits
	needMaxPrice
	needMaxPricePerImage
	needPrice

	allNeeds = needPrice<<1 - 1
)

// each yields the needs of the set one by one.
func (n needs) each(yield func(needs) bool) {
	for ; n != 0; n &= n - 1 {
		if !yield(n & -n) {
			return
		}
	}
}

// refuses returns the needs that the endpoint cannot meet, as far as they show
// before a request is made.
func (x *route) refuses(e *endpoint) needs {
	t := x.task
	var n needs
	set := func(need needs, is bool) {
		if is {
			n |= need
		}
	}
	set(needWork, !e.routable() || !e.serves(t))
	set(needOnly, len(t.Only) > 0 && !slices.ContainsFunc(t.Only, e.is))
	set(needNot, slices.ContainsFunc(t.Not, e.is))
	set(needLicence, t.Licence == OpenWeights && !e.open || t.Licence == Apache2 && e.licence != "Apache 2.0")
	set(needFormat, t.Format != "" && !slices.Contains(e.formats, t.Format))
	set(needVerbatim, t.VerbatimPrompt && e.rewrites())
	set(needPixels, t.MinPixels > 0 && !x.large(e))
	if n&needWork != 0 {
		return n // what follows would not say more
	}
	if many := len(t.Pictures); many > 0 {
		set(needPictures, many < e.pictures[0] || many > e.pictures[1] && e.pictures[1] > 0)
	}
	set(needMask, t.Mask.IsZero() && (e.task == "inpaint" || e.task == "erase"))
	set(needLoRAs, !x.loraFits(e))
	set(needAngle, t.Edit == EditAngle && !e.reaches(t.Angle))
	if len(t.Require) > 0 {
		for f := range x.lost(e) {
			set(needFeatures, slices.Contains(t.Require, f))
		}
	}
	return n
}

// large reports whether the pictures have the least area that is asked for, as
// far as that is known before.
func (x *route) large(e *endpoint) bool {
	if e.has&hasSize == 0 {
		return e.ownArea() >= x.task.MinPixels
	}
	width, height, ok := e.sizes.fit(x.size).Dimensions()
	return !ok || width*height >= x.task.MinPixels
}

// loraFits reports whether the endpoint takes the LoRAs of the task; one that
// is made for LoRAs needs some.
func (x *route) loraFits(e *endpoint) bool {
	list := x.task.LoRAs
	if len(list) == 0 {
		return !strings.Contains(e.title, "with LoRAs") && !strings.Contains(e.title, "with ControlNets")
	}
	if e.has&hasLoRAs == 0 || e.maxLoRAs > 0 && len(list) > e.maxLoRAs {
		return false
	}
	return !slices.ContainsFunc(list, func(l LoRA) bool { return l.Base != "" && !e.is(l.Base) })
}

// takesPrompt reports whether the model reads a prompt.
func (e *endpoint) takesPrompt() bool {
	switch {
	case e.task == "upscale", e.task == "erase", e.goName == "flux.Gallery2Angles", e.goName == "qwen.Edit2509Angles":
		return false
	}
	return true
}

// reaches reports whether the camera can go there: the older weights know a
// quarter turn to each side alone, and those for FLUX.2 no view from below.
// Models without an angle of their own are told in the prompt.
func (e *endpoint) reaches(a Angle) bool {
	switch e.goName {
	case "qwen.Edit2509Angles":
		in := input{angle: a}
		return a.Direction == 0 || in.rotation() != 0
	case "flux.Gallery2Angles":
		return a.Height >= 0 && a.Height <= 60
	}
	return true
}

// Refusal is a model that cannot serve a task.
type Refusal struct {
	endpoint *endpoint
	needs    needs
	price    pricing.USD // what it would cost at most, if that is the reason
	err      error       // of its own limits or its price
}

// Model returns the model.
func (r *Refusal) Model() Model { return r.endpoint.model() }

// Why returns why the model cannot serve the task, a sentence for each reason.
func (r *Refusal) Why() []string {
	var out []string
	for n := range r.needs.each {
		out = append(out, r.why(n))
	}
	return out
}

func (r *Refusal) String() string {
	return r.endpoint.goName + ": " + strings.Join(r.Why(), "; ")
}

// tasks say what kinds of endpoints are for.
var tasks = map[string]string{
	"text-to-image":  "makes pictures from a prompt alone",
	"edit":           "edits pictures in words",
	"image-to-image": "reworks a picture as a whole",
	"inpaint":        "repaints what a mask covers",
	"erase":          "removes what a mask covers",
	"redux":          "makes variations of a picture",
	"control":        "follows a control picture, which no task has",
	"reference":      "keeps a face or subject by means that no task has",
	"layers":         "takes a picture apart into layers",
	"upscale":        "enlarges a picture",
	"try-on":         "dresses a person",
	"outpaint":       "extends a picture beyond its edges",
	"realtime":       "needs a realtime session",
	"gallery":        "has a style or purpose of its own",
}

func (r *Refusal) why(n needs) string {
	e := r.endpoint
	switch n {
	case needWork:
		if e.compile == nil && e.task != "realtime" && e.task != "control" && e.task != "reference" {
			return "needs what no task has"
		}
		return "is for other work: it " + tasks[e.task]
	case needPictures:
		switch {
		case e.pictures[0] == e.pictures[1]:
			return fmt.Sprintf("takes %d pictures", e.pictures[0])
		case e.pictures[1] > 0:
			return fmt.Sprintf("takes %d to %d pictures", e.pictures[0], e.pictures[1])
		}
		return fmt.Sprintf("takes %d pictures or more", e.pictures[0])
	case needMask:
		return "needs a mask"
	case needLoRAs:
		switch {
		case e.has&hasLoRAs == 0:
			return "takes no LoRAs"
		case e.maxLoRAs > 0:
			return fmt.Sprintf("takes LoRAs for this very model, %d at most", e.maxLoRAs)
		}
		return "is for LoRAs that were trained for it, and none are given"
	case needLicence:
		if e.licence == "" {
			return "its weights are not published"
		}
		return "its licence is " + e.licence
	case needFormat:
		return fmt.Sprintf("makes %v files alone", e.formats)
	case needPixels:
		if a := e.ownArea(); a > 0 {
			return fmt.Sprintf("makes pictures of about %d megapixels", a>>20)
		}
		if e.has&hasSize != 0 {
			return "does not make pictures that large"
		}
		return "decides the size by itself"
	case needVerbatim:
		return "rewrites prompts and has no switch for it"
	case needOnly:
		return "is not among the models allowed"
	case needNot:
		return "is banned"
	case needFeatures:
		return "lacks a feature that is required"
	case needAngle:
		return "cannot turn the camera that far"
	case needLimits:
		return limits(r.err)
	case needMaxPrice, needMaxPricePerImage:
		return fmt.Sprintf("costs up to %v", r.price)
	}
	if r.err != nil && !errors.Is(r.err, pricing.ErrUnknown) {
		return r.err.Error()
	}
	return "its price is not known"
}

// limits returns what a request itself refuses, in short.
func limits(err error) string {
	e, ok := errors.AsType[*fal.ValidationError](err)
	if !ok {
		return fmt.Sprint(err)
	}
	var all []string
	for _, p := range e.Problems {
		all = append(all, p.String())
	}
	return strings.Join(all, "; ")
}

// name returns a need of the task in words.
func (t *Task) name(n needs) string {
	switch n {
	case needWork:
		switch {
		case len(t.Pictures) == 0:
			return "pictures from a prompt alone"
		case t.Edit == "":
			return "editing a picture"
		}
		return "editing: " + string(t.Edit)
	case needPictures:
		return fmt.Sprintf("%d input pictures", len(t.Pictures))
	case needMask:
		return "no mask"
	case needLoRAs:
		if len(t.LoRAs) == 0 {
			return "no LoRAs"
		}
		return fmt.Sprintf("%d LoRAs", len(t.LoRAs))
	case needLicence:
		if t.Licence == Apache2 {
			return "licence: Apache 2.0"
		}
		return "licence: open weights"
	case needFormat:
		return "format: " + string(t.Format)
	case needPixels:
		return fmt.Sprintf("at least %d pixels", t.MinPixels)
	case needVerbatim:
		return "no rewriting of the prompt"
	case needOnly:
		return "only " + strings.Join(t.Only, ", ")
	case needNot:
		return "not " + strings.Join(t.Not, ", ")
	case needFeatures:
		var names []string
		for _, f := range t.Require {
			names = append(names, string(f))
		}
		return "required: " + strings.Join(names, ", ")
	case needAngle:
		return "this camera angle"
	case needLimits:
		return "the values of the task"
	case needMaxPrice:
		return fmt.Sprintf("a price of at most %v", t.MaxPrice)
	case needMaxPricePerImage:
		return fmt.Sprintf("a price of at most %v for each picture", t.MaxPricePerImage)
	}
	return "a known price"
}

// NoModelError says that no model can serve a task, and why.
type NoModelError struct {
	// Conflict names the needs that no model meets together.
	Conflict []string
	// Nearest are choices that meet all needs but one, the cheapest for each
	// such need; or, where that does not help, all but a few.
	Nearest []Nearest
	// Refused are the models, each with its reasons.
	Refused []Refusal
}

// Nearest is a choice that a task could have if it gave up a need.
type Nearest struct {
	Model Model
	// Without is the need to give up.
	Without string
	// Expected and Max are what it would cost; 0 if its price is not known.
	Expected, Max pricing.USD
}

func (n Nearest) String() string {
	price := "at a price that is not known"
	if n.Max > 0 {
		price = "for " + n.Expected.String()
		if n.Max != n.Expected {
			price += fmt.Sprintf(" (at most %v)", n.Max)
		}
	}
	return fmt.Sprintf("without %q: %v %s", n.Without, n.Model, price)
}

func (e *NoModelError) Error() string {
	var b strings.Builder
	b.WriteString("router: no model can do all of this together: ")
	b.WriteString(strings.Join(e.Conflict, " + "))
	for _, n := range e.Nearest {
		b.WriteString("; " + n.String())
	}
	return b.String()
}

// noModel finds out which needs conflict: those of which giving up one alone
// would help. If there are none, or it is only the choice of models, it takes
// what the nearest model lacks as well.
func (x *route) noModel(refused []Refusal) *NoModelError {
	e := &NoModelError{Refused: refused}
	var conflict needs
	for n := needs(1); n <= allNeeds; n <<= 1 {
		if best, ok := x.without(n, refused); ok {
			conflict |= n
			e.Nearest = append(e.Nearest, best)
		}
	}
	if conflict&^needOnly == 0 {
		// Refusals are in the order of the endpoints.
		nearest, fewest := 0, 99
		for i := range refused {
			r := &refused[i]
			if n := bits.OnesCount32(uint32(r.needs)); n < fewest && r.endpoint.routable() && r.needs&needOnly == 0 {
				nearest, fewest = i, n
			}
		}
		lacks := refused[nearest].needs
		conflict |= lacks
		if c, again := x.try(nearest, lacks|needLimits); again.needs == 0 {
			e.Nearest = append(e.Nearest, Nearest{c.Model, strings.Join(x.names(lacks), " and "), c.Expected, c.Max})
		}
	}
	e.Conflict = x.names(conflict)
	return e
}

func (x *route) names(set needs) []string {
	var out []string
	for n := range set.each {
		out = append(out, x.task.name(n))
	}
	return out
}

// without returns the cheapest model that lacks nothing but the need.
func (x *route) without(n needs, refused []Refusal) (best Nearest, found bool) {
	plain := *x.task
	plain.Edit = ""
	switch {
	case n == needLimits, n == needWork && len(x.task.Only) == 0:
		return best, false // no advice: that is the task itself
	case n == needPrice && (x.task.MaxPrice > 0 || x.task.MaxPricePerImage > 0):
		return best, false // no bound can be kept without a price
	}
	ignore := n
	if n == needWork {
		ignore |= needLimits
	}
	for i := range refused {
		r := &refused[i]
		if r.needs != n || !r.endpoint.routable() || n == needWork && !r.endpoint.serves(&plain) {
			continue
		}
		c, again := x.try(i, ignore)
		if again.needs != 0 {
			continue
		}
		if !found || c.Max > 0 && (best.Max == 0 || c.Expected < best.Expected) {
			best, found = Nearest{c.Model, x.task.name(n), c.Expected, c.Max}, true
		}
	}
	return best, found
}

// TaskError lists everything that is wrong with a task itself.
type TaskError struct{ Problems []fal.Problem }

func (e *TaskError) Error() string {
	all := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		all[i] = p.String()
	}
	return "router: task: " + strings.Join(all, "; ")
}
