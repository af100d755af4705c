package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

const (
	target = "https://queue.fal.run/fal-ai/flux-2-pro"
	key    = "id:5ecre7-5ecre7"
)

var (
	errReset = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	errDial  = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	errDNS   = &net.DNSError{Err: "no such host", Name: "queue.fal.run"}
	errTLS   = &tls.CertificateVerificationError{Err: errors.New("expired")}
)

// closer is a RoundTripper that notes whether its idle connections are closed.
type closer struct {
	*httpmock.MockTransport
	closed atomic.Int32
}

func (c *closer) CloseIdleConnections() { c.closed.Add(1) }

// answer is one answer of a mocked server.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// serve answers requests one after the other; the last answer stays.
func serve(mock *httpmock.MockTransport, answers ...answer) *atomic.Int32 {
	var calls atomic.Int32
	mock.RegisterNoResponder(func(*http.Request) (*http.Response, error) {
		a := answers[min(int(calls.Add(1)), len(answers))-1]
		if a.err != nil {
			return nil, a.err
		}
		resp := httpmock.NewStringResponse(a.status, a.body)
		maps.Copy(resp.Header, a.header)
		return resp, nil
	})
	return &calls
}

func newTransport(base http.RoundTripper, change ...func(*transport.Config)) *transport.Transport {
	c := transport.Config{
		HTTPClient: &http.Client{Transport: base},
		Key:        func() (string, error) { return key, nil },
		Backup:     true,
	}
	for _, f := range change {
		f(&c)
	}
	return transport.New(c)
}

