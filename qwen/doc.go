// Package qwen has a request type for each model of the Qwen Image family on
// fal. The types are plain values; send them with the functions of package fal.
//
//	req := qwen.Image3{
//		Prompt:    "a shop window with the words OPEN LATE in neon",
//		ImageSize: fal.Landscape16x9,
//	}
//	out, err := fal.Subscribe(ctx, client, req)
//
// Fields at their zero value are left out of the request, so the endpoint's
// default applies. Fields where zero means something else are pointers: write
// new(false), new(4.5) or fal.Seed(42). Requests with the same fields convert
// into one another: [Max] into [Image3], for example.
package qwen

//go:generate go run ../internal/generate
