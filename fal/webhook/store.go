package webhook

import (
	"context"
	"sync"
	"time"
)

// Store keeps each request id from being handled twice: fal may call several
// times, and the handlers and waits of several processes may know of the same
// job. [Memory] is for one process; one in a database that all share is for
// many. It is called by many goroutines at once.
type Store interface {
	// Claim takes a request id for the caller until Settle, or until the lease
	// is over: a process that dies does not keep it. The answer is [Claimed]
	// for one caller alone.
	Claim(ctx context.Context, requestID string, lease time.Duration) (State, error)
	// Settle ends the claim. Done says that the id was handled: it is then never
	// given again, for a day at least. Otherwise the next call gets it.
	Settle(ctx context.Context, requestID string, done bool) error
}

// State is what became of a claim to a request id.
type State string

// The states: the caller has it, somebody is at it, or it was handled before.
const (
	Claimed State = "claimed"
	Busy    State = "busy"
	Done    State = "done"
)

const (
	// storeKept is how long ids are remembered. Fal calls for two hours.
	storeKept = 24 * time.Hour
	// storeMost is how many.
	storeMost = 1_000_000
)

// Memory returns a store for one process. It remembers ids for a day, at most
// the latest million.
func Memory() Store { return &memory{ids: make(map[string]entry)} }

type memory struct {
	mu    sync.Mutex
	ids   map[string]entry
	order []string // as they were claimed first; those that were given up too
}

// entry is an id, handled or claimed until a moment.
type entry struct {
	since, until time.Time
	done         bool
}

func (m *memory) Claim(_ context.Context, id string, lease time.Duration) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for len(m.order) > 0 && now.Sub(m.ids[m.order[0]].since) >= storeKept {
		m.forgetOldest()
	}
	e, known := m.ids[id]
	switch {
	case e.done:
		return Done, nil
	case now.Before(e.until):
		return Busy, nil
	case !known:
		if len(m.order) == storeMost {
			m.forgetOldest()
		}
		e.since = now
		m.order = append(m.order, id)
	}
	e.until = now.Add(lease)
	m.ids[id] = e
	return Claimed, nil
}

func (m *memory) Settle(_ context.Context, id string, done bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, known := m.ids[id]; known {
		e.done, e.until = done, time.Time{}
		m.ids[id] = e
	}
	return nil
}

func (m *memory) forgetOldest() {
	delete(m.ids, m.order[0])
	m.order = m.order[1:]
}
