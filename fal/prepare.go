package fal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

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
	queued   bool        // for the queue, rather than called directly
	money    Reservation // never nil
}

// prepare does everything that can be done before something is sent that may
// cost money: it checks the client, options and request, asks the guard,
// uploads files and encodes the body.
func prepare[Out any](ctx context.Context, c *Client, r Request[Out], opts []Option, queued bool) (*prepared, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errors.New("fal: the request is nil")
	}
	p := &prepared{c: c, endpoint: string(r.Endpoint()), queued: queued}
	var err error
	if p.path, p.app, err = parseEndpoint(p.endpoint); err != nil {
		return nil, err
	}
	if p.opts, err = applyOptions(opts, queued); err != nil {
		return nil, err
	}
	if !p.opts.noCheck {
		if err := validate(r); err != nil {
			return nil, err
		}
	}
	files, problems := checkFiles(r)
	if len(problems) > 0 {
		return nil, &ValidationError{Endpoint: p.endpoint, Problems: problems}
	}
	if c.logger.Enabled(ctx, slog.LevelWarn) {
		for _, w := range usage(r).Doubts {
			c.logger.LogAttrs(ctx, slog.LevelWarn, "fal request doubt",
				slog.String("endpoint", p.endpoint), slog.String("field", w.Field), slog.String("problem", w.Message))
		}
	}
	if _, err := c.Key.text(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, refused(p.endpoint, "not sent", err)
	}
	if err := p.reserve(ctx, r); err != nil {
		return nil, err
	}
	if p.body, err = encodeUploaded(ctx, c, r, files, p.opts); err != nil {
		err = refused(p.endpoint, "not sent", err)
		p.money.Released(err)
		return nil, err
	}
	return p, nil
}

// reserve asks the guard, if there is one.
func (p *prepared) reserve(ctx context.Context, r any) error {
	p.money = noReservation{}
	guard := p.opts.guard
	if guard == nil {
		guard = p.c.Guard
	}
	if guard == nil {
		return nil
	}
	u := usage(r)
	u.Endpoint = cmp.Or(u.Endpoint, p.endpoint)
	money, err := guard.Reserve(ctx, u, p.opts.tags)
	if err != nil {
		return err
	}
	if money != nil {
		p.money = money
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
func finish(money Reservation, meta Meta, err error) {
	e, isError := errors.AsType[*Error](err)
	switch {
	case err == nil:
		money.Settled(meta)
	case isError && e.Billing == NotBilled:
		money.Released(err)
	case isError && e.Billing == Billed:
		money.Settled(Meta{Endpoint: e.Endpoint, RequestID: e.RequestID, BillableUnits: e.BillableUnits})
	}
	if _, ok := errors.AsType[*DecodeError](err); ok && (meta.BillableUnits != "" || !errors.Is(err, errNotJSON) && !errors.Is(err, errNoPicture)) {
		money.Settled(meta) // the result arrived and was charged, only its form surprised
	}
}

// checkFiles returns the local files of a request, and what is wrong with any.
func checkFiles(r any) (local []File, problems []Problem) {
	_, unfit := eachFile(r, func(path string, f File) File {
		if err := f.Check(); err != nil {
			problems = append(problems, Problem{Field: path, Value: f.String(), Message: err.Error()})
		}
		if f.local != nil {
			local = append(local, f)
		}
		return f
	})
	return local, append(problems, unfit...)
}

// encodeUploaded returns the body of the request after its files were
// uploaded.
func encodeUploaded(ctx context.Context, c *Client, r any, files []File, o *options) ([]byte, error) {
	if len(files) > 0 {
		remote, err := c.uploadAll(ctx, files, o)
		if err != nil {
			return nil, err
		}
		r, _ = eachFile(r, func(_ string, f File) File {
			if f.local != nil {
				f = remote[f]
			}
			return f
		})
	}
	return json.Marshal(r)
}
