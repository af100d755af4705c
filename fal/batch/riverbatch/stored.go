package riverbatch

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/falimage/falimage-go/fal"
)

// stored is a request as the database has it: any machine sends it byte by byte as it
// was inserted, with its seed, whatever type it had.
type stored[Out any] struct {
	endpoint fal.Endpoint[Out]
	body     json.RawMessage
	usage    fal.Usage
}

func (s stored[Out]) Endpoint() fal.Endpoint[Out]  { return s.endpoint }
func (s stored[Out]) MarshalJSON() ([]byte, error) { return s.body, nil }
func (s stored[Out]) Usage() fal.Usage             { return s.usage }

// errCaught has a request not sent.
var errCaught = errors.New("riverbatch: it is only prepared")

// caught is a guard that gets to know what would be sent, and refuses it.
type caught struct {
	body  json.RawMessage
	usage fal.Usage
	tags  map[string]string
}

func (c *caught) Reserve(_ context.Context, u fal.Usage, tags map[string]string) (fal.Reservation, error) {
	c.usage, c.tags = u, tags
	return c, nil
}

func (c *caught) Sending(body json.RawMessage) error {
	c.body = body
	return errCaught
}

func (*caught) Accepted(string)  {}
func (*caught) Settled(fal.Meta) {}
func (*caught) Released(error)   {}

// prepare checks a request, uploads its files and gives it a seed, as if it were sent,
// and does not send it.
func prepare[Out any](ctx context.Context, c *fal.Client, r fal.Request[Out], opts []fal.Option) (*caught, error) {
	prepared := new(caught)
	_, err := fal.Submit(ctx, c, r, append(append([]fal.Option{}, opts...), fal.WithGuard(prepared))...)
	if !errors.Is(err, errCaught) {
		return nil, err
	}
	return prepared, nil
}

// usage is a fal.Usage as the database has it: of its pictures only what they cost by.
type usage struct {
	fal.Usage
	Inputs []input  // in place of the files
	Doubts struct{} `json:"-"`
}

// input is a picture that is sent along.
type input struct {
	URL           string `json:",omitzero"`
	Width, Height int    `json:",omitzero"`
}

// uploaded stands for a picture that was on the machine where it was inserted; its size
// is known, or can be as large as any.
const uploaded = "https://fal.media/uploaded"

func encodeUsage(u fal.Usage) ([]byte, error) {
	kept := usage{Usage: u, Inputs: make([]input, len(u.Inputs))}
	for i, f := range u.Inputs {
		url, remote := f.URL()
		if !remote || len(url) > 2000 { // a data URL
			url = uploaded
		}
		kept.Inputs[i].URL = url
		if w, h, err := f.Dimensions(); err == nil {
			kept.Inputs[i].Width, kept.Inputs[i].Height = w, h
		}
	}
	kept.Usage.Inputs, kept.Usage.Doubts = nil, nil
	return json.Marshal(kept)
}

func decodeUsage(text []byte) (fal.Usage, error) {
	var kept usage
	if err := json.Unmarshal(text, &kept); err != nil {
		return fal.Usage{}, err
	}
	for _, in := range kept.Inputs {
		f := fal.URL(in.URL)
		if in.Width > 0 && in.Height > 0 {
			f = f.Sized(in.Width, in.Height)
		}
		kept.Usage.Inputs = append(kept.Usage.Inputs, f)
	}
	return kept.Usage, nil
}
