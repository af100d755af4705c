package realtime

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/internal/msgpack"
)

const (
	// maxFrame is how large a frame that comes in is at most, in bytes.
	maxFrame = 64 << 20
	// maxInline is how large a file is at most that goes inside of a frame.
	maxInline = 10 << 20
)

// frameOf turns a request into a frame.
func frameOf[Out any](r fal.Request[Out], endpoint string) ([]byte, error) {
	if r == nil {
		return nil, errors.New("the request is nil")
	}
	if got := string(r.Endpoint()); got != endpoint {
		return nil, fmt.Errorf("the request is for %.100q", got)
	}
	r, err := fal.MapFiles(r, func(field string, f fal.File) (fal.File, error) {
		if _, remote := f.URL(); remote || f.IsZero() {
			return f, nil
		}
		inline, err := inlined(f)
		if err != nil {
			err = &fal.ValidationError{Endpoint: endpoint, Problems: []fal.Problem{{Field: field, Value: f.String(), Message: err.Error(), Err: err}}}
		}
		return inline, err
	})
	if err != nil {
		return nil, err
	}
	if v, ok := r.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	// The files are put in at last: JSON would take most of the time for them.
	place := make(map[string]string)
	r, err = fal.MapFiles(r, func(_ string, f fal.File) (fal.File, error) {
		u, ok := f.URL()
		if !ok || !strings.HasPrefix(u, "data:") {
			return f, nil
		}
		name := "data:,falimage-" + rand.Text()
		place[name] = u
		return fal.URL(name), nil
	})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return msgpack.Encode(body, "", place)
}

// inlined returns a file as a data URL.
func inlined(f fal.File) (fal.File, error) {
	r, err := f.Open()
	if err != nil {
		return f, err
	}
	defer r.Close()
	var b bytes.Buffer
	if size, err := f.Size(); err == nil {
		b.Grow(int(min(size, maxInline)) + bytes.MinRead)
	}
	_, err = b.ReadFrom(io.LimitReader(r, maxInline+1))
	content := b.Bytes()
	switch {
	case err != nil:
		return f, err
	case len(content) == 0:
		return f, errors.New("the file is empty")
	case len(content) > maxInline:
		return f, fmt.Errorf("the file is larger than the %d bytes that go inside of a frame", maxInline)
	}
	return fal.URL("data:" + http.DetectContentType(content) + ";base64," + base64.StdEncoding.EncodeToString(content)), nil
}

// next returns the JSON of the next result, in which what keep returns stands
// for its bytes.
func (s *session) next(ctx context.Context, keep func([]byte) []byte) ([]byte, error) {
	for idle := false; ; {
		conn, err := s.current(ctx)
		if err != nil {
			return nil, err
		}
		kind, body, err := conn.Read(ctx)
		if err != nil {
			if err := s.ended(ctx, conn, err, idle); err != nil {
				return nil, err
			}
			idle = false
			continue
		}
		if kind == websocket.MessageBinary {
			if body, err = msgpack.Decode(body, keep); err != nil {
				_ = s.answered(ctx)
				return nil, err
			}
		}
		m := messageOf(body)
		switch {
		case m.Type == "x-fal-message":
			s.work(m.Timing)
		case m.Type == "x-fal-error" && m.Error == "TIMEOUT":
			idle = true // the connection is closed next
		case m.Status == "error" && m.Error == "Unauthorized":
			err := refusal(s.endpoint, http.StatusUnauthorized, body, s.clean)
			s.mu.Lock()
			s.token = Token{}
			s.mu.Unlock()
			s.lost(conn)
			return nil, err
		case m.Type == "x-fal-error" || m.Status == "error":
			err := errors.Join(&fal.Error{Endpoint: s.endpoint, Status: http.StatusUnprocessableEntity, Type: fmt.Sprintf("%.500s", s.clean(m.Error)), Message: fmt.Sprintf("%.2000s", s.clean(m.Reason))}, s.answered(ctx))
			return nil, err
		default:
			return body, s.answered(ctx)
		}
	}
}

// message is what fal says beside results, and in place of them.
type message struct {
	Type   string  `json:"type"`
	Status string  `json:"status"`
	Error  string  `json:"error"`
	Reason string  `json:"reason"`
	Timing float64 `json:"timing"` // in seconds
}

// work notes how long the model says that it worked on a frame.
func (s *session) work(seconds float64) {
	const longest = 3600 // a frame takes no such time
	if seconds > 0 && seconds < longest {
		s.mu.Lock()
		s.worked += time.Duration(seconds * float64(time.Second))
		s.mu.Unlock()
	}
}

// messageOf returns what fal says, if that is no result.
func messageOf(body []byte) (m message) {
	const long = 64 << 10
	if len(body) > long { // the picture of a result
		return message{}
	}
	_ = json.Unmarshal(body, &m) // a field of another type is none of these
	return m
}

// current returns the connection, and waits for one if there is none.
func (s *session) current(ctx context.Context) (*websocket.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.conn == nil && !s.closed {
		if err := s.await(ctx); err != nil {
			return nil, err
		}
	}
	if s.closed {
		return nil, ErrClosed
	}
	return s.conn, nil
}

// ended says what to make of the end of a connection: nil if it was only idle.
func (s *session) ended(ctx context.Context, conn *websocket.Conn, err error, idle bool) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	flight := s.lost(conn)
	s.mu.Lock()
	missing := s.missing
	s.missing = 0
	s.mu.Unlock()
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	status := websocket.CloseStatus(err)
	if missing == 0 && (idle || status == websocket.StatusNormalClosure) {
		return nil
	}
	if idle && missing == len(flight) {
		return s.again(ctx, flight)
	}
	if errors.Is(err, websocket.ErrMessageTooBig) || status == websocket.StatusMessageTooBig {
		err = fmt.Errorf("a frame is larger than %d bytes: %w", maxFrame, err)
	}
	return fmt.Errorf("the connection was lost, with %d frames without a result: %w", missing, err)
}

// again sends frames that crossed with the word that nothing had come for a while:
// fal has not read them.
func (s *session) again(ctx context.Context, flight [][]byte) error {
	for _, frame := range flight {
		s.mu.Lock()
		s.took(frame)
		s.mu.Unlock()
		if err := s.write(ctx, frame); err != nil {
			return err
		}
	}
	return nil
}
