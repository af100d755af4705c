package transport_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Frame types and flags of HTTP/2 (RFC 9113).
const (
	frameData, frameHeaders, frameReset, frameSettings = 0, 1, 3, 4
	flagEndStream, flagAck                             = 1, 1
	protocolError                                      = 1
)

// resetHTTP2 reads the requests of a connection and resets the stream of each
// with PROTOCOL_ERROR: at its header or at the end of its body. It counts them.
func resetHTTP2(c net.Conn, atHeader bool, requests *atomic.Int64) {
	write := func(kind, flags byte, stream uint32, payload ...byte) {
		head := []byte{0, 0, byte(len(payload)), kind, flags}
		_, _ = c.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
	}
	_, _ = io.CopyN(io.Discard, c, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	write(frameSettings, 0, 0)
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, c, length); err != nil {
			return
		}
		kind, flags := head[3], head[4]
		if kind == frameSettings && flags&flagAck == 0 {
			write(frameSettings, flagAck, 0)
		}
		if kind == frameHeaders && atHeader || kind == frameData && flags&flagEndStream != 0 && !atHeader {
			requests.Add(1)
			write(frameReset, 0, binary.BigEndian.Uint32(head[5:]), binary.BigEndian.AppendUint32(nil, protocolError)...)
		}
	}
}

// serveTLS speaks HTTP/2 over TLS, serveClear without it.
func serveTLS(t *testing.T, serve func(net.Conn)) (address string, base *http.Transport) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	srv.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) { serve(c) },
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	base, ok := srv.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("not net/http's Transport")
	}
	return srv.URL, base
}

func serveClear(t *testing.T, serve func(net.Conn)) (address string, base *http.Transport) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(c)
				_ = c.Close()
			}()
		}
	}()
	base = &http.Transport{Protocols: new(http.Protocols)}
	base.Protocols.SetUnencryptedHTTP2(true)
	return "http://" + l.Addr().String(), base
}

// net/http repeats requests over HTTP/2 by itself when a stream is reset with
// PROTOCOL_ERROR. A submit that the server has read must not be.
func TestSubmitOverHTTP2IsSentOnce(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, func(net.Conn)) (string, *http.Transport){"TLS": serveTLS, "clear": serveClear} {
		for _, atHeader := range []bool{false, true} {
			var requests atomic.Int64
			address, base := start(t, func(c net.Conn) { resetHTTP2(c, atHeader, &requests) })
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := local(address, &http.Client{Transport: base}).Send(ctx, &transport.Request{
				Class: transport.Submit, Method: http.MethodPost, URL: address + "/fal-ai/x", Auth: true, Body: []byte(`{"prompt":"a mug"}`),
			})
			cancel()
			if n := requests.Load(); n != 1 {
				t.Errorf("%s, at header %v: the request was received %d times", name, atHeader, n)
			}
			if e, ok := errors.AsType[*transport.Error](err); !ok || !e.MaybeSent {
				t.Errorf("%s, at header %v: got %v, want an error that says that it may have been sent", name, atHeader, err)
			}
		}
	}
}

// A redirect of a submit is handed back, although net/http asks for its body.
func TestRedirectOfSubmit(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		for name, client := range map[string]*http.Client{"direct": srv.Client(), "wrapped": {Transport: roundTrip(srv.Client().Transport.RoundTrip)}} {
			resp, err := local(srv.URL, client).Send(t.Context(), &transport.Request{
				Class: transport.Submit, Method: http.MethodPost, URL: srv.URL, Auth: true, Body: []byte("{}"),
			})
			if err != nil || resp.StatusCode != http.StatusTemporaryRedirect {
				t.Errorf("%s, HTTP/2 %v: got %v, %v", name, http2, resp, err)
			}
		}
		srv.Close()
	}
}

// staleConn is a connection that can be made to fail before the next byte.
type staleConn struct {
	net.Conn
	stale *atomic.Bool
}

func (c staleConn) Write(p []byte) (int, error) {
	if c.stale.Load() {
		return 0, errReset
	}
	return c.Conn.Write(p)
}

// A submit that failed on a connection kept alive, of which not a byte was
// written, is certainly not sent: net/http sends it on another connection, and
// if there is none, so do we later. In a RoundTripper of the user's, it is not
// known who asks for the body again.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		wrapped      bool
		failures     int32 // dials that fail after the first
		posts        int32
		maybe, works bool
	}{
		{"redialled", false, 0, 1, false, true},
		{"redialled at the second attempt", false, 1, 1, false, true},
		{"never redialled", false, 1000, 0, false, false},
		{"wrapped", true, 0, 0, true, false},
	} {
		var posts, dials atomic.Int32
		var stale atomic.Bool
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
		}))
		base := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			n := dials.Add(1)
			if n > 1 && n <= 1+tt.failures {
				return nil, errDial
			}
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil || n > 1 {
				return c, err
			}
			return staleConn{c, &stale}, nil
		}}
		client := &http.Client{Transport: base}
		if tt.wrapped {
			client.Transport = roundTrip(base.RoundTrip)
		}
		tr := local(srv.URL, client)
		resp, err := tr.Send(t.Context(), &transport.Request{Method: http.MethodGet, URL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		stale.Store(true)
		resp, err = tr.Send(t.Context(), &transport.Request{
			Class: transport.Submit, Method: http.MethodPost, URL: srv.URL, Body: []byte("{}"), Auth: true,
		})
		if err == nil {
			_ = resp.Body.Close()
		}
		base.CloseIdleConnections()
		srv.Close()
		sent, _ := errors.AsType[*transport.Error](err)
		if (err == nil) != tt.works || posts.Load() != tt.posts || sent != nil && sent.MaybeSent != tt.maybe {
			t.Errorf("%s: error = %v after %d requests", tt.name, err, posts.Load())
		}
	}
}

// A RoundTripper that repeats a request whose answer was lost, and does not get
// a connection for it, has sent it all the same.
func TestRepeatingRoundTripper(t *testing.T) {
	t.Parallel()
	var posts, dials atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		if c := hijack(t, w, r); c != nil {
			_ = c.Close()
		}
	}))
	defer srv.Close()
	base := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1)%2 == 0 {
			return nil, errDial
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	for _, keepsBody := range []bool{false, true} {
		posts.Store(0)
		dials.Store(0)
		repeating := roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := base.RoundTrip(r)
			if err == nil {
				return resp, nil
			}
			again := r.Clone(r.Context())
			if again.Body, err = r.GetBody(); keepsBody {
				again.Body, err = io.NopCloser(strings.NewReader("{}")), nil
			}
			if err != nil {
				return nil, err
			}
			return base.RoundTrip(again)
		})
		_, err := local(srv.URL, &http.Client{Transport: repeating}).Send(t.Context(), &transport.Request{
			Class: transport.Submit, Method: http.MethodPost, URL: srv.URL, Body: []byte("{}"), Auth: true,
		})
		if sent, ok := errors.AsType[*transport.Error](err); !ok || !sent.MaybeSent || posts.Load() != 1 {
			t.Errorf("keeps the body %v: error = %v after %d requests", keepsBody, err, posts.Load())
		}
	}
}
