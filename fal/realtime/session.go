package realtime

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/falimage/falimage-go/fal"
)

// ErrClosed says that a session was closed on this side.
var ErrClosed = errors.New("the session is closed")

// Options are the choices for a session. The zero value is ready to use.
type Options struct {
	// MaxBuffering is how many frames fal has wait for the model, 1 to 60, 0 for
	// 2; of more it drops the oldest, and tells nobody.
	MaxBuffering int
	// Unanswered is how many frames may be without a result before Send waits
	// for one; 0 for MaxBuffering, so that fal drops nothing. Less than none is
	// any number: for models that do not answer each frame.
	Unanswered int
	// DropOldest has Send not wait for results. Of the frames that cannot be
	// sent yet only the newest is kept, and goes when a result comes;
	// [Session.Dropped] counts the others.
	DropOldest bool
	// Token gives a token to open connections with; nil for the API key of the
	// client. It is called when a connection is opened and nine tenths of the
	// time of the last token are over, or fal has refused it.
	Token func(ctx context.Context) (Token, error)
}

// Session is a conversation with a model, frame by frame. It may be used by
// several goroutines at once: usually one sends and one reads. Close it when
// done.
type Session[Out any] struct{ s *session }

type session struct {
	client   *fal.Client
	endpoint string
	path     string
	opts     Options

	dialing chan struct{} // full while a connection is being opened

	mu         sync.Mutex
	changed    chan struct{}   // closed, and made anew, with each change of what follows
	conn       *websocket.Conn // nil while there is none
	closed     bool
	unanswered int      // frames that went over the connection
	flight     [][]byte // those frames, unless any number may be under way
	missing    int      // frames that went over connections that were lost
	waiting    []byte   // the newest frame that could not be sent, with DropOldest
	dropped    int
	token      Token

	reserved fal.Reservation // nil if there is none, or it is settled
	since    time.Time       // when the connection was opened
	held     time.Duration   // how long those before it were open
	worked   time.Duration   // how long the model worked, as far as it told
}

// Open opens a session with a model. What it costs is not known beforehand, and
// no units are told afterwards. So a guard of the client is asked once, with the
// endpoint alone; [Session.Close] has it book the time, of which the model can
// have worked no more. What is set aside for a session that is not closed stays
// set aside. A budget of package spend needs an amount in its field Unpriced for
// sessions, and refuses none that goes on for longer than that pays for: the
// time is yours to bound.
func Open[Out any](ctx context.Context, c *fal.Client, e fal.Endpoint[Out], o Options) (*Session[Out], error) {
	s, err := open(ctx, c, string(e), o)
	if err != nil {
		return nil, fmt.Errorf("realtime: %s: %w", e, err)
	}
	return &Session[Out]{s}, nil
}

func open(ctx context.Context, c *fal.Client, endpoint string, o Options) (*session, error) {
	if c == nil {
		return nil, notSentError{errors.New("the client is nil")}
	}
	if o.MaxBuffering < 0 || o.MaxBuffering > 60 {
		return nil, notSentError{fmt.Errorf("Options.MaxBuffering %d: must be 1 to 60, or 0 for 2", o.MaxBuffering)}
	}
	path, err := pathOf(endpoint)
	if err != nil {
		return nil, notSentError{err}
	}
	o.MaxBuffering = cmp.Or(o.MaxBuffering, 2)
	o.Unanswered = cmp.Or(o.Unanswered, o.MaxBuffering)
	s := &session{client: c, endpoint: endpoint, path: path, opts: o, dialing: make(chan struct{}, 1), changed: make(chan struct{})}
	if c.Guard != nil {
		if s.reserved, err = c.Guard.Reserve(ctx, fal.Usage{Endpoint: endpoint}, nil); err != nil {
			return nil, notSentError{err}
		}
	}
	if _, err = s.connect(ctx); err != nil {
		if s.reserved != nil {
			s.reserved.Released(err)
		}
		return nil, notSentError{err}
	}
	return s, nil
}

// notSentError is an error that came before a frame was sent.
type notSentError struct{ error }

func (e notSentError) Unwrap() error { return e.error }

// NotSent returns true.
func (notSentError) NotSent() bool { return true }

// Send sends a frame. Its files that are not at a URL go inside of it, as data
// URLs. It waits while too many frames are without a result, see
// [Options.Unanswered], so that somebody has to read [Session.Results]. If there
// is no connection, one is opened. An error that is [fal.NotSent] leaves the
// session as it was; a context that ends while a frame is written closes the
// connection.
func (s *Session[Out]) Send(ctx context.Context, r fal.Request[Out]) error {
	frame, err := frameOf(r, s.s.endpoint)
	if err == nil {
		err = s.s.send(ctx, frame)
	} else {
		err = notSentError{err}
	}
	if err != nil {
		return fmt.Errorf("realtime: %s: %w", s.s.endpoint, err)
	}
	return nil
}

// Results returns the results in the order in which they come, with an error
// once and last. An error of the model about one frame ends the loop and not the
// session: range again for what follows. It waits when fal has closed a
// connection that was idle, until the next frame opens another, and ends without
// an error when the session is closed. A context that ends closes the
// connection. Of several loops at once, each result goes to one.
func (s *Session[Out]) Results(ctx context.Context) iter.Seq2[*Out, error] {
	return func(yield func(*Out, error) bool) {
		for {
			kept := keeperFor[Out]()
			body, err := s.s.next(ctx, kept.keep)
			switch {
			case errors.Is(err, ErrClosed):
				return
			case err != nil:
				yield(nil, fmt.Errorf("realtime: %s: %w", s.s.endpoint, err))
				return
			}
			out := new(Out)
			if err := json.Unmarshal(body, out); err != nil {
				yield(nil, &fal.DecodeError{Endpoint: s.s.endpoint, Body: body, Err: err})
				return
			}
			kept.put(out)
			if reflect.TypeFor[Out]().Kind() == reflect.Struct {
				// Meta is ours, whatever the model sends; without one, nothing happens.
				_ = json.Unmarshal([]byte(`{"meta":{"endpoint":"`+s.s.endpoint+`"}}`), out)
			}
			if !yield(out, nil) {
				return
			}
		}
	}
}

