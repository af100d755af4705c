package platform_test

import (
	"encoding/json"
	"errors"
	"fmt"
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

// lostAt is a request to an endpoint whose answer was lost.
func lostAt(endpoint string, sent time.Time) *fal.OutcomeUnknownError {
	return &fal.OutcomeUnknownError{Endpoint: endpoint, Sent: sent, Payload: func() json.RawMessage { return json.RawMessage(`{"prompt":"a fox"}`) }, Err: errors.New("lost")}
}

// listed is a row of the history; a zero time is none.
func listed(id string, sent time.Time, input string) string {
	at := `"sent_at":"` + sent.UTC().Format(time.RFC3339Nano) + `",`
	if sent.IsZero() {
		at = ""
	}
	return `{"request_id":"` + id + `",` + at + `"json_input":` + input + `}`
}

// billed is a bill of the app me/model.
func billed(id string, at time.Time) string {
	when := `"timestamp":"` + at.UTC().Format(time.RFC3339Nano) + `",`
	if at.IsZero() {
		when = ""
	}
	return `{"request_id":"` + id + `",` + when + `"endpoint_id":"me/model"}`
}

// records is what a platform has of an endpoint, and of bills.
type records struct {
	history  map[string][]string // by endpoint; one that is not there is not found
	byID     map[string]string   // by request id
	bills    []string
	noBills  bool
	models   []string
	problems map[string]int // statuses by path or endpoint
}

func (r records) desk() *desk {
	return &desk{answer: func(path string, query url.Values) (int, string) {
		endpoint := query.Get("endpoint_id")
		for _, place := range []string{path, endpoint} {
			if status := r.problems[place]; status != 0 {
				return status, `{"error":{"type":"x","message":"no"}}`
			}
		}
		switch {
		case strings.HasSuffix(path, "/billing-events") && r.noBills:
			return 403, forbidden
		case strings.HasSuffix(path, "/billing-events"):
			return 200, `{"billing_events":[` + strings.Join(r.bills, ",") + `]}`
		case path == "/v1/models":
			models := make([]string, len(r.models))
			for i, id := range r.models {
				models[i] = `{"endpoint_id":"` + id + `"}`
			}
			return 200, `{"models":[` + strings.Join(models, ",") + `]}`
		case query.Get("request_id") != "":
			return 200, `{"items":[` + r.byID[query.Get("request_id")] + `]}`
		}
		rows, there := r.history[endpoint]
		if !there {
			return 404, notFound
		}
		return 200, `{"items":[` + strings.Join(rows, ",") + `]}`
	}}
}

// What counts as the lost request: how far its time may be off, and its input.
func TestTimesAndInputs(t *testing.T) {
	t.Parallel()
	sent := time.Now().Add(-10 * time.Hour)
	const ours, more, another = `{"prompt":"a fox"}`, `{"prompt":"a fox","n":1}`, `{"prompt":"a dog"}`
	for name, tt := range map[string]struct {
		row       string
		unknown   bool // what was sent is not known
		want      platform.Verdict
		candidate bool
	}{
		"as early as may be":          {listed("x", sent.Add(-5*time.Minute), ours), false, platform.Found, false},
		"earlier":                     {listed("x", sent.Add(-5*time.Minute-1), ours), false, platform.Unknown, true},
		"as early as a clock may be":  {listed("x", sent.Add(-65*time.Minute), ours), false, platform.Unknown, true},
		"too early":                   {listed("x", sent.Add(-65*time.Minute-1), ours), false, platform.Absent, false},
		"as late as may be":           {listed("x", sent.Add(15*time.Minute), ours), false, platform.Found, false},
		"later":                       {listed("x", sent.Add(15*time.Minute+1), ours), false, platform.Unknown, true},
		"as late as a clock may be":   {listed("x", sent.Add(75*time.Minute), ours), false, platform.Unknown, true},
		"too late":                    {listed("x", sent.Add(75*time.Minute+1), ours), false, platform.Absent, false},
		"without a time":              {listed("x", time.Time{}, ours), false, platform.Unknown, true},
		"another, without a time":     {listed("x", time.Time{}, another), false, platform.Absent, false},
		"with more":                   {listed("x", sent, more), false, platform.Unknown, true},
		"with more, later":            {listed("x", sent.Add(20*time.Minute), more), false, platform.Absent, false},
		"with more, without a time":   {listed("x", time.Time{}, more), false, platform.Unknown, true},
		"another":                     {listed("x", sent, another), false, platform.Absent, false},
		"no input":                    {listed("x", sent, "null"), false, platform.Unknown, true},
		"no input, later":             {listed("x", sent.Add(20*time.Minute), "null"), false, platform.Absent, false},
		"what was sent is not known":  {listed("x", sent, another), true, platform.Unknown, true},
		"not known, later":            {listed("x", sent.Add(20*time.Minute), another), true, platform.Absent, false},
		"of another that we know":     {listed("known", sent, ours), false, platform.Absent, false},
		"of an earlier attempt":       {listed("before", sent, ours), false, platform.Absent, false},
		"of nothing that has an id":   {listed("", sent, ours), false, platform.Absent, false},
		"listed twice, and the first": {listed("x", sent, ours) + "," + listed("x", sent, another), false, platform.Found, false},
	} {
		lost := lostAt("me/model", sent)
		lost.Not = []string{"before"}
		if tt.unknown {
			lost.Payload = nil
		}
		d := records{history: map[string][]string{"me/model": {tt.row}}, noBills: true}.desk()
		r := platform.Reconciler{Client: d.client(), Known: func(id string) bool { return id == "known" }}
		f := reconcile(t, r, lost)[0]
		var candidates []string
		if tt.candidate {
			candidates = []string{"x"}
		}
		found := tt.want == platform.Found
		if f.Verdict != tt.want || (f.RequestID == "x") != found || (f.Request.ID == "x") != found || f.Request.Input != nil || !cmp.Equal(f.Candidates, candidates) {
			t.Errorf("%s: %+v, want %s", name, f, tt.want)
		}
	}
}

// What the platform is asked for: the time in which the request may be listed, and
// that of its bills.
func TestSpans(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now() // midnight, 1 January 2000
		at := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339Nano) }
		const history, bills = "GET /v1/models/requests/by-endpoint?", "GET /v1/models/billing-events?"
		asked := func(endpoint, start, end, billEnd string) []string {
			if end != "" {
				end = "end=" + end + "&"
			}
			return []string{
				history + end + "endpoint_id=" + endpoint + "&expand=payloads&limit=20&start=" + start,
				history + end + "endpoint_id=" + endpoint + "/stream&expand=payloads&limit=20&start=" + start,
				bills + "end=" + billEnd + "&endpoint_id=" + endpoint + "&start=" + start,
			}
		}
		const day = 24 * time.Hour
		for name, tt := range map[string]struct {
			lag  time.Duration
			sent []time.Duration // before now
			want []string
		}{
			"long ago":       {time.Hour, []time.Duration{5 * time.Hour}, asked("me/model", at(-6*time.Hour-5*time.Minute), at(-165*time.Minute), at(-225*time.Minute))},
			"two":            {time.Hour, []time.Duration{5 * time.Hour, 8 * time.Hour}, asked("me/model", at(-9*time.Hour-5*time.Minute), at(-165*time.Minute), at(-225*time.Minute))},
			"two, turned":    {time.Hour, []time.Duration{8 * time.Hour, 5 * time.Hour}, asked("me/model", at(-9*time.Hour-5*time.Minute), at(-165*time.Minute), at(-225*time.Minute))},
			"just now":       {time.Hour, []time.Duration{0}, asked("me/model", at(-65*time.Minute), "", at(0))},
			"until now":      {time.Hour, []time.Duration{135 * time.Minute}, asked("me/model", at(-200*time.Minute), "", at(-time.Hour))},
			"before now":     {time.Hour, []time.Duration{135*time.Minute + 1}, asked("me/model", at(-200*time.Minute-1), at(-1), at(-time.Hour-1))},
			"90 days ago":    {time.Hour, []time.Duration{90*day - 65*time.Minute}, asked("me/model", at(-90*day), at(-90*day+200*time.Minute), at(-90*day+140*time.Minute))},
			"longer ago":     {time.Hour, []time.Duration{90*day - 65*time.Minute + 1}, asked("me/model", at(-90*day+time.Minute), at(-90*day+200*time.Minute-1), at(-90*day+140*time.Minute-1))},
			"much longer":    {time.Hour, []time.Duration{400 * day}, asked("me/model", at(-90*day+time.Minute), "", at(-90*day+time.Minute+time.Second))},
			"until it began": {time.Hour, []time.Duration{90*day - time.Minute + 135*time.Minute}, asked("me/model", at(-90*day+time.Minute), "", at(-90*day+time.Minute+time.Second))},
		} {
			d := records{history: map[string][]string{"me/model": nil}}.desk()
			var lost []*fal.OutcomeUnknownError
			for _, ago := range tt.sent {
				lost = append(lost, lostAt("me/model", now.Add(-ago)))
			}
			reconcile(t, platform.Reconciler{Client: d.client(), Lag: tt.lag}, lost...)
			if diff := cmp.Diff(tt.want, d.asked); diff != "" {
				t.Errorf("%s: asked -want +got\n%s", name, diff)
			}
		}
	})
}

