package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/platform"
)

// desk is a platform that answers as it is told, and notes what it was asked.
type desk struct {
	answer func(path string, query url.Values) (status int, body string)
	asked  []string
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/" { // for the time alone, which each answer tells
		return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Body: http.NoBody}, nil
	}
	line := r.Method + " " + r.URL.Path
	if query, err := url.QueryUnescape(r.URL.RawQuery); err == nil && query != "" {
		line += "?" + query
	}
	if r.Body != nil {
		if body, err := io.ReadAll(r.Body); err == nil && len(body) > 0 {
			line += " " + string(body)
		}
	}
	d.asked = append(d.asked, line)
	status, body := d.answer(r.URL.Path, r.URL.Query())
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests {
		w.Header().Set("X-Ratelimit-Reset", body)
		body = `{"error":{"type":"rate_limited","message":"slow"}}`
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	return w.Result(), nil
}

func (d *desk) client() *fal.Client {
	return &fal.Client{Key: fal.NewKey("a:bcdefgh"), HTTPClient: &http.Client{Transport: d}, Retry: fal.Retry{MaxAttempts: 1}}
}

func (d *desk) api() platform.API { return platform.API{Client: d.client()} }

const (
	notFound  = `{"error":{"type":"not_found","message":"no such endpoint"}}`
	forbidden = `{"error":{"type":"authorization_error","message":"no"}}`
)

