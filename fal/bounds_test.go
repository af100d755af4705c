package fal_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
)

// What an option takes goes up to its limits, and no further.
func TestOptionLimits(t *testing.T) {
	t.Parallel()
	tags := func(n int) map[string]string {
		m := make(map[string]string)
		for i := range n {
			m[string(rune('a'+i))] = "v"
		}
		return m
	}
	// Four pairs and the commas between them have 1024 bytes, or one more.
	all := func(more int) map[string]string {
		m := map[string]string{"a": strings.Repeat("x", 256), "b": strings.Repeat("x", 256), "c": strings.Repeat("x", 256)}
		m["d"] = strings.Repeat("x", 1024-4*2-3-3*256+more)
		return m
	}
	for _, tt := range []struct {
		name  string
		opt   fal.Option
		field string // of the one problem; "" if it is taken
	}{
		{"queue of 1", fal.WithMaxQueueLength(1), ""},
		{"queue of 0", fal.WithMaxQueueLength(0), "WithMaxQueueLength"},
		{"just more than 100 ms", fal.WithStartTimeout(100*time.Millisecond + 1), ""},
		{"100 ms", fal.WithStartTimeout(100 * time.Millisecond), "WithStartTimeout"},
		{"no hint", fal.WithRunnerHint(""), "WithRunnerHint"},
		{"a hint of all there is", fal.WithRunnerHint(" ~"), ""},
		{"a hint beyond", fal.WithRunnerHint("\x7f"), "WithRunnerHint"},
		{"10 tags", fal.WithTags(tags(10)), ""},
		{"11 tags", fal.WithTags(tags(11)), "WithTags"},
		{"a name of 64", fal.WithTags(map[string]string{strings.Repeat("n", 64): "v"}), ""},
		{"a name of 65", fal.WithTags(map[string]string{strings.Repeat("n", 65): "v"}), "WithTags"},
		{"no name", fal.WithTags(map[string]string{"": "v"}), "WithTags"},
		{"a value of 256", fal.WithTags(map[string]string{"n": strings.Repeat("v", 256)}), ""},
		{"a value of 257", fal.WithTags(map[string]string{"n": strings.Repeat("v", 257)}), "WithTags"},
		{"a value that cannot be printed", fal.WithTags(map[string]string{"n": "\x1f"}), "WithTags"},
		{"1024 bytes of tags", fal.WithTags(all(0)), ""},
		{"1025 bytes of tags", fal.WithTags(all(1)), "WithTags"},
		{"kept a minute", fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Minute}), ""},
		{"kept less", fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Minute - 1}), "WithLifecycle"},
		{"kept less than nothing", fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: -1}), "WithLifecycle"},
		{"kept as the account is set", fal.WithLifecycle(fal.Lifecycle{}), ""},
		{"hidden, but for one", fal.WithLifecycle(fal.Lifecycle{Default: fal.AccessHide, Users: map[string]fal.Access{"u": fal.AccessForbid}}), ""},
		{"an access that there is not", fal.WithLifecycle(fal.Lifecycle{Default: "x"}), "WithLifecycle"},
		{"a header without a name", fal.WithHeader("", "x"), "WithHeader"},
		{"a webhook by https", fal.WithWebhook("https://x.example/"), ""},
		{"a webhook by http", fal.WithWebhook("http://x.example/"), ""},
		{"a webhook by ftp", fal.WithWebhook("ftp://x.example/"), "WithWebhook"},
		{"a webhook nowhere", fal.WithWebhook("https:///x"), "WithWebhook"},
		{"no webhook", fal.WithWebhook("http://%"), "WithWebhook"},
	} {
		m := newMock()
		m.answer(http.MethodPost, submitURL, http.StatusOK, `{"request_id":"job-1"}`)
		if strings.Contains(tt.name, "queue of 1") {
			m.answer(http.MethodPost, submitURL+"?fal_max_queue_length=1", http.StatusOK, `{"request_id":"job-1"}`)
		}
		_, err := fal.Submit(t.Context(), m.client, request, tt.opt)
		refused, ok := errors.AsType[*fal.ValidationError](err)
		if ok != (tt.field != "") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if ok && (len(refused.Problems) != 1 || refused.Problems[0].Field != "option "+tt.field) {
			t.Errorf("%s: %+v", tt.name, refused.Problems)
		}
	}
}