// Bills count as those of the lost request by their time, and by what the history
// has of them when it is asked for each.
func TestBillsOfTheLost(t *testing.T) {
	t.Parallel()
	sent := time.Now().Add(-10 * time.Hour)
	const lag = time.Hour
	ours := listed("b", sent, `{"prompt":"a fox"}`)
	for name, tt := range map[string]struct {
		records
		endpoint   string
		want       platform.Verdict
		candidates []string
		lookUps    int
	}{
		"none":                    {records{}, "me/model", platform.Absent, nil, 0},
		"at its earliest":         {records{bills: []string{billed("b", sent.Add(-5*time.Minute))}}, "me/model", platform.Unknown, []string{"b"}, 1},
		"earlier":                 {records{bills: []string{billed("b", sent.Add(-5*time.Minute-1))}}, "me/model", platform.Absent, nil, 0},
		"at its latest":           {records{bills: []string{billed("b", sent.Add(15*time.Minute+lag))}}, "me/model", platform.Unknown, []string{"b"}, 1},
		"later":                   {records{bills: []string{billed("b", sent.Add(15*time.Minute+lag+1))}}, "me/model", platform.Absent, nil, 0},
		"without a time":          {records{bills: []string{billed("b", time.Time{})}}, "me/model", platform.Unknown, []string{"b"}, 1},
		"of an earlier attempt":   {records{bills: []string{billed("before", sent)}}, "me/model", platform.Absent, nil, 0},
		"of another that we know": {records{bills: []string{billed("known", sent)}}, "me/model", platform.Absent, nil, 0},
		"found by its id":         {records{bills: []string{billed("b", sent)}, byID: map[string]string{"b": ours}}, "me/model", platform.Found, nil, 1},
		"listed":                  {records{bills: []string{billed("b", sent)}, history: map[string][]string{"me/model": {listed("b", sent, `{"prompt":"x"}`)}}}, "me/model", platform.Absent, nil, 0},
		"billed twice":            {records{bills: []string{billed("b", sent), billed("b", sent)}, byID: map[string]string{"b": ours}}, "me/model", platform.Found, nil, 1},
		"of a sibling": {records{
			bills: []string{billed("s", sent)}, models: []string{"me/model/a", "me/model/b", "me/models", "you/model"},
			history: map[string][]string{"me/model/a": nil, "me/model/b": {listed("s", sent, `{"prompt":"a fox"}`)}},
		}, "me/model/a", platform.Absent, nil, 0},
		"of the app itself": {records{
			bills: []string{billed("s", sent)}, models: []string{"me/model", "me/model/a"},
			history: map[string][]string{"me/model/a": nil, "me/model": {listed("s", sent, `{"prompt":"a fox"}`)}},
		}, "me/model/a", platform.Absent, nil, 0},
		"of one like it": {records{
			bills: []string{billed("s", sent)}, models: []string{"me/models", "you/model", "gone/model", "me/model/gone"},
			history: map[string][]string{"me/model/a": nil, "me/models": {listed("s", sent, "{}")}, "you/model": {listed("s", sent, "{}")}},
		}, "me/model/a", platform.Unknown, []string{"s"}, 1},
	} {
		if tt.history == nil {
			tt.history = map[string][]string{"me/model": nil}
		}
		lost := lostAt(tt.endpoint, sent)
		lost.Not = []string{"before"}
		d := tt.desk()
		r := platform.Reconciler{Client: d.client(), Lag: lag, Known: func(id string) bool { return id == "known" }}
		f := reconcile(t, r, lost)[0]
		lookUps := 0
		for _, line := range d.asked {
			if strings.Contains(line, "request_id=") {
				lookUps++
			}
		}
		if f.Verdict != tt.want || !cmp.Equal(f.Candidates, tt.candidates) || lookUps != tt.lookUps {
			t.Errorf("%s: %s, %q, %d look-ups: %q", name, f.Verdict, f.Candidates, lookUps, d.asked)
		}
		if again := time.Until(f.AskAgain); len(tt.candidates) > 0 && (again > lag || again < lag-time.Minute) {
			t.Errorf("%s: to be asked again in %v", name, again)
		}
		for _, line := range d.asked {
			if strings.HasPrefix(line, "GET /v1/models?") && line != "GET /v1/models?q=me/model" || strings.Contains(line, "endpoint_id=me/models") || strings.Contains(line, "you/model") ||
				strings.HasPrefix(line, "GET /v1/models?") && tt.endpoint == "me/model" || strings.Contains(line, "endpoint_id="+tt.endpoint+"&limit=100") { // its own bills and requests are known
				t.Errorf("%s: asked %s", name, line)
			}
		}
	}
}

