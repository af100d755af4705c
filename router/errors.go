package router

import (
	"fmt"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// TaskError lists everything that is wrong with a task itself.
type TaskError struct{ Problems []fal.Problem }

func (e *TaskError) Error() string {
	return "router: task: " + inWords(e.Problems)
}

// NotSent returns true: a task is not a request yet.
func (e *TaskError) NotSent() bool { return true }

func inWords(problems []fal.Problem) string {
	all := make([]string, len(problems))
	for i, p := range problems {
		all[i] = p.String()
	}
	return strings.Join(all, "; ")
}

// NoModelError says that no model can serve a task, and why.
type NoModelError struct {
	// Conflict names the needs that no model meets together.
	Conflict []string
	// Nearest are choices that meet all needs but one, the best for each such
	// need, each model once; or, where that does not help, all but a few.
	Nearest []Nearest
	// Refused are the models, each with its reasons.
	Refused []Refusal
}

// Nearest is a choice that a task could have if it gave up a need.
type Nearest struct {
	Model Model
	// Without is the need to give up.
	Without string
	// Limit is what of the model stands against it, in words; "" where Without says
	// it all.
	Limit string
	// Expected and Max are what it would cost; 0 if its price is not known.
	Expected, Max pricing.USD
}

func (n Nearest) String() string {
	price := "at a price that is not known"
	if n.Max > 0 {
		price = "for " + n.Expected.String()
		if n.Max != n.Expected {
			price += fmt.Sprintf(" (at most %v)", n.Max)
		}
	}
	if n.Limit != "" {
		price += ": " + n.Limit
	}
	return fmt.Sprintf("without %q: %v %s", n.Without, n.Model, price)
}

func (e *NoModelError) Error() string {
	var b strings.Builder
	b.WriteString("router: no model can do all of this together: ")
	b.WriteString(strings.Join(e.Conflict, " + "))
	for _, n := range e.Nearest {
		b.WriteString("; " + n.String())
	}
	return b.String()
}

// NotSent returns true: there is nothing to send.
func (e *NoModelError) NotSent() bool { return true }
