package transport_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// These tests run against real sockets: what a mock cannot show.

func local(origin string, client *http.Client) *transport.Transport {
	return transport.New(transport.Config{
		HTTPClient: client,
		Key:        func() (string, error) { return key, nil },
		Trusted:    []string{origin},
		Retry:      transport.Policy{MinWait: time.Millisecond, MaxWait: 2 * time.Millisecond},
	})
}

// hijack takes the connection away from the server after the body was read.
func hijack(t *testing.T, w http.ResponseWriter, r *http.Request) *net.TCPConn {
	t.Helper()
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return nil
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		t.Error("not a TCP connection")
	}
	return tcp
}

func TestSubmitOverSockets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		serve func(t *testing.T, w http.ResponseWriter, r *http.Request)
	}{
		{"reset", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			if c := hijack(t, w, r); c != nil {
				_ = c.SetLinger(0)
				_ = c.Close()
			}
		}},
		{"closed", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			if c := hijack(t, w, r); c != nil {
				_ = c.Close()
			}
		}},
		{"half a header", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			if c := hijack(t, w, r); c != nil {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le")
				_ = c.Close()
			}
		}},
	} {
		for _, own := range []bool{true, false} {
			var posts atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				posts.Add(1)
				tt.serve(t, w, r)
			}))
			client := srv.Client()
			if own {
				client = nil
			}
			_, err := local(srv.URL, client).Send(context.Background(), &transport.Request{
				Class: transport.Submit, Method: http.MethodPost, URL: srv.URL + "/x", Body: []byte(`{"prompt":"x"}`), Auth: true,
			})
			srv.Close()
			sent, ok := errors.AsType[*transport.Error](err)
			if !ok || !sent.MaybeSent || posts.Load() != 1 {
				t.Errorf("%s: error = %v after %d requests", tt.name, err, posts.Load())
			}
		}
	}
}

func TestDialErrorIsNotSent(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + l.Addr().String()
	_ = l.Close()
	_, err = local(origin, nil).Send(context.Background(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: origin, Auth: true})
	sent, ok := errors.AsType[*transport.Error](err)
	if !ok || sent.MaybeSent || sent.Attempts != 4 {
		t.Errorf("error = %+v", err)
	}
}

// A certificate that is not trusted will not be the next time: nothing is sent,
// and it is tried once.
func TestUntrustedCertificateIsPermanent(t *testing.T) {
	t.Parallel()
	for _, class := range []transport.Class{transport.Submit, transport.Read} {
		var requests atomic.Int32
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		srv.StartTLS()
		_, err := local(srv.URL, nil).Send(context.Background(), &transport.Request{Class: class, Method: http.MethodPost, URL: srv.URL, Auth: true})
		srv.Close()
		sent, ok := errors.AsType[*transport.Error](err)
		if !ok || sent.MaybeSent || sent.Attempts != 1 || requests.Load() != 0 {
			t.Errorf("class %d: error = %+v after %d requests", class, err, requests.Load())
		}
	}
}

// The guarded copy of a user's transport has all that theirs has but the older
// diallers.
func TestGuardTransportCopiesAll(t *testing.T) {
	t.Parallel()
	users := new(http.Transport)
	each := func(base *http.Transport, f func(name string, v reflect.Value)) {
		for field, v := range reflect.ValueOf(base).Elem().Fields() {
			if field.IsExported() {
				f(field.Name, v)
			}
		}
	}
	each(users, func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Func:
			v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value { return nil }))
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
		case reflect.Map:
			v.Set(reflect.MakeMap(v.Type()))
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int64:
			v.SetInt(7)
		default:
			t.Errorf("%s is of an unknown kind", name)
		}
	})
	each(transport.GuardTransport(users), func(name string, v reflect.Value) {
		if older := name == "Dial" || name == "DialTLS"; v.IsZero() != older {
			t.Errorf("%s: zero is %v", name, v.IsZero())
		}
	})
}