// Of bills that the history does not list a hundred are asked for one by one, and
// none is forgotten.
func TestManyBills(t *testing.T) {
	t.Parallel()
	sent := time.Now().Add(-10 * time.Hour)
	var bills, ids []string
	for i := range 103 {
		ids = append(ids, "b"+strconv.Itoa(i))
		bills = append(bills, billed(ids[i], sent))
	}
	d := records{history: map[string][]string{"me/model": nil}, bills: bills}.desk()
	f := reconcile(t, platform.Reconciler{Client: d.client()}, lostAt("me/model", sent))[0]
	var asked []string
	for _, line := range d.asked {
		if _, id, ok := strings.Cut(line, "request_id="); ok {
			asked = append(asked, id)
		}
	}
	if f.Verdict != platform.Unknown || !slices.Equal(f.Candidates, ids) || !slices.Equal(asked, ids[:100]) {
		t.Errorf("%s, %d candidates, %d look-ups", f.Verdict, len(f.Candidates), len(asked))
	}
}

// A platform that does not answer is an error, whatever it was asked for; only bills
// may be kept from one, and are then asked for once.
func TestPlatformThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	sent := time.Now().Add(-10 * time.Hour)
	sibling := records{history: map[string][]string{"me/model/a": nil}, bills: []string{billed("s", sent)}, models: []string{"me/model/b"}}
	for name, problems := range map[string]map[string]int{
		"history":              {"me/model/a": 500},
		"no such endpoint":     {"me/model/a": 404},
		"streams":              {"me/model/a/stream": 500},
		"bills":                {"/v1/models/billing-events": 500},
		"models":               {"/v1/models": 500},
		"history of a sibling": {"me/model/b": 500},
	} {
		r := sibling
		r.problems = problems
		if findings, err := (platform.Reconciler{Client: r.desk().client()}).Reconcile(t.Context(), lostAt("me/model/a", sent)); err == nil || findings != nil {
			t.Errorf("%s: %v, %v", name, findings, err)
		}
	}
	d := records{history: map[string][]string{"me/a": nil, "me/b": nil}, noBills: true}.desk()
	for _, f := range reconcile(t, platform.Reconciler{Client: d.client()}, lostAt("me/a", sent), lostAt("me/b", sent)) {
		if f.Verdict != platform.Absent || f.Why != "the history is complete 1h10m0s after, and has no such request" {
			t.Errorf("%+v", f)
		}
	}
	if n := len(slices.DeleteFunc(d.asked, func(line string) bool { return !strings.Contains(line, "billing") })); n != 1 {
		t.Errorf("bills were asked for %d times", n)
	}
}

