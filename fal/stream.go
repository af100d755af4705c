package fal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// Stream calls the model directly and yields its result as it gets better;
// the last one is the final one. It works for endpoints that stream, such as
// fal-ai/flux-lora/stream, and adds the /stream to the id where it is missing.
// An error comes once and last. As with [Run], there is no queue to find a
// lost result in.
func Stream[Out any](ctx context.Context, c *Client, r Request[Out], opts ...RunOption) iter.Seq2[*Out, error] {
	return func(yield func(*Out, error) bool) {
		ctx, p, err := prepare(ctx, c, "stream", r, opts)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { p.end(ctx, err) }()
		var out *Out
		if out, err = stream(ctx, p, yield); err != nil {
			yield(out, err)
		}
	}
}

// stream yields each event of the stream. The error it returns has not been
// yielded; it is nil when the caller has stopped. What fits of a result comes
// with an error that says that not all of it does.
func stream[Out any](ctx context.Context, p *prepared, yield func(*Out, error) bool) (*Out, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	path := p.path
	if !strings.HasSuffix(path, "/stream") {
		path += "/stream"
	}
	start := time.Now()
	req := p.request(p.c.hosts.Run + "/" + path)
	req.Header["Accept"] = eventStream["Accept"]
	req.Stream = true
	resp, err := p.post(ctx, req, start)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	meta := p.meta(resp, start)
	p.got = meta
	unknown := func(err error) error {
		return p.unknown(start, meta.RequestID, resp.StatusCode, err)
	}
	if !isEventStream(resp) {
		return nil, unknown(errors.New("the answer is not a stream of events but " + quoteShort(p.c.clean(resp.Header.Get("Content-Type")))))
	}
	results := 0
	var last *Out // that was yielded
	var odd *Out  // a result that does not fit its type, if it is the last
	var oddErr error
	most := maxResult(p.body, p.usage)
	for event, err := range readEvents(ctx, resp.Body, most, streamResults*most) {
		if err != nil {
			return nil, unknown(err)
		}
		if len(bytes.TrimSpace(event.data)) == 0 {
			continue // a sign of life
		}
		data := p.c.redactResult(event.data)
		if e := p.c.streamError(event.name, data); e != nil {
			e.Endpoint, e.RequestID, e.Status = p.endpoint, meta.RequestID, resp.StatusCode
			e.BillableUnits = meta.BillableUnits
			e.Billing = billing(e.Status, true, e.BillableUnits)
			finish(p.reservation, meta, e)
			return nil, e
		}
		meta.Elapsed = time.Since(start)
		p.got = meta
		out, err := decode[Out](meta, data)
		results++
		if errors.Is(err, errNoPicture) && odd != nil && oddErr == nil {
			continue // something that the model tells after its pictures
		}
		if odd, oddErr = out, err; err != nil {
			continue
		}
		if images, ok := any(out).(*Images); ok {
			images.compare(p.usage)
		}
		if last = out; !yield(out, nil) {
			return nil, nil
		}
	}
	switch {
	case errors.Is(oddErr, errNotJSON):
		return nil, unknown(fmt.Errorf("the stream ended in the middle of an event: %w", io.ErrUnexpectedEOF))
	case results == 0:
		return nil, unknown(errors.New("the stream ended without a result"))
	}
	finish(p.reservation, meta, oddErr)
	if oddErr != nil {
		return odd, oddErr
	}
	return last, check(ctx, p.c, last, p.usage, p.opts.refuseFlagged)
}

// streamError recognises an error in the middle of a stream. Fal documents no
// form for it, so all that are plausible are taken.
func (c *Client) streamError(event string, data []byte) *Error {
	var b struct {
		Type   string          `json:"type"`
		Reason string          `json:"reason"`
		Images json.RawMessage `json:"images"`
		Detail json.RawMessage `json:"detail"`
		Error  json.RawMessage `json:"error"`
	}
	_ = json.Unmarshal(data, &b) // what is no object has none of these
	failed := event == "error" || b.Type == "x-fal-error" || !given(b.Images) && (given(b.Detail) || given(b.Error))
	if !failed {
		return nil
	}
	e, _ := parseErrorBody(data, c.clean)
	e.Message = cmp.Or(c.clean(b.Reason), e.Message, "the stream reported an error: "+quoteShort(plainText(data, c.clean)))
	return &e
}

// given reports whether a field is there and not null.
func given(v json.RawMessage) bool { return len(v) > 0 && string(v) != "null" }
