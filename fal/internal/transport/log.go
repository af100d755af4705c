package transport

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// log writes one record for each attempt: what and how long, but neither
// headers nor bodies nor queries. It says of a repetition why it is made.
func (e *exchange) log(req *http.Request, resp *http.Response, err error, start time.Time) {
	logger := e.t.config.Logger
	if !logger.Enabled(e.caller, slog.LevelDebug) {
		return
	}
	attrs := make([]slog.Attr, 0, 11)
	attrs = append(attrs,
		slog.String("call", CallOf(e.caller)),
		slog.String("endpoint", e.r.Endpoint),
		slog.String("method", req.Method),
		slog.String("url", e.t.config.Redact(bare(req.URL))),
		slog.Int("attempt", e.attempts),
		slog.Duration("duration", time.Since(start)))
	if e.attempts > 1 && req.Response == nil {
		attrs = append(attrs, slog.Duration("wait", start.Sub(e.ended)), slog.String("reason", e.reason))
	}
	e.ended = time.Now()
	if err != nil {
		e.reason = err.Error()
		attrs = append(attrs, slog.String("error", e.reason))
	} else {
		e.reason = "status " + strconv.Itoa(resp.StatusCode)
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("request_id", shortened(e.t.config.Redact(resp.Header.Get("X-Fal-Request-Id")))))
	}
	logger.LogAttrs(req.Context(), slog.LevelDebug, "fal exchange", attrs...)
}

// shortened returns the beginning of a text that a server has sent.
func shortened(s string) string { return s[:min(len(s), 200)] }
