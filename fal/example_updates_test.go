package fal_test

import (
	"context"
	"fmt"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// A job is followed while it waits and runs. Who only wants to be told gives
// Subscribe the option WithUpdates.
func ExampleJob_Updates() {
	srv := faltest.New(faltest.QueueTime(300*time.Millisecond), faltest.RunTime(300*time.Millisecond))
	defer srv.Close()
	ctx := context.Background()

	job, err := fal.Submit(ctx, srv.Client(), flux.Schnell{Prompt: "a fox in the snow"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var last fal.State
	for status, err := range job.Updates(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if status.State != last {
			fmt.Println(status.State)
		}
		last = status.State
	}
	out, err := job.Wait(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(out.Images), "picture")

	// Output:
	// IN_QUEUE
	// IN_PROGRESS
	// COMPLETED
	// 1 picture
}
