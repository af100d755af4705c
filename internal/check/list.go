// Package check has the parts that the generated methods of requests are made
// of: what Validate refuses, what Usage doubts and counts, what MarshalJSON
// writes. What one endpoint takes does not belong here but in
// internal/catalog. Checking a valid request costs no allocation.
package check

import (
	"math"
	"strconv"
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

// At returns the path of item i of a list.
func At(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

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

// shorten keeps long values out of messages.
func shorten(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}
