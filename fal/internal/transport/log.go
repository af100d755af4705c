package transport

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// outcome is how an attempt ended, for the log record of the next.
type outcome struct {
	at     time.Time
	status int // 0 with err
	err    error
}

func (o *outcome) note(resp *http.Response, err error) {
	*o = outcome{at: time.Now(), err: err}
	if err == nil {
		o.status = resp.StatusCode
	}
}

func (o *outcome) String() string {
	if o.err != nil {
		return o.err.Error()
	}
	return "status " + strconv.Itoa(o.status)
}

// log writes one record for each attempt: what and how long, but neither
// headers nor bodies nor queries.
func (t *Transport) log(req *http.Request, x *exchange, resp *http.Response, err error, start time.Time) {
	ctx := x.outer
	if !t.config.Logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("endpoint", x.request.Endpoint),
		slog.String("method", req.Method),
		slog.String("url", bare(req.URL)),
		slog.Int("attempt", x.attempt),
		slog.Duration("duration", time.Since(start)))
	if x.attempt > 1 && req.Response == nil {
		attrs = append(attrs, slog.Duration("wait", start.Sub(x.last.at)), slog.String("reason", x.last.String()))
	}
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("request_id", resp.Header.Get("X-Fal-Request-Id")))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	t.config.Logger.LogAttrs(ctx, slog.LevelDebug, "fal exchange", attrs...)
}
