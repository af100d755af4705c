// Package demo gives the example programs a client: a real one if there is an
// API key, or else one that talks to a local fal inside the program.
package demo

import (
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
)

// Client returns a client and whether it is simulated. Stop ends the
// simulation; call it when done.
func Client() (client *fal.Client, simulated bool, stop func()) {
	if HasKey() {
		return &fal.Client{}, false, func() {}
	}
	srv := Server(faltest.QueueTime(400*time.Millisecond), faltest.RunTime(800*time.Millisecond))
	return srv.Client(), true, srv.Close
}

// Server starts a local fal that has the prices of this module.
func Server(opts ...faltest.Option) *faltest.Server {
	srv := faltest.New(opts...)
	for p := range pricing.Embedded().Prices() {
		if p.Rule != nil {
			srv.SetPrice(p.Endpoint, strings.TrimPrefix(p.Rule.UnitPrice().String(), "$"), p.Rule.Unit())
		}
	}
	return srv
}

// Note says that a program is simulated.
const Note = "No API key: this is a simulation. Nothing is sent to fal and nothing is charged. Set FAL_KEY to do it for real."
