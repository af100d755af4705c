package faltest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// storageToken is the token with which the storage takes files directly.
const storageToken = "faltest-storage-token"

// serveREST serves rest.fal.ai: the beginnings of uploads.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, p string) {
	serve := map[string]func(http.ResponseWriter, *http.Request){
		"storage/upload/initiate":           func(w http.ResponseWriter, r *http.Request) { s.initiate(w, r, false) },
		"storage/upload/initiate-multipart": func(w http.ResponseWriter, r *http.Request) { s.initiate(w, r, true) },
		"storage/auth/token":                s.storageToken,
	}[p]
	if older := p == "tokens/"; (older || p == "tokens/realtime") && r.Method == http.MethodPost {
		s.realtimeToken(w, r, older)
		return
	}
	if serve == nil {
		writeDetail(w, http.StatusNotFound, "Path /"+p+" not found")
		return
	}
	if r.Method != http.MethodPost || r.URL.Query().Get("storage_type") != "fal-cdn-v3" {
		writeDetail(w, http.StatusBadRequest, "Invalid storage type")
		return
	}
	s.faulty(w, r, OpUpload, "storage", func(w http.ResponseWriter) { serve(w, r) })
}

// initiate names an address for a file, which is signed for it alone.
func (s *Server) initiate(w http.ResponseWriter, r *http.Request, parts bool) {
	var ask struct {
		ContentType string `json:"content_type"`
		FileName    string `json:"file_name"`
	}
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if json.Unmarshal(body, &ask) != nil || ask.ContentType == "" || ask.FileName == "" {
		invalid([]problem{{Loc: []any{"body"}, Msg: "content_type and file_name are required", Type: "missing"}}).write(w)
		return
	}
	address := s.expect(s.origin(r), ask.FileName, ask.ContentType, parts)
	writeJSON(w, http.StatusOK, map[string]string{"upload_url": address + "?signature=faltest", "file_url": address})
}

// expect keeps an address for a file that will be uploaded.
func (s *Server) expect(origin, fileName, contentType string, parts bool) (address string) {
	name, address := s.newFile(origin, fileName)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files.expect(name, contentType)
	if parts {
		s.files.byName[name].parts = make(map[int]filePart)
	}
	return address
}

// storageToken gives a token for the storage.
func (s *Server) storageToken(w http.ResponseWriter, r *http.Request) {
	now := s.now().UTC()
	writeJSON(w, http.StatusOK, map[string]string{
		"token": storageToken, "token_type": "Bearer", "base_url": s.origin(r) + "/v3.fal.media",
		"created_at": now.Format(time.RFC3339), "expires_at": now.Add(time.Hour).Format(time.RFC3339),
	})
}

// serveMedia serves v3.fal.media: what was uploaded and what was made.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request, name string) {
	if r.Header.Get("Authorization") == "Bearer "+storageToken {
		s.serveDirect(w, r, name)
		return
	}
	if r.Header.Get("Authorization") != "" {
		s.violation("%s %s carried credentials", r.Method, r.URL.Path)
		writeDetail(w, http.StatusBadRequest, "Credentials do not belong here")
		return
	}
	s.mu.Lock()
	f := s.files.byName[name]
	parts := f != nil && f.parts != nil
	s.mu.Unlock()
	switch {
	case f == nil:
		s.serveSignedPart(w, r, name)
	case r.Method == http.MethodPut && parts:
		writeDetail(w, http.StatusBadRequest, "This address takes parts")
	case r.Method == http.MethodPut:
		s.faulty(w, r, OpUpload, "storage", func(w http.ResponseWriter) {
			if signed(w, r) {
				s.put(w, r, name, f)
			}
		})
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		writeDetail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	case f.pending:
		writeDetail(w, http.StatusNotFound, "Not Found")
	default:
		s.count(func(l *Ledger) { l.Downloads++ })
		s.faulty(w, r, OpDownload, "storage", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", f.contentType)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.content(f)))
		})
	}
}

// signed checks the signature of an address.
func signed(w http.ResponseWriter, r *http.Request) bool {
	ok := r.URL.Query().Get("signature") == "faltest"
	if !ok {
		writeDetail(w, http.StatusForbidden, "The signature does not match")
	}
	return ok
}

// put takes a file in one piece.
func (s *Server) put(w http.ResponseWriter, r *http.Request, name string, f *file) (taken bool) {
	if r.Header.Get("Content-Type") != f.contentType {
		writeDetail(w, http.StatusForbidden, "The content type is not the one that was signed")
		return false
	}
	body, ok := content(w, r)
	if ok {
		s.mu.Lock()
		s.files.upload(name, f.contentType, body)
		s.ledger.Uploads++
		s.mu.Unlock()
	}
	return ok
}

// content reads the body of a request, which has to have a length.
func content(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	switch {
	case r.ContentLength < 0:
		writeDetail(w, http.StatusLengthRequired, "Length Required")
		return nil, false
	case r.ContentLength > largestFile:
		writeDetail(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return nil, false
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		writeDetail(w, http.StatusBadRequest, "The body could not be read")
		return nil, false
	}
	return body, true
}
