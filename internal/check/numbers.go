package check

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Int refuses a number outside of least to most.
func (l *List) Int(field string, value, least, most int) {
	if value != 0 {
		l.IntPtr(field, &value, least, most)
	}
}

// IntPtr refuses a number outside of least to most.
func (l *List) IntPtr(field string, value *int, least, most int) {
	if value != nil && (*value < least || *value > most) {
		l.Add(field, strconv.Itoa(*value), "must be "+between(least, most))
	}
}

// OneOf refuses a number that is not among those allowed.
func (l *List) OneOf(field string, value int, allowed ...int) {
	if value != 0 && !slices.Contains(allowed, value) {
		words := make([]string, len(allowed))
		for i, a := range allowed {
			words[i] = strconv.Itoa(a)
		}
		l.Add(field, strconv.Itoa(value), "must be one of "+strings.Join(words, ", "))
	}
}

// Multiple refuses a number that is no multiple of step.
func (l *List) Multiple(field string, value, step int) {
	if value%step != 0 {
		l.Add(field, strconv.Itoa(value), "must be a multiple of "+strconv.Itoa(step))
	}
}

// Float refuses a number outside of least to most, and what is no number.
func (l *List) Float(field string, value, least, most float64) {
	if value != 0 {
		l.FloatPtr(field, &value, least, most)
	}
}

// FloatPtr refuses a number outside of least to most, and what is no number.
func (l *List) FloatPtr(field string, value *float64, least, most float64) {
	// Written so that NaN fails.
	if value != nil && !(*value >= least && *value <= most) {
		l.Add(field, number(*value), "must be "+between(least, most))
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

func between[T int | float64](least, most T) string {
	switch {
	case float64(most) >= math.MaxInt:
		return number(float64(least)) + " or more"
	case least == most:
		return number(float64(least))
	}
	return number(float64(least)) + " to " + number(float64(most))
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// NotWithTurbo refuses steps and guidance beside use_turbo, which sets both,
// unless they are the defaults: those are what forms send that show them.
func (l *List) NotWithTurbo(steps, usualSteps int, guidance *float64, usualGuidance float64) {
	if steps != 0 && steps != usualSteps {
		l.Add("num_inference_steps", strconv.Itoa(steps), "cannot be set with use_turbo, which makes 10 steps")
	}
	if guidance != nil && *guidance != usualGuidance {
		l.Add("guidance_scale", number(*guidance), "cannot be set with use_turbo, which uses 1.2")
	}
}
