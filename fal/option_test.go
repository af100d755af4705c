package fal_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

func TestOptionsOnTheWire(t *testing.T) {
	t.Parallel()
	m := newMock()
	var got *http.Request
	m.RegisterResponder(http.MethodPost, submitURL, func(r *http.Request) (*http.Response, error) {
		got = r
		return httpmock.NewStringResponse(http.StatusOK, `{"request_id":"job-1"}`), nil
	})
	_, err := fal.Submit(t.Context(), m.client, request,
		fal.WithWebhook("https://my.example/hook?a=1&b=2"),
		fal.WithMaxQueueLength(7),
		fal.WithLowPriority(),
		fal.WithStartTimeout(1500*time.Millisecond),
		fal.WithRunnerHint("warm"),
		fal.WithoutStorage(),
		fal.WithoutServerRetry(),
		fal.WithTags(map[string]string{"team": "shop", "env": "prod 1"}),
		fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Hour, Default: fal.AccessForbid, Users: map[string]fal.Access{"u": fal.AccessAllow}}),
		fal.WithHeader("X-App-Fal-Disable-Fallback", "1"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("fal_max_queue_length=7&fal_webhook=https%3A%2F%2Fmy.example%2Fhook%3Fa%3D1%26b%3D2", got.URL.RawQuery); diff != "" {
		t.Errorf("query: -want +got\n%s", diff)
	}
	want := http.Header{
		"Authorization":                     {"Key " + secret},
		"Content-Type":                      {"application/json"},
		"X-Fal-Queue-Priority":              {"low"},
		"X-Fal-Request-Start-Timeout":       {"1.5"},
		"X-Fal-Request-Timeout":             {"1.5"},
		"X-Fal-Runner-Hint":                 {"warm"},
		"X-Fal-Store-Io":                    {"0"},
		"X-Fal-No-Retry":                    {"1"},
		"X-Fal-Tags":                        {"env=prod 1,team=shop"},
		"X-Fal-Object-Lifecycle-Preference": {`{"expiration_duration_seconds":3600,"initial_acl":{"default":"forbid","rules":[{"user":"u","decision":"allow"}]}}`},
		"X-App-Fal-Disable-Fallback":        {"1"},
	}
	header := got.Header.Clone()
	if !strings.HasPrefix(header.Get("User-Agent"), "falimage-go/") {
		t.Errorf("User-Agent %q", header.Get("User-Agent"))
	}
	header.Del("User-Agent")
	if len(header.Get("X-Call-Id")) != 16 {
		t.Errorf("X-Call-Id %q", header.Get("X-Call-Id"))
	}
	header.Del("X-Call-Id")
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("header: -want +got\n%s", diff)
	}
}

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	many := make(map[string]string)
	for _, c := range "abcdefghijk" {
		many[string(c)] = "v"
	}
	heavy := map[string]string{"a": long[:250], "b": long[:250], "c": long[:250], "d": long[:250], "e": long[:250]}
	for _, tt := range []struct {
		name string
		opt  fal.Option
		want string
	}{
		{"relative webhook", fal.WithWebhook("/hook"), "WithWebhook"},
		{"queue length", fal.WithMaxQueueLength(0), "at least 1"},
		{"start time-out", fal.WithStartTimeout(100 * time.Millisecond), "more than 100ms"},
		{"hint", fal.WithRunnerHint("a\nb"), "printable"},
		{"tag name", fal.WithTags(map[string]string{"Team": "x"}), `"Team"`},
		{"reserved tag", fal.WithTags(map[string]string{"fal.x": "x"}), "reserved"},
		{"tag with comma", fal.WithTags(map[string]string{"team": "a,b"}), "comma"},
		{"empty tag", fal.WithTags(map[string]string{"team": ""}), "1 to 256"},
		{"long tag", fal.WithTags(map[string]string{"team": long}), "1 to 256"},
		{"many tags", fal.WithTags(many), "at most 10"},
		{"heavy tags", fal.WithTags(heavy), "1024"},
		{"lifecycle", fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Second}), "1m0s"},
		{"access", fal.WithLifecycle(fal.Lifecycle{Users: map[string]fal.Access{"u": "maybe"}}), "allow, forbid or hide"},
		{"credentials", fal.WithHeader("authorization", "Key a:b"), "cannot be set"},
		{"target", fal.WithHeader("x-fal-target-url", "https://evil.example"), "cannot be set"},
		{"header injection", fal.WithHeader("X-A", "b\r\nX-B: c"), "not a valid header"},
		{"header name", fal.WithHeader("X A", "b"), "not a valid header"},
	} {
		m := newMock()
		_, err := fal.Submit(t.Context(), m.client, request, tt.opt)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error = %v, want one with %q", tt.name, err, tt.want)
		}
		if m.GetTotalCallCount() != 0 {
			t.Errorf("%s: something was sent", tt.name)
		}
	}
}

