package fal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
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

// notThere are the forms in which fal says that it knows no such application,
// or no such path in one.
var notThere = regexp.MustCompile(`^(Application '[^']*'|Path /\S*) not found`)

// maxMessage limits the text of an error, and maxProblems the fields that it
// lists, in what a server sends.
const (
	maxMessage  = 2000
	maxProblems = 100
)

// parseErrorBody reads a body, and reports whether it has anything of the forms
// in which fal tells of errors. So do machines in between: the form proves
// nothing. Each field is read by itself, whatever the others are.
func parseErrorBody(body []byte, clean func(string) string) (e Error, ofForm bool) {
	root, _ := readLoose(body, clean)
	object, ok := root.(map[string]any)
	if !ok {
		return e, false
	}
	e.Type = looseText(object["error_type"])
	if inner := e.readDetail(object["detail"]); inner != "" && (e.Type == "" || isNumber(e.Type)) {
		e.Type = inner
	}
	if e.Message == "" {
		e.readDetail(object["error"]) // text, or the platform's object
		if platform, ok := object["error"].(map[string]any); ok {
			e.Fields = nil // it speaks of no field
			e.Type = cmp.Or(looseText(platform["type"]), e.Type)
		}
	}
	if status := looseText(object["status"]); e.Message == "" && status != "" && !isNumber(status) {
		e.Message = strings.ToLower(strings.ReplaceAll(status, "_", " ")) // the queue's word
	}
	e.Message = cmp.Or(e.Message, looseText(object["message"]))
	ofForm = e.Message != "" || e.Type != ""
	e.falsWord = looseText(object["error_type"]) != ""
	e.Message = shortenTo(e.Message, maxMessage)
	return e, ofForm
}

// readDetail takes up a text, an object or a list of both, and returns the
// type of the first problem that has one.
func (e *Error) readDetail(detail any) (errorType string) {
	list, ok := detail.([]any)
	if !ok {
		list = []any{detail}
	}
	var messages []string
	for _, item := range list[:min(len(list), maxProblems)] {
		problem, ok := item.(map[string]any)
		if !ok {
			if text := looseText(item); text != "" {
				messages = append(messages, text)
			}
			continue
		}
		f := fieldError(problem)
		if f.Message == "" && f.Type == "" {
			continue
		}
		f.Message = cmp.Or(f.Message, f.Type)
		errorType = cmp.Or(errorType, f.Type)
		e.Fields = append(e.Fields, f)
		messages = append(messages, f.String())
	}
	e.Message = strings.Join(messages, "; ")
	return errorType
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789.-") == "" }

// fieldError reads a problem with one field.
func fieldError(problem map[string]any) FieldError {
	f := FieldError{
		Type:    looseText(problem["type"]),
		Message: shortenTo(cmp.Or(looseText(problem["msg"]), looseText(problem["message"])), maxMessage),
		Field:   shorten(fieldPath(problem["loc"])),
	}
	f.Limits, _ = problem["ctx"].(map[string]any)
	if input := problem["input"]; input != nil && f.Type != "missing" {
		if text, err := json.Marshal(input); err == nil {
			f.Value = shorten(string(text))
		}
	}
	for name, limit := range f.Limits { // a number is a number for whoever reads them
		if n, ok := limit.(json.Number); ok {
			f.Limits[name], _ = n.Float64()
		}
	}
	return f
}

// fieldPath reads the place of a problem: a list of names and numbers, or a
// text.
func fieldPath(loc any) (field string) {
	list, ok := loc.([]any)
	if !ok {
		list = []any{loc}
	}
	for i, part := range list {
		switch part := part.(type) {
		case string:
			if i > 0 || part != "body" {
				field = join(field, part)
			}
		case json.Number:
			field += "[" + part.String() + "]"
		}
	}
	return field
}

// newError makes the error for an answer with a status of 400 or above.
func newError(endpoint, requestID string, status int, header http.Header, body []byte, clean func(string) string) *Error {
	e, ofForm := parseErrorBody(body, clean)
	e.ofForm = ofForm
	e.Endpoint, e.Status = endpoint, status
	e.RequestID = cmp.Or(requestID, shorten(clean(header.Get("X-Fal-Request-Id"))))
	fromHeader := shorten(clean(header.Get("X-Fal-Error-Type")))
	if e.falsWord = e.falsWord || fromHeader != ""; e.Type == "" || isNumber(e.Type) {
		e.Type = cmp.Or(fromHeader, e.Type)
	}
	if e.Message == "" {
		e.Message = strings.ToLower(cmp.Or(http.StatusText(status), "unknown error"))
		if text := plainText(body, clean); text != "" {
			e.Message += ": " + text
		}
	}
	e.noEndpoint = status == http.StatusNotFound && len(e.Fields) == 0 && notThere.MatchString(e.Message)
	switch {
	case e.noEndpoint:
		e.Message += ": there is no such endpoint, or none any more; check its id"
	case status == http.StatusUnauthorized && strings.HasPrefix(e.Message, "Cannot access application"):
		e.Message += ": fal says so of the application where the key is missing, malformed or too narrow; check the API key in FAL_KEY or Client.Key, and its scope"
	case status == http.StatusUnauthorized:
		e.Message += ": check the API key in FAL_KEY or Client.Key; it has the form key_id:key_secret"
	case status == http.StatusForbidden && strings.Contains(strings.ToLower(e.Message), "locked"):
		e.Type = typeLocked
		e.Message += ": top up or unlock the account; jobs that are already running are not lost, take them up with Resume"
	case status == http.StatusGatewayTimeout && header.Get("X-Fal-Request-Timeout-Type") == "user":
		e.Type, e.falsWord = typeUserTimeout, true
	}
	e.BillableUnits = shorten(clean(header.Get("X-Fal-Billable-Units")))
	e.Billing = billing(status, e.falsWord, e.BillableUnits)
	e.Retryable = retryable(&e, header)
	e.RetryAfter, _ = transport.RetryAfter(header)
	return &e
}

// billing follows fal's documentation: its own failures are not charged, and
// the header with the units, where there is one, decides.
func billing(status int, falsWord bool, units string) Billing {
	switch {
	case units != "" && strings.Trim(units, "0.") == "":
		return NotBilled
	case units != "":
		return Billed
	case status >= 500 && falsWord:
		return NotBilled
	}
	return BillingUnknown
}

func retryable(e *Error, header http.Header) bool {
	if e.Type == typeUserTimeout {
		return false
	}
	if e.noEndpoint {
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
// the error page of a proxy or of a store, as one line.
func plainText(body []byte, clean func(string) string) string {
	const most = 200
	if code, message := element(body, "Code"), element(body, "Message"); code != "" {
		body = []byte(strings.TrimSuffix(code+": "+message, ": "))
	} else if title := element(body, "title"); title != "" {
		body = []byte(title)
	}
	// Much more is read than shown, so that no part of a key is left where it is
	// cut off.
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 100*most)]), "")), " ")
	if strings.HasPrefix(text, "<") {
		return fmt.Sprintf("an HTML page of %d bytes", len(body))
	}
	return shortenTo(clean(text), most)
}

// element returns the text of the first element with a name, of XML or HTML.
func element(body []byte, name string) string {
	_, rest, ok := bytes.Cut(body, []byte("<"+name+">"))
	if !ok {
		return ""
	}
	text, _, _ := bytes.Cut(rest, []byte("<"))
	return string(bytes.TrimSpace(text))
}

// shortenTo cuts a text to at most so many bytes.
func shortenTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
