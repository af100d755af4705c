package fal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// tracer writes down what it is told, indented by what is inside of what.
type tracer struct {
	mu    sync.Mutex
	lines []string
	spans []fal.Span
	open  map[int]fal.Span
}

type depthKey struct{}

type place struct{ depth, number int }

func (tr *tracer) Start(ctx context.Context, s fal.Span) context.Context {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	above, _ := ctx.Value(depthKey{}).(place)
	p := place{above.depth + 1, len(tr.lines)}
	tr.lines = append(tr.lines, strings.Repeat("  ", above.depth)+s.Name)
	if tr.open == nil {
		tr.open = make(map[int]fal.Span)
	}
	tr.open[p.number] = s
	return context.WithValue(ctx, depthKey{}, p)
}

func (tr *tracer) End(ctx context.Context, s fal.Span) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	p, ok := ctx.Value(depthKey{}).(place)
	began, open := tr.open[p.number]
	if !ok || !open || began.Name != s.Name || began.CallID != s.CallID || began.Endpoint != s.Endpoint {
		tr.lines = append(tr.lines, "END OF NOTHING "+s.Name)
		return
	}
	delete(tr.open, p.number)
	tr.spans = append(tr.spans, s)
	switch {
	case s.Name == "attempt":
		_, path, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), "/")
		for id := range strings.SplitSeq(path, "/") {
			if strings.Count(id, "-") == 4 {
				path = strings.ReplaceAll(path, id, "ID")
			}
		}
		if i := strings.Index(path, "v3.fal.media"); i >= 0 {
			path = "v3.fal.media"
		}
		tr.lines[p.number] += fmt.Sprintf(" %d %s %s %d", s.Attempt, s.Method, path, s.Status)
	case s.Name != "upload":
		tr.lines[p.number] += fmt.Sprintf(" %s units=%s", s.Endpoint, s.Meta.BillableUnits)
	}
	if s.Err != nil {
		tr.lines[p.number] += " failed"
	}
}

func traced(t *testing.T, srv *faltest.Server) (*fal.Client, *tracer, *bytes.Buffer) {
	t.Helper()
	c, tr, log := srv.Client(), &tracer{}, &bytes.Buffer{}
	c.Tracer, c.Retry.MinWait = tr, time.Millisecond
	c.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return c, tr, log
}

