package faltest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// smallestPart is how large every part but the last has to be.
const smallestPart = 5 << 20

// filePart is a part of a file that is being uploaded.
type filePart struct {
	etag    string
	content []byte
}

// serveSignedPart serves what lies below the address of a file: its parts, and
// the order to put them together.
func (s *Server) serveSignedPart(w http.ResponseWriter, r *http.Request, p string) {
	name, step := cutLast(p)
	s.servePart(w, r, name, step, true)
}

// serveDirect serves uploads with a token of the storage, without an address
// that is signed.
func (s *Server) serveDirect(w http.ResponseWriter, r *http.Request, p string) {
	fileName, err := url.PathUnescape(r.Header.Get("X-Fal-File-Name"))
	if err != nil || fileName == "" {
		fileName = "upload.bin"
	}
	contentType := r.Header.Get("Content-Type")
	switch {
	case r.Method == http.MethodPost && p == "files/upload":
		s.faulty(w, r, OpUpload, "storage", func(w http.ResponseWriter) {
			address := s.expect(s.origin(r), fileName, contentType, false)
			name := mediaName(address)
			s.mu.Lock()
			f := s.files.byName[name]
			s.mu.Unlock()
			if s.put(w, r, name, f) {
				writeJSON(w, http.StatusOK, map[string]string{"access_url": address})
			}
		})
	case r.Method == http.MethodPost && p == "files/upload/multipart":
		s.faulty(w, r, OpUpload, "storage", func(w http.ResponseWriter) {
			address := s.expect(s.origin(r), fileName, contentType, true)
			writeJSON(w, http.StatusOK, map[string]string{"access_url": address, "uploadId": uploadID})
		})
	default:
		rest, step := cutLast(p)
		name, ok := strings.CutSuffix(rest, "/multipart/"+uploadID)
		if !ok {
			s.violation("%s %s carried credentials", r.Method, r.URL.Path)
			writeDetail(w, http.StatusBadRequest, "Credentials do not belong here")
			return
		}
		s.servePart(w, r, name, step, false)
	}
}

// uploadID identifies an upload in parts, together with the address of the file.
const uploadID = "faltest-upload"

// mediaName returns the name under which the file of an address is kept.
func mediaName(address string) string {
	_, name, _ := strings.Cut(address, "/v3.fal.media/")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return name
}

// cutLast cuts a path at its last slash.
func cutLast(p string) (before, last string) {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 0)], p[i+1:]
}

// servePart takes a part, or puts the parts together.
func (s *Server) servePart(w http.ResponseWriter, r *http.Request, name, step string, signature bool) {
	s.mu.Lock()
	f := s.files.byName[name]
	open := f != nil && f.parts != nil
	s.mu.Unlock()
	n, err := strconv.Atoi(step)
	switch {
	case !open:
		writeDetail(w, http.StatusNotFound, "Not Found")
	case signature && !signed(w, r):
	case r.Method == http.MethodPut && err == nil && n >= 1 && n <= 10_000:
		s.faulty(w, r, OpUploadPart, "storage", func(w http.ResponseWriter) { s.putPart(w, r, f, n) })
	case r.Method == http.MethodPost && step == "complete":
		s.faulty(w, r, OpUpload, "storage", func(w http.ResponseWriter) { s.complete(w, r, name, f) })
	default:
		writeDetail(w, http.StatusNotFound, "Not Found")
	}
}

func (s *Server) putPart(w http.ResponseWriter, r *http.Request, f *file, n int) {
	body, ok := content(w, r)
	if !ok {
		return
	}
	hash := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(hash[:16]) + `"`
	s.mu.Lock()
	if f.parts != nil {
		s.files.part(f, n, filePart{etag, body})
	}
	s.mu.Unlock()
	w.Header().Set("ETag", etag)
	writeJSON(w, http.StatusOK, map[string]any{"partNumber": n, "etag": etag})
}

// complete puts the parts together that are listed: all of them, in order.
func (s *Server) complete(w http.ResponseWriter, r *http.Request, name string, f *file) {
	var ask struct {
		Parts []struct {
			PartNumber int    `json:"partNumber"`
			ETag       string `json:"etag"`
		} `json:"parts"`
	}
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if json.Unmarshal(body, &ask) != nil || len(ask.Parts) == 0 {
		writeDetail(w, http.StatusBadRequest, "Malformed list of parts")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all [][]byte
	total := 0
	for i, p := range ask.Parts {
		part, ok := f.parts[p.PartNumber]
		switch {
		case p.PartNumber != i+1:
			writeDetail(w, http.StatusBadRequest, "InvalidPartOrder: part "+strconv.Itoa(p.PartNumber))
			return
		case !ok || part.etag != p.ETag:
			writeDetail(w, http.StatusBadRequest, "InvalidPart: part "+strconv.Itoa(p.PartNumber))
			return
		case len(part.content) < smallestPart && i < len(ask.Parts)-1:
			writeDetail(w, http.StatusBadRequest, "EntityTooSmall: part "+strconv.Itoa(p.PartNumber))
			return
		}
		all = append(all, part.content)
		total += len(part.content)
	}
	if len(all) != len(f.parts) || total > uploadBytes {
		writeDetail(w, http.StatusBadRequest, "InvalidPart: "+strconv.Itoa(len(f.parts))+" parts were sent")
		return
	}
	s.files.uploaded -= total
	f.parts = nil // it cannot be completed twice
	s.files.upload(name, f.contentType, bytes.Join(all, nil))
	s.ledger.Uploads++
	writeJSON(w, http.StatusOK, map[string]string{"file_url": s.origin(r) + "/v3.fal.media/" + name})
}
