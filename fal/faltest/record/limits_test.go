package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/faltest/record"
)

// answers is a wire that answers with what it is told.
type answers struct {
	header http.Header
	body   func() io.Reader
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: a.header.Clone(), Body: io.NopCloser(a.body())}, nil
}

// exchange sends a request through a recorder, and reads its answer.
func exchange(t *testing.T, r *record.Recorder, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://fal.run/a/b", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// A recorder keeps so much of a body, and so many exchanges.
func TestRecorderLimits(t *testing.T) {
	t.Parallel()
	const most = 16 << 20
	for size, cut := range map[int]bool{most: false, most + 1: true} {
		content := bytes.Repeat([]byte{0xff}, size)
		r := &record.Recorder{Base: answers{http.Header{"Content-Type": {"image/png"}}, func() io.Reader { return bytes.NewReader(content) }}}
		exchange(t, r, nil, "")
		body := r.Tape().Exchanges[0].Answer.Body
		if body.Cut != cut || (body.Base64 == "") != cut || cut && body.Length != most+1 {
			t.Errorf("of %d bytes there are %d, cut %t, length %d", size, len(body.Base64), body.Cut, body.Length)
		}
		r = &record.Recorder{Base: answers{nil, func() io.Reader { return strings.NewReader("") }}}
		exchange(t, r, http.Header{"Content-Type": {"application/json"}}, `"`+strings.Repeat("x", size-2)+`"`)
		if body := r.Tape().Exchanges[0].Body; (body.Digest != "") != cut || (body.JSON == nil) != cut || cut && body.Length != size {
			t.Errorf("of a request of %d bytes there is %.80v", size, body)
		}
	}
	const exchanges = 10_000
	r := &record.Recorder{Base: answers{nil, func() io.Reader { return strings.NewReader("") }}}
	for range exchanges + 5 {
		exchange(t, r, nil, "")
	}
	if n := len(r.Tape().Exchanges); n != exchanges {
		t.Errorf("%d exchanges are on the tape", n)
	}
}

// A key is taken out however it is sent, and what is too short to be one is not
// looked for.
func TestKeysOfAllForms(t *testing.T) {
	t.Parallel()
	for authorization, want := range map[string]string{
		"Key the-id:the-secret": `"[key] and [key] and five5 the-i"`,
		"Bearer bearer-token":   `"the-id:the-secret and the-secret and five5 the-i"`,
		"Key five5:the-secret":  `"the-id:[key] and [key] and five5 the-i"`,
		"Key x:five5":           `"the-id:the-secret and the-secret and five5 the-i"`,
	} {
		body := `"the-id:the-secret and the-secret and five5 the-i"`
		if strings.HasPrefix(authorization, "Bearer") {
			body, want = `"bearer-token"`, `"[key]"`
		}
		r := &record.Recorder{Base: answers{http.Header{"Content-Type": {"application/json"}}, func() io.Reader { return strings.NewReader(body) }}}
		exchange(t, r, http.Header{"Authorization": {authorization}}, "")
		if got := string(r.Tape().Exchanges[0].Answer.Body.JSON); got != want {
			t.Errorf("%s: %s, want %s", authorization, got, want)
		}
	}
}

// A player remembers a hundred of what it misses, and says what was asked for.
func TestMissing(t *testing.T) {
	t.Parallel()
	tape := &record.Tape{Exchanges: []record.Exchange{{Method: http.MethodGet, URL: "https://fal.run/a", Answer: record.Answer{Status: http.StatusOK}}}}
	p := tape.Play()
	defer p.Close()
	ask := func(method, path, body string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, p.Client().Hosts.Run+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for range 2 { // what only reads is there again
		if got := ask(http.MethodGet, "/a", ""); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
	}
	for i, body := range []string{"", "1"} {
		if got := ask(http.MethodPost, fmt.Sprint("/b", i), body); got != http.StatusNotFound {
			t.Errorf("status %d", got)
		}
	}
	if diff := cmp.Diff([]string{"POST https://fal.run/b0", "POST https://fal.run/b1 with this body"}, p.Missing()); diff != "" {
		t.Error(diff)
	}
	for i := range 150 {
		ask(http.MethodPost, fmt.Sprint("/c", i), "")
	}
	if n := len(p.Missing()); n != 100 {
		t.Errorf("%d are remembered", n)
	}
}

// Which statuses a tape may have.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for status, good := range map[int]bool{199: false, 200: true, 599: true, 600: false} {
		_, err := record.Read(strings.NewReader(fmt.Sprintf(`{"exchanges":[{"method":"GET","url":"https://x/y","answer":{"status":%d}}]}`, status)))
		if (err == nil) != good {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// What depends on how fast a job was is not compared: polls before the last, and
// streams. Ids of the tape are those of the local fal in what is asked next.
func TestCompareJobs(t *testing.T) {
	t.Parallel()
	const there = "8letters"
	tape := &record.Tape{Exchanges: []record.Exchange{
		{
			Method: http.MethodPost, URL: "https://queue.fal.run/fal-ai/flux/dev", Header: http.Header{"Content-Type": {"application/json"}},
			Body:   record.Body{JSON: []byte(`{"prompt":"x"}`)},
			Answer: record.Answer{Status: http.StatusOK, Body: record.Body{JSON: []byte(`{"request_id":"` + there + `"}`)}},
		},
		{Method: http.MethodGet, URL: "https://queue.fal.run/fal-ai/flux/requests/" + there + "/status", Answer: record.Answer{Status: 299, Body: record.Body{JSON: []byte(`{"status":"IN_QUEUE"}`)}}},
		{Method: http.MethodGet, URL: "https://queue.fal.run/fal-ai/flux/requests/" + there + "/status", Answer: record.Answer{Status: 299, Body: record.Body{JSON: []byte(`{"status":"IN_PROGRESS"}`)}}},
		{Method: http.MethodGet, URL: "https://queue.fal.run/fal-ai/flux/requests/" + there + "/status/stream", Answer: record.Answer{Status: 299}},
		{Method: http.MethodGet, URL: "https://queue.fal.run/fal-ai/flux/requests/" + there, Answer: record.Answer{Status: 299, Body: record.Body{Cut: true}}},
		{Method: http.MethodPost, URL: "https://rest.fal.ai/storage/upload/initiate", Answer: record.Answer{Status: 299}},
		{Method: http.MethodGet, URL: "https://queue.fal.run/fal-ai/flux/requests/" + there + "/status", Answer: record.Answer{Status: 299, Body: record.Body{JSON: []byte(`{"status":"COMPLETED"}`)}}},
		{Method: http.MethodGet, URL: "https://queue.fal.run/fal-ai/flux/requests/short", Answer: record.Answer{Status: 299, Body: record.Body{JSON: []byte(`{}`)}}},
	}}
	found, err := tape.Compare(t.Context(), faltest.NewServer(t))
	if err != nil {
		t.Fatal(err)
	}
	var statuses []string
	for _, d := range found {
		if d.What == "status" {
			statuses = append(statuses, fmt.Sprint(d.Exchange, " ", d.Local))
		}
	}
	if diff := cmp.Diff([]string{"7 200", "8 404"}, statuses); diff != "" {
		t.Error(diff)
	}
	if _, err := (&record.Tape{Exchanges: []record.Exchange{{URL: "ftp://x/y"}}}).Compare(t.Context(), faltest.NewServer(t)); err == nil || !strings.Contains(err.Error(), "exchange 1") || errors.Is(err, io.EOF) {
		t.Errorf("an odd address: %v", err)
	}
}
