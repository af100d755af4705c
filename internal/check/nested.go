package check

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// Valid reports whether nothing was noted.
func (l *List) Valid() bool { return len(l.problems) == 0 }

// Item notes the problems of item i of a list.
func (l *List) Item(field string, i int, problems List) {
	if !problems.Valid() {
		l.Object(At(field, i), problems)
	}
}

// Object notes the problems of an object inside the request.
func (l *List) Object(field string, problems List) {
	for _, p := range problems.problems {
		p.Field = field + "." + p.Field
		l.problems = append(l.problems, p)
	}
}

// RequiredNumber refuses a required number that is left out.
func RequiredNumber[T any](l *List, field string, value *T) {
	if value == nil {
		l.Add(field, "", "is required")
	}
}

// Above refuses a number that is not above least, or more than most, and what
// is no number.
func (l *List) Above(field string, value, least, most float64) {
	if value != 0 && !(value > least && value <= most) {
		message := "must be more than " + number(least)
		if most < math.MaxInt {
			message += " and at most " + number(most)
		}
		l.Add(field, number(value), message)
	}
}

// Finite refuses what is no number.
func (l *List) Finite(field string, value *float64) {
	if value != nil && (math.IsNaN(*value) || math.IsInf(*value, 0)) {
		l.Add(field, number(*value), "must be a number")
	}
}

// Layers refuses a scale for each layer beside one for all of them, and what
// is no number.
func (l *List) Layers(field string, one *float64, layers map[string]float64) {
	if one != nil && len(layers) > 0 {
		l.Add(field, number(*one), "cannot be set together with a scale for each layer")
	}
	for _, name := range slices.Sorted(maps.Keys(layers)) {
		l.Finite(field+"."+name, new(layers[name]))
	}
}

// Seed refuses a seed of more than most.
func (l *List) Seed(field string, seed *uint64, most uint64) {
	if seed != nil && *seed > most {
		l.Add(field, strconv.FormatUint(*seed, 10), "must be 0 to "+strconv.FormatUint(most, 10))
	}
}

// DataURL refuses a good file that is not given as a data URL.
func (l *List) DataURL(field string, file fal.File) {
	if file.IsZero() || file.Check() != nil {
		return
	}
	if u, ok := file.URL(); !ok || !strings.HasPrefix(u, "data:") {
		l.Add(field, file.String(), "must be a data URL, as fal.URL(\"data:image/jpeg;base64,...\"): uploaded files are refused here")
	}
}
