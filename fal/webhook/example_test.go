package webhook_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
)

// A server takes what fal calls. What the job is for travels in the address.
func ExampleHandler() {
	srv := faltest.New()
	defer srv.Close()
	client, ctx := srv.Client(), context.Background()

	done := make(chan string)
	hooks := httptest.NewServer(&webhook.Handler{
		Client: client,
		Handle: func(ctx context.Context, e *webhook.Event) error {
			out, err := webhook.Into(ctx, e, fal.Resume(client, flux.Schnell{}.Endpoint(), e.RequestID))
			if err != nil {
				return err // fal calls again
			}
			done <- fmt.Sprintf("order %s has %d picture", e.Query.Get("order"), len(out.Images))
			return nil
		},
	})
	defer hooks.Close()

	_, err := fal.Submit(ctx, client, flux.Schnell{Prompt: "a fox in the snow"}, fal.WithWebhook(hooks.URL+"/fal?order=17"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-done)

	// Output:
	// order 17 has 1 picture
}

// Who has the job at hand waits for it, without a connection held open.
func ExampleWait() {
	srv := faltest.New()
	defer srv.Close()
	client, ctx := srv.Client(), context.Background()

	hooks := &webhook.Handler{Client: client}
	server := httptest.NewServer(hooks)
	defer server.Close()

	job, err := fal.Submit(ctx, client, flux.Schnell{Prompt: "a fox in the snow"}, fal.WithWebhook(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := webhook.Wait(ctx, hooks, job)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(out.Images), "picture,", out.BillableUnits, "unit")
	fmt.Println(srv.Ledger().Polls, "polls")

	// Output:
	// 1 picture, 1 unit
	// 0 polls
}
