package faltest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// job is a request in the queue. Where it stands follows from the clock; no
// goroutine works on it.
type job struct {
	id       string
	app      string // owner and alias
	endpoint string
	priority string
	begins   time.Time // leaves the queue
	ends     time.Time
	result   answer
	seconds  float64 // inference time
	odd      string  // a status that no client knows, given once
	silent   bool    // its streams say nothing
	dropped  bool    // its streams break off
	locked   int     // so many polls are refused
	// cancelled is set when the job was cancelled before its end.
	cancelled bool
}

// state returns where the job stands, and when that changes.
func (j *job) state(now time.Time) (state string, until time.Time) {
	switch {
	case j.cancelled || !now.Before(j.ends):
		return "COMPLETED", time.Time{}
	case now.Before(j.begins):
		return "IN_QUEUE", j.begins
	}
	return "IN_PROGRESS", j.ends
}

const maxRequestBody = 64 << 20

// serveQueue serves queue.fal.run.
func (s *Server) serveQueue(w http.ResponseWriter, r *http.Request, path string) {
	app, rest, isJob := strings.Cut(path, "/requests/")
	if !isJob {
		s.submit(w, r, path)
		return
	}
	id, action, _ := strings.Cut(rest, "/")
	s.mu.Lock()
	j := s.jobs[id]
	s.mu.Unlock()
	if j != nil && app != j.app {
		// The URLs of a job have owner and alias alone.
		writeDetail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	switch r.Method + " " + action {
	case "GET status":
		s.count(func(l *Ledger) { l.Polls++ })
	case "GET status/stream":
		s.count(func(l *Ledger) { l.Streams++ })
	case "GET ":
		s.count(func(l *Ledger) { l.Results++ })
	case "PUT cancel":
		s.count(func(l *Ledger) { l.Cancels++ })
	default:
		writeDetail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	if j == nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"status": "NOT_FOUND"})
		return
	}
	endpoint := j.endpoint
	switch r.Method + " " + action {
	case "GET status":
		s.faulty(w, r, OpStatus, endpoint, func(w http.ResponseWriter) { s.status(w, r, j) })
	case "GET status/stream":
		s.faulty(w, r, OpStatusStream, endpoint, func(w http.ResponseWriter) { s.statusStream(w, r, j) })
	case "GET ":
		s.faulty(w, r, OpResult, endpoint, func(w http.ResponseWriter) { s.result(w, j) })
	case "PUT cancel":
		s.faulty(w, r, OpCancel, endpoint, func(w http.ResponseWriter) { s.cancel(w, j) })
	}
}

// submit accepts a request into the queue.
func (s *Server) submit(w http.ResponseWriter, r *http.Request, path string) {
	s.count(func(l *Ledger) { l.Posts++ })
	if r.Method != http.MethodPost {
		writeDetail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	s.faulty(w, r, OpSubmit, path, func(w http.ResponseWriter) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
		if err != nil {
			writeDetail(w, http.StatusBadRequest, "The request body could not be read")
			return
		}
		params, bad := parseParams(r)
		if bad != nil {
			bad.write(w)
			return
		}
		if s.queueLength() > params.maxQueue && params.maxQueue > 0 {
			failure(http.StatusTooManyRequests, "queue_limit_exceeded", "The queue is longer than fal_max_queue_length").write(w) // the body is unconfirmed
			return
		}
		j := s.accept(path, body, r, params)
		base := s.host("queue.fal.run") + "/" + j.app + "/requests/" + j.id
		w.Header().Set("X-Fal-Request-Id", j.id)
		writeJSON(w, http.StatusOK, map[string]any{
			"status": "IN_QUEUE", "request_id": j.id, "gateway_request_id": j.id, "queue_position": 0,
			"response_url": base, "status_url": base + "/status", "cancel_url": base + "/cancel",
		})
	})
}

func (s *Server) queueLength() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, now := 0, time.Now()
	for _, j := range s.jobs {
		if state, _ := j.state(now); state == "IN_QUEUE" {
			n++
		}
	}
	return n
}

// accept makes the job. What it will answer is decided at once.
func (s *Server) accept(path string, body []byte, r *http.Request, p params) *job {
	now := time.Now()
	j := &job{
		id: s.newID(), app: appOf(path), endpoint: path, priority: p.priority,
		begins: now.Add(s.queueTime), ends: now.Add(s.queueTime + s.runTime), seconds: s.runTime.Seconds(),
	}
	effects := s.effects(r, OpSubmit, path)
	j.odd, j.silent, j.dropped, j.locked = effects.oddStatus, effects.silent, effects.dropped, effects.locked
	if p.startTimeout > 0 && p.startTimeout < s.queueTime {
		j.begins = now.Add(p.startTimeout)
		j.ends = j.begins
		j.result = failure(http.StatusGatewayTimeout, "request_timeout", "Request timed out before it was started")
		j.result.header["X-Fal-Request-Timeout-Type"] = "user"
	} else {
		j.result = s.perform(path, r.Header, body, j.id, effects)
	}
	j.result.header["X-Fal-Request-Id"] = j.id
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[j.id] = j
	s.ledger.Submissions++
	s.bill(j.id, path, j.result, r, p)
	return j
}

// bill writes down what a request is billed.
func (s *Server) bill(id, endpoint string, a answer, r *http.Request, p params) {
	header := r.Header.Clone()
	header.Del("Authorization")
	s.ledger.Bills = append(s.ledger.Bills, Bill{
		RequestID: id, Endpoint: endpoint, Units: a.header["X-Fal-Billable-Units"],
		Tags: p.tags, Header: header, Query: r.URL.Query(),
	})
}

