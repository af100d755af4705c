package platform_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
)

// An id is letters, digits, hyphens and underscores, since it becomes a part of a
// path.
func TestIDs(t *testing.T) {
	t.Parallel()
	api := platform.API{Client: faltest.NewServer(t).Admin()}
	for id, want := range map[string]string{
		"azAZ09-_": "", "": "empty",
		"/": "is not an id", ":": "is not an id", "@": "is not an id", "[": "is not an id", "`": "is not an id", "{": "is not an id",
		".": "is not an id", "a b": "is not an id", "ä": "is not an id", "a?b": "is not an id", "a\n": "is not an id",
	} {
		_, err := api.DeletePayloads(t.Context(), id)
		if want == "" && (err == nil || !strings.Contains(err.Error(), "is not an id")) {
			continue // it was asked
		}
		if want == "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", id, err, want)
		}
	}
}

// Inputs are compared to a depth, lists item by item, and numbers by value as far
// as they can be.
func TestCompareAtTheEdge(t *testing.T) {
	t.Parallel()
	deep := func(open, end string, n int) string {
		return `{"a":` + strings.Repeat(open, n) + "1" + strings.Repeat(end, n) + "}"
	}
	for _, tt := range []struct{ sent, input, want string }{
		{deep("[", "]", 99), deep("[", "]", 99), "same"},
		{deep("[", "]", 100), deep("[", "]", 100), "similar"},
		{deep(`{"b":`, "}", 99), deep(`{"b":`, "}", 99), "same"},
		{deep(`{"b":`, "}", 100), deep(`{"b":`, "}", 100), "similar"},
		{`{"n":1e10}`, `{"n":10000000000}`, "same"},
		{`{"n":1e99}`, `{"n":10e98}`, "same"},
		{`{"n":1e100}`, `{"n":10e99}`, "other"}, // too large to be worked out
		{`{"n":1e100}`, `{"n":1e100}`, "same"},
		{`{"n":0.` + strings.Repeat("0", 57) + `1}`, `{"n":1e-58}`, "same"},
		{`{"n":0.` + strings.Repeat("0", 58) + `1}`, `{"n":1e-59}`, "other"},
		{`{"a":[1,2]}`, `{"a":[1,3]}`, "similar"},
		{`{"a":[1,2]}`, `{"a":[1]}`, "similar"},
		{`{"a":true}`, `{"a":false}`, "other"},
		{`{"a":"x"}`, `{"a":1}`, "other"},
		{`{"a":"data:x"}`, `{"a":"data:y"}`, "similar"},
		{`{"a":{"b":1}}`, `{"a":{"c":1}}`, "similar"},
	} {
		if got := platform.Compare(tt.sent, tt.input); got != tt.want {
			t.Errorf("%.60s and %.60s: %s, want %s", tt.sent, tt.input, got, tt.want)
		}
	}
}

// A span without a beginning is a day.
func TestSpanOfADay(t *testing.T) {
	t.Parallel()
	var spans []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spans = append(spans, r.URL.Query().Get("start")+" "+r.URL.Query().Get("end"))
		_, _ = io.WriteString(w, `{"billing_events":[]}`)
	}))
	defer srv.Close()
	api := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), Hosts: fal.Hosts{Platform: srv.URL}}}
	end := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for _, span := range []platform.Span{{End: end}, {}, {Start: end.Add(-time.Second), End: end}} {
		if err := errOf(api.BillingEvents(t.Context(), platform.BillingQuery{Span: span})); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"2026-11-01T12:00:00Z 2026-11-02T12:00:00Z", " ", "2026-11-02T11:59:59Z 2026-11-02T12:00:00Z"}, spans); diff != "" {
		t.Error(diff)
	}
	for _, span := range []platform.Span{{Start: end, End: end}, {Start: end.Add(1), End: end}} {
		if err := errOf(api.BillingEvents(t.Context(), platform.BillingQuery{Span: span})); err == nil {
			t.Errorf("%v was taken", span)
		}
	}
}

// A field may be made of a thousand choices, and each has a thousand of its own.
func TestManyChoices(t *testing.T) {
	t.Parallel()
	choices := func(name string, n int) string {
		return fmt.Sprintf(`"%s":{"anyOf":[%s]}`, name, strings.TrimSuffix(strings.Repeat(`{"type":"string"},`, n), ","))
	}
	nested := func(n int) string {
		return `"a":` + strings.Repeat(`{"anyOf":[`, n) + `{"type":"string"}` + strings.Repeat(`]}`, n)
	}
	for text, good := range map[string]bool{
		choices("a", 999) + "," + choices("b", 999): true,
		choices("a", 1000):                          false,
		nested(16):                                  true,
		nested(17):                                  false,
	} {
		_, err := platform.Model{Endpoint: "a/b", OpenAPI: json.RawMessage(description(text, ""))}.Fields()
		if (err == nil) != good {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

// Before what time a request is not proved absent.
func TestLags(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Handle("me/model", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	srv.Handle("me/trainer", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	now := time.Now()
	for _, tt := range []struct {
		endpoint string
		lag, age time.Duration
		until    time.Duration // after it was sent
	}{
		{"me/model", 0, time.Hour, 70 * time.Minute},
		{"me/trainer", 0, time.Hour, 24 * time.Hour},
		{"me/trainer", 2 * time.Hour, time.Hour, 2 * time.Hour},
	} {
		sent := now.Add(-tt.age)
		lost := &fal.OutcomeUnknownError{Endpoint: tt.endpoint, Sent: sent, Payload: func() json.RawMessage { return json.RawMessage(`{}`) }, Err: errors.New("lost")}
		findings, err := platform.Reconciler{Client: srv.Admin(), Lag: tt.lag}.Reconcile(t.Context(), lost)
		if err != nil || len(findings) != 1 {
			t.Fatal(findings, err)
		}
		if got := findings[0].AskAgain.Sub(sent); findings[0].Verdict != platform.Unknown || got != tt.until {
			t.Errorf("%s: %s, to be asked again after %v, want %v", tt.endpoint, findings[0].Verdict, got, tt.until)
		}
	}
}