// Dropped returns how many frames were dropped here, see [Options.DropOldest].
func (s *Session[Out]) Dropped() int {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	return s.s.dropped
}

// Close ends the session and its connection. What is under way is lost. The
// guard is told how long connections were open, and how long the model says that
// it worked, as Elapsed and InferenceTime of a [fal.Meta] without units.
func (s *Session[Out]) Close() error {
	s.s.mu.Lock()
	conn, reserved := s.s.conn, s.s.reserved
	s.s.disconnect()
	s.s.closed, s.s.reserved = true, nil
	meta := fal.Meta{Endpoint: s.s.endpoint, Elapsed: s.s.held, InferenceTime: s.s.worked}
	s.s.mu.Unlock()
	if conn != nil {
		_ = conn.Close(websocket.StatusNormalClosure, "") // the other side may be gone
	}
	if reserved != nil {
		reserved.Settled(meta)
	}
	return nil
}

// disconnect notes that there is no connection any more. The lock is held.
func (s *session) disconnect() {
	if s.conn != nil {
		s.held += time.Since(s.since)
	}
	s.conn = nil
	s.tell()
}

// tell wakes whoever waits for a change. The lock is held.
func (s *session) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits for a change. The lock is held, and is not while it waits.
func (s *session) await(ctx context.Context) error {
	changed := s.changed
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends a frame when there is room for it.
func (s *session) send(ctx context.Context, frame []byte) error {
	if ended := ctx.Err(); ended != nil {
		return notSentError{ended}
	}
	s.mu.Lock()
	for s.opts.Unanswered >= 0 && s.unanswered >= s.opts.Unanswered && !s.closed {
		if s.opts.DropOldest {
			if s.waiting != nil {
				s.dropped++
			}
			s.waiting = frame
			s.mu.Unlock()
			return nil
		}
		if err := s.await(ctx); err != nil {
			s.mu.Unlock()
			return notSentError{err}
		}
	}
	s.took(frame)
	s.mu.Unlock()
	return s.write(ctx, frame)
}

// took notes that a frame is under way. The lock is held.
func (s *session) took(frame []byte) {
	s.unanswered++
	if s.opts.Unanswered >= 0 {
		s.flight = append(s.flight, frame)
	}
}

// gaveBack notes that a frame is not under way after all, nor missing: whoever sends
// it is told.
func (s *session) gaveBack(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.flight, func(other []byte) bool { return &other[0] == &frame[0] })
	switch {
	case at >= 0:
		s.flight = slices.Delete(s.flight, at, at+1)
		s.unanswered--
		s.tell()
	case s.opts.Unanswered < 0 && s.unanswered > 0:
		s.unanswered--
	default: // it went missing with its connection
		s.missing = max(0, s.missing-1)
	}
}

// write writes a frame. A frame that was not written whole was not received, so
// that it is written again if the connection turns out to be dead.
func (s *session) write(ctx context.Context, frame []byte) error {
	for again := true; ; again = false {
		s.mu.Lock()
		old := s.conn
		s.mu.Unlock()
		conn, err := s.connect(ctx)
		if err == nil {
			err = conn.Write(ctx, websocket.MessageBinary, frame)
		}
		if err == nil {
			return nil
		}
		if conn != nil {
			s.lost(conn)
		}
		s.gaveBack(frame)
		if conn == nil {
			return notSentError{err}
		}
		if ended := ctx.Err(); ended != nil {
			return notSentError{ended}
		}
		if !again || conn != old {
			return notSentError{bare(err)}
		}
		s.mu.Lock()
		s.took(frame)
		s.mu.Unlock()
	}
}

// connect returns the connection, and opens one if there is none.
func (s *session) connect(ctx context.Context) (*websocket.Conn, error) {
	select {
	case s.dialing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.dialing }()
	s.mu.Lock()
	conn, closed := s.conn, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case conn != nil:
		return conn, nil
	}
	conn, err := s.dial(ctx)
	if err != nil {
		if ended := ctx.Err(); ended != nil {
			err = ended
		}
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.CloseNow()
		return nil, ErrClosed
	}
	s.conn, s.since = conn, time.Now()
	s.tell()
	return conn, nil
}

// lost forgets a connection, and returns the frames that were under way. They are
// missing.
func (s *session) lost(conn *websocket.Conn) (flight [][]byte) {
	_ = conn.CloseNow()
	s.mu.Lock()
	defer s.mu.Unlock()
	if conn != s.conn {
		return nil // there is another one already
	}
	flight = s.flight
	s.missing += s.unanswered
	s.unanswered, s.flight = 0, nil
	s.disconnect()
	return flight
}

// answered notes that a frame has its result, and sends the one that waits.
func (s *session) answered(ctx context.Context) error {
	s.mu.Lock()
	s.unanswered = max(0, s.unanswered-1)
	if len(s.flight) > 0 {
		s.flight = s.flight[1:]
	}
	frame := s.waiting
	if frame != nil {
		s.waiting = nil
		s.took(frame)
	}
	s.tell()
	s.mu.Unlock()
	if frame == nil {
		return nil
	}
	return s.write(ctx, frame)
}