func TestResendTable(t *testing.T) {
	t.Parallel()
	id := http.Header{"X-Fal-Request-Id": {"r"}}
	ok := answer{status: 200, body: "fine"}
	for _, tt := range []struct {
		name                 string
		first                answer
		submit, read, upload int // requests that reach the server
	}{
		{"200", ok, 1, 1, 1},
		{"400", answer{status: 400}, 1, 1, 1},
		{"404", answer{status: 404}, 1, 1, 1},
		{"408", answer{status: 408}, 1, 2, 2},
		{"409", answer{status: 409}, 1, 1, 1},
		{"422", answer{status: 422}, 1, 1, 1},
		{"429", answer{status: 429, body: `{"detail":"slow"}`}, 2, 2, 2},
		{"500", answer{status: 500}, 1, 2, 2},
		{"500 of fal", answer{status: 500, header: id, body: `{"detail":"x"}`}, 1, 2, 2},
		{"429 of a model", answer{status: 429, header: http.Header{"X-Fal-Needs-Retry": {"0"}}}, 1, 2, 2},
		{"429, billed", answer{status: 429, header: http.Header{"X-Fal-Billable-Units": {"1"}}}, 1, 2, 2},
		{"429, not billed", answer{status: 429, header: http.Header{"X-Fal-Billable-Units": {"0.0"}, "X-Fal-Needs-Retry": {"1"}}}, 2, 2, 2},
		{"501", answer{status: 501}, 1, 1, 1},
		{"502 page", answer{status: 502, body: "<html>nginx"}, 1, 2, 2},
		{"503 page", answer{status: 503, body: "<html>nginx"}, 1, 2, 2},
		{"503 empty", answer{status: 503}, 1, 2, 2},
		{"503 with id", answer{status: 503, header: id}, 1, 2, 2},
		{"503 with type", answer{status: 503, header: http.Header{"X-Fal-Error-Type": {"runner_disconnected"}}}, 1, 2, 2},
		{"503, billed", answer{status: 503, header: http.Header{"X-Fal-Billable-Units": {"1"}}, body: "boom"}, 1, 2, 2},
		{"503 of fal", answer{status: 503, body: `{"x":[1,{"detail":2}],"error_type":"runner_disconnected"}`}, 1, 2, 2},
		{"503 of another JSON", answer{status: 503, body: `{"message":"upstream"}`}, 1, 2, 2},
		{"504 page", answer{status: 504}, 1, 2, 2},
		{"504 start time-out", answer{status: 504, header: http.Header{"X-Fal-Request-Timeout-Type": {"user"}}}, 1, 1, 1},
		{"reset", answer{err: errReset}, 1, 2, 2},
		{"lost answer", answer{err: io.EOF}, 1, 2, 2},
		{"dial", answer{err: errDial}, 2, 2, 2},
		{"DNS", answer{err: errDNS}, 2, 2, 2},
		{"no TLS there", answer{err: tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}}, 2, 2, 2},
		{"TLS handshake", answer{err: errors.New("net/http: TLS handshake timeout")}, 2, 2, 2},
		{"proxy", answer{err: &net.OpError{Op: "proxyconnect", Err: errors.New("refused")}}, 2, 2, 2},
		{"certificate", answer{err: errTLS}, 1, 1, 1},
	} {
		for class, want := range map[transport.Class]int{transport.Submit: tt.submit, transport.Read: tt.read, transport.Upload: tt.upload, transport.Once: 1} {
			synctest.Test(t, func(t *testing.T) {
				mock := &closer{MockTransport: httpmock.NewMockTransport()}
				calls := serve(mock.MockTransport, tt.first, ok)
				tr := newTransport(mock, func(c *transport.Config) { c.Backup = false })
				resp, err := tr.Send(t.Context(), &transport.Request{Class: class, Method: http.MethodPost, URL: target, Body: []byte("{}"), Auth: true})
				if n := int(calls.Load()); n != want {
					t.Errorf("%s, class %d: %d requests, want %d", tt.name, class, n, want)
				}
				if mock.closed.Load() != 0 {
					t.Errorf("%s, class %d: the user's idle connections were closed", tt.name, class)
				}
				if want > 1 {
					if err != nil || resp.StatusCode != http.StatusOK {
						t.Errorf("%s, class %d: %v, %v", tt.name, class, resp, err)
					}
					return
				}
				if (err != nil) != (tt.first.err != nil) {
					t.Fatalf("%s, class %d: error = %v", tt.name, class, err)
				}
				if err == nil {
					body, _ := io.ReadAll(resp.Body)
					if resp.StatusCode != tt.first.status || string(body) != tt.first.body {
						t.Errorf("%s, class %d: the answer is %d %q", tt.name, class, resp.StatusCode, body)
					}
					return
				}
				sent, isError := errors.AsType[*transport.Error](err)
				proven := errors.Is(err, errDial) || errors.Is(err, errDNS) || errors.Is(err, errTLS)
				if !isError || class == transport.Submit && sent.MaybeSent == proven {
					t.Errorf("%s: MaybeSent is wrong: %v", tt.name, err)
				}
			})
		}
	}
}

