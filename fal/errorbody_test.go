package fal_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/qwen"
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
				Message: `image_urls[2]: Input is too large; prompt: Field required`,
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
			if diff := cmp.Diff(&tt.want, got, cmpopts.IgnoreUnexported(fal.Error{})); diff != "" {
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

// Each field of a body is read by itself: one of another type than it should be
// costs none of the others.
func TestErrorOddForms(t *testing.T) {
	t.Parallel()
	const reason, kind = "The picture could not be fetched.", "file_download_error"
	for _, tt := range []struct {
		name, body                string
		message, field, errorType string
	}{
		{"an object", `{"detail":{"loc":["body","image_urls",0],"msg":"` + reason + `","type":"` + kind + `","input":"x"}}`, "image_urls[0]: " + reason, "image_urls[0]", kind},
		{"a place as text", `{"detail":[{"loc":"image_url","msg":"` + reason + `","type":"` + kind + `"}]}`, "image_url: " + reason, "image_url", kind},
		{"limits as a list", `{"detail":[{"loc":["body","a"],"msg":"` + reason + `","type":"` + kind + `","ctx":[1]}]}`, "a: " + reason, "a", kind},
		{"texts", `{"detail":["` + reason + `","And more."]}`, reason + "; And more.", "", ""},
		{"a number as message", `{"detail":[{"loc":["a"],"msg":5,"type":"` + kind + `"}]}`, "a: 5", "a", kind},
		{"a number as type", `{"error_type":422,"detail":[{"loc":["a"],"msg":"` + reason + `","type":"` + kind + `"}]}`, "a: " + reason, "a", kind},
		{"a number as status", `{"status":422,"detail":"` + reason + `","error_type":"` + kind + `"}`, reason, "", kind},
		{"a gateway's object", `{"error":{"message":"` + reason + `","type":"` + kind + `","code":422,"param":null}}`, reason, "", kind},
		{"no message", `{"detail":[{"loc":["body"],"type":"` + kind + `"}]}`, kind, "", kind},
		{"cut off in the input", `{"detail":[{"loc":["body","a"],"msg":"` + reason + `","type":"` + kind + `","input":"data:image/png;base64,AAAA`, "a: " + reason, "a", kind},
		{"cut off after one", `{"detail":[{"loc":["a"],"msg":"` + reason + `","type":"` + kind + `"},{"loc":["b"`, "a: " + reason, "a", kind},
	} {
		e := fal.NewError("fal-ai/x", "", 422, nil, []byte(tt.body))
		field := ""
		if len(e.Fields) > 0 {
			field = e.Fields[0].Field
		}
		if e.Message != tt.message || field != tt.field || e.Type != tt.errorType {
			t.Errorf("%s: message %q, field %q, type %q", tt.name, e.Message, field, e.Type)
		}
	}
}

// The content policy is found in the problem with a field, too.
func TestErrorPolicyInField(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"detail":[{"loc":["body"],"msg":"m","type":"value_error"},{"loc":["body"],"msg":"m","type":"content_policy_violation"}]}`,
		`{"detail":{"msg":"m","type":"content_policy_violation"},"error_type":"bad_request"}`,
	} {
		if e := fal.NewError("fal-ai/x", "", 422, nil, []byte(body)); !errors.Is(e, fal.ErrContentPolicy) {
			t.Errorf("%s: %v is no ErrContentPolicy", body, e)
		}
	}
}

// An error shows what fal says, never what the user had sent.
func TestErrorKeepsInputToItself(t *testing.T) {
	t.Parallel()
	body := `{"detail":[{"loc":["body","prompt"],"msg":"blocked","type":"t","input":"Maria in Elm Street"}]}`
	e := fal.NewError("fal-ai/x", "", 422, nil, []byte(body))
	if strings.Contains(e.Error(), "Maria") || e.Fields[0].Value != `"Maria in Elm Street"` {
		t.Errorf("%v, value %s", e, e.Fields[0].Value)
	}
}

// Terminals and logs see no control characters of a server.
func TestErrorShowsControls(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"detail":"\u001b[2J line\nlevel=INFO \u0000 \u202e"}`: `\x1b[2J line\nlevel=INFO \x00 \u202e`,
		"\x1b[31mred\x07 gateway\nsecond":                       `bad gateway: \x1b[31mred\a gateway second`,
	} {
		if e := fal.NewError("fal-ai/x", "", 502, nil, []byte(body)); e.Message != want {
			t.Errorf("message is %q, want %q", e.Message, want)
		}
	}
}

