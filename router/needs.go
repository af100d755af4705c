package router

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/pricing"
)

// need is something that a task needs and a model may lack. The order is that
// in which reasons are given.
type need uint8

const (
	needTask need = iota
	needPictures
	needMask
	needLoRAs
	needLicence
	needFormat
	needPixels
	needVerbatim
	needOnly
	needNot
	needCurrent
	needFeatures
	needAngle
	needAlpha
	needExtension
	needSecond
	needLimits
	needMaxPrice
	needMaxPricePerImage
	needPrice
	needNothing // the number of needs, and none of them
)

// needs is a set of needs.
type needs uint32

func (n need) set() needs { return 1 << n }

func (s needs) has(n need) bool { return s&n.set() != 0 }

// each yields the needs of the set one by one.
func (s needs) each(yield func(need) bool) {
	for n := range needNothing {
		if s.has(n) && !yield(n) {
			return
		}
	}
}

// needTable has what is to be known of each need.
var needTable = [needNothing]struct {
	// unmet reports whether a model cannot meet the need; nil where that shows
	// only when there is a request.
	unmet func(r *route, m *model) bool
	// always says that unmet is asked of models for other work too.
	always bool
	// name is the need in words.
	name func(t *Task) string
	// why says why the model does not meet it.
	why func(r *Refusal) string
}{
	needTask: {
		unmet:  func(r *route, m *model) bool { return !m.routable() || !r.serves(m) },
		always: true,
		name:   nameTask,
		why:    whyTask,
	},
	needPictures: {
		unmet: func(r *route, m *model) bool {
			many := len(r.task.Pictures)
			return many > 0 && (many < m.pictures[0] || many > m.pictures[1] && m.pictures[1] > 0)
		},
		name: func(t *Task) string { return fmt.Sprintf("%d input pictures", len(t.Pictures)) },
		why:  whyPictures,
	},
	needMask: {
		unmet: func(r *route, m *model) bool {
			return r.task.Mask.IsZero() && (m.task == "inpaint" || m.task == "erase")
		},
		name: func(*Task) string { return "no mask" },
		why:  func(*Refusal) string { return "needs a mask" },
	},
	needLoRAs: {
		unmet: func(r *route, m *model) bool { return !r.loraFits(m) },
		name: func(t *Task) string {
			if len(t.LoRAs) == 0 {
				return "no LoRAs"
			}
			return fmt.Sprintf("%d LoRAs", len(t.LoRAs))
		},
		why: whyLoRAs,
	},
	needLicence: {
		unmet: func(r *route, m *model) bool {
			return r.task.Licence == OpenWeights && !m.open || r.task.Licence == Apache2 && m.Licence != "Apache 2.0"
		},
		always: true,
		name: func(t *Task) string {
			if t.Licence == Apache2 {
				return "licence: Apache 2.0"
			}
			return "licence: open weights"
		},
		why: func(r *Refusal) string {
			if r.model.Licence == "" {
				return "its weights are not published"
			}
			return "its licence is " + r.model.Licence
		},
	},
	needFormat: {
		unmet: func(r *route, m *model) bool {
			return r.task.Format != "" && !slices.Contains(m.formats, r.task.Format)
		},
		always: true,
		name:   func(t *Task) string { return "format: " + string(t.Format) },
		why:    func(r *Refusal) string { return fmt.Sprintf("makes %v files alone", r.model.formats) },
	},
	needPixels: {
		unmet:  func(r *route, m *model) bool { return r.task.MinPixels > 0 && !r.largeEnough(m) },
		always: true,
		name:   func(t *Task) string { return fmt.Sprintf("at least %d pixels", t.MinPixels) },
		why:    whyPixels,
	},
	needVerbatim: {
		unmet:  func(r *route, m *model) bool { return r.task.VerbatimPrompt && m.rewrites() },
		always: true,
		name:   func(*Task) string { return "no rewriting of the prompt" },
		why:    func(*Refusal) string { return "rewrites prompts and has no switch for it" },
	},
	needOnly: {
		unmet:  func(r *route, m *model) bool { return len(r.task.Only) > 0 && !slices.ContainsFunc(r.task.Only, m.is) },
		always: true,
		name:   func(t *Task) string { return "only " + strings.Join(t.Only, ", ") },
		why:    func(*Refusal) string { return "is not among the models allowed" },
	},
	needNot: {
		unmet:  func(r *route, m *model) bool { return slices.ContainsFunc(r.task.Not, m.is) },
		always: true,
		name:   func(t *Task) string { return "not " + strings.Join(t.Not, ", ") },
		why:    func(*Refusal) string { return "is banned" },
	},
	needCurrent: {
		unmet: func(r *route, m *model) bool {
			p := &r.router.policy
			return (m.state == schema.Withdrawn && !p.Outdated || slices.ContainsFunc(p.Not, m.is)) && !r.task.asksFor(m)
		},
		always: true,
		name:   func(*Task) string { return "a model that the policy chooses from" },
		why: func(r *Refusal) string {
			if r.model.state == schema.Withdrawn {
				return r.model.doubt
			}
			return "is none that the policy chooses from"
		},
	},
	needFeatures: {
		unmet: func(r *route, m *model) bool {
			if need := r.task.Require; len(need) > 1 || len(need) == 1 && need[0] != FeatureOneStep { // which none lacks alone
				for f := range r.lacks(m) {
					if slices.Contains(r.task.Require, f) {
						return true
					}
				}
			}
			return false
		},
		name: func(t *Task) string {
			var names []string
			for _, f := range t.Require {
				names = append(names, string(f))
			}
			return "required: " + strings.Join(names, ", ")
		},
		why: func(*Refusal) string { return "lacks a feature that is required" },
	},
	needAngle: {
		unmet: func(r *route, m *model) bool { return r.task.Edit == EditAngle && !m.reaches(r.task.Angle) },
		name:  func(*Task) string { return "this camera angle" },
		why:   func(*Refusal) string { return "cannot turn the camera that far" },
	},
	needAlpha: {
		unmet: func(r *route, m *model) bool {
			return r.needsAlpha() && m.has&hasAlpha == 0 && m.task != "layers"
		},
		name: func(*Task) string { return "a transparent background" },
		why:  func(*Refusal) string { return "makes no transparent pictures" },
	},
	needExtension: {
		unmet: func(r *route, m *model) bool { return m.task == "outpaint" && !r.extends() },
		name:  func(*Task) string { return "a picture that does not grow, or whose size is not known" },
		why: func(*Refusal) string {
			return "needs the size or the aspect that the picture is to have, and the width and height of that in pictures; it takes no pixels away"
		},
	},
	needSecond: {
		name: func(t *Task) string {
			switch {
			case t.Edit == EditLayers:
				return "layers of a picture that is made first"
			case t.MinPixels > 0:
				return fmt.Sprintf("at least %d pixels, in two steps", t.MinPixels)
			}
			return "a transparent background, in two steps"
		},
		why: func(r *Refusal) string { return r.err.Error() },
	},
	needLimits: {
		name: func(*Task) string { return "the values of the task" },
		why:  func(r *Refusal) string { return limits(r.err) },
	},
	needMaxPrice: {
		name: func(t *Task) string { return fmt.Sprintf("a price of at most %v", t.MaxPrice) },
		why:  whyMaxPrice,
	},
	needMaxPricePerImage: {
		name: func(t *Task) string {
			return fmt.Sprintf("a price of at most %v for each picture", t.MaxPricePerImage)
		},
		why: whyMaxPrice,
	},
	needPrice: {
		name: func(*Task) string { return "a known price" },
		why: func(r *Refusal) string {
			if r.err != nil && !errors.Is(r.err, pricing.ErrUnknown) {
				return r.err.Error()
			}
			return "its price is not known"
		},
	},
}