// On giving up, status and body of the last answer are there.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	for class, attempts := range map[transport.Class]int{transport.Submit: 4, transport.Read: 6} {
		synctest.Test(t, func(t *testing.T) {
			mock := &closer{MockTransport: httpmock.NewMockTransport()}
			calls := serve(mock.MockTransport, answer{status: 429, body: `{"detail":"still too many"}`})
			start := time.Now()
			resp, err := newTransport(mock).Send(t.Context(), &transport.Request{Class: class, Method: http.MethodPost, URL: target})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusTooManyRequests || string(body) != `{"detail":"still too many"}` || err != nil {
				t.Errorf("got %d %q, %v", resp.StatusCode, body, err)
			}
			if n := int(calls.Load()); n != attempts {
				t.Errorf("class %d: %d attempts, want %d", class, n, attempts)
			}
			if took := time.Since(start); took > 16*time.Second {
				t.Errorf("class %d: gave up after %v", class, took)
			}
			if mock.closed.Load() != 0 {
				t.Error("the user's idle connections were closed")
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value       string
		least, most time.Duration
	}{
		{"0", 0, 250 * time.Millisecond},
		{"3", 3 * time.Second, 3250 * time.Millisecond},
		{"30", 30 * time.Second, 30250 * time.Millisecond},
		{"946684805", 5 * time.Second, 5250 * time.Millisecond}, // a moment in Unix time
		{"946684805000", 5 * time.Second, 5250 * time.Millisecond},
		{"946684795", 0, 250 * time.Millisecond},
		{"-5", 0, 250 * time.Millisecond},
		{"soon", 0, 251 * time.Millisecond},
		{"1.5", 1500 * time.Millisecond, 1750 * time.Millisecond},
		{"NaN", 0, 251 * time.Millisecond},
		{"-Inf", 0, 251 * time.Millisecond},
		{"Sat, 01 Jan 2000 00:00:05 GMT", 5 * time.Second, 5250 * time.Millisecond}, // synctest begins in 2000
		{"Fri, 01 Jan 1999 00:00:05 GMT", 0, 250 * time.Millisecond},
	} {
		for _, class := range []transport.Class{transport.Submit, transport.Read} {
			synctest.Test(t, func(t *testing.T) {
				mock := httpmock.NewMockTransport()
				serve(mock, answer{status: 429, header: http.Header{"Retry-After": {tt.value}}}, answer{status: 200})
				start := time.Now()
				if _, err := newTransport(mock).Send(t.Context(), &transport.Request{Class: class, Method: http.MethodPost, URL: target}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took < tt.least || took > tt.most {
					t.Errorf("Retry-After %q: waited %v, want %v to %v", tt.value, took, tt.least, tt.most)
				}
			})
		}
	}
}

func TestContextWins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		first answer
		maybe bool
	}{
		{"during the wait after 429", answer{status: 429, header: http.Header{"Retry-After": {"20"}}}, false},
		{"during the wait after a failed dial", answer{err: errDial}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			serve(mock, tt.first)
			tr := newTransport(mock, func(c *transport.Config) {
				c.Retry = transport.Policy{MinWait: time.Hour, MaxWait: time.Hour}
				c.Backup = false
			})
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			start := time.Now()
			_, err := tr.Send(ctx, &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Grace: time.Minute})
			sent, ok := errors.AsType[*transport.Error](err)
			if !ok || !errors.Is(err, context.DeadlineExceeded) || sent.MaybeSent != tt.maybe {
				t.Errorf("%s: error = %+v", tt.name, err)
			}
			// A short random wait may have let one attempt more through.
			if took := time.Since(start); took > time.Second {
				t.Errorf("%s: gave up after %v, want 1s", tt.name, took)
			}
		})
	}
}

func TestTimeoutOfAnAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mock := httpmock.NewMockTransport()
		var calls atomic.Int32
		mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		_, err := newTransport(mock).Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Timeout: time.Minute})
		sent, ok := errors.AsType[*transport.Error](err)
		if !ok || !sent.MaybeSent || !strings.Contains(err.Error(), "no answer within 1m0s") || errors.Is(err, context.Canceled) {
			t.Errorf("error = %v", err)
		}
		if calls.Load() != 1 {
			t.Errorf("%d requests, want 1", calls.Load())
		}
	})
}

// A slow body is cut off too, unless it is a stream.
func TestTimeoutOfABody(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				pr, pw := io.Pipe()
				stop := context.AfterFunc(r.Context(), func() { pw.CloseWithError(r.Context().Err()) })
				go func() {
					time.Sleep(time.Hour)
					_, _ = io.WriteString(pw, "late")
					stop()
					_ = pw.Close()
				}()
				return &http.Response{StatusCode: http.StatusOK, Body: pr}, nil
			})
			resp, err := newTransport(mock).Send(t.Context(), &transport.Request{Method: http.MethodGet, URL: target, Timeout: time.Minute, Stream: stream})
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			if (err == nil) != stream || (string(text) == "late") != stream {
				t.Errorf("stream %v: read %q, %v", stream, text, err)
			}
			_ = resp.Body.Close()
			time.Sleep(2 * time.Hour) // let the server side end
		})
	}
}

