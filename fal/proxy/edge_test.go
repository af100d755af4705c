package proxy_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/proxy"
)

// fake answers what is sent to fal.
type fake func(*http.Request) (*http.Response, error)

func (f fake) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer is an answer of fal's in JSON.
func answer(r *http.Request, status int, body io.Reader, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: strconv.Itoa(status), Header: h, Body: io.NopCloser(body), Request: r}
}

// page is one whose proxy leads to the fake, and whose guard notes what it is told.
func (f fake) page(t *testing.T) (*page, *noted) {
	p, guard := newPage(t, faltest.NewServer(t)), new(noted)
	p.h.Client = &fal.Client{Key: fal.NewKey("id:secret"), HTTPClient: &http.Client{Transport: f}, Retry: fal.Retry{MaxAttempts: 1}, Guard: guard}
	return p, guard
}

const (
	directly = "https://fal.run/fal-ai/flux/schnell"
	queued   = "https://queue.fal.run/fal-ai/flux/schnell"
	mug      = `{"prompt":"a mug"}`
	reserved = "reserved fal-ai/flux/schnell for ann"
)

// broken is a body that breaks off.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("reset by peer") }

// An answer that does not come whole leaves what is reserved as it is, and so does
// one whose request may have been sent; only what was not sent is released.
func TestAnswersThatDoNotCome(t *testing.T) {
	t.Parallel()
	long := `{"request_id":"r-1"` + strings.Repeat(" ", 1<<20-len(`{"request_id":"r-1"}`)) + "}"
	for name, tt := range map[string]struct {
		target string
		fal    fake
		status int
		told   []string
	}{
		"cut off": {queued, func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, io.MultiReader(strings.NewReader(`{"request_id":"r-1"}`), broken{})), nil
		}, 502, nil},
		"as long as may be": {queued, func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, strings.NewReader(long)), nil
		}, 200, []string{"accepted r-1"}},
		"too long": {queued, func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, strings.NewReader(long+" ")), nil
		}, 502, nil},
		"lost": {directly, func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 503, nil},
		"not sent": {directly, func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}, 503, []string{"released"}},
	} {
		p, guard := tt.fal.page(t)
		proxy.Follows(&p.h, 10_000) // no more
		status, _, said := p.ask(http.MethodPost, tt.target, mug)
		if diff := cmp.Diff(append([]string{reserved}, tt.told...), guard.said); status != tt.status || diff != "" {
			t.Errorf("%s: %d %.80s, told -want +got\n%s", name, status, said, diff)
		}
	}
}

// What an answer of a direct call says of money counts at the bounds between kinds of
// statuses too.
func TestStatusesAndMoney(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		target    string
		status    int
		errorType string
		want      []string
	}{
		{directly, 299, "", []string{reserved, "settled r-1 "}},
		{directly, 300, "", []string{reserved}},
		{directly, 499, "x", []string{reserved}},
		{directly, 500, "x", []string{reserved, "released"}},
		{directly, 500, "", []string{reserved}},
		{queued, 499, "", []string{reserved, "released"}},
		{queued, 500, "", []string{reserved}},
		{queued, 500, "x", []string{reserved, "released"}},
	} {
		p, guard := fake(func(r *http.Request) (*http.Response, error) {
			return answer(r, tt.status, strings.NewReader(`{}`), "X-Fal-Request-Id", "r-1", "X-Fal-Error-Type", tt.errorType), nil
		}).page(t)
		p.ask(http.MethodPost, tt.target, mug)
		if diff := cmp.Diff(tt.want, guard.said); diff != "" {
			t.Errorf("%s, status %d of type %q: told -want +got\n%s", tt.target, tt.status, tt.errorType, diff)
		}
	}
}

