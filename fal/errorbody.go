package fal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Names of error types that fal itself does not give.
const (
	typeLocked      = "locked"
	typeUserTimeout = "user_timeout"
)

// statusClientClosed is the status of a job that was cancelled.
const statusClientClosed = 499

// errorBody is the union of the forms in which fal answers with an error.
type errorBody struct {
	Detail    json.RawMessage `json:"detail"`     // text, or a list of problems
	ErrorType string          `json:"error_type"` // beside a text
	Error     json.RawMessage `json:"error"`      // the platform's object, or text
	Status    string          `json:"status"`     // the queue's word
	Message   string          `json:"message"`
}

type errorDetail struct {
	Loc   []any           `json:"loc"`
	Msg   string          `json:"msg"`
	Type  string          `json:"type"`
	Ctx   map[string]any  `json:"ctx"`
	Input json.RawMessage `json:"input"`
}

// parseErrorBody reads a body, and reports whether it is of one of fal's own
// forms rather than something put there by a machine in between.
func parseErrorBody(body []byte) (e Error, falsOwn bool) {
	var b errorBody
	if json.Unmarshal(body, &b) != nil {
		return e, false
	}
	e.Type = b.ErrorType
	var details []errorDetail
	var text string
	var platform struct{ Type, Message string }
	switch {
	case json.Unmarshal(b.Detail, &details) == nil && len(details) > 0:
		e.Type = cmp.Or(e.Type, details[0].Type)
		messages := make([]string, len(details))
		for i, d := range details {
			e.Fields = append(e.Fields, d.field())
			messages[i] = e.Fields[i].String()
		}
		e.Message = strings.Join(messages, "; ")
	case json.Unmarshal(b.Detail, &text) == nil && text != "":
		e.Message = text
	case json.Unmarshal(b.Error, &text) == nil && text != "":
		e.Message = text
	case json.Unmarshal(b.Error, &platform) == nil && platform.Message != "":
		e.Type, e.Message = platform.Type, platform.Message
	case b.Status != "":
		e.Message = strings.ToLower(strings.ReplaceAll(b.Status, "_", " "))
	case b.Message != "":
		e.Message = b.Message
	default:
		return e, b.ErrorType != ""
	}
	const most = 2000
	if len(e.Message) > most {
		e.Message = strings.ToValidUTF8(e.Message[:most], "") + "..."
	}
	return e, true
}

func (d errorDetail) field() FieldError {
	f := FieldError{Type: d.Type, Message: cmp.Or(d.Msg, d.Type, "is not accepted"), Limits: d.Ctx}
	for i, l := range d.Loc {
		switch l := l.(type) {
		case string:
			if i == 0 && l == "body" {
				continue
			}
			f.Field = join(f.Field, l)
		case float64:
			f.Field = index(f.Field, int(l))
		}
	}
	if len(d.Input) > 0 && d.Type != "missing" && string(d.Input) != "null" {
		f.Value = shorten(string(d.Input))
	}
	return f
}

// newError makes the error for an answer with a status of 400 or above.
func newError(endpoint, requestID string, status int, header http.Header, body []byte) *Error {
	e, falsOwn := parseErrorBody(body)
	e.Endpoint, e.Status = endpoint, status
	e.RequestID = cmp.Or(requestID, header.Get("X-Fal-Request-Id"))
	e.Type = cmp.Or(e.Type, header.Get("X-Fal-Error-Type"))
	if e.Message == "" {
		e.Message = strings.ToLower(cmp.Or(http.StatusText(status), "unknown error"))
		if text := plainText(body); text != "" {
			e.Message += ": " + text
		}
	}
	switch {
	case status == http.StatusUnauthorized:
		e.Message += ": check the API key in FAL_KEY or Client.Key; it has the form key_id:key_secret"
	case status == http.StatusForbidden && strings.Contains(strings.ToLower(e.Message), "locked"):
		e.Type = typeLocked
		e.Message += ": top up or unlock the account; jobs that are already running are not lost, take them up with Resume"
	case status == http.StatusGatewayTimeout && header.Get("X-Fal-Request-Timeout-Type") == "user":
		e.Type = typeUserTimeout
	}
	e.BillableUnits = header.Get("X-Fal-Billable-Units")
	e.Billing = billing(status, falsOwn, e.BillableUnits)
	e.Retryable = retryable(&e, header)
	e.RetryAfter, _ = transport.RetryAfter(header)
	return &e
}

// billing follows fal's documentation: its own failures are not charged, and
// the header with the units, where there is one, decides.
func billing(status int, falsOwn bool, units string) Billing {
	switch {
	case units != "" && strings.Trim(units, "0.") == "":
		return NotBilled
	case units != "":
		return Billed
	case status >= 500 && falsOwn:
		return NotBilled
	}
	return BillingUnknown
}

func retryable(e *Error, header http.Header) bool {
	if e.Type == typeUserTimeout {
		return false
	}
	switch strings.ToLower(cmp.Or(header.Get("X-Fal-Needs-Retry"), header.Get("X-Fal-Retryable"))) {
	case "1", "true":
		return true
	case "0", "false":
		return false
	}
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// plainText returns the beginning of a body that is not fal's JSON, such as
// the error page of a proxy, as one line.
func plainText(body []byte) string {
	const most = 200
	if i := bytes.Index(body, []byte("<title>")); i >= 0 {
		title, _, _ := bytes.Cut(body[i+len("<title>"):], []byte("<"))
		body = title
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 4*most)]), "")), " ")
	if strings.HasPrefix(text, "<") {
		return fmt.Sprintf("an HTML page of %d bytes", len(body))
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
