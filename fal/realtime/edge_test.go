package realtime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/realtime"
)

// asked serves what is asked for over HTTP, and notes it.
type asked struct {
	answer func(path string) (status int, body string)
	lines  []string
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.lines = append(a.lines, strings.TrimSpace(r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+" "+string(body)))
	status, text := a.answer(r.URL.Path)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (a *asked) client(t *testing.T) *fal.Client {
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return &fal.Client{Key: fal.NewKey("id:secret"), Hosts: fal.Hosts{Run: srv.URL + "/", REST: srv.URL + "/"}}
}

// At which path an endpoint holds sessions, and what is no endpoint.
func TestPaths(t *testing.T) {
	t.Parallel()
	for endpoint, path := range map[string]string{
		"fal-ai/flux/realtime": "fal-ai/flux/realtime", "fal-ai/flux": "fal-ai/flux/realtime", "azAZ/09_-.x": "azAZ/09_-.x/realtime", "realtime/x": "realtime/x/realtime",
		"": "", "one": "", "a/": "", "/a": "", "a//b": "", "a/.": "", "a/..": "", "a/b?c": "", "a/b#c": "", "a/b c": "", "a/`": "", "a/{": "", "a/@": "", "a/[": "", "a/:": "", "a/ä": "", "a/%2e": "",
	} {
		a := &asked{answer: func(string) (int, string) { return http.StatusTeapot, "" }}
		_, err := realtime.Open(t.Context(), a.client(t), fal.Endpoint[fal.Images](endpoint), realtime.Options{MaxBuffering: 60})
		want := []string{"GET /" + path + "?max_buffering=60 Key id:secret"}
		if path == "" {
			want = nil
		}
		if diff := cmp.Diff(want, a.lines); diff != "" || !fal.NotSent(err) || (path == "") != strings.Contains(err.Error(), "is not an id") {
			t.Errorf("%q: %v, asked -want +got\n%s", endpoint, err, diff)
		}
	}
	for _, buffering := range []int{-1, 61} {
		a := &asked{answer: func(string) (int, string) { return http.StatusTeapot, "" }}
		if _, err := realtime.Open(t.Context(), a.client(t), klein, realtime.Options{MaxBuffering: buffering}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("MaxBuffering %d: must be 1 to 60", buffering)) || a.lines != nil {
			t.Errorf("%d: %v, asked %q", buffering, err, a.lines)
		}
	}
}

// What an answer that opens no session says of why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]fal.Error{
		`{"detail":"no such model","error":"x","error_type":"not_found"}`: {Type: "not_found", Message: "no such model"},
		`{"error":"full"}`:                     {Message: "full"},
		`{"detail":[1]}`:                       {Message: "[1]"},
		`{}`:                                   {Message: "I'm a teapot"},
		`<html>`:                               {Message: "I'm a teapot"},
		`{"detail":"a\u001b\u007f id:secret"}`: {Message: "a   [redacted]"},
		`{"detail":"` + strings.Repeat("x", 501) + `"}`: {Message: strings.Repeat("x", 500)},
	} {
		a := &asked{answer: func(string) (int, string) { return http.StatusTeapot, body }}
		c := a.client(t)
		_, opened := realtime.Open(t.Context(), c, klein, realtime.Options{})
		_, given := realtime.NewToken(t.Context(), c, klein, time.Minute)
		want.Endpoint, want.Status, want.Billing = string(klein), http.StatusTeapot, fal.NotBilled
		for what, err := range map[string]error{"session": opened, "token": given} {
			got, ok := errors.AsType[*fal.Error](err)
			if !ok || got.Endpoint != want.Endpoint || got.Status != want.Status || got.Type != want.Type || got.Message != want.Message || got.Billing != want.Billing {
				t.Errorf("%s, %s: %+v, want %+v", what, body, got, want)
			}
		}
	}
}

