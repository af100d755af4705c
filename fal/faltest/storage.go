package faltest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// serveREST serves rest.fal.ai: the beginning of an upload.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, p string) {
	if p != "storage/upload/initiate" {
		writeDetail(w, http.StatusNotFound, "Path /"+p+" not found")
		return
	}
	if r.Method != http.MethodPost || r.URL.Query().Get("storage_type") != "fal-cdn-v3" {
		writeDetail(w, http.StatusBadRequest, "Invalid storage type")
		return
	}
	s.faulty(w, r, OpUpload, "storage", func(w http.ResponseWriter) {
		var ask struct {
			ContentType string `json:"content_type"`
			FileName    string `json:"file_name"`
		}
		body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if json.Unmarshal(body, &ask) != nil || ask.ContentType == "" || ask.FileName == "" {
			invalid([]problem{{Loc: []any{"body"}, Msg: "content_type and file_name are required", Type: "missing"}}).write(w)
			return
		}
		name, address := s.newFile(s.origin(r), ask.FileName)
		s.mu.Lock()
		s.files.expect(name, ask.ContentType)
		s.mu.Unlock()
		writeJSON(w, http.StatusOK, map[string]string{"upload_url": address + "?signature=faltest", "file_url": address})
	})
}

// serveMedia serves v3.fal.media: what was uploaded and what was made.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request, name string) {
	if r.Header.Get("Authorization") != "" {
		s.violation("%s %s carried credentials", r.Method, r.URL.Path)
		writeDetail(w, http.StatusBadRequest, "Credentials do not belong here")
		return
	}
	s.mu.Lock()
	f := s.files.byName[name]
	s.mu.Unlock()
	switch {
	case f == nil:
		writeDetail(w, http.StatusNotFound, "Not Found")
	case r.Method == http.MethodPut:
		s.faulty(w, r, OpUpload, "storage", func(w http.ResponseWriter) { s.put(w, r, name, f) })
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

func (s *Server) put(w http.ResponseWriter, r *http.Request, name string, f *file) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestFile))
	switch {
	case err != nil:
		writeDetail(w, http.StatusBadRequest, "The body could not be read")
	case r.URL.Query().Get("signature") != "faltest":
		writeDetail(w, http.StatusForbidden, "The signature does not match")
	case r.Header.Get("Content-Type") != f.contentType:
		writeDetail(w, http.StatusForbidden, "The content type is not the one that was signed")
	case r.ContentLength < 0:
		writeDetail(w, http.StatusLengthRequired, "Length Required")
	default:
		s.mu.Lock()
		s.files.upload(name, f.contentType, body)
		s.ledger.Uploads++
		s.mu.Unlock()
		w.WriteHeader(http.StatusOK)
	}
}
