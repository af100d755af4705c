package fal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
)

const echoedKey = "key-id-0123456789:key-secret-abcdefghijkl"

var anyCall = fal.Call[fal.Images]{ID: "fal-ai/x", Input: map[string]any{"prompt": "p"}}

// answering returns a client of a server that answers everything with h.
func answering(t *testing.T, h http.HandlerFunc) (*fal.Client, *money) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	m := new(money)
	return &fal.Client{
		Key: fal.NewKey(echoedKey), Logger: slog.New(slog.DiscardHandler), Guard: m,
		Retry: fal.Retry{MinWait: time.Millisecond, MaxWait: time.Millisecond, MaxRetryAfter: time.Millisecond},
		Hosts: fal.Hosts{Run: srv.URL, Queue: srv.URL, REST: srv.URL, Platform: srv.URL},
	}, m
}

// money is a guard that notes what becomes of a reservation.
type money struct{ fate string }

func (m *money) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	return m, nil
}
func (m *money) Accepted(string)  { m.fate += "accepted " }
func (m *money) Settled(fal.Meta) { m.fate += "settled " }
func (m *money) Released(error)   { m.fate += "released " }

// A server that repeats the key does not get any part of it into an error, even
// where a long text is cut in the middle of it.
func TestRepeatedKeyIsHidden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		form string
		most int // where the text is cut
	}{
		{`{"detail":%q}`, 2000},
		{`%s`, 200},
		{`{"detail":[{"loc":["body"],"msg":"m","type":"t","input":%q}]}`, 120},
		{`{"detail":[{"loc":["body"],"msg":%q,"type":"t"}]}`, 50},
	} {
		_, secretPart, _ := strings.Cut(echoedKey, ":")
		for _, form := range []string{echoedKey, "Key " + echoedKey + "!", secretPart, url.QueryEscape(echoedKey)} {
			for cut := range 8 {
				c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprintf(w, tt.form, strings.Repeat("x", max(0, tt.most-5*cut))+form)
				})
				_, err := fal.Submit(t.Context(), c, anyCall)
				if e, ok := errors.AsType[*fal.Error](err); !ok || strings.Contains(fmt.Sprintf("%+v %#v", err, e), "secret-") {
					t.Errorf("%s: the error is %v", tt.form, err)
				}
			}
		}
	}
	// The key in another way of writing JSON.
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"detail":"`+strings.Replace(echoedKey, ":", `\u003a`, 1)+`"}`)
	})
	if _, err := fal.Submit(t.Context(), c, anyCall); err == nil || strings.Contains(err.Error(), "key-") {
		t.Errorf("the error is %v", err)
	}
}

// An error tells all that fal says, even if it repeats a large input.
func TestLargeErrors(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnprocessableEntity, http.StatusInternalServerError} {
		c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Fal-Request-Id", "rid")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"detail":[{"loc":["body","image_url"],"msg":"flagged","type":"content_policy_violation","input":"data:image/png;base64,%s"}]}`, strings.Repeat("A", 2<<20))
		})
		_, err := fal.Run(t.Context(), c, anyCall)
		if e, ok := errors.AsType[*fal.Error](err); !ok || !errors.Is(err, fal.ErrContentPolicy) || len(e.Fields) != 1 {
			t.Errorf("%d: error = %.200v", status, err)
		}
	}
}

// What a model itself refuses may have been charged; what is refused in front of
// it was not.
func TestRefusedRuns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		id     string
		fate   string
	}{
		{302, "rid", ""}, {400, "rid", ""}, {422, "rid", ""}, {499, "rid", ""}, {422, "", ""},
		{401, "rid", "released "}, {403, "rid", "released "}, {404, "rid", "released "}, {413, "rid", "released "}, {429, "rid", "released "},
		{302, "", "released "}, {400, "", "released "},
	} {
		c, m := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			if tt.id != "" {
				w.Header().Set("X-Fal-Request-Id", tt.id)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, `{"detail":[{"loc":["body"],"msg":"m","type":"downstream_service_error"}]}`)
		})
		_, err := fal.Run(t.Context(), c, anyCall)
		if e, ok := errors.AsType[*fal.Error](err); !ok || m.fate != tt.fate || (e.Billing == fal.NotBilled) != (tt.fate != "") {
			t.Errorf("%d with id %q: the reservation was %q: %v", tt.status, tt.id, m.fate, err)
		}
		m.fate = ""
		if _, err = fal.Submit(t.Context(), c, anyCall); err == nil || m.fate != "released " {
			t.Errorf("%d from the queue: the reservation was %q: %v", tt.status, m.fate, err)
		}
	}
}

// A failure that fal words itself is repeated where it may pass.
func TestPassingFailureOfFal(t *testing.T) {
	t.Parallel()
	n := 0
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"detail":"Service temporarily unavailable"}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"OK"}`)
	})
	job := fal.Resume(c, fal.Endpoint[fal.Images]("fal-ai/x"), "rid")
	if _, err := job.Status(t.Context()); err != nil {
		t.Errorf("status: %v", err)
	}
	if _, err := job.Cancel(t.Context()); err != nil {
		t.Errorf("cancel: %v", err)
	}
	var answer map[string]any
	if err := c.Platform(t.Context(), http.MethodGet, "/v1/x", nil, nil, &answer); err != nil {
		t.Errorf("platform: %v", err)
	}
}

func TestRateLimitInFractions(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ratelimit-Reset", "12.5")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	c.Retry.MaxAttempts = 1
	_, err := fal.Submit(t.Context(), c, anyCall)
	if e, ok := errors.AsType[*fal.Error](err); !ok || e.RetryAfter != 12500*time.Millisecond {
		t.Errorf("error = %+v", e)
	}
}

func TestHostsErrorKeepsSecrets(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"https://" + echoedKey + "@gateway.example", "https://" + echoedKey + "@gateway.example:x", "https://gateway.example?key=" + echoedKey} {
		_, _, err := fal.ResolveHosts(fal.Hosts{Queue: bad})
		if err == nil || strings.Contains(err.Error(), "key-") || !strings.Contains(err.Error(), "Queue") {
			t.Errorf("%s: error = %v", bad, err)
		}
	}
}

// Decode does not keep a header without end, and takes a picture after a long
// one.
func TestDecodeHeader(t *testing.T) {
	// Not parallel: it looks at the memory of the process.
	segment := append([]byte{0xff, 0xe1, 0xff, 0xff}, make([]byte, 65533)...)
	var whole bytes.Buffer
	if err := jpeg.Encode(&whole, image.NewGray(image.Rect(0, 0, 1, 1)), nil); err != nil {
		t.Fatal(err)
	}
	segments := 0
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(whole.Bytes()[:2])
		for range segments {
			if _, err := w.Write(segment); err != nil {
				return
			}
		}
		_, _ = w.Write(whole.Bytes()[2:])
	})
	picture := fal.Image{URL: c.Hosts.Run + "/a.jpg"}
	segments = 100
	if got, err := c.Decode(t.Context(), picture); err != nil || got.Bounds() != image.Rect(0, 0, 1, 1) {
		t.Errorf("got %v, %v", got, err)
	}
	segments = 4096
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Decode(t.Context(), picture)
	runtime.ReadMemStats(&after)
	if held := after.TotalAlloc - before.TotalAlloc; err == nil || held > 128<<20 {
		t.Errorf("%d MiB were allocated: %v", held>>20, err)
	}
}
