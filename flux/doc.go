// Package flux has a request type for each model of the FLUX family on fal.
// The types are plain values; send them with the functions of package fal.
//
//	req := flux.Image3{
//		Prompt:      "a ceramic coffee mug on a marble countertop",
//		AspectRatio: flux.Ratio16x9,
//	}
//	out, err := fal.Subscribe(ctx, client, req)
//
// Fields at their zero value are left out of the request, so the endpoint's
// default applies. Fields where zero means something else are pointers: write
// new(false), new(3.5) or fal.Seed(42). Requests with the same fields convert
// into one another: [Turbo2] into [Flash2], [Pro2] into [Max2].
package flux

//go:generate go run ../internal/generate
