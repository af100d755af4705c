package realtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/realtime"
	"github.com/falimage/falimage-go/flux"
)

// Any number of frames may be under way for a model that does not answer each; it is
// then not known which of them an idle connection has lost.
func TestAnyNumberUnderWay(t *testing.T) {
	t.Parallel()
	const frames = 20
	c := script(t, func(ctx context.Context, _ int, c *websocket.Conn) {
		for range frames {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"type":"x-fal-error","error":"TIMEOUT","reason":"idle"}`))
		_ = c.Close(websocket.StatusNormalClosure, "")
	})
	s := open(t, c, realtime.Options{Unanswered: -1})
	for range frames {
		if err := s.Send(t.Context(), request(t, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := one(t, s); err == nil || !strings.Contains(err.Error(), "with 20 frames without a result") {
		t.Error(err)
	}
}

// A model that answers more than it was asked makes no room for more frames than may
// be under way.
func TestMoreResultsThanFrames(t *testing.T) {
	t.Parallel()
	c := script(t, func(ctx context.Context, _ int, c *websocket.Conn) {
		_, _, _ = c.Read(ctx)
		for range 3 {
			_ = c.Write(ctx, websocket.MessageText, []byte(`{"seed":9}`))
		}
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	})
	s := open(t, c, realtime.Options{Unanswered: 1})
	if err := s.Send(t.Context(), request(t, 1)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if out, err := one(t, s); err != nil || out.Seed != 9 {
			t.Fatal(out, err)
		}
	}
	if err := s.Send(t.Context(), request(t, 2)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Send(ctx, request(t, 3)); !errors.Is(err, context.DeadlineExceeded) || !fal.NotSent(err) {
		t.Errorf("a second frame under way: %v", err)
	}
}

// A connection that ends with nothing under way is only idle if it ends as it should.
func TestEndsWithNothingUnderWay(t *testing.T) {
	t.Parallel()
	for status, want := range map[websocket.StatusCode]string{
		websocket.StatusNormalClosure: "context deadline exceeded", websocket.StatusInternalError: "with 0 frames without a result", websocket.StatusGoingAway: "with 0 frames without a result",
	} {
		c := script(t, func(_ context.Context, _ int, c *websocket.Conn) { _ = c.Close(status, "because") })
		s := open(t, c, realtime.Options{})
		patience := 20 * time.Second
		if status == websocket.StatusNormalClosure {
			patience = 100 * time.Millisecond // it waits for the next frame
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for out, err := range s.Results(ctx) {
			if out != nil || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v, %v, want %q", status, out, err, want)
			}
		}
		cancel()
	}
}

// echo answers each frame with its number on a connection, and the number of that.
func echo(ctx context.Context, n int, c *websocket.Conn) {
	for i := uint64(1); ; i++ {
		if _, _, err := c.Read(ctx); err != nil {
			return
		}
		_ = c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"seed":%d}`, uint64(n)*100+i))
	}
}

// A frame that is not sent since its context has ended, before or while there is no
// connection for it, is not under way: the next one goes, and nothing is missed.
func TestFramesThatAreNotSent(t *testing.T) {
	t.Parallel()
	for _, unanswered := range []int{1, -1} {
		var n atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := int(n.Add(1))
			if n == 2 {
				<-r.Context().Done() // a model that takes long to start
				return
			}
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.CloseNow() }()
			c.SetReadLimit(-1)
			switch n {
			case 3:
				_, _, _ = c.Read(r.Context())
				_ = c.Write(r.Context(), websocket.MessageText, []byte(`{"seed":301}`))
				if unanswered > 0 { // and the next frame crosses
					_, _, _ = c.Read(r.Context())
					_ = c.Write(r.Context(), websocket.MessageText, []byte(`{"type":"x-fal-error","error":"TIMEOUT","reason":"idle"}`))
				}
			case 4:
				echo(r.Context(), n, c)
			}
			_ = c.Close(websocket.StatusNormalClosure, "")
		}))
		defer srv.Close()
		s := open(t, &fal.Client{Key: fal.NewKey("id:secret"), Hosts: fal.Hosts{Run: srv.URL}}, realtime.Options{Unanswered: unanswered})
		for _, err := range s.Results(brief(t)) { // until it is known that the connection is closed
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, ctx := range []context.Context{ended, ended, brief(t), ended} {
			if err := s.Send(ctx, request(t, 1)); !errors.Is(err, ctx.Err()) || !fal.NotSent(err) {
				t.Fatalf("by a context that has ended: %v", err)
			}
		}
		for _, want := range []uint64{301, 401}[:max(1, unanswered+1)] {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			err := s.Send(ctx, request(t, 2))
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			if out, err := one(t, s); err != nil || out.Seed != want {
				t.Fatal(out, err)
			}
		}
		for out, err := range s.Results(brief(t)) {
			if out != nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with nothing under way: %v, %v", out, err)
			}
		}
	}
}

