package catalog

import (
	"strings"

	"github.com/falimage/falimage-go/fal/schema"
)

// Doubt says what speaks against sending a request to the endpoint, in words
// that continue its id, or "" if nothing does.
func (e *Endpoint) Doubt() string {
	s := e.Status
	var text string
	switch {
	case s.State == schema.Withdrawn:
		text = "was withdrawn by fal" + strings.Replace(since(s), " since ", " on ", 1)
	case s.State == schema.Delisted:
		text = "is not in fal's list of models any more" + since(s) + ", though it may still answer"
	case s.Risk != "":
		text = "may fail: " + s.Risk
	default:
		return ""
	}
	if s.Successor != "" {
		text += "; use " + s.Successor + " instead"
	}
	return text
}

// Deprecated returns the paragraph that begins with "Deprecated:" for the
// documentation of the type, or "" if there is none. It links the type of the
// successor.
func (e *Endpoint) Deprecated() string {
	s := e.Status
	var text string
	switch s.State {
	case schema.Withdrawn:
		text = "fal has withdrawn this endpoint" + strings.Replace(since(s), " since ", " on ", 1)
	case schema.Delisted:
		text = "fal's list of models leaves this endpoint out" + since(s) + ", though it may still answer"
	default:
		return ""
	}
	if next, ok := Lookup(s.Successor); ok {
		return "Deprecated: " + text + ". Use [" + next.Name + "] instead."
	}
	return "Deprecated: " + text + ". No other endpoint does the same."
}

func since(s schema.Status) string {
	switch {
	case s.Since == "":
		return ""
	case strings.HasPrefix(s.Since, "20"):
		return " since " + s.Since
	}
	return " since a day " + s.Since
}
