package realtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/realtime"
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