// What only the queue takes does not compile with Run and Stream, and what is
// for requests does not with Upload.
func TestOptionKinds(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]fal.Option{
		"WithWebhook": fal.WithWebhook("https://x.example"), "WithLowPriority": fal.WithLowPriority(),
		"WithMaxQueueLength": fal.WithMaxQueueLength(1), "WithoutServerRetry": fal.WithoutServerRetry(),
		"WithLogs": fal.WithLogs(), "WithUpdates": fal.WithUpdates(func(fal.Status) {}),
	} {
		if _, ok := opt.(fal.RunOption); ok {
			t.Errorf("%s compiles with Run", name)
		}
	}
	if _, ok := fal.WithTags(nil).(fal.UploadOption); ok {
		t.Error("WithTags compiles with Upload")
	}
	m := newMock()
	m.answer(http.MethodPost, submitURL, http.StatusOK, `{"request_id":"job-1"}`)
	if _, err := fal.Submit(t.Context(), m.client, request, nil, fal.Option(nil)); err != nil {
		t.Errorf("an option that is nil: %v", err)
	}
}

// Everything that is wrong is told at once.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	m := newMock()
	_, err := fal.Submit(t.Context(), m.client,
		flux.Pro2Edit{ImageURLs: []fal.File{fal.Path("/no/such.png"), fal.Bytes(nil)}},
		fal.WithMaxQueueLength(0), fal.WithTags(map[string]string{"Team": "a,b"}))
	invalid, ok := errors.AsType[*fal.ValidationError](err)
	if !ok {
		t.Fatalf("error = %v", err)
	}
	var fields []string
	for _, p := range invalid.Problems {
		fields = append(fields, p.Field)
	}
	want := []string{"option WithMaxQueueLength", "option WithTags", "option WithTags", "prompt", "image_urls[0]", "image_urls[1]"}
	if diff := cmp.Diff(want, fields); diff != "" || m.GetTotalCallCount() != 0 {
		t.Errorf("(-want +got)\n%s%v", diff, err)
	}
}

