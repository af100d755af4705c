package faltest

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
)

// file is a stored file. Pictures are drawn when they are asked for; only the
// latest are kept, so that a server can make any number.
type file struct {
	contentType   string
	uploaded      []byte
	draw          func() []byte    // nil for what was uploaded
	width, height int              // of a picture that was made here
	pending       bool             // named, but not uploaded yet
	parts         map[int]filePart // of one that is uploaded in parts; else nil

	mu    sync.Mutex
	drawn []byte
}

// What a server keeps.
const (
	picturesKept = 64      // drawn ones
	filesKept    = 100_000 // that were made here, most of them not drawn
	uploadsKept  = 10_000
	largestFile  = 256 << 20
)

// uploadBytes is how much all uploads take at most; tests lower it.
var uploadBytes = 1 << 30

// files are the files that are kept.
type files struct {
	byName   map[string]*file
	made     []string // names, the oldest first
	uploads  []string // likewise
	uploaded int      // bytes of all uploads
	drawn    []*file  // the latest pictures
}

// make keeps a file that was made here.
func (all *files) make(name string, f *file) {
	all.byName[name] = f
	all.made = append(all.made, name)
	if len(all.made) > filesKept {
		delete(all.byName, all.made[0])
		all.made = all.made[1:]
	}
}

// expect keeps a name for a file that will be uploaded.
func (all *files) expect(name, contentType string) {
	all.byName[name] = &file{contentType: contentType, pending: true}
	all.uploads = append(all.uploads, name)
	if len(all.uploads) > uploadsKept {
		all.forget()
	}
}

// upload keeps an upload under the name that was kept for it. Older ones go
// where there is no room.
func (all *files) upload(name, contentType string, content []byte) {
	if before := all.byName[name]; before != nil {
		all.uploaded -= len(before.uploaded)
	}
	all.byName[name] = &file{contentType: contentType, uploaded: content}
	all.uploaded += len(content)
	if i := slices.Index(all.uploads, name); i >= 0 { // the newest from now on
		all.uploads = slices.Delete(all.uploads, i, i+1)
	}
	all.uploads = append(all.uploads, name)
	for all.uploaded > uploadBytes && len(all.uploads) > 1 {
		all.forget()
	}
}

// part keeps a part of a file. Older uploads go where there is no room.
func (all *files) part(f *file, n int, p filePart) {
	all.uploaded += len(p.content) - len(f.parts[n].content)
	f.parts[n] = p
	for all.uploaded > uploadBytes && len(all.uploads) > 1 {
		all.forget()
	}
}

// forget lets the oldest upload go.
func (all *files) forget() {
	name := all.uploads[0]
	all.uploads = all.uploads[1:]
	all.uploaded -= len(all.byName[name].uploaded)
	for _, p := range all.byName[name].parts {
		all.uploaded -= len(p.content)
	}
	delete(all.byName, name)
}

// keep notes a drawn picture and returns the one that is to go.
func (all *files) keep(f *file) (old *file) {
	all.drawn = append(all.drawn, f)
	if len(all.drawn) <= picturesKept {
		return nil
	}
	old = all.drawn[0]
	all.drawn = slices.Delete(all.drawn, 0, 1)
	return old
}

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
	s.mu.Lock()
	old := s.files.keep(f)
	s.mu.Unlock()
	if old != nil {
		go old.drop() // it may be being drawn again
	}
	return f.drawn
}

func (f *file) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drawn = nil
}

// File keeps a file that a function of [Server.Handle] made, as an upload is
// kept, and returns the URL at which clients fetch it. The name ends the URL.
func (s *Server) File(name, contentType string, content []byte) string {
	stored, address := s.newFile(s.base, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files.upload(stored, contentType, slices.Clone(content))
	return address
}

// newFile returns a name for a file, and the URL that it will have.
func (s *Server) newFile(origin, name string) (stored, address string) {
	folder, name := "files/b/"+s.newID()+"/", path.Base(name)
	return folder + name, origin + "/v3.fal.media/" + folder + url.PathEscape(name)
}

// store keeps a file that is made when it is first asked for, and returns its
// URL.
func (s *Server) store(origin, name string, f *file) string {
	name = "files/b/" + name
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files.make(name, f)
	return origin + "/v3.fal.media/" + name
}

// stored returns the file of a URL on this server, which may go by several
// names. Here says that the URL is one of this server; if there is no file,
// it is gone or never was.
func (s *Server) stored(u string) (f *file, here bool) {
	origin, name, ok := strings.Cut(u, "/v3.fal.media/")
	if !ok || strings.Count(origin, "/") != 2 {
		return nil, false
	}
	name, _, _ = strings.Cut(name, "?")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f = s.files.byName[name]
	if f != nil && f.pending {
		f = nil
	}
	return f, f != nil || origin == s.base || strings.HasPrefix(name, "files/b/"+s.idPrefix())
}