// An id that came with the answer decides, whenever the request was; where the queue
// does not know it, the history does.
func TestByID(t *testing.T) {
	t.Parallel()
	sent := time.Now().Add(-10 * time.Hour)
	const status = "/me/model/requests/x/status"
	row := listed("x", sent.Add(-1000*time.Hour), `{"prompt":"a dog"}`)
	for name, tt := range map[string]struct {
		records
		want platform.Verdict
		fail bool
	}{
		"known to the queue":         {records{}, platform.Found, false},
		"known to the history":       {records{byID: map[string]string{"x": row}, problems: map[string]int{status: 404}}, platform.Found, false},
		"known to neither":           {records{problems: map[string]int{status: 404}}, platform.Absent, false},
		"the queue does not answer":  {records{byID: map[string]string{"x": row}, problems: map[string]int{status: 403}}, "", true},
		"another's in the histories": {records{byID: map[string]string{"x": listed("y", sent, `{"prompt":"a fox"}`)}, problems: map[string]int{status: 404}}, platform.Found, false},
	} {
		tt.history = map[string][]string{"me/model": nil}
		d := tt.desk()
		inner := d.answer
		d.answer = func(path string, query url.Values) (int, string) {
			if path == status && tt.problems[status] == 0 {
				return 200, `{"status":"IN_QUEUE"}`
			} else if path == status {
				return tt.problems[status], `{"detail":"no"}`
			}
			return inner(path, query)
		}
		lost := lostAt("me/model", sent)
		lost.RequestID = "x"
		c := d.client()
		c.Retry.MaxWait = time.Millisecond
		findings, err := platform.Reconciler{Client: c}.Reconcile(t.Context(), lost)
		if tt.fail {
			if err == nil || !strings.Contains(err.Error(), "asking for job x") {
				t.Errorf("%s: %v, %v", name, findings, err)
			}
			continue
		}
		if err != nil || findings[0].Verdict != tt.want {
			t.Errorf("%s: %+v, %v", name, findings, err)
			continue
		}
		if (findings[0].Request.ID != "") != (tt.byID["x"] != "") {
			t.Errorf("%s: the history's request is %+v", name, findings[0].Request)
		}
	}
}