// What is accepted is known though the page leaves while it is; a direct call ends
// with its page. A submit has a minute.
func TestPagesThatLeave(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		target string
		status int
		told   []string
	}{
		"submit": {queued, 200, []string{reserved, "accepted r-1"}},
		"direct": {directly, 503, []string{reserved}},
	} {
		ctx, leave := context.WithCancel(t.Context())
		p, guard := fake(func(r *http.Request) (*http.Response, error) {
			if leave(); r.Method == http.MethodGet || r.Context().Err() != nil {
				return nil, errors.New("left")
			}
			return answer(r, 200, strings.NewReader(`{"request_id":"r-1"}`)), nil
		}).page(t)
		proxy.Follows(&p.h, 10_000) // no more
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(mug))
		r.Header.Set("X-Fal-Target-Url", tt.target)
		r.Header.Set("X-Test-User", "ann")
		w := httptest.NewRecorder()
		p.h.ServeHTTP(w, r)
		if diff := cmp.Diff(tt.told, guard.said); w.Code != tt.status || diff != "" {
			t.Errorf("%s: status %d, told -want +got\n%s", name, w.Code, diff)
		}
	}
}

// held answers nothing, for as long as is waited.
func held(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestTimeOfASubmit(t *testing.T) {
	t.Parallel()
	p, _ := fake(held).page(t)
	synctest.Test(t, func(t *testing.T) {
		p.T = t
		start := time.Now()
		if status, _, _ := p.ask(http.MethodPost, queued, mug); status != http.StatusServiceUnavailable || time.Since(start) != time.Minute {
			t.Errorf("status %d after %v", status, time.Since(start))
		}
	})
}

// A job is followed for the guard though the page never asks for it, for two hours at
// most and ten thousand at a time: what is not known then stays reserved.
func TestFollowed(t *testing.T) {
	t.Parallel()
	const status, result = "/fal-ai/flux/requests/r-1/status", "/fal-ai/flux/requests/r-1"
	for name, tt := range map[string]struct {
		others int
		result fake
		told   []string
		after  time.Duration
	}{
		"a result": {9_999, func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, strings.NewReader(`{}`), "X-Fal-Billable-Units", "3"), nil
		}, []string{"settled r-1 3"}, 0},
		"an error that is billed": {0, func(r *http.Request) (*http.Response, error) {
			return answer(r, 422, strings.NewReader(`{"detail":"x"}`), "X-Fal-Billable-Units", "2", "X-Fal-Error-Type", "x"), nil
		}, []string{"settled r-1 2"}, 0},
		"an error that is not": {0, func(r *http.Request) (*http.Response, error) {
			return answer(r, 422, strings.NewReader(`{"detail":"x"}`), "X-Fal-Billable-Units", "0", "X-Fal-Error-Type", "x"), nil
		}, []string{"released"}, 0},
		"an error that tells nothing": {0, func(r *http.Request) (*http.Response, error) {
			return answer(r, 422, strings.NewReader(`{"detail":[{"loc":["body"],"msg":"x","type":"content_policy_violation"}]}`)), nil
		}, nil, 0},
		"too many":  {10_000, nil, nil, 0},
		"for years": {0, func(r *http.Request) (*http.Response, error) { return nil, errors.New("not yet") }, nil, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			p, guard := fake(func(r *http.Request) (*http.Response, error) {
				if asked.Add(1); r.Method == http.MethodPost {
					return answer(r, 200, strings.NewReader(`{"request_id":"r-1"}`)), nil
				}
				switch r.URL.Path {
				case status:
					if tt.after > 0 {
						return answer(r, 202, strings.NewReader(`{"status":"IN_PROGRESS"}`)), nil
					}
					return answer(r, 200, strings.NewReader(`{"status":"COMPLETED"}`)), nil
				case result:
					return tt.result(r)
				}
				return answer(r, 404, strings.NewReader(`{"detail":"no streams"}`)), nil
			}).page(t)
			proxy.Follows(&p.h, tt.others)
			synctest.Test(t, func(t *testing.T) {
				p.T = t
				start := time.Now()
				p.ask(http.MethodPost, queued, mug)
				want := tt.others + 1
				if tt.result == nil {
					want--
				}
				if now := proxy.Follows(&p.h, want); now != want {
					t.Errorf("%d are followed, want %d", now, want)
				}
				for proxy.Follows(&p.h, want) == want && tt.result != nil {
					time.Sleep(time.Second)
				}
				if took := time.Since(start); took < tt.after || took > tt.after+10*time.Second {
					t.Errorf("followed for %v", took)
				}
			})
			if diff := cmp.Diff(append([]string{reserved, "accepted r-1"}, tt.told...), guard.said); diff != "" {
				t.Errorf("told -want +got\n%s", diff)
			}
			if tt.result == nil && asked.Load() != 1 {
				t.Errorf("fal was asked %d times", asked.Load())
			}
		})
	}
}

