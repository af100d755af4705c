package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// roundTrip is a RoundTripper made of a function, which may misbehave in ways
// that httpmock does not allow.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRoundTripperMisbehaves(t *testing.T) {
	t.Parallel()
	for _, class := range []transport.Class{transport.Submit, transport.Read} {
		t.Run(fmt.Sprint(class), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &transport.Request{Class: class, Method: http.MethodPost, URL: target, Timeout: time.Minute, Grace: time.Second}
				nothing := roundTrip(func(*http.Request) (*http.Response, error) { return nil, nil })
				_, err := newTransport(nothing).Send(t.Context(), r)
				if sent, ok := errors.AsType[*transport.Error](err); !ok || !sent.MaybeSent {
					t.Errorf("neither answer nor error: got %v", err)
				}
				bodiless := roundTrip(func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusServiceUnavailable, ContentLength: 7}, nil
				})
				resp, err := newTransport(bodiless).Send(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(resp.Body); len(body) > 0 || err != nil {
					t.Errorf("no body: read %q, %v", body, err)
				}
				_ = resp.Body.Close()
			})
		})
	}
}

// slowBody is an answer whose body ends with the context of the request.
func slowBody(r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	context.AfterFunc(r.Context(), func() { pw.CloseWithError(r.Context().Err()) })
	return &http.Response{StatusCode: http.StatusOK, Body: pr}, nil
}

// A Timeout while the body is read is named, and is not the caller's doing.
func TestTimeoutOfABodyIsNamed(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{0, time.Second} {
		t.Run(grace.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				resp, err := newTransport(roundTrip(slowBody)).Send(t.Context(), &transport.Request{
					Class: transport.Submit, Method: http.MethodPost, URL: target, Timeout: time.Minute, Grace: grace,
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.ReadAll(resp.Body)
				if err == nil || !strings.Contains(err.Error(), "no answer within 1m0s") || errors.Is(err, context.Canceled) {
					t.Errorf("error = %v", err)
				}
				_ = resp.Body.Close()
			})
		})
	}
}

// The context of an attempt is freed at the end of the body, even if it is
// never closed.
func TestEndOfBodyFrees(t *testing.T) {
	t.Parallel()
	for _, r := range []*transport.Request{
		{Class: transport.Read, Method: http.MethodGet, URL: target, Timeout: time.Minute},
		{Class: transport.Submit, Method: http.MethodPost, URL: target, Timeout: time.Minute, Grace: time.Minute},
		{Class: transport.Submit, Method: http.MethodPost, URL: target, Grace: time.Minute},
	} {
		t.Run(r.Method, func(t *testing.T) {
			t.Parallel()
			var ctx context.Context
			resp, err := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
				ctx = r.Context()
				return httpmock.NewStringResponse(200, "text"), nil
			})).Send(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if ctx.Err() != nil {
				t.Error("the context ended before the body was read")
			}
			if text, err := io.ReadAll(resp.Body); string(text) != "text" || err != nil {
				t.Errorf("read %q, %v", text, err)
			}
			if ctx.Err() == nil {
				t.Error("the context goes on after the body was read")
			}
		})
	}
}

// Redirects are hops of one attempt.
func TestRedirectsAreNotAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hops, last atomic.Int32
		tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
			if n := hops.Add(1); n%6 != 0 {
				resp := httpmock.NewStringResponse(http.StatusFound, "")
				resp.Header.Set("Location", fmt.Sprintf("https://queue.fal.run/%d", n))
				return resp, nil
			}
			if last.Add(1) == 1 {
				return httpmock.NewStringResponse(http.StatusBadGateway, ""), nil
			}
			return nil, errReset
		}))
		_, err := tr.Send(t.Context(), &transport.Request{Method: http.MethodGet, URL: target, Auth: true})
		if sent, ok := errors.AsType[*transport.Error](err); !ok || sent.Attempts != 6 || hops.Load() != 36 {
			t.Errorf("error = %v after %d hops", err, hops.Load())
		}
	})
}

