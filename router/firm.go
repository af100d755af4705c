package router

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Firmness says how firm the choice is: by how many points the best model is before
// the next, and what would make another the best, the smallest change first: facts
// that were detected, if they were not so; rules of the policy, without them; and
// ratings, by the points that they would have to change. With one candidate alone,
// nothing does. Models that are gone from fal's list come last whatever their points:
// against them, the margin may be negative. It routes the task again for each
// detected fact.
func (r *Routing) Firmness() (margin int, changes []string) {
	best := r.Best()
	if len(r.Candidates) == 1 {
		return 0, nil
	}
	next := &r.Candidates[1]
	margin = best.Score - next.Score
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
	rivals := 1
	for rivals < len(r.Candidates) && r.Candidates[rivals].last == best.last {
		rivals++
	}
	ranked := r.Candidates[:rivals]
	all = append(all, rulesThatDecide(ranked)...)
	if rivals == 1 || next.Model == best.Model {
		ranked = nil // no rating decides
	}
	for i := range ranked[:min(len(ranked), 2)] {
		c := &ranked[i]
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

// change is something that would make another model the best.
type change struct {
	points int
	text   string
}

// rulesThatDecide are the rules without which another of the candidates would be the
// best.
func rulesThatDecide(ranked []Candidate) (all []change) {
	byRule := make(map[string][]int) // the points of each candidate, by rule
	for i := range ranked {
		for _, reason := range ranked[i].Reasons() {
			if slices.Contains(ratingRules, reason.Rule) {
				continue
			}
			if byRule[reason.Rule] == nil {
				byRule[reason.Rule] = make([]int, len(ranked))
			}
			byRule[reason.Rule][i] += reason.Points
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(byRule)) {
		points, first := byRule[rule], 0
		for i := range ranked {
			a, b := &ranked[i], &ranked[first]
			if cmp.Or(cmp.Compare(a.Score-points[i], b.Score-points[first]), cmp.Compare(b.Expected, a.Expected)) > 0 {
				first = i
			}
		}
		if ranked[first].Model != ranked[0].Model {
			of := cmp.Or(points[0], slices.Min(points)) // those that the best has, or another loses
			all = append(all, change{max(of, -of), fmt.Sprintf("%v, without the rule %s of %d points", ranked[first].Model, rule, of)})
		}
	}
	return all
}

// ratingRules are the names of the reasons that come from ratings and prices.
var ratingRules = []string{"quality", "speed", "price"}