// newID returns a request id in the form that fal's have.
func (s *Server) newID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return fmt.Sprintf("%08x-fa1e-4000-8000-%012d", s.run, s.serial)
}

// appOf returns the part of an endpoint that the URLs of its jobs have.
func appOf(path string) string {
	parts := strings.SplitN(path, "/", 4)
	n := 2
	if parts[0] == "workflows" || parts[0] == "comfy" {
		n = 3
	}
	return strings.Join(parts[:min(n, len(parts))], "/")
}

// statusOf returns the body and HTTP status of a status answer.
func (s *Server) statusOf(j *job, logs bool) (body map[string]any, httpStatus int, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	state, until := j.state(now)
	base := s.host("queue.fal.run") + "/" + j.app + "/requests/" + j.id
	body = map[string]any{
		"status": state, "request_id": j.id, "response_url": base, "status_url": base + "/status", "cancel_url": base + "/cancel", "logs": nil,
	}
	switch state {
	case "IN_QUEUE":
		// One job ahead for each second to wait, so that it can be seen moving.
		body["queue_position"] = int(until.Sub(now) / time.Second)
	case "IN_PROGRESS":
		if j.odd != "" {
			body["status"] = j.odd
			j.odd = ""
		}
	case "COMPLETED":
		body["metrics"] = map[string]any{"inference_time": j.seconds}
		if j.result.status >= 400 {
			body["error"] = "Invalid status code: " + strconv.Itoa(j.result.status)
			body["error_type"] = j.result.header["X-Fal-Error-Type"]
		}
	}
	if logs {
		body["logs"] = s.logsOf(j, now)
	}
	if state == "COMPLETED" {
		return body, http.StatusOK, until
	}
	return body, http.StatusAccepted, until
}

func (s *Server) logsOf(j *job, now time.Time) []any {
	logs := []any{}
	line := func(at time.Time, text string) {
		if !now.Before(at) {
			logs = append(logs, map[string]any{"message": text, "timestamp": at.UTC().Format(time.RFC3339Nano), "level": "INFO", "source": "USER"})
		}
	}
	line(j.begins, "SIMULATED: started")
	line(j.ends, "SIMULATED: done")
	return logs
}

func (s *Server) status(w http.ResponseWriter, r *http.Request, j *job) {
	s.mu.Lock()
	locked := j.locked > 0
	j.locked -= min(j.locked, 1)
	s.mu.Unlock()
	if locked {
		lockedAccount().write(w)
		return
	}
	logs := r.URL.Query().Get("logs")
	body, status, _ := s.statusOf(j, logs == "1" || logs == "true")
	w.Header().Set("X-Fal-Request-Id", j.id)
	writeJSON(w, status, body)
}

// statusStream sends the status at each change, and comments in between.
func (s *Server) statusStream(w http.ResponseWriter, r *http.Request, j *job) {
	logs := r.URL.Query().Get("logs") == "1"
	flush := startEvents(w)
	if j.silent {
		flush()
		s.wait(r, time.Hour)
		return
	}
	sent := 0
	for {
		body, _, until := s.statusOf(j, logs)
		if all, ok := body["logs"].([]any); ok {
			body["logs"] = all[min(sent, len(all)):] // streams send what is new
			sent = len(all)
		}
		_, _ = fmt.Fprintf(w, "data: %s\n\n", mustJSON(body))
		flush()
		if body["status"] == "COMPLETED" {
			return
		}
		if j.dropped {
			panic(http.ErrAbortHandler)
		}
		for time.Now().Before(until) {
			if !s.wait(r, min(time.Until(until), s.keepAlive)) {
				return
			}
			if time.Now().Before(until) {
				_, _ = io.WriteString(w, ": keep-alive\n\n")
				flush()
			}
			s.mu.Lock()
			cancelled := j.cancelled
			s.mu.Unlock()
			if cancelled {
				break
			}
		}
	}
}

func startEvents(w http.ResponseWriter) (flush func()) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	controller := http.NewResponseController(w)
	return func() { _ = controller.Flush() }
}

func (s *Server) result(w http.ResponseWriter, j *job) {
	s.mu.Lock()
	state, _ := j.state(time.Now())
	result := j.result
	s.mu.Unlock()
	if state != "COMPLETED" {
		writeDetail(w, http.StatusBadRequest, "Request is still in progress")
		return
	}
	result.write(w)
}

func (s *Server) cancel(w http.ResponseWriter, j *job) {
	s.mu.Lock()
	state, _ := j.state(time.Now())
	if state != "COMPLETED" {
		j.cancelled = true
		j.result = failure(499, "client_cancelled", "Request was cancelled")
		j.result.header["X-Fal-Request-Id"] = j.id
		for i := range s.ledger.Bills {
			if s.ledger.Bills[i].RequestID == j.id {
				s.ledger.Bills[i].Units = "0"
			}
		}
	}
	s.mu.Unlock()
	switch state {
	case "IN_QUEUE":
		writeJSON(w, http.StatusOK, map[string]string{"status": "OK"})
	case "IN_PROGRESS":
		writeJSON(w, http.StatusAccepted, map[string]string{"status": "CANCELLATION_REQUESTED"})
	default:
		writeJSON(w, http.StatusBadRequest, map[string]string{"status": "ALREADY_COMPLETED"})
	}
}
