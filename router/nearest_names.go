package router

import (
	"fmt"
	"slices"
	"strings"
)

// unknownModel says that no model has a name, and which names are near.
func (r *Router) unknownModel(name string) error {
	type near struct {
		name     string
		distance int
	}
	var all []near
	for _, m := range r.models {
		for _, n := range []string{m.Name, m.Endpoint} {
			all = append(all, near{n, distance(strings.ToLower(name), strings.ToLower(n))})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.distance - b.distance })
	hint := "Models lists them"
	if all[0].distance <= len(name)/2 {
		hint = "the nearest are " + all[0].name + " and " + all[1].name
	}
	return fmt.Errorf("%q: is no package, family, Go type or endpoint; %s", name, hint)
}

// distance is the number of letters to change, add or leave out to get from
// one name to the other.
func distance(a, b string) int {
	if len(a) > 64 {
		a = a[:64]
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
