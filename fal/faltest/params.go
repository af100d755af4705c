package faltest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// params is what a request says beside its body.
type params struct {
	startTimeout time.Duration
	maxQueue     int
	webhook      string
	stored       bool // fal keeps input and output
	tags         map[string]string
}

// parseParams reads headers and query, and answers for bad ones.
func parseParams(r *http.Request) (p params, bad *answer) {
	refuse := func(detail string) (params, *answer) {
		a := failure(http.StatusBadRequest, "bad_request", detail)
		return p, &a
	}
	p.webhook = r.URL.Query().Get("fal_webhook")
	p.stored = r.Header.Get("X-Fal-Store-IO") != "0"
	timeout := r.Header.Get("X-Fal-Request-Start-Timeout")
	if timeout == "" {
		timeout = r.Header.Get("X-Fal-Request-Timeout") // its older name
	}
	if timeout != "" {
		seconds, err := strconv.ParseFloat(timeout, 64)
		if err != nil || !(seconds > 0.1) || seconds > 1e6 {
			return refuse("Invalid X-Fal-Request-Start-Timeout: must be a number of seconds above 0.1")
		}
		p.startTimeout = time.Duration(seconds * float64(time.Second))
	}
	if value := r.Header.Get("X-Fal-Object-Lifecycle-Preference"); value != "" && !json.Valid([]byte(value)) {
		return refuse("Invalid X-Fal-Object-Lifecycle-Preference: must be JSON")
	}
	if value := r.URL.Query().Get("fal_max_queue_length"); value != "" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return refuse("Invalid fal_max_queue_length")
		}
		p.maxQueue = n
	}
	p.tags = parseTags(r.Header.Get("X-Fal-Tags"))
	return p, nil
}

// parseTags drops bad pairs silently, as the gateway does.
func parseTags(header string) map[string]string {
	if header == "" || len(header) > 1024 {
		return nil
	}
	tags := make(map[string]string)
	for pair := range strings.SplitSeq(header, ",") {
		name, value, ok := strings.Cut(pair, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" || len(name) > 64 || len(value) > 256 || strings.HasPrefix(name, "fal.") || len(tags) == 10 ||
			strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			continue
		}
		tags[name] = value
	}
	return tags
}
