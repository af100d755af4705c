package fal_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// What says nothing is asked for again, by everything that costs nothing: an
// upload, a cancel, a look at the platform. It is not asked for without end.
func TestAnswersThatSayNothing(t *testing.T) {
	t.Parallel()
	good := map[string]reply{
		"initiate": {200, `{"upload_url":"https://store.example/x?sig=1","file_url":"https://v3.fal.media/x"}`, "", false},
		"put":      {200, "", "", false},
		"cancel":   {202, `{"status":"CANCELLATION_REQUESTED"}`, "", false},
		"platform": {200, `{"prices":[]}`, "", false},
	}
	for _, tt := range []struct {
		at    string
		odd   reply
		asked int // how often if the odd answer comes for ever; 1 if it decides
	}{
		{"initiate", reply{200, page, "", false}, 4},
		{"initiate", reply{200, "", "", false}, 4},
		{"initiate", reply{200, `{"upload_url":"https://sto`, "", true}, 4},
		{"initiate", reply{200, `{"upload_url":"https://sto`, "", false}, 4},
		{"initiate", reply{200, `{"message":"ok"}`, "", false}, 4},
		{"initiate", reply{403, page, "", false}, 4},
		{"initiate", reply{403, `{"detail":"User is locked."}`, "", false}, 1},
		{"put", reply{200, page, "", false}, 4},
		{"put", reply{403, `<Error><Code>SignatureDoesNotMatch</Code></Error>`, "", false}, 1},
		{"cancel", reply{200, page, "", false}, 4},
		{"cancel", reply{200, `{"status":"O`, "", true}, 4},
		{"cancel", reply{200, `{"status":"O`, "", false}, 4},
		{"cancel", reply{403, page, "", false}, 1},
		{"platform", reply{200, page, "", false}, 4},
		{"platform", reply{200, `{"prices":[`, "", true}, 4},
		{"platform", reply{200, "", "", false}, 4},
		{"platform", reply{403, page, "", false}, 4},
		{"platform", reply{404, `{"error":{"type":"not_found","message":"no"}}`, "", false}, 1},
		{"platform", reply{200, `{"prices":7}`, "", false}, 1},
	} {
		for _, always := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				m := newMock()
				m.client.Retry.MaxAttempts = 1
				asked := 0
				m.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
					at := "initiate"
					switch {
					case r.Method == http.MethodPut && r.URL.Host == "store.example":
						at = "put"
						if b, _ := io.ReadAll(r.Body); string(b) != "some content" {
							t.Errorf("%s: the content is %q", tt.at, b)
						}
					case r.Method == http.MethodPut:
						at = "cancel"
					case r.Method == http.MethodGet:
						at = "platform"
					}
					if at != tt.at {
						return good[at].response(), nil
					}
					if asked++; asked == 1 || always {
						return tt.odd.response(), nil
					}
					return good[at].response(), nil
				})
				m.RegisterResponder(http.MethodPut, jobURL+"/cancel", nil)
				var err error
				switch tt.at {
				case "cancel":
					var outcome fal.CancelOutcome
					outcome, err = fal.Resume(m.client, request.Endpoint(), "job-1").Cancel(t.Context())
					if (outcome == fal.CancelRequested) != (err == nil) {
						t.Errorf("the outcome is %q, %v", outcome, err)
					}
				case "platform":
					var answer struct{ Prices []any }
					err = m.client.Platform(t.Context(), http.MethodGet, "/v1/models/pricing", nil, nil, &answer)
				default:
					var f fal.File
					if f, err = m.client.Upload(t.Context(), fal.Bytes([]byte("some content"))); err == nil {
						if u, _ := f.URL(); u != "https://v3.fal.media/x" {
							t.Errorf("%s: %v", tt.at, f)
						}
					}
				}
				want := min(2, tt.asked)
				if always {
					want = tt.asked
				}
				if asked != want || (err == nil) != (!always && tt.asked > 1) {
					t.Errorf("%s answered with %+v, always %t: asked %d times, %v", tt.at, tt.odd, always, asked, err)
				}
			})
		}
	}
}

// An answer that ends a job need not have the same words each time.
func TestErrorsInOtherWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		m.completesAfter(0)
		n := 0
		m.RegisterResponder(http.MethodGet, jobURL, func(*http.Request) (*http.Response, error) {
			n++
			return reply{422, fmt.Sprintf(`{"detail":"trace %d"}`, n), "", false}.response(), nil
		})
		start := time.Now()
		_, err := fal.Subscribe(t.Context(), m.client, request)
		if _, ok := errors.AsType[*fal.Error](err); !ok || n != 2 || time.Since(start) > time.Second {
			t.Errorf("%v after %d answers and %v", err, n, time.Since(start))
		}
		polls := 0
		m.RegisterResponder(http.MethodGet, jobURL+"/status", func(*http.Request) (*http.Response, error) {
			polls++
			return reply{404, fmt.Sprintf(`{"detail":"trace %d"}`, polls), "", false}.response(), nil
		})
		if _, err = fal.Subscribe(t.Context(), m.client, request); !errors.Is(err, fal.ErrNotFound) || polls != 2 {
			t.Errorf("%v after %d polls", err, polls)
		}
	})
}

