package platform_test

import (
	"context"
	"fmt"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
)

// submit puts a request into the queue for certain: if the answer is lost, it
// looks for the job, and sends the request again only if fal never had it.
func submit(ctx context.Context, r platform.Reconciler, req fal.Request[fal.Images]) (*fal.Job[fal.Images], error) {
	for {
		job, err := fal.Submit(ctx, r.Client, req)
		if err == nil {
			return job, nil
		}
		job, err = platform.Adopt(ctx, r, req.Endpoint(), err)
		switch {
		case err == nil:
			fmt.Println("found:", job.ID() != "")
			return job, nil
		case fal.NotSent(err):
			fmt.Println("proved absent, sent again")
		default:
			return nil, err
		}
	}
}

// Answers are lost on the way, once before and once after fal accepted the
// request. It is paid once.
func ExampleAdopt() {
	srv := faltest.New()
	defer srv.Close()
	ctx := context.Background()
	client := srv.Client()
	client.FixSeeds = true // so that no two requests are alike

	srv.Inject(faltest.OpSubmit, faltest.Reset(), 1)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)

	// The local fal lists what was requested at once; with the real one, leave
	// Lag as it is.
	r := platform.Reconciler{Client: client, Lag: time.Nanosecond}
	job, err := submit(ctx, r, flux.Dev{Prompt: "a fox in the snow"})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := job.Wait(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(out.Images), "picture, paid", srv.Ledger().Submissions, "time")

	// Output:
	// proved absent, sent again
	// found: true
	// 1 picture, paid 1 time
}
