package fal

import (
	"strings"
)

// Problem is one thing that is wrong with a field of a request.
type Problem struct {
	// Field is the JSON path of the field, such as "image_urls[2]".
	Field string
	// Value is the value given, shortened where long; "" where it is missing.
	Value string
	// Message says what is wrong and what is accepted.
	Message string
	// Err is the error that the message tells of, such as one of package fs;
	// nil where there is none.
	Err error `json:"-"`
}

func (p Problem) String() string {
	if p.Value == "" {
		return p.Field + ": " + p.Message
	}
	return p.Field + ": " + p.Value + ": " + p.Message
}

// ValidationError reports every problem that was found in a request, its files
// and its options before anything was sent. Nothing was charged.
type ValidationError struct {
	Endpoint string
	Problems []Problem

	sending bool // it was about to be sent
}

func (e *ValidationError) Error() string {
	var b strings.Builder
	b.WriteString(e.Endpoint)
	if e.sending {
		b.WriteString(": not sent: ")
	} else {
		b.WriteString(": invalid request: ")
	}
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Unwrap returns the errors behind the problems, for [errors.Is] and
// [errors.As].
func (e *ValidationError) Unwrap() []error {
	var errs []error
	for _, p := range e.Problems {
		if p.Err != nil {
			errs = append(errs, p.Err)
		}
	}
	return errs
}

// NotSent returns true.
func (e *ValidationError) NotSent() bool { return true }
