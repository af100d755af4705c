package platform_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
)

func collect[T any](t *testing.T, list iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for item, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, item)
	}
	return all
}

// errOf returns the error that a list ends with.
func errOf[T any](list iter.Seq2[T, error]) (err error) {
	for _, err = range list {
		_ = err
	}
	return err
}

func TestModels(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	api := platform.API{Client: &fal.Client{Key: fal.NewKey(""), Hosts: srv.Hosts()}} // no key is needed
	all := collect(t, api.Models(t.Context(), platform.ModelQuery{}))
	ids := make([]string, 0, len(all))
	for _, m := range all {
		ids = append(ids, m.Endpoint)
	}
	if len(all) < 100 || ids[0] == ids[1] {
		t.Fatalf("%d models", len(all))
	}
	if got := collect(t, api.Models(t.Context(), platform.ModelQuery{Endpoints: ids, PageSize: 7, OpenAPI: true, Enterprise: true})); len(got) != len(all) || got[3].OpenAPI == nil || got[3].EnterpriseStatus == "" {
		t.Errorf("%d models by their ids, want %d", len(got), len(all))
	}
	dev := collect(t, api.Models(t.Context(), platform.ModelQuery{Endpoints: []string{"fal-ai/flux/dev"}}))
	if len(dev) != 1 || dev[0].Metadata.Status != "active" || dev[0].Metadata.Category != "text-to-image" || dev[0].Metadata.Updated.Year() < 2026 || dev[0].OpenAPI != nil {
		t.Errorf("%+v", dev)
	}
	if got := collect(t, api.Models(t.Context(), platform.ModelQuery{Category: "training", Search: "kontext"})); len(got) == 0 || len(got) > 5 {
		t.Errorf("%d trainers of Kontext", len(got))
	}
	if got := collect(t, api.Models(t.Context(), platform.ModelQuery{Status: "deprecated", Search: "schnell"})); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	for _, err := range api.Models(t.Context(), platform.ModelQuery{}) {
		if err != nil {
			t.Error(err)
		}
		break // ends it
	}
	for _, q := range []platform.ModelQuery{{Status: "gone"}, {PageSize: -1}, {PageSize: 1001}} {
		if err := errOf(api.Models(t.Context(), q)); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.SetPrice("fal-ai/flux/dev", "0.025", "megapixels")
	api := platform.API{Client: srv.Client()}
	ids := []string{"fal-ai/flux/dev"}
	for i := range 120 {
		ids = append(ids, "fal-ai/none/"+strconv.Itoa(i))
	}
	want := []platform.Price{{Endpoint: "fal-ai/flux/dev", UnitPrice: "0.025", Unit: "megapixels", Currency: "USD"}}
	if diff := cmp.Diff(want, collect(t, api.Prices(t.Context(), ids...))); diff != "" {
		t.Error(diff)
	}
	if n := srv.Ledger().Platform; n != 3 {
		t.Errorf("%d calls for 121 ids", n)
	}
	if got := collect(t, api.Prices(t.Context())); got != nil {
		t.Errorf("%v", got)
	}
	units, err := api.EstimateUnits(t.Context(), map[string]json.Number{"fal-ai/flux/dev": "0.000001"})
	if err != nil || units != (platform.Estimate{Total: "0.000000025", Currency: "USD"}) {
		t.Errorf("%+v, %v", units, err)
	}
	if _, err := fal.Subscribe(t.Context(), srv.Client(), flux.Dev{Prompt: "x", ImageSize: fal.Size(2048, 1024)}); err != nil {
		t.Fatal(err)
	}
	calls, err := api.EstimateCalls(t.Context(), map[string]int{"fal-ai/flux/dev": 3})
	if err != nil || calls.Total != "0.15" {
		t.Errorf("%+v, %v", calls, err)
	}
	for _, err := range []error{
		second(api.EstimateCalls(t.Context(), map[string]int{"fal-ai/flux/dev": 0})),
		second(api.EstimateUnits(t.Context(), map[string]json.Number{"fal-ai/flux/dev": "0"})),
		second(api.EstimateUnits(t.Context(), map[string]json.Number{"fal-ai/none": "1"})),
		second(api.EstimateUnits(t.Context(), nil)),
	} {
		if err == nil {
			t.Error("it was taken")
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestBills(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.SetPrice("fal-ai/flux-2-pro", "0.03", "megapixels")
	srv.SetDiscount("12.5")
	client, admin := srv.Client(), platform.API{Client: srv.Admin()}
	var ids []string
	for range 3 {
		out, err := fal.Subscribe(t.Context(), client, flux.Pro2{Prompt: "x", ImageSize: fal.Size(1920, 1080)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, out.RequestID)
	}
	if _, err := fal.Subscribe(t.Context(), client, flux.Dev{Prompt: "x"}); err != nil { // has no price
		t.Fatal(err)
	}
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "no"), 1)
	_, _ = fal.Subscribe(t.Context(), client, flux.Pro2{Prompt: "x"}) // is not charged

	events := collect(t, admin.BillingEvents(t.Context(), platform.BillingQuery{RequestIDs: ids, PageSize: 2}))
	if len(events) != 3 {
		t.Fatalf("%+v", events)
	}
	got := events[2]
	got.Time = platform.Time{}
	want := platform.BillingEvent{
		RequestID: ids[0], Endpoint: "fal-ai/flux-2-pro", Units: "1.5", UnitPrice: "0.03", Discount: "12.5",
		Subtotal: "0.045", Reduction: "0.005625", Total: "0.039375", NanoUSD: "39375000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	span := platform.Span{Start: time.Now().Add(-200 * 24 * time.Hour)}
	all := collect(t, admin.BillingEvents(t.Context(), platform.BillingQuery{Span: span}))
	if len(all) != 4 || all[0].Total != "" || all[0].Units == "" || all[0].Endpoint != "fal-ai/flux" {
		t.Errorf("over 200 days: %+v", all)
	}
	ids = append(ids, make([]string, 100)...)
	if got := collect(t, admin.BillingEvents(t.Context(), platform.BillingQuery{RequestIDs: ids})); len(got) != 3 {
		t.Errorf("of 103 ids: %d events", len(got))
	}
	if got := collect(t, admin.BillingEvents(t.Context(), platform.BillingQuery{Span: platform.Span{End: time.Now().Add(-time.Hour)}})); len(got) != 0 {
		t.Errorf("before: %+v", got)
	}
	usage, err := admin.Usage(t.Context(), platform.UsageQuery{Timeframe: "hour", Endpoints: []string{"fal-ai/flux-2-pro"}})
	if err != nil {
		t.Fatal(err)
	}
	line := platform.UsageLine{
		Endpoint: "fal-ai/flux-2-pro", Unit: "megapixels", Quantity: "4.5", UnitPrice: "0.03", Discount: "12.5",
		Subtotal: "0.135", Reduction: "0.016875", Total: "0.118125", Currency: "USD",
	}
	if diff := cmp.Diff([]platform.UsageLine{line}, usage.Summary); diff != "" || len(usage.Buckets) == 0 {
		t.Error(diff, usage.Buckets)
	}
	for _, span := range []platform.Span{{Start: time.Now().Add(time.Minute), End: time.Now().Add(time.Hour)}, {End: time.Now().Add(-time.Hour)}} {
		if got, err := admin.Usage(t.Context(), platform.UsageQuery{Span: span}); err != nil || len(got.Summary) != 0 {
			t.Errorf("at another time: %+v, %v", got, err)
		}
	}
	if got := collect(t, admin.BillingEvents(t.Context(), platform.BillingQuery{Endpoints: make([]string, 50), PageSize: 10_000})); len(got) != 0 {
		t.Errorf("of 50 endpoints that are not there: %+v", got)
	}
	account, err := admin.Account(t.Context())
	if err != nil || account.Balance == "" || account.Username == "" {
		t.Errorf("%+v, %v", account, err)
	}
	srv.SetLag(0, time.Hour)
	if got := collect(t, admin.BillingEvents(t.Context(), platform.BillingQuery{})); len(got) != 0 {
		t.Errorf("%d events before their time", len(got))
	}
	for _, q := range []platform.BillingQuery{
		{Endpoints: make([]string, 51)}, {PageSize: 10_001}, {Span: platform.Span{Start: time.Now(), End: time.Now().Add(-time.Hour)}},
	} {
		before := srv.Ledger().Platform
		if err := errOf(admin.BillingEvents(t.Context(), q)); err == nil || srv.Ledger().Platform != before {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// A plain key is told apart from one that is refused.
func TestAdmin(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	api := platform.API{Client: srv.Client()}
	for name, err := range map[string]error{
		"events":   errOf(api.BillingEvents(t.Context(), platform.BillingQuery{})),
		"usage":    second(api.Usage(t.Context(), platform.UsageQuery{})),
		"account":  second(api.Account(t.Context())),
		"keys":     errOf(api.Keys(t.Context())),
		"new key":  func() error { _, _, err := api.CreateKey(t.Context(), "x"); return err }(),
		"old key":  api.DeleteKey(t.Context(), "x"),
		"deletion": second(api.DeletePayloads(t.Context(), "x")),
	} {
		if e, ok := errors.AsType[*fal.Error](err); !errors.Is(err, platform.ErrAdmin) || !ok || e.Status != 403 {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), Hosts: srv.Hosts()}}
	if _, err := wrong.Account(t.Context()); !errors.Is(err, fal.ErrUnauthorized) || errors.Is(err, platform.ErrAdmin) {
		t.Errorf("a wrong key: %v", err)
	}
	srv.Inject(faltest.OpPlatform, faltest.LockedAccount(), 1)
	if _, err := (platform.API{Client: srv.Admin()}).Account(t.Context()); !errors.Is(err, fal.ErrLocked) || errors.Is(err, platform.ErrAdmin) {
		t.Errorf("a locked account: %v", err)
	}
	if _, err := (platform.API{}).Account(t.Context()); err == nil || !strings.Contains(err.Error(), "API.Client") {
		t.Errorf("no client: %v", err)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client, api := srv.Client(), platform.API{Client: srv.Client()}
	req := flux.Dev{Prompt: "a fox", Seed: fal.Seed(7)}
	out, err := fal.Subscribe(t.Context(), client, req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fal.Run(t.Context(), client, flux.Dev{Prompt: "a dog"}, fal.WithoutStorage()); err != nil {
		t.Fatal(err)
	}
	_, _ = fal.Subscribe(t.Context(), client, fal.With(req, map[string]any{"steps": 3})) // is refused
	rows := collect(t, api.Requests(t.Context(), platform.RequestQuery{Endpoint: "fal-ai/flux/dev", Payloads: true}))
	if len(rows) != 3 || rows[0].StatusCode != http.StatusUnprocessableEntity || rows[1].Input != nil || rows[2].ID != out.RequestID {
		t.Fatalf("%+v", rows)
	}
	if string(rows[2].Input) != `{"prompt":"a fox","seed":7}` || rows[2].Sent.IsZero() || rows[2].Ended.Before(rows[2].Sent.Time) {
		t.Errorf("%+v", rows[2])
	}
	var again fal.Images
	if err := json.Unmarshal(rows[2].Output, &again); err != nil || again.Images[0].URL != out.Images[0].URL {
		t.Errorf("%s, %v", rows[2].Output, err)
	}
	for name, tt := range map[string]struct {
		q    platform.RequestQuery
		want int
	}{
		"success":   {platform.RequestQuery{Status: "success"}, 2},
		"refused":   {platform.RequestQuery{Status: "user_error", Longest: true}, 1},
		"by id":     {platform.RequestQuery{RequestID: out.RequestID}, 1},
		"before":    {platform.RequestQuery{Span: platform.Span{End: time.Now().Add(-time.Minute)}}, 0},
		"pages":     {platform.RequestQuery{PageSize: 1}, 3},
		"long span": {platform.RequestQuery{Span: platform.Span{Start: time.Now().Add(-400 * 24 * time.Hour)}}, 3},
	} {
		tt.q.Endpoint = "fal-ai/flux/dev"
		if got := collect(t, api.Requests(t.Context(), tt.q)); len(got) != tt.want || len(got) > 0 && got[0].Input != nil {
			t.Errorf("%s: %d, want %d", name, len(got), tt.want)
		}
	}
	for _, q := range []platform.RequestQuery{{}, {Endpoint: "a/b", PageSize: 101}, {Endpoint: "a/b", Status: "good"}} {
		if err := errOf(api.Requests(t.Context(), q)); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
	if got := collect(t, api.Search(t.Context(), platform.SearchQuery{Text: "FOX", MinSimilarity: 1, APIOnly: true})); len(got) != 2 {
		t.Errorf("%d found", len(got))
	}
	for _, q := range []platform.SearchQuery{{}, {Text: "a", ImageURL: "b"}, {Text: "a", MinSimilarity: 2}} {
		if err := errOf(api.Search(t.Context(), q)); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
	slow := faltest.NewServer(t, faltest.RunTime(50*time.Millisecond))
	for _, client := range []*fal.Client{slow.Client(), slow.Client()} {
		if _, err := fal.Subscribe(t.Context(), client, req); err != nil {
			t.Fatal(err)
		}
	}
	long := collect(t, platform.API{Client: slow.Client()}.Requests(t.Context(), platform.RequestQuery{Endpoint: "fal-ai/flux/dev", Longest: true}))
	if len(long) != 2 || long[0].Duration != "0.05" {
		t.Errorf("%+v", long)
	}
	admin := platform.API{Client: srv.Admin()}
	srv.Inject(faltest.OpPlatform, faltest.LostAnswer(), 1)
	deleted, err := admin.DeletePayloads(t.Context(), out.RequestID) // asked again under the same key
	if err != nil || len(deleted) != 1 || deleted[0].Error != "" {
		t.Errorf("%+v, %v", deleted, err)
	}
	if _, err := client.Decode(t.Context(), out.Images[0]); err == nil {
		t.Error("the picture is still there")
	}
	if got := collect(t, api.Requests(t.Context(), platform.RequestQuery{Endpoint: "fal-ai/flux/dev", RequestID: out.RequestID, Payloads: true})); got[0].Input != nil {
		t.Errorf("%s", got[0].Input)
	}
	for _, id := range []string{"", "../keys", "a/b", "a?b"} {
		if _, err := admin.DeletePayloads(t.Context(), id); err == nil {
			t.Errorf("%q is an id", id)
		}
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	admin := platform.API{Client: srv.Admin()}
	id, key, err := admin.CreateKey(t.Context(), "ci")
	if err != nil || id == "" || fmt.Sprint(key) != "[redacted]" {
		t.Fatalf("%s, %v, %v", id, key, err)
	}
	api := platform.API{Client: &fal.Client{Key: key, Hosts: srv.Hosts()}}
	if got := collect(t, admin.Keys(t.Context())); len(got) != 1 || got[0].ID != id || got[0].Alias != "ci" || got[0].Created.IsZero() {
		t.Errorf("%+v", got)
	}
	upload, err := api.Client.Upload(t.Context(), fal.Bytes([]byte("text")))
	if err != nil {
		t.Fatal(err)
	}
	file, _ := upload.URL()
	if got, err := api.FileAccess(t.Context(), file); err != nil || got.Default != fal.AccessAllow {
		t.Errorf("%+v, %v", got, err)
	}
	want := platform.FileAccess{Default: fal.AccessHide, Rules: []platform.UserRule{{User: "me", Access: fal.AccessAllow}}}
	if err := api.SetFileAccess(t.Context(), file, want); err != nil {
		t.Error(err)
	}
	if got, err := api.FileAccess(t.Context(), file); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := api.SetFileAccess(t.Context(), file, platform.FileAccess{Default: "open"}); err == nil {
		t.Error("an access that is none was taken")
	}
	signed, err := api.SignFile(t.Context(), file, time.Hour)
	if err != nil || !strings.HasPrefix(signed, file+"?") {
		t.Errorf("%s, %v", signed, err)
	}
	for _, d := range []time.Duration{0, 8 * 24 * time.Hour} {
		if _, err := api.SignFile(t.Context(), file, d); err == nil {
			t.Errorf("%v was taken", d)
		}
	}
	if err := api.SetStorageSettings(t.Context(), json.RawMessage(`{"days":30}`)); err != nil {
		t.Error(err)
	}
	if got, err := api.StorageSettings(t.Context()); err != nil || string(got) != `{"days":30}` {
		t.Errorf("%s, %v", got, err)
	}
	for range 2 { // again is no error
		if err := admin.DeleteKey(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if _, err := api.StorageSettings(t.Context()); !errors.Is(err, fal.ErrUnauthorized) {
		t.Errorf("with a key that was deleted: %v", err)
	}
	if _, _, err := admin.CreateKey(t.Context(), ""); err == nil {
		t.Error("a key without an alias was made")
	}
}

// What a platform sends that is not as it should be is an error or is passed
// over, and never goes on for ever.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"billing_events":[{"timestamp":7,"output_units":null,"unit_price":"0.5"}],"new":{}}`: "",
		`{"billing_events":[],"has_more":false,"next_cursor":"x"}`:                             "",
		`{"billing_events":null}`:               "",
		`{}`:                                    "no billing_events",
		`[]`:                                    "not as expected",
		`{"billing_events":[],"has_more":true}`: "where",
		`{"billing_events":[],"has_more":true,"next_cursor":""}`:     "where",
		`{"billing_events":[],"has_more":1}`:                         "not as expected",
		`{"billing_events":[],"has_more":true,"next_cursor":"same"}`: "do not come to an end",
		`{"billing_events":[{"output_units":"many"}]}`:               "not as expected",
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		t.Cleanup(srv.Close)
		api := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), Hosts: fal.Hosts{Platform: srv.URL}}}
		err := errOf(api.BillingEvents(t.Context(), platform.BillingQuery{}))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	same := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"billing_events":[{}],"has_more":true,"next_cursor":"same"}`)
	}))
	defer same.Close()
	endless := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), Hosts: fal.Hosts{Platform: same.URL}}}
	if err := errOf(endless.BillingEvents(t.Context(), platform.BillingQuery{})); err == nil {
		t.Error("the same page without end")
	}
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = fmt.Fprintf(w, `{"billing_events":[],"has_more":true,"next_cursor":"%d"}`, n)
	}))
	defer srv.Close()
	api := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), Hosts: fal.Hosts{Platform: srv.URL}}}
	if err := errOf(api.BillingEvents(t.Context(), platform.BillingQuery{})); err == nil || n > 100 {
		t.Errorf("%v after %d empty pages", err, n)
	}
}

// A long time is asked for in parts that join.
func TestParts(t *testing.T) {
	t.Parallel()
	var spans [][2]string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spans = append(spans, [2]string{r.URL.Query().Get("start"), r.URL.Query().Get("end")})
		_, _ = io.WriteString(w, `{"billing_events":[]}`)
	}))
	defer srv.Close()
	api := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), Hosts: fal.Hosts{Platform: srv.URL}}}
	span := platform.Span{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 7, 20, 0, 0, 0, 0, time.UTC)}
	if err := errOf(api.BillingEvents(t.Context(), platform.BillingQuery{Span: span})); err != nil {
		t.Fatal(err)
	}
	want := [][2]string{{"2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"}, {"2026-04-01T00:00:00Z", "2026-06-30T00:00:00Z"}, {"2026-06-30T00:00:00Z", "2026-07-20T00:00:00Z"}}
	if diff := cmp.Diff(want, spans); diff != "" {
		t.Error(diff)
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		`"2026-05-12T10:11:12.5Z"`:     time.Date(2026, 5, 12, 10, 11, 12, 5e8, time.UTC),
		`"2026-05-12T10:11:12+02:00"`:  time.Date(2026, 5, 12, 8, 11, 12, 0, time.UTC),
		`"2026-05-12T10:11:12.123456"`: time.Date(2026, 5, 12, 10, 11, 12, 123456000, time.UTC),
		`"2026-05-12"`:                 time.Date(2026, 5, 12, 0, 0, 0, 0, time.UTC),
		`"2026-05-12 10:11:12+00:00"`:  time.Date(2026, 5, 12, 10, 11, 12, 0, time.UTC),
		`"soon"`:                       {}, `7`: {}, `null`: {}, `{}`: {},
	} {
		got := platform.Time{Time: time.Now()}
		if err := json.Unmarshal([]byte(text), &got); text == `null` {
			continue // which encoding/json does not tell
		} else if err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// A limit is waited for; a longer one ends the call.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reset    string
		refusals int
		wait     time.Duration
		calls    int
		ok       bool
	}{
		"a minute":        {"60", 1, time.Minute, 2, true},
		"too long":        {"91", 1, 0, 1, false},
		"again and again": {"60", 100, 5 * time.Minute, 6, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				mock := httpmock.NewMockTransport()
				mock.RegisterNoResponder(func(*http.Request) (*http.Response, error) {
					if calls++; calls <= tt.refusals {
						resp := httpmock.NewStringResponse(429, `{"error":{"type":"rate_limited","message":"slow"}}`)
						resp.Header.Set("X-Ratelimit-Reset", tt.reset)
						return resp, nil
					}
					return httpmock.NewStringResponse(200, `{"prices":[]}`), nil
				})
				api := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), HTTPClient: &http.Client{Transport: mock}}}
				start := time.Now()
				err := errOf(api.Prices(t.Context(), "a/b"))
				if (err == nil) != tt.ok || calls != tt.calls || time.Since(start) < tt.wait || time.Since(start) > tt.wait+time.Minute {
					t.Errorf("%v after %v and %d calls", err, time.Since(start), calls)
				}
			})
		})
	}
}