// A frame that could not be written whole is told to whoever sends it, and to nobody
// else.
func TestFrameThatIsNotWritten(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	c := script(t, func(ctx context.Context, n int, c *websocket.Conn) {
		if n == 1 {
			_, _, _ = c.Reader(ctx) // its beginning, and no more
			cancel()
			<-ctx.Done()
			return
		}
		_, _, _ = c.Read(ctx)
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"seed":9}`))
		_ = c.Close(websocket.StatusNormalClosure, "")
	})
	s := open(t, c, realtime.Options{})
	large := flux.KleinRealtime{Prompt: "oil painting", ImageURL: fal.Bytes(bytes.Repeat([]byte{0xff, 0xd8, 0xff}, 3<<20))}
	if err := s.Send(ended, large); !errors.Is(err, context.Canceled) || !fal.NotSent(err) {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), request(t, 2)); err != nil {
		t.Fatal(err)
	}
	if out, err := one(t, s); err != nil || out.Seed != 9 {
		t.Fatal(out, err)
	}
	for out, err := range s.Results(brief(t)) {
		if out != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with nothing under way: %v, %v", out, err)
		}
	}
}

// brief is a context that ends soon.
func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// Of the frames that an idle connection has lost those are sent again that have no
// result.
func TestCrossingAfterResults(t *testing.T) {
	t.Parallel()
	c := script(t, func(ctx context.Context, n int, c *websocket.Conn) {
		if n > 1 {
			echo(ctx, n, c)
			return
		}
		_, _, _ = c.Read(ctx)
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"seed":1}`))
		_, _, _ = c.Read(ctx)
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"type":"x-fal-error","error":"TIMEOUT","reason":"idle"}`))
		_ = c.Close(websocket.StatusNormalClosure, "")
	})
	s := open(t, c, realtime.Options{})
	for _, want := range []uint64{1, 201, 202} { // the second went over two connections
		if err := s.Send(t.Context(), request(t, want)); err != nil {
			t.Fatal(err)
		}
		if out, err := one(t, s); err != nil || out.Seed != want {
			t.Fatalf("%v, %v, want seed %d", out, err, want)
		}
	}
}

// What was lost is no longer under way: the next frame does not wait for it.
func TestAfterALoss(t *testing.T) {
	t.Parallel()
	c := script(t, func(ctx context.Context, n int, c *websocket.Conn) {
		if n == 1 {
			_, _, _ = c.Read(ctx)
			return // the connection is cut
		}
		echo(ctx, n, c)
	})
	s := open(t, c, realtime.Options{Unanswered: 1})
	if err := s.Send(t.Context(), request(t, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := one(t, s); err == nil || !strings.Contains(err.Error(), "with 1 frames without a result") {
		t.Error(err)
	}
	for want := range uint64(3) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := s.Send(ctx, request(t, 2))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := one(t, s); err != nil || out.Seed != 201+want {
			t.Fatal(out, err)
		}
	}
}

// A frame that waited goes once.
func TestWaitingFrameGoesOnce(t *testing.T) {
	t.Parallel()
	s := open(t, script(t, echo), realtime.Options{Unanswered: 1, DropOldest: true})
	for seed := range uint64(3) { // the second gives way to the third
		if err := s.Send(t.Context(), request(t, seed)); err != nil {
			t.Fatal(err)
		}
	}
	for want := range uint64(2) {
		if out, err := one(t, s); err != nil || out.Seed != 101+want {
			t.Fatal(out, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for out, err := range s.Results(ctx) {
		if out != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more: %v, %v", out, err)
		}
	}
	if s.Dropped() != 1 {
		t.Errorf("%d dropped", s.Dropped())
	}
}