// A body given by Open is streamed, with its length, anew for each attempt.
func TestStreamedBody(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	var attempts atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != size {
			t.Errorf("Content-Length %d, want %d", r.ContentLength, size)
		}
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if n != size || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
		if attempts.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway)
		}
		fmt.Fprintf(w, "%x", h.Sum(nil))
	}))
	defer srv.Close()
	opened := 0
	most := 0
	resp, err := local(srv.URL, nil).Send(context.Background(), &transport.Request{
		Class: transport.Upload, Method: http.MethodPut, URL: srv.URL + "/put", Length: size,
		Open: func() (io.ReadCloser, error) {
			opened++
			return io.NopCloser(io.LimitReader(readerFunc(func(p []byte) (int, error) {
				most = max(most, len(p))
				clear(p)
				return len(p), nil
			}), size)), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body)
	if want := fmt.Sprintf("%x", sha256.Sum256(make([]byte, size))); string(got) != want {
		t.Errorf("the server got something else: %s", got)
	}
	if opened != 2 || attempts.Load() != 2 {
		t.Errorf("opened %d times for %d attempts", opened, attempts.Load())
	}
	if most > 1<<20 {
		t.Errorf("%d bytes were asked for at once: the body is not streamed", most)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A name that leads to a private address is refused when it is dialled, with
// our own transport and with the user's, at the first hop and after a redirect.
func TestDownloadGuard(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	private := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		_, _ = io.WriteString(w, "secret")
	}))
	defer private.Close()
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, private.URL, http.StatusFound)
	}))
	defer redirecting.Close()
	// A transport whose dialler leads a public name to the private server.
	rebinding := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, private.Listener.Addr().String())
	}}
	// The same with the older dialler for TLS, which has no context.
	legacy := rebinding.Clone()
	dialTLS := func(string, string) (net.Conn, error) {
		return new(net.Dialer).DialContext(context.Background(), "tcp", private.Listener.Addr().String())
	}
	reflect.ValueOf(legacy).Elem().FieldByName("DialTLS").Set(reflect.ValueOf(dialTLS))
	for name, tt := range map[string]struct {
		client  *http.Client
		address string
	}{
		"literal":             {nil, private.URL},
		"older dialler":       {&http.Client{Transport: legacy}, "https://pictures.example/a.png"},
		"rebinding name":      {&http.Client{Transport: rebinding}, "http://pictures.example/a.png"},
		"after a redirect":    {nil, redirecting.URL},
		"redirect, user's":    {&http.Client{Transport: &http.Transport{}}, redirecting.URL},
		"literal, user's":     {&http.Client{Transport: &http.Transport{}}, private.URL},
		"literal, default's":  {&http.Client{Transport: http.DefaultTransport}, private.URL},
		"unresolved loopback": {nil, strings.Replace(private.URL, "127.0.0.1", "localhost", 1)},
	} {
		_, err := local(redirecting.URL, tt.client).Download(context.Background(), tt.address, nil)
		if !errors.Is(err, transport.ErrPrivateAddress) {
			t.Errorf("%s: error = %v, want ErrPrivateAddress", name, err)
		}
	}
	for name, client := range map[string]*http.Client{
		"our own":         nil,
		"user's":          {Transport: new(http.Transport)},
		"user's default":  {},
		"user's own dial": {Transport: rebinding},
	} {
		if err := transport.GuardedGet(local(redirecting.URL, client), private.URL); !errors.Is(err, transport.ErrPrivateAddress) {
			t.Errorf("dialling, %s: error = %v, want ErrPrivateAddress", name, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("the private server was asked %d times", hits.Load())
	}
	resp, err := local(private.URL, nil).Download(context.Background(), private.URL+"/a.png", nil)
	if err != nil {
		t.Fatalf("the user's own host was refused: %v", err)
	}
	_ = resp.Body.Close()
}

// A proxy may be private; it is the proxy that connects then.
func TestDownloadThroughProxy(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "for "+r.URL.Host)
	}))
	defer proxy.Close()
	base := &http.Transport{}
	base.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	tr := newTransport(base)
	resp, err := tr.Download(context.Background(), "http://pictures.example/a.png", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "for pictures.example" {
		t.Errorf("got %q", body)
	}
	if _, err := tr.Download(context.Background(), "http://10.0.0.1/a.png", nil); !errors.Is(err, transport.ErrPrivateAddress) {
		t.Errorf("error = %v, want ErrPrivateAddress", err)
	}
}

func BenchmarkSend(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"status":"COMPLETED"}`)
	}))
	defer srv.Close()
	payload := bytes.Repeat([]byte("x"), 500)
	b.Run("bare net/http", func(b *testing.B) {
		b.ReportAllocs()
		client := srv.Client()
		for b.Loop() {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, srv.URL+"/x", bytes.NewReader(payload))
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", "Key "+key)
			resp, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	for name, class := range map[string]transport.Class{"submit": transport.Submit, "read": transport.Read} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			tr := local(srv.URL, srv.Client())
			for b.Loop() {
				resp, err := tr.Send(context.Background(), &transport.Request{Class: class, Method: http.MethodPost, URL: srv.URL + "/x", Body: payload, Auth: true, Timeout: time.Minute})
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
}
