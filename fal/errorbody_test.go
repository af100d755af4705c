package fal_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
)

func TestErrorForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   fal.Error
		is     error
	}{
		{
			name: "validation", status: 422,
			header: map[string]string{"X-Fal-Request-Id": "r1", "X-Fal-Billable-Units": "0"},
			body: `{"detail":[{"loc":["body","image_urls",2],"msg":"Input is too large","type":"image_too_large","ctx":{"max_width":4000},"input":"https://x/y.png"},` +
				`{"loc":["body","prompt"],"msg":"Field required","type":"missing","input":{"a":1}}]}`,
			want: fal.Error{
				RequestID: "r1", Type: "image_too_large", Billing: fal.NotBilled, BillableUnits: "0",
				Message: `image_urls[2]: Input is too large (got "https://x/y.png"); prompt: Field required`,
				Fields: []fal.FieldError{
					{Field: "image_urls[2]", Type: "image_too_large", Message: "Input is too large", Value: `"https://x/y.png"`, Limits: map[string]any{"max_width": 4000.0}},
					{Field: "prompt", Type: "missing", Message: "Field required"},
				},
			},
		},
		{
			name: "content policy, billed", status: 422, header: map[string]string{"X-Fal-Billable-Units": "1.5"},
			body: `{"detail":[{"loc":["body"],"msg":"refused","type":"content_policy_violation"}]}`,
			want: fal.Error{
				Type: "content_policy_violation", Message: "refused", Billing: fal.Billed, BillableUnits: "1.5",
				Fields: []fal.FieldError{{Type: "content_policy_violation", Message: "refused"}},
			},
			is: fal.ErrContentPolicy,
		},
		{
			name: "unauthorized", status: 401, body: `{"detail":"No user found for Key ID and Secret"}`,
			want: fal.Error{
				Message: "No user found for Key ID and Secret: check the API key in FAL_KEY or Client.Key; it has the form key_id:key_secret",
			},
			is: fal.ErrUnauthorized,
		},
		{
			name: "locked", status: 403, body: `{"detail":"User is locked. Reason: Exhausted balance."}`,
			want: fal.Error{
				Type:    "locked",
				Message: "User is locked. Reason: Exhausted balance.: top up or unlock the account; jobs that are already running are not lost, take them up with Resume",
			},
			is: fal.ErrLocked,
		},
		{
			name: "infrastructure", status: 503, header: map[string]string{"X-Fal-Error-Type": "other", "Retry-After": "7"},
			body: `{"detail":"Runner is gone","error_type":"runner_disconnected"}`,
			want: fal.Error{Type: "runner_disconnected", Message: "Runner is gone", Retryable: true, Billing: fal.NotBilled, RetryAfter: 7 * time.Second},
		},
		{
			name: "start timeout", status: 504, header: map[string]string{"X-Fal-Request-Timeout-Type": "user"},
			body: `{"detail":"Request timed out","error_type":"request_timeout"}`,
			want: fal.Error{Type: "user_timeout", Message: "Request timed out", Billing: fal.NotBilled},
			is:   fal.ErrStartTimeout,
		},
		{
			name: "platform", status: 429, body: `{"error":{"type":"rate_limited","message":"Slow down"}}`,
			want: fal.Error{Type: "rate_limited", Message: "Slow down", Retryable: true},
			is:   fal.ErrRateLimited,
		},
		{
			name: "queue", status: 404, body: `{"status":"NOT_FOUND"}`,
			want: fal.Error{Message: "not found"},
			is:   fal.ErrNotFound,
		},
		{
			name: "cancelled", status: 499, body: `{"detail":"Request cancelled","error_type":"client_cancelled"}`,
			want: fal.Error{Type: "client_cancelled", Message: "Request cancelled"},
			is:   fal.ErrCancelled,
		},
		{
			name: "error page", status: 502, body: "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
			want: fal.Error{Message: "bad gateway: 502 Bad Gateway", Retryable: true},
		},
		{
			name: "no body, told not to retry", status: 500, header: map[string]string{"X-Fal-Needs-Retry": "0"},
			want: fal.Error{Message: "internal server error"},
		},
		{
			name: "told to retry", status: 400, header: map[string]string{"X-Fal-Retryable": "true"}, body: `{"detail":[]}`,
			want: fal.Error{Message: `bad request: {"detail":[]}`, Retryable: true},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := make(http.Header)
			for k, v := range tt.header {
				header.Set(k, v)
			}
			tt.want.Endpoint, tt.want.Status = "fal-ai/x", tt.status
			got := fal.NewError("fal-ai/x", "", tt.status, header, []byte(tt.body))
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for _, sentinel := range []error{
				fal.ErrUnauthorized, fal.ErrLocked, fal.ErrNotFound, fal.ErrRateLimited,
				fal.ErrContentPolicy, fal.ErrCancelled, fal.ErrStartTimeout,
			} {
				if errors.Is(got, sentinel) != (tt.is != nil && errors.Is(sentinel, tt.is)) {
					t.Errorf("errors.Is(err, %q) = %v", sentinel, errors.Is(got, sentinel))
				}
			}
		})
	}
}

func TestErrorTruncatesEchoedInput(t *testing.T) {
	t.Parallel()
	body := `{"detail":[{"loc":["body","image_url"],"msg":"bad","type":"x","input":"data:image/png;base64,` + strings.Repeat("A", 1<<20) + `"}]}`
	got := fal.NewError("fal-ai/x", "", 422, nil, []byte(body))
	if n := len(got.Error()); n > 400 {
		t.Errorf("the error is %d bytes long", n)
	}
}

func FuzzErrorBody(f *testing.F) {
	for _, s := range []string{``, `{`, `[]`, `{"detail":"x"}`, `{"detail":[{"loc":["body",1,null,{}],"msg":1}]}`, `{"error":{}}`, `{"status":1}`, `<title>`, `{"detail":[{"loc":[1e300]}]}`} {
		f.Add(500, s)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		e := fal.NewError("fal-ai/x", "id", status, nil, []byte(body))
		if e.Message == "" || !strings.Contains(e.Error(), "id") {
			t.Errorf("an error that says nothing: %q", e.Error())
		}
	})
}
