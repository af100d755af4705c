package fal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// oddKey has characters that are written in several ways.
const oddKey = `4f0e-key-id:5ecre7/5ecre7+5ecre7&5ecre7`

// ways are those of writing a text that holds the key.
func ways(key string) []string {
	_, secret, _ := strings.Cut(key, ":")
	var all []string
	for _, part := range []string{key, secret} {
		quoted, _ := json.Marshal(part)
		all = append(all, part, url.QueryEscape(part), url.PathEscape(part), string(quoted[1:len(quoted)-1]),
			strings.ReplaceAll(part, "/", `\/`), strings.ReplaceAll(url.QueryEscape(part), "%2F", "%2f"), strings.ReplaceAll(part, ":", `\u003a`))
	}
	return all
}

// Wherever in an answer the key comes back, and however it is written, it is
// not in what is handed out, printed or logged.
func TestKeyDoesNotComeBack(t *testing.T) {
	t.Parallel()
	const done, plain = `{"status":"COMPLETED"}`, `{"images":[{"url":"https://x.example/a.png"}]}`
	type answers struct {
		header                         string // a name of one with the key
		status                         int    // of the answer to a submit
		submit, state, events, results string
	}
	for name, a := range map[string]answers{
		"error":             {status: 400, submit: `{"detail":"bad KEY"}`},
		"error type":        {status: 400, submit: `{"detail":[{"loc":["KEY"],"msg":"m","type":"KEY","input":{"KEY":"KEY"},"ctx":{"KEY":"KEY"}}],"error_type":"KEY"}`},
		"error page":        {status: 403, submit: `<html><title>KEY</title></html>`},
		"error text":        {status: 502, submit: `upstream said KEY`},
		"error of a store":  {status: 403, submit: `<Error><Code>KEY</Code><Message>KEY</Message></Error>`},
		"request id":        {status: 200, submit: `{"request_id":"KEY"}`},
		"cut answer":        {status: 200, submit: `{"x":"KEY`},
		"redirect":          {status: 302, header: "Location"},
		"redirect nowhere":  {status: 302, header: "Location", submit: "%zz"},
		"id header":         {status: 400, header: "X-Fal-Request-Id", submit: `{"detail":"no"}`},
		"type header":       {status: 400, header: "X-Fal-Error-Type", submit: `{"detail":"no"}`},
		"units header":      {status: 400, header: "X-Fal-Billable-Units", submit: `{"detail":"no"}`},
		"retry header":      {status: 429, header: "Retry-After"},
		"state":             {submit: `{"request_id":"job-1"}`, state: `{"status":"KEY"}`},
		"state's error":     {submit: `{"request_id":"job-1"}`, state: `{"status":"COMPLETED","error":"KEY","error_type":"KEY"}`},
		"state's object":    {submit: `{"request_id":"job-1"}`, state: `{"status":"COMPLETED","error":{"KEY":"KEY"}}`},
		"log":               {submit: `{"request_id":"job-1"}`, state: `{"status":"COMPLETED","logs":[{"message":"KEY","level":"KEY","source":"KEY","timestamp":"KEY"}]}`, results: plain},
		"event":             {submit: `{"request_id":"job-1"}`, events: `data: {"status":"COMPLETED","logs":[{"message":"KEY"}],"error":"KEY"}` + "\n\n", state: done},
		"result":            {submit: `{"request_id":"job-1"}`, state: done, results: `{"images":[{"url":"https://x.example/KEY","file_name":"KEY"}],"prompt":"KEY"}`},
		"result's header":   {submit: `{"request_id":"job-1"}`, header: "X-Fal-Billable-Units", state: done, results: plain},
		"no result":         {submit: `{"request_id":"job-1"}`, state: done, results: `{"detail":"KEY"}`},
		"result of no form": {submit: `{"request_id":"job-1"}`, state: done, results: `{"images":7,"x":"KEY"}`},
		"not a result":      {submit: `{"request_id":"job-1"}`, state: done, results: `KEY`},
	} {
		for _, way := range slices.Concat(ways(oddKey), ways(echoedKey)) {
			fill := strings.NewReplacer("KEY", way).Replace
			if strings.Contains(way, `\`) && strings.HasPrefix(name, "redirect") {
				continue // not in a header
			}
			serve := func(w http.ResponseWriter, r *http.Request) {
				status := http.StatusOK
				var body string
				switch path := r.URL.Path; {
				case r.Method == http.MethodPost:
					status, body = max(a.status, 200), a.submit
				case strings.HasSuffix(path, "/stream"):
					if status, body = http.StatusNotFound, a.events; body != "" {
						status = http.StatusOK
						w.Header().Set("Content-Type", "text/event-stream")
					}
				case strings.HasSuffix(path, "/status"):
					body = a.state
				default:
					body = a.results
				}
				if a.header != "" {
					w.Header().Set(a.header, way+a.submit[:0])
					if name == "redirect nowhere" {
						w.Header().Set(a.header, "http://[::1/"+way)
					}
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, fill(body))
			}
			c := &fal.Client{Key: fal.NewKey(oddKey), HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				serve(w, r)
				return w.Result(), nil
			})}}
			if strings.Contains(way, "secret") {
				c.Key = fal.NewKey(echoedKey)
			}
			var log bytes.Buffer
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			var seen []any
			var out *fal.Images
			var raw *json.RawMessage
			var err, rawErr error
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				out, err = fal.Subscribe(ctx, c, anyCall, fal.WithLogs(), fal.WithUpdates(func(s fal.Status) { seen = append(seen, s) }))
				raw, rawErr = fal.Run(ctx, c, fal.Raw(anyCall))
			})
			seen = append(seen, out, err, rawErr, c)
			if raw != nil {
				seen = append(seen, string(*raw))
			}
			for inner := err; inner != nil; inner = errors.Unwrap(inner) {
				seen = append(seen, inner)
			}
			if e, ok := errors.AsType[*fal.DecodeError](err); ok {
				seen = append(seen, string(e.Body))
			}
			for _, v := range seen {
				b, _ := json.Marshal(v) // what cannot be encoded shows nothing
				fmt.Fprintf(&log, "%v %+v %#v %q %s\n", v, v, v, v, b)
			}
			text := log.String()
			for _, part := range []string{"5ecre7", "secret-"} {
				if at := strings.Index(text, part); at >= 0 {
					t.Errorf("%s as %s: ...%s", name, way, text[max(0, at-200):min(len(text), at+100)])
				}
			}
		}
	}
}

// What net/http says of an answer that is none may repeat it.
func TestKeyInMalformedAnswers(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"KEY\r\n\r\n", "HTTP/1.1 KEY\r\n\r\n", "HTTP/1.1 200 OK\r\nKEY\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: KEY\r\n\r\n"} {
		_, secretPart, _ := strings.Cut(echoedKey, ":")
		for _, way := range []string{echoedKey, secretPart} {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, strings.ReplaceAll(answer, "KEY", way))
				_ = conn.Close()
			}))
			t.Cleanup(srv.Close)
			c := &fal.Client{Key: fal.NewKey(echoedKey), Hosts: fal.Hosts{Queue: srv.URL}, Logger: slog.New(slog.DiscardHandler)}
			_, err := fal.Submit(t.Context(), c, anyCall)
			if err == nil || strings.Contains(err.Error(), "secret-") {
				t.Errorf("%q: %v", answer, err)
			}
		}
	}
}

// A key that is changed while answers are under way is looked for in both forms,
// and one that is short is taken for a word where a result has it.
func TestChangedKey(t *testing.T) {
	t.Parallel()
	key := echoedKey
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"detail":"`+echoedKey+`"}`)
	})
	c.Key = func() string { return key }
	for range 2 {
		if _, err := fal.Submit(t.Context(), c, anyCall); err == nil || strings.Contains(err.Error(), "key-") {
			t.Errorf("the error is %v", err)
		}
		key = "another-id:another-5ecre7"
	}
	c, _ = answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"images":[{"url":"u"}],"prompt":"a secret garden"}`)
	})
	c.Key = fal.NewKey("id:secret")
	if out, err := fal.Run(t.Context(), c, anyCall); err != nil || out.Prompt != "a secret garden" {
		t.Errorf("got %+v, %v", out, err)
	}
}

// A log line may have several lines, and moves no cursor.
func TestLogsAreVisible(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"COMPLETED","logs":[{"message":"a\n\tb\u001b[2J\r","level":"\u001b[1m"}]}`)
	})
	s, err := fal.Resume(c, anyCall.ID, "job-1").Status(t.Context())
	if err != nil || len(s.Logs) != 1 || s.Logs[0] != (fal.Log{Message: "a\n\tb" + `\x1b[2J\r`, Level: `\x1b[1m`}) {
		t.Errorf("got %q, %v", s.Logs, err)
	}
}
