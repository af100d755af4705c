package proxy_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/proxy"
)

// noted is a guard that notes what it is told.
type noted struct{ said []string }

func (n *noted) Reserve(_ context.Context, u fal.Usage, tags map[string]string) (fal.Reservation, error) {
	n.said = append(n.said, "reserved "+u.Endpoint+" for "+tags["user"])
	return n, nil
}
func (n *noted) Accepted(id string) { n.said = append(n.said, "accepted "+id) }
func (n *noted) Settled(m fal.Meta) {
	n.said = append(n.said, "settled "+m.RequestID+" "+m.BillableUnits)
}
func (n *noted) Released(error) { n.said = append(n.said, "released") }

// What an answer says of money is what the guard is told: what is billed, what is
// not, and nothing where that is not known.
func TestAnswersAndMoney(t *testing.T) {
	t.Parallel()
	const direct, queued = "https://fal.run/fal-ai/flux/schnell", "https://queue.fal.run/fal-ai/flux/schnell"
	for _, tt := range []struct {
		name, target     string
		status           int
		units, errorType string
		body             string
		want             string // "" is nothing
	}{
		{"a result", direct, 200, "2", "", `{}`, "settled r-1 2"},
		{"a result without units", direct, 200, "", "", `{}`, "settled r-1 "},
		{"an error that is billed", direct, 422, "1.5", "", `{}`, "settled r-1 1.5"},
		{"an error of nothing", direct, 422, "0", "", `{}`, "released"},
		{"an error of 0.00", direct, 500, "0.00", "", `{}`, "released"},
		{"an error that tells nothing", direct, 422, "", "", `{}`, ""},
		{"fal's own failure", direct, 503, "", "runner_disconnected", `{}`, "released"},
		{"a gateway's failure", direct, 503, "", "", `{}`, ""},
		{"fal's word about a request", direct, 422, "", "invalid", `{}`, ""},
		{"not found", direct, 404, "", "", `{}`, "released"},
		{"too many", direct, 429, "", "", `{}`, "released"},
		{"a key refused", direct, 401, "", "", `{}`, "released"},
		{"locked", queued, 403, "", "", `{}`, "released"},
		{"refused by the queue", queued, 422, "", "", `{}`, "released"},
		{"the queue moved", queued, 300, "", "", `{"request_id":"r-2"}`, "released"},
		{"a gateway before the queue", queued, 502, "", "", `{}`, ""},
		{"a submit that tells no id", queued, 200, "", "", `{"status":"IN_QUEUE"}`, ""},
		{"a submit that is no JSON", queued, 200, "", "", `{"request_id":"r-2"`, ""},
	} {
		header := http.Header{"Content-Type": {"application/json"}, "X-Fal-Request-Id": {"r-1"}}
		if tt.units != "" {
			header.Set("X-Fal-Billable-Units", tt.units)
		}
		if tt.errorType != "" {
			header.Set("X-Fal-Error-Type", tt.errorType)
		}
		s := &stub{status: tt.status, header: header, body: tt.body}
		p, guard := s.page(t), new(noted)
		p.h.Client.Guard = guard
		p.ask(http.MethodPost, tt.target, `{"prompt":"a mug"}`)
		want := []string{"reserved fal-ai/flux/schnell for ann"}
		if tt.want != "" {
			want = append(want, tt.want)
		}
		if diff := cmp.Diff(want, guard.said); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A GET that fal refuses the key for releases nothing: it set nothing aside.
func TestReadsAndMoney(t *testing.T) {
	t.Parallel()
	s := &stub{status: 401, body: `{}`}
	p, guard := s.page(t), new(noted)
	p.h.Client.Guard = guard
	p.ask(http.MethodGet, "https://queue.fal.run/fal-ai/flux/requests/1", "")
	if guard.said != nil {
		t.Errorf("the guard was told %q", guard.said)
	}
}

// Whatever a page names as its target, and however it asks, nothing goes to another
// host, to another endpoint, or beyond what was asked for.
func FuzzTarget(f *testing.F) {
	for _, target := range []string{
		"https://fal.run/fal-ai/flux/schnell", "https://fal.run/fal-ai/flux-lora/stream", "https://queue.fal.run/fal-ai/flux/schnell?fal_max_queue_length=1",
		"https://queue.fal.run/fal-ai/flux/requests/1/status?logs=1", "https://queue.fal.run/fal-ai/flux/requests/../../x", "https://rest.alpha.fal.ai/tokens/",
		"https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", "https://fal.run@evil.example/fal-ai/flux/schnell", "https://fal.run/%2e%2e/x",
		"//fal.run/fal-ai/flux/schnell", "https://fal.run:443/fal-ai/flux/schnell", "https://fal.run/fal-ai/flux/schnell?a=%zz", "https://fal.run\\@x/", "https://queue.fal.run/fal-ai/flux/requests/a%2Fb",
	} {
		f.Add("POST", target)
		f.Add("GET", target)
	}
	endpoints := []string{"fal-ai/flux/schnell", "fal-ai/flux-lora/stream"}
	srv := faltest.NewServer(f)
	f.Fuzz(func(t *testing.T, method, target string) {
		s := &stub{status: 200, body: `{}`}
		p := &page{T: t, user: "ann"}
		p.h = proxy.Handler{Client: srv.Client(), Endpoints: endpoints, Uploads: true, User: proxy.Anyone, Logger: slog.New(slog.DiscardHandler)}
		p.h.Client.Hosts, p.h.Client.HTTPClient = fal.Hosts{}, &http.Client{Transport: s}
		if _, err := http.NewRequestWithContext(t.Context(), method, "/", nil); err != nil {
			return
		}
		p.ask(method, target, `{"prompt":"x"}`)
		for _, r := range s.got {
			u := r.URL
			if u.Scheme != "https" || u.User != nil || u.Fragment != "" || !slices.Contains([]string{"fal.run", "queue.fal.run", "rest.fal.ai"}, u.Host) || r.Host != "" && r.Host != u.Host {
				t.Errorf("%s %q leads to %s", method, target, u)
			}
			path, err := url.PathUnescape(u.EscapedPath())
			if err != nil || strings.Contains(path, "..") || strings.ContainsAny(path, "\\\r\n?#%") {
				t.Errorf("%s %q has the path %q", method, target, path)
			}
			allowed := u.Host == "rest.fal.ai" && strings.HasPrefix(path, "/storage/upload/") ||
				strings.HasPrefix(path, "/fal-ai/flux/requests/") || strings.HasPrefix(path, "/fal-ai/flux-lora/requests/") ||
				slices.Contains(endpoints, strings.TrimPrefix(path, "/")) || path == "/fal-ai/flux/schnell/stream" || path == "/fal-ai/flux-lora/stream/stream"
			if !allowed || strings.Contains(u.RawQuery, "webhook") {
				t.Errorf("%s %q leads to %s", method, target, u)
			}
		}
	})
}
