package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// These tests are about money: ways in which a submit could be sent twice that
// are not plain answers or errors.

// net/http itself repeats a POST with an idempotency key when a connection
// that was kept alive breaks. fal knows no such key.
func TestIdempotencyKeyDoesNotRepeat(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		var posts atomic.Int32
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				return // leaves a connection to be used again
			}
			posts.Add(1)
			if got := r.Header.Get(name); got != "k-1" {
				t.Errorf("%s: the server got %q", name, got)
			}
			if c := hijack(t, w, r); c != nil {
				_ = c.SetLinger(0)
				_ = c.Close()
			}
		}))
		tr := local(srv.URL, nil)
		resp, err := tr.Send(context.Background(), &transport.Request{Method: http.MethodGet, URL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		_, err = tr.Send(context.Background(), &transport.Request{
			Class: transport.Submit, Method: http.MethodPost, URL: srv.URL, Body: []byte("{}"), Auth: true,
			Header: http.Header{name: {"k-1"}},
		})
		srv.Close()
		sent, ok := errors.AsType[*transport.Error](err)
		if !ok || !sent.MaybeSent || posts.Load() != 1 {
			t.Errorf("%s: error = %v after %d requests", name, err, posts.Load())
		}
	}
}

// TLS reports garbage on a working connection with the same type of error as
// a server that does not speak TLS at all. Only the latter was not sent.
func TestGarbageAfterHandshake(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		secure, ok := conn.(*tls.Conn)
		if !ok {
			t.Error("not a TLS connection")
			return
		}
		raw := secure.NetConn()
		_, _ = io.WriteString(raw, "HTTP/1.1 502 Bad Gateway\r\n\r\n") // in the clear
		_ = raw.Close()
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	defer srv.Close()
	_, err := local(srv.URL, srv.Client()).Send(context.Background(), &transport.Request{
		Class: transport.Submit, Method: http.MethodPost, URL: srv.URL, Body: []byte("{}"), Auth: true,
	})
	sent, ok := errors.AsType[*transport.Error](err)
	if !ok || !sent.MaybeSent || posts.Load() != 1 {
		t.Errorf("error = %v after %d requests", err, posts.Load())
	}
}

// Within the grace an answer is waited for, but nothing is sent again.
func TestNoAttemptAfterTheContextEnded(t *testing.T) {
	t.Parallel()
	for range 20 { // the back-off is random
		synctest.Test(t, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			var posts atomic.Int32
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				posts.Add(1)
				select {
				case <-time.After(2 * time.Second):
					return httpmock.NewStringResponse(http.StatusTooManyRequests, "slow"), nil
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			})
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			resp, err := newTransport(mock).Send(ctx, &transport.Request{
				Class: transport.Submit, Method: http.MethodPost, URL: target, Grace: 10 * time.Second,
			})
			if posts.Load() != 1 {
				t.Errorf("%d requests, want 1", posts.Load())
			}
			if err != nil || resp.StatusCode != http.StatusTooManyRequests {
				t.Fatalf("got %v, %v, want the answer", resp, err)
			}
			_ = resp.Body.Close()
		})
	}
}

// Nothing is begun once the context has ended, even if there is a grace.
func TestNothingIsBegunLate(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	calls := 0
	_, err := newTransport(roundTrip(func(*http.Request) (*http.Response, error) {
		calls++
		return nil, errReset
	})).Send(ctx, &transport.Request{
		Class: transport.Submit, Method: http.MethodPost, URL: target, Grace: time.Minute, Length: 1,
		Open: func() (io.ReadCloser, error) {
			stop()
			return io.NopCloser(strings.NewReader("x")), nil
		},
	})
	sent, ok := errors.AsType[*transport.Error](err)
	if !ok || sent.MaybeSent || !errors.Is(err, context.Canceled) || calls != 0 {
		t.Errorf("error = %v after %d requests", err, calls)
	}
}

// A client that sends a request again by itself is stopped before it does, on a
// real connection.
func TestRepeatingClients(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		posts.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer srv.Close()
	repeating := retryablehttp.NewClient()
	repeating.Logger, repeating.RetryWaitMin, repeating.RetryWaitMax = nil, time.Millisecond, time.Millisecond
	tr := transport.New(transport.Config{
		HTTPClient: repeating.StandardClient(), Key: func() (string, error) { return key, nil }, Trusted: []string{srv.URL},
	})
	_, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: srv.URL, Body: []byte("{}"), Auth: true})
	sent, ok := errors.AsType[*transport.Error](err)
	if !ok || !sent.MaybeSent || !strings.Contains(err.Error(), "again by itself") || posts.Load() != 1 {
		t.Errorf("%d requests: %v", posts.Load(), err)
	}
}

// roundTripper is a RoundTripper that tells nothing of what it does.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An error that looks as if there had been no connection proves nothing when it
// comes from something that has read the request.
func TestErrorAfterReading(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		reads bool
		posts int
	}{{"read", true, 1}, {"not read", false, 2}} {
		synctest.Test(t, func(t *testing.T) {
			posts := 0
			tr := newTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
				if posts++; tt.reads {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
			}), func(c *transport.Config) { c.Backup, c.Retry.MaxAttempts = false, 2 })
			_, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Body: []byte("{}"), Auth: true})
			sent, ok := errors.AsType[*transport.Error](err)
			if !ok || sent.MaybeSent != tt.reads || posts != tt.posts {
				t.Errorf("%s: %d requests: %v", tt.name, posts, err)
			}
		})
	}
}

// A request of any class may have been sent unless the error proves otherwise.
func TestMaybeSent(t *testing.T) {
	t.Parallel()
	for _, class := range []transport.Class{transport.Submit, transport.Read, transport.Upload, transport.Once} {
		for _, tt := range []struct {
			name string
			err  error
			want bool
		}{
			{"reset", errReset, true},
			{"lost answer", io.ErrUnexpectedEOF, true},
			{"unknown", errors.New("something"), true},
			{"dial", errDial, false},
			{"DNS", errDNS, false},
			{"certificate", errTLS, false},
		} {
			t.Run(fmt.Sprintf("%s, class %d", tt.name, class), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					mock := httpmock.NewMockTransport()
					serve(mock, answer{err: tt.err})
					_, err := newTransport(mock, func(c *transport.Config) { c.Backup = false }).Send(t.Context(),
						&transport.Request{Class: class, Method: http.MethodPost, URL: target})
					sent, ok := errors.AsType[*transport.Error](err)
					if !ok || sent.MaybeSent != tt.want || !errors.Is(err, tt.err) {
						t.Errorf("MaybeSent is not %v: %v", tt.want, err)
					}
				})
			})
		}
	}
}

// A read that reached the server once stays so when later attempts do not.
func TestMaybeSentIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mock := httpmock.NewMockTransport()
		serve(mock, answer{err: errReset}, answer{err: errDial})
		_, err := newTransport(mock).Send(t.Context(), &transport.Request{Class: transport.Read, Method: http.MethodPut, URL: target})
		if sent, ok := errors.AsType[*transport.Error](err); !ok || !sent.MaybeSent {
			t.Errorf("error = %+v", err)
		}
	})
}
