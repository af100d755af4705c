//go:build !js

package faltest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/internal/msgpack"
)

const live = "/fal.run/fal-ai/flux-2/klein/realtime"

// dial begins a session, and returns the status of the handshake.
func dial(t *testing.T, srv *faltest.Server, path string, header ...string) (*websocket.Conn, int) {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	conn, resp, err := websocket.Dial(t.Context(), srv.URL()+path, &websocket.DialOptions{HTTPHeader: h})
	if resp == nil {
		t.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	if conn != nil {
		conn.SetReadLimit(8 << 20)
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, resp.StatusCode
}

// hear returns what a session says next: JSON with what differs each time left out, or
// the fields of a result, or with what it is closed.
func hear(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	kind, data, err := conn.Read(t.Context())
	if err != nil {
		return fmt.Sprint("closed ", websocket.CloseStatus(err))
	}
	if kind == websocket.MessageBinary {
		if data, err = msgpack.Decode(data, func([]byte) []byte { return []byte(`"bytes"`) }); err != nil {
			t.Fatal(err)
		}
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if v["timing"] != nil {
		v["timing"] = "some"
	}
	if images, ok := v["images"].([]any); ok {
		p, _ := images[0].(map[string]any)
		return fmt.Sprintf("%s result of %vx%v %v", kind, p["width"], p["height"], p["content_type"])
	}
	text, _ := json.Marshal(v)
	return kind.String() + " " + string(text)
}

// frame is a frame of a session.
func frame(t *testing.T, body string) []byte {
	t.Helper()
	b, err := msgpack.Encode([]byte(body), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Who may begin a session, and where.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	var c clock
	srv := faltest.NewServer(t, faltest.Clock(c.now))
	e := exchange{t, srv}
	token := func(body string, older bool) (string, int) {
		if older {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/rest.fal.ai/tokens/", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Key "+faltest.Key)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var text string
			_ = json.NewDecoder(resp.Body).Decode(&text)
			return text, resp.StatusCode
		}
		status, _, v := e.do(http.MethodPost, "/rest.fal.ai/tokens/realtime", body)
		text, _ := v["token"].(string)
		return text, status
	}
	good, _ := token(`{"allowed_apps":["fal-ai/flux-2/klein/realtime"],"duration":60}`, false)
	other, _ := token(`{"allowed_apps":["fal-ai/other/realtime"],"duration":60}`, false)
	short, _ := token(`{"allowed_apps":["fal-ai/flux-2/klein/realtime"],"duration":1}`, false)
	older, _ := token(`{"allowed_apps":["flux-2"],"token_expiration":60}`, true)
	c.move(time.Second)
	for i, body := range []string{
		`{"allowed_apps":["fal-ai/flux-2/klein/realtime"],"duration":0}`, `{"allowed_apps":[],"duration":60}`, `{"allowed_apps":[""],"duration":60}`,
		`{"allowed_apps":["a/b","c/d"],"duration":60}`, `{"allowed_apps":["flux-2"],"duration":60}`, `{`,
	} {
		if text, status := token(body, false); text != "" || status != http.StatusUnprocessableEntity {
			t.Errorf("token %d: %q, %d", i, text, status)
		}
	}
	if text, status := token(`{"allowed_apps":["fal-ai/flux-2/klein/realtime"],"token_expiration":60}`, true); text != "" || status != http.StatusUnprocessableEntity {
		t.Errorf("an older token for a path: %q, %d", text, status)
	}
	key := []string{"Authorization", "Key " + faltest.Key}
	for _, tt := range []struct {
		name, path string
		header     []string
		status     int
		hears      string // at once
	}{
		{"by key", live, key, 101, ""},
		{"by nothing", live, nil, 401, ""},
		{"by another key", live, []string{"Authorization", "Key a:b"}, 401, ""},
		{"by token", live + "?fal_jwt_token=" + good, nil, 101, ""},
		{"by an older token", live + "?fal_jwt_token=" + older, nil, 101, ""},
		{"by a token of another app", live + "?fal_jwt_token=" + other, nil, 101, `{"error":"Unauthorized","status":"error"}`},
		{"by a token that is over", live + "?fal_jwt_token=" + short, nil, 101, `{"error":"Unauthorized","status":"error"}`},
		{"by no token", live + "?fal_jwt_token=x", nil, 101, `{"error":"Unauthorized","status":"error"}`},
		{"elsewhere", "/fal.run/fal-ai/flux/dev/realtime", key, 404, ""},
		{"not a session", "/fal.run/fal-ai/flux-2/klein", key, 404, ""},
		{"a buffer of 1", live + "?max_buffering=1", key, 101, ""},
		{"a buffer of 60", live + "?max_buffering=60", key, 101, ""},
		{"a buffer of 0", live + "?max_buffering=0", key, 400, ""},
		{"a buffer of 61", live + "?max_buffering=61", key, 400, ""},
		{"a buffer of x", live + "?max_buffering=x", key, 400, ""},
	} {
		conn, status := dial(t, srv, tt.path, tt.header...)
		if status != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, status, tt.status)
		}
		if tt.hears == "" || conn == nil {
			continue
		}
		if got := []string{hear(t, conn), hear(t, conn)}; got[0] != "MessageText "+tt.hears || got[1] != "closed StatusPolicyViolation" {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// What a session answers, frame by frame.
func TestFrames(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	begin := func() *websocket.Conn {
		conn, _ := dial(t, srv, live, "Authorization", "Key "+faltest.Key)
		return conn
	}
	const invalid = `MessageText {"error":"INVALID_MESSAGE","reason":"the message is no MessagePack","type":"x-fal-error"}`
	const timings = `MessageText {"action":"timings","timing":"some","type":"x-fal-message"}`
	var got []string
	conn := begin()
	for _, body := range []string{
		`{"prompt":"a mug","image_size":"square_hd","seed":7,"image_url":"https://x.example/a.png"}`, `{"prompt":7,"image_url":"https://x.example/a.png"}`,
		`{"prompt":"a mug","image_url":"https://x.example/a.png"}`,
	} {
		if err := conn.Write(t.Context(), websocket.MessageBinary, frame(t, body)); err != nil {
			t.Fatal(err)
		}
		next := hear(t, conn)
		got = append(got, next)
		if next == timings {
			got = append(got, hear(t, conn))
		}
	}
	for _, odd := range []struct {
		kind websocket.MessageType
		data string
	}{{websocket.MessageText, "hello"}, {websocket.MessageBinary, "\xc1"}} {
		conn := begin()
		if err := conn.Write(t.Context(), odd.kind, []byte(odd.data)); err != nil {
			t.Fatal(err)
		}
		got = append(got, hear(t, conn), hear(t, conn))
	}
	bad := `MessageText {"error":"string_type","reason":`
	want := []string{
		timings, "MessageBinary result of 1024x1024 image/jpeg", bad, timings, "MessageBinary result of 768x768 image/jpeg",
		invalid, "closed StatusUnsupportedData", invalid, "closed StatusUnsupportedData",
	}
	for i := range got {
		if strings.HasPrefix(got[i], bad) {
			got[i] = bad
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	l := srv.Ledger()
	var units []string
	for _, b := range l.Bills {
		units = append(units, b.Units+" "+fmt.Sprint(b.Header["Authorization"]))
	}
	if len(units) != 3 || units[0] == units[1] || units[1] != "0 []" || l.Frames != 5 || l.Submissions != 0 {
		t.Errorf("%q, %d frames", units, l.Frames)
	}
}

// A session that sends nothing is ended, and says why.
func TestIdleSession(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RealtimeIdle(20*time.Millisecond))
	conn, _ := dial(t, srv, live, "Authorization", "Key "+faltest.Key)
	want := []string{`MessageText {"error":"TIMEOUT","reason":"no message for a while","type":"x-fal-error"}`, "closed StatusNormalClosure"}
	if diff := cmp.Diff(want, []string{hear(t, conn), hear(t, conn)}); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
