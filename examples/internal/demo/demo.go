// Package demo gives the example programs a client: a real one if there is an
// API key, or else one that talks to a local fal inside the program.
package demo

import (
	"os"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

// Client returns a client and whether it is simulated. Stop ends the
// simulation; call it when done.
func Client() (client *fal.Client, simulated bool, stop func()) {
	if os.Getenv("FAL_KEY") != "" || os.Getenv("FAL_KEY_ID") != "" {
		return &fal.Client{}, false, func() {}
	}
	srv := faltest.New(faltest.QueueTime(400*time.Millisecond), faltest.RunTime(800*time.Millisecond))
	return srv.Client(), true, srv.Close
}
