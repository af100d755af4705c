package faltest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

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
	j := s.jobs.get(id, s.now())
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
		if params.maxQueue > 0 && s.queueLength() > params.maxQueue {
			failure(http.StatusTooManyRequests, "queue_limit_exceeded", "The queue is longer than fal_max_queue_length").write(w) // the body is unconfirmed
			return
		}
		j := s.accept(path, body, r, params)
		base := s.addressOf(r, j)
		w.Header().Set("X-Fal-Request-Id", j.id)
		writeJSON(w, http.StatusOK, map[string]any{
			"status": "IN_QUEUE", "request_id": j.id, "gateway_request_id": j.id, "queue_position": 0,
			"response_url": base, "status_url": base + "/status", "cancel_url": base + "/cancel",
		})
	})
}

// addressOf returns the URL of a job.
func (s *Server) addressOf(r *http.Request, j *job) string {
	return s.origin(r) + "/queue.fal.run/" + j.app + "/requests/" + j.id
}

func (s *Server) queueLength() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs.queued(s.now())
}

// accept makes the job. What it will answer is decided at once.
func (s *Server) accept(path string, body []byte, r *http.Request, p params) *job {
	now := s.now()
	j := &job{
		id: s.newID(), app: appOf(path), endpoint: path, changed: make(chan struct{}),
		begins: now.Add(s.queueTime), ends: now.Add(s.queueTime + s.runTime), seconds: s.runTime.Seconds(),
	}
	j.effects = s.effects(r, OpSubmit, path)
	inline := false
	if p.startTimeout > 0 && p.startTimeout < s.queueTime {
		j.begins = now.Add(p.startTimeout)
		j.ends = j.begins
		j.result = failure(http.StatusGatewayTimeout, "request_timeout", "Request timed out before it was started")
		j.result.header["X-Fal-Request-Timeout-Type"] = "user"
	} else {
		j.result, inline = s.perform(path, r, body, j.id, j.effects)
	}
	j.result.header["X-Fal-Request-Id"] = j.id
	s.mu.Lock()
	s.jobs.add(j, p.stored && !inline, now)
	s.ledger.Submissions++
	j.bill = s.bill(j.id, path, j.result, r, p)
	j.past = s.remember(j.bill, body, j.result, p.stored && !inline, now, j.begins, j.ends)
	s.mu.Unlock()
	if p.webhook != "" {
		s.callLater(j, p.webhook)
	}
	return j
}

// newID returns a request id in the form that fal's have.
func (s *Server) newID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return fmt.Sprintf("%s-4000-8000-%012d", s.idPrefix(), s.serial)
}

// idPrefix returns what the ids of this server begin with.
func (s *Server) idPrefix() string { return fmt.Sprintf("%08x-fa1e", s.run) }

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
func (s *Server) statusOf(r *http.Request, j *job, logs bool) (body map[string]any, httpStatus int, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	state, until := j.state(now)
	base := s.addressOf(r, j)
	body = map[string]any{
		"status": state, "request_id": j.id, "response_url": base, "status_url": base + "/status", "cancel_url": base + "/cancel", "logs": nil,
	}
	switch state {
	case "IN_QUEUE":
		// One job ahead for each second to wait, so that it can be seen moving.
		body["queue_position"] = int(until.Sub(now) / time.Second)
	case "IN_PROGRESS":
		if j.effects.oddStatus != "" {
			body["status"] = j.effects.oddStatus
			j.effects.oddStatus = ""
		}
	case "COMPLETED":
		body["metrics"] = map[string]any{"inference_time": j.seconds}
		if j.result.status >= 400 {
			body["error"] = "Invalid status code: " + strconv.Itoa(j.result.status)
			if kind := j.result.header["X-Fal-Error-Type"]; kind != "" {
				body["error_type"] = kind
			}
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
	locked := j.effects.locked > 0
	j.effects.locked -= min(j.effects.locked, 1)
	s.mu.Unlock()
	if locked {
		lockedAccount().write(w)
		return
	}
	body, status, _ := s.statusOf(r, j, wantsLogs(r))
	w.Header().Set("X-Fal-Request-Id", j.id)
	writeJSON(w, status, body)
}

func wantsLogs(r *http.Request) bool {
	logs := r.URL.Query().Get("logs")
	return logs == "1" || logs == "true"
}

// statusStream sends the status at each change, and comments in between.
func (s *Server) statusStream(w http.ResponseWriter, r *http.Request, j *job) {
	flush := startEvents(w)
	if j.effects.silent {
		flush()
		s.wait(r, time.Hour, nil)
		return
	}
	alive := func() {
		_, _ = io.WriteString(w, ": keep-alive\n\n")
		flush()
	}
	for j.effects.heartbeats {
		if alive(); !s.wait(r, s.keepAlive, nil) {
			return
		}
	}
	sent := 0
	for {
		body, _, until := s.statusOf(r, j, wantsLogs(r))
		if all, ok := body["logs"].([]any); ok {
			body["logs"] = all[min(sent, len(all)):] // streams send what is new
			sent = len(all)
		}
		_, _ = fmt.Fprintf(w, "data: %s\n\n", mustJSON(body))
		flush()
		if body["status"] == "COMPLETED" {
			return
		}
		if j.effects.dropped {
			panic(http.ErrAbortHandler)
		}
		for s.lasts(j, until) {
			if !s.wait(r, min(until.Sub(s.now()), s.keepAlive), j.changed) {
				return
			}
			if s.lasts(j, until) {
				alive()
			}
		}
	}
}

// lasts reports whether the job stands where it stands until the given time.
func (s *Server) lasts(j *job, until time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !j.cancelled && s.now().Before(until)
}

func startEvents(w http.ResponseWriter) (flush func()) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	controller := http.NewResponseController(w)
	return func() { _ = controller.Flush() }
}

func (s *Server) result(w http.ResponseWriter, j *job) {
	s.mu.Lock()
	state, _ := j.state(s.now())
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
	state, _ := j.state(s.now())
	if state != "COMPLETED" {
		j.cancelled = true
		close(j.changed)
		j.result = failure(499, "client_cancelled", "Request was cancelled")
		j.result.header["X-Fal-Request-Id"] = j.id
		j.bill.Units = "0"
		j.past.status, j.past.ended = j.result.status, s.now()
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
