package faltest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/falimage/falimage-go/fal/internal/msgpack"
	"github.com/falimage/falimage-go/internal/catalog"
)

// RealtimeIdle is how long a realtime session may send nothing before the server
// says so and closes its connection. The default is a minute (unconfirmed). It
// panics if d is not positive.
func RealtimeIdle(d time.Duration) Option {
	must(d > 0, "RealtimeIdle(%v): must be more than nothing", d)
	return func(s *Server) { s.realtimeIdle = d }
}

// pass is a token for realtime sessions.
type pass struct {
	app     string // the path of an endpoint, or the name of an application
	expires time.Time
}

const passesKept = 10_000

// realtimeToken makes a token: in the form that is documented, for the paths of
// endpoints, or in the older one, for the names of applications.
func (s *Server) realtimeToken(w http.ResponseWriter, r *http.Request, older bool) {
	var ask struct {
		AllowedApps     []string `json:"allowed_apps"`
		Duration        int      `json:"duration"`
		TokenExpiration int      `json:"token_expiration"`
	}
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	err := json.Unmarshal(body, &ask)
	seconds := ask.Duration
	if older {
		seconds = ask.TokenExpiration
	}
	if err != nil || len(ask.AllowedApps) != 1 || ask.AllowedApps[0] == "" || seconds < 1 || strings.Contains(ask.AllowedApps[0], "/") == older {
		invalid([]problem{{Loc: []any{"body"}, Msg: "allowed_apps and a duration are required", Type: "missing"}}).write(w)
		return
	}
	token := "faltest-token." + s.newID()
	s.mu.Lock()
	if len(s.passes) >= passesKept || s.passes == nil {
		s.passes = make(map[string]pass)
	}
	s.passes[token] = pass{ask.AllowedApps[0], s.now().Add(time.Duration(seconds) * time.Second)}
	s.mu.Unlock()
	if older {
		writeJSON(w, http.StatusOK, token)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"token": token})
}

// admitted checks the key or the token of a handshake. A token that is not good
// is told over the connection.
func (s *Server) admitted(r *http.Request, p string) (byKey, byToken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") == "Key "+s.key {
		return true, false
	}
	t, ok := s.passes[r.URL.Query().Get("fal_jwt_token")]
	app := strings.Split(p+"/", "/")[1]
	return false, ok && s.now().Before(t.expires) && (t.app == p || t.app == app)
}

// serveRealtime serves a realtime session.
func (s *Server) serveRealtime(w http.ResponseWriter, r *http.Request, p string) {
	id := s.realtimeEndpoint(p)
	buffering, err := strconv.Atoi(r.URL.Query().Get("max_buffering"))
	if r.URL.Query().Get("max_buffering") == "" {
		buffering, err = 2, nil
	}
	byKey, byToken := s.admitted(r, p)
	switch {
	case id == "":
		writeDetail(w, http.StatusNotFound, "Path /"+p+" not found")
		return
	case !byKey && r.URL.Query().Get("fal_jwt_token") == "":
		writeDetail(w, http.StatusUnauthorized, "No user found for Key ID and Secret")
		return
	case err != nil || buffering < 1 || buffering > 60:
		writeDetail(w, http.StatusBadRequest, "max_buffering must be between 1 and 60")
		return
	}
	s.faulty(w, r, OpRealtime, id, func(w http.ResponseWriter) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return // it has been answered
		}
		defer func() { _ = conn.CloseNow() }()
		conn.SetReadLimit(largestFile)
		h := &session{s: s, conn: conn, r: r, id: id}
		if !byKey && !byToken {
			h.say(map[string]any{"status": "error", "error": "Unauthorized"})
			_ = conn.Close(websocket.StatusPolicyViolation, "Unauthorized")
			return
		}
		h.serve(buffering)
	})
}