// How tokens are asked for, and what comes of the answers.
func TestTokensThatAreMade(t *testing.T) {
	t.Parallel()
	const newer, older = "/tokens/realtime", "/tokens/"
	for name, tt := range map[string]struct {
		lifetime time.Duration
		status   map[string]int
		body     string
		asked    []string // paths
		seconds  int
		want     string // the token; "" is an error
	}{
		"a text":               {time.Minute, nil, `"made"`, []string{newer}, 60, "made"},
		"named":                {1999 * time.Millisecond, nil, `{"token":"made"}`, []string{newer}, 1, "made"},
		"of a second":          {time.Second, nil, `{"detail":"made"}`, []string{newer}, 1, "made"},
		"of less":              {time.Second - 1, nil, `"made"`, nil, 0, ""},
		"empty":                {time.Minute, nil, `""`, []string{newer}, 60, ""},
		"no token":             {time.Minute, nil, `{}`, []string{newer}, 60, ""},
		"no JSON":              {time.Minute, nil, `made`, []string{newer}, 60, ""},
		"of the older kind":    {time.Minute, map[string]int{newer: 400}, `"made"`, []string{newer, older}, 60, "made"},
		"of the older kind, 2": {time.Minute, map[string]int{newer: 499}, `"made"`, []string{newer, older}, 60, "made"},
		"a key refused":        {time.Minute, map[string]int{newer: 401}, `"made"`, []string{newer}, 60, ""},
		"not allowed":          {time.Minute, map[string]int{newer: 403}, `"made"`, []string{newer}, 60, ""},
		"a failure":            {time.Minute, map[string]int{newer: 500}, `"made"`, []string{newer}, 60, ""},
		"moved":                {time.Minute, map[string]int{newer: 300}, `"made"`, []string{newer}, 60, ""},
		"of neither kind":      {time.Minute, map[string]int{newer: 404, older: 404}, `"made"`, []string{newer, older}, 60, ""},
	} {
		a := &asked{answer: func(path string) (int, string) { return max(tt.status[path], http.StatusOK), tt.body }}
		before := time.Now()
		token, err := realtime.NewToken(t.Context(), a.client(t), fal.Endpoint[fal.Images]("me/model"), tt.lifetime)
		var want []string
		for _, path := range tt.asked {
			ask := `{"allowed_apps":["me/model/realtime"],"duration":` + strconv.Itoa(tt.seconds) + `}`
			if path == older {
				ask = `{"allowed_apps":["model"],"token_expiration":` + strconv.Itoa(tt.seconds) + `}`
			}
			want = append(want, "POST "+path+" Key id:secret "+ask)
		}
		if diff := cmp.Diff(want, a.lines); diff != "" || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %v, asked -want +got\n%s", name, err, diff)
		}
		if err != nil {
			continue
		}
		least, most := before.Add(time.Duration(tt.seconds)*time.Second), time.Now().Add(time.Duration(tt.seconds)*time.Second)
		if token.Value() != tt.want || token.Expires.Before(least) || token.Expires.After(most) {
			t.Errorf("%s: %s until %v", name, token.Value(), token.Expires)
		}
	}
}

// By which tokens sessions are opened: the address has them, no header does.
func TestTokensThatAreUsed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		token realtime.Token
		err   error
		want  string
	}{
		"a token":    {realtime.Token{Value: fal.NewKey("to-ken")}, nil, ""},
		"none":       {realtime.Token{}, nil, "returned an empty one"},
		"an empty":   {realtime.Token{Value: fal.NewKey("")}, nil, "returned an empty one"},
		"no success": {realtime.Token{Value: fal.NewKey("to-ken")}, errors.New("not today"), "no token: not today"},
	} {
		a := &asked{answer: func(string) (int, string) { return http.StatusTeapot, `{"detail":"of to-ken, and to-k"}` }}
		_, err := realtime.Open(t.Context(), a.client(t), klein, realtime.Options{Token: func(context.Context) (realtime.Token, error) { return tt.token, tt.err }})
		var want []string
		if tt.want == "" {
			want, tt.want = []string{"GET /" + string(klein) + "?fal_jwt_token=to-ken&max_buffering=2"}, "of [redacted], and to-k"
		}
		if diff := cmp.Diff(want, a.lines); diff != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, asked -want +got\n%s", name, err, diff)
		}
	}
}

// A file of 10 MiB goes inside of a frame, a larger one does not.
func TestLargestFile(t *testing.T) {
	t.Parallel()
	const most = 10 << 20
	got := make(chan int, 1)
	c := script(t, func(ctx context.Context, _ int, c *websocket.Conn) {
		_, body, _ := c.Read(ctx)
		got <- len(body)
		_, _, _ = c.Read(ctx)
	})
	s, err := realtime.Open(t.Context(), c, fal.Endpoint[fal.Images]("x/y"), realtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for size, good := range map[int]bool{most: true, most + 1: false} {
		file := map[string]any{"image_url": fal.Bytes(make([]byte, size))}
		if err := s.Send(t.Context(), fal.Call[fal.Images]{ID: "x/y", Input: file}); (err == nil) != good || !good && !strings.Contains(err.Error(), "larger than the 10485760 bytes") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if n := <-got; n < most*4/3 {
		t.Errorf("a frame of %d bytes", n)
	}
}

// The time of the client's own HTTP calls is neither that of opening a session nor
// that of the session.
func TestSessionOutlastsTheTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 50 * time.Millisecond
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(4 * timeout)
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		_, _, _ = c.Read(r.Context())
		time.Sleep(4 * timeout)
		_ = c.Write(r.Context(), websocket.MessageText, []byte(`{"seed":9}`))
		_, _, _ = c.Read(r.Context())
	}))
	defer srv.Close()
	c := &fal.Client{Key: fal.NewKey("id:secret"), Hosts: fal.Hosts{Run: srv.URL}, HTTPClient: &http.Client{Timeout: timeout}}
	s := open(t, c, realtime.Options{})
	if c.HTTPClient.CheckRedirect != nil || c.HTTPClient.Timeout != timeout {
		t.Error("the client's own was changed")
	}
	if err := s.Send(t.Context(), request(t, 1)); err != nil {
		t.Fatal(err)
	}
	if out, err := one(t, s); err != nil || out.Seed != 9 {
		t.Errorf("%v, %v", out, err)
	}
	_ = s.Close()
}