// What is long is shortened for messages from one letter on that it has too many, and
// in no letter's middle.
func TestShortened(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"/" + strings.Repeat("a", 119):        `"/` + strings.Repeat("a", 119) + `"`,
		"/" + strings.Repeat("a", 120):        `"/` + strings.Repeat("a", 119) + `... (121 bytes)"`,
		"/" + strings.Repeat("a", 118) + "üü": `"/` + strings.Repeat("a", 118) + `... (123 bytes)"`,
	} {
		_, err := fal.Resume(newMock().client, request.Endpoint(), id).Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), want+" is not a request id") || !fal.NotSent(err) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// Numbers are read up to the largest that their fields hold, and nothing is made of
// those that are larger.
func TestLargeNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		number   string
		seed     uint64
		fileSize int64
		width    int
	}{
		{"0", 0, 0, 0},
		{"1e3", 1000, 1000, 1000},
		{"2147483647", 2147483647, 2147483647, 2147483647},
		{"2147483648", 2147483648, 2147483648, 0},
		{"9223372036854775807", 9223372036854775807, 9223372036854775807, 0},
		{"9223372036854775808", 9223372036854775808, 0, 0},
		{"18446744073709551615", 18446744073709551615, 0, 0},
		{"18446744073709551616", 0, 0, 0},
		{"1.8e19", 18000000000000000000, 0, 0},
		{"0.5", 0, 0, 0},
		{"-0.0", 0, 0, 0},
		{`" 7 "`, 7, 7, 7},
		{`"x"`, 0, 0, 0},
		{"true", 0, 0, 0},
	} {
		var got fal.Images
		body := `{"images":[{"url":"u","width":` + tt.number + `,"file_size":` + tt.number + `}],"seed":` + tt.number + `}`
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Images) != 1 {
			t.Fatal(body, err)
		}
		if i := got.Images[0]; got.Seed != tt.seed || i.FileSize != tt.fileSize || i.Width != tt.width {
			t.Errorf("%s: seed %d, size %d, width %d", tt.number, got.Seed, i.FileSize, i.Width)
		}
	}
}

// The extension of a picture is told by its type, its data or its address, in this
// order.
func TestPictureExtensions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		image fal.Image
		want  string
	}{
		{fal.Image{URL: "https://x/a.png", ContentType: "image/jpeg"}, ".jpg"},
		{fal.Image{URL: "https://x/a.PNG?x=a.gif"}, ".png"},
		{fal.Image{URL: "https://x/a.jpeg"}, ".jpg"},
		{fal.Image{URL: "https://x/a.jpg"}, ".jpg"},
		{fal.Image{URL: "https://x/a.webp"}, ".webp"},
		{fal.Image{URL: "https://x/a.gif", ContentType: "application/octet-stream"}, ".gif"},
		{fal.Image{URL: "https://x/a.exe"}, ".bin"},
		{fal.Image{URL: "https://x/a"}, ".bin"},
		{fal.Image{URL: "data:image/webp;base64,AA", ContentType: "image/png"}, ".webp"},
	} {
		if got := tt.image.Extension(); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.image, got, tt.want)
		}
	}
	for want, f := range map[string]fal.OutputFile{
		".safetensors": {URL: "https://x/a.zip", FileName: "lora.safetensors"}, ".zip": {URL: "https://x/a.zip?b.png"}, ".bin": {URL: "https://x/a"},
	} {
		if got := f.Extension(); got != want {
			t.Errorf("%+v: %s, want %s", f, got, want)
		}
	}
}

