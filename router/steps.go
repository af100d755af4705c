package router

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/pricing"
)

// way is how a task is done in two steps: a first model makes a picture, and a
// second one what the task wants of it.
type way struct {
	lacks  needs // what the first model may lack
	drops  facts // what is not so of the first step, and adds is
	adds   facts
	name   string
	first  Task                            // what the first model does
	second func(made Picture) (Task, bool) // what is done with its picture; false if that does not reach
	points int                             // for doing it this way
	why    string                          // of the points

	route *route                // of first
	known *understanding        // of the second
	among []int                 // the models that may do the second
	after map[[2]int]*following // by the size of what was made
}

// following is the best second step for pictures of a size.
type following struct {
	best *Candidate
	all  pricing.Amounts // for all pictures
	loss Loss            // that there is one
	err  error
}

// Steps returns the two tasks of a candidate that takes two steps, which
// [Candidate.Then] tells: what its model does, and what is done with each
// picture of that. Where the model does all of it, then is nil.
func (c *Candidate) Steps() (first Task, then func(made Picture) Task) {
	if c.way == nil {
		return *c.requests.input.task, nil
	}
	w := c.way
	return w.first, func(made Picture) Task {
		t, _ := w.second(made)
		return t
	}
}

// findWay returns the way to do the task in two steps, or nil if there is none. It
// is for finals alone.
func (r *route) findWay() *way {
	t := r.task
	layered := t.Edit == EditLayers && len(t.Pictures) == 0
	larger := t.MinPixels > 0 && t.Edit != EditUpscale && t.Edit != EditLayers
	if !layered && !larger && !r.needsAlpha() && !r.letteredPhoto() ||
		!r.known.facts.has(final) || slices.Contains(t.Require, FeatureOneStep) {
		return nil
	}
	then := func(prompt string, edit Edit) Task {
		return Task{
			Prompt: prompt, Edit: edit, Count: 1, Format: t.Format, VerbatimPrompt: t.VerbatimPrompt, Licence: t.Licence, Prefer: t.Prefer,
			Only: r.allowed(), Not: t.Not, Require: []Feature{FeatureOneStep}, UnknownPrice: t.UnknownPrice,
		}
	}
	w := &way{after: make(map[[2]int]*following)}
	first := *t
	first.Format, first.Require = "", append(slices.Clone(t.Require), FeatureOneStep)
	switch {
	case layered:
		first.Edit, first.Layers = "", 0
		second := then("", EditLayers)
		second.Layers = t.Layers
		w.name, w.lacks, w.drops = "layers", needTask.set()|needFormat.set(), 1<<layersEdit
		w.second = withPicture(second)
	case r.needsAlpha():
		first.Transparent = false
		first.Deny = append(slices.Clone(t.Deny), factNames[transparent])
		first.Prompt, first.Structured = sentence((&Task{Prompt: t.Prompt, Structured: t.Structured, Text: t.Text}).Prose(), "It stands alone before a plain background of one colour, which is removed afterwards"), nil
		second := then("", EditLayers)
		second.Layers = 2 // the background and what stands before it
		w.name, w.lacks, w.drops = "transparency", needAlpha.set()|needFormat.set(), 1<<transparent
		w.second = withPicture(second)
	case larger:
		first.MinPixels = 0
		if first.Aspect == "" && first.Size == "" {
			first.Size = r.size
		}
		second := then("", EditUpscale)
		w.name, w.lacks, w.drops = "upscaling", needPixels.set()|needFormat.set(), 1<<large
		w.second = func(made Picture) (Task, bool) {
			s := second
			s.Pictures = []Picture{made}
			have := pixels(made.Width, made.Height)
			if have == 0 {
				return s, false
			}
			s.Scale = max(1, math.Ceil(math.Sqrt(float64(t.MinPixels)/float64(have))*100)/100) // it may have come larger than it was to be
			return s, s.Scale <= 4
		}
	default:
		first.Text, first.Purpose, first.Languages = []string{}, Photo, nil
		first.Prompt, first.Structured = sentence((&Task{Prompt: t.Prompt, Structured: t.Structured}).Prose(), "Leave room for lettering, but write none: it is added afterwards"), nil
		second := then(lettering(t), EditText)
		second.Text, second.Languages = t.Text, t.Languages
		w.name, w.drops, w.adds = "lettering", 1<<poster|1<<text|1<<multilingual, 1<<photo
		w.second = withPicture(second)
		w.points, w.why = letteringPoints, "lettering that must be exact goes onto a photo in a step of its own: each by the models that are best at it"
	}
	w.first = first
	return w
}

// allowed returns what Only says of a second step: the names of models choose who
// makes the picture, and those of packages and families hold for both steps.
func (r *route) allowed() []string {
	for _, name := range r.task.Only {
		if slices.ContainsFunc(r.router.models, func(m *model) bool { return m.many(name) }) {
			return r.task.Only
		}
	}
	return nil
}

// letteringPoints are what makes the two steps of a lettered photo come first.
const letteringPoints = 60

// letteredPhoto reports whether the task is a poster or the like with stated
// lettering over a photo.
func (r *route) letteredPhoto() bool {
	f := r.known.facts
	return len(r.task.Text) > 0 && r.known.overPhoto && f.has(generate) && len(r.task.LoRAs) == 0
}

// lettering is the prompt of the second step.
func lettering(t *Task) string {
	var b strings.Builder
	b.WriteString("Add lettering to this picture, and change nothing else. It reads ")
	for i, s := range t.Text {
		if i > 0 {
			b.WriteString(", and ")
		}
		fmt.Fprintf(&b, "%q", s)
	}
	b.WriteString(", as the headline of a design that was asked for in these words: " + (&Task{Prompt: t.Prompt, Structured: t.Structured}).Prose())
	return b.String()
}