// What is long is a result, whatever is in it: fal's own words are short.
func TestLongMessages(t *testing.T) {
	t.Parallel()
	const words = `{"type":"x-fal-error","error":"X","reason":"broken","seed":9,"pad":"`
	for size, result := range map[int]bool{64 << 10: false, 64<<10 + 1: true} {
		c := script(t, func(ctx context.Context, _ int, c *websocket.Conn) {
			_, _, _ = c.Read(ctx)
			_ = c.Write(ctx, websocket.MessageText, []byte(words+strings.Repeat("x", size-len(words)-2)+`"}`))
			_, _, _ = c.Read(ctx)
		})
		s := open(t, c, realtime.Options{})
		if err := s.Send(t.Context(), request(t, 1)); err != nil {
			t.Fatal(err)
		}
		out, err := one(t, s)
		if result && (err != nil || out.Seed != 9) || !result && (err == nil || !strings.Contains(err.Error(), "broken")) {
			t.Errorf("%d bytes: %v, %v", size, out, err)
		}
	}
}

// read and reads note how much of JSON or of text they are given.
type read struct{ length int }

func (r *read) UnmarshalJSON(b []byte) error {
	r.length = len(b)
	return nil
}

type reads struct{ length int }

func (r *reads) UnmarshalText(b []byte) error {
	r.length = len(b)
	return nil
}

// Bytes come into whatever a type has for them, of whatever form.
func TestBytesOfAllForms(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte{1, 2, 3, 4}, 1000)
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Bytes []byte
		Next  *node
	}
	type forms struct {
		Bytes  []byte
		Texts  []string
		Map    map[string][]byte
		Array  [1][]byte
		Read   read
		Reads  *reads
		Next   *node
		Any    any
		Floats []float64
	}
	type base struct{ Content []byte }
	type plain struct {
		base

		Bytes   []byte
		Texts   []string
		Pointer **[]byte
		Floats  []float64
		Flags   map[string]bool
	}
	field := func(b []byte, name string) []byte { return msgp.AppendBytes(msgp.AppendString(b, name), content) }
	some := func(n uint32) []byte {
		b := field(msgp.AppendMapHeader(nil, n), "bytes")
		b = msgp.AppendBytes(msgp.AppendArrayHeader(msgp.AppendString(b, "texts"), 1), content)
		return msgp.AppendFloat64(msgp.AppendArrayHeader(msgp.AppendString(b, "floats"), 1), 1.5)
	}
	full := some(9)
	full = field(msgp.AppendMapHeader(msgp.AppendString(full, "map"), 1), "a")
	full = msgp.AppendBytes(msgp.AppendArrayHeader(msgp.AppendString(full, "array"), 1), content)
	full = field(field(field(full, "read"), "reads"), "any")
	full = field(msgp.AppendMapHeader(msgp.AppendString(full, "next"), 1), "bytes")
	answering := func(answer []byte) *fal.Client {
		return script(t, func(ctx context.Context, _ int, c *websocket.Conn) {
			_, _, _ = c.Read(ctx)
			_ = c.Write(ctx, websocket.MessageBinary, answer)
			_, _, _ = c.Read(ctx)
		})
	}
	whole := string(text[1 : len(text)-1])
	want := forms{
		Bytes: content, Texts: []string{whole}, Map: map[string][]byte{"a": content}, Array: [1][]byte{content}, Read: read{len(text)},
		Reads: &reads{len(whole)}, Next: &node{Bytes: content}, Any: whole, Floats: []float64{1.5},
	}
	if diff := cmp.Diff(want, *result[forms](t, answering(full)), cmp.AllowUnexported(forms{}, read{}, reads{})); diff != "" {
		t.Errorf("all forms: -want +got\n%s", diff)
	}
	pointed := &content
	if diff := cmp.Diff(plain{base: base{content}, Bytes: content, Texts: []string{whole}, Floats: []float64{1.5}, Pointer: &pointed}, *result[plain](t, answering(field(field(some(5), "pointer"), "content"))), cmp.AllowUnexported(plain{}, base{})); diff != "" {
		t.Errorf("plain ones: -want +got\n%s", diff)
	}
	if got := *result[[][]byte](t, answering(msgp.AppendBytes(msgp.AppendArrayHeader(nil, 1), content))); !cmp.Equal([][]byte{content}, got) {
		t.Errorf("a list of bytes: %d of them", len(got))
	}
}