// unmet returns the needs that the model cannot meet, as far as they show
// before a request is made. Of a model for other work only those are told that
// hold whatever the work.
func (r *route) unmet(m *model) (out needs) {
	for n := range needTable {
		row := &needTable[n]
		if row.unmet != nil && (row.always || !out.has(needTask)) && row.unmet(r, m) {
			out |= need(n).set()
		}
	}
	return out
}

// needsAlpha reports whether pictures must be transparent.
func (r *route) needsAlpha() bool {
	return r.known.facts.has(transparent) && r.known.facts.has(final) && !r.opaque
}

// largeEnough reports whether the pictures have the least area that is asked
// for, as far as that is known before.
func (r *route) largeEnough(m *model) bool {
	if m.has&hasSize == 0 {
		return m.ownArea() >= r.task.MinPixels
	}
	if m.sizes.maxSide == 0 && m.sizes.maxArea == 0 && m.reduced == 0 && r.task.MinPixels > believed {
		return false
	}
	width, height, ok := m.fit(r.size).Dimensions()
	if m.reduced > 0 && r.task.MinPixels > m.reduced {
		return false
	}
	return !ok || pixels(width, height) >= int64(r.task.MinPixels)
}

// believed is the largest area, in pixels, that a model is asked for of which no
// source tells a bound: those that make more say so.
const believed = 2304 * 2048

