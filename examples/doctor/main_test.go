package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
)

// none is an environment without variables.
func none(string) string { return "" }

func simulation(t *testing.T) (environment, *faltest.Server) {
	t.Helper()
	srv := demo.Server()
	t.Cleanup(srv.Close)
	return environment{client: srv.Admin(), hosts: srv.Hosts(), getenv: none, simulated: true}, srv
}

func TestHealth(t *testing.T) {
	t.Parallel()
	const secret = "key-id:a-secret-that-nobody-sees"
	for name, tt := range map[string]struct {
		change func(*environment, *faltest.Server)
		ok     bool
		want   []string // lines
	}{
		"all is well": {func(*environment, *faltest.Server) {}, true, []string{"ok  balance       100 USD", "ok  free call     an empty request was refused", "ok  clock         it agrees", "ok  proxy         none set"}},
		"a plain key": {func(e *environment, s *faltest.Server) { e.client = s.Client() }, true, []string{"??  balance       the key has no admin scope"}},
		"no key": {func(e *environment, s *faltest.Server) {
			e.simulated, e.client = false, &fal.Client{Key: fal.NewKey(""), Hosts: s.Hosts()}
		}, false, []string{"NO  key           fal: no API key", "NO  platform"}},
		"a wrong key": {func(e *environment, s *faltest.Server) {
			e.simulated, e.client = false, &fal.Client{Key: fal.NewKey(secret), Hosts: s.Hosts()}
			e.getenv = func(name string) string {
				return map[string]string{"FAL_KEY": secret, "HTTPS_PROXY": "http://user:password@proxy:3128", "http_proxy": "user:password", "NO_PROXY": "localhost"}[name]
			}
		}, false, []string{"ok  key           in FAL_KEY, 32 characters", "ok  proxy         HTTPS_PROXY=http://proxy:3128, http_proxy=set, but no URL such as http://proxy:3128, NO_PROXY=localhost", "NO  platform"}},
		"two variables": {func(e *environment, _ *faltest.Server) {
			e.simulated = false
			e.getenv = func(name string) string { return map[string]string{"FAL_KEY_ID": "a", "FAL_KEY_SECRET": "b"}[name] }
		}, true, []string{"ok  key           in FAL_KEY_ID and FAL_KEY_SECRET"}},
		"a host that is not there": {func(e *environment, _ *faltest.Server) { e.hosts.REST = "http://127.0.0.1:1" }, false, []string{"NO  host          Get \"http://127.0.0.1:1/\""}},
		"a locked account":         {func(_ *environment, s *faltest.Server) { s.Inject(faltest.OpRun, faltest.LockedAccount(), 1) }, false, []string{"NO  free call     fal: fal-ai/flux/schnell: "}},
		"an answer that is lost":   {func(_ *environment, s *faltest.Server) { s.Inject(faltest.OpRun, faltest.LostAnswer(), 1) }, false, []string{"NO  free call     fal: fal-ai/flux/schnell: it is unknown"}},
		"it runs all the same": {func(_ *environment, s *faltest.Server) {
			s.Handle("fal-ai/flux/schnell", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
		}, true, []string{"??  free call     an empty request was taken"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, srv := simulation(t)
			tt.change(&e, srv)
			var b bytes.Buffer
			ok := health(t.Context(), &b, e)
			text := b.String()
			if ok != tt.ok {
				t.Errorf("in place: %v\n%s", ok, text)
			}
			for _, line := range tt.want {
				if !strings.Contains(text, line) {
					t.Errorf("no line %q in\n%s", line, text)
				}
			}
			for _, hidden := range []string{"nobody-sees", "password", faltest.Key} {
				if strings.Contains(text, hidden) {
					t.Errorf("it shows %q:\n%s", hidden, text)
				}
			}
		})
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]string{0: "ok  clock", time.Minute: "??  clock", -time.Minute: "??  clock         it is off by 1m", time.Hour: "NO  clock         it is off by 1h"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		}))
		defer srv.Close()
		var b bytes.Buffer
		hosts := fal.Hosts{Run: srv.URL, Queue: srv.URL, REST: srv.URL, Platform: srv.URL}
		reach(t.Context(), hosts, func(s state, what, format string, args ...any) { show(&b, s, what, format, args...) })
		if !strings.Contains(b.String(), want) {
			t.Errorf("%v: no %q in\n%s", ahead, want, b.String())
		}
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	const klein = "blackforestlabs/flux-3/klein/text-to-image"
	for name, tt := range map[string]struct {
		most   pricing.USD
		change func(*environment, *faltest.Server)
		want   []string
		posts  int // jobs that were paid
	}{
		"all as expected":  {pricing.Cent, func(*environment, *faltest.Server) {}, []string{"16 as expected, 0 not, 0 not told; $0.003 spent at most"}, 1},
		"nothing is spent": {0, func(*environment, *faltest.Server) {}, []string{"12 as expected, 0 not, 4 not told; $0.00 spent at most", "not tried: it costs $0.003"}, 0},
		"a plain key":      {pricing.Cent, func(e *environment, s *faltest.Server) { e.client = s.Client() }, []string{"15 as expected, 0 not, 1 not told", "cannot be told: platform: this needs an API key with admin scope"}, 1},
		"a field has another name": {0, func(_ *environment, s *faltest.Server) {
			s.Handle(klein, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusUnprocessableEntity)
				_, _ = io.WriteString(w, `{"detail":[{"loc":["body","prompt"],"msg":"no","type":"string_type"},{"loc":["body","image_size"],"msg":"no","type":"x"},{"loc":["body","seed"],"msg":"no","type":"x"},{"loc":["body","num_images"],"msg":"no","type":"extra_forbidden"}]}`)
			})
		}, []string{"NO  fields of " + klein, "came:     image_size, seed"}, 0},
		"an endpoint is gone": {0, func(_ *environment, s *faltest.Server) {
			s.InjectFor(klein, faltest.OpRun, faltest.Answer(http.StatusNotFound, `{"detail":"Application 'klein' not found"}`), 1)
		}, []string{"??  fields of " + klein, "cannot be told"}, 0},
		"units are not told": {pricing.Cent, func(_ *environment, s *faltest.Server) {
			s.Handle("fal-ai/flux/schnell", func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if !bytes.Contains(body, []byte("prompt")) {
					w.WriteHeader(http.StatusUnprocessableEntity)
					_, _ = io.WriteString(w, `{"detail":[{"loc":["body","no_such_field"],"msg":"no","type":"extra_forbidden"}]}`)
					return
				}
				w.Header().Set("X-Fal-Billable-Units", "7")
				_, _ = io.WriteString(w, `{"images":[{"url":"https://v3.fal.media/x.png"}]}`)
			})
		}, []string{"no: 7 units, which would be $0.021", "no: extra_forbidden"}, 1},
		"the answer is lost": {pricing.Cent, func(_ *environment, s *faltest.Server) {
			s.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
		}, []string{"cannot be told: fal: fal-ai/flux/schnell: it is unknown", "$0.003 spent at most"}, 1}, // and is not paid again
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, srv := simulation(t)
			tt.change(&e, srv)
			var b bytes.Buffer
			if err := settle(t.Context(), &b, e, tt.most); err != nil {
				t.Fatal(err)
			}
			for _, line := range tt.want {
				if !strings.Contains(b.String(), line) {
					t.Errorf("no %q in\n%s", line, b.String())
				}
			}
			if n := srv.Ledger().Submissions; n != tt.posts {
				t.Errorf("%d jobs, want %d", n, tt.posts)
			}
			for _, bill := range srv.Ledger().Bills {
				if bill.Units != "0" && bill.Endpoint != "fal-ai/flux/schnell" {
					t.Errorf("%s was charged %s units", bill.Endpoint, bill.Units)
				}
			}
			if strings.Contains(b.String(), request.Prompt) {
				t.Errorf("the prompt is shown:\n%s", b.String())
			}
		})
	}
}

func TestSameFields(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		`{"prompt":"a grey square","image_size":{"width":512,"height":512},"seed":1}`:                yes,
		`{"prompt":"a grey square","image_size":{"width":512,"height":512},"seed":1,"num_images":1}`: "no: further fields [num_images], other values []",
		`{"prompt":"a","seed":1}`: "no: further fields [], other values [image_size prompt]",
		`null`:                    "no: further fields [], other values [image_size prompt seed]",
		``:                        "no: it is not readable",
	} {
		if got, err := sameFields([]byte(input)); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", input, got, err, want)
		}
	}
}
