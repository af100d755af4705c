package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/webhook"
)

// handled is a receiver that takes all that it is given.
func handled() *receiver {
	return newReceiver(func(context.Context, *webhook.Event) error { return nil })
}

// Who calls again is told when, and who calls by another method by which; what is
// taken is answered without a word.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method string
		store  webhook.Store
		status int
		header http.Header
		body   string
	}{
		"taken":           {http.MethodPost, nil, 200, http.Header{}, ""},
		"another method":  {http.MethodPut, nil, 405, http.Header{"Allow": {"POST"}}, "Method Not Allowed\n"},
		"no store":        {http.MethodPost, brokenStore{}, 503, http.Header{"Retry-After": {"10"}}, "Service Unavailable\n"},
		"not to be noted": {http.MethodPost, stuck{webhook.Memory()}, 500, http.Header{}, "Internal Server Error\n"},
	} {
		r := handled()
		r.Store = tt.store
		req := httptest.NewRequestWithContext(t.Context(), tt.method, "/", strings.NewReader(okBody))
		req.Header = sign(r.key, time.Now(), "g-1", okBody)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		got := w.Header()
		got.Del("Content-Type")
		got.Del("X-Content-Type-Options")
		if diff := cmp.Diff(tt.header, got); diff != "" || w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s: %d %q, headers -want +got\n%s", name, w.Code, w.Body, diff)
		}
	}
}

// bodyOf is a body that tells whether it was read.
type bodyOf struct {
	io.Reader
	read bool
}

func (b *bodyOf) Read(p []byte) (int, error) {
	b.read = true
	return b.Reader.Read(p)
}

// What is refused by what stands before the body is refused before the body is read,
// and a signature may be five minutes old, or ahead.
func TestBodiesThatAreNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := handled()
		r.Sources = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		at := func(d time.Duration) http.Header { return sign(r.key, time.Now().Add(d), "g-1", okBody) }
		for name, tt := range map[string]struct {
			method, from string
			header       http.Header
			length       int64
			status       int
			read         bool
		}{
			"good":               {http.MethodPost, "203.0.113.7:1", at(0), -1, 200, true},
			"five minutes old":   {http.MethodPost, "203.0.113.7:1", at(-300 * time.Second), -1, 200, true},
			"five minutes ahead": {http.MethodPost, "203.0.113.7:1", at(300 * time.Second), -1, 200, true},
			"older":              {http.MethodPost, "203.0.113.7:1", at(-301 * time.Second), -1, 401, false},
			"further ahead":      {http.MethodPost, "203.0.113.7:1", at(301 * time.Second), -1, 401, false},
			"another method":     {http.MethodPut, "203.0.113.7:1", at(0), -1, 405, false},
			"another address":    {http.MethodPost, "203.0.112.7:1", at(0), -1, 403, false},
			"unsigned":           {http.MethodPost, "203.0.113.7:1", http.Header{}, -1, 401, false},
			"says 64 MiB":        {http.MethodPost, "203.0.113.7:1", at(0), 64 << 20, 200, true},
			"says more":          {http.MethodPost, "203.0.113.7:1", at(0), 64<<20 + 1, 413, false},
		} {
			body := &bodyOf{Reader: strings.NewReader(okBody)}
			req := httptest.NewRequestWithContext(t.Context(), tt.method, "/", body)
			req.Header, req.RemoteAddr, req.ContentLength = tt.header, tt.from, tt.length
			w := httptest.NewRecorder()
			if r.ServeHTTP(w, req); w.Code != tt.status || body.read != tt.read {
				t.Errorf("%s: status %d, read %v, want %d, %v", name, w.Code, body.read, tt.status, tt.read)
			}
		}
	})
}

// A body that breaks off is asked for again.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	r := handled()
	body := io.MultiReader(strings.NewReader(okBody[:9]), &bodyOf{Reader: errorReader{}})
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
	req.Header = sign(r.key, time.Now(), "g-1", okBody)
	w := httptest.NewRecorder()
	if r.ServeHTTP(w, req); w.Code != http.StatusServiceUnavailable || !strings.Contains(r.log.String(), "hung up") {
		t.Errorf("status %d, log %s", w.Code, r.log.String())
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("hung up") }