// What errors say, of what they are and whether it was paid.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("", 3600))
	inner := &fal.Error{Endpoint: "a/b", Message: "gone", Status: 404}
	for _, tt := range []struct {
		err  error
		want string
		paid fal.Billing
	}{
		{&fal.Error{Endpoint: "a/b", Message: "m", Status: 500}, "fal: a/b: m (status 500)", fal.BillingUnknown},
		{&fal.Error{Endpoint: "a/b", Message: "m", Status: 422, Type: "t", Billing: fal.Billed}, "fal: a/b: m (status 422, t)", fal.Billed},
		{&fal.Error{Endpoint: "a/b", Message: "m", Status: 422, RequestID: "r", Billing: fal.NotBilled}, "fal: a/b: m (status 422, request r)", fal.NotBilled},
		{&fal.JobError{Endpoint: "a/b", RequestID: "r", Err: inner}, "fal: a/b: gone (status 404) (request r)", fal.BillingUnknown},
		{&fal.JobError{Endpoint: "a/b", RequestID: "r", Err: &fal.Error{Endpoint: "a/b", RequestID: "r", Message: "gone", Status: 404}}, "fal: a/b: gone (status 404, request r)", fal.BillingUnknown},
		{&fal.JobError{Endpoint: "a/b", RequestID: "r", Err: io.EOF, Cancel: fal.Cancelled}, "fal: a/b: EOF (request r, cancel: ok)", fal.NotBilled},
		{&fal.JobError{Endpoint: "a/b", RequestID: "r", Err: errors.New("about request r"), Cancel: fal.CancelRequested}, "fal: a/b: about request r (request r, cancel: cancellation requested)", fal.BillingUnknown},
		{&fal.OutcomeUnknownError{Endpoint: "a/b", Sent: sent, Err: inner}, "fal: a/b: it is unknown whether fal accepted the request sent at 2026-11-26T11:00:00Z: gone (status 404)", fal.BillingUnknown},
		{&fal.OutcomeUnknownError{Endpoint: "a/b", RequestID: "r", Sent: sent, Err: io.EOF}, "fal: a/b: it is unknown whether fal accepted the request sent at 2026-11-26T11:00:00Z (request r): EOF", fal.BillingUnknown},
	} {
		if tt.err.Error() != tt.want || fal.Charged(tt.err) != tt.paid || fal.NotSent(tt.err) {
			t.Errorf("%v, %v\nwant %s, %v", tt.err, fal.Charged(tt.err), tt.want, tt.paid)
		}
	}
	for b, want := range map[fal.Billing]string{fal.Billed: "billed", fal.NotBilled: "not billed", fal.BillingUnknown: "unknown whether billed", 9: "unknown whether billed"} {
		if b.String() != want {
			t.Errorf("%d: %s", b, b)
		}
	}
}

// An error is of a kind by its status, and of some kinds only with fal's type.
func TestErrorKinds(t *testing.T) {
	t.Parallel()
	kinds := []error{fal.ErrUnauthorized, fal.ErrLocked, fal.ErrNotFound, fal.ErrRateLimited, fal.ErrContentPolicy, fal.ErrCancelled, fal.ErrStartTimeout, fal.ErrNoEndpoint, fal.ErrNoKey, io.EOF}
	for _, tt := range []struct {
		err  fal.Error
		want []error
	}{
		{fal.Error{Status: 401}, []error{fal.ErrUnauthorized}},
		{fal.Error{Status: 403}, nil},
		{fal.Error{Status: 403, Type: "locked"}, []error{fal.ErrLocked}},
		{fal.Error{Status: 401, Type: "locked"}, []error{fal.ErrUnauthorized}},
		{fal.Error{Status: 404}, []error{fal.ErrNotFound}},
		{fal.Error{Status: 429}, []error{fal.ErrRateLimited}},
		{fal.Error{Status: 499}, []error{fal.ErrCancelled}},
		{fal.Error{Status: 504}, nil},
		{fal.Error{Status: 504, Type: "user_timeout"}, []error{fal.ErrStartTimeout}},
		{fal.Error{Status: 500, Type: "user_timeout"}, nil},
		{fal.Error{Status: 422, Type: "content_policy_violation"}, []error{fal.ErrContentPolicy}},
		{fal.Error{Status: 422, Fields: []fal.FieldError{{Type: "missing"}, {Type: "content_policy_violation"}}}, []error{fal.ErrContentPolicy}},
		{fal.Error{Status: 422, Fields: []fal.FieldError{{Type: "missing"}}}, nil},
	} {
		var is []error
		for _, kind := range kinds {
			if errors.Is(&tt.err, kind) {
				is = append(is, kind)
			}
		}
		if fmt.Sprint(is) != fmt.Sprint(tt.want) {
			t.Errorf("%+v is %v, want %v", tt.err, is, tt.want)
		}
	}
}

