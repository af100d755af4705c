package realtime_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/realtime"
)

// booked is a guard that notes what it is told.
type booked struct {
	mu       sync.Mutex
	said     []string
	meta     fal.Meta
	reserved fal.Usage
}

func (b *booked) Reserve(_ context.Context, u fal.Usage, _ map[string]string) (fal.Reservation, error) {
	b.reserved = u
	b.say("reserved")
	return b, nil
}

func (b *booked) say(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, what)
}

func (b *booked) Accepted(string)    { b.say("accepted") }
func (b *booked) Released(error)     { b.say("released") }
func (b *booked) Settled(m fal.Meta) { b.say("settled"); b.meta = m }
func (b *booked) told(t *testing.T, want ...string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff(want, b.said); diff != "" {
		t.Errorf("the guard was told (-want +got):\n%s", diff)
	}
}

// A session is settled when it is closed, once: by the time of all its
// connections, and what the model told of its work.
func TestSettled(t *testing.T) {
	t.Parallel()
	const open1, pause, open2 = 60 * time.Millisecond, 80 * time.Millisecond, 40 * time.Millisecond
	c := script(t, func(ctx context.Context, n int, c *websocket.Conn) {
		_, _, _ = c.Read(ctx)
		for _, timing := range []string{"0.5", "-3", `"x"`, "3600", "0.25", "3599"} {
			_ = c.Write(ctx, websocket.MessageText, []byte(`{"type":"x-fal-message","action":"timings","timing":`+timing+`}`))
		}
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"images":[{"content":"AQI="}],"seed":7}`))
		if n == 1 {
			time.Sleep(open1)
			_ = c.Write(ctx, websocket.MessageText, []byte(`{"type":"x-fal-error","error":"TIMEOUT"}`))
			_ = c.Close(websocket.StatusNormalClosure, "")
			return
		}
		_, _, _ = c.Read(ctx)
	})
	guard := &booked{}
	c.Guard = guard
	start := time.Now()
	s := open(t, c, realtime.Options{})
	turn := func() {
		t.Helper()
		if err := s.Send(t.Context(), request(t, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := one(t, s); err != nil {
			t.Fatal(err)
		}
	}
	turn()
	ctx, cancel := context.WithTimeout(t.Context(), open1+pause)
	defer cancel()
	for out, err := range s.Results(ctx) { // fal closes the connection meanwhile
		if out != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", out, err)
		}
	}
	guard.told(t, "reserved")
	turn()
	time.Sleep(open2)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	guard.told(t, "reserved", "settled")
	if got := guard.meta.Elapsed; got < open1+open2 || got > took-pause/2 {
		t.Errorf("connected for %v of %v", got, took)
	}
	guard.meta.Elapsed = 0
	if diff := cmp.Diff(fal.Meta{Endpoint: string(klein), InferenceTime: 2 * (3599*time.Second + 750*time.Millisecond)}, guard.meta); diff != "" {
		t.Errorf("settled with (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fal.Usage{Endpoint: string(klein)}, guard.reserved, cmp.AllowUnexported(fal.File{})); diff != "" {
		t.Error(diff)
	}
}

// What could not be opened costs nothing.
func TestReleased(t *testing.T) {
	t.Parallel()
	guard := &booked{}
	c := &fal.Client{Key: fal.NewKey("id:a-secret-of-length"), Guard: guard, Hosts: fal.Hosts{Run: "http://127.0.0.1:1"}}
	if _, err := realtime.Open(t.Context(), c, klein, realtime.Options{}); err == nil || !fal.NotSent(err) {
		t.Errorf("error %v", err)
	}
	guard.told(t, "reserved", "released")
}