// What is wrong on this side is told before anything is sent.
func TestRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	ended, stop := context.WithCancel(t.Context())
	stop()
	var none context.Context
	nine := make([]fal.File, 10)
	for i := range nine {
		nine[i] = fal.URL("https://x.example/a.png")
	}
	m := newMock()
	noKey, badKey := newMock(), newMock()
	noKey.client.Key, badKey.client.Key = fal.NewKey(""), fal.NewKey("nocolon")
	badHosts := &fal.Client{Hosts: fal.Hosts{Queue: "queue"}}
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		client *fal.Client
		req    fal.Request[fal.Images]
		want   string
	}{
		{"nil client", t.Context(), nil, request, "client is nil"},
		{"nil context", none, m.client, request, "context is nil"},
		{"nil request", t.Context(), m.client, nil, "request is nil"},
		{"ended context", ended, m.client, request, "canceled"},
		{"no key", t.Context(), noKey.client, request, "FAL_KEY"},
		{"malformed key", t.Context(), badKey.client, request, "key_id:key_secret"},
		{"hosts", t.Context(), badHosts, request, "Hosts.Queue"},
		{"empty prompt", t.Context(), m.client, flux.Pro2{}, "prompt: is required"},
		{"size", t.Context(), m.client, flux.Pro2{Prompt: "x", ImageSize: fal.Size(0, 0)}, "image_size: 0x0: width and height must each be 1 to 14142"},
		{"references", t.Context(), m.client, flux.Pro2Edit{Prompt: "x", ImageURLs: nine}, "image_urls: 10 items: takes 1 to 9"},
		{"path", t.Context(), m.client, flux.Pro2Edit{Prompt: "x", ImageURLs: []fal.File{fal.Path("/no/such.png")}}, "no such file"},
		{"path as URL", t.Context(), m.client, flux.Pro2Edit{Prompt: "x", ImageURLs: []fal.File{fal.URL("/etc/passwd")}}, "fal.Path"},
		{"endpoint", t.Context(), m.client, fal.Call[fal.Images]{ID: "https://evil.example/x"}, "not an id"},
		{"encoding", t.Context(), m.client, fal.Call[fal.Images]{ID: "a/b", Input: func() {}}, "unsupported type"},
	} {
		for call, f := range map[string]func() error{
			"Subscribe": func() error { _, err := fal.Subscribe(tt.ctx, tt.client, tt.req); return err },
			"Submit":    func() error { _, err := fal.Submit(tt.ctx, tt.client, tt.req); return err },
			"Run":       func() error { _, err := fal.Run(tt.ctx, tt.client, tt.req); return err },
			"Stream": func() error {
				for _, err := range fal.Stream(tt.ctx, tt.client, tt.req) {
					return err
				}
				return nil
			},
		} {
			if err := f(); err == nil || !strings.Contains(err.Error(), tt.want) || !fal.NotSent(err) || fal.Charged(err) != fal.NotBilled {
				t.Errorf("%s, %s: error = %v, want one with %q that was not sent", tt.name, call, err, tt.want)
			}
		}
	}
	if m.GetTotalCallCount()+noKey.GetTotalCallCount()+badKey.GetTotalCallCount() != 0 {
		t.Error("something was sent")
	}
	if _, err := fal.Resume[fal.Images](m.client, "fal-ai/x", "../../other").Wait(t.Context()); err == nil {
		t.Error("a request id that is a path was accepted")
	}
	if _, err := fal.Resume[fal.Images](nil, "fal-ai/x", "id").Status(t.Context()); err == nil {
		t.Error("a nil client was accepted")
	}
	if _, err := fal.Submit(t.Context(), m.client, flux.Pro2{}, fal.SkipValidation()); err != nil {
		t.Errorf("SkipValidation did not skip it: %v", err)
	}
}

// ledger is a guard that writes down what it is told.
type ledger struct {
	refuse error
	log    []string
}

func (l *ledger) Reserve(_ context.Context, u fal.Usage, tags map[string]string) (fal.Reservation, error) {
	l.log = append(l.log, "reserve "+u.Endpoint+" "+tags["team"])
	return l, l.refuse
}
func (l *ledger) Accepted(id string)    { l.log = append(l.log, "accepted "+id) }
func (l *ledger) Settled(meta fal.Meta) { l.log = append(l.log, "settled "+meta.BillableUnits) }
func (l *ledger) Released(error)        { l.log = append(l.log, "released") }