// The error of a store is told in its own words.
func TestErrorOfStore(t *testing.T) {
	t.Parallel()
	e := fal.NewError("download", "", 404, nil, []byte("<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>"))
	if want := "not found: NoSuchKey: The key does not exist."; e.Message != want {
		t.Errorf("message is %q, want %q", e.Message, want)
	}
}

// A body that is all nesting or all fields takes neither the stack nor the
// memory.
func TestErrorBounded(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nested": `{"detail":` + strings.Repeat("[", 500_000),
		"fields": `{"detail":[` + strings.Repeat(`{"msg":"m"},`, 80_000) + `{}]}`,
	} {
		if e := fal.NewError("fal-ai/x", "", 422, nil, []byte(body)); len(e.Fields) > 100 || len(e.Error()) > 3000 {
			t.Errorf("%s: %d fields, %d bytes", name, len(e.Fields), len(e.Error()))
		}
	}
}

// What is not there is told apart from what was not found, is never sent again,
// and names the successor that the request knows. A 401 that names the
// application points at the key.
func TestErrorNoEndpoint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		body   string
		want   bool
		says   string
	}{
		{404, `{"detail":"Application 'flux-9' not found"}`, true, "Application 'flux-9' not found: there is no such endpoint, or none any more; check its id"},
		{404, `{"detail":"Path /edit not found"}`, true, "Path /edit not found: there is no such endpoint"},
		{404, `{"detail":"Request not found"}`, false, "Request not found"},
		{404, `{"detail":[{"loc":["body"],"msg":"Path /edit not found","type":"x"}]}`, false, "Path /edit not found"},
		{400, `{"detail":"Application 'flux-9' not found"}`, false, "Application 'flux-9' not found"},
		{401, `{"detail":"Cannot access application 'fal-ai/flux-2'. Authentication is required to access this application."}`, false, "missing, malformed or too narrow; check the API key in FAL_KEY"},
	} {
		header := http.Header{"X-Fal-Retryable": {"true"}}
		err := fal.NewError("fal-ai/x", "", tt.status, header, []byte(tt.body))
		if errors.Is(err, fal.ErrNoEndpoint) != tt.want || tt.want && (err.Retryable || !errors.Is(err, fal.ErrNotFound)) || !strings.Contains(err.Message, tt.says) {
			t.Errorf("%d %s: %v, retryable %t", tt.status, tt.body, err, err.Retryable)
		}
	}
}

func TestErrorNamesSuccessor(t *testing.T) {
	t.Parallel()
	posts := 0
	transport := httpmock.NewMockTransport()
	transport.RegisterNoResponder(func(*http.Request) (*http.Response, error) {
		posts++
		return httpmock.NewStringResponse(404, `{"detail":"Application 'qwen-image-2' not found"}`), nil
	})
	client := &fal.Client{Key: fal.NewKey("id:secret"), HTTPClient: &http.Client{Transport: transport}, Logger: slog.New(slog.DiscardHandler)}
	gone := qwen.Image2Edit{Prompt: "x", ImageURLs: []fal.File{fal.URL("https://example.com/a.png")}} //nolint:staticcheck // the test is about it
	const successor = "withdrawn by fal on 2026-08-19; use alibaba/qwen-image-3/edit instead"
	if _, err := fal.Subscribe(t.Context(), client, gone); !errors.Is(err, fal.ErrNoEndpoint) || !strings.Contains(err.Error(), successor) || fal.Charged(err) != fal.NotBilled {
		t.Errorf("subscribe: %v", err)
	}
	if _, err := fal.Run(t.Context(), client, gone); !errors.Is(err, fal.ErrNoEndpoint) || !strings.Contains(err.Error(), successor) {
		t.Errorf("run: %v", err)
	}
	// Of another endpoint nothing is said.
	if _, err := fal.Run(t.Context(), client, fal.At(gone, "fal-ai/other")); !errors.Is(err, fal.ErrNoEndpoint) || strings.Contains(err.Error(), "instead") {
		t.Errorf("at another endpoint: %v", err)
	}
	if posts != 3 {
		t.Errorf("%d posts, want 3", posts)
	}
}

// What a model says is read as deep as 32 objects and lists, and 10,000 values far;
// what is beyond costs nothing of the rest.
func TestErrorBodyLimits(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("[", n) + `"deep"` + strings.Repeat("]", n) }
	for n, whole := range map[int]bool{32: true, 33: false} {
		e := fal.NewError("a/b", "", http.StatusUnprocessableEntity, http.Header{}, []byte(`{"error_type":"kind","x":`+nested(n-1)+`,"detail":"after"}`))
		if e.Type != "kind" || (e.Message == "after") != whole {
			t.Errorf("%d deep: %+v", n, e)
		}
	}
}