// A thousand goroutines do not storm a server that is down.
func TestBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mock := httpmock.NewMockTransport()
		calls := serve(mock, answer{err: errDial})
		tr := newTransport(mock, func(c *transport.Config) { c.Backup = false })
		var wait sync.WaitGroup
		for range 1000 {
			wait.Go(func() {
				_, _ = tr.Send(t.Context(), &transport.Request{Class: transport.Read, Method: http.MethodGet, URL: target})
			})
		}
		wait.Wait()
		if n := calls.Load(); n > 1100 {
			t.Errorf("1000 requests made %d attempts, want at most 1100", n)
		}
	})
}

func TestLogAndErrorsAreDiscreet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		mock := httpmock.NewMockTransport()
		serve(mock, answer{status: 429}, answer{status: 200, header: http.Header{"X-Fal-Request-Id": {"r-9"}}}, answer{err: errReset})
		tr := newTransport(mock, func(c *transport.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		r := &transport.Request{
			Class: transport.Submit, Method: http.MethodPost, URL: target + "?token=query5ecre7", Auth: true, Endpoint: "fal-ai/flux-2-pro",
			Body: []byte(`{"prompt":"prompt5ecre7"}`), Header: http.Header{"X-Custom": {"header5ecre7"}},
		}
		resp, err := tr.Send(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		dump := fmt.Sprintf("%+v", resp)
		_, err = tr.Send(t.Context(), r)
		if err == nil {
			t.Fatal("the second request should fail")
		}
		text := log.String() + err.Error() + dump
		if strings.Contains(text, "5ecre7") {
			t.Errorf("something secret was shown:\n%s", text)
		}
		for _, want := range []string{"endpoint=fal-ai/flux-2-pro", "request_id=r-9", "status=429", "attempt=2", "duration="} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %s:\n%s", want, log.String())
			}
		}
		if strings.Count(log.String(), "\n") != 3 {
			t.Errorf("want 3 records:\n%s", log.String())
		}
		if r.Header.Get("Authorization") != "" || len(r.Header) != 1 {
			t.Errorf("the request's header was changed: %v", r.Header)
		}
	})
}

// Who is told to come back later than is waited for learns it at once.
func TestRetryAfterTooLong(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"86400", "31", "99999999999999999999", "Sat, 01 Jan 2050 00:00:05 GMT", "1893456000"} {
		for _, class := range []transport.Class{transport.Submit, transport.Read} {
			synctest.Test(t, func(t *testing.T) {
				mock := httpmock.NewMockTransport()
				calls := serve(mock, answer{status: 429, header: http.Header{"Retry-After": {value}}}, answer{status: 200})
				start := time.Now()
				resp, err := newTransport(mock).Send(t.Context(), &transport.Request{Class: class, Method: http.MethodPost, URL: target})
				if err != nil || resp.StatusCode != http.StatusTooManyRequests || calls.Load() != 1 || time.Since(start) != 0 {
					t.Errorf("Retry-After %q: %d calls in %v, %v", value, calls.Load(), time.Since(start), err)
				}
			})
		}
	}
}

func TestBackupHosts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		err     error
		allowed bool
		hosts   []string
	}{
		{"connection failed", errDial, true, []string{"queue.fal.run", "queue.falrun.com"}},
		{"connection failed, not allowed", errDial, false, []string{"queue.fal.run"}},
		{"connection lost", errReset, true, []string{"queue.fal.run"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			var hosts []string
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				hosts = append(hosts, r.URL.Host)
				if r.URL.Host != "queue.falrun.com" {
					return nil, tt.err // what has read the body cannot say that it did not connect
				}
				body, _ := io.ReadAll(r.Body)
				if string(body) != "{}" || r.Header.Get("Authorization") != "Key "+key {
					t.Errorf("%s: %s got body %q", tt.name, r.URL.Host, body)
				}
				return httpmock.NewStringResponse(200, "ok"), nil
			})
			tr := newTransport(mock, func(c *transport.Config) {
				c.Backup = tt.allowed
				c.Retry.MaxAttempts = 1
			})
			_, _ = tr.Send(t.Context(), &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: target, Body: []byte("{}"), Auth: true})
			if strings.Join(hosts, " ") != strings.Join(tt.hosts, " ") {
				t.Errorf("%s: asked %v, want %v", tt.name, hosts, tt.hosts)
			}
		})
	}
}
