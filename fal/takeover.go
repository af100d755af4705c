package fal

import (
	"cmp"
	"sync"
	"time"
)

// claim is what a request leaves whose answer was lost: what it asked for, and
// the reservation that its guard has made. One may take it.
type claim struct {
	sent time.Time // by this machine's clock
	mu   sync.Mutex
	p    *prepared // nil once it was taken
}

// take returns the request, once.
func (c *claim) take() *prepared {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.p
	c.p = nil
	return p
}

// TakeOver lets a job of [Resume] be that of a request whose answer was lost, as
// soon as it is known to be: its guard is told that the job was accepted, and
// what it was charged once it is waited for, and the result is held against what
// was asked for. Call it before any other method. It does nothing if the error
// is of another endpoint, was taken over before, or comes from another process.
func (j *Job[Out]) TakeOver(lost *OutcomeUnknownError) {
	if lost == nil || lost.Endpoint != j.j.endpoint || j.j.err != nil {
		return
	}
	p := lost.claim.take()
	if p == nil {
		return
	}
	j.j.logs, j.j.onUpdate, j.j.refuseFlagged = p.opts.logs, p.opts.onUpdate, p.opts.refuseFlagged
	j.j.start, j.j.usage, j.j.maxResult, j.j.uploaded = lost.claim.sent, p.usage, maxResult(p.body, p.usage), p.uploaded
	j.j.mu.Lock()
	j.j.reservation = p.reservation
	j.j.mu.Unlock()
	p.reservation.Accepted(j.j.id)
}

// Asked has a job of [Resume] be that of a request with its options, as if it had just
// been submitted: its result is held against what was asked for, [RefuseFlagged] holds,
// and its updates are told. Guard, tags and what is for fal play no part. Call it before
// any other method.
func (j *Job[Out]) Asked(r Request[Out], opts ...Option) {
	o := applyOptions(opts)
	j.j.logs, j.j.onUpdate, j.j.refuseFlagged = o.logs, o.onUpdate, o.refuseFlagged
	j.j.usage = usage(r)
	j.j.usage.Endpoint = cmp.Or(j.j.usage.Endpoint, j.j.endpoint)
}

// NotAccepted tells the guard of the request, with the reason why, that fal is
// proved not to have accepted it, so that what was set aside for it is free
// again. It does nothing if the outcome was settled before.
func (e *OutcomeUnknownError) NotAccepted(why error) {
	if p := e.claim.take(); p != nil {
		p.reservation.Released(why)
	}
}
