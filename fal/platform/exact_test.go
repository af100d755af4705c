package platform_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal/platform"
)

// The history is complete when the lag is over, and not a moment before.
func TestAtTheLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := records{history: map[string][]string{"me/model": nil}, noBills: true}.desk()
		r := platform.Reconciler{Client: d.client(), Lag: time.Hour}
		for age, want := range map[time.Duration]platform.Verdict{
			time.Hour - 1: platform.Unknown, time.Hour: platform.Absent, time.Hour + 1: platform.Absent,
			30 * 24 * time.Hour: platform.Absent, 30*24*time.Hour + 1: platform.Unknown,
		} {
			sent := time.Now().Round(0).Add(-age)
			if f := reconcile(t, r, lostAt("me/model", sent))[0]; f.Verdict != want || !f.AskAgain.IsZero() && !f.AskAgain.Equal(sent.Add(time.Hour)) {
				t.Errorf("%v after it was sent: %+v", age, f)
			}
		}
	})
}

// Single requests are asked for with what was sent and what came back: that is what tells
// them apart, and where the result of a direct call is.
func TestAsksForPayloads(t *testing.T) {
	t.Parallel()
	sent := time.Now().Add(-10 * time.Hour)
	for name, tt := range map[string]struct{ id, bill string }{"by its id": {id: "x"}, "by its bill": {bill: billed("x", sent)}} {
		inner := records{history: map[string][]string{"me/model": nil}, bills: []string{tt.bill}, problems: map[string]int{"/me/model/requests/x/status": 404}}.desk()
		d := &desk{answer: func(path string, query url.Values) (int, string) {
			row := listed("x", sent, "null")
			if query.Get("expand") == "payloads" {
				row = strings.TrimSuffix(listed("x", sent, `{"prompt":"a fox"}`), "}") + `,"json_output":{"a":1}}`
			}
			if query.Get("request_id") != "" {
				return 200, `{"items":[` + row + `]}`
			}
			return inner.answer(path, query)
		}}
		lost := lostAt("me/model", sent)
		lost.RequestID = tt.id
		f := reconcile(t, platform.Reconciler{Client: d.client()}, lost)[0]
		if f.Verdict != platform.Found || f.RequestID != "x" || string(f.Request.Output) != `{"a":1}` {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
