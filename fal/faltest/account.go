package faltest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// apiKey is a key that was made through the platform.
type apiKey struct {
	ID      string `json:"key_id"`
	Alias   string `json:"alias"`
	Scope   string `json:"scope"`
	Created string `json:"created_at"`
	secret  string
}

// keysKept is how many keys a server makes at most.
const keysKept = 1000

// serveAPIKeys lists the keys that were made. The form is unconfirmed.
func (s *Server) serveAPIKeys(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	keys := slices.Clone(s.platform.keys)
	s.mu.Unlock()
	writePage(w, r.URL.Query(), "keys", keys, 50, 100)
}

// serveNewKey makes a key, which works from now on.
func (s *Server) serveNewKey(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Alias string `json:"alias"`
	}
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if json.Unmarshal(body, &in) != nil || in.Alias == "" {
		badQuery(w, "alias: is required")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.platform.keys) == keysKept {
		badQuery(w, "alias: there are too many keys")
		return
	}
	s.serial++
	k := &apiKey{ID: "key-" + strings.ToLower(rand.Text()[:12]), Alias: in.Alias, Scope: scopeAPI, Created: s.now().UTC().Format(time.RFC3339), secret: rand.Text()}
	s.platform.keys = append(s.platform.keys, k)
	writeJSON(w, http.StatusCreated, map[string]string{"key_id": k.ID, "key_secret": k.secret, "key": k.ID + ":" + k.secret})
}

// serveOldKey deletes a key, which works no longer. To delete one that is gone
// is no error.
func (s *Server) serveOldKey(w http.ResponseWriter, r *http.Request) {
	_, id, _ := strings.Cut(r.URL.Path, "/v1/keys/")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.platform.keys = slices.DeleteFunc(s.platform.keys, func(k *apiKey) bool { return k.ID == id })
	w.WriteHeader(http.StatusNoContent)
}

// serveAccess answers who may read a file, or sets it. It is noted, not kept to:
// files are read by their address alone. The form is unconfirmed.
func (s *Server) serveAccess(w http.ResponseWriter, r *http.Request) {
	address, ok := s.fileOf(w, r)
	if !ok {
		return
	}
	if r.Method == http.MethodPut {
		body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		var in struct {
			Default string `json:"default"`
		}
		if json.Unmarshal(body, &in) != nil || !slices.Contains([]string{"allow", "forbid", "hide"}, in.Default) {
			badQuery(w, "default: must be allow, forbid or hide")
			return
		}
		s.mu.Lock()
		if len(s.platform.access) < filesKept {
			s.platform.access[address] = body
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	access := s.platform.access[address]
	s.mu.Unlock()
	if access == nil {
		access = json.RawMessage(`{"default":"allow","rules":[]}`)
	}
	writeJSON(w, http.StatusOK, access)
}

// fileOf returns the file that a query names.
func (s *Server) fileOf(w http.ResponseWriter, r *http.Request) (address string, ok bool) {
	address = r.URL.Query().Get("url")
	if address == "" {
		badQuery(w, "url: is required")
		return "", false
	}
	if f, _ := s.stored(address); f == nil {
		platformError(w, http.StatusNotFound, "not_found", "File not found")
		return "", false
	}
	return address, true
}

// serveSign returns an address with a signature, at which the file is as it is
// without.
func (s *Server) serveSign(w http.ResponseWriter, r *http.Request) {
	address, ok := s.fileOf(w, r)
	if !ok {
		return
	}
	var in struct {
		Seconds int `json:"expiration_seconds"`
	}
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if json.Unmarshal(body, &in) != nil || in.Seconds < 1 || in.Seconds > 604800 {
		badQuery(w, "expiration_seconds: must be between 1 and 604800")
		return
	}
	bare, _, _ := strings.Cut(address, "?")
	writeJSON(w, http.StatusOK, map[string]string{"signed_url": bare + "?signature=" + rand.Text()})
}

// serveSettings answers how files are kept, or sets it. The form is
// unconfirmed: what is set is given back.
func (s *Server) serveSettings(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if !json.Valid(body) {
			badQuery(w, "the body must be JSON")
			return
		}
		s.mu.Lock()
		s.platform.settings = body
		s.mu.Unlock()
	}
	s.mu.Lock()
	settings := s.platform.settings
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, settings)
}