// A call has one span for itself, with one inside for each upload and attempt,
// and one id in all of them, in the log, and at fal.
func TestSpans(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	c, tr, log := traced(t, srv)
	srv.Inject(faltest.OpSubmit, faltest.TooManyRequests(0), 1)
	srv.Inject(faltest.OpResult, faltest.ErrorPage(502), 1)
	picture := fal.Bytes(uploadable(t))
	out, err := fal.Subscribe(t.Context(), c, flux.Pro2Edit{Prompt: "a mug", ImageURLs: []fal.File{picture}})
	if err != nil {
		t.Fatal(err)
	}
	want := `subscribe fal-ai/flux-2-pro/edit units=` + out.BillableUnits + `
  upload
    attempt 1 POST rest.fal.ai/storage/upload/initiate 200
    attempt 1 PUT v3.fal.media 200
  attempt 1 POST queue.fal.run/fal-ai/flux-2-pro/edit 429
  attempt 2 POST queue.fal.run/fal-ai/flux-2-pro/edit 200
  attempt 1 GET queue.fal.run/fal-ai/flux-2-pro/requests/ID/status/stream 200
  attempt 1 GET queue.fal.run/fal-ai/flux-2-pro/requests/ID 502
  attempt 2 GET queue.fal.run/fal-ai/flux-2-pro/requests/ID 200`
	if diff := cmp.Diff(want, strings.Join(tr.lines, "\n")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	id := srv.Ledger().Bills[0].Call
	if len(id) != 16 {
		t.Errorf("fal was told the call %q", id)
	}
	for _, s := range tr.spans {
		if s.CallID != id {
			t.Errorf("%s %s has the call %q, want %q", s.Name, s.URL, s.CallID, id)
		}
	}
	records := 0
	for line := range strings.Lines(log.String()) {
		var record struct{ Msg, Call string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Msg == "fal exchange" && record.Call != id {
			t.Errorf("%v: %s", err, line)
		}
		records++
	}
	last := tr.spans[len(tr.spans)-1]
	request, ok := last.Request.(flux.Pro2Edit)
	if records < 7 || last.Meta.RequestID != out.RequestID || last.Usage.Endpoint != "fal-ai/flux-2-pro/edit" || last.Usage.Outputs != 1 || !ok || request.Prompt != "a mug" {
		t.Errorf("%d records; the last span %+v", records, last)
	}
}

// uploadable is a picture.
func uploadable(t *testing.T) []byte {
	t.Helper()
	srv := faltest.NewServer(t)
	c := srv.Client()
	out, err := fal.Run(t.Context(), c, flux.Schnell{Prompt: "x", ImageSize: fal.Size(512, 512)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Download(t.Context(), out.Images[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A job's spans have the id of its submit; whatever goes wrong, what began ends.
func TestEverySpanEnds(t *testing.T) {
	t.Parallel()
	mug := flux.Pro2{Prompt: "a mug"}
	for name, tt := range map[string]struct {
		do   func(context.Context, *faltest.Server, *fal.Client) error
		want string
	}{
		"submit and wait": {func(ctx context.Context, _ *faltest.Server, c *fal.Client) error {
			j, err := fal.Submit(ctx, c, mug)
			if err != nil {
				return err
			}
			_, err = j.Wait(ctx)
			return err
		}, "submit fal-ai/flux-2-pro units=; wait fal-ai/flux-2-pro units=1"},
		"refused here": {func(ctx context.Context, _ *faltest.Server, c *fal.Client) error {
			return second(fal.Subscribe(ctx, c, flux.Pro2{}))
		}, "subscribe fal-ai/flux-2-pro units= failed"},
		"no endpoint": {func(ctx context.Context, _ *faltest.Server, c *fal.Client) error {
			return second(fal.Run(ctx, c, fal.Call[fal.Images]{ID: "x"}))
		}, "run x units= failed"},
		"failed": {func(ctx context.Context, srv *faltest.Server, c *fal.Client) error {
			srv.Inject(faltest.OpSubmit, faltest.LateFailure(500, "internal_error", "x"), 1)
			return second(fal.Subscribe(ctx, c, mug))
		}, "subscribe fal-ai/flux-2-pro units=0 failed"},
		"lost": {func(ctx context.Context, srv *faltest.Server, c *fal.Client) error {
			srv.Inject(faltest.OpRun, faltest.LostAnswer(), 1)
			return second(fal.Run(ctx, c, mug))
		}, "run fal-ai/flux-2-pro units= failed"},
		"run": {func(ctx context.Context, _ *faltest.Server, c *fal.Client) error {
			return second(fal.Run(ctx, c, mug))
		}, "run fal-ai/flux-2-pro units=1"},
		"a stream that is left": {func(ctx context.Context, _ *faltest.Server, c *fal.Client) error {
			for _, err := range fal.Stream(ctx, c, flux.DevLoRA{Prompt: "a mug"}) {
				return err
			}
			return nil
		}, "stream fal-ai/flux-lora units=1"},
		"a stream that fails": {func(ctx context.Context, srv *faltest.Server, c *fal.Client) error {
			srv.Inject(faltest.OpStream, faltest.ServerError(500), 1)
			for _, err := range fal.Stream(ctx, c, flux.DevLoRA{Prompt: "a mug"}) {
				return err
			}
			return nil
		}, "stream fal-ai/flux-lora units=0 failed"},
		"one that nobody waits for": {func(ctx context.Context, _ *faltest.Server, c *fal.Client) error {
			ctx, cancel := context.WithCancel(ctx)
			_, err := fal.Subscribe(ctx, c, mug, fal.WithUpdates(func(fal.Status) { cancel() }))
			return err
		}, "subscribe fal-ai/flux-2-pro units= failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []faltest.Option{}
			if strings.HasPrefix(name, "one that") {
				opts = append(opts, faltest.RunTime(time.Hour))
			}
			srv := faltest.NewServer(t, opts...)
			c, tr, _ := traced(t, srv)
			err := tt.do(t.Context(), srv, c)
			tr.mu.Lock()
			defer tr.mu.Unlock()
			var calls, ids []string
			for _, s := range tr.spans {
				if s.Name != "attempt" {
					ids = append(ids, s.CallID)
				}
			}
			for _, line := range tr.lines {
				if strings.Contains(line, "END OF NOTHING") {
					t.Error(line)
				}
				if !strings.HasPrefix(line, " ") {
					calls = append(calls, line)
				}
			}
			if got := strings.Join(calls, "; "); got != tt.want || strings.HasSuffix(got, "failed") != (err != nil) {
				t.Errorf("spans %q, want %q; error %v", got, tt.want, err)
			}
			if len(tr.open) > 0 || ids[0] == "" || ids[0] != ids[len(ids)-1] {
				t.Errorf("open %v, calls %v", tr.open, ids)
			}
			if last := tr.spans[len(tr.spans)-1]; last.Meta.RequestID != fal.RequestID(err) && err != nil {
				t.Errorf("request id %q, want that of %v", last.Meta.RequestID, err)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// world is all of the internet: fal's hosts, which repeat the key wherever they
// can, and others, which must not see it.
type world struct {
	refuse  bool // what is uploaded to a signed address
	mu      sync.Mutex
	foreign bytes.Buffer // what hosts that are not fal's got to see
	hosts   map[string]int
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body := []byte{}
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	if w.hosts == nil {
		w.hosts = make(map[string]int)
	}
	w.hosts[r.URL.Host]++
	if !strings.HasSuffix(r.URL.Host, "fal.run") && !strings.HasSuffix(r.URL.Host, "fal.ai") {
		fmt.Fprintf(&w.foreign, "%s %s\n%v\n%s\n", r.Method, r.URL, r.Header, body)
	}
	status, header, answer := http.StatusOK, http.Header{"Content-Type": {"application/json"}}, ""
	key := r.Header.Get("Authorization")
	header.Set("X-Fal-Request-Id", "id-1")
	header.Set("X-Fal-Echo", key)
	switch place := r.URL.Host + r.URL.Path; {
	case strings.Contains(place, "/initiate") && w.refuse:
		status, answer = http.StatusBadRequest, `{"detail":"`+key+`"}`
	case strings.HasSuffix(place, "/storage/auth/token"):
		answer = `{"token":"storage-token","token_type":"Bearer","base_url":"https://v3.fal.media"}`
	case place == "v3.fal.media/files/upload":
		answer = `{"access_url":"https://v3.fal.media/files/a"}`
	case strings.HasSuffix(place, "/initiate-multipart"):
		answer = `{"upload_url":"https://8.8.4.4/parts?signature=1","file_url":"https://8.8.8.8/up.zip"}`
	case strings.HasPrefix(place, "8.8.4.4/parts/"):
		header.Set("ETag", `"e"`)
		answer = `{"partNumber":` + strings.TrimPrefix(place, "8.8.4.4/parts/") + `,"etag":"e"}`
	case strings.HasSuffix(place, "/initiate"):
		answer = `{"upload_url":"https://8.8.4.4/put?signature=1","file_url":"https://8.8.8.8/up.png"}`
	case r.URL.Host == "queue.fal.run" && r.Method == http.MethodPost:
		answer = `{"request_id":"id-1","response_url":"https://queue.fal.run/fal-ai/flux-2-pro/requests/id-1"}`
	case strings.HasSuffix(place, "/stream"):
		status, answer = http.StatusInternalServerError, key
	case strings.HasSuffix(place, "queue.fal.run/fal-ai/flux-2-pro/requests/id-1/status"):
		status = http.StatusFound
		header.Set("Location", "https://1.1.1.1/status?echo=1")
	case place == "1.1.1.1/status":
		answer = `{"status":"COMPLETED"}`
	case strings.HasSuffix(place, "requests/id-1"):
		status = http.StatusTemporaryRedirect
		header.Set("Location", "https://1.0.0.1/result")
	case place == "1.0.0.1/result":
		answer = `{"images":[{"url":"https://8.8.8.8/made.png"}],"prompt":"` + key + `"}`
	case place == "8.8.8.8/made.png":
		status = http.StatusFound
		header.Set("Location", "https://9.9.9.9/made.png")
	case place == "fal.run/fal-ai/flux/schnell":
		status, answer = http.StatusUnauthorized, `{"detail":"no user for `+key+`"}`
	default:
		answer = "content"
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(answer)), Request: r,
	}, nil
}

// No byte of the key reaches a redirect, a signed URL, a part, the storage, a
// download, a trace, a log or an error, though fal's hosts repeat it. Frames are in
// package realtime, spans of OpenTelemetry in falotel.
func TestKeyStaysAtFal(t *testing.T) {
	t.Parallel()
	w, tr, log := &world{}, &tracer{}, &bytes.Buffer{}
	c := &fal.Client{
		Key: fal.NewKey(secret), HTTPClient: &http.Client{Transport: w}, Tracer: tr, Retry: fal.Retry{MaxAttempts: 1},
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	out, err := fal.Subscribe(t.Context(), c, flux.Pro2Edit{Prompt: "x", ImageURLs: []fal.File{fal.Bytes(uploadable(t))}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Download(t.Context(), out.Images[0])
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if _, err := c.Upload(t.Context(), onlyReader(make([]byte, 11*mib))); err != nil { // in parts
		t.Error(err)
	}
	w.refuse = true
	if _, err := c.Upload(t.Context(), fal.Bytes([]byte("by a token"))); err != nil {
		t.Error(err)
	}
	_, refused := fal.Run(t.Context(), c, flux.Schnell{Prompt: "x"})
	if e, ok := errors.AsType[*fal.Error](refused); !ok || e.Status != http.StatusUnauthorized {
		t.Errorf("%v", refused)
	}
	for _, host := range []string{"8.8.4.4", "8.8.8.8", "9.9.9.9", "1.1.1.1", "1.0.0.1", "v3.fal.media"} {
		if w.hosts[host] == 0 {
			t.Errorf("%s was not asked: %v", host, w.hosts)
		}
	}
	if w.hosts["8.8.4.4"] < 4 { // a file, two parts, and that these are all
		t.Errorf("the signed addresses were not all asked: %v", w.hosts)
	}
	id, hidden, _ := strings.Cut(secret, ":")
	for what, text := range map[string]string{
		"other hosts": w.foreign.String(), "the log": log.String(), "the traces": fmt.Sprintf("%+v %#v %v", tr.spans, tr.spans, tr.lines), "the error": fmt.Sprintf("%+v %#v", refused, refused),
		"the result": fmt.Sprintf("%+v", out),
	} {
		for _, part := range []string{hidden, hidden[:12], id, base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(hidden))} {
			if strings.Contains(text, part) && (part != id || what == "other hosts") {
				t.Errorf("%s got %q:\n%s", what, part, text)
			}
		}
	}
}
