package studio

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// local are the names by which a browser on this machine calls it. A page of
// another site that had its name point to this machine has another.
var local = []string{"127.0.0.1", "::1", "localhost"}

// ServeHTTP answers browsers on this machine that have the URL.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 { // events go on for hours, a form does not
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Second))
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if !slices.Contains(local, strings.Trim(host, "[]")) {
		http.Error(w, "This page is for browsers on the same machine.", http.StatusMisdirectedRequest)
		return
	}
	token, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(p.token)) != 1 {
		http.NotFound(w, r)
		return
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil || foreign(r) {
		http.Error(w, "This page is for nobody but itself.", http.StatusForbidden)
		return
	}
	// A form says where it comes from only if referrers are allowed, and older
	// browsers say it in no other way. Other hosts get none.
	for name, value := range map[string]string{
		"Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
	} {
		w.Header().Set(name, value)
	}
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = "/"+rest, ""
	p.mux.ServeHTTP(w, r)
}

// foreign reports whether another site asks for something other than to go to
// the page.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" && origin != "http://"+r.Host {
		return true
	}
	return (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// show writes the page.
func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	s, version, last := p.sheet(), p.version, p.last
	p.mu.Unlock()
	if last != nil { // the browser keeps it when the program is gone
		s.Sections = p.kept(r.Context(), last)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := s.WriteHTML(w); err != nil && r.Context().Err() == nil { // or the browser is gone
		http.Error(w, "The page cannot be written.", http.StatusInternalServerError)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there, p.shown = true, time.Now()
	// Of a page that its script asks for only parts are seen: it is still to be loaded.
	if mode := r.Header.Get("Sec-Fetch-Mode"); version == p.version && (mode == "" || mode == "navigate") {
		select {
		case <-p.fetched:
		default:
			close(p.fetched)
		}
	}
}

// take takes what was picked.
func (p *Page) take(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "What was picked cannot be read.", http.StatusBadRequest)
		return
	}
	if status, problem := p.pick(r.PostForm); problem != "" {
		http.Error(w, problem, status)
		return
	}
	w.Header().Set("Location", "./") // http.Redirect would take it from the path, of which r has a part
	w.WriteHeader(http.StatusSeeOther)
}

// pick hands over what was picked, and returns what is wrong with it, with the
// status that says so. Only what the person saw can be picked from.
func (p *Page) pick(form url.Values) (int, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := form["pick"]
	if form.Get("none") != "" {
		keys = nil
	}
	seen := form.Get("seen") == strconv.Itoa(p.round)
	if seen && p.taken != nil && slices.Equal(keys, p.taken) {
		return 0, "" // the same once more, as by a double click
	}
	if p.state != pagePicking || p.answer == nil || !seen {
		return http.StatusConflict, "Nothing was taken: the page has changed since it was shown, or something was picked already. Go back and load it again."
	}
	var picked []Variant
	for _, key := range keys {
		i := slices.IndexFunc(p.variants, func(v Variant) bool { return strconv.Itoa(v.Index) == key })
		if i < 0 || slices.ContainsFunc(picked, func(v Variant) bool { return v.Index == p.variants[i].Index }) {
			return http.StatusBadRequest, "What was picked is none of the drafts, or was picked twice."
		}
		picked = append(picked, p.variants[i])
	}
	switch {
	case len(picked) == 0 && form.Get("none") == "":
		return http.StatusBadRequest, "Nothing was picked. Go back and pick some, or none of them."
	case len(picked) > p.most():
		return http.StatusBadRequest, fmt.Sprintf("%d were picked, and %d can be. Go back and pick fewer.", len(picked), p.most())
	}
	p.begin(picked)
	p.taken = append([]string{}, keys...)
	p.answer <- picked
	p.answer = nil
	return 0, ""
}

// picture passes a picture on. It keeps none, however many there are.
func (p *Page) picture(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	m, ok := p.pictures[r.PathValue("name")]
	p.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	body, err := p.client.Download(r.Context(), m)
	if err != nil {
		http.Error(w, "The picture cannot be had.", http.StatusBadGateway)
		return
	}
	defer func() { _ = body.Close() }()
	head := make([]byte, 512)
	n, err := io.ReadFull(body, head)
	kind := http.DetectContentType(head[:n])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(kind, "image/") {
		http.Error(w, "This is no picture.", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, max-age=3600, immutable")
	if _, err := w.Write(head[:n]); err == nil {
		_, _ = io.Copy(w, io.LimitReader(body, maxEmbedded))
	}
}

// events tells a browser how the finals go on, and when there is more to see
// than it has.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	c := make(chan []byte, 16)
	p.mu.Lock()
	current := r.PathValue("version") == strconv.Itoa(p.version)
	if current {
		p.there, p.watching[c] = true, true
		if p.state == pageDrafting && p.run != nil || p.state == pageMaking {
			c <- nil // some may have come since the page was fetched
		}
	} else {
		close(c)
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.watching, c)
		p.mu.Unlock()
	}()
	flush := http.NewResponseController(w).Flush
	_, err := io.WriteString(w, ": hello\n\n")
	for err == nil && flush() == nil {
		select {
		case event, ok := <-c:
			if !ok {
				p.mu.Lock()
				event := "event: reload\ndata:\n\n"
				if p.state == pagePicking { // it waits for its reader
					event = "event: reload\ndata: later\n\n"
				}
				p.mu.Unlock()
				_, _ = io.WriteString(w, event)
				return
			}
			if event == nil {
				_, err = io.WriteString(w, "event: more\ndata:\n\n")
				continue
			}
			_, err = fmt.Fprintf(w, "event: progress\ndata: %s\n\n", event)
		case <-r.Context().Done():
			// A browser that goes on to the next state leaves the one before late.
			p.mu.Lock()
			p.there = len(p.watching) > 1 || time.Since(p.shown) < 2*time.Second
			p.mu.Unlock()
			return
		case <-p.ended:
			return
		}
	}
}
