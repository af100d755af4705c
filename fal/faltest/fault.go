package faltest

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"time"
)

// Op is something that clients ask of the server.
type Op string

// The operations that can be made to fail.
const (
	OpSubmit       Op = "submit"
	OpRun          Op = "run"
	OpStream       Op = "stream"
	OpStatus       Op = "status"
	OpStatusStream Op = "status-stream"
	OpResult       Op = "result"
	OpCancel       Op = "cancel"
	OpUpload       Op = "upload"
	OpDownload     Op = "download"
	OpPlatform     Op = "platform"
)

// Fault is something that goes wrong, see [Server.Inject]. Some faults strike
// an exchange, such as [LostAnswer]; others strike the work that a submit, run
// or stream begins, such as [LateFailure].
type Fault struct {
	exchange func(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter))
	effect   func(*effects)
}

// effects are what goes wrong with the work on a request.
type effects struct {
	failure       *answer // instead of the result
	nsfw          bool
	width, height int // instead of those asked for
	nulls, extras bool
	oddStatus     string
	silent        bool // the status stream says nothing
	dropped       bool // the status stream breaks off
	locked        int  // so many polls find the account locked
}

type rule struct {
	op       Op
	endpoint string
	fault    Fault
	left     int
}

// Inject lets the given operation fail the next so many times. Faults that
// are injected one after the other strike one after the other; those that
// strike the work itself strike the same request together, each once.
func (s *Server) Inject(op Op, f Fault, times int) { s.InjectFor("", op, f, times) }

// InjectFor is Inject for requests to one endpoint.
func (s *Server) InjectFor(endpoint string, op Op, f Fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &rule{op, endpoint, f, times})
}

// take returns the next fault that strikes the exchange of an operation.
func (s *Server) take(op Op, endpoint string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.faults {
		if r.left > 0 && r.op == op && (r.endpoint == "" || r.endpoint == endpoint) && r.fault.effect == nil {
			r.left--
			return r.fault, true
		}
	}
	return Fault{}, false
}

// FaultHeader is a request header by which clients in any language ask for a
// fault: its value is one of [FaultNames].
const FaultHeader = "X-Faltest-Fault"

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
}

// FaultNames returns the values that [FaultHeader] may have.
func FaultNames() []string { return slices.Sorted(maps.Keys(named)) }

// faulty serves an exchange, or lets it fail.
func (s *Server) faulty(w http.ResponseWriter, r *http.Request, op Op, endpoint string, next func(http.ResponseWriter)) {
	if f := named[r.Header.Get(FaultHeader)]; f.exchange != nil {
		f.exchange(w, r, next)
		return
	}
	if f, ok := s.take(op, endpoint); ok {
		f.exchange(w, r, next)
		return
	}
	next(w)
}

// effects collects what goes wrong with the work that a request begins.
func (s *Server) effects(r *http.Request, op Op, endpoint string) effects {
	var e effects
	if f := named[r.Header.Get(FaultHeader)]; f.effect != nil {
		f.effect(&e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.op == op && f.fault.effect != nil && f.left > 0 && (f.endpoint == "" || f.endpoint == endpoint) {
			f.left--
			f.fault.effect(&e)
		}
	}
	return e
}

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

// TruncatedBody does what is asked and sends half of the answer.
func TruncatedBody() Fault {
	return replay(func(w http.ResponseWriter, _ *http.Request, body []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
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
// status, error type and message. It is billed if the status is below 500.
func LateFailure(status int, errorType, message string) Fault {
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
func UnknownFields() Fault { return Fault{effect: func(e *effects) { e.extras = true }} }

// UnknownStatus reports a status that no client knows, once while the job is
// running.
func UnknownStatus(status string) Fault {
	return Fault{effect: func(e *effects) { e.oddStatus = status }}
}

// SilentStream lets the job's status streams say nothing, not even that they
// are alive.
func SilentStream() Fault { return Fault{effect: func(e *effects) { e.silent = true }} }

// DroppedStream breaks the job's status streams off after the first status.
func DroppedStream() Fault { return Fault{effect: func(e *effects) { e.dropped = true }} }

// LockedPolls lets the next so many polls of the job find the account locked,
// while the job goes on.
func LockedPolls(polls int) Fault { return Fault{effect: func(e *effects) { e.locked = polls }} }
