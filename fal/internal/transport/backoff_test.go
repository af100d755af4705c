package transport_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// A server that answers, but only to say that it cannot, earns no repetitions.
func TestBudgetIsNotEarnedByFailures(t *testing.T) {
	t.Parallel()
	for status, class := range map[int]transport.Class{
		http.StatusInternalServerError: transport.Read, http.StatusServiceUnavailable: transport.Submit, http.StatusTooManyRequests: transport.Submit,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mock := httpmock.NewMockTransport()
				calls := serve(mock, answer{status: status})
				tr := newTransport(mock)
				var wait sync.WaitGroup
				for range 1000 {
					wait.Go(func() {
						resp, err := tr.Send(t.Context(), &transport.Request{Class: class, Method: http.MethodPost, URL: target})
						if err != nil || resp.StatusCode != status {
							t.Errorf("got %v, %v", resp, err)
						}
					})
				}
				wait.Wait()
				if n := calls.Load(); n > 1100 {
					t.Errorf("1000 requests made %d attempts, want at most 1100", n)
				}
			})
		})
	}
}

// Healthy answers give back what repetitions have cost.
func TestBudgetRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mock := httpmock.NewMockTransport()
		answers := make([]answer, 0, 800)
		for range 400 {
			answers = append(answers, answer{status: 429}, answer{status: 200})
		}
		calls := serve(mock, answers...)
		tr := newTransport(mock)
		read := func(method string, n int) (ok int) {
			for range n {
				resp, err := tr.Send(t.Context(), &transport.Request{Method: method, URL: target})
				if err == nil && resp.StatusCode == http.StatusOK {
					ok++
				}
			}
			return ok
		}
		if n := read(http.MethodGet, 200); n < 100 || n == 200 {
			t.Fatalf("%d of 200 requests went well on the second attempt, want the budget to end after 100 or so", n)
		}
		mock.RegisterResponder(http.MethodGet, target, httpmock.NewStringResponder(200, ""))
		calls.Store(0) // a POST is refused once
		if n := read(http.MethodPost, 1); n != 0 {
			t.Fatal("the budget has not ended")
		}
		read(http.MethodGet, 100)
		calls.Store(0)
		if n := read(http.MethodPost, 1); n != 1 {
			t.Error("nothing was given back")
		}
	})
}

// The bound of the back-off doubles up to its limit, and does not overflow.
func TestBackoffOfManyAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mock := httpmock.NewMockTransport()
		var times []time.Time
		mock.RegisterNoResponder(func(*http.Request) (*http.Response, error) {
			times = append(times, time.Now())
			return nil, errDial
		})
		tr := newTransport(mock, func(c *transport.Config) {
			c.Retry = transport.Policy{MinWait: time.Hour, MaxWait: 2 * time.Hour, MaxAttempts: 80}
			c.Backup = false
		})
		if _, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target}); err == nil {
			t.Fatal("no error")
		}
		if len(times) != 80 {
			t.Fatalf("%d attempts, want 80", len(times))
		}
		for i := range times[1:] {
			if wait := times[i+1].Sub(times[i]); wait > 2*time.Hour {
				t.Errorf("wait %d is %v", i, wait)
			}
		}
		if late := times[79].Sub(times[40]); late < 10*time.Hour {
			t.Errorf("the last 39 waits are %v together, want some 39h", late)
		}
	})
}

// The user's own Timeout is kept.
func TestUsersTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		}), func(c *transport.Config) { c.HTTPClient.Timeout = 5 * time.Second })
		start := time.Now()
		_, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target})
		sent, ok := errors.AsType[*transport.Error](err)
		if !ok || !sent.MaybeSent || calls.Load() != 1 || time.Since(start) != 5*time.Second {
			t.Errorf("error = %v after %d requests and %v", err, calls.Load(), time.Since(start))
		}
	})
}

// The backup host may have got what the first one could not have.
func TestBackupFailsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			if r.URL.Host == "queue.falrun.com" {
				return nil, errReset
			}
			return nil, errDial
		}))
		_, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Body: []byte("{}"), Auth: true})
		sent, ok := errors.AsType[*transport.Error](err)
		if !ok || !sent.MaybeSent || !errors.Is(err, errDial) || len(hosts) != 2 {
			t.Errorf("error = %v after requests to %v, want the first host's error, and no more", err, hosts)
		}
	})
}

// Over HTTP/2 too, a lost answer is not asked for again.
func TestSubmitOverHTTP2(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("the protocol is %s", r.Proto)
		}
		if r.Method == http.MethodGet {
			return
		}
		posts.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler) // resets the stream
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	defer srv.Close()
	tr := local(srv.URL, srv.Client())
	resp, err := tr.Send(context.Background(), &transport.Request{Method: http.MethodGet, URL: srv.URL, Auth: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for n := range int32(3) { // on the connection that is there
		_, err = tr.Send(context.Background(), &transport.Request{
			Class: transport.Submit, Method: http.MethodPost, URL: srv.URL, Body: []byte("{}"), Auth: true,
			Header: http.Header{"Idempotency-Key": {"k"}},
		})
		sent, ok := errors.AsType[*transport.Error](err)
		if !ok || !sent.MaybeSent || posts.Load() != n+1 {
			t.Errorf("error = %v after %d requests", err, posts.Load())
		}
	}
}
