package faltest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"time"
)

var named = map[string]Fault{
	"lost-answer":    LostAnswer(),
	"reset":          Reset(),
	"server-error":   ServerError(http.StatusInternalServerError),
	"error-page":     ErrorPage(http.StatusBadGateway),
	"too-many":       TooManyRequests(time.Second),
	"slow-body":      SlowBody(2 * time.Second),
	"truncated-body": TruncatedBody(),
	"locked":         LockedAccount(),
	"late-failure":   LateFailure(http.StatusInternalServerError, "internal_server_error", "The model failed"),
	"content-policy": LateFailure(http.StatusUnprocessableEntity, "content_policy_violation", "The content could not be processed because it was flagged by a content checker."),
	"nsfw":           NSFW(),
	"wrong-size":     WrongSize(512, 512),
	"null-fields":    NullFields(),
	"unknown-fields": UnknownFields(),
	"unknown-status": UnknownStatus("WARMING_UP"),
	"silent-stream":  SilentStream(),
	"dropped-stream": DroppedStream(),

	"heartbeats-alone": HeartbeatStream(),
	"unavailable":      ErrorPage(http.StatusServiceUnavailable),
	"unavailable-done": After(ErrorPage(http.StatusServiceUnavailable)),
	"html":             ErrorPage(http.StatusOK),
	"empty-body":       Answer(http.StatusOK, ""),
	"detail-body":      Answer(http.StatusOK, `{"detail":"Internal Server Error"}`),
	"cut-chunked":      Cut(-1, ByChunks),
	"cut-closed":       Cut(-1, ByClose),
	"too-many-for-day": TooManyRequests(24 * time.Hour),
	"fewer-pictures":   Changed(func(result map[string]any) { cutPictures(result, 1) }),
	"no-pictures":      Changed(func(result map[string]any) { cutPictures(result, 99) }),
	"no-url":           Changed(func(result map[string]any) { eachPicture(result, func(p map[string]any) { delete(p, "url") }) }),
	"text-seed":        Changed(func(result map[string]any) { result["seed"] = fmt.Sprint(result["seed"]) }),
}

// FaultNames returns the values that [FaultHeader] may have.
func FaultNames() []string { return slices.Sorted(maps.Keys(named)) }

// hijack takes the connection away from the server.
func hijack(w http.ResponseWriter) *net.TCPConn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection as well
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		_ = conn.Close()
		panic(http.ErrAbortHandler)
	}
	return tcp
}

// LostAnswer does what is asked and closes the connection without an answer.
func LostAnswer() Fault {
	return Fault{exchange: func(w http.ResponseWriter, _ *http.Request, next func(http.ResponseWriter)) {
		next(httptest.NewRecorder())
		_ = hijack(w).Close()
	}}
}

// Reset reads the request and resets the connection, without doing anything.
func Reset() Fault {
	return Fault{exchange: func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn := hijack(w)
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}}
}

// ServerError answers with a status of 5xx in fal's own form, with a request
// id.
func ServerError(status int) Fault {
	return Fault{exchange: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		a := failure(status, "internal_error", "Internal server error")
		a.header["X-Fal-Request-Id"] = "00000000-fa1e-4000-8000-0000000000ff"
		a.write(w)
	}}
}

// ErrorPage answers with the HTML page of a proxy, without a request id.
func ErrorPage(status int) Fault {
	return Fault{exchange: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		text := strconv.Itoa(status) + " " + http.StatusText(status)
		answer{
			status: status, header: map[string]string{"Content-Type": "text/html"},
			body: []byte("<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<center><h1>" + text + "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
		}.write(w)
	}}
}

// TooManyRequests answers with status 429 and asks to wait, if d is not 0.
func TooManyRequests(d time.Duration) Fault {
	return Fault{exchange: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		a := failure(http.StatusTooManyRequests, "concurrent_requests_limit", "Too many concurrent requests") // the body is unconfirmed
		a.header["X-Fal-Needs-Retry"] = "1"
		if d > 0 {
			a.header["Retry-After"] = strconv.Itoa(int((d + time.Second - 1) / time.Second))
		}
		a.write(w)
	}}
}

