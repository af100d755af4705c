package faltest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// serveRun serves fal.run: direct calls and streams.
func (s *Server) serveRun(w http.ResponseWriter, r *http.Request, path string) {
	s.count(func(l *Ledger) { l.Posts++ })
	if r.Method != http.MethodPost {
		writeDetail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	op, streams := OpRun, strings.HasSuffix(path, "/stream")
	if streams {
		op = OpStream
		// Those stream whose id with /stream is in the catalogue. Which others
		// do, no source tells.
		if !known(path) && s.handler(path) == nil {
			writeDetail(w, http.StatusNotFound, "Path /"+path+" not found")
			return
		}
	}
	s.faulty(w, r, op, path, func(w http.ResponseWriter) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
		if err != nil {
			writeDetail(w, http.StatusBadRequest, "The request body could not be read")
			return
		}
		p, bad := parseParams(r)
		if bad != nil {
			bad.write(w)
			return
		}
		id := s.newID()
		result, inline := s.perform(path, r, body, id, s.effects(r, op, path))
		result.header["X-Fal-Request-Id"] = id
		s.mu.Lock()
		s.ledger.Runs++
		now := s.now()
		s.remember(s.bill(id, path, result, r, p), body, result, p.stored && !inline, now, now, now.Add(s.runTime))
		s.mu.Unlock()
		if streams && result.status == http.StatusOK {
			s.stream(w, r, result)
			return
		}
		if s.wait(r, s.runTime, nil) {
			result.write(w)
		}
	})
}

// stream sends the result several times, as a model does whose pictures get
// better. The last one is final.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, result answer) {
	for name, value := range result.header {
		w.Header().Set(name, value)
	}
	flush := startEvents(w)
	const steps = 4
	for range steps {
		if !s.wait(r, s.runTime/steps, nil) {
			return
		}
		_, _ = fmt.Fprintf(w, "data: %s\n\n", result.body)
		flush()
	}
}
