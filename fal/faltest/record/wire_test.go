package record_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/faltest/record"
)

// wire is what a recorder sends through.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

// saying is an answer with one header, and its body.
func saying(contentType, body string) wire {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		header := http.Header{"X-Other": {"x"}}
		if contentType != "" {
			header.Set("Content-Type", contentType)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// send sends a request, and reads so many bytes of its answer; -1 is all of them.
func send(t *testing.T, r *record.Recorder, req *http.Request, read int64) {
	t.Helper()
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if read < 0 {
		_, err = io.Copy(io.Discard, resp.Body)
	} else {
		_, err = io.CopyN(io.Discard, resp.Body, read)
	}
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
}

func post(t *testing.T, address, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key x:sixsix")
	return req
}

// How a body is kept, by its kind, and by how much of it was read.
func TestBodies(t *testing.T) {
	t.Parallel()
	const all = -1
	for name, tt := range map[string]struct {
		address, kind, body string
		read                int64
		want                record.Body
	}{
		"JSON":                 {"https://fal.run/a", "application/json; charset=utf-8", `{ "a": "<sixsix> & five" }`, all, record.Body{JSON: []byte(`{"a":"<[key]> & five"}`)}},
		"JSON of no kind":      {"https://fal.run/a", "", `{"token":"t", "n":1e400}`, all, record.Body{JSON: []byte(`{"n":1e400,"token":"[key]"}`)}},
		"JSON that is text":    {"https://fal.run/a", "text/plain", `{"token":"t"}`, all, record.Body{JSON: []byte(`{"token":"[key]"}`)}},
		"a text":               {"https://fal.run/a", "text/html", `sixsix https://x/?sig=1`, all, record.Body{Text: `[key] https://x/?signed=removed`}},
		"JSON that is not":     {"https://fal.run/a", "application/json", `{sixsix`, all, record.Body{Text: `{[key]`}},
		"another kind":         {"https://fal.run/a", "image/png", "sixsix", all, record.Body{Text: "sixsix"}},
		"bytes":                {"https://fal.run/a", "image/png", "\xffsixsix", all, record.Body{Base64: "/3NpeHNpeA=="}},
		"events":               {"https://fal.run/a", "text/event-stream", "id: sixsix\ndata: {\"key\": \"k\"}\n\ndata:  \n", all, record.Body{Text: "id: [key]\ndata: {\"key\":\"[key]\"}\n\ndata:  \n"}},
		"a token":              {"https://rest.fal.ai/tokens/", "application/json", `"secret"`, all, record.Body{JSON: []byte(`"[key]"`)}},
		"nothing":              {"https://fal.run/a", "application/json", "", all, record.Body{}},
		"half of it":           {"https://fal.run/a", "image/png", "sixsix", 3, record.Body{Text: "six", Cut: true}},
		"all but the end":      {"https://fal.run/a", "image/png", "sixsix", 6, record.Body{Text: "sixsix", Cut: true}},
		"nothing of it":        {"https://fal.run/a", "image/png", "sixsix", 0, record.Body{}},
		"half of JSON, and so": {"https://fal.run/a", "application/json", `{"a":"sixsix"}`, 12, record.Body{Text: `{"a":"[key]`, Cut: true}},
	} {
		r := &record.Recorder{Base: saying(tt.kind, tt.body)}
		send(t, r, post(t, tt.address, ""), tt.read)
		if diff := cmp.Diff(tt.want, r.Tape().Exchanges[0].Answer.Body); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// digest is what there is of what was so long, and of which this was kept.
func digest(kept string, length int) record.Body {
	return record.Body{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(kept))), Length: length}
}

// What is kept of a request, and that it goes on as it came.
func TestRequests(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind, body string
		want       record.Body
	}{
		"JSON":         {"application/json", `{ "a": "sixsix", "prompt": "fox" }`, record.Body{JSON: []byte(`{"a":"[key]","prompt":"[prompt]"}`)}},
		"another kind": {"image/png", "abcdef", digest("abcdef", 6)},
		"nothing":      {"image/png", "", record.Body{}},
	} {
		var got []byte
		r := &record.Recorder{HidePrompts: true, Base: wire(func(r *http.Request) (*http.Response, error) {
			got, _ = io.ReadAll(r.Body)
			return saying("", "")(r)
		})}
		req := post(t, "https://me:my@fal.run/a?b=1#part", tt.body)
		req.Header.Set("Content-Type", tt.kind)
		for name, value := range map[string]string{"Cookie": "c", "X-Fal-Target-Url": "https://x", "X-Fal-Queue-Priority": "low", "Accept": "a/b", "User-Agent": "u"} {
			req.Header.Set(name, value)
		}
		body := req.Body
		send(t, r, req, -1)
		if string(got) != tt.body || req.Body != body {
			t.Errorf("%s: sent %q, or the caller's request was changed", name, got)
		}
		tape := r.Tape()
		want := record.Exchange{
			Method: http.MethodPost, URL: "https://fal.run/a?b=1", Header: http.Header{"Content-Type": {tt.kind}, "X-Fal-Queue-Priority": {"low"}, "Accept": {"a/b"}},
			Body: tt.want, Answer: record.Answer{Status: http.StatusOK},
		}
		if len(tape.Exchanges) != 1 || !tape.HidesPrompts {
			t.Fatalf("%s: %+v", name, tape)
		}
		if diff := cmp.Diff(want, tape.Exchanges[0]); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	lost := errors.New("lost")
	r := &record.Recorder{Base: wire(func(*http.Request) (*http.Response, error) { return nil, lost })}
	if _, err := r.RoundTrip(post(t, "https://fal.run/a", "")); !errors.Is(err, lost) || len(r.Tape().Exchanges) != 0 { //nolint:bodyclose // there is none
		t.Errorf("%v, %d exchanges", err, len(r.Tape().Exchanges))
	}
}

// All bodies together may be 256 MiB. Of what is beyond there is a digest.
func TestBodiesTogether(t *testing.T) {
	t.Parallel()
	const most = 256 << 20
	r := &record.Recorder{Base: saying("text/plain", "0123456789")}
	record.Kept(r, most-25)
	for range 4 {
		req := post(t, "https://fal.run/a", "12345")
		req.Header.Set("Content-Type", "application/json")
		send(t, r, req, -1)
	}
	var got []record.Body
	for _, e := range r.Tape().Exchanges {
		got = append(got, e.Body, e.Answer.Body)
	}
	cut := func(b record.Body) record.Body {
		b.Cut = true
		return b
	}
	want := []record.Body{
		{JSON: []byte("12345")}, {Text: "0123456789"}, {JSON: []byte("12345")}, cut(digest("01234", 10)), // there is room for five
		digest("", 5), cut(digest("", 10)), digest("", 5), cut(digest("", 10)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Keys and what people have written are hidden by the names of their fields, and
// nothing else is.
func TestNamesThatHide(t *testing.T) {
	t.Parallel()
	const body = `{"KEY":"a","key":7,"secret":"","a":{"Password":["b","c"],"keys":"d"},"Prompt":"e","prompts":["f","",{"prompt":"g"}],"caption":null,"style":"h","query":"i"}`
	for hide, want := range map[bool]string{
		false: `{"KEY":"[key]","Prompt":"e","a":{"Password":["[key]","[key]"],"keys":"d"},"caption":null,"key":7,"prompts":["f","",{"prompt":"g"}],"query":"i","secret":"","style":"h"}`,
		true:  `{"KEY":"[key]","Prompt":"[prompt]","a":{"Password":["[key]","[key]"],"keys":"d"},"caption":null,"key":7,"prompts":["[prompt]","",{"prompt":"[prompt]"}],"query":"[prompt]","secret":"","style":"h"}`,
	} {
		r := &record.Recorder{HidePrompts: hide, Base: saying("application/json", body)}
		send(t, r, post(t, "https://fal.run/a", ""), -1)
		if diff := cmp.Diff(want, string(r.Tape().Exchanges[0].Answer.Body.JSON)); diff != "" {
			t.Errorf("hidden %t: -want +got\n%s", hide, diff)
		}
	}
}

// What is on the tape of a local fal has the addresses of fal itself; those of other
// servers stay.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://127.0.0.1:7/queue.fal.run/a/b":   "https://queue.fal.run/a/b",
		"http://127.0.0.1:7/other/queue.fal.run": "http://127.0.0.1:7/other/queue.fal.run",
		"https://fal.run/a/b":                    "https://fal.run/a/b",
	} {
		r := &record.Recorder{Base: saying("text/plain", address)}
		send(t, r, post(t, address, ""), -1)
		if e := r.Tape().Exchanges[0]; e.URL != want || e.Answer.Body.Text != want {
			t.Errorf("%s: %s, %s, want %s", address, e.URL, e.Answer.Body.Text, want)
		}
	}
}

// tapeOf is a tape of one exchange, whose answer it is.
func tapeOf(a record.Answer) *record.Tape {
	return &record.Tape{Exchanges: []record.Exchange{{Method: http.MethodGet, URL: "https://cdn.example/a", Answer: a}}}
}

// What a player answers is what the tape has, with addresses that lead to it; what the
// tape has not whole breaks off.
func TestAnswersOfAPlayer(t *testing.T) {
	t.Parallel()
	const lead = "https://cdn.example/b https://fal.run/c https://other.example/d"
	for name, tt := range map[string]struct {
		body   record.Body
		want   string // HERE is the player
		length bool
		whole  bool
	}{
		"text":                 {record.Body{Text: lead}, "HERE/cdn.example/b HERE/fal.run/c https://other.example/d", true, true},
		"JSON":                 {record.Body{JSON: []byte(`"https://fal.run/c"`)}, `"HERE/fal.run/c"`, true, true},
		"bytes":                {record.Body{Base64: "/2h0dHBzOi8vZmFsLnJ1bi9j"}, "\xffhttps://fal.run/c", true, true},
		"nothing":              {record.Body{}, "", true, true},
		"cut by who asked":     {record.Body{Text: "abc", Cut: true}, "abc", false, true},
		"cut by the recorder":  {record.Body{Digest: "sha256:00", Length: 9, Cut: true}, "", false, false},
		"a digest of it whole": {record.Body{Digest: "sha256:00", Length: 9}, "", true, true},
	} {
		p := tapeOf(record.Answer{Status: http.StatusAccepted, Header: http.Header{"Location": {"https://cdn.example/x"}}, Body: tt.body}).Play()
		here := strings.TrimSuffix(p.Client().Hosts.Run, "/fal.run")
		w := httptest.NewRecorder()
		whole := func() (whole bool) {
			defer func() { whole = recover() == nil }()
			p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/cdn.example/a", nil))
			return true
		}()
		want := strings.ReplaceAll(tt.want, "HERE", here)
		if w.Code != http.StatusAccepted || w.Body.String() != want || whole != tt.whole || (w.Header().Get("Content-Length") != "") != tt.length || w.Header().Get("Location") != here+"/cdn.example/x" {
			t.Errorf("%s: %d %q %v, whole %t", name, w.Code, w.Body, w.Header(), whole)
		}
		p.Close()
	}
}

// An exchange is found by its JSON, whatever its spaces and order, and by the
// addresses in it that are the player's.
func TestFindingByBody(t *testing.T) {
	t.Parallel()
	tape := &record.Tape{Exchanges: []record.Exchange{
		{Method: http.MethodPost, URL: "https://fal.run/a", Body: record.Body{JSON: []byte(`{"a":1,"b":"https://fal.run/x"}`)}, Answer: record.Answer{Status: 201}},
		{Method: http.MethodPost, URL: "https://fal.run/a", Body: record.Body{JSON: []byte(`{"a":1,"b":"https://fal.run/x"}`)}, Answer: record.Answer{Status: 202}},
		{Method: http.MethodPost, URL: "https://fal.run/a", Answer: record.Answer{Status: 203}},
		{Method: http.MethodGet, URL: "https://fal.run/a", Answer: record.Answer{Status: 204}},
		{Method: http.MethodGet, URL: "https://fal.run/a", Answer: record.Answer{Status: 205}},
	}}
	p := tape.Play()
	defer p.Close()
	body := `{ "b": "` + p.Client().Hosts.Run + `/x", "a": 1 }`
	for i, tt := range []struct {
		method, kind, body string
		want               int
	}{
		{http.MethodPost, "application/json", body, 201},
		{http.MethodPost, "application/json", body, 202},
		{http.MethodPost, "application/json", body, 404},
		{http.MethodPost, "image/png", body, 203}, // which is no JSON
		{http.MethodPost, "application/json", `{"a":2}`, 404},
		{http.MethodGet, "", "", 204},
		{http.MethodGet, "", "", 205},
		{http.MethodGet, "", "", 205},
		{http.MethodPut, "", "", 404},
	} {
		r := httptest.NewRequestWithContext(t.Context(), tt.method, "/fal.run/a", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.kind)
		w := httptest.NewRecorder()
		if p.ServeHTTP(w, r); w.Code != tt.want || tt.want == 404 && (w.Header().Get("Content-Type") != "application/json" || !strings.Contains(w.Body.String(), `{"detail":"the tape has no `)) {
			t.Errorf("%d: %d %s, want %d", i+1, w.Code, w.Body, tt.want)
		}
	}
	want := []string{"request no. 3 of POST https://fal.run/a", "POST https://fal.run/a with this body", "PUT https://fal.run/a"}
	if diff := cmp.Diff(want, p.Missing()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// What reads and is not on the tape is missing, and so is what stands at an address
// that is none.
func TestNothingToRead(t *testing.T) {
	t.Parallel()
	p := (&record.Tape{Exchanges: []record.Exchange{{Method: http.MethodGet, URL: "https://[", Answer: record.Answer{Status: 200}}}}).Play()
	defer p.Close()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/fal.run/a", nil))
	if diff := cmp.Diff([]string{"GET https://fal.run/a"}, p.Missing()); w.Code != http.StatusNotFound || diff != "" {
		t.Errorf("status %d, missing -want +got\n%s", w.Code, diff)
	}
}

// compareWith compares an answer of a tape with one of a local fal.
func compareWith(t *testing.T, srv *faltest.Server, there record.Answer) (found []string) {
	t.Helper()
	tape := &record.Tape{Exchanges: []record.Exchange{{
		Method: http.MethodPost, URL: "https://fal.run/me/odd", Header: http.Header{"Content-Type": {"application/json"}}, Body: record.Body{JSON: []byte(`{"a":1}`)}, Answer: there,
	}}}
	all, err := tape.Compare(t.Context(), srv)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d.Exchange != 1 || d.Request != "POST fal.run/me/odd" {
			t.Errorf("the difference is of %d, %s", d.Exchange, d.Request)
		}
		found = append(found, d.What+": "+d.Tape+" | "+d.Local)
	}
	return found
}

// Which differences count, in fields and headers: null stands for whatever is there,
// and what differs from call to call only has to be there.
func TestWhatIsCompared(t *testing.T) {
	t.Parallel()
	deep := func(n int, inner string) string {
		return strings.Repeat(`{"a":`, n) + inner + strings.Repeat("}", n)
	}
	for name, tt := range map[string]struct {
		tape, local string
		want        []string
	}{
		"all types":              {`{"a":1,"b":"x","c":true,"d":[],"e":{},"f":null}`, `{"a":2,"b":"y","c":false,"d":[],"e":{},"f":null}`, nil},
		"each with another":      {`{"a":1,"b":"x","c":true,"d":[]}`, `{"a":"x","b":true,"c":[],"d":{}}`, []string{"field a: number | string", "field b: string | boolean", "field c: boolean | list", "field d: list | object"}},
		"null for something":     {`{"a":null,"b":1}`, `{"a":1,"b":null}`, nil},
		"null for nothing":       {`{"a":null}`, `{"b":null}`, []string{"field a: null | ", "field b:  | null"}},
		"a list's first is null": {`{"a":[null,1]}`, `{"a":[1]}`, nil},
		"null, then a number":    {`{"a":[null,1]}`, `{"a":["x"]}`, []string{"field a[]: number | string"}},
		"the first counts":       {`{"a":[1,"x"]}`, `{"a":["x",1]}`, []string{"field a[]: number | string"}},
		"an empty list":          {`{"a":[1]}`, `{"a":[]}`, []string{"field a[]: number | "}},
		"lists in lists":         {`[[{"a":1}]]`, `[[{"b":1}]]`, []string{"field [][].a: number | ", "field [][].b:  | number"}},
		"deep":                   {deep(32, `1`), deep(32, `"x"`), []string{"field " + strings.Repeat("a.", 31) + "a: number | string"}},
		"deeper":                 {deep(33, `1`), deep(33, `"x"`), nil},
		"deeper lists":           {`{"a":` + strings.Repeat("[", 32) + "1" + strings.Repeat("]", 32) + "}", `{"a":` + strings.Repeat("[", 32) + `"x"` + strings.Repeat("]", 32) + "}", nil},
		"no JSON":                {`{"a":1}`, `x`, []string{"field a: number | "}},
		"another kind of answer": {`1`, `"x"`, nil},
	} {
		srv := faltest.NewServer(t)
		srv.Handle("me/odd", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: asked with %v", name, r.Header)
			}
			_, _ = io.WriteString(w, tt.local)
		})
		there := record.Answer{Status: 200, Header: http.Header{"X-Fal-Request-Id": {"r"}, "X-Fal-Billable-Units": {"1"}}, Body: record.Body{JSON: []byte(tt.tape)}}
		var found []string
		for _, d := range compareWith(t, srv, there) {
			if strings.HasPrefix(d, "field") {
				found = append(found, d)
			}
		}
		if diff := cmp.Diff(tt.want, found); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	srv := faltest.NewServer(t)
	srv.Handle("me/odd", func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{"X-Fal-Error-Type": "a", "X-Fal-Needs-Retry": "1", "X-Fal-Runner": "m-7", "X-Fal-Here": "x", "Retry-After": "3"} {
			w.Header().Set(name, value)
		}
		w.WriteHeader(http.StatusTeapot)
	})
	found := compareWith(t, srv, record.Answer{Status: 418, Header: http.Header{
		"X-Fal-Request-Id": {"r"}, "X-Fal-Error-Type": {"b"}, "X-Fal-Needs-Retry": {"1"}, "X-Fal-Runner": {"m-8"}, "X-Fal-There": {"x"}, "Retry-After": {"4"},
	}})
	var odd []string
	for _, d := range found {
		if !strings.Contains(d, "Request-Id") && !strings.Contains(d, "Billable") {
			odd = append(odd, d)
		}
	}
	if diff := cmp.Diff([]string{"header X-Fal-Error-Type: b | a", "header X-Fal-Here:  | some", "header X-Fal-There: some | "}, odd); diff != "" {
		t.Errorf("headers: -want +got\n%s", diff)
	}
}

// The id of a direct call is that of the local fal in what is asked next.
func TestCompareIDs(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	var bodies []string
	srv.Handle("me/odd", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
	})
	call := record.Exchange{
		Method: http.MethodPost, URL: "https://fal.run/me/odd", Header: http.Header{"Content-Type": {"application/json"}},
		Body: record.Body{JSON: []byte(`{"of":"there-id"}`)}, Answer: record.Answer{Status: 200, Header: http.Header{"X-Fal-Request-Id": {"there-id"}}},
	}
	if _, err := (&record.Tape{Exchanges: []record.Exchange{call, call}}).Compare(t.Context(), srv); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 2 || bodies[0] != `{"of":"there-id"}` || strings.Contains(bodies[1], "there-id") {
		t.Errorf("%q", bodies)
	}
}

// Where the local fal is gone, the comparison says at which exchange.
func TestCompareWithNobody(t *testing.T) {
	t.Parallel()
	srv := faltest.New()
	srv.Close()
	tape := &record.Tape{Exchanges: []record.Exchange{{Method: http.MethodGet, URL: "https://fal.run/a", Answer: record.Answer{Status: 200}}}}
	if _, err := tape.Compare(t.Context(), srv); err == nil || !strings.Contains(err.Error(), "record: exchange 1, GET /a: ") {
		t.Error(err)
	}
}

// A tape is a file that nobody else reads, and takes the place of another one whole.
func TestWriteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.tape")
	long := tapeOf(record.Answer{Status: 200, Body: record.Body{Text: strings.Repeat("x", 1000)}})
	short := tapeOf(record.Answer{Status: 200, Body: record.Body{Text: "<&>"}})
	for _, tape := range []*record.Tape{long, short} {
		if err := tape.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	const want = `{
  "exchanges": [
    {
      "method": "GET",
      "url": "https://cdn.example/a",
      "answer": {
        "status": 200,
        "body": {
          "text": "<&>"
        }
      }
    }
  ]
}
`
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 || info.Mode().Perm() != 0o600 && filepath.Separator == '/' {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := short.WriteFile(filepath.Join(path, "x")); err == nil {
		t.Error("a file is a folder")
	}
	if _, err := record.ReadFile(path); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := record.ReadFile(path); err == nil || !strings.HasPrefix(err.Error(), path+": record: the tape: ") {
		t.Error(err)
	}
	if _, err := record.Read(io.MultiReader(bytes.NewReader(got), brokenReader{})); err == nil || err.Error() != "record: no disk" {
		t.Error(err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("no disk") }