// realtimeEndpoint returns the endpoint whose sessions are held at a path, "" if
// there is none.
func (s *Server) realtimeEndpoint(p string) string {
	for _, id := range []string{p, strings.TrimSuffix(p, "/realtime")} {
		if e, ok := catalog.Lookup(id); path.Base(p) == "realtime" && (s.handler(id) != nil || ok && e.Task == "realtime") {
			return id
		}
	}
	return ""
}

// session is a realtime session.
type session struct {
	s    *Server
	conn *websocket.Conn
	r    *http.Request
	id   string
}

// say sends what is no result.
func (h *session) say(v any) {
	_ = h.conn.Write(context.Background(), websocket.MessageText, mustJSON(v))
}

// serve reads frames, of which so many wait, and answers them.
func (h *session) serve(buffering int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = h.conn.CloseNow() })
	defer stop()
	go func() {
		select {
		case <-h.s.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	frames := make(chan []byte, buffering)
	go func() {
		defer close(frames)
		for {
			kind, frame, err := h.conn.Read(ctx)
			if err != nil {
				return
			}
			if kind != websocket.MessageBinary {
				frame = nil // which is no frame
			}
			for sent := false; !sent; {
				select {
				case frames <- frame:
					sent = true
				default:
					select {
					case <-frames: // the oldest goes
					default:
					}
				}
			}
		}
	}()
	for {
		idle := time.NewTimer(h.s.realtimeIdle)
		select {
		case frame, ok := <-frames:
			idle.Stop()
			if !ok || !h.answer(frame) {
				return
			}
		case <-idle.C:
			h.say(map[string]any{"type": "x-fal-error", "error": "TIMEOUT", "reason": "no message for a while"})
			_ = h.conn.Close(websocket.StatusNormalClosure, "")
			return
		}
	}
}

// answer has the model work on a frame.
func (h *session) answer(frame []byte) bool {
	h.s.count(func(l *Ledger) { l.Frames++ })
	body, err := msgpack.Decode(frame, nil)
	if err != nil {
		h.say(map[string]any{"type": "x-fal-error", "error": "INVALID_MESSAGE", "reason": "the message is no MessagePack"})
		_ = h.conn.Close(websocket.StatusUnsupportedData, "")
		return false
	}
	start := time.Now()
	id := h.s.newID()
	r := h.r.Clone(h.r.Context())
	r.Header.Set("Content-Type", "application/json")
	r.Header.Del("Authorization")
	result, _ := h.s.perform(h.id, r, body, id, h.s.effects(h.r, OpRealtime, h.id))
	if h.s.runTime > 0 {
		select {
		case <-time.After(h.s.runTime):
		case <-h.s.stopped:
			return false
		}
	}
	h.s.mu.Lock()
	h.s.bill(id, h.id, result, r, params{})
	h.s.mu.Unlock()
	if result.status >= 400 {
		h.say(failureOf(result))
		return true
	}
	out, err := msgpack.Encode(result.body, "content", nil)
	if err != nil {
		out, err = msgpack.Encode(result.body, "", nil)
	}
	if err != nil {
		h.say(map[string]any{"type": "x-fal-error", "error": "INTERNAL_ERROR", "reason": err.Error()})
		return true
	}
	h.say(map[string]any{"type": "x-fal-message", "action": "timings", "timing": time.Since(start).Seconds()})
	return h.conn.Write(context.Background(), websocket.MessageBinary, out) == nil
}

// failureOf puts an answer with an error into the form of sessions.
func failureOf(a answer) map[string]any {
	var body struct {
		Detail json.RawMessage `json:"detail"`
	}
	_ = json.Unmarshal(a.body, &body)
	var problems []problem
	kind, reason := "BAD_REQUEST", strings.Trim(string(body.Detail), `"`)
	if json.Unmarshal(body.Detail, &problems) == nil && len(problems) > 0 {
		kind = problems[0].Type
	}
	return map[string]any{"type": "x-fal-error", "error": kind, "reason": reason}
}