// LockedAccount answers with status 403, as for an account without credit.
func LockedAccount() Fault {
	return Fault{exchange: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) { lockedAccount().write(w) }}
}

func lockedAccount() answer {
	return answer{
		status: http.StatusForbidden,
		body:   mustJSON(map[string]string{"detail": "User is locked. Reason: Exhausted balance. Top up your balance."}),
	}
}

// Answer answers with a status, a body and headers, given as names and values
// in turn, and does nothing of what is asked. The Content-Type is that of the
// body, unless it is given. Answer(503, "") is what a gateway says that
// reaches nothing; with "X-Fal-Request-Id", "some-id" it comes from behind the
// gateway. It panics if there is no such status, or a header without a value.
func Answer(status int, body string, header ...string) Fault {
	must(status >= 200 && status <= 599, "Answer(%d): must be a status from 200 to 599", status)
	must(len(header)%2 == 0, "Answer(%d): a header has no value: %q", status, header)
	a := answer{status: status, header: make(map[string]string), body: []byte(body)}
	for i := 0; i < len(header); i += 2 {
		a.header[header[i]] = header[i+1]
	}
	return Fault{exchange: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) { a.write(w) }}
}

// After does what is asked and then answers as the given fault does, so that
// the work is accepted and its answer is not to be seen. The fault must be one
// that strikes an exchange.
func After(f Fault) Fault {
	must(f.exchange != nil, "After: the fault must be one that strikes an exchange, such as ErrorPage")
	return Fault{exchange: func(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter)) {
		recorder := httptest.NewRecorder()
		next(recorder)
		f.exchange(w, r, func(w http.ResponseWriter) {
			maps.Copy(w.Header(), recorder.Header())
			w.WriteHeader(recorder.Code)
			_, _ = w.Write(recorder.Body.Bytes())
		})
	}}
}

// SlowBody sends the header of the answer at once and its body after d.
func SlowBody(d time.Duration) Fault {
	return replay(func(w http.ResponseWriter, r *http.Request, body []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(d):
			_, _ = w.Write(body)
		case <-r.Context().Done():
		}
	})
}

// TruncatedBody does what is asked and sends half of the answer. It is
// Cut(-1, ByLength).
func TruncatedBody() Fault { return Cut(-1, ByLength) }

// Framing is how the end of a body can be told.
type Framing string

// The framings of HTTP/1.1.
const (
	ByLength Framing = "length" // by a Content-Length
	ByChunks Framing = "chunks" // by a last chunk
	ByClose  Framing = "close"  // by the end of the connection: a cut cannot be told
)

// Cut does what is asked and sends so many bytes of the answer's body, then
// ends the connection. Less than none is half of the body. It panics if there
// is no such framing.
func Cut(bytes int, framing Framing) Fault {
	must(slices.Contains([]Framing{ByLength, ByChunks, ByClose}, framing), "Cut: there is no framing %q", framing)
	return replay(func(w http.ResponseWriter, _ *http.Request, body []byte) {
		n := min(bytes, len(body))
		if n < 0 {
			n = len(body) / 2
		}
		switch framing {
		case ByLength:
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		case ByClose:
			w.Header().Set("Transfer-Encoding", "identity") // so says net/http that it is neither of the others
		}
		_, _ = w.Write(body[:n])
		_ = http.NewResponseController(w).Flush()
		if framing != ByClose {
			panic(http.ErrAbortHandler)
		}
	})
}

// replay does what is asked and hands the answer's body to f.
func replay(f func(w http.ResponseWriter, r *http.Request, body []byte)) Fault {
	return Fault{exchange: func(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter)) {
		recorder := httptest.NewRecorder()
		next(recorder)
		maps.Copy(w.Header(), recorder.Header())
		f(&headed{w, recorder.Code}, r, bytes.Clone(recorder.Body.Bytes()))
	}}
}