// The history's result is that of the request alone, once it has one.
func TestResult(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		`{"request_id":"x","status_code":200,"json_output":{"a":1}}`: `200 {"a":1}`,
		`{"request_id":"x","status_code":422,"json_output":{"d":1}}`: `422 {"d":1}`,
		`{"request_id":"x","status_code":200,"json_output":null}`:    "",
		`{"request_id":"x","status_code":400,"json_output":null}`:    "400 ", // it failed, and no more is known
		`{"request_id":"x","status_code":500}`:                       "500 ",
		`{"request_id":"x","status_code":399}`:                       "",
		`{"request_id":"y","status_code":500}`:                       "",
		`{"request_id":"x","status_code":200}`:                       "",
		`{"request_id":"x","json_output":{"a":1}}`:                   "",
		`{"request_id":"y","status_code":200,"json_output":{"a":1}}`: "",
		``: "",
	} {
		d := records{byID: map[string]string{"x": row}}.desk()
		status, body, err := platform.Reconciler{Client: d.client()}.Result(t.Context(), "me/model", "x")
		got := ""
		if err == nil {
			got = fmt.Sprintf("%d %s", status, body)
		}
		if got != want || err != nil && !strings.Contains(err.Error(), "does not have the result of request x") {
			t.Errorf("%s: %q, %v, want %q", row, got, err, want)
		}
	}
	d := records{problems: map[string]int{"me/model": 500}}.desk()
	if _, _, err := (platform.Reconciler{Client: d.client()}).Result(t.Context(), "me/model", "x"); err == nil || strings.Contains(err.Error(), "does not have") {
		t.Error(err)
	}
}