// Without a guard nothing is followed: nobody wants to know.
func TestNothingToFollow(t *testing.T) {
	t.Parallel()
	p, _ := fake(func(r *http.Request) (*http.Response, error) {
		return answer(r, 200, strings.NewReader(`{"request_id":"r-1"}`)), nil
	}).page(t)
	for _, guard := range []fal.Guard{nil, silent{}} {
		p.h.Client.Guard = guard
		if status, _, said := p.ask(http.MethodPost, queued, mug); status != http.StatusOK || proxy.Follows(&p.h, 0) != 0 {
			t.Errorf("%d %s", status, said)
		}
	}
}

// silent is a guard that allows all and wants to know of nothing.
type silent struct{}

func (silent) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	return nil, nil //nolint:nilnil // as a guard may
}

// A hundred thousand jobs are remembered: the oldest goes for the next one.
func TestJobsThatAreRemembered(t *testing.T) {
	t.Parallel()
	h := &proxy.Handler{}
	for i := range 100_000 {
		proxy.Remember(h, strconv.Itoa(i), "ann")
	}
	if !proxy.Knows(h, "0") || !proxy.Knows(h, "99999") || proxy.Knows(h, "100000") {
		t.Error("not all are remembered")
	}
	proxy.Remember(h, "100000", "ann")
	if proxy.Knows(h, "0") || !proxy.Knows(h, "1") || !proxy.Knows(h, "100000") {
		t.Error("another than the oldest is forgotten")
	}
}

// What is asked for in an odd way is refused, and what looks odd and is not is sent.
func TestTargets(t *testing.T) {
	t.Parallel()
	const post, get, put = http.MethodPost, http.MethodGet, http.MethodPut
	for name, tt := range map[string]struct {
		method, target string
		want           int
	}{
		"a tilde":                     {post, "https://fal.run/me/a~b", 200},
		"no letter of ASCII":          {post, "https://fal.run/me/ä", 403},
		"a delete":                    {post, "https://fal.run/me/a\x7f", 403},
		"a space":                     {get, "https://queue.fal.run/short/requests/1 2", 403},
		"another host":                {post, "https://fal.example/me/a~b", 403},
		"a backslash":                 {post, "https://fal.run/me\\a~b", 403},
		"half an escape":              {post, "https://fal.run/me/a~b?a=%zz", 403},
		"a slash twice":               {post, "https://fal.run/me//a~b", 403},
		"a queue length":              {post, "https://queue.fal.run/me/a~b?fal_max_queue_length=3", 200},
		"logs of a submit":            {post, "https://queue.fal.run/me/a~b?logs=1", 403},
		"a stream":                    {post, "https://fal.run/me/a~b/stream", 200},
		"a stream of another":         {post, "https://fal.run/me/other/stream", 403},
		"a flow":                      {post, "https://queue.fal.run/workflows/me/flow", 200},
		"a job of a flow":             {get, "https://queue.fal.run/workflows/me/flow/requests/1/status", 200},
		"a job of another flow":       {get, "https://queue.fal.run/workflows/me/requests/1/status", 403},
		"a job of a comfy flow":       {get, "https://queue.fal.run/comfy/me/flow/requests/1", 200},
		"another job of a comfy flow": {get, "https://queue.fal.run/comfy/me/requests/1", 403},
		"a job of a deep endpoint":    {put, "https://queue.fal.run/me/deep/requests/1/cancel", 200},
		"below a deep endpoint":       {put, "https://queue.fal.run/me/deep/a/requests/1/cancel", 403},
		"a job of a short endpoint":   {get, "https://queue.fal.run/short/requests/1", 200},
		"a status by PUT":             {put, "https://queue.fal.run/me/deep/requests/1/status", 403},
		"an upload by GET":            {get, "https://rest.fal.ai/storage/upload/initiate", 403},
		"an odd upload":               {post, "https://rest.fal.ai/storage/upload/initiate?x=1", 403},
		"an upload":                   {post, "https://rest.fal.ai/storage/upload/initiate", 200},
		"a token":                     {post, "https://rest.fal.ai/tokens/", 403},
		"a token with a parameter":    {post, "https://rest.fal.ai/tokens/realtime?a=1", 403},
	} {
		sent := 0
		p, _ := fake(func(r *http.Request) (*http.Response, error) {
			sent++
			return answer(r, 200, strings.NewReader(`{}`)), nil
		}).page(t)
		p.h.Endpoints = []string{"me/a~b", "workflows/me/flow", "comfy/me/flow", "me/deep/a/b/c", "short"}
		p.h.Uploads, p.h.Decode = true, nil
		if status, _, said := p.ask(tt.method, tt.target, `{}`); status != tt.want || (sent > 0) != (tt.want == 200) {
			t.Errorf("%s: %d %s, %d sent", name, status, said, sent)
		}
	}
	p, _ := fake(nil).page(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(mug))
	r.Header["X-Fal-Target-Url"] = []string{directly, directly}
	r.Header.Set("X-Test-User", "ann")
	w := httptest.NewRecorder()
	if p.h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("two targets: status %d", w.Code)
	}
}

