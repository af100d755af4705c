package check

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

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
