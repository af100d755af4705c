package falotel_test

import (
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/falotel"
)

// What the README says of this module.
func _() any {
	client := &fal.Client{Tracer: &falotel.Tracer{}} // the global providers
	return client
}
