package faltest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// The platform refuses what the service refuses.
func TestPlatformStrict(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.SetPrice("fal-ai/flux/dev", "0.025", "megapixels")
	e := exchange{t, srv}
	ids := "x" + strings.Repeat(",x", 50)
	admin := []string{"Authorization", "Key admin-" + faltest.Key}
	for _, tt := range []struct {
		method, path, body string
		header             []string
		want               int
	}{
		{"GET", "models", "", []string{"Authorization", ""}, 200},
		{"GET", "models", "", []string{"Authorization", "Key a:b"}, 401},
		{"GET", "models?endpoint_id=" + ids, "", nil, 400},
		{"GET", "models?status=gone", "", nil, 400},
		{"GET", "models?expand=all", "", nil, 400},
		{"GET", "models?limit=0", "", nil, 400},
		{"GET", "models?cursor=x", "", nil, 400},
		{"GET", "models?cursor=YXQ6LTE", "", nil, 400}, // at:-1
		{"GET", "models/pricing", "", nil, 400},
		{"GET", "models/pricing?endpoint_id=a/b", "", []string{"Authorization", ""}, 401},
		{"GET", "models/pricing?endpoint_id=" + ids, "", nil, 400},
		{"GET", "models/pricing?endpoint_id=" + ids[2:], "", nil, 200},
		{"POST", "models/pricing", "{}", nil, 405},
		{"GET", "models/nothing", "", nil, 404},
		{"POST", "models/pricing/estimate", `{"estimate_type":"unit_price","endpoints":{"fal-ai/flux/dev":{"unit_quantity":0.000001}}}`, nil, 200},
		{"POST", "models/pricing/estimate", `{"estimate_type":"unit_price","endpoints":{"fal-ai/flux/dev":{"unit_quantity":0.0000001}}}`, nil, 400},
		{"POST", "models/pricing/estimate", `{"estimate_type":"historical_api_price","endpoints":{"fal-ai/flux/dev":{"call_quantity":1.5}}}`, nil, 400},
		{"POST", "models/pricing/estimate", `{"estimate_type":"historical_api_price","endpoints":{"fal-ai/flux/dev":{"call_quantity":1}}}`, nil, 404},
		{"POST", "models/pricing/estimate", `{"estimate_type":"guess","endpoints":{"fal-ai/flux/dev":{}}}`, nil, 400},
		{"POST", "models/pricing/estimate", `{"estimate_type":"unit_price","endpoints":{}}`, nil, 400},
		{"GET", "models/usage", "", nil, 403},
		{"GET", "models/usage?timeframe=year", "", admin, 400},
		{"GET", "models/usage?timezone=Nowhere/Town", "", admin, 400},
		{"GET", "models/usage?timeframe=month&timezone=Europe/Berlin&expand=summary", "", admin, 200},
		{"GET", "models/billing-events", "", nil, 403},
		{"GET", "models/billing-events", "", admin, 200},
		{"GET", "models/billing-events?request_id=" + ids, "", admin, 400},
		{"GET", "models/billing-events?api_key_id=" + ids, "", admin, 400},
		{"GET", "models/billing-events?limit=10000", "", admin, 200},
		{"GET", "models/billing-events?limit=10001", "", admin, 400},
		{"GET", "models/billing-events?start=2026-01-01&end=2026-04-01", "", admin, 200}, // 90 days
		{"GET", "models/billing-events?start=2026-01-01&end=2026-04-02", "", admin, 400},
		{"GET", "models/billing-events?start=2026-01-02&end=2026-01-01", "", admin, 400},
		{"GET", "models/billing-events?start=yesterday", "", admin, 400},
		{"GET", "models/requests/by-endpoint", "", nil, 400},
		{"GET", "models/requests/by-endpoint?endpoint_id=a/b&limit=100", "", nil, 200},
		{"GET", "models/requests/by-endpoint?endpoint_id=a/b&limit=101", "", nil, 400},
		{"GET", "models/requests/by-endpoint?endpoint_id=a/b&status=good", "", nil, 400},
		{"GET", "models/requests/by-endpoint?endpoint_id=a/b&sort_by=price", "", nil, 400},
		{"GET", "models/requests/by-endpoint?endpoint_id=a/b&start=2020-01-01", "", nil, 400},
		{"GET", "models/requests/search", "", nil, 400},
		{"DELETE", "models/requests/x/payloads", "", nil, 403},
		{"DELETE", "models/requests/x/payloads", "", admin, 404},
		{"DELETE", "models/requests/x", "", admin, 404},
		{"GET", "keys", "", nil, 403},
		{"POST", "keys", "{}", admin, 400},
		{"POST", "keys", `{"alias":"ci"}`, admin, 201},
		{"DELETE", "keys/none", "", admin, 204},
		{"GET", "storage/files/acl", "", nil, 400},
		{"GET", "storage/files/acl?url=https://v3.fal.media/x", "", nil, 404},
		{"POST", "storage/files/sign?url=x", `{}`, nil, 404},
		{"PUT", "storage/settings", `{`, nil, 400},
		{"GET", "meta", "", []string{"Authorization", ""}, 200},
	} {
		if status, _, v := e.do(tt.method, "/api.fal.ai/v1/"+tt.path, tt.body, tt.header...); status != tt.want {
			t.Errorf("%s %s %s: status %d, want %d: %v", tt.method, tt.path, tt.body, status, tt.want, v)
		}
	}
	for name, f := range map[string]func(){
		"SetDiscount": func() { srv.SetDiscount("101") }, "SetLag": func() { srv.SetLag(-1, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s took it", name)
				}
			}()
			f()
		}()
	}
}

