package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// An answer 101 is the bare connection: it would hold a call beyond its context.
func TestSwitchingProtocols(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := hijack(t, w, r); c != nil {
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}))
	defer srv.Close()
	tr := local(srv.URL, nil)
	for _, class := range []transport.Class{transport.Submit, transport.Read} {
		_, err := tr.Send(t.Context(), &transport.Request{Class: class, Method: http.MethodPost, URL: srv.URL, Body: []byte("{}")})
		if sent, ok := errors.AsType[*transport.Error](err); !ok || !sent.MaybeSent || sent.Attempts != 1 {
			t.Errorf("class %d: error = %v", class, err)
		}
	}
	if _, err := tr.Download(t.Context(), srv.URL, nil); err == nil {
		t.Error("the download is not refused")
	}
}

// The failure of a job is the answer when its result is asked for. Without its
// header, or for another request, it is one of the exchange.
func TestFailureOfJob(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		result bool
		status int
		header string
		want   int32
	}{
		{true, 503, "X-Fal-Request-Id", 1}, {true, 503, "X-Fal-Error-Type", 1}, {true, 500, "X-Fal-Billable-Units", 1},
		{true, 503, "X-Other", 2}, {false, 500, "X-Fal-Request-Id", 2}, {true, 429, "X-Fal-Request-Id", 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			calls := serve(mock, answer{status: tt.status, header: http.Header{tt.header: {"1"}}, body: `{"detail":"x"}`}, answer{status: 200})
			_, err := newTransport(mock).Send(t.Context(), &transport.Request{Method: http.MethodGet, URL: target, Result: tt.result})
			if err != nil || calls.Load() != tt.want {
				t.Errorf("result %v, %d with %s: %d requests, %v, want %d", tt.result, tt.status, tt.header, calls.Load(), err, tt.want)
			}
		})
	}
}

// The Timeout of a Read is for the time in which nothing arrives.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		class transport.Class
		pause time.Duration
		works bool
	}{
		{transport.Read, 50 * time.Second, true},
		{transport.Read, 70 * time.Second, false},
		{transport.Upload, 50 * time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			resp, err := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
				pr, pw := io.Pipe()
				context.AfterFunc(r.Context(), func() { pw.CloseWithError(r.Context().Err()) })
				go func() {
					for range 5 {
						time.Sleep(tt.pause)
						_, _ = io.WriteString(pw, "x")
					}
					_ = pw.Close()
				}()
				return &http.Response{StatusCode: http.StatusOK, Body: pr}, nil
			})).Send(t.Context(), &transport.Request{Class: tt.class, Method: http.MethodGet, URL: target, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			if (err == nil && string(text) == "xxxxx") != tt.works {
				t.Errorf("class %d, pause %v: read %q, %v", tt.class, tt.pause, text, err)
			}
			_ = resp.Body.Close()
			time.Sleep(time.Hour) // until the server has ended
		})
	}
}

// A body that was opened is closed, even if nothing is sent.
func TestUnsentBodyIsClosed(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	opened, closed := 0, 0
	_, err := newTransport(httpmock.NewMockTransport()).Send(ctx, &transport.Request{
		Class: transport.Upload, Method: http.MethodPut, URL: target, Length: 1,
		Open: func() (io.ReadCloser, error) {
			opened++
			stop()
			return closeFunc{strings.NewReader("x"), func() { closed++ }}, nil
		},
	})
	if !errors.Is(err, context.Canceled) || opened != 1 || closed != 1 {
		t.Errorf("error = %v; opened %d times, closed %d times", err, opened, closed)
	}
}

type closeFunc struct {
	io.Reader
	closed func()
}

func (c closeFunc) Close() error {
	c.closed()
	return nil
}

// The name of a download is looked up before the user's own RoundTripper gets
// it, at each hop. What is not found is left to it.
func TestDownloadNames(t *testing.T) {
	t.Parallel()
	var got []string
	tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		got = append(got, r.URL.Host)
		resp := httpmock.NewStringResponse(http.StatusOK, "")
		if r.URL.Host == "redirecting.example" {
			resp.StatusCode = http.StatusFound
			resp.Header.Set("Location", "http://private.example/")
		}
		return resp, nil
	}))
	transport.SetLookUp(tr, func(_ context.Context, _, host string) ([]netip.Addr, error) {
		switch host {
		case "unknown.example":
			return nil, errDNS
		case "private.example":
			return []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("10.0.0.1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
	})
	for _, tt := range []struct {
		host    string
		refused bool
		calls   int
	}{
		{"public.example", false, 1}, {"unknown.example", false, 1}, {"private.example", true, 0}, {"redirecting.example", true, 1},
	} {
		got = nil
		_, err := tr.Download(t.Context(), "http://"+tt.host+"/x", nil)
		if errors.Is(err, transport.ErrPrivateAddress) != tt.refused || len(got) != tt.calls {
			t.Errorf("%s: error = %v after requests to %v", tt.host, err, got)
		}
	}
}

// The idle connections of a transport that nobody uses any more are closed,
// also those of its copy of the user's transport, which they cannot reach.
func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	var open atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	srv.Start()
	defer srv.Close()
	client := &http.Client{Transport: new(http.Transport)}
	for range 10 {
		resp, err := local(srv.URL, client).Download(t.Context(), srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	for range 100 {
		runtime.GC()
		if open.Load() == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d connections are left", open.Load())
}
