package fal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"
)

// Run calls the model directly and returns its result. There is no queue: if
// the connection is lost, so is the result, which may be charged all the same
// (the error is then a [*SubmitUnknownError]), and fal refuses the call (status
// 429) if too many of the account are running. Prefer [Subscribe].
func Run[Out any](ctx context.Context, c *Client, r Request[Out], opts ...Option) (*Out, error) {
	p, err := prepare(ctx, c, r, opts, false)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	resp, err := p.post(ctx, p.request(c.hosts.Run+"/"+p.path), start)
	if err != nil {
		return nil, err
	}
	meta := p.meta(resp, start)
	body, err := readAll(resp, maxBody)
	if err != nil {
		return nil, &SubmitUnknownError{Endpoint: p.endpoint, RequestID: meta.RequestID, Sent: start, Status: resp.StatusCode, Err: err}
	}
	meta.Elapsed = time.Since(start)
	out, err := decode[Out](meta, body)
	finish(p.money, meta, err)
	return out, err
}

// Stream calls the model directly and yields its result as it gets better;
// the last one is the final one. It works for endpoints that stream, such as
// fal-ai/flux-lora/stream, and adds the /stream to the id where it is missing.
// An error comes once and last. As with [Run], there is no queue to find a
// lost result in.
func Stream[Out any](ctx context.Context, c *Client, r Request[Out], opts ...Option) iter.Seq2[*Out, error] {
	return func(yield func(*Out, error) bool) {
		p, err := prepare(ctx, c, r, opts, false)
		if err != nil {
			yield(nil, err)
			return
		}
		if err := stream(ctx, p, yield); err != nil {
			yield(nil, err)
		}
	}
}

// stream yields each event of the stream. The error it returns has not been
// yielded; it is nil when the caller has stopped.
func stream[Out any](ctx context.Context, p *prepared, yield func(*Out, error) bool) error {
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
		return err
	}
	defer resp.Body.Close()
	meta := p.meta(resp, start)
	lost := func(err error) error {
		return &SubmitUnknownError{Endpoint: p.endpoint, RequestID: meta.RequestID, Sent: start, Status: resp.StatusCode, Err: err}
	}
	if !isEventStream(resp) {
		return lost(errors.New("the answer is not a stream of events but " + quoteShort(resp.Header.Get("Content-Type"))))
	}
	results := 0
	for event, err := range sse.Read(resp.Body, &sse.ReadConfig{MaxEventSize: maxEvent}) {
		if err != nil {
			return lost(err)
		}
		data := []byte(event.Data)
		if e := streamError(event.Type, data); e != nil {
			e.Endpoint, e.RequestID, e.Status = p.endpoint, meta.RequestID, resp.StatusCode
			return e
		}
		meta.Elapsed = time.Since(start)
		out, err := decode[Out](meta, data)
		if err != nil {
			return err
		}
		results++
		if !yield(out, nil) {
			return nil
		}
	}
	if results == 0 {
		return lost(errors.New("the stream ended without a result"))
	}
	p.money.Settled(meta)
	return nil
}

// streamError recognises an error in the middle of a stream. Fal documents no
// form for it, so all that are plausible are taken.
func streamError(event string, data []byte) *Error {
	var b struct {
		Type   string          `json:"type"`
		Reason string          `json:"reason"`
		Images json.RawMessage `json:"images"`
		Detail json.RawMessage `json:"detail"`
		Error  json.RawMessage `json:"error"`
	}
	_ = json.Unmarshal(data, &b) // what is no object has none of these
	failed := event == "error" || b.Type == "x-fal-error" ||
		len(b.Images) == 0 && (len(b.Detail) > 0 || len(b.Error) > 0)
	if !failed {
		return nil
	}
	e, _ := parseErrorBody(data)
	e.Message = cmp.Or(b.Reason, e.Message, "the stream reported an error: "+quoteShort(plainText(data)))
	return &e
}

func (p *prepared) meta(resp *http.Response, start time.Time) Meta {
	return Meta{
		Endpoint: p.endpoint, RequestID: resp.Header.Get("X-Fal-Request-Id"),
		BillableUnits: resp.Header.Get("X-Fal-Billable-Units"), Elapsed: time.Since(start),
	}
}

// decode turns a result into its type. What does not fit is left out and
// reported; nothing that arrived is thrown away.
func decode[Out any](meta Meta, body []byte) (*Out, error) {
	out := new(Out)
	err := json.Unmarshal(body, out)
	if m, ok := any(out).(metaSetter); ok {
		m.setMeta(meta)
	}
	if c, ok := any(out).(completer); ok && err == nil {
		c.complete(body)
	}
	if err != nil {
		return out, &DecodeError{Endpoint: meta.Endpoint, RequestID: meta.RequestID, Body: body, Err: err}
	}
	return out, nil
}