// loraFits reports whether the model takes the LoRAs of the task; one that is
// made for LoRAs needs some.
func (r *route) loraFits(m *model) bool {
	list := r.task.LoRAs
	if len(list) == 0 {
		return r.task.spells(m) || !strings.Contains(m.Title, "with LoRAs") && !strings.Contains(m.Title, "with ControlNets")
	}
	if m.has&hasLoRAs == 0 || m.maxLoRAs > 0 && len(list) > m.maxLoRAs {
		return false
	}
	return !slices.ContainsFunc(list, func(l LoRA) bool { return !l.fits(m) })
}

func nameTask(t *Task) string {
	switch {
	case len(t.Pictures) == 0 && t.Edit == EditLayers:
		return "layers from a prompt alone"
	case len(t.Pictures) == 0:
		return "pictures from a prompt alone"
	case t.Edit == "":
		return "editing a picture"
	}
	return "editing: " + string(t.Edit)
}

func whyTask(r *Refusal) string {
	m := r.model
	if m.request == nil {
		return unreached(m)
	}
	return "is for other work: it " + tasks[m.task]
}

func whyPictures(r *Refusal) string {
	least, most := r.model.pictures[0], r.model.pictures[1]
	switch {
	case least == most:
		return fmt.Sprintf("takes %d pictures", least)
	case most > 0:
		return fmt.Sprintf("takes %d to %d pictures", least, most)
	}
	return fmt.Sprintf("takes %d pictures or more", least)
}

func whyLoRAs(r *Refusal) string {
	switch {
	case r.model.has&hasLoRAs == 0:
		return "takes no LoRAs"
	case r.model.maxLoRAs > 0:
		return fmt.Sprintf("takes LoRAs that were trained for %s, %d at most", weights(r.model.Title), r.model.maxLoRAs)
	}
	return "is for LoRAs that were trained for " + weights(r.model.Title)
}

func whyPixels(r *Refusal) string {
	if a := r.model.ownArea(); a > 0 {
		return fmt.Sprintf("makes pictures of about %d megapixels", a>>20)
	}
	if r.model.has&hasSize != 0 {
		return "makes no pictures that large, as far as any source tells"
	}
	return "decides the size by itself"
}

func whyMaxPrice(r *Refusal) string { return fmt.Sprintf("costs up to %v", r.price) }

// asksFor reports whether the task names the model, its id, title or family,
// rather than the package alone.
func (t *Task) asksFor(m *model) bool {
	return slices.ContainsFunc(t.Only, func(name string) bool { return m.is(name) && !strings.EqualFold(name, m.pkg()) })
}
