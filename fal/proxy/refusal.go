package proxy

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// refusal is an answer in place of fal's. What err tells is for the log alone.
type refusal struct {
	status int
	text   string
	detail any // in fal's form; text if it is nil
	err    error
}

func refuse(status int, text string, err error) *refusal {
	return &refusal{status: status, text: text, err: err}
}

// unfit answers as a model does that finds a request wrong.
func unfit(e *fal.ValidationError) *refusal {
	detail := make([]map[string]any, len(e.Problems))
	for i, p := range e.Problems {
		detail[i] = map[string]any{"loc": location(p.Field), "msg": p.Message, "type": "value_error"}
	}
	return &refusal{status: http.StatusUnprocessableEntity, text: "the request is not valid", detail: detail}
}

// location returns the parts of the path of a field, as in fal's errors.
func location(field string) []any {
	parts := []any{"body"}
	for part := range strings.FieldsFuncSeq(field, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		if i, err := strconv.Atoi(part); err == nil {
			parts = append(parts, i)
		} else {
			parts = append(parts, part)
		}
	}
	return parts
}

// write answers. The JavaScript client shows what "message" says.
func (e *refusal) write(w http.ResponseWriter) {
	if e.detail == nil {
		e.detail = e.text
	}
	body, _ := json.Marshal(map[string]any{"detail": e.detail, "message": e.text}) // texts and numbers always can be
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Fal-Billable-Units", "0")
	w.WriteHeader(e.status)
	_, _ = w.Write(body)
}
