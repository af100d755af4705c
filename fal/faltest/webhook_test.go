package faltest_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
)

// receiver keeps what it is told, and answers with one status after the other.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []map[string]any
	header http.Header // of the latest
	raw    []byte
	told   chan struct{}
}

func receive(t *testing.T, statuses ...int) *receiver {
	r := &receiver{told: make(chan struct{}, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.header = req.Header
		r.raw, _ = io.ReadAll(req.Body)
		var body map[string]any
		if err := json.Unmarshal(r.raw, &body); err != nil {
			t.Error(err)
		}
		if r.bodies = append(r.bodies, body); len(r.bodies) <= len(statuses) {
			w.WriteHeader(statuses[len(r.bodies)-1])
		}
		r.told <- struct{}{}
	}))
	t.Cleanup(r.Close)
	return r
}

// wait waits for so many calls and returns them.
func (r *receiver) wait(t *testing.T, calls int) []map[string]any {
	t.Helper()
	for range calls {
		select {
		case <-r.told:
		case <-time.After(10 * time.Second):
			t.Fatal("the webhook was not called")
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bodies
}

// callback submits a request with a webhook.
func (e exchange) callback(endpoint, address string, header ...string) {
	e.t.Helper()
	e.submit(endpoint+"?fal_webhook="+url.QueryEscape(address), `{"prompt":"x"}`, header...)
}

func TestWebhookSays(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Handle("me/odd", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no JSON") })
	for name, tt := range map[string]struct {
		endpoint string
		header   []string
		want     string
	}{
		"a result":        {"fal-ai/flux/schnell", nil, `OK  `},
		"a failure":       {"fal-ai/flux/schnell", []string{faltest.FaultHeader, "content-policy"}, `ERROR Invalid status code: 422 `},
		"what is no JSON": {"me/odd", nil, `OK  The payload is not serializable`},
	} {
		r := receive(t)
		exchange{t, srv}.callback(tt.endpoint, r.URL+"/hook?order=7", tt.header...)
		body := r.wait(t, 1)[0]
		text := func(v any) string {
			if v == nil {
				return ""
			}
			return fmt.Sprint(v)
		}
		got := text(body["status"]) + " " + text(body["error"]) + " " + text(body["payload_error"])
		if got != tt.want || (body["payload"] == nil) != strings.Contains(tt.want, "payload") {
			t.Errorf("%s: %.300v", name, body)
		}
		if body["request_id"] == "" || body["request_id"] != body["gateway_request_id"] || body["request_id"] != r.header.Get("X-Fal-Webhook-Request-Id") {
			t.Errorf("%s: ids in %.300v and %v", name, body, r.header)
		}
	}
}

// The signature is as fal documents it, by one of the published keys.
func TestWebhookSignature(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	r := receive(t)
	exchange{t, srv}.callback("fal-ai/flux/schnell", r.URL)
	r.wait(t, 1)
	resp, err := http.Get(srv.Hosts().REST + "/.well-known/jwks.json") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var set struct {
		Keys []struct{ X string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(r.raw)
	message := r.header.Get("X-Fal-Webhook-Request-Id") + "\n" + r.header.Get("X-Fal-Webhook-User-Id") + "\n" +
		r.header.Get("X-Fal-Webhook-Timestamp") + "\n" + hex.EncodeToString(sum[:])
	signature, err := hex.DecodeString(r.header.Get("X-Fal-Webhook-Signature"))
	if err != nil {
		t.Fatal(err)
	}
	var verified []bool
	for _, k := range set.Keys {
		public, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil {
			t.Fatal(err)
		}
		verified = append(verified, ed25519.Verify(public, []byte(message), signature))
	}
	if diff := cmp.Diff([]bool{false, true}, verified); diff != "" {
		t.Errorf("keys -want +got\n%s", diff)
	}
}

// A webhook is called until it is acknowledged; a redirect ends it, and faults
// bring duplicates.
func TestWebhookCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		statuses []int
		fault    *faltest.Fault
		received int
		calls    int // the receiver's and those that were lost
		doubt    string
	}{
		"acknowledged":    {[]int{204}, nil, 1, 1, ""},
		"twice refused":   {[]int{500, 404, 202}, nil, 3, 3, ""},
		"redirect":        {[]int{302}, nil, 1, 1, "given up after 1 calls: status 302"},
		"its answer lost": {nil, new(faltest.LostAnswer()), 2, 2, ""},
		"never arrived":   {nil, new(faltest.Reset()), 1, 1, ""},
		"refused between": {nil, new(faltest.After(faltest.ErrorPage(503))), 2, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			r := receive(t, tt.statuses...)
			if tt.fault != nil {
				srv.Inject(faltest.OpWebhook, *tt.fault, 1)
			}
			exchange{t, srv}.callback("fal-ai/flux/schnell", r.URL)
			r.wait(t, tt.received)
			time.Sleep(50 * time.Millisecond)
			srv.Close() // waits for what is under way
			if got := srv.Ledger().Webhooks; got != tt.calls || len(r.told) > 0 {
				t.Errorf("%d calls and %d more received, want %d", got, len(r.told), tt.calls)
			}
			if d := strings.Join(srv.Doubts(), ";"); !strings.Contains(d, tt.doubt) || (d == "") != (tt.doubt == "") {
				t.Errorf("doubts %q, want %q", d, tt.doubt)
			}
		})
	}
}

// No address but those of this machine is called.
func TestWebhooksElsewhere(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	for _, address := range []string{"https://x.example/a", "http://192.168.1.1/", "http://localhost.example/", "ftp://localhost/"} {
		exchange{t, srv}.callback("fal-ai/flux/schnell", address)
	}
	if d := srv.Doubts(); len(d) != 1 || !strings.Contains(d[0], "is not on a loopback address: it is not called") {
		t.Errorf("doubts %q", d)
	}
	if n := srv.Ledger().Webhooks; n != 0 {
		t.Errorf("%d calls", n)
	}
}

// A job that is cancelled is told of at once, and one of a clock that is moved
// when it is moved.
func TestWebhookTime(t *testing.T) {
	t.Parallel()
	var c clock
	srv := faltest.NewServer(t, faltest.Clock(c.now), faltest.QueueTime(time.Hour))
	r := receive(t)
	e := exchange{t, srv}
	address := e.submit("fal-ai/flux/schnell?fal_webhook="+url.QueryEscape(r.URL), `{"prompt":"x"}`)
	e.do(http.MethodPut, address+"/cancel", "")
	if got := r.wait(t, 1)[0]; got["error"] != "Invalid status code: 499" {
		t.Errorf("cancelled: %v", got)
	}
	e.callback("fal-ai/flux/schnell", r.URL)
	c.move(time.Hour)
	if got := r.wait(t, 1)[1]; got["status"] != "OK" {
		t.Errorf("done: %v", got)
	}
}
