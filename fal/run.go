package fal

import (
	"context"
	"errors"
	"time"
)

// Run calls the model directly and returns its result. There is no queue: if
// the connection is lost, so is the result, which may be charged all the same
// (the error is then a [*OutcomeUnknownError]), and fal refuses the call (status
// 429) if too many of the account are running. Prefer [Subscribe].
func Run[Out any](ctx context.Context, c *Client, r Request[Out], opts ...RunOption) (*Out, error) {
	ctx, p, err := prepare(ctx, c, "run", r, opts)
	if err != nil {
		return nil, err
	}
	out, err := run[Out](ctx, p)
	p.end(ctx, err)
	return out, err
}

func run[Out any](ctx context.Context, p *prepared) (*Out, error) {
	start := time.Now()
	resp, err := p.post(ctx, p.request(p.c.hosts.Run+"/"+p.path), start)
	if err != nil {
		return nil, err
	}
	meta := p.meta(resp, start)
	body, err := readAll(resp, maxResult(p.body, p.usage))
	if err != nil {
		return nil, p.unknown(start, meta.RequestID, resp.StatusCode, err)
	}
	meta.Elapsed, body = time.Since(start), p.c.redactResult(body)
	p.got = meta
	out, err := decode[Out](meta, body)
	if errors.Is(err, errNotJSON) { // a page that something in between has put there
		err = p.unknown(start, meta.RequestID, resp.StatusCode, err)
	}
	if e := p.c.toldInResult(body, err); e != nil {
		e.Endpoint, e.RequestID, e.Status, e.BillableUnits = p.endpoint, meta.RequestID, resp.StatusCode, meta.BillableUnits
		e.Billing = billing(e.Status, true, e.BillableUnits)
		err = e
	}
	finish(p.reservation, meta, err)
	if err == nil {
		err = check(ctx, p.c, out, p.usage, p.opts.refuseFlagged)
	}
	return out, err
}
