package batch

import (
	"encoding/json"

	"github.com/falimage/falimage-go/fal"
)

// sealed is a request that is sent again as it was sent before, byte by byte:
// its seed is the same, and so is the picture.
type sealed[Out any] struct {
	endpoint fal.Endpoint[Out]
	payload  json.RawMessage
	usage    func() fal.Usage // of the request that it was
}

func (s sealed[Out]) Endpoint() fal.Endpoint[Out]  { return s.endpoint }
func (s sealed[Out]) MarshalJSON() ([]byte, error) { return s.payload, nil }
func (s sealed[Out]) Usage() fal.Usage             { return s.usage() }

// seal returns the request as it was sent.
func seal[Out any](r fal.Request[Out], payload json.RawMessage) fal.Request[Out] {
	return sealed[Out]{r.Endpoint(), payload, func() (u fal.Usage) {
		if user, ok := r.(interface{ Usage() fal.Usage }); ok {
			u = user.Usage()
		}
		return u
	}}
}