// A redirect to elsewhere does not tell where it came from, and refusals are
// one line.
func TestRedirectDetails(t *testing.T) {
	t.Parallel()
	to := func(location func(n int) string) (roundTrip, *[]*http.Request) {
		var seen []*http.Request
		return func(r *http.Request) (*http.Response, error) {
			seen = append(seen, r)
			l := location(len(seen))
			if l == "" {
				return httpmock.NewStringResponse(200, ""), nil
			}
			resp := httpmock.NewStringResponse(http.StatusFound, "")
			resp.Header.Set("Location", l)
			return resp, nil
		}, &seen
	}
	send := func(rt roundTrip, change ...func(*transport.Config)) error {
		_, err := newTransport(rt, change...).Send(context.Background(), &transport.Request{Method: http.MethodGet, URL: target + "?secret=1", Auth: true})
		return err
	}
	rt, seen := to(func(n int) string { return []string{"https://elsewhere.example/", ""}[n-1] })
	if err := send(rt); err != nil || len(*seen) != 2 || (*seen)[1].Header.Get("Referer") != "" {
		t.Errorf("error = %v, %d requests, Referer %q", err, len(*seen), (*seen)[1].Header.Get("Referer"))
	}
	rt, seen = to(func(n int) string { return fmt.Sprintf("https://queue.fal.run/%d", n) })
	if err := send(rt); err == nil || len(*seen) != 10 || strings.Contains(err.Error(), "\n") {
		t.Errorf("endless: error = %v after %d requests", err, len(*seen))
	}
	errNo := errors.New("the user says no")
	rt, seen = to(func(int) string { return "https://queue.fal.run/other" })
	err := send(rt, func(c *transport.Config) {
		c.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return errNo }
	})
	if !errors.Is(err, errNo) || len(*seen) != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("user's policy: error = %v after %d requests", err, len(*seen))
	}
	for _, policy := range []error{nil, http.ErrUseLastResponse} {
		rt, seen = to(func(n int) string { return []string{"https://queue.fal.run/other", ""}[n-1] })
		err = send(rt, func(c *transport.Config) {
			c.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return policy }
		})
		if want := map[bool]int{true: 2, false: 1}[policy == nil]; err != nil || len(*seen) != want {
			t.Errorf("user's policy %v: error = %v after %d requests", policy, err, len(*seen))
		}
	}
}

// A re-send says in the log how long it waited, and why.
func TestLogOfResend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		mock := httpmock.NewMockTransport()
		serve(mock, answer{status: 429, header: http.Header{"Retry-After": {"7"}}}, answer{err: errDial}, answer{status: 200})
		tr := newTransport(mock, func(c *transport.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			c.Backup = false
		})
		if _, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 3 || strings.Contains(lines[0], "reason=") ||
			!strings.Contains(lines[1], `reason="status 429"`) || !strings.Contains(lines[1], "wait=7.") ||
			!strings.Contains(lines[2], `reason="dial tcp: connection refused"`) {
			t.Errorf("the log is\n%s", log.String())
		}
	})
}

// Whatever shows the request, the key is not in what we hand back or log.
func TestKeyIsNotRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		talkative := roundTrip(func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("cannot send %v in %+v", r.Header, r.Context())
		})
		tr := newTransport(talkative, func(c *transport.Config) {
			c.Redact = func(s string) string { return strings.ReplaceAll(s, key, "[redacted]") }
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		_, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Auth: true})
		if err == nil {
			t.Fatal("no error")
		}
		for inner := err; inner != nil; inner = errors.Unwrap(inner) {
			if text := fmt.Sprintf("%v %+v %#v", inner, inner, inner); strings.Contains(text, "5ecre7") {
				t.Errorf("the key is in the error:\n%s", text)
			}
		}
		if text := fmt.Sprintf("%s\n%+v %#v", log.String(), tr, tr); strings.Contains(text, "5ecre7") {
			t.Errorf("the key is shown:\n%s", text)
		}
	})
}

func TestNoGoroutinesStay(t *testing.T) {
	// Not parallel: it counts goroutines.
	before := runtime.NumGoroutine()
	tr := newTransport(roundTrip(func(*http.Request) (*http.Response, error) {
		return httpmock.NewStringResponse(200, "text"), nil
	}))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for range 100 {
		resp, err := tr.Send(ctx, &transport.Request{
			Class: transport.Submit, Method: http.MethodPost, URL: target, Timeout: time.Hour, Grace: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if after := runtime.NumGoroutine(); after > before+5 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

// cookies is a jar that has a cookie for every host.
type cookies struct{}

func (cookies) SetCookies(*url.URL, []*http.Cookie) {}
func (cookies) Cookies(*url.URL) []*http.Cookie {
	return []*http.Cookie{{Name: "session", Value: "5ecre7"}}
}

// A download carries nothing of the user's; a call to fal has their cookies.
func TestCookies(t *testing.T) {
	t.Parallel()
	var got []string
	tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		got = append(got, r.Header.Get("Cookie"))
		return httpmock.NewStringResponse(200, ""), nil
	}), func(c *transport.Config) { c.HTTPClient.Jar = cookies{} })
	if _, err := tr.Send(t.Context(), &transport.Request{Method: http.MethodGet, URL: target}); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Download(t.Context(), "https://v3.fal.media/a.png", nil); err != nil {
		t.Fatal(err)
	}
	if got[0] == "" || got[1] != "" {
		t.Errorf("cookies of the call: %q, of the download: %q", got[0], got[1])
	}
}
