// Package check collects what is wrong with a request. The generated Validate
// methods are written with it. A valid request costs no allocation.
package check

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal"
)

// List is the problems found so far. The zero List is empty and ready to use.
// Unless a method says otherwise, a field at its zero value is left out of the
// request and so is never a problem.
type List struct{ problems []fal.Problem }

// Add notes a problem.
func (l *List) Add(field, value, message string) {
	l.problems = append(l.problems, fal.Problem{Field: field, Value: shorten(value), Message: message})
}

// Err returns a *fal.ValidationError if there is any problem.
func (l *List) Err(endpoint string) error {
	if len(l.problems) == 0 {
		return nil
	}
	return &fal.ValidationError{Endpoint: endpoint, Problems: l.problems}
}

// Problems returns what was noted.
func (l *List) Problems() []fal.Problem { return l.problems }

// Required refuses text that is empty or blank.
func (l *List) Required(field, value string) {
	if strings.TrimSpace(value) == "" {
		l.Add(field, "", "is required")
	}
}

// Length refuses text of fewer than least or more than most characters.
func (l *List) Length(field, value string, least, most int) {
	if value == "" || len(value) <= most && least <= 1 {
		return // no text has more characters than bytes
	}
	if n := utf8.RuneCountInString(value); n < least || n > most {
		l.Add(field, strconv.Quote(value), "has "+strconv.Itoa(n)+" characters; accepted are "+between(least, most))
	}
}

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

// Enum refuses a value that is not among those allowed.
func Enum[T ~string](l *List, field string, value T, allowed ...T) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	var b strings.Builder
	b.WriteString("must be one of ")
	for i, a := range allowed {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(a))
	}
	l.Add(field, strconv.Quote(string(value)), b.String())
}

// MaxSide is the longest side that any fal endpoint takes.
const MaxSide = 14142

// SizeRule says which image sizes an endpoint takes. Zero fields do not limit.
type SizeRule struct {
	Auto             bool // "auto" is accepted
	MinSide, MaxSide int  // of width and height; by default 1 to 14142
	MinArea, MaxArea int  // of width times height
}

// Size refuses unknown presets, and custom sizes outside of the rule.
func (l *List) Size(field string, size fal.ImageSize, rule SizeRule) {
	if size == "" || size == fal.AutoSize && rule.Auto {
		return
	}
	width, height, ok := size.Dimensions()
	if !ok {
		message := "must be square_hd, square, portrait_4_3, portrait_16_9, landscape_4_3, landscape_16_9 or fal.Size(width, height)"
		if rule.Auto {
			message = "must be auto, " + strings.TrimPrefix(message, "must be ")
		}
		l.Add(field, strconv.Quote(string(size)), message)
		return
	}
	least, most := cmp.Or(rule.MinSide, 1), cmp.Or(rule.MaxSide, MaxSide)
	if width < least || width > most || height < least || height > most {
		l.Add(field, string(size), "width and height must each be "+between(least, most)+" pixels")
		return
	}
	area := width * height
	if area < rule.MinArea || rule.MaxArea > 0 && area > rule.MaxArea {
		l.Add(field, string(size), "width times height must be "+between(rule.MinArea, rule.MaxArea)+" pixels")
	}
}

// File refuses what is neither a local file nor a usable URL.
func (l *List) File(field string, file fal.File) {
	if file.IsZero() {
		return
	}
	if err := file.Check(); err != nil {
		l.Add(field, file.String(), err.Error())
	}
}

// RequiredFile is File for a field that must be given.
func (l *List) RequiredFile(field string, file fal.File) {
	if file.IsZero() {
		l.Add(field, "", "is required")
		return
	}
	l.File(field, file)
}

// Files refuses fewer than least or more than most files (0: any number), and
// any file that is neither local nor a usable URL.
func (l *List) Files(field string, files []fal.File, least, most int) {
	l.Count(field, len(files), least, most)
	for i, f := range files {
		if err := f.Check(); err != nil {
			l.Add(At(field, i), f.String(), err.Error())
		}
	}
}

// Count refuses fewer than least or more than most items (0: any number).
func (l *List) Count(field string, n, least, most int) {
	switch {
	case n == 0 && least > 0:
		l.Add(field, "", "is required")
	case n < least || most > 0 && n > most:
		if most == 0 {
			most = math.MaxInt
		}
		l.Add(field, strconv.Itoa(n)+" items", "takes "+between(least, most))
	}
}

// At returns the path of item i of a list.
func At(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

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

// shorten keeps long values out of messages.
func shorten(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}

// NotWithTurbo refuses steps and guidance beside use_turbo, which sets both.
func (l *List) NotWithTurbo(steps int, guidance *float64) {
	if steps != 0 {
		l.Add("num_inference_steps", strconv.Itoa(steps), "cannot be set with use_turbo, which makes 10 steps")
	}
	if guidance != nil {
		l.Add("guidance_scale", number(*guidance), "cannot be set with use_turbo, which uses 1.2")
	}
}
