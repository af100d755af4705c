package webhook_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal/webhook"
)

// Of events that nobody waits for so many are kept, and so many bytes of them; the
// oldest go.
func TestEarlyEvents(t *testing.T) {
	t.Parallel()
	h := &webhook.Handler{}
	for i := range 10_005 {
		n, size := webhook.Keep(h, &webhook.Event{RequestID: strconv.Itoa(i), Payload: []byte("{}")})
		if want := min(i+1, 10_000); n != want || size != 2*want {
			t.Fatalf("after %d events %d are kept, of %d bytes", i+1, n, size)
		}
	}
	const mib = 1 << 20
	h = &webhook.Handler{}
	payload := bytes.Repeat([]byte("x"), mib)
	for i := range 70 {
		n, size := webhook.Keep(h, &webhook.Event{RequestID: strconv.Itoa(i), Payload: payload})
		if want := min(i+1, 64); n != want || size != want*mib {
			t.Fatalf("after %d MiB %d events are kept, of %d bytes", i+1, n, size)
		}
	}
	if n, _ := webhook.Keep(h, &webhook.Event{RequestID: "69", Payload: payload}); n != 64 { // it is there
		t.Errorf("%d are kept", n)
	}
	if n, size := webhook.Keep(h, &webhook.Event{RequestID: "large", Payload: make([]byte, 65*mib)}); n != 0 || size != 0 {
		t.Errorf("%d of %d bytes are kept", n, size)
	}
}

// A day after it came the oldest is forgotten, and no other.
func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := webhook.Memory()
		claim := func(id string, want webhook.State) {
			t.Helper()
			if got, err := s.Claim(t.Context(), id, time.Minute); got != want || err != nil {
				t.Errorf("%s: %s, %v, want %s", id, got, err, want)
			}
		}
		for _, id := range []string{"a", "b", "c"} {
			claim(id, webhook.Claimed)
			if err := s.Settle(t.Context(), id, true); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
		}
		time.Sleep(21 * time.Hour) // a day after the first
		claim("b", webhook.Done)
		claim("c", webhook.Done)
		claim("a", webhook.Claimed)
		time.Sleep(time.Hour)
		claim("c", webhook.Done)
		claim("b", webhook.Claimed)
	})
}

// A body may take its time on the way, and what is not taken is logged though no
// logger was set.
func TestSlowBody(t *testing.T) {
	// Not parallel: it sets the default logger.
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	r := newReceiver(func(context.Context, *webhook.Event) error { return nil })
	r.Logger = nil
	srv := httptest.NewServer(&r.Handler)
	defer srv.Close()
	for range 2 { // over one connection
		body, in := io.Pipe()
		go func() {
			for _, part := range []string{okBody[:7], okBody[7:]} {
				_, _ = io.WriteString(in, part)
				time.Sleep(30 * time.Millisecond)
			}
			_ = in.Close()
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = sign(r.key, time.Now(), "g-1", okBody)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	if status := call(t, &r.Handler, http.Header{}, okBody); status != http.StatusUnauthorized || !strings.Contains(log.String(), "fal webhook not taken") {
		t.Errorf("status %d, log %s", status, log.String())
	}
}
