package faltest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// file is a stored file. Pictures are drawn when they are asked for; only the
// latest are kept, so that a server can make any number.
type file struct {
	contentType string
	uploaded    []byte
	draw        func() []byte // nil for what was uploaded
	pending     bool          // named, but not uploaded yet

	mu    sync.Mutex
	drawn []byte
}

// picturesKept is how many pictures a server keeps.
const picturesKept = 64

// content returns the content of a file.
func (s *Server) content(f *file) []byte {
	if f.draw == nil {
		return f.uploaded
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drawn != nil {
		return f.drawn
	}
	f.drawn = f.draw()
	if old := s.keep(f); old != nil {
		go old.drop() // it may be being drawn again
	}
	return f.drawn
}

// keep notes a drawn picture and returns the one that is to go.
func (s *Server) keep(f *file) (old *file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = append(s.drawn, f)
	if len(s.drawn) <= picturesKept {
		return nil
	}
	old = s.drawn[0]
	s.drawn = slices.Delete(s.drawn, 0, 1)
	return old
}

func (f *file) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drawn = nil
}

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
		name := "files/b/" + s.newID() + "/" + path.Base(ask.FileName)
		s.mu.Lock()
		s.files[name] = &file{contentType: ask.ContentType, pending: true}
		s.mu.Unlock()
		u := s.host("v3.fal.media") + "/" + name
		writeJSON(w, http.StatusOK, map[string]string{"upload_url": u + "?signature=faltest", "file_url": u})
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
	f := s.files[name]
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<20))
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
		s.files[name] = &file{contentType: f.contentType, uploaded: body}
		s.ledger.Uploads++
		s.mu.Unlock()
		w.WriteHeader(http.StatusOK)
	}
}

// store keeps a file that is made when it is first asked for, and returns its
// URL.
func (s *Server) store(name, contentType string, content func() []byte) string {
	name = "files/b/" + name
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[name] = &file{contentType: contentType, draw: content}
	return s.host("v3.fal.media") + "/" + name
}

// stored returns the content of a URL on this server.
func (s *Server) stored(u string) (content []byte, here, found bool) {
	name, here := strings.CutPrefix(u, s.host("v3.fal.media")+"/")
	if !here {
		return nil, false, false
	}
	s.mu.Lock()
	f := s.files[name]
	s.mu.Unlock()
	if f == nil || f.pending {
		return nil, true, false
	}
	return s.content(f), true, true
}
