package fal_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal"
)

const (
	goodResult = `{"images":[{"url":"https://v3.fal.media/a.png"}],"seed":1}`
	page       = `<html><title>Just a moment...</title></html>`
)

// reply is an answer in a test.
type reply struct {
	status int
	body   string
	header string // a name: value
	cut    bool   // the connection breaks at its end
}

func (r reply) response() *http.Response {
	resp := httpmock.NewStringResponse(r.status, r.body)
	if r.cut {
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(r.body), errReader{}))
	}
	if name, value, ok := strings.Cut(r.header, ": "); ok {
		resp.Header.Set(name, value)
	}
	return resp
}

// inTurn answers with each reply in turn, and with the last for ever.
func inTurn(replies ...reply) httpmock.Responder {
	n := 0
	return func(*http.Request) (*http.Response, error) {
		r := replies[min(n, len(replies)-1)]
		n++
		return r.response(), nil
	}
}

// The table of answers: what the result of a completed job may be answered with,
// once and for ever, and what comes of it. Nothing is bought and nothing given
// back before it is certain how the job ended.
func TestResultTable(t *testing.T) {
	t.Parallel()
	const (
		reserved = "reserve fal-ai/flux-2-pro , accepted job-1"
		settled  = reserved + ", settled 1"
		released = reserved + ", released"
	)
	good := reply{200, goodResult, "X-Fal-Billable-Units: 1", false}
	completed := `{"status":"COMPLETED"}`
	for _, tt := range []struct {
		name    string
		status  string
		replies []reply
		err     string      // "" for the picture
		charged fal.Billing // where there is an error
		log     string
		gets    int           // at least
		most    time.Duration // until it is known
	}{
		{name: "good", replies: []reply{good}, log: settled, gets: 1},
		{name: "500 page once", replies: []reply{{500, page, "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "502 empty once", replies: []reply{{502, "", "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "503 with id once", replies: []reply{{503, page, "X-Fal-Request-Id: job-1", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "504 in fal's form once", replies: []reply{{504, `{"detail":"Gateway Timeout"}`, "X-Fal-Request-Id: r", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "500 of fal once", replies: []reply{{500, `{"detail":"oops","error_type":"internal_error"}`, "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "422 once", replies: []reply{{422, `{"detail":"no"}`, "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "page with 200 once", replies: []reply{{200, page, "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "empty with 200 once", replies: []reply{{200, "", "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "cut once", replies: []reply{{200, goodResult[:20], "", true}, good}, log: settled, gets: 2, most: time.Second},
		{name: "cut without a sign once", replies: []reply{{200, goodResult[:20], "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "403 page once", replies: []reply{{403, page, "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "404 once", replies: []reply{{404, `{"status":"NOT_FOUND"}`, "", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "429 for a day once", replies: []reply{{429, "", "Retry-After: 86400", false}, good}, log: settled, gets: 2, most: time.Second},
		{name: "still in progress", replies: []reply{{400, `{"detail":"Request is still in progress"}`, "", false}, good}, log: settled, gets: 2, most: time.Second},

		{name: "page for ever", replies: []reply{{200, page, "", false}}, err: "may be ready", charged: fal.BillingUnknown, log: reserved, gets: 20, most: 3 * time.Minute},
		{name: "500 page for ever", replies: []reply{{500, page, "", false}}, err: "may be ready", charged: fal.BillingUnknown, log: reserved, gets: 20, most: 4 * time.Minute},
		{name: "500 in fal's form for ever", replies: []reply{{500, `{"detail":"Internal Server Error"}`, "", false}}, err: "may be ready", charged: fal.BillingUnknown, log: reserved, gets: 20, most: 4 * time.Minute},
		{name: "500 of fal", replies: []reply{{500, `{"detail":"oops","error_type":"internal_error"}`, "X-Fal-Request-Id: job-1", false}}, err: "internal_error", charged: fal.NotBilled, log: released, gets: 2, most: time.Second},
		{name: "422", replies: []reply{{422, `{"detail":"no"}`, "X-Fal-Billable-Units: 1", false}}, err: "no", charged: fal.Billed, log: settled, gets: 2, most: time.Second},
		{name: "422, nothing said of units", replies: []reply{{422, `{"detail":"no"}`, "", false}}, err: "no", charged: fal.BillingUnknown, log: reserved, gets: 2, most: time.Second},
		{name: "an error with 200", replies: []reply{{200, `{"detail":[{"loc":["body"],"msg":"gone","type":"file_download_error"}]}`, "X-Fal-Billable-Units: 0", false}}, err: "file_download_error", charged: fal.NotBilled, log: released, gets: 2, most: time.Second},
		{name: "no picture", replies: []reply{{200, `{"images":[]}`, "X-Fal-Billable-Units: 1", false}}, err: "no picture", charged: fal.Billed, log: settled, gets: 2, most: time.Second},
		{name: "no picture, nothing said of units", replies: []reply{{200, `{}`, "", false}}, err: "no picture", charged: fal.BillingUnknown, log: reserved, gets: 2, most: time.Second},
		{name: "404", replies: []reply{{404, `{"status":"NOT_FOUND"}`, "", false}}, err: "check the request id", charged: fal.BillingUnknown, log: reserved, gets: 2, most: time.Second},
		{name: "405", replies: []reply{{405, `{"detail":"Method Not Allowed"}`, "", false}}, err: "check the endpoint", charged: fal.BillingUnknown, log: reserved, gets: 2, most: time.Second},
		{name: "locked", replies: []reply{{403, `{"detail":"User is locked."}`, "", false}}, err: "locked", charged: fal.BillingUnknown, log: reserved, gets: 2, most: time.Second},

		{name: "said failed", status: `{"status":"COMPLETED","error":"boom","error_type":"internal_error"}`, replies: []reply{{500, `{"detail":"boom"}`, "", false}}, err: "boom", charged: fal.NotBilled, log: released, gets: 1},
		{name: "said failed, the reason cut once", status: `{"status":"COMPLETED","error":"boom"}`, replies: []reply{{500, page, "", false}, {422, `{"detail":"why"}`, "X-Fal-Billable-Units: 0", false}}, err: "why", charged: fal.NotBilled, log: released, gets: 2, most: time.Second},
		{name: "said failed, no reason", status: `{"status":"COMPLETED","error":"boom"}`, replies: []reply{{502, page, "", false}}, err: "boom", charged: fal.BillingUnknown, log: reserved, gets: 2, most: time.Minute},
		{name: "said failed, and a picture", status: `{"status":"COMPLETED","error":"boom"}`, replies: []reply{good}, log: settled, gets: 1},
		{name: "a gateway's FAILED", status: `{"status":"FAILED","error":"worker died"}`, replies: []reply{{404, page, "", false}}, err: "worker died", charged: fal.BillingUnknown, log: reserved, gets: 1},
		{name: "a gateway's ERROR", status: `{"status":"error"}`, replies: []reply{{400, `{"detail":"Request is still in progress"}`, "", false}}, err: "ended as error", charged: fal.BillingUnknown, log: reserved, gets: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, l := newMock(), new(ledger)
				m.client.Guard, m.client.Retry.MaxAttempts = l, 1
				status := completed
				if tt.status != "" {
					status = tt.status
				}
				m.answer(http.MethodGet, jobURL+"/status", http.StatusOK, status)
				m.RegisterResponder(http.MethodGet, jobURL, inTurn(tt.replies...))
				start := time.Now()
				out, err := fal.Subscribe(t.Context(), m.client, request)
				took := time.Since(start)
				if (err != nil) != (tt.err != "") || err != nil && (!strings.Contains(err.Error(), tt.err) || fal.RequestID(err) != "job-1" || fal.Charged(err) != tt.charged || fal.NotSent(err)) {
					t.Errorf("got %v (%v), want %q (%v)", err, fal.Charged(err), tt.err, tt.charged)
				}
				if err == nil && len(out.Images) != 1 {
					t.Errorf("got %+v", out)
				}
				if log := strings.Join(l.log, ", "); log != tt.log {
					t.Errorf("the guard was told %q, want %q", log, tt.log)
				}
				if gets := m.calls(http.MethodGet, jobURL); gets < tt.gets {
					t.Errorf("%d times asked, want %d at least", gets, tt.gets)
				}
				if took > tt.most {
					t.Errorf("it took %v, want %v at most", took, tt.most)
				}
				if posts := m.calls(http.MethodPost, submitURL); posts != 1 {
					t.Errorf("%d submissions", posts)
				}
			})
		})
	}
}

// One odd answer among the polls ends no wait; fal's own word on the question,
// said twice, does, and so does an outage that lasts.
func TestStatusTable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		odd   reply
		twice bool // the second one ends the wait
	}{
		{"page with 200", reply{200, page, "", false}, false},
		{"empty", reply{200, "", "", false}, false},
		{"cut", reply{202, `{"status":"IN_PRO`, "", true}, false},
		{"other JSON", reply{200, `{"message":"ok"}`, "", false}, false},
		{"530", reply{530, "error code: 1033", "", false}, false},
		{"500 in fal's form", reply{500, `{"detail":"oops"}`, "", false}, false},
		{"403 page", reply{403, page, "", false}, false},
		{"404", reply{404, `{"status":"NOT_FOUND"}`, "", false}, true},
		{"401", reply{401, `{"detail":"No user found"}`, "", false}, true},
		{"locked", reply{403, `{"detail":"User is locked."}`, "", false}, true},
		{"410", reply{410, `{"detail":"gone"}`, "", false}, true},
	} {
		for _, always := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				m := newMock()
				m.client.Retry.MaxAttempts = 1
				replies := []reply{{202, `{"status":"IN_PROGRESS"}`, "", false}, tt.odd, {200, `{"status":"COMPLETED"}`, "", false}}
				if always {
					replies = replies[:2]
				}
				m.RegisterResponder(http.MethodGet, jobURL+"/status", inTurn(replies...))
				start := time.Now()
				_, err := fal.Subscribe(t.Context(), m.client, request)
				took := time.Since(start)
				if (err != nil) != always {
					t.Errorf("%s, always %t: %v", tt.name, always, err)
				}
				if _, ok := errors.AsType[*fal.JobError](err); always && (!ok || fal.RequestID(err) != "job-1") {
					t.Errorf("%s: error is a %T: %v", tt.name, err, err)
				}
				if most, least := 3*time.Minute, 2*time.Minute; always && !tt.twice && (took < least || took > most) || tt.twice && took > time.Second {
					t.Errorf("%s, always %t: it took %v", tt.name, always, took)
				}
			})
		}
	}
}

// However short the waits are that are allowed, one odd answer ends nothing.
func TestShortOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		m.client.Retry = fal.Retry{MaxAttempts: 1, MinWait: time.Millisecond, MaxWait: time.Millisecond}
		m.RegisterResponder(http.MethodGet, jobURL+"/status", inTurn(reply{202, `{"status":"IN_PROGRESS"}`, "", false}, reply{200, page, "", false}, reply{200, `{"status":"COMPLETED"}`, "", false}))
		m.RegisterResponder(http.MethodGet, jobURL, inTurn(reply{503, page, "", false}, reply{200, goodResult, "", false}, reply{503, page, "", false}))
		if _, err := fal.Subscribe(t.Context(), m.client, request); err != nil {
			t.Error(err)
		}
		start := time.Now()
		if _, err := fal.Subscribe(t.Context(), m.client, request); err == nil || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A status stream that tells nothing, be it silent or kept alive, is asked
// about beside it.
func TestSilentStreams(t *testing.T) {
	t.Parallel()
	for name, alive := range map[string]bool{"silent": false, "alive": true} {
		synctest.Test(t, func(t *testing.T) {
			m := newMock()
			m.completesAfter(10 * time.Second)
			m.RegisterResponder(http.MethodGet, jobURL+"/status/stream", func(r *http.Request) (*http.Response, error) {
				pr, pw := io.Pipe()
				go func() {
					_, _ = io.WriteString(pw, "data: {\"status\":\"IN_PROGRESS\"}\n\n")
					for r.Context().Err() == nil {
						time.Sleep(time.Second)
						if alive {
							_, _ = io.WriteString(pw, ": alive\n\n")
						}
					}
					pw.CloseWithError(r.Context().Err())
				}()
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: pr, Request: r}, nil
			})
			start := time.Now()
			if _, err := fal.Subscribe(t.Context(), m.client, request); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 16*time.Second {
				t.Errorf("%s: the end of the job was noticed after %v", name, took)
			}
		})
	}
}

// The last event counts although its end is missing, and lines may end in CR.
func TestStatusStreamEnds(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no blank line":  "data: {\"status\":\"COMPLETED\"}\n",
		"no line end":    "data: {\"status\":\"COMPLETED\"}",
		"carriage alone": "data: {\"status\":\"IN_PROGRESS\"}\r\rdata: {\"status\":\"COMPLETED\"}\r\r",
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMock()
			m.completesAfter(time.Hour)
			m.RegisterResponder(http.MethodGet, jobURL+"/status/stream", func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
			})
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			if _, err := fal.Subscribe(ctx, m.client, request); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// Wherever an answer is cut off, with a sign of it or without, the job is done
// in the end, and was asked for once.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	const status = `{"status":"COMPLETED","request_id":"job-1","queue_position":0,"logs":[{"message":"a"}],"metrics":{"inference_time":1.5}}`
	const result = `{"images":[{"url":"https://v3.fal.media/a.png","width":8,"height":8,"content_type":"image/png"}],"seed":7,"has_nsfw_concepts":[false]}`
	cases := 0
	for name, whole := range map[string]string{"status": status, "result": result, "event": "data: " + status + "\n\n", "submit": `{"status":"IN_QUEUE","request_id":"job-1","queue_position":0}`} {
		for at := range len(whole) {
			for _, told := range []bool{false, true} {
				cases++
				synctest.Test(t, func(t *testing.T) {
					m := newMock()
					m.client.Retry.MaxAttempts = 1
					cut := reply{200, whole[:at], "", told}
					m.answer(http.MethodGet, jobURL+"/status", 200, status)
					switch name {
					case "status":
						m.RegisterResponder(http.MethodGet, jobURL+"/status", inTurn(cut, reply{200, status, "", false}))
					case "result":
						m.RegisterResponder(http.MethodGet, jobURL, inTurn(cut, reply{200, result, "", false}))
					case "event":
						cut.header = "Content-Type: text/event-stream"
						m.RegisterResponder(http.MethodGet, jobURL+"/status/stream", inTurn(cut))
					case "submit":
						m.RegisterResponder(http.MethodPost, submitURL, inTurn(cut))
					}
					out, err := fal.Subscribe(t.Context(), m.client, request)
					_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
					if good := err == nil && len(out.Images) == 1; good == (name == "submit") || unknown != (name == "submit") {
						t.Errorf("%s cut at %d, told %t: %v", name, at, told, err)
					}
					if id := fal.RequestID(err); id != "" && id != "job-1" {
						t.Errorf("%s cut at %d: the id is said to be %q", name, at, id)
					}
					if n := m.calls(http.MethodPost, submitURL); n != 1 {
						t.Errorf("%s cut at %d: %d submissions", name, at, n)
					}
				})
			}
		}
	}
	t.Logf("%d cases", cases)
}
