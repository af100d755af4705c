package router

import (
	"math/bits"
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
			e.Nearest = append(e.Nearest, best)
		}
	}
	if conflict&^needOnly.set() == 0 {
		// Refusals are in the order of the models.
		nearest, fewest := 0, 99
		for i := range refused {
			f := &refused[i]
			if n := bits.OnesCount32(uint32(f.needs)); n < fewest && f.model.routable() && !f.needs.has(needOnly) {
				nearest, fewest = i, n
			}
		}
		lacks := refused[nearest].needs
		conflict |= lacks
		if c, again := r.try(nearest, lacks|needLimits.set()); again.needs == 0 {
			e.Nearest = append(e.Nearest, Nearest{c.Model, strings.Join(r.task.names(lacks), " and "), c.Expected, c.Max})
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

// without returns the cheapest model that lacks nothing but the need.
func (r *route) without(n need, refused []Refusal) (best Nearest, found bool) {
	plain := *r.task
	plain.Edit = ""
	switch {
	case n == needLimits, n == needTask && len(r.task.Only) == 0:
		return best, false // no advice: that is the task itself
	case n == needPrice && (r.task.MaxPrice > 0 || r.task.MaxPricePerImage > 0):
		return best, false // no bound can be kept without a price
	}
	ignore := n.set()
	if n == needTask {
		ignore |= needLimits.set()
	}
	for i := range refused {
		f := &refused[i]
		if f.needs != n.set() || !f.model.routable() || n == needTask && !f.model.serves(&plain) {
			continue
		}
		c, again := r.try(i, ignore)
		if again.needs != 0 {
			continue
		}
		if !found || c.Max > 0 && (best.Max == 0 || c.Expected < best.Expected) {
			best, found = Nearest{c.Model, needTable[n].name(r.task), c.Expected, c.Max}, true
		}
	}
	return best, found
}
