package router

import (
	"cmp"
	"fmt"
	"slices"
)

// Firmness says how firm the choice is: by how many points the best model is before
// the next, and what would make another the best, the smallest change first: facts
// that were detected, if they were not so; rules of the policy, without them; and
// ratings, by the points that they would have to change. With one candidate alone,
// nothing does. It routes the task again for each detected fact.
func (r *Routing) Firmness() (margin int, changes []string) {
	best := r.Best()
	if len(r.Candidates) == 1 {
		return 0, nil
	}
	next := &r.Candidates[1]
	margin = best.Score - next.Score
	type change struct {
		points int
		text   string
	}
	var all []change
	for _, f := range r.Facts {
		i := fact(slices.Index(factNames[:], f.Name))
		if !detectable.has(i) || f.Why == given {
			continue
		}
		t := r.Task
		t.Deny = append(slices.Clone(t.Deny), f.Name)
		if again, err := r.router.Route(t); err == nil && again.Best().Model.Endpoint != best.Model.Endpoint {
			all = append(all, change{0, fmt.Sprintf("%v, if %q were not so", again.Best().Model, f.Name)})
		}
	}
	for _, reason := range best.Reasons() {
		if reason.Points > margin && !slices.Contains(ratingRules, reason.Rule) {
			all = append(all, change{reason.Points, fmt.Sprintf("%v, without the rule %s of %d points", next.Model, reason.Rule, reason.Points)})
		}
	}
	for _, c := range []*Candidate{best, next} {
		rating, weights := c.points.entry.rating, c.points.weights
		for _, p := range []struct {
			name           string
			points, weight int
		}{{"quality", rating.Quality, weights.Quality}, {"speed", rating.Speed, weights.Speed}} {
			if p.weight == 0 {
				continue
			}
			steps := margin/p.weight + 1
			to := p.points + steps
			if c == best {
				to = p.points - steps
			}
			if to >= 0 && to <= 10 {
				all = append(all, change{steps * p.weight, fmt.Sprintf("%v, if the %s of %v were %d and not %d", next.Model, p.name, c.Model, to, p.points)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(a.points, b.points) })
	for _, c := range all {
		changes = append(changes, c.text)
	}
	return margin, changes
}

// ratingRules are the names of the reasons that come from ratings and prices.
var ratingRules = []string{"quality", "speed", "price"}