// What each call asks the platform for, and that what is wrong is not asked for.
func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	type ctx = context.Context
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.FixedZone("", 3600))
	ids := func(n int) (all []string) {
		for i := range n {
			all = append(all, "i"+strconv.Itoa(i))
		}
		return all
	}
	in := func(n int) string { return "endpoint_id=" + strings.Join(ids(n), "&endpoint_id=") }
	for name, tt := range map[string]struct {
		call func(ctx, platform.API) error
		want []string
	}{
		"models": {func(c ctx, a platform.API) error { return errOf(a.Models(c, platform.ModelQuery{})) }, []string{"GET /v1/models"}},
		"models, all fields": {func(c ctx, a platform.API) error {
			return errOf(a.Models(c, platform.ModelQuery{Endpoints: []string{"a/b"}, Search: "s", Category: "c", Status: "active", OpenAPI: true, Enterprise: true, PageSize: 1000}))
		}, []string{"GET /v1/models?category=c&endpoint_id=a/b&expand=openapi-3.0,enterprise_status&limit=1000&q=s&status=active"}},
		"models with OpenAPI": {func(c ctx, a platform.API) error {
			return errOf(a.Models(c, platform.ModelQuery{OpenAPI: true, PageSize: 1}))
		}, []string{"GET /v1/models?expand=openapi-3.0&limit=1"}},
		"51 models": {func(c ctx, a platform.API) error {
			return errOf(a.Models(c, platform.ModelQuery{Endpoints: ids(51)}))
		}, []string{"GET /v1/models?" + in(50), "GET /v1/models?endpoint_id=i50"}},
		"50 prices": {func(c ctx, a platform.API) error { return errOf(a.Prices(c, ids(50)...)) }, []string{"GET /v1/models/pricing?" + in(50)}},
		"calls": {func(c ctx, a platform.API) error {
			return second(a.EstimateCalls(c, map[string]int{"a/b": 1, "c/d": 2}))
		}, []string{`POST /v1/models/pricing/estimate {"endpoints":{"a/b":{"call_quantity":1},"c/d":{"call_quantity":2}},"estimate_type":"historical_api_price"}`}},
		"no calls of it": {func(c ctx, a platform.API) error { return second(a.EstimateCalls(c, map[string]int{"a/b": 0})) }, nil},
		"units": {func(c ctx, a platform.API) error {
			return second(a.EstimateUnits(c, map[string]json.Number{"a/b": "1.50"}))
		}, []string{`POST /v1/models/pricing/estimate {"endpoints":{"a/b":{"unit_quantity":1.50}},"estimate_type":"unit_price"}`}},
		"requests": {func(c ctx, a platform.API) error { return errOf(a.Requests(c, platform.RequestQuery{Endpoint: "a/b"})) }, []string{"GET /v1/models/requests/by-endpoint?endpoint_id=a/b"}},
		"requests, all fields": {func(c ctx, a platform.API) error {
			return errOf(a.Requests(c, platform.RequestQuery{Span: platform.Span{Start: at.Add(-time.Minute), End: at}, Endpoint: "a/b", RequestID: "r", Status: "success", Payloads: true, Longest: true, PageSize: 100}))
		}, []string{"GET /v1/models/requests/by-endpoint?end=2026-11-02T11:00:00Z&endpoint_id=a/b&expand=payloads&limit=100&request_id=r&sort_by=duration&start=2026-11-02T10:59:00Z&status=success"}},
		"requests of no endpoint": {func(c ctx, a platform.API) error { return errOf(a.Requests(c, platform.RequestQuery{RequestID: "r"})) }, nil},
		"requests, a large page": {func(c ctx, a platform.API) error {
			return errOf(a.Requests(c, platform.RequestQuery{Endpoint: "a/b", PageSize: 101}))
		}, nil},
		"requests of 90 days": {func(c ctx, a platform.API) error {
			return errOf(a.Requests(c, platform.RequestQuery{Endpoint: "a/b", Span: platform.Span{Start: at.Add(-90 * 24 * time.Hour), End: at}}))
		}, []string{"GET /v1/models/requests/by-endpoint?end=2026-11-02T11:00:00Z&endpoint_id=a/b&start=2026-08-04T11:00:00Z"}},
		"requests of longer": {func(c ctx, a platform.API) error {
			return errOf(a.Requests(c, platform.RequestQuery{Endpoint: "a/b", Span: platform.Span{Start: at.Add(-90*24*time.Hour - 1), End: at}}))
		}, []string{
			"GET /v1/models/requests/by-endpoint?end=2026-11-02T10:59:59.999999999Z&endpoint_id=a/b&start=2026-08-04T10:59:59.999999999Z",
			"GET /v1/models/requests/by-endpoint?end=2026-11-02T11:00:00Z&endpoint_id=a/b&start=2026-11-02T10:59:59.999999999Z",
		}},
		"search": {func(c ctx, a platform.API) error { return errOf(a.Search(c, platform.SearchQuery{Text: "a fox"})) }, []string{"GET /v1/models/requests/search?query=a fox"}},
		"search for a picture": {func(c ctx, a platform.API) error {
			return errOf(a.Search(c, platform.SearchQuery{ImageURL: "https://x/y", MinSimilarity: 1}))
		}, []string{"GET /v1/models/requests/search?image_url=https://x/y&min_similarity=1"}},
		"search for a video": {func(c ctx, a platform.API) error {
			return errOf(a.Search(c, platform.SearchQuery{VideoURL: "v", MinSimilarity: 0.25, APIOnly: true}))
		}, []string{"GET /v1/models/requests/search?min_similarity=0.25&only_api_requests=true&video_url=v"}},
		"search for two": {func(c ctx, a platform.API) error {
			return errOf(a.Search(c, platform.SearchQuery{Text: "a", VideoURL: "v"}))
		}, nil},
		"search for the unlike": {func(c ctx, a platform.API) error {
			return errOf(a.Search(c, platform.SearchQuery{Text: "a", MinSimilarity: -0.5}))
		}, nil},
		"search for more than same": {func(c ctx, a platform.API) error {
			return errOf(a.Search(c, platform.SearchQuery{Text: "a", MinSimilarity: 1.01}))
		}, nil},
		"search for no number": {func(c ctx, a platform.API) error {
			return errOf(a.Search(c, platform.SearchQuery{Text: "a", MinSimilarity: math.NaN()}))
		}, nil},
		"bills": {func(c ctx, a platform.API) error { return errOf(a.BillingEvents(c, platform.BillingQuery{})) }, []string{"GET /v1/models/billing-events"}},
		"bills, all fields": {func(c ctx, a platform.API) error {
			return errOf(a.BillingEvents(c, platform.BillingQuery{Span: platform.Span{End: at}, RequestIDs: ids(51), Endpoints: []string{"a/b", "c/d"}, APIKeyIDs: []string{"k"}, Logins: []string{"me"}, PageSize: 10_000}))
		}, []string{
			"GET /v1/models/billing-events?api_key_id=k&end=2026-11-02T11:00:00Z&endpoint_id=a/b&endpoint_id=c/d&limit=10000&login_username=me&request_id=" + strings.Join(ids(50), "&request_id=") + "&start=2026-11-01T11:00:00Z",
			"GET /v1/models/billing-events?api_key_id=k&end=2026-11-02T11:00:00Z&endpoint_id=a/b&endpoint_id=c/d&limit=10000&login_username=me&request_id=i50&start=2026-11-01T11:00:00Z",
		}},
		"bills of 51 logins": {func(c ctx, a platform.API) error {
			return errOf(a.BillingEvents(c, platform.BillingQuery{Logins: ids(51)}))
		}, nil},
		"bills of no time": {func(c ctx, a platform.API) error {
			return errOf(a.BillingEvents(c, platform.BillingQuery{Span: platform.Span{Start: at, End: at}}))
		}, nil},
		"usage": {func(c ctx, a platform.API) error { return second(a.Usage(c, platform.UsageQuery{})) }, []string{"GET /v1/models/usage?expand=time_series,summary"}},
		"usage, all fields": {func(c ctx, a platform.API) error {
			return second(a.Usage(c, platform.UsageQuery{Span: platform.Span{Start: at.Add(-time.Hour), End: at}, Endpoints: []string{"a/b"}, APIKeyIDs: []string{"k"}, Logins: []string{"me"}, Timeframe: "day", Timezone: "Europe/Berlin"}))
		}, []string{"GET /v1/models/usage?api_key_id=k&end=2026-11-02T11:00:00Z&endpoint_id=a/b&expand=time_series,summary&login_username=me&start=2026-11-02T10:00:00Z&timeframe=day&timezone=Europe/Berlin"}},
		"usage of no time": {func(c ctx, a platform.API) error {
			return second(a.Usage(c, platform.UsageQuery{Span: platform.Span{Start: at, End: at.Add(-1)}}))
		}, nil},
		"account":          {func(c ctx, a platform.API) error { return second(a.Account(c)) }, []string{"GET /v1/account/billing?expand=credits"}},
		"keys":             {func(c ctx, a platform.API) error { return errOf(a.Keys(c)) }, []string{"GET /v1/keys"}},
		"a key that goes":  {func(c ctx, a platform.API) error { return a.DeleteKey(c, "k-1") }, []string{"DELETE /v1/keys/k-1"}},
		"no key that goes": {func(c ctx, a platform.API) error { return a.DeleteKey(c, "../x") }, nil},
		"payloads that go": {func(c ctx, a platform.API) error { return second(a.DeletePayloads(c, "r-1")) }, []string{"DELETE /v1/models/requests/r-1/payloads"}},
		"who reads":        {func(c ctx, a platform.API) error { return second(a.FileAccess(c, "https://x/y")) }, []string{"GET /v1/storage/files/acl?url=https://x/y"}},
		"who is to read": {func(c ctx, a platform.API) error {
			return a.SetFileAccess(c, "f", platform.FileAccess{Default: fal.AccessHide})
		}, []string{`PUT /v1/storage/files/acl?url=f {"default":"hide","rules":[]}`}},
		"who else": {func(c ctx, a platform.API) error {
			return a.SetFileAccess(c, "f", platform.FileAccess{Default: fal.AccessForbid, Rules: []platform.UserRule{{User: "me", Access: fal.AccessAllow}}})
		}, []string{`PUT /v1/storage/files/acl?url=f {"default":"forbid","rules":[{"user":"me","decision":"allow"}]}`}},
		"who else, oddly": {func(c ctx, a platform.API) error {
			return a.SetFileAccess(c, "f", platform.FileAccess{Default: fal.AccessForbid, Rules: []platform.UserRule{{User: "me", Access: "read"}}})
		}, nil},
		"signed for a second":     {func(c ctx, a platform.API) error { return second(a.SignFile(c, "f", 1999*time.Millisecond)) }, []string{`POST /v1/storage/files/sign?url=f {"expiration_seconds":1}`}},
		"signed for one second":   {func(c ctx, a platform.API) error { return second(a.SignFile(c, "f", time.Second)) }, []string{`POST /v1/storage/files/sign?url=f {"expiration_seconds":1}`}},
		"signed for a week":       {func(c ctx, a platform.API) error { return second(a.SignFile(c, "f", 168*time.Hour)) }, []string{`POST /v1/storage/files/sign?url=f {"expiration_seconds":604800}`}},
		"signed for more":         {func(c ctx, a platform.API) error { return second(a.SignFile(c, "f", 168*time.Hour+1)) }, nil},
		"signed for less":         {func(c ctx, a platform.API) error { return second(a.SignFile(c, "f", time.Second-1)) }, nil},
		"settings":                {func(c ctx, a platform.API) error { return second(a.StorageSettings(c)) }, []string{"GET /v1/storage/settings"}},
		"settings, others":        {func(c ctx, a platform.API) error { return a.SetStorageSettings(c, json.RawMessage(`{"a":1}`)) }, []string{`PUT /v1/storage/settings {"a":1}`}},
		"a key without its alias": {func(c ctx, a platform.API) error { _, _, err := a.CreateKey(c, ""); return err }, nil},
	} {
		d := &desk{answer: func(string, url.Values) (int, string) {
			return 200, `{"models":[],"prices":[],"items":[],"billing_events":[],"keys":[]}`
		}}
		err := tt.call(t.Context(), d.api())
		if diff := cmp.Diff(tt.want, d.asked); diff != "" || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %v, asked -want +got\n%s", name, err, diff)
		}
	}
}

