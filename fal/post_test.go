package fal_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// The table of answers: what comes of a POST, by what it is answered with. What
// may have been accepted is sent once, and nothing of it is given back.
func TestPostTable(t *testing.T) {
	t.Parallel()
	const (
		done    = ""
		unknown = "OutcomeUnknownError"
		decode  = "DecodeError"
		failed  = "Error"
		notSent = "NotSent"
		kept    = "kept"
		settled = "settled"
		back    = "released"
	)
	// want is what comes of a verb: the kind of the error and of the reservation.
	type want struct{ err, fate string }
	refused, lost := want{failed, back}, want{unknown, kept}
	all := func(w want) [3]want { return [3]want{w, w, w} }
	const billed = "X-Fal-Billable-Units: 1"
	for _, tt := range []struct {
		name  string
		reply reply
		fails error
		posts int
		want  [3]want // Submit, Run, Stream
	}{
		{name: "good", reply: reply{200, "GOOD", billed, false}, posts: 1, want: [3]want{{done, kept}, {done, settled}, {done, settled}}},
		{name: "cut off", reply: reply{200, "GOOD", billed, true}, posts: 1, want: all(lost)},
		{name: "empty", reply: reply{200, "", "", false}, posts: 1, want: all(lost)},
		{name: "a page", reply: reply{200, page, "", false}, posts: 1, want: all(lost)},
		{name: "no picture, units told", reply: reply{200, "NONE", billed, false}, posts: 1, want: [3]want{lost, {decode, settled}, {decode, settled}}},
		{name: "no picture", reply: reply{200, "NONE", "", false}, posts: 1, want: [3]want{lost, {decode, kept}, {decode, kept}}},
		{name: "detail, units told", reply: reply{200, "DETAIL", billed, false}, posts: 1, want: [3]want{lost, {failed, settled}, {failed, settled}}},
		{name: "detail, no units", reply: reply{200, "DETAIL", "X-Fal-Billable-Units: 0", false}, posts: 1, want: [3]want{lost, {failed, back}, {failed, back}}},
		{name: "429", reply: reply{429, `{"detail":"slow"}`, "", false}, posts: 4, want: all(refused)},
		{name: "429 for a day", reply: reply{429, "", "Retry-After: 86400", false}, posts: 1, want: all(refused)},
		{name: "401", reply: reply{401, `{"detail":"no"}`, "", false}, posts: 1, want: all(refused)},
		{name: "403", reply: reply{403, `{"detail":"no"}`, "", false}, posts: 1, want: all(refused)},
		{name: "404", reply: reply{404, `{"detail":"no"}`, "", false}, posts: 1, want: all(refused)},
		{name: "405", reply: reply{405, `{"detail":"no"}`, "", false}, posts: 1, want: all(refused)},
		{name: "410", reply: reply{410, `{"detail":"no"}`, "", false}, posts: 1, want: all(refused)},
		{name: "403 page", reply: reply{403, page, "", false}, posts: 1, want: all(refused)},
		{name: "422 of a model", reply: reply{422, `{"detail":"no"}`, "X-Fal-Request-Id: r", false}, posts: 1, want: [3]want{refused, {failed, kept}, {failed, kept}}},
		{name: "422, billed", reply: reply{422, `{"detail":"no"}`, billed, false}, posts: 1, want: all(want{failed, settled})},
		{name: "408", reply: reply{408, `{"detail":"no"}`, "", false}, posts: 1, want: all(lost)},
		{name: "503 of fal", reply: reply{503, `{"detail":"no","error_type":"runner_disconnected"}`, "", false}, posts: 1, want: all(refused)},
		{name: "503 of fal in a header", reply: reply{503, page, "X-Fal-Error-Type: runner_disconnected", false}, posts: 1, want: all(refused)},
		{name: "500 in fal's form", reply: reply{500, `{"detail":"Internal Server Error"}`, "", false}, posts: 1, want: all(lost)},
		{name: "502 page", reply: reply{502, page, "", false}, posts: 1, want: all(lost)},
		{name: "503 empty", reply: reply{503, "", "", false}, posts: 1, want: all(lost)},
		{name: "504 of a gateway", reply: reply{504, `{"message":"Endpoint request timed out"}`, "", false}, posts: 1, want: all(lost)},
		{name: "not connected", fails: &net.OpError{Op: "dial", Err: errors.New("refused")}, posts: 4, want: all(want{notSent, back})},
		{name: "connection lost", fails: &net.OpError{Op: "read", Err: errors.New("reset")}, posts: 1, want: all(lost)},
		{name: "certificate not trusted", fails: &tls.CertificateVerificationError{Err: errors.New("expired")}, posts: 1, want: all(want{notSent, back})},
	} {
		for i, verb := range []string{"Submit", "Run", "Stream"} {
			synctest.Test(t, func(t *testing.T) {
				posts, guard := 0, new(money)
				fill := strings.NewReplacer("GOOD", goodResult, "NONE", `{"images":[]}`, "DETAIL", `{"detail":"gone"}`)
				switch verb {
				case "Submit":
					fill = strings.NewReplacer("GOOD", `{"request_id":"job-1"}`, "NONE", `{"images":[]}`, "DETAIL", `{"detail":"gone"}`)
				case "Stream":
					fill = strings.NewReplacer("GOOD", "data: "+goodResult+"\n\n", "NONE", "data: {\"images\":[]}\n\n", "DETAIL", "data: {\"detail\":\"gone\"}\n\n")
				}
				m := newMock()
				m.client.Guard = guard
				m.client.HTTPClient.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.URL.Host, "fal.run") {
						posts++
					}
					if tt.fails != nil {
						return nil, tt.fails
					}
					answer := tt.reply
					if answer.body = fill.Replace(answer.body); answer.cut {
						answer.body = answer.body[:len(answer.body)/3]
					}
					resp := answer.response()
					if verb == "Stream" && answer.status == http.StatusOK && answer.body != page {
						resp.Header.Set("Content-Type", "text/event-stream")
					}
					_, _ = io.Copy(io.Discard, r.Body)
					return resp, nil
				})
				err := send(t.Context(), m.client, verb)
				fate := map[string]string{"": kept, "accepted ": kept, "settled ": settled, "released ": back}[guard.fate]
				if kind := kindOf(err); kind != tt.want[i].err || fate != tt.want[i].fate || posts != tt.posts {
					t.Errorf("%s, %s: %q, the reservation was %q, %d posts; want %+v, %d posts: %v", tt.name, verb, kind, guard.fate, posts, tt.want[i], tt.posts, err)
				}
				charged := map[string]fal.Billing{kept: fal.BillingUnknown, settled: fal.Billed, back: fal.NotBilled}[fate]
				if err != nil && fal.Charged(err) != charged {
					t.Errorf("%s, %s: %v, though the reservation was %q", tt.name, verb, fal.Charged(err), guard.fate)
				}
				if e, ok := errors.AsType[*fal.Error](err); ok && tt.reply.header == "Retry-After: 86400" && e.RetryAfter != 24*time.Hour {
					t.Errorf("%s, %s: RetryAfter is %v", tt.name, verb, e.RetryAfter)
				}
			})
		}
	}
}

func send(ctx context.Context, c *fal.Client, verb string) (err error) {
	switch verb {
	case "Submit":
		_, err = fal.Submit(ctx, c, anyCall)
	case "Run":
		_, err = fal.Run(ctx, c, anyCall)
	case "Stream":
		for _, err = range fal.Stream(ctx, c, anyCall) {
			continue // the last one counts
		}
	}
	return err
}

// kindOf names what is told by an error.
func kindOf(err error) string {
	_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
	_, decode := errors.AsType[*fal.DecodeError](err)
	_, failed := errors.AsType[*fal.Error](err)
	switch {
	case err == nil:
		return ""
	case unknown:
		return "OutcomeUnknownError"
	case decode:
		return "DecodeError"
	case failed:
		return "Error"
	case fal.NotSent(err):
		return "NotSent"
	}
	return fmt.Sprintf("%T", err)
}