// A body is as long as 16 MiB, and what stands in place of it has to be JSON.
func TestBodies(t *testing.T) {
	t.Parallel()
	const most = 16 << 20
	quoted := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	for name, tt := range map[string]struct {
		body   string
		decode func(string, []byte) (any, error)
		want   int
		told   []string
	}{
		"as long as may be": {quoted(most), nil, 200, []string{reserved, "settled  "}},
		"longer":            {quoted(most + 1), nil, 413, nil},
		"not for JSON":      {mug, func(string, []byte) (any, error) { return make(chan int), nil }, 403, nil},
	} {
		p, guard := fake(func(r *http.Request) (*http.Response, error) {
			if n, err := io.Copy(io.Discard, r.Body); n != int64(len(tt.body)) || err != nil {
				t.Errorf("%s: %d bytes are sent, %v", name, n, err)
			}
			return answer(r, 200, strings.NewReader(`{}`)), nil
		}).page(t)
		p.h.Decode = tt.decode
		status, _, said := p.ask(http.MethodPost, directly, tt.body)
		if status != tt.want || !cmp.Equal(guard.said, tt.told) {
			t.Errorf("%s: %d %s, told %q", name, status, said, guard.said)
		}
	}
}

// connection is one to a page: it notes until when it may be written to, and breaks
// after some writes.
type connection struct {
	*httptest.ResponseRecorder
	until  []time.Time
	writes int
}

func (c *connection) SetWriteDeadline(at time.Time) error {
	c.until = append(c.until, at)
	return nil
}

func (c *connection) Write(p []byte) (int, error) {
	if c.writes--; c.writes < 0 {
		return 0, errors.New("the page has left")
	}
	return c.ResponseRecorder.Write(p)
}

// endless is a body that goes on, and tells how often it was read.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read++; e.read > 1000 {
		return 0, io.EOF
	}
	return copy(p, "data: {}\n\n"), nil
}