// A machine that gave up waiting for the answer to a POST may have passed it on.
func TestRequestTimeoutIsUnknown(t *testing.T) {
	t.Parallel()
	for body, unknown := range map[string]bool{`{"detail":"Request Timeout"}`: true, page: true, `{"detail":"no","error_type":"request_timeout"}`: false} {
		posts := 0
		c, m := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			posts++
			w.WriteHeader(http.StatusRequestTimeout)
			_, _ = io.WriteString(w, body)
		})
		_, err := fal.Submit(t.Context(), c, anyCall)
		_, ok := errors.AsType[*fal.OutcomeUnknownError](err)
		if ok != unknown || (m.fate == "released ") == unknown || posts != 1 {
			t.Errorf("%s: %v, the reservation was %q, %d posts", body, err, m.fate, posts)
		}
	}
}

// Code of the program's own that panics in a goroutine of ours does not end the
// process.
func TestPanicsInOurGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		polls := 0
		m.RegisterResponder(http.MethodGet, jobURL+"/status/stream", func(r *http.Request) (*http.Response, error) {
			return streamResponse(r, `data: {"status":"IN_PROGRESS"}`+"\n\n", `data: {"status":"COMPLETED"}`+"\n\n"), nil
		})
		m.RegisterResponder(http.MethodGet, jobURL+"/status", func(*http.Request) (*http.Response, error) {
			if polls++; polls == 1 {
				panic("boom")
			}
			return reply{200, `{"status":"COMPLETED"}`, "", false}.response(), nil
		})
		if _, err := fal.Subscribe(t.Context(), m.client, request); err != nil || polls < 2 {
			t.Errorf("%d polls, %v", polls, err)
		}
	})
	c := &fal.Client{
		Key: fal.NewKey(secret), Logger: slog.New(slog.DiscardHandler),
		HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { panic("boom") })},
	}
	two := fal.Call[fal.Images]{ID: "fal-ai/x", Input: []fal.File{fal.Bytes([]byte("a")), fal.Bytes([]byte("b"))}}
	if _, err := fal.Submit(t.Context(), c, two); err == nil || !strings.Contains(err.Error(), "panicked: boom") || !fal.NotSent(err) {
		t.Errorf("error = %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A file is sent to no address in a private network that an answer names.
func TestUploadsToPrivateAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://10.0.0.1/x", "https://127.0.0.1:9/x", "https://[::1]/x", "https://169.254.169.254/latest", "https://localhost/x", "https://metadata.google.internal/x",
		"https://2130706433/x", "http://store.example/x", "https://user:word@store.example/x", "ftp://store.example/x", "//store.example/x",
	} {
		m := newMock()
		m.RegisterResponder(http.MethodPost, "=~/storage/upload/initiate", func(*http.Request) (*http.Response, error) {
			return reply{200, fmt.Sprintf(`{"upload_url":%q,"file_url":"https://v3.fal.media/x"}`, address), "", false}.response(), nil
		})
		m.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
			t.Errorf("%s: %s %s was sent", address, r.Method, r.URL)
			return reply{200, "", "", false}.response(), nil
		})
		if _, err := m.client.Upload(t.Context(), fal.Bytes([]byte("some content"))); err == nil {
			t.Errorf("%s: the file was uploaded", address)
		}
	}
}

// What is wrong with the key is said once, with one beginning.
func TestKeyErrorsBeginOnce(t *testing.T) {
	t.Parallel()
	c := &fal.Client{Key: fal.NewKey("no colon")}
	_, statusErr := fal.Resume(c, anyCall.ID, "job-1").Status(t.Context())
	for _, err := range []error{statusErr, c.Platform(t.Context(), http.MethodGet, "/v1/x", nil, nil, nil)} {
		if err == nil || strings.Count(err.Error(), "fal: ") != 1 || !strings.Contains(err.Error(), "the API key is malformed") {
			t.Errorf("error = %v", err)
		}
	}
	c = &fal.Client{Key: fal.NewKey("")}
	if _, err := fal.Resume(c, anyCall.ID, "job-1").Status(t.Context()); !errors.Is(err, fal.ErrNoKey) || strings.Count(err.Error(), "fal: ") != 1 {
		t.Errorf("error = %v", err)
	}
}

// What is refused on this side says that nothing was sent.
func TestRefusalsSayThatNothingWasSent(t *testing.T) {
	t.Parallel()
	for _, f := range []fal.File{fal.Bytes(nil), fal.Path(t.TempDir()), fal.Path("missing.png")} {
		_, err := fal.Submit(t.Context(), &fal.Client{Key: fal.NewKey(secret)}, fal.Call[fal.Images]{ID: "fal-ai/x", Input: map[string]any{"image_url": f}})
		if err == nil || !fal.NotSent(err) || !strings.Contains(err.Error(), "not sent") {
			t.Errorf("%v: %v", f, err)
		}
	}
}
