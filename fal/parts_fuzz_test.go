package fal_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/falimage/falimage-go/fal"
)

// storage answers as fal's storage does, with what it is told, and notes what is
// wrong with what it gets.
type storage struct {
	begin, etag, part, complete string
	status                      int

	mu    sync.Mutex
	wrong []string
	put   int
}

func (s *storage) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	if key := strings.Contains(r.Header.Get("Authorization"), secret); key && r.URL.Host != "rest.fal.ai" || r.URL.Scheme != "https" || r.URL.User != nil {
		s.wrong = append(s.wrong, r.Method+" "+r.URL.String())
	}
	status, answer, header := s.status, s.begin, http.Header{}
	switch {
	case r.Method == http.MethodPut:
		answer, s.put = s.part, s.put+len(sent)
		header.Set("Etag", s.etag)
	case r.Method == http.MethodHead:
		answer = ""
	case r.URL.Host != "rest.fal.ai" && strings.HasSuffix(r.URL.Path, "/complete"):
		answer = s.complete
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)), Request: r}, nil
}

// Whatever fal's storage answers when a file goes in parts, nothing panics, the key
// goes nowhere else, nothing goes in the clear, and what counts as uploaded was sent
// and has an address.
func FuzzParts(f *testing.F) {
	before := *fal.MaxWhole
	*fal.MaxWhole = 1000
	f.Cleanup(func() { *fal.MaxWhole = before })
	const begin = `{"upload_url":"https://store.example/up?sig=1","file_url":"https://v3.fal.media/files/a.bin"}`
	f.Add(begin, `"abc"`, `{"partNumber":1,"etag":"\"abc\""}`, `{}`, 200)
	f.Add(begin, "", `{"partNumber":2,"etag":"x"}`, ``, 200)
	f.Add(begin, `W/"abc"`, `{"etag":7}`, `{"detail":"no"}`, 404)
	f.Add(`{"upload_url":"http://store.example/up","file_url":"x"}`, "e", "", "", 200)
	f.Add(`{"token":"t","base_url":"https://v3.fal.media","access_url":"https://v3.fal.media/x","uploadId":"../.."}`, "e", "", "", 200)
	f.Add(`{"token":"t","base_url":"https://evil.example","access_url":"https://v3.fal.media/x","uploadId":"u"}`, "e", "", "", 200)
	f.Add(`{"upload_url":"https://a:b@store.example/up","file_url":"https://x"}`, "e", "<html>", "<html>", 502)
	content := bytes.Repeat([]byte("0123456789"), 200)
	f.Fuzz(func(t *testing.T, begin, etag, part, complete string, status int) {
		if status < 200 || status > 599 {
			return
		}
		s := &storage{begin: begin, etag: etag, part: part, complete: complete, status: status}
		c := &fal.Client{
			Key: fal.NewKey(secret), HTTPClient: &http.Client{Transport: s}, Logger: slog.New(slog.DiscardHandler),
			Retry: fal.Retry{MaxAttempts: 1, MinWait: 1, MaxWait: 1, MaxRetryAfter: 1},
		}
		remote, err := c.Upload(t.Context(), fal.Bytes(content))
		if len(s.wrong) > 0 {
			t.Errorf("sent to %q", s.wrong)
		}
		address, ok := remote.URL()
		if err == nil && (!ok || address == "" || s.put < len(content)) {
			t.Errorf("uploaded to %q, with %d of %d bytes sent", address, s.put, len(content))
		}
		if err != nil && (ok || strings.Contains(err.Error(), secret)) {
			t.Errorf("%v beside the error %v", remote, err)
		}
	})
}
