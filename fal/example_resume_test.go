package fal_test

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// accept puts a request into the queue and returns what is to be kept of the
// job: its id.
func accept(ctx context.Context, client *fal.Client, prompt string) (string, error) {
	job, err := fal.Submit(ctx, client, flux.Schnell{Prompt: prompt})
	if err != nil {
		return "", err
	}
	return job.ID(), nil
}

// collect may run in another process, on another day: it knows the id alone.
func collect(ctx context.Context, client *fal.Client, id string) (*fal.Images, error) {
	return fal.Resume(client, flux.Schnell{}.Endpoint(), id).Wait(ctx)
}

// A job is submitted in one place and waited for in another.
func ExampleResume() {
	srv := faltest.New()
	defer srv.Close()
	ctx := context.Background()

	id, err := accept(ctx, srv.Client(), "a fox in the snow")
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := collect(ctx, srv.Client(), id)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(out.Images), "picture of the same job:", out.RequestID == id)
	fmt.Println("submitted", srv.Ledger().Submissions, "time")

	// Output:
	// 1 picture of the same job: true
	// submitted 1 time
}
