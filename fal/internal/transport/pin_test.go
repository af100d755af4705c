package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// The limits of our own HTTP transport are what they were chosen to be.
func TestHTTPTransport(t *testing.T) {
	t.Parallel()
	own := transport.HTTPTransport()
	got := []any{own.TLSHandshakeTimeout, own.IdleConnTimeout, own.ExpectContinueTimeout, own.MaxResponseHeaderBytes, own.MaxIdleConns, own.MaxIdleConnsPerHost, own.ForceAttemptHTTP2}
	want := []any{10 * time.Second, 30 * time.Second, time.Second, int64(262144), 1024, 1024, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}, *own.HTTP2); diff != "" {
		t.Errorf("HTTP/2 (-want +got)\n%s", diff)
	}
	for address, want := range map[string]time.Duration{"queue.fal.run:443": 10 * time.Second, "queue.falrun.com:443": 5 * time.Second, "falrun.com:443": 5 * time.Second} {
		if got := transport.DialTimeout(address); got != want {
			t.Errorf("%s is dialled for %v, want %v", address, got, want)
		}
	}
}

// What a header asks for is read to the nanosecond, and what asks for nothing
// is nothing.
func TestRetryAfterExactly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it is the first second of 2000
		for value, want := range map[string]time.Duration{
			"": -1, "soon": -1, "NaN": -1, "7": 7 * time.Second, "1.5": 1500 * time.Millisecond, "-7": 0, "-1e999": 0,
			"1e999": 1 << 31 * time.Second, "99999999": 99999999 * time.Second, "100000000": 0, "99999999999": 96 * 365 * 24 * time.Hour, "100000000000": 0,
			"946684807": 7 * time.Second, "946684807500": 7500 * time.Millisecond, "946684793": 0,
			"999999999999999": 96 * 365 * 24 * time.Hour, "1000000000000000": 1 << 31 * time.Second,
			"Sat, 01 Jan 2000 00:00:07 GMT": 7 * time.Second, "Fri, 31 Dec 1999 00:00:00 GMT": 0,
		} {
			got, ok := transport.RetryAfter(http.Header{"Retry-After": {value}})
			if want == 96*365*24*time.Hour && ok && got > want {
				continue // the year 5138 and later: as far as a Duration reaches
			}
			if ok != (want >= 0) || got != max(want, 0) {
				t.Errorf("%q: %v, %v, want %v", value, got, ok, want)
			}
		}
		if got, ok := transport.RetryAfter(http.Header{"X-Ratelimit-Reset": {"3"}}); got != 3*time.Second || !ok {
			t.Errorf("the platform's header: %v, %v", got, ok)
		}
	})
}

// A wait is never longer than the longest one, and comes near to it.
func TestLongestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		tr := newTransport(roundTrip(func(*http.Request) (*http.Response, error) {
			times = append(times, time.Now())
			return nil, errDial
		}), func(c *transport.Config) { c.Backup, c.Retry.MaxAttempts = false, 100 })
		_, err := tr.Send(t.Context(), &transport.Request{Method: http.MethodGet, URL: target})
		longest := time.Duration(0)
		for i := range times[1:] {
			longest = max(longest, times[i+1].Sub(times[i]))
		}
		if len(times) != 100 || longest > 8*time.Second || longest < 7*time.Second || times[1].Sub(times[0]) > 250*time.Millisecond {
			t.Errorf("%d attempts, the longest wait is %v, the first %v", len(times), longest, times[1].Sub(times[0]))
		}
		if err == nil || !strings.Contains(err.Error(), "(100 attempts)") {
			t.Errorf("error = %v", err)
		}
		tr = newTransport(roundTrip(func(*http.Request) (*http.Response, error) { return nil, errReset }), func(c *transport.Config) { c.Retry.MaxAttempts = 2 })
		if _, err = tr.Send(t.Context(), &transport.Request{Method: http.MethodGet, URL: target}); err == nil || !strings.Contains(err.Error(), "(2 attempts)") {
			t.Errorf("error = %v", err)
		}
		if _, err = tr.Send(t.Context(), &transport.Request{Class: transport.Once, Method: http.MethodGet, URL: target}); err == nil || strings.Contains(err.Error(), "attempts") {
			t.Errorf("error = %v", err)
		}
	})
}