// The history keeps payloads only as far as there is room, and requests that
// were cancelled as such.
func TestHistoryKept(t *testing.T) { //nolint:paralleltest // it changes what a server keeps
	before := *faltest.PayloadBytes
	t.Cleanup(func() { *faltest.PayloadBytes = before })
	*faltest.PayloadBytes = 1000
	srv := faltest.NewServer(t)
	for range 5 {
		srv.Submit("fal-ai/flux/dev", `{"prompt":"`+strings.Repeat("x", 300)+`"}`)
	}
	e := exchange{t, srv}
	_, _, v := e.do(http.MethodGet, "/api.fal.ai/v1/models/requests/by-endpoint?endpoint_id=fal-ai/flux/dev&expand=payloads", "")
	items, _ := v["items"].([]any)
	var there []bool
	for _, item := range items {
		row, _ := item.(map[string]any)
		there = append(there, row["json_input"] != nil)
	}
	if !slices.Equal(there, []bool{true, false, false, false, false}) {
		t.Errorf("payloads, the newest first: %v", there)
	}

	slow := faltest.NewServer(t, faltest.QueueTime(time.Hour))
	job, err := fal.Submit(t.Context(), slow.Client(), flux.Dev{Prompt: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _, v = exchange{t, slow}.do(http.MethodGet, "/api.fal.ai/v1/models/requests/by-endpoint?status=user_error&endpoint_id=fal-ai/flux/dev", "")
	if items, _ := v["items"].([]any); len(items) != 1 {
		t.Errorf("a cancelled job: %v", v)
	}
}

// ChangeModels changes what is told, and nothing of what is served.
func TestChangeModels(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	count := func() int {
		_, _, v := e.do(http.MethodGet, "/api.fal.ai/v1/models?limit=1000", "")
		models, _ := v["models"].([]any)
		return len(models)
	}
	all := count()
	srv.ChangeModels(func(models []map[string]any) []map[string]any { return models[1:] })
	if got := count(); got != all-1 {
		t.Errorf("%d models, want %d", got, all-1)
	}
	srv.ChangeModels(nil)
	if got := count(); got != all {
		t.Errorf("%d models, want %d", got, all)
	}
}
