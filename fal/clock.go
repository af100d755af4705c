package fal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

const (
	// sameClock is how far two clocks may be apart and are taken for the same.
	sameClock = time.Minute
	// clockTime is how long fal is asked for the time, and clockPause how long it is
	// not asked again after that failed.
	clockTime, clockPause = 3 * time.Second, 30 * time.Second
)

// clock is fal's, as its last answer told it.
type clock struct {
	mu         sync.Mutex
	date       string        // as it came last
	fals, ours time.Time     // fal's, and this machine's when that came
	busy       chan struct{} // closed when the question under way is answered
	tried      time.Time     // when a question failed last
	err        error         // how
}

// told notes the date of an answer.
func (c *clock) told(date string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if date == c.date {
		return // of the same second
	}
	c.date = date
	if fals, err := http.ParseTime(date); err == nil {
		c.fals, c.ours = fals, time.Now()
	}
}

// now returns the time at fal. It is not known if no answer told it, or if this
// machine's clock was set, or the machine slept, since one did. The lock is held.
func (c *clock) now() (now time.Time, known bool) {
	now = time.Now()
	passed := now.Sub(c.ours)
	byWall := now.Round(0).Sub(c.ours.Round(0))
	switch ahead := c.fals.Sub(c.ours.Round(0)); {
	case c.fals.IsZero() || (passed-byWall).Abs() > sameClock:
		return now, false
	case ahead.Abs() > sameClock:
		return c.fals.Add(passed), true
	}
	return now.Round(0), true // which is more exact
}

// of returns a time of this process by fal's clock if that is known, and else as it is.
func (c *clock) of(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, known := c.now(); known {
		return now.Add(-time.Since(t))
	}
	return t
}

// Now returns the time by fal's clock, since this machine's may be wrong: when a
// request was sent has to be known to find it in fal's history. It is told by the date of
// fal's answers. Where there was none yet, or this machine slept or its clock was set
// since, fal is asked, for 3 seconds at most; if that fails the time is this machine's,
// beside an error.
func (c *Client) Now(ctx context.Context) (time.Time, error) {
	if err := c.ready(ctx); err != nil {
		return time.Now(), err
	}
	k := &c.clock
	for {
		k.mu.Lock()
		now, known := k.now()
		failed := k.err != nil && time.Since(k.tried) < clockPause
		busy, err := k.busy, k.err
		ask := !known && !failed && busy == nil
		if ask {
			busy = make(chan struct{})
			k.busy = busy
		}
		k.mu.Unlock()
		switch {
		case known:
			return now, nil
		case failed:
			return now, err
		case ask:
			c.askTime(ctx, busy)
			continue
		}
		late := time.NewTimer(clockTime)
		select {
		case <-busy:
			late.Stop()
		case <-late.C:
			return now, errNoTime
		case <-ctx.Done():
			late.Stop()
			return now, ctx.Err()
		}
	}
}

var errNoTime = errors.New("fal: the time at fal is not known: it did not answer")

// askTime asks fal for the time, and closes busy.
func (c *Client) askTime(ctx context.Context, busy chan struct{}) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clockTime)
	defer cancel()
	resp, err := c.transport.Send(ctx, &transport.Request{
		Class: transport.Once, Method: http.MethodGet, URL: c.hosts.Queue + "/", Endpoint: "clock", Timeout: clockTime,
	})
	if err == nil {
		_, _ = readHead(resp)
		c.clock.told(resp.Header.Get("Date"))
	}
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	if _, known := c.clock.now(); err == nil && !known {
		err = errors.New("the answer does not tell it")
	}
	if c.clock.err = nil; err != nil {
		c.clock.err, c.clock.tried = fmt.Errorf("fal: the time at fal is not known: %w", err), time.Now()
	}
	c.clock.busy = nil
	close(busy)
}
