package fal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// prepared is a request that passed every check on this side of the wire.
type prepared struct {
	c        *Client
	endpoint string
	path     string // of the endpoint in URLs
	app      string // owner and alias alone, for the URLs of jobs
	body     []byte
	opts     *options
	queued   bool // for the queue, rather than called directly

	span        Span        // of the call
	got         Meta        // what is known of the answer
	usage       Usage       // what was asked for
	uploaded    []string    // URLs of files that we uploaded
	reservation Reservation // never nil
}

// prepare does everything that can be done before something is sent that may
// cost money: it checks the client, options, request and files, asks the guard,
// uploads files and encodes the body. Its errors answer [NotSent]. It begins the
// span of the call, in whose context the rest belongs; end ends it, unless there
// is an error.
func prepare[Out any, O Option](ctx context.Context, c *Client, name string, r Request[Out], opts []O) (context.Context, *prepared, error) {
	if err := c.ready(ctx); err != nil {
		return ctx, nil, notSent(err)
	}
	if r == nil {
		return ctx, nil, notSent(errors.New("fal: the request is nil"))
	}
	p := &prepared{
		c: c, endpoint: string(r.Endpoint()), queued: name == "subscribe" || name == "submit",
		opts: applyOptions(opts), reservation: noReservation{},
	}
	p.span = Span{Name: name, CallID: newCallID(), Endpoint: p.endpoint, Request: r}
	ctx = c.begin(ctx, &p.span)
	if err := p.prepare(ctx, r); err != nil {
		err = notSent(err)
		p.reservation.Released(err)
		p.end(ctx, err)
		return ctx, nil, err
	}
	return ctx, p, nil
}

// end ends the span of the call.
func (p *prepared) end(ctx context.Context, err error) {
	p.span.Usage = p.usage
	p.c.end(ctx, &p.span, p.got, err)
}

// prepare is the part of the work for which the type of the result does not
// matter.
func (p *prepared) prepare(ctx context.Context, r any) (err error) {
	if p.path, p.app, err = parseEndpoint(p.endpoint); err != nil {
		return err
	}
	if _, err := p.c.key(); err != nil {
		return err
	}
	problems := p.opts.problems
	if !p.opts.noCheck {
		found, err := findProblems(r)
		if err != nil {
			return err
		}
		problems = append(problems, found...)
	}
	files, err := inspect(ctx, r)
	if err != nil {
		return notSentTo(p.endpoint, err)
	}
	for _, f := range files.problems {
		if !slices.ContainsFunc(problems, func(known Problem) bool { return known.Field == f.Field }) {
			problems = append(problems, f)
		}
	}
	if len(problems) > 0 {
		return &ValidationError{Endpoint: p.endpoint, Problems: problems, sending: true}
	}
	p.usage = usage(r)
	p.usage.Endpoint = cmp.Or(p.usage.Endpoint, p.endpoint)
	if err := ctx.Err(); err != nil {
		return notSentTo(p.endpoint, err)
	}
	if err := p.reserve(ctx); err != nil {
		return err
	}
	if p.body, err = p.encode(ctx, r, files.local); err != nil {
		return notSentTo(p.endpoint, err)
	}
	doubts := slices.Concat(p.usage.Doubts, files.doubts)
	if p.c.hosts == falsHosts {
		doubts = append(doubts, unreachable(p.body)...)
		if callback := p.opts.query.Get("fal_webhook"); private(callback) {
			doubts = append(doubts, Problem{Field: "option WithWebhook", Message: "is an address in a private network, which fal cannot reach"})
		}
	}
	p.doubt(ctx, doubts)
	if noting, ok := p.reservation.(notingReservation); ok {
		if err := noting.Sending(bytes.Clone(p.body)); err != nil {
			return notSentTo(p.endpoint, err)
		}
	}
	return nil
}

// doubt logs what is doubtful about the request, in one line.
func (p *prepared) doubt(ctx context.Context, doubts []Problem) {
	if len(doubts) == 0 || !p.c.logger.Enabled(ctx, slog.LevelWarn) {
		return
	}
	texts := make([]string, len(doubts))
	for i, d := range doubts {
		texts[i] = d.Field + ": " + d.Message
	}
	p.c.logger.LogAttrs(ctx, slog.LevelWarn, "fal request doubt",
		slog.String("call", p.span.CallID), slog.String("endpoint", p.endpoint), slog.String("doubt", shortenTo(strings.Join(texts, "; "), maxMessage)))
}

// reserve asks the guard, if there is one.
func (p *prepared) reserve(ctx context.Context) error {
	guard := p.opts.guardOr(p.c.Guard)
	if guard == nil {
		return nil
	}
	reservation, err := guard.Reserve(ctx, p.usage, p.opts.tags)
	if err != nil {
		return err
	}
	if reservation != nil {
		p.reservation = reservation
	}
	return nil
}

type noReservation struct{}

func (noReservation) Accepted(string) {}
func (noReservation) Settled(Meta)    {}
func (noReservation) Released(error)  {}

var contentJSON = []string{"application/json"}

// request returns the POST that starts the work.
func (p *prepared) request(url string) *transport.Request {
	header := p.opts.header
	if header == nil {
		header = make(http.Header, 1)
	}
	header["Content-Type"] = contentJSON
	return &transport.Request{
		Class: transport.Submit, Method: http.MethodPost, URL: url, Header: header,
		Body: p.body, Auth: true, Endpoint: p.endpoint,
	}
}

// finish tells the guard how a request ended that fal answered.
func finish(reservation Reservation, meta Meta, err error) {
	e, isError := errors.AsType[*Error](err)
	switch {
	case err == nil:
		reservation.Settled(meta)
	case isError && e.Billing == NotBilled:
		reservation.Released(err)
	case isError && e.Billing == Billed:
		reservation.Settled(Meta{Endpoint: e.Endpoint, RequestID: e.RequestID, BillableUnits: e.BillableUnits})
	}
	if e, ok := errors.AsType[*DecodeError](err); ok && e.billing == Billed {
		reservation.Settled(meta) // the result arrived and was charged, only its form surprised
	}
}

// encode returns the body of the request after its files were uploaded.
func (p *prepared) encode(ctx context.Context, r any, files map[File]summary) ([]byte, error) {
	if len(files) > 0 {
		remote, err := p.c.uploadAll(ctx, files, p.opts)
		if err != nil {
			return nil, err
		}
		r, _ = eachFile(r, func(_ string, f File) File {
			if f.local != nil {
				f = remote[f]
				p.uploaded = append(p.uploaded, f.url)
			}
			return f
		})
	}
	body, err := json.Marshal(r)
	_, noting := p.reservation.(notingReservation)
	if err == nil && (p.c.FixSeeds || noting) {
		body = withSeed(r, body)
	}
	return body, err
}