// A picture is black if each pixel of it is, but for what lossy compression leaves.
func TestBlackPictures(t *testing.T) {
	t.Parallel()
	dark := func(level uint16, x, y int) image.Image {
		m := image.NewGray16(image.Rect(3, 5, 9, 9))
		m.SetGray16(x, y, color.Gray16{Y: level})
		return m
	}
	for name, tt := range map[string]struct {
		picture image.Image
		black   bool
	}{
		"all":          {image.NewGray(image.Rect(0, 0, 9, 9)), true},
		"darkest":      {dark(0x0800, 4, 6), true},
		"just lighter": {dark(0x0900, 4, 6), false},
		"in a corner":  {dark(0xffff, 3, 5), false},
		"in the last":  {dark(0xffff, 8, 8), false},
		"one that is red": {func() image.Image {
			m := image.NewRGBA(image.Rect(0, 0, 2, 2))
			for i := 3; i < len(m.Pix); i += 4 {
				m.Pix[i] = 255
			}
			m.Set(1, 0, color.RGBA{R: 99, A: 255})
			return m
		}(), false},
	} {
		r, err := fal.Picture(tt.picture).Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"images":[{"url":"data:image/png;base64,`+base64.StdEncoding.EncodeToString(content)+`"}]}`)
		})
		out, err := fal.Run(t.Context(), c, anyCall, fal.RefuseFlagged())
		if errors.Is(err, fal.ErrFlagged) != tt.black || out == nil {
			t.Errorf("%s: %v", name, err)
		}
		var want []fal.Warning
		if tt.black {
			want = []fal.Warning{{Kind: fal.AllBlack}}
		}
		if diff := cmp.Diff(want, out.Warnings, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Message" }, cmp.Ignore())); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// What is in a body that is not of fal's form is told in one short line.
func TestUnformedErrors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":  "bad gateway",
		"x": "bad gateway: x",
		"<?xml?><Error><Code>AccessDenied</Code><Message>Not yours</Message></Error>": "bad gateway: AccessDenied: Not yours",
		"<Error><Code>AccessDenied</Code></Error>":                                    "bad gateway: AccessDenied",
		"<Error><Message>Not yours</Message></Error>":                                 "bad gateway: an HTML page of 43 bytes",
		"<html><title>\n 502 </title>":                                                "bad gateway: 502",
		"<html>502</html>":                                                            "bad gateway: an HTML page of 16 bytes",
		"a\n\n b\xff\x1b":                                                             `bad gateway: a b\x1b`,
		strings.Repeat("x", 200):                                                      "bad gateway: " + strings.Repeat("x", 200),
		strings.Repeat("x", 201):                                                      "bad gateway: " + strings.Repeat("x", 200) + "...",
		strings.Repeat("x", 199) + "ü":                                                "bad gateway: " + strings.Repeat("x", 199) + "...",
		`{"detail":"` + strings.Repeat("x", 2000) + `"}`:                              strings.Repeat("x", 2000),
		`{"detail":"` + strings.Repeat("x", 2001) + `"}`:                              strings.Repeat("x", 2000) + "...",
	} {
		if got := fal.NewError("a/b", "", 502, http.Header{}, []byte(body)).Message; got != want {
			t.Errorf("%.60q: %.300q, want %.300q", body, got, want)
		}
	}
	if got := fal.NewError("a/b", "", 599, http.Header{}, nil).Message; got != "unknown error" {
		t.Errorf("a status without a name: %q", got)
	}
}

// Whether it may be tried again, and was paid, is as fal's headers say; without them the
// status tells.
func TestRetryableAndBilled(t *testing.T) {
	t.Parallel()
	again := map[int]bool{429: true, 500: true, 502: true, 503: true, 504: true}
	for _, status := range []int{400, 401, 404, 408, 422, 429, 500, 501, 502, 503, 504, 505} {
		for _, tt := range []struct {
			header [2]string
			body   string
			again  bool
			billed fal.Billing
		}{
			{[2]string{}, `{"detail":"x"}`, again[status], fal.BillingUnknown},
			{[2]string{"X-Fal-Needs-Retry", "1"}, "", true, fal.BillingUnknown},
			{[2]string{"X-Fal-Needs-Retry", "TRUE"}, "", true, fal.BillingUnknown},
			{[2]string{"X-Fal-Retryable", "true"}, "", true, fal.BillingUnknown},
			{[2]string{"X-Fal-Needs-Retry", "0"}, "", false, fal.BillingUnknown},
			{[2]string{"X-Fal-Retryable", "False"}, "", false, fal.BillingUnknown},
			{[2]string{"X-Fal-Retryable", "maybe"}, "", again[status], fal.BillingUnknown},
			{[2]string{"X-Fal-Billable-Units", "0"}, "", again[status], fal.NotBilled},
			{[2]string{"X-Fal-Billable-Units", "0.00"}, "", again[status], fal.NotBilled},
			{[2]string{"X-Fal-Billable-Units", "0.01"}, "", again[status], fal.Billed},
		} {
			header := http.Header{}
			header.Set(tt.header[0], tt.header[1])
			e := fal.NewError("a/b", "", status, header, []byte(tt.body))
			if e.Retryable != tt.again || e.Billing != tt.billed {
				t.Errorf("%d %q: retryable %t, %v; want %t, %v", status, tt.header, e.Retryable, e.Billing, tt.again, tt.billed)
			}
		}
		want := fal.BillingUnknown
		if status >= 500 {
			want = fal.NotBilled
		}
		for name, e := range map[string]*fal.Error{
			"in the body":   fal.NewError("a/b", "", status, http.Header{}, []byte(`{"detail":"x","error_type":"runner_disconnected"}`)),
			"in the header": fal.NewError("a/b", "", status, http.Header{"X-Fal-Error-Type": {"runner_disconnected"}}, nil),
		} {
			if e.Billing != want || e.Type != "runner_disconnected" {
				t.Errorf("%d, fal's word %s: %v, %s", status, name, e.Billing, e.Type)
			}
		}
	}
}

// Of an answer with an error so much is read, and what comes after that is not.
func TestErrorBodyReach(t *testing.T) {
	t.Parallel()
	zeros := func(n int) string {
		return `{"x":[` + strings.TrimSuffix(strings.Repeat("0,", n), ",") + `],"detail":"said"}`
	}
	read := func(body string) *fal.Error { return fal.NewError("a/b", "", 400, http.Header{}, []byte(body)) }
	for n, want := range map[int]bool{9995: true, 9996: false} { // and five more values
		if got := read(zeros(n)).Message == "said"; got != want {
			t.Errorf("after %d values: read %t, want %t", n, got, want)
		}
	}
	for n, want := range map[int]string{28: `"deep"`, 29: ""} { // below four others
		e := read(`{"detail":[{"msg":"said","ctx":{"a":` + strings.Repeat("[", n) + `"deep"` + strings.Repeat("]", n) + `}}]}`)
		text, _ := json.Marshal(e.Fields)
		if e.Message != "said" || strings.Contains(string(text), "deep") != (want != "") {
			t.Errorf("%d deep: %s, %s", n, e.Message, text)
		}
	}
	for n, want := range map[int]int{99: 99, 100: 100, 101: 100} {
		e := read(`{"detail":[` + strings.TrimSuffix(strings.Repeat(`{"msg":"m"},`, n), ",") + `]}`)
		if len(e.Fields) != want {
			t.Errorf("%d problems: %d are told, want %d", n, len(e.Fields), want)
		}
	}
}

// An event, and a stream of them, may be as long as is read, and no byte longer.
func TestStreamLimits(t *testing.T) {
	t.Parallel()
	const stream = "data: abcde\n\ndata: fghij\n\n" // lines of 11, and 26 bytes in all
	for _, tt := range []struct {
		most, total int64
		events      int
	}{{11, 26, 2}, {10, 26, 0}, {11, 25, 0}, {100, 100, 2}} {
		events, fails := 0, 0
		fal.ReadEvents(t.Context(), strings.NewReader(stream), tt.most, tt.total, func(_ string, _ []byte, err error) bool {
			if err != nil {
				fails++
			} else {
				events++
			}
			return true
		})
		if events != tt.events || (fails == 1) != (tt.events < 2) {
			t.Errorf("at most %d, %d in all: %d events, %d errors", tt.most, tt.total, events, fails)
		}
	}
}

// What cannot be a request id is none.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"a": true, "Az09-_.": true, strings.Repeat("x", 200): true, strings.Repeat("x", 201): false, "..": false, "a/b": false, "a b": false, "ä": false, "": false,
	} {
		c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["X-Fal-Request-Id"] = []string{id}
			_, _ = io.WriteString(w, goodResult)
		})
		out, err := fal.Run(t.Context(), c, anyCall)
		if err != nil || (out.RequestID == id) != (want || id == "") || !want && out.RequestID != "" {
			t.Errorf("%.30q is told as %.30q, %v", id, out.RequestID, err)
		}
	}
}

// Of a job's log 50,000 lines are passed on.
func TestLogLines(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{49_999: 49_999, 50_000: 50_000, 50_001: 50_000} {
		c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/stream") {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_, _ = io.WriteString(w, `{"status":"COMPLETED","logs":[`+strings.TrimSuffix(strings.Repeat(`{"message":"x"},`, n), ",")+`]}`)
		})
		got := 0
		for s, err := range fal.Resume(c, anyCall.Endpoint(), "job-1").Updates(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got += len(s.Logs)
		}
		if got != want {
			t.Errorf("%d lines: %d are passed on, want %d", n, got, want)
		}
	}
}
