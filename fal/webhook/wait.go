package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// ErrTaken says that the result of a job was handed out before: by another Wait,
// or to a [Handler.Handle], in this process or in one with the same [Store]. The
// result itself is not gone: [fal.Job.Wait] has it.
var ErrTaken = errors.New("webhook: the result was handed out before")

const (
	// lookTime is how often Wait looks by itself: for the webhook that never
	// comes, or comes to another process.
	lookTime = 15 * time.Second
	// looksFailed is after how many looks in a row that failed Wait follows the
	// job as fal.Job.Wait does, whose word is final.
	looksFailed = 3
)

// Wait waits until the job is done and returns its result: h tells by the
// webhook that was given to the job, and every 15 seconds Wait looks by itself;
// whichever is first. Each request id is handed out once, see [ErrTaken]; the
// other errors are those of [fal.Job.Wait]. It holds no connection while it
// waits.
//
// The result is fetched from fal, with the units that were billed; if that
// cannot be done at once, it is what the webhook has brought.
func Wait[Out any](ctx context.Context, h *Handler, j *fal.Job[Out]) (*Out, error) {
	switch {
	case h == nil:
		return nil, errors.New("webhook: the handler is nil")
	case j == nil:
		return nil, errors.New("webhook: the job is nil")
	case ctx == nil:
		return nil, errors.New("webhook: the context is nil")
	}
	h.setUp()
	events, leave := h.waits.wait(j.ID())
	defer leave()
	event, err := await(ctx, events, j)
	if err != nil {
		return nil, err
	}
	out, err := Fetch(ctx, event, j)
	if _, unfinished := errors.AsType[*fal.JobError](err); unfinished {
		return out, err // it may be waited for again
	}
	state, problem := h.store.Claim(ctx, j.ID(), lease)
	if problem == nil && state == Claimed {
		problem = h.store.Settle(ctx, j.ID(), true)
	}
	if problem != nil {
		return nil, &fal.JobError{Endpoint: string(j.Endpoint()), RequestID: j.ID(), Err: fmt.Errorf("webhook: the store: %w", problem)}
	}
	if state != Claimed {
		return nil, ErrTaken
	}
	return out, err
}

// await returns the event of a job, or nil once a look says that it is done, or
// that looking is of no use.
func await[Out any](ctx context.Context, events <-chan *Event, j *fal.Job[Out]) (*Event, error) {
	look := time.Tick(lookTime)
	for failed := 0; failed < looksFailed; {
		select {
		case e := <-events:
			return e, nil
		case <-ctx.Done():
			return nil, &fal.JobError{Endpoint: string(j.Endpoint()), RequestID: j.ID(), Err: ctx.Err()}
		case <-look:
		}
		s, err := j.Status(ctx)
		switch {
		case err != nil:
			failed++
		case s.State != fal.InQueue && s.State != fal.InProgress:
			return nil, nil //nolint:nilnil // no event
		default:
			failed = 0
		}
	}
	return nil, nil //nolint:nilnil // no event
}

const (
	// earlyMost is how many events are kept that came before they were waited
	// for, and earlyBytes how long their payloads are together.
	earlyMost, earlyBytes = 10_000, 64 << 20
)

// waits are those who wait for an event, by request id, and the events that
// nobody waited for yet.
type waits struct {
	mu    sync.Mutex
	who   map[string][]chan *Event
	early map[string]*Event
	order []string // of the early ones
	bytes int
}

// wait begins to wait for an event. Leave ends it.
func (w *waits) wait(id string) (events <-chan *Event, leave func()) {
	mine := make(chan *Event, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.early[id]; e != nil {
		mine <- e
	}
	if w.who == nil {
		w.who = make(map[string][]chan *Event)
	}
	w.who[id] = append(w.who[id], mine)
	return mine, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		rest := w.who[id][:0]
		for _, other := range w.who[id] {
			if other != mine {
				rest = append(rest, other)
			}
		}
		if w.who[id] = rest; len(rest) == 0 {
			delete(w.who, id)
		}
	}
}

// deliver hands an event to all who wait for it, and reports whether there are
// any. Else it is kept if it may be waited for later.
func (w *waits) deliver(e *Event, keep bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting := w.who[e.RequestID]
	for _, c := range waiting {
		select {
		case c <- e:
		default: // it was told before
		}
	}
	if len(waiting) > 0 || !keep || w.early[e.RequestID] != nil {
		return len(waiting) > 0
	}
	if w.early == nil {
		w.early = make(map[string]*Event)
	}
	w.early[e.RequestID] = e
	w.order = append(w.order, e.RequestID)
	w.bytes += len(e.Payload)
	for len(w.order) > earlyMost || w.bytes > earlyBytes {
		w.bytes -= len(w.early[w.order[0]].Payload)
		delete(w.early, w.order[0])
		w.order = w.order[1:]
	}
	return false
}