// headed writes the header with its status before anything else.
type headed struct {
	http.ResponseWriter
	status int
}

func (h *headed) head() {
	if h.status != 0 {
		h.WriteHeader(h.status)
		h.status = 0
	}
}

func (h *headed) Write(p []byte) (int, error) {
	h.head()
	return h.ResponseWriter.Write(p)
}

// FlushError implements what http.ResponseController looks for.
func (h *headed) FlushError() error {
	h.head()
	return http.NewResponseController(h.ResponseWriter).Flush()
}

// LateFailure accepts the request and lets the model fail with the given
// status, error type and message. One unit is billed if the status is below
// 500. With status 200 it is an answer that looks like a result and has none.
func LateFailure(status int, errorType, message string) Fault {
	must(status >= 200 && status <= 599, "LateFailure(%d): must be a status from 200 to 599", status)
	return Fault{effect: func(e *effects) {
		a := answer{
			status: status, header: map[string]string{"X-Fal-Billable-Units": "0"},
			body: mustJSON(map[string]any{"detail": []problem{{Loc: []any{"body"}, Msg: message, Type: errorType}}}),
		}
		if status < 500 {
			a.header["X-Fal-Billable-Units"] = "1"
		}
		e.failure = &a
	}}
}

// NSFW lets the safety checker flag every picture, and blacks them out.
func NSFW() Fault { return Fault{effect: func(e *effects) { e.nsfw = true }} }

// WrongSize makes pictures of another size than was asked for; the bill is as
// for what was asked.
func WrongSize(width, height int) Fault {
	return Fault{effect: func(e *effects) { e.width, e.height = width, height }}
}

// NullFields sets every field of the result that may be missing to null.
func NullFields() Fault { return Fault{effect: func(e *effects) { e.nulls = true }} }

// UnknownFields adds fields to the result that no client knows.
func UnknownFields() Fault {
	return Changed(func(result map[string]any) { result["brand_new_field"] = map[string]any{"deep": []int{1, 2}} })
}

// Changed lets f change the result of the work as it likes, before it is made
// to JSON; the bill is as for what was asked. The value of "images" is a list
// of map[string]any, as []any, and others likewise.
func Changed(f func(result map[string]any)) Fault {
	must(f != nil, "Changed: the function is nil")
	return Fault{effect: func(e *effects) { e.changes = append(e.changes, f) }}
}

// cutPictures takes away so many pictures, and their flags.
func cutPictures(result map[string]any, n int) {
	if images, ok := result["images"].([]any); ok {
		result["images"] = images[:max(0, len(images)-n)]
	} else {
		delete(result, "image")
	}
	if flags, ok := result["has_nsfw_concepts"].([]any); ok {
		result["has_nsfw_concepts"] = flags[:max(0, len(flags)-n)]
	}
}

func eachPicture(result map[string]any, f func(map[string]any)) {
	images, _ := result["images"].([]any)
	for _, image := range append(images, result["image"]) {
		if p, ok := image.(map[string]any); ok {
			f(p)
		}
	}
}

// UnknownStatus reports a status that no client knows, once while the job is
// running.
func UnknownStatus(status string) Fault {
	return Fault{effect: func(e *effects) { e.oddStatus = status }}
}

// SilentStream lets the job's status streams say nothing, not even that they
// are alive.
func SilentStream() Fault { return Fault{effect: func(e *effects) { e.silent = true }} }

// HeartbeatStream lets the job's status streams say that they are alive, as
// often as [KeepAlive] says, and nothing else.
func HeartbeatStream() Fault { return Fault{effect: func(e *effects) { e.heartbeats = true }} }

// DroppedStream breaks the job's status streams off after the first status.
func DroppedStream() Fault { return Fault{effect: func(e *effects) { e.dropped = true }} }

// LockedPolls lets the next so many polls of the job find the account locked,
// while the job goes on.
func LockedPolls(polls int) Fault { return Fault{effect: func(e *effects) { e.locked = polls }} }
