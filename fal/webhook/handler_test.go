package webhook_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
)

// receiver is a handler and what it needs, with the log of what it refuses.
type receiver struct {
	webhook.Handler
	p   *publisher
	key ed25519.PrivateKey
	log bytes.Buffer
}

func newReceiver(handle func(context.Context, *webhook.Event) error) *receiver {
	r := &receiver{key: newKey()}
	r.p = &publisher{status: http.StatusOK, keys: []ed25519.PrivateKey{r.key}}
	r.Handle, r.Client, r.Logger = handle, r.p.client(), slog.New(slog.NewTextHandler(&r.log, nil))
	return r
}

// call calls it about a request.
func (r *receiver) call(t *testing.T, id string) int {
	t.Helper()
	body := strings.ReplaceAll(okBody, "r-1", id)
	return call(t, &r.Handler, sign(r.key, time.Now(), "g-1", body), body)
}

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	r := newReceiver(func(context.Context, *webhook.Event) error {
		t.Error("it was handled")
		return nil
	})
	r.Sources = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	good := sign(r.key, time.Now(), "g-1", okBody)
	for name, tt := range map[string]struct {
		method, from string
		header       http.Header
		body         string
		length       int64
		want         int
	}{
		"GET":             {http.MethodGet, "203.0.113.7:1", good, okBody, 0, 405},
		"another address": {http.MethodPost, "203.0.114.7:1", good, okBody, 0, 403},
		"no address":      {http.MethodPost, "@", good, okBody, 0, 403},
		"unsigned":        {http.MethodPost, "203.0.113.7:1", nil, okBody, 0, 401},
		"old":             {http.MethodPost, "[2001:db8::1%eth0]:1", sign(r.key, time.Now().Add(-time.Hour), "g-1", okBody), okBody, 0, 401},
		"another body":    {http.MethodPost, "[::ffff:203.0.113.7]:1", good, "{}", 0, 401},
		"no webhook":      {http.MethodPost, "203.0.113.7:1", sign(r.key, time.Now(), "g-1", "[]"), "[]", 0, 400},
		"says it is long": {http.MethodPost, "203.0.113.7:1", good, okBody, 64<<20 + 1, 413},
		"is long":         {http.MethodPost, "203.0.113.7:1", good, strings.Repeat("x", 64<<20+1), -1, 413},
	} {
		req := httptest.NewRequestWithContext(t.Context(), tt.method, "/", strings.NewReader(tt.body))
		req.Header, req.RemoteAddr = tt.header, tt.from
		if tt.length != 0 {
			req.ContentLength = tt.length
		}
		w := httptest.NewRecorder()
		if r.ServeHTTP(w, req); w.Code != tt.want {
			t.Errorf("%s: status %d, want %d", name, w.Code, tt.want)
		}
	}
	if n := strings.Count(r.log.String(), "fal webhook not taken"); n != 9 || strings.Contains(r.log.String(), "xxx") {
		t.Errorf("%d records:\n%s", n, r.log.String())
	}
}

// A body is as long as 64 MiB.
func TestLongestBody(t *testing.T) {
	t.Parallel()
	handled := 0
	r := newReceiver(func(context.Context, *webhook.Event) error {
		handled++
		return nil
	})
	body := okBody + strings.Repeat(" ", 64<<20-len(okBody))
	if got := call(t, &r.Handler, sign(r.key, time.Now(), "g-1", body), body); got != http.StatusOK || handled != 1 {
		t.Errorf("status %d, handled %d times", got, handled)
	}
}

// Whatever comes how often and in whatever order, each id is handled once.
func TestHandledOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	r := newReceiver(func(_ context.Context, e *webhook.Event) error {
		mu.Lock()
		defer mu.Unlock()
		got[e.RequestID]++
		if got[e.RequestID] == 1 && e.RequestID == "fails" {
			return errors.New("not yet")
		}
		if got[e.RequestID] == 1 && e.RequestID == "panics" {
			panic("not yet")
		}
		if e.Query.Get("order") != "7" {
			t.Errorf("query %v", e.Query)
		}
		return nil
	})
	var statuses []int
	for _, id := range []string{"a", "b", "fails", "a", "panics", "fails", "a", "panics", "fails", "panics"} {
		statuses = append(statuses, r.call(t, id))
	}
	if diff := cmp.Diff([]int{200, 200, 500, 200, 500, 200, 200, 200, 200, 200}, statuses); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "fails": 2, "panics": 2}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Fal is answered within its time, however long the work takes.
func TestHandlerAnswersInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReceiver(func(ctx context.Context, e *webhook.Event) error {
			if e.RequestID == "long" {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(20 * time.Second)
			return ctx.Err()
		})
		start := time.Now()
		check := func(id string, want int, after time.Duration) {
			t.Helper()
			if got := r.call(t, id); got != want || time.Since(start) != after {
				t.Errorf("%s: status %d after %v, want %d after %v", id, got, time.Since(start), want, after)
			}
		}
		check("a", 503, 8*time.Second)
		check("a", 503, 8*time.Second) // it is at it
		time.Sleep(12 * time.Second)
		synctest.Wait()
		check("a", 200, 20*time.Second) // it was done meanwhile
		check("long", 503, 28*time.Second)
		time.Sleep(5*time.Minute - 8*time.Second)
		synctest.Wait()
		check("long", 503, 5*time.Minute+28*time.Second) // its context has ended: it is called once more
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		log := r.log.String()
		if n := strings.Count(log, `msg="fal webhook failed" request_id=long error="context deadline exceeded"`); n != 2 {
			t.Errorf("%d records of what failed too late to be told:\n%s", n, log)
		}
		if n := strings.Count(log, `msg="fal webhook not taken" status=503`); n != 4 || strings.Count(log, "request_id=a\n") != 2 {
			t.Errorf("%d records of calls that are not taken yet:\n%s", n, log)
		}
	})
}

// brokenStore fails.
type brokenStore struct{}

func (brokenStore) Claim(context.Context, string, time.Duration) (webhook.State, error) {
	return "", errors.New("no database")
}
func (brokenStore) Settle(context.Context, string, bool) error { return nil }

func TestHandlerWithoutItsHelpers(t *testing.T) {
	t.Parallel()
	r := newReceiver(func(context.Context, *webhook.Event) error { return nil })
	r.Store = brokenStore{}
	if got := r.call(t, "a"); got != http.StatusServiceUnavailable {
		t.Errorf("without a store: %d", got)
	}
	r = newReceiver(func(context.Context, *webhook.Event) error { return nil })
	r.p.set(http.StatusBadGateway)
	if got := r.call(t, "a"); got != http.StatusServiceUnavailable {
		t.Errorf("without keys: %d", got)
	}
}

// Two handlers with one store are as one.
func TestHandlersShareAStore(t *testing.T) {
	t.Parallel()
	n := 0
	one := newReceiver(func(context.Context, *webhook.Event) error {
		n++
		return nil
	})
	one.Store = webhook.Memory()
	two := newReceiver(one.Handle)
	two.Store = one.Store
	for range 2 {
		if a, b := one.call(t, "x"), two.call(t, "x"); a != 200 || b != 200 {
			t.Errorf("%d, %d", a, b)
		}
	}
	if n != 1 {
		t.Errorf("handled %d times", n)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), webhook.Memory()
		claim := func(id string, want webhook.State) {
			t.Helper()
			if got, err := s.Claim(ctx, id, time.Minute); got != want || err != nil {
				t.Errorf("%s: %s, %v, want %s", id, got, err, want)
			}
		}
		settle := func(id string, done bool) {
			t.Helper()
			if err := s.Settle(ctx, id, done); err != nil {
				t.Error(err)
			}
		}
		claim("a", webhook.Claimed)
		claim("a", webhook.Busy)
		time.Sleep(time.Minute)
		claim("a", webhook.Claimed) // who had it is gone
		settle("a", false)
		claim("a", webhook.Claimed)
		settle("a", true)
		settle("unknown", true)
		claim("a", webhook.Done)
		time.Sleep(23*time.Hour + 58*time.Minute)
		claim("b", webhook.Claimed)
		claim("a", webhook.Done)
		time.Sleep(time.Minute)
		claim("a", webhook.Claimed) // a day later it is forgotten
	})
}

// A store keeps the latest million ids: the oldest goes for a new one, and for a new
// one alone.
func TestMemoryKeepsAMillion(t *testing.T) {
	t.Parallel()
	s := webhook.Memory()
	claim := func(i int, want webhook.State) {
		t.Helper()
		if got, err := s.Claim(t.Context(), strconv.Itoa(i), time.Hour); got != want || err != nil {
			t.Fatalf("%d: %s, %v, want %s", i, got, err, want)
		}
	}
	for i := range 1_000_000 {
		claim(i, webhook.Claimed)
	}
	claim(0, webhook.Busy) // all are there
	claim(0, webhook.Busy) // and asking for one takes none away
	claim(1_000_000, webhook.Claimed)
	claim(1, webhook.Busy)
	claim(0, webhook.Claimed)
	claim(1, webhook.Claimed)
}

func TestSources(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	list, err := webhook.Sources(t.Context(), srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}
	if diff := cmp.Diff(want, list, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	srv.Inject(faltest.OpPlatform, faltest.Answer(http.StatusOK, `{"webhook_ip_ranges":["1.2.3.4"]}`), 1)
	if list, err = webhook.Sources(t.Context(), srv.Client()); err != nil || list[0].String() != "1.2.3.4/32" {
		t.Errorf("%v, %v", list, err)
	}
	for _, body := range []string{`{"webhook_ip_ranges":["all"]}`, `{}`} {
		srv.Inject(faltest.OpPlatform, faltest.Answer(http.StatusOK, body), 1)
		if list, err := webhook.Sources(t.Context(), srv.Client()); err == nil {
			t.Errorf("%s: %v", body, list)
		}
	}
}