// A stream may take its time, whatever the server allows; once its page has left it
// is read no further, and it is paid.
func TestStreamsOfPagesThatLeave(t *testing.T) {
	t.Parallel()
	body := &endless{}
	p, guard := fake(func(r *http.Request) (*http.Response, error) {
		return answer(r, 200, body, "Content-Type", "text/event-stream", "X-Fal-Billable-Units", "1", "X-Fal-Request-Id", "r-1"), nil
	}).page(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(mug))
	r.Header.Set("X-Fal-Target-Url", directly+"/stream")
	r.Header.Set("X-Test-User", "ann")
	w := &connection{ResponseRecorder: httptest.NewRecorder(), writes: 2}
	p.h.ServeHTTP(w, r)
	if len(w.until) != 1 || !w.until[0].IsZero() || body.read > 100 || !cmp.Equal(guard.said, []string{reserved, "settled r-1 1"}) {
		t.Errorf("written until %v, read %d times, told %q", w.until, body.read, guard.said)
	}
}

// Of fal's headers those pass that are for pages, and nothing becomes a page of this
// site.
func TestHeadersThatComeBack(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"application/json":                "application/json",
		"application/json; charset=utf-8": "application/json; charset=utf-8",
		"text/event-stream; charset=x":    "text/event-stream; charset=x",
		"text/html":                       "text/plain; charset=utf-8",
		"image/svg+xml":                   "text/plain; charset=utf-8",
	} {
		p, _ := fake(func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, strings.NewReader(`{}`), "Content-Type", sent, "X-Fal-Request-Id", "r-1", "Retry-After", "3",
				"Cache-Control", "no-store", "Set-Cookie", "a=b", "Location", "https://x.example", "Access-Control-Allow-Origin", "*"), nil
		}).page(t)
		_, header, _ := p.ask(http.MethodGet, "https://queue.fal.run/fal-ai/flux/requests/1", "")
		if diff := cmp.Diff(http.Header{
			"Content-Type": {want}, "X-Fal-Request-Id": {"r-1"}, "Retry-After": {"3"}, "Cache-Control": {"no-store"},
			"X-Content-Type-Options": {"nosniff"}, "Content-Security-Policy": {"sandbox"},
		}, header); diff != "" {
			t.Errorf("%s: -want +got\n%s", sent, diff)
		}
	}
}

// A refusal is of fal's form, costs nothing, and says where the fault is.
func TestFormOfARefusal(t *testing.T) {
	t.Parallel()
	p, _ := fake(nil).page(t)
	p.h.Decode = func(string, []byte) (any, error) {
		return nil, &fal.ValidationError{Problems: []fal.Problem{{Field: "loras[2].path", Message: "no"}, {Field: "7", Message: "x"}, {Message: "y"}}}
	}
	status, header, said := p.ask(http.MethodPost, directly, mug)
	const want = `{"detail":[{"loc":["body","loras",2,"path"],"msg":"no","type":"value_error"},{"loc":["body",7],"msg":"x","type":"value_error"},` +
		`{"loc":["body"],"msg":"y","type":"value_error"}],"message":"the request is not valid"}`
	if diff := cmp.Diff(http.Header{"Content-Type": {"application/json"}, "X-Fal-Billable-Units": {"0"}}, header); status != 422 || said != want || diff != "" {
		t.Errorf("%d %s\nheaders -want +got\n%s", status, said, diff)
	}
	p.user = ""
	if status, _, said = p.ask(http.MethodPost, directly, mug); status != 401 || said != `{"detail":"not allowed","message":"not allowed"}` {
		t.Errorf("%d %s", status, said)
	}
	if log := p.log.String(); !strings.Contains(log, `status=422 reason="the request is not valid"`) || !strings.Contains(log, `status=401 reason="not allowed" error="no session"`) || strings.Count(log, "error=") != 1 {
		t.Error(log)
	}
}

// What is refused is logged though no logger was set.
func TestDefaultLogger(t *testing.T) {
	// Not parallel: it sets the default logger.
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	p, _ := fake(nil).page(t)
	p.h.Logger = nil
	if status, _, _ := p.ask(http.MethodPost, "https://x.example", mug); status != http.StatusForbidden || !strings.Contains(log.String(), "fal proxy refused") {
		t.Errorf("status %d, log %s", status, log.String())
	}
}
