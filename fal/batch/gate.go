package batch

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// The pause after a 429 that does not say how long to wait, where the client's Retry
// does not say either. It doubles with each further one.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 8 * time.Second
)

// gate decides when an item may begin.
type gate struct {
	most  int             // at once
	every time.Duration   // least time between two
	first time.Duration   // pause after a 429
	last  time.Duration   // longest pause
	stop  <-chan struct{} // closed by Runner.Stop: nothing begins any more
	turn  chan struct{}   // held by the one that waits to begin again

	mu      sync.Mutex
	limit   float64 // at once, for now
	active  int
	again   int           // how many wait to begin again; they come first
	next    time.Time     // nothing begins before
	cut     time.Time     // when the limit was lowered last
	refused int           // in a row
	since   time.Time     // of the first of these
	changed chan struct{} // closed at the next change
}

func newGate(most int, every time.Duration, retry fal.Retry, stop <-chan struct{}) *gate {
	first := cmp.Or(max(retry.MinWait, 0), firstPause)
	last := max(cmp.Or(max(retry.MaxWait, 0), longestPause), first)
	return &gate{most: most, every: every, first: first, last: last, stop: stop, limit: float64(most), turn: make(chan struct{}, 1), changed: make(chan struct{})}
}

// enter waits until an item may begin, for the first time or again. It returns
// false if the context ends, the runner is stopped, or over is closed.
func (g *gate) enter(ctx context.Context, over <-chan struct{}, again bool) bool {
	if again {
		g.mu.Lock()
		g.again++
		g.mu.Unlock()
		defer func() {
			g.mu.Lock()
			g.again--
			g.change()
			g.mu.Unlock()
		}()
		select {
		case g.turn <- struct{}{}:
		case <-g.stop:
			return false
		case <-over:
			return false
		case <-ctx.Done():
			return false
		}
		defer func() { <-g.turn }()
	}
	for {
		if ctx.Err() != nil || closed(over) || closed(g.stop) {
			return false
		}
		g.mu.Lock()
		now := time.Now()
		pause := g.next.Sub(now)
		if g.active < g.allowed() && pause <= 0 && (again || g.again == 0) {
			g.active++
			g.next = now.Add(g.every)
			g.mu.Unlock()
			return true
		}
		changed := g.changed
		g.mu.Unlock()
		var due <-chan time.Time
		if pause > 0 {
			due = time.After(pause)
		}
		select {
		case <-changed:
		case <-due:
		case <-g.stop:
			return false
		case <-over:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// allowed is how many may be under way at once for now. The lock is held.
func (g *gate) allowed() int { return max(1, int(g.limit)) }

// change wakes those who wait. The lock is held.
func (g *gate) change() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// leave tells that an item has ended, or waits to begin again.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active--
	g.change()
}

// accepted tells that fal took an item.
func (g *gate) accepted() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = 0
	g.limit = min(float64(g.most), g.limit+1/g.limit)
}

// tooMany tells that fal refused an item that began at a time, since there are too
// many, and asked to wait. It returns how long it has taken nothing else.
func (g *gate) tooMany(began time.Time, wait time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.refused == 0 {
		g.since = now
	}
	if began.After(g.cut) { // those that began before tell nothing new
		g.limit = max(1, min(g.limit, float64(g.active))/2)
		g.cut = now
		if g.refused++; wait <= 0 {
			wait = min(g.last, g.first<<min(g.refused-1, 10))
		}
		if until := now.Add(min(wait, patience)); until.After(g.next) {
			g.next = until
		}
	}
	return now.Sub(g.since)
}

// now returns how many may be under way at once for now.
func (g *gate) now() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.allowed()
}
