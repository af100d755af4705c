package fal_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// Many requests, of different models, are sent by goroutines that share one
// client. Each has an error of its own: one that fails stops no other.
func Example_batch() {
	srv := faltest.New()
	defer srv.Close()
	client, ctx := srv.Client(), context.Background()

	requests := []fal.Request[fal.Images]{
		flux.Schnell{Prompt: "a fox in the snow"},
		qwen.Image{Prompt: "a poster that says FOX"},
		flux.Schnell{}, // has no prompt
	}
	results := make([]*fal.Images, len(requests))
	errs := make([]error, len(requests))
	slots := make(chan struct{}, 8) // at most so many at a time
	var wait sync.WaitGroup
	for i, r := range requests {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			results[i], errs[i] = fal.Subscribe(ctx, client, r)
		})
	}
	wait.Wait()
	for i, r := range requests {
		if errs[i] != nil {
			fmt.Println(r.Endpoint(), "failed, charged:", fal.Charged(errs[i]))
			continue
		}
		fmt.Println(r.Endpoint(), len(results[i].Images), "picture")
	}

	// Output:
	// fal-ai/flux/schnell 1 picture
	// fal-ai/qwen-image 1 picture
	// fal-ai/flux/schnell failed, charged: not billed
}