// A key that is made comes whole, or as id and secret; without either it is an error
// that has the id.
func TestKeysThatAreMade(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"key_id":"i","key_secret":"s"}`:                 "Key i:s",
		`{"key_id":"i","key_secret":"s","key":"whole:k"}`: "Key whole:k",
		`{"key_id":"i"}`: "",
	} {
		d := &desk{answer: func(string, url.Values) (int, string) { return 200, body }}
		id, key, err := d.api().CreateKey(t.Context(), "ci")
		if id != "i" || (err == nil) != (want != "") || !slices.Equal(d.asked, []string{`POST /v1/keys {"alias":"ci"}`}) {
			t.Errorf("%s: %s, %v, asked %q", body, id, err, d.asked)
		}
		if want == "" {
			continue
		}
		used := ""
		c := &fal.Client{Key: key, HTTPClient: &http.Client{Transport: authorized(func(a string) { used = a })}, Retry: fal.Retry{MaxAttempts: 1}}
		_ = c.Platform(t.Context(), http.MethodGet, "/v1/keys", nil, nil, nil)
		if used != want {
			t.Errorf("%s: the key is %q, want %q", body, used, want)
		}
	}
}

// authorized is told what requests are authorized by.
type authorized func(string)

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	a(r.Header.Get("Authorization"))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// Pages are read to the end, whichever way the platform says where that is.
func TestPages(t *testing.T) {
	t.Parallel()
	const row = `{"billing_events":[{"request_id":"r"}]`
	for name, tt := range map[string]struct {
		pages []string // by what follows the list of each
		calls int
		rows  int
		want  string
	}{
		"one":                      {[]string{row + "}"}, 1, 1, ""},
		"by cursors alone":         {[]string{row + `,"next_cursor":"1"}`, row + `,"next_cursor":"2"}`, row + `,"next_cursor":null}`}, 3, 3, ""},
		"by both":                  {[]string{row + `,"next_cursor":"1","has_more":true}`, row + `,"next_cursor":"2","has_more":false}`}, 2, 2, ""},
		"a cursor that is none":    {[]string{row + `,"next_cursor":1}`}, 1, 0, "not as expected"},
		"the same one again":       {[]string{row + `,"next_cursor":"1"}`, row + `,"next_cursor":"1"}`}, 2, 2, "do not come to an end"},
		"99 empty, then something": {append(slices.Repeat([]string{`{"billing_events":[],"next_cursor":"N"}`}, 99), row+`,"next_cursor":"N"}`, row+"}"), 101, 2, ""},
		"99 empty, twice": {append(append(slices.Repeat([]string{`{"billing_events":[],"next_cursor":"N"}`}, 99), row+`,"next_cursor":"N"}`),
			append(slices.Repeat([]string{`{"billing_events":[],"next_cursor":"N"}`}, 99), row+"}")...), 200, 2, ""},
		"100 empty": {slices.Repeat([]string{`{"billing_events":[],"next_cursor":"N"}`}, 102), 100, 0, "do not come to an end"},
	} {
		calls := 0
		d := &desk{answer: func(_ string, query url.Values) (int, string) {
			if cursor := query.Get("cursor"); cursor != "" && cursor != strconv.Itoa(calls) {
				t.Errorf("%s: call %d with cursor %s", name, calls, cursor)
			}
			calls++
			return 200, strings.Replace(tt.pages[calls-1], `"N"`, fmt.Sprintf(`"%d"`, calls), 1)
		}}
		rows := 0
		var err error
		for _, err = range d.api().BillingEvents(t.Context(), platform.BillingQuery{}) {
			if err == nil {
				rows++
			}
		}
		if calls != tt.calls || rows != tt.rows || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %d calls, %d rows, %v", name, calls, rows, err)
		}
	}
	d := &desk{answer: func(string, url.Values) (int, string) { return 200, row + `,"next_cursor":"1"}` }}
	for _, err := range d.api().BillingEvents(t.Context(), platform.BillingQuery{RequestIDs: make([]string, 51)}) {
		if err != nil {
			t.Error(err)
		}
		break // ends it
	}
	if len(d.asked) != 1 {
		t.Errorf("%d calls for the first row", len(d.asked))
	}
}

// What the platform asks to wait is waited, up to 90 seconds, and whoever leaves is
// told of both.
func TestWaits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reset    string
		patience time.Duration
		takes    time.Duration
		calls    int
		want     error
	}{
		"90 seconds":    {"90", time.Hour, 90 * time.Second, 2, nil},
		"91 seconds":    {"91", time.Hour, 0, 1, fal.ErrRateLimited},
		"no time":       {"", time.Hour, 0, 1, fal.ErrRateLimited},
		"leaving it":    {"60", 20 * time.Second, 20 * time.Second, 1, context.DeadlineExceeded},
		"leaving it, 2": {"60", 20 * time.Second, 20 * time.Second, 1, fal.ErrRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &desk{}
				d.answer = func(string, url.Values) (int, string) {
					if len(d.asked) > 1 {
						return 200, `{"prices":[]}`
					}
					return 429, tt.reset
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				start := time.Now()
				err := errOf(d.api().Prices(ctx, "a/b"))
				if took := time.Since(start); took != tt.takes || len(d.asked) != tt.calls || !errors.Is(err, tt.want) {
					t.Errorf("%v after %v and %d calls", err, took, len(d.asked))
				}
			})
		})
	}
}

// Which fields a description has.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	chain := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"R%d":{"$ref":"#/components/schemas/R%d"}`, i, i+1)
		}
		fmt.Fprintf(&b, `,"R%d":{"type":"string"}`, n)
		return b.String()
	}
	const ref = `"a":{"$ref":"#/components/schemas/R0"}`
	for name, tt := range map[string]struct {
		text string
		want []platform.Field // nil is an error
	}{
		"15 references":       {description(ref, chain(14)), []platform.Field{{Name: "a", Type: "string", Required: true}}},
		"16 references":       {description(ref, chain(15)), nil},
		"the order of others": {description(`"z":{},"a":{},"y":{},"x":{}`, ""), []platform.Field{{Name: "a", Required: true}, {Name: "x"}, {Name: "y"}, {Name: "z"}}},
		"the first default":   {description(`"a":{"default":1,"anyOf":[{"default":2}]}`, ""), []platform.Field{{Name: "a", Required: true, Default: []byte("1")}}},
		"a default below":     {description(`"a":{"default":null,"oneOf":[{"default":2}]}`, ""), []platform.Field{{Name: "a", Required: true, Default: []byte("2")}}},
		"nullable below":      {description(`"a":{"allOf":[{"nullable":true},{"nullable":false}]}`, ""), []platform.Field{{Name: "a", Required: true, Nullable: true}}},
		"a constant":          {description(`"a":{"type":"string","enum":["x","x",null],"const":"y"}`, ""), []platform.Field{{Name: "a", Type: "string", Required: true, Enum: []string{"x", "y"}}}},
		"all types": {description(`"a":{"type":["string","integer","number","boolean","array","object","object","null"]}`, ""), []platform.Field{
			{Name: "a", Type: "array or boolean or integer or number or object or string", Required: true, Nullable: true},
		}},
		"all limits": {description(`"a":{"minimum":1,"maximum":2,"exclusiveMinimum":3,"exclusiveMaximum":4,"multipleOf":5,"minLength":6,"maxLength":7,"minItems":8,"maxItems":null,"other":9,"anyOf":[{"minimum":0}]}`, ""), []platform.Field{
			{Name: "a", Required: true, Limits: map[string]json.Number{"minimum": "1", "maximum": "2", "exclusiveMinimum": "3", "exclusiveMaximum": "4", "multipleOf": "5", "minLength": "6", "maxLength": "7", "minItems": "8"}},
		}},
		"a type that is a number": {description(`"a":{"type":[7]}`, ""), nil},
		"the same input twice":    {twoInputs(`{"properties":{"a":{}}}`, `{"properties":{"a":{}}}`, "application/json"), []platform.Field{{Name: "a"}}},
		"two inputs":              {twoInputs(`{"properties":{"a":{}}}`, `{"properties":{"b":{}}}`, "application/json"), nil},
		"another form of it":      {twoInputs(`{"properties":{"a":{}}}`, `{"properties":{"b":{}}}`, "multipart/form-data"), []platform.Field{{Name: "a"}}},
	} {
		got, err := platform.Model{Endpoint: "a/b", OpenAPI: json.RawMessage(tt.text)}.Fields()
		if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

func twoInputs(one, two, kind string) string {
	at := func(path, kind, schema string) string {
		return `"` + path + `":{"post":{"requestBody":{"content":{"` + kind + `":{"schema":` + schema + `}}}}}`
	}
	return `{"paths":{` + at("/a", "application/json", one) + "," + at("/b", kind, two) + `}}`
}
