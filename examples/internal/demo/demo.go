// Package demo gives the example programs a client: a real one if there is an
// API key, or else one that talks to a local fal inside the program.
package demo

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
)

// Client returns a client and whether it is simulated. Stop ends the
// simulation; call it when done.
func Client() (client *fal.Client, simulated bool, stop func()) {
	if os.Getenv("FAL_KEY") != "" || os.Getenv("FAL_KEY_ID") != "" {
		return &fal.Client{}, false, func() {}
	}
	srv := faltest.New(faltest.QueueTime(400*time.Millisecond), faltest.RunTime(800*time.Millisecond))
	for p := range pricing.Embedded().Prices() {
		if p.Rule != nil {
			srv.SetPrice(p.Endpoint, strings.TrimPrefix(p.Rule.UnitPrice().String(), "$"), p.Rule.Unit())
		}
	}
	return srv.Client(), true, srv.Close
}

// Note says that a program is simulated.
const Note = "No API key: this is a simulation. Nothing is sent to fal and nothing is charged. Set FAL_KEY to do it for real."

// Main runs a program with a client, until it ends or Ctrl-C is pressed. The
// exit status tells success.
func Main(program func(ctx context.Context, client *fal.Client) error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	client, simulated, stop := Client()
	if simulated {
		fmt.Println(Note)
	}
	err := program(ctx, client)
	stop()
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Run quotes a request, runs it and settles the bill.
func Run[Out any](ctx context.Context, client *fal.Client, req fal.Request[Out], meta func(*Out) fal.Meta) (*Out, error) {
	quote, err := pricing.Estimate(req)
	if err != nil {
		return nil, err
	}
	out, err := fal.Subscribe(ctx, client, req)
	if err != nil {
		return nil, err
	}
	bill, err := pricing.Settle(quote, meta(out))
	if err != nil {
		return nil, err
	}
	most := ""
	if !quote.Exact() {
		most = fmt.Sprintf(" (at most %v)", quote.Max)
	}
	fmt.Printf("%-32s quoted %v%s, billed %v, request %s\n", req.Endpoint(), quote.Expected, most, bill.Billed, meta(out).RequestID)
	return out, nil
}

// Images is Run for a request that makes pictures.
func Images(ctx context.Context, client *fal.Client, req fal.Request[fal.Images]) ([]fal.Image, error) {
	out, err := Run(ctx, client, req, func(o *fal.Images) fal.Meta { return o.Meta })
	if err != nil {
		return nil, err
	}
	if len(out.Images) == 0 {
		return nil, fmt.Errorf("%s: the result has no picture", req.Endpoint())
	}
	return out.Images, nil
}
