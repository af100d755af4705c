package router

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// noModel finds out which needs conflict: those of which giving up one alone
// would help. If there are none, or it is only the choice of models, it takes
// what the nearest model lacks as well.
func (r *route) noModel(refused []Refusal) *NoModelError {
	e := &NoModelError{Refused: refused}
	var conflict needs
	for n := range needNothing {
		if best, ok := r.without(n, refused); ok {
			conflict |= n.set()
			if !slices.ContainsFunc(e.Nearest, func(o Nearest) bool { return o.Model.Endpoint == best.Model.Endpoint }) {
				e.Nearest = append(e.Nearest, best)
			}
		}
	}
	if conflict&^needOnly.set() == 0 {
		nearest, fewest := 0, 99
		for i := range refused {
			f := &refused[i]
			if n := bits.OnesCount32(uint32(f.needs)); n < fewest && f.model.routable() && !f.needs.has(needOnly) {
				nearest, fewest = i, n
			}
		}
		lacks := refused[nearest].needs
		conflict |= lacks
		var c Candidate
		if again := r.try(&c, refused[nearest].index(r.router), lacks|needLimits.set()); again.needs == 0 {
			e.Nearest = append(e.Nearest, r.nearest(&c, lacks, &refused[nearest]))
		}
	}
	e.Conflict = r.task.names(conflict)
	return e
}

// names returns needs of the task in words.
func (t *Task) names(set needs) []string {
	var out []string
	for n := range set.each {
		out = append(out, needTable[n].name(t))
	}
	return out
}

// without returns the best model that lacks nothing but the need: the one that
// comes nearest to it, where it is a number, and else the one with the best score.
func (r *route) without(n need, refused []Refusal) (best Nearest, found bool) {
	plain := *r.task
	plain.Edit = ""
	switch {
	case n == needTask && len(r.task.Only) == 0:
		return best, false // no advice: that is the task itself
	case n == needPrice && (r.task.MaxPrice > 0 || r.task.MaxPricePerImage > 0):
		return best, false // no bound can be kept without a price
	}
	ignore := n.set()
	if n == needTask || n == needPictures {
		ignore |= needLimits.set()
	}
	if n == needSecond { // what it was for is given up
		ignore |= needTask.set() | needAlpha.set() | needFormat.set() | needPixels.set()
	}
	var c, chosen Candidate
	for i := range refused {
		f := &refused[i]
		if f.needs != n.set() || !f.model.routable() || n == needTask && !f.model.serves(&plain) {
			continue
		}
		again := r.try(&c, f.index(r.router), ignore)
		if again.needs != 0 || found && !nearer(n, &c, &chosen) {
			continue
		}
		chosen, found = c, true
		best = r.nearest(&c, n.set(), f)
	}
	return best, found
}

// nearer reports whether a candidate comes nearer to a need than another.
func nearer(n need, a, b *Candidate) bool {
	switch n {
	case needMaxPrice, needMaxPricePerImage, needPrice:
		if known := a.Max > 0; known != (b.Max > 0) {
			return known
		}
		if a.Expected != b.Expected {
			return a.Expected < b.Expected
		}
	case needPictures:
		if x, y := a.requests.picturesOff(), b.requests.picturesOff(); x != y {
			return x < y
		}
	}
	if a.last != b.last {
		return b.last
	}
	return a.Score > b.Score || a.Score == b.Score && a.Expected < b.Expected
}

// picturesOff is how many pictures there are too many or too few for a model.
func (r *requests) picturesOff() int {
	n, least, most := len(r.input.task.Pictures), r.model.pictures[0], r.model.pictures[1]
	if most > 0 && n > most {
		return n - most
	}
	return max(least-n, 0)
}

// nearest describes a candidate that lacks some needs.
func (r *route) nearest(c *Candidate, lacks needs, f *Refusal) Nearest {
	out := Nearest{Model: c.Model, Without: strings.Join(r.task.names(lacks), " and "), Expected: c.Expected, Max: c.Max}
	var limits []string
	for n := range lacks.each {
		switch n {
		case needTask, needOnly, needNot, needCurrent, needMaxPrice, needMaxPricePerImage, needPrice:
			continue // that name it, and no limit of the model
		case needPictures:
			limits = append(limits, fmt.Sprintf("%s, you gave %d", needTable[n].why(f), len(r.task.Pictures)))
		default:
			limits = append(limits, needTable[n].why(f))
		}
	}
	out.Limit = strings.Join(limits, "; ")
	return out
}
