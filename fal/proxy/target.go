package proxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// kind is what a request wants of fal.
type kind int

const (
	submit   kind = iota // puts work into the queue
	direct               // a direct call or a stream
	job                  // status, result or cancel
	upload               // begins an upload
	tokenize             // asks for a temporary token
)

// target is what a request is for, once it is found to be allowed.
type target struct {
	kind     kind
	url      *url.URL
	endpoint string // that is called
	id       string // of a job
}

// find reads the target of a request, or reports that it is not one that may be
// had. It knows what it allows and refuses all else.
func (h *Handler) find(r *http.Request) (t target, ok bool) {
	values := r.Header["X-Fal-Target-Url"]
	if len(values) != 1 || strings.ContainsFunc(values[0], func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }) {
		return t, false
	}
	u, err := url.Parse(values[0])
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.RawPath != "" {
		return t, false
	}
	if u.Host == "rest.alpha.fal.ai" {
		u.Host = "rest.fal.ai" // its older name
	}
	t.url = u
	path := strings.TrimPrefix(u.Path, "/")
	for part := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		if strings.Trim(part, ".") == "" {
			return t, false
		}
	}
	switch u.Host {
	case "fal.run":
		t.kind, t.endpoint = direct, path
		if !slices.Contains(h.Endpoints, path) {
			t.endpoint = strings.TrimSuffix(path, "/stream")
		}
		return t, r.Method == http.MethodPost && slices.Contains(h.Endpoints, t.endpoint) && only(u)
	case "queue.fal.run":
		return h.findQueued(r, t, path)
	case "rest.fal.ai":
		return h.findREST(r, t, path)
	}
	return t, false
}

// findQueued reads a target on the queue.
func (h *Handler) findQueued(r *http.Request, t target, path string) (target, bool) {
	app, rest, isJob := strings.Cut(path, "/requests/")
	if !isJob {
		t.kind, t.endpoint = submit, path
		return t, r.Method == http.MethodPost && slices.Contains(h.Endpoints, path) && only(t.url, "fal_max_queue_length")
	}
	known := slices.ContainsFunc(h.Endpoints, func(e string) bool { return appOf(e) == app })
	var action string
	t.kind = job
	t.id, action, _ = strings.Cut(rest, "/")
	switch r.Method + " " + action {
	case "GET ", "GET status", "GET status/stream", "PUT cancel":
		return t, known && t.id != "" && only(t.url, "logs")
	}
	return t, false
}

// findREST reads a target beside models.
func (h *Handler) findREST(r *http.Request, t target, path string) (target, bool) {
	if r.Method != http.MethodPost {
		return t, false
	}
	switch path {
	case "storage/upload/initiate", "storage/upload/initiate-multipart", "storage/upload/complete-multipart":
		t.kind = upload
		return t, h.Uploads && only(t.url, "storage_type")
	case "tokens/", "tokens/realtime":
		t.kind = tokenize
		return t, h.Tokens && only(t.url)
	}
	return t, false
}

// only reports whether a URL has no parameters but those named, each once.
func only(u *url.URL, names ...string) bool {
	query, err := url.ParseQuery(u.RawQuery)
	for name, values := range query {
		if !slices.Contains(names, name) || len(values) != 1 {
			return false
		}
	}
	return err == nil
}

// appOf returns the part of an endpoint that the URLs of its jobs have: owner
// and alias.
func appOf(endpoint string) string {
	parts := strings.Split(endpoint, "/")
	n := 2
	if parts[0] == "workflows" || parts[0] == "comfy" {
		n = 3
	}
	return strings.Join(parts[:min(n, len(parts))], "/")
}

// aliasOf returns the alias in an endpoint: tokens of the older form are for it.
func aliasOf(endpoint string) string {
	app := appOf(endpoint)
	return app[strings.LastIndex(app, "/")+1:]
}