// Calls together have 256 MiB read at a time, and what was read is free again.
func TestBodiesTogether(t *testing.T) {
	t.Parallel()
	r := handled()
	const most = 256 << 20
	length := int64(len(okBody))
	for _, tt := range []struct {
		others int64
		want   int
	}{{0, 200}, {most - length, 200}, {most - length + 1, 503}, {most, 503}, {0, 200}} {
		webhook.Reading(&r.Handler, tt.others)
		if got := r.call(t, "r-1"); got != tt.want {
			t.Errorf("beside %d bytes: status %d, want %d", tt.others, got, tt.want)
		}
		if left := webhook.Reading(&r.Handler, 0); left != tt.others {
			t.Errorf("beside %d bytes: %d are left", tt.others, left)
		}
	}
}

// timed is a connection that notes until when it may be read from.
type timed struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (w *timed) SetReadDeadline(at time.Time) error {
	w.until = append(w.until, at)
	return nil
}

// A body has five seconds to come, and what comes after it on the connection is not
// held to them.
func TestTimeForTheBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := handled()
		w := &timed{ResponseRecorder: httptest.NewRecorder()}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(okBody))
		req.Header = sign(r.key, time.Now(), "g-1", okBody)
		r.ServeHTTP(w, req)
		if want := []time.Time{time.Now().Add(5 * time.Second), {}}; w.Code != http.StatusOK || !cmp.Equal(want, w.until) {
			t.Errorf("status %d, read until %v, want %v", w.Code, w.until, want)
		}
	})
}

// sessionStore fails once its caller has left, as a database does.
type sessionStore struct{ webhook.Store }

func (s sessionStore) Settle(ctx context.Context, id string, done bool) error {
	return errors.Join(ctx.Err(), s.Store.Settle(ctx, id, done))
}

// Fal may hang up while an event is handled: it is handled all the same, and noted.
func TestFalHangsUp(t *testing.T) {
	t.Parallel()
	ctx, hangUp := context.WithCancel(t.Context())
	var left error
	r := newReceiver(func(ctx context.Context, _ *webhook.Event) error {
		hangUp()
		left = ctx.Err()
		return left
	})
	r.Store = sessionStore{webhook.Memory()}
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(okBody))
	req.Header = sign(r.key, time.Now(), "g-1", okBody)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	state, err := r.Store.Claim(t.Context(), "r-1", time.Minute)
	if left != nil || w.Code != http.StatusOK || state != webhook.Done || err != nil {
		t.Errorf("handled with %v, status %d, then %s, %v", left, w.Code, state, err)
	}
}

// completed is a fal whose job is done.
var completed = told(func(path string) string {
	if strings.Contains(path, "/status") {
		return `{"status":"COMPLETED"}`
	}
	return onePicture
})

// leases notes for how long ids are claimed.
type leases struct {
	webhook.Store
	got []string
}

func (l *leases) Claim(ctx context.Context, id string, lease time.Duration) (webhook.State, error) {
	l.got = append(l.got, fmt.Sprintf("%s for %v", id, lease))
	return l.Store.Claim(ctx, id, lease)
}

// An id is claimed for as long as Handle may take.
func TestLease(t *testing.T) {
	t.Parallel()
	r := handled()
	l := &leases{Store: webhook.Memory()}
	r.Store = l
	r.call(t, "a")
	webhook.Keep(&r.Handler, &webhook.Event{RequestID: "r-1"})
	if _, err := webhook.Wait(t.Context(), &r.Handler, completed.job()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a for 5m0s", "r-1 for 5m0s"}, l.got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// An event that nobody waits for is kept for a later Wait only where there is no
// Handle: Handle has had it.
func TestEventsThatAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := handled()
		r.call(t, "a")
		if n, _ := webhook.Keep(&r.Handler, &webhook.Event{RequestID: "b"}); n != 1 {
			t.Errorf("%d events are kept beside Handle", n-1)
		}
		r = newReceiver(nil)
		r.call(t, "r-1")
		start := time.Now()
		out, err := webhook.Wait(t.Context(), &r.Handler, completed.job())
		if err != nil || len(out.Images) != 1 || time.Since(start) > time.Second {
			t.Errorf("%v, %v after %v", out, err, time.Since(start))
		}
	})
}

// Who leaves while the result is fetched has not taken it: the next one gets it.
func TestLeavingWhileItIsFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &webhook.Handler{}
		webhook.Keep(h, &webhook.Event{RequestID: "r-1"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		out, err := webhook.Wait(ctx, h, told(func(string) string { return "" }).job())
		if _, unfinished := errors.AsType[*fal.JobError](err); !unfinished || out != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", out, err)
		}
		if out, err = webhook.Wait(t.Context(), h, completed.job()); err != nil || len(out.Images) != 1 {
			t.Errorf("the next one: %v, %v", out, err)
		}
	})
}