// The grace ends when it ends.
func TestGraceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		start := time.Now()
		_, err := tr.Send(ctx, &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Body: []byte("{}"), Grace: 3 * time.Second})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// Backup hosts are for calls alone, and what neither host has got may be sent
// again.
func TestBackupsOfWhat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			return nil, errDial
		}), func(c *transport.Config) { c.Retry.MaxAttempts = 2 })
		_, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Body: []byte("{}")})
		sent, ok := errors.AsType[*transport.Error](err)
		if !ok || sent.MaybeSent || !slices.Equal(hosts, []string{"queue.fal.run", "queue.falrun.com", "queue.fal.run", "queue.falrun.com"}) {
			t.Errorf("%v after requests to %v", err, hosts)
		}
	})
	var hosts []string
	tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		return nil, errDial
	}), func(c *transport.Config) { c.Retry = transport.Policy{MaxAttempts: 1} })
	transport.SetLookUp(tr, func(context.Context, string, string) ([]netip.Addr, error) { return nil, errDNS })
	if _, err := tr.Download(t.Context(), "https://fal.run/x", nil); err == nil || !slices.Equal(hosts, []string{"fal.run"}) {
		t.Errorf("download: %v after requests to %v", err, hosts)
	}
}

// What an attempt has read says nothing of the next one.
func TestAttemptsAreJudgedApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
			if calls++; calls > 1 {
				return nil, errDial
			}
			_, _ = io.Copy(io.Discard, r.Body)
			return httpmock.NewStringResponse(http.StatusTooManyRequests, ""), nil
		}), func(c *transport.Config) { c.Backup = false })
		_, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Body: []byte("{}")})
		if sent, ok := errors.AsType[*transport.Error](err); !ok || sent.MaybeSent || calls != 4 {
			t.Errorf("%v after %d requests", err, calls)
		}
	})
}

// A body of one byte is a body.
func TestSmallBody(t *testing.T) {
	t.Parallel()
	tr := newTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		if b, _ := io.ReadAll(r.Body); string(b) != "7" || r.ContentLength != 1 {
			t.Errorf("the server got %q of %d bytes", b, r.ContentLength)
		}
		return httpmock.NewStringResponse(http.StatusOK, ""), nil
	}))
	if _, err := tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Body: []byte("7")}); err != nil {
		t.Error(err)
	}
}

// address is where a connection of a test leads.
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// remote is a connection that says where it leads, and whether it was closed.
type remote struct {
	net.Conn
	to     address
	closed chan struct{}
}

func (r remote) RemoteAddr() net.Addr { return r.to }

func (r remote) Close() error {
	select {
	case <-r.closed:
	default:
		close(r.closed)
	}
	return r.Conn.Close()
}

// The user's own way of dialling is used for downloads, and hung up on where it
// leads to a private address.
func TestUsersDialler(t *testing.T) {
	t.Parallel()
	for to, fine := range map[string]bool{"8.8.8.8:80": true, "10.0.0.1:80": false, "[fe80::1%eth0]:80": false, "@socket": false} {
		here, there := net.Pipe()
		conn := remote{here, address(to), make(chan struct{})}
		go func() {
			buf := make([]byte, 4096)
			if n, _ := there.Read(buf); n > 0 {
				_, _ = io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
			}
			_ = there.Close()
		}()
		tr := newTransport(&http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }},
			func(c *transport.Config) { c.Retry.MaxAttempts = 1 })
		resp, err := tr.Download(t.Context(), "http://files.example/x", nil)
		if fine {
			if err != nil {
				t.Errorf("%s: %v", to, err)
				continue
			}
			if b, _ := io.ReadAll(resp.Body); string(b) != "ok" {
				t.Errorf("%s: got %q", to, b)
			}
			_ = resp.Body.Close()
			continue
		}
		if !errors.Is(err, transport.ErrPrivateAddress) {
			t.Errorf("%s: %v", to, err)
		}
		select {
		case <-conn.closed:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the connection is still open", to)
		}
	}
}