func TestGuard(t *testing.T) {
	t.Parallel()
	errOver := errors.New("over budget")
	reserve, accepted := "reserve fal-ai/flux-2-pro shop", "accepted job-1"
	for _, tt := range []struct {
		name   string
		change func(*mock, *ledger)
		want   []string
	}{
		{"settled", func(*mock, *ledger) {}, []string{reserve, accepted, "settled 1.5"}},
		{"refused by the guard", func(_ *mock, l *ledger) { l.refuse = errOver }, []string{reserve}},
		{"refused by fal", func(m *mock, _ *ledger) {
			m.RegisterResponder(http.MethodPost, submitURL, units(http.StatusUnprocessableEntity, "0", `{"detail":"no"}`))
		}, []string{reserve, "released"}},
		{"not reached", func(m *mock, _ *ledger) {
			refused := httpmock.NewErrorResponder(&net.OpError{Op: "dial", Err: errors.New("connection refused")})
			m.RegisterResponder(http.MethodPost, submitURL, refused)
			m.RegisterNoResponder(refused) // the backup host
		}, []string{reserve, "released"}},
		{"unknown", func(m *mock, _ *ledger) { m.answer(http.MethodPost, submitURL, http.StatusBadGateway, "") }, []string{reserve}},
		{"failed, not billed", func(m *mock, _ *ledger) {
			m.answer(http.MethodGet, jobURL, http.StatusInternalServerError, `{"detail":"no","error_type":"internal_error"}`)
		}, []string{reserve, accepted, "released"}},
		{"result lost on the way", func(m *mock, _ *ledger) {
			m.answer(http.MethodGet, jobURL, http.StatusInternalServerError, `{"detail":"Internal Server Error"}`)
		}, []string{reserve, accepted}},
		{"failed, billed", func(m *mock, _ *ledger) {
			m.RegisterResponder(http.MethodGet, jobURL, units(http.StatusUnprocessableEntity, "1", `{"detail":"no"}`))
		}, []string{reserve, accepted, "settled 1"}},
		{"result out of reach", func(m *mock, _ *ledger) {
			m.answer(http.MethodGet, jobURL, http.StatusForbidden, `{"detail":"User is locked."}`)
		}, []string{reserve, accepted}},
		{"result gone", func(m *mock, _ *ledger) {
			m.answer(http.MethodGet, jobURL, http.StatusNotFound, `{"status":"NOT_FOUND"}`)
		}, []string{reserve, accepted}},
		{"failed, unknown", func(m *mock, _ *ledger) {
			m.answer(http.MethodGet, jobURL, http.StatusUnprocessableEntity, `{"detail":"no"}`)
		}, []string{reserve, accepted}},
		{"surprising result", func(m *mock, _ *ledger) {
			m.RegisterResponder(http.MethodGet, jobURL, units(http.StatusOK, "1", `{"images":"none"}`))
		}, []string{reserve, accepted, "settled 1"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, l := newMock(), new(ledger)
			m.client.Retry.MaxAttempts = 1
			m.answer(http.MethodGet, jobURL+"/status", http.StatusOK, `{"status":"COMPLETED"}`)
			m.RegisterResponder(http.MethodGet, jobURL, units(http.StatusOK, "1.5", `{"images":[]}`))
			tt.change(m, l)
			m.client.Guard = l
			_, err := fal.Subscribe(t.Context(), m.client, request, fal.WithTags(map[string]string{"team": "shop"}))
			if diff := cmp.Diff(tt.want, l.log); diff != "" {
				t.Errorf("%s (%v): -want +got\n%s", tt.name, err, diff)
			}
			if l.refuse != nil && (!errors.Is(err, errOver) || m.GetTotalCallCount() != 0) {
				t.Errorf("%s: error = %v after %d calls", tt.name, err, m.GetTotalCallCount())
			}
		})
	}
}

func units(status int, billed, body string) httpmock.Responder {
	return func(*http.Request) (*http.Response, error) {
		resp := httpmock.NewStringResponse(status, body)
		resp.Header.Set("X-Fal-Billable-Units", billed)
		return resp, nil
	}
}

// Who asks a guard about a work of many requests asks the one that the requests ask,
// with the tags that it is told.
func TestGuardOf(t *testing.T) {
	t.Parallel()
	own, other := new(ledger), new(ledger)
	tags := map[string]string{"team": "shop"}
	client := &fal.Client{Guard: own}
	for _, tt := range []struct {
		client *fal.Client
		opts   []fal.Option
		guard  fal.Guard
		tags   map[string]string
	}{
		{client, nil, own, nil},
		{client, []fal.Option{nil, fal.WithLogs(), fal.WithTags(tags)}, own, tags},
		{client, []fal.Option{fal.WithGuard(other)}, other, nil},
		{client, []fal.Option{fal.WithGuard(other), fal.WithGuard(nil)}, own, nil},
		{new(fal.Client), nil, nil, nil},
		{nil, []fal.Option{fal.WithGuard(other), fal.WithTags(tags)}, other, tags},
		{nil, nil, nil, nil},
	} {
		guard, got := tt.client.GuardOf(tt.opts...)
		if diff := cmp.Diff(tt.tags, got); guard != tt.guard || diff != "" {
			t.Errorf("%v, want %v; tags (-want +got)\n%s", guard, tt.guard, diff)
		}
		if got != nil {
			got["team"] = "changed"
		}
	}
	if _, got := client.GuardOf(fal.WithTags(tags)); got["team"] != "shop" {
		t.Errorf("the tags of an option were changed to %v", got)
	}
}
