package faltest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
)

// What tests lower.
var (
	UploadBytes  = &uploadBytes
	StoredMost   = &storedMost
	PayloadBytes = &payloadBytes
)

// Reachable is where others reach a listener.
var Reachable = reachable

// Jobs returns how many jobs are kept.
func (s *Server) Jobs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.jobs.byID)
}

// Submit submits without a connection.
func (s *Server) Submit(endpoint, body string) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/queue.fal.run/"+endpoint, strings.NewReader(body))
	r.Header.Set("Authorization", "Key "+s.key)
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != http.StatusOK {
		panic(w.Body.String())
	}
}
