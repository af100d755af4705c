package fal_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

func forwarded(t *testing.T, method, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Requests of others go to fal's hosts alone, and POSTs not twice.
func TestForward(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	c := srv.Client()
	body := []byte(`{"prompt":"x"}`)
	r := forwarded(t, http.MethodPost, "https://fal.run/fal-ai/flux/schnell")
	r.Header.Set("Authorization", "Key of:others")
	resp, err := c.Forward(t.Context(), r, body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	for _, address := range []string{"https://x.example/a", "http://fal.run/a/b", "https://u:p@fal.run/a/b", "https://fal.run/a/../b", "https://fal.run.x.example/a/b"} {
		if _, err := c.Forward(t.Context(), forwarded(t, http.MethodPost, address), body); !fal.NotSent(err) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := c.Forward(t.Context(), r, nil); !fal.NotSent(err) {
		t.Errorf("without a body: %v", err)
	}
	posts := srv.Ledger().Posts
	srv.Inject(faltest.OpRun, faltest.LostAnswer(), 1)
	_, err = c.Forward(t.Context(), r, body)
	if _, unknown := errors.AsType[*fal.OutcomeUnknownError](err); !unknown || srv.Ledger().Posts != posts+1 {
		t.Errorf("a lost answer: %v after %d POSTs", err, srv.Ledger().Posts-posts)
	}
	if _, err = (&fal.Client{Key: fal.NewKey("")}).Forward(t.Context(), r, body); !fal.NotSent(err) || !errors.Is(err, fal.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
}

// What is passed on of a header is all but what is for us: key, cookies and where to.
func TestForwardedHeader(t *testing.T) {
	t.Parallel()
	var sent http.Header
	c := &fal.Client{Key: fal.NewKey(secret), HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = r.Header
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})}}
	r := forwarded(t, http.MethodGet, "https://queue.fal.run/fal-ai/flux/requests/r/status")
	for _, name := range []string{"Authorization", "Cookie", "X-Fal-Target-Url", "Accept", "X-Fal-Store-Io"} {
		r.Header.Set(name, "of the page")
	}
	resp, err := c.Forward(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for name, want := range map[string]string{
		"Authorization": "Key " + secret, "Cookie": "", "X-Fal-Target-Url": "", "Accept": "of the page", "X-Fal-Store-Io": "of the page",
	} {
		if got := sent.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// However an answer is cut into pieces, the key in it is not passed on, and
// nothing else is changed.
func TestForwardedWithoutTheKey(t *testing.T) {
	t.Parallel()
	const text = "a the-long-secret+/9 b the-id:the-long-secret+/9 the-long-secre the-long-secret%2B%2F9the-long-secret+/9 the-long-secret+/"
	const want = "a [redacted] b [redacted] the-long-secre [redacted][redacted] the-long-secret+/"
	for size := range len(text) + 1 {
		body := io.Reader(strings.NewReader(text))
		if size > 0 {
			body = io.MultiReader(strings.NewReader(text[:size]), strings.NewReader(text[size:]))
		} else {
			body = iotest.OneByteReader(body)
		}
		c := &fal.Client{Key: fal.NewKey("the-id:the-long-secret+/9"), HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"X": {text}}, Body: io.NopCloser(body), Request: r}, nil
		})}}
		resp, err := c.Forward(t.Context(), forwarded(t, http.MethodGet, "https://queue.fal.run/a/b/requests/1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(resp.Body))
		_ = resp.Body.Close()
		if string(got) != want || err != nil || resp.Header.Get("X") != want {
			t.Errorf("cut at %d: %q, %v; header %q", size, got, err, resp.Header.Get("X"))
		}
	}
}
