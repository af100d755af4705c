package faltest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// answer is a complete HTTP answer that can be given again and again, as the
// queue does with results.
type answer struct {
	status int
	header map[string]string
	body   []byte
}

func (a answer) write(w http.ResponseWriter) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", mediaType(a.body))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// mediaType returns what a body is, by its first byte.
func mediaType(body []byte) string {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) > 0 && body[0] == '<':
		return "text/html"
	case len(body) > 0 && strings.IndexByte(`{["`, body[0]) < 0:
		return "text/plain; charset=utf-8"
	}
	return "application/json"
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	answer{status: status, body: mustJSON(v)}.write(w)
}

// writeDetail answers with the plainest of fal's error forms.
func writeDetail(w http.ResponseWriter, status int, detail string) {
	writeJSON(w, status, map[string]string{"detail": detail})
}

// mustJSON encodes values that were made here and always can be.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("faltest: " + err.Error())
	}
	return b
}

// failure is the answer of fal's machines, rather than of a model, when
// something goes wrong.
func failure(status int, errorType, detail string) answer {
	return answer{
		status: status,
		header: map[string]string{"X-Fal-Error-Type": errorType, "X-Fal-Billable-Units": "0"},
		body:   mustJSON(map[string]string{"detail": detail, "error_type": errorType}),
	}
}

// problem is one entry of the list in which models report bad input.
type problem struct {
	Loc   []any          `json:"loc"`
	Msg   string         `json:"msg"`
	Type  string         `json:"type"`
	URL   string         `json:"url,omitzero"`
	Ctx   map[string]any `json:"ctx,omitzero"`
	Input any            `json:"input,omitzero"`
}

// invalid is the answer to bad input.
func invalid(problems []problem) answer {
	for i := range problems {
		problems[i].URL = "https://docs.fal.ai/errors#" + problems[i].Type
	}
	return answer{
		status: http.StatusUnprocessableEntity,
		header: map[string]string{"X-Fal-Billable-Units": "0"},
		body:   mustJSON(map[string]any{"detail": problems}),
	}
}
