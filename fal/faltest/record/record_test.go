package record_test

import (
	"bytes"
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

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/faltest/record"
	"github.com/falimage/falimage-go/flux"
)

// recorded runs f with a client of a local fal whose exchanges are recorded.
func recorded(t *testing.T, r *record.Recorder, f func(*fal.Client)) *record.Tape {
	t.Helper()
	srv := faltest.NewServer(t)
	client := srv.Client()
	client.HTTPClient = &http.Client{Transport: r}
	f(client)
	return r.Tape()
}

// again writes a tape and reads it.
func again(t *testing.T, tape *record.Tape) *record.Tape {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.tape")
	if err := tape.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	got, err := record.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(tape.Write(&a), got.Write(&b)); err != nil || a.String() != b.String() {
		t.Errorf("the tape is another one after it was read: %v", err)
	}
	return got
}

// edit is a run with an upload, a queue, a result and a download.
func edit(t *testing.T, client *fal.Client, prompt string) (pictures []byte) {
	t.Helper()
	picture := fal.Bytes([]byte("\x89PNG\r\n\x1a\n" + strings.Repeat("private", 100)))
	out, err := fal.Subscribe(t.Context(), client, flux.KontextPro{Prompt: prompt, ImageURL: picture, Seed: fal.Seed(7)}, fal.SkipValidation())
	if err != nil {
		t.Fatal(err)
	}
	body, err := client.Download(t.Context(), out.Images[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	pictures, err = io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return pictures
}

func TestPlay(t *testing.T) {
	t.Parallel()
	var want []byte
	tape := again(t, recorded(t, &record.Recorder{}, func(c *fal.Client) { want = edit(t, c, "a fox") }))
	for range 2 { // each client plays it from the beginning
		if got := edit(t, tape.Client(t), "a fox"); !bytes.Equal(got, want) {
			t.Errorf("another picture: %d bytes, want %d", len(got), len(want))
		}
	}
	p := tape.Play()
	defer p.Close()
	if _, err := fal.Submit(t.Context(), p.Client(), flux.KontextPro{Prompt: "a dog", ImageURL: fal.URL("https://a.b/c.png")}); !errors.Is(err, fal.ErrNotFound) {
		t.Errorf("what was not recorded: %v", err)
	}
	if missing := p.Missing(); len(missing) != 1 || !strings.Contains(missing[0], "POST https://queue.fal.run/fal-ai/flux-pro/kontext with this body") {
		t.Errorf("%q", missing)
	}
	req := flux.Dev{Prompt: "x", Seed: fal.Seed(1)}
	tape = recorded(t, &record.Recorder{}, func(c *fal.Client) { _, _ = fal.Run(t.Context(), c, req) })
	p = tape.Play()
	defer p.Close()
	for i, want := range []bool{true, false} { // it was paid once
		if _, err := fal.Run(t.Context(), p.Client(), req); (err == nil) != want {
			t.Errorf("run %d: %v", i+1, err)
		}
	}
	if missing := p.Missing(); len(missing) != 1 || !strings.Contains(missing[0], "request no. 2 of POST https://fal.run/fal-ai/flux/dev") {
		t.Errorf("%q", missing)
	}
}

// Failures and polls are played as they were.
func TestPlayFailures(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]faltest.Fault{
		"content policy": faltest.LateFailure(http.StatusUnprocessableEntity, "content_policy_violation", "no"),
		"it failed":      faltest.LateFailure(http.StatusInternalServerError, "internal_server_error", "no"),
		"no pictures":    faltest.Changed(func(result map[string]any) { result["images"] = []any{} }),
	} {
		run := func(c *fal.Client) string {
			_, err := fal.Subscribe(t.Context(), c, flux.Dev{Prompt: "x", Seed: fal.Seed(1)}, fal.WithLogs())
			return fmt.Sprint(err)
		}
		srv := faltest.NewServer(t)
		srv.Inject(faltest.OpSubmit, f, 1)
		recorder := &record.Recorder{}
		client := srv.Client()
		client.HTTPClient = &http.Client{Transport: recorder}
		want := run(client)
		if got := run(again(t, recorder.Tape()).Client(t)); got != want || got == "<nil>" {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// What nobody is to see is not on a tape.
func TestClean(t *testing.T) {
	t.Parallel()
	const key = "the-key-id:the-key-secret"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Other", "other header")
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"detail":"%s is wrong","url":"https://s3.example/a?X-Amz-Signature=signing&b=1","key_secret":"made","nested":[{"token":"jwt-of-fal"}],"prompt":"a private fox"}`, r.Header.Get("Authorization"))
		case "/page":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<a href="https://s3.example/a?sig=signing">the-key-secret</a>`)
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, ": the-key-secret\n\ndata: {\"prompt\":\"a private fox\",\"key\":\"made\"}\n\n")
		case "/tokens/realtime":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `"jwt-of-fal"`)
		}
	}))
	defer srv.Close()
	recorder := &record.Recorder{HidePrompts: true}
	client := &http.Client{Transport: recorder}
	for _, path := range []string{"/echo", "/page?X-Goog-Signature=signing", "/events", "/tokens/realtime"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, strings.NewReader(`{"prompt":"a private fox","image_url":"https://s3.example/x?token=signing","seed":18446744073709551615}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Key "+key)
		req.Header.Set("Cookie", "a-cookie")
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL+"/upload", strings.NewReader("private content"))
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
	}
	var b bytes.Buffer
	if err := recorder.Tape().Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"the-key", "signing", "jwt-of-fal", "made", "private", "cookie", "other header", "Authorization"} {
		if strings.Contains(b.String(), hidden) {
			t.Errorf("%q is on the tape:\n%s", hidden, b.String())
		}
	}
	for _, there := range []string{"18446744073709551615", `"detail": "Key [key] is wrong"`, "https://s3.example/a?signed=removed", "sha256:"} {
		if !strings.Contains(b.String(), there) {
			t.Errorf("%q is not on the tape:\n%s", there, b.String())
		}
	}
}

// A tape without prompts is played to whoever asks for the rest.
func TestHidePrompts(t *testing.T) {
	t.Parallel()
	tape := again(t, recorded(t, &record.Recorder{HidePrompts: true}, func(c *fal.Client) { edit(t, c, "a private fox") }))
	var b bytes.Buffer
	if err := tape.Write(&b); err != nil || strings.Contains(b.String(), "private fox") {
		t.Errorf("the prompt is on the tape: %v", err)
	}
	edit(t, tape.Client(t), "another")
}

// The local fal is like itself, and unlike what was changed on the tape.
func TestCompare(t *testing.T) {
	t.Parallel()
	tape := recorded(t, &record.Recorder{}, func(c *fal.Client) {
		if _, err := fal.Subscribe(t.Context(), c, flux.Dev{Prompt: "a fox", Seed: fal.Seed(7)}); err != nil {
			t.Fatal(err)
		}
		_, _ = fal.Run(t.Context(), c, flux.Dev{}, fal.SkipValidation()) // is refused
	})
	srv := faltest.NewServer(t)
	found, err := tape.Compare(t.Context(), srv)
	if err != nil || len(found) > 0 {
		t.Errorf("unlike itself: %v, %v", found, err)
	}
	for i := range tape.Exchanges {
		e := &tape.Exchanges[i]
		if bytes.Contains(e.Answer.Body.JSON, []byte(`"images"`)) {
			e.Answer.Body.JSON = []byte(strings.NewReplacer(`"seed":7`, `"seed":"7","new":{"x":1}`, `"width"`, `"breadth"`, `"prompt"`, `"text"`).Replace(string(e.Answer.Body.JSON)))
			e.Answer.Header.Set("X-Fal-Billable-Units", "3")
		}
		if e.Answer.Status == http.StatusUnprocessableEntity {
			e.Answer.Status = http.StatusBadRequest
		}
	}
	found, err = tape.Compare(t.Context(), srv)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range found {
		_, rest, _ := strings.Cut(d.String(), ": ")
		got = append(got, rest)
	}
	want := []string{
		"header X-Fal-Billable-Units: 3 on the tape, 1 of the local fal",
		"field images[].breadth: number on the tape, nothing of the local fal",
		"field images[].width: nothing on the tape, number of the local fal",
		"field new: object on the tape, nothing of the local fal",
		"field new.x: number on the tape, nothing of the local fal",
		"field prompt: nothing on the tape, string of the local fal",
		"field seed: string on the tape, number of the local fal",
		"field text: string on the tape, nothing of the local fal",
		"status: 400 on the tape, 422 of the local fal",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                   "EOF",
		`{"exchanges":[{}]}`: "exchange 1 of the tape",
		`{"exchanges":7}`:    "cannot unmarshal",
		`{"new":1}`:          "unknown field",
		`{"exchanges":[{"method":"GET","url":"ftp://x/y","answer":{"status":200}}]}`:                                     "no http or https",
		`{"exchanges":[{"method":"GET","url":"https://x/y","answer":{"status":7}}]}`:                                     "status 7",
		`{"exchanges":[{"url":"https://x/y","answer":{"status":200}}]}`:                                                  "no method",
		`{"exchanges":[{"method":"GET","url":"https://x/y","answer":{"status":200,"body":{"base64":"!"}}}]}`:             "illegal base64",
		`{"exchanges":[{"method":"GET","url":"https://x/y","answer":{"status":200,"body":{"json":{"a":[1]},"cut":1}}}]}`: "cannot unmarshal",
	} {
		if _, err := record.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := record.ReadFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"exchanges":[{"method":"GET","url":"https://fal.run/a/b","answer":{"status":200,"body":{"json":{"a":1}}}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tape, err := record.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		p := tape.Play()
		defer p.Close()
		for _, e := range tape.Exchanges {
			path := strings.TrimPrefix(strings.TrimPrefix(e.URL, "https:/"), "http:/")
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x"+path, nil)
			if err == nil {
				func() {
					defer func() {
						v := recover()
						if err, ok := v.(error); v != nil && (!ok || !errors.Is(err, http.ErrAbortHandler)) {
							panic(v)
						}
					}()
					p.ServeHTTP(httptest.NewRecorder(), r)
				}()
			}
		}
	})
}