// withPicture returns a task of the picture that was made.
func withPicture(t Task) func(Picture) (Task, bool) {
	return func(made Picture) (Task, bool) {
		s := t
		s.Pictures = []Picture{made}
		return s, true
	}
}

// helps reports whether a model that lacks some needs may do the task this way.
func (w *way) helps(lacks needs) bool { return w != nil && lacks&^w.lacks == 0 }

// tryTwo makes c the candidate of a model that does the task with a second one, or
// says what speaks against it.
func (r *route) tryTwo(c *Candidate, i int) Refusal {
	w := r.way
	if w.route == nil {
		known := new(*r.known)
		known.facts = known.facts&^w.drops | w.adds
		w.route = r.router.routeKnowing(&w.first, newPrompts(&w.first), known)
	}
	if refused := w.route.try(c, i, needMaxPrice.set()|needMaxPricePerImage.set()); refused.needs != 0 {
		return refused
	}
	return r.follow(c)
}

// follow adds the second step to a candidate for the first.
func (r *route) follow(c *Candidate) Refusal {
	w := r.way
	size := c.madeSize()
	next, ok := w.after[size]
	if !ok {
		next = new(following)
		w.after[size] = next
		made := Picture{File: unknownSize, Width: size[0], Height: size[1]}
		var err error
		task, reaches := w.second(made)
		if !reaches {
			next.err = fmt.Errorf("its pictures are too small to be made %d pixels large, 4 times as wide and high at most", r.task.MinPixels)
			if size[0] == 0 {
				next.err = errors.New("the size of its pictures is not known, so that they may not be made large enough")
			}
		} else if next.best, err = w.routeSecond(&task); err == nil {
			next.all, next.err = next.best.Quote.Mul(int64(r.count))
			next.loss = Loss{FeatureOneStep, r.router.policy.Losses[FeatureOneStep], fmt.Sprintf("does not do it alone: %s follows, by %v for %v each", w.name, next.best.Model, next.best.Expected)}
		} else {
			next.err = fmt.Errorf("the second step, %s: %w", w.name, err)
			if e, ok := errors.AsType[*NoModelError](err); ok {
				next.err = fmt.Errorf("no model can do the second step, %s: %s", w.name, strings.Join(e.Conflict, " + "))
			}
		}
	}
	refusal := Refusal{model: c.requests.model, needs: needSecond.set(), err: next.err}
	if next.err != nil {
		return refusal
	}
	c.Then, c.way = next.best, w
	if c.Amounts, refusal.err = c.Add(next.all); refusal.err != nil {
		return refusal
	}
	c.Unpriced = c.Unpriced || next.best.Unpriced
	if n := r.tooDear(c.Max); n != needNothing {
		return Refusal{model: c.requests.model, needs: n.set(), price: c.Max}
	}
	c.Losses = append(c.Losses, next.loss)
	c.points.functions = nil
	if w.points > 0 {
		c.points.functions = append(c.points.functions, Reason{"second step", w.points, w.why, "a judgement of this package"})
	}
	w.route.score(c)
	c.Score += w.points
	return Refusal{}
}

// routeSecond returns the best model for a second task. What the task says and which
// models may do it is found out once for all of them: they differ in the size of the
// picture alone.
func (w *way) routeSecond(t *Task) (*Candidate, error) {
	router := w.route.router
	var second *route
	if w.known != nil {
		second = router.routeKnowing(t, newPrompts(t), w.known)
	} else {
		if err := router.check(t); err != nil {
			return nil, err
		}
		var err error
		if second, err = router.newRoute(t); err != nil {
			return nil, err
		}
		w.known = second.known
		for i, m := range router.models {
			if m.routable() && m.serves(t) && second.unmet(m) == 0 {
				w.among = append(w.among, i)
			}
		}
	}
	if best := second.best(w.among); best != nil {
		return best, nil
	}
	routing, err := second.rank() // says why there is none
	if err != nil {
		return nil, err
	}
	return routing.Best(), nil
}

// tooDear returns the bound of the task that a price is over.
func (r *route) tooDear(price pricing.USD) need {
	if r.task.MaxPrice > 0 && price > r.task.MaxPrice {
		return needMaxPrice
	}
	if limit := r.task.MaxPricePerImage; limit > 0 {
		// Compared by multiplying, so that nothing is rounded.
		if all, err := limit.Mul(int64(r.count)); err == nil && price > all {
			return needMaxPricePerImage
		}
	}
	return needNothing
}

// madeSize is the size of the pictures that the first step makes, or zero where
// nothing tells it.
func (c *Candidate) madeSize() (size [2]int) {
	m, in := c.requests.model, &c.requests.input
	if m.has&hasSize == 0 && len(m.aspects) > 0 {
		w, h, err := parseAspect(in.aspect)
		if err != nil {
			w, h = 1, 1
		}
		// About a tenth is kept back, since such models round.
		if width, height, ok := areaSize(w, h, m.classArea(in)*9/10, false).Dimensions(); ok {
			return [2]int{width, height}
		}
	}
	if width, height, ok := c.requests.size.Dimensions(); ok {
		return [2]int{width, height}
	}
	if n := c.requests.match; n > 0 && n <= len(in.task.Pictures) {
		p := in.task.Pictures[n-1]
		return [2]int{p.Width, p.Height}
	}
	return size
}

// classArea is about the area of what a model makes that takes aspect ratios.
func (m *model) classArea(in *input) int {
	if m.has&hasResolution == 0 {
		return m.ownArea()
	}
	for _, c := range resolutions {
		if c.class == in.resolution {
			return int(c.area)
		}
	}
	return int(resolutions[0].area)
}
