package fal

import (
	"context"
	"errors"
	"time"
)

// cancelTime is how long Subscribe tries to cancel a job that is no longer
// waited for.
const cancelTime = 5 * time.Second

// Subscribe puts a request into fal's queue, waits until it is completed and
// returns the result. See [Submit] and [Job.Wait] for the errors.
//
// If the context ends first, the job is cancelled as far as that is still
// possible, and the error is a [*JobError]: it has the request id and says how
// the cancelling went. A job that could not be stopped can be taken up again
// with [Resume].
func Subscribe[Out any](ctx context.Context, c *Client, r Request[Out], opts ...Option) (*Out, error) {
	ctx, p, err := prepare(ctx, c, "subscribe", r, opts)
	if err != nil {
		return nil, err
	}
	var out *Out
	j, err := submit(ctx, p)
	if err == nil {
		out, err = wait[Out](ctx, j)
		p.got = j.known()
	}
	if unfinished, ok := errors.AsType[*JobError](err); ok && ctx.Err() != nil {
		j.abandon(ctx, unfinished)
	}
	p.end(ctx, err)
	return out, err
}

// abandon cancels a job that is no longer waited for. It does what it can in
// a short time: the request id is in the error anyway.
func (j *job) abandon(ctx context.Context, e *JobError) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer stop()
	e.Cancel, _ = j.cancel(ctx)
}
