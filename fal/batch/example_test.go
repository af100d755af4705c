package batch_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// In the workers of a queue that runs its jobs again after a crash, such as Temporal or
// a plain loop, Step makes what is paid happen once.
func ExampleStep() {
	srv := faltest.New()
	defer srv.Close()
	run := &batch.Runner{Client: srv.Client(), Journal: batch.Memory()} // in earnest: one that the workers share

	work := func(order string) error {
		res, err := batch.Step(context.Background(), run, batch.Item[fal.Images]{
			Key: order, Request: flux.Schnell{Prompt: "the picture of " + order},
		})
		if err != nil {
			return err // the queue calls again; an Unknown item stays so until it is found
		}
		fmt.Println(order, len(res.Out.Images), "picture")
		return nil
	}
	for _, order := range []string{"order 17", "order 18", "order 17"} { // the queue runs one again
		if err := work(order); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(srv.Ledger().Submissions, "jobs")

	// Output:
	// order 17 1 picture
	// order 18 1 picture
	// order 17 1 picture
	// 2 jobs
}

// Who submits need not be who receives: the address that fal calls tells the key, and
// the journal has all else.
func ExampleDeliver() {
	srv := faltest.New() // in earnest: fal itself
	defer srv.Close()
	ctx, j, done := context.Background(), batch.Memory(), make(chan string) // in earnest: a journal that both have

	receives := &batch.Runner{Client: srv.Client(), Journal: j}
	hooks := httptest.NewServer(&webhook.Handler{
		Client: srv.Client(),
		Handle: func(ctx context.Context, e *webhook.Event) error {
			res, err := batch.Deliver[fal.Images](ctx, receives, e.Query.Get("key"), e)
			if err != nil {
				return err // fal calls again
			}
			done <- fmt.Sprintf("%s: %s, %d picture", res.Key, res.State, len(res.Out.Images))
			return nil
		},
	})
	defer hooks.Close()

	submits := &batch.Runner{Client: srv.Client(), Journal: j, Webhook: func(key string) string {
		return hooks.URL + "/fal?key=" + url.QueryEscape(key)
	}}
	go func() { // and may end before there is a result
		_, _ = batch.Step(ctx, submits, batch.Item[fal.Images]{Key: "order 17", Request: flux.Schnell{Prompt: "a fox"}})
	}()
	fmt.Println(<-done)

	// Output:
	// order 17: done, 1 picture
}

// A batch that was stopped is gone on with by the next run, which sends what was not
// sent.
func Example() {
	srv := faltest.New() // in earnest: fal itself
	defer srv.Close()
	dir, err := os.MkdirTemp("", "batch")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	items := func(yield func(batch.Item[fal.Images]) bool) {
		for i, thing := range []string{"mug", "fox", "poster", "lamp"} {
			it := batch.Item[fal.Images]{Key: thing, Request: flux.Schnell{Prompt: "a " + thing}}
			if i%2 == 1 {
				it.Request = qwen.Image{Prompt: "a " + thing}
			}
			if !yield(it) {
				return
			}
		}
	}
	for day := 1; day <= 2; day++ {
		j, err := journal.Open(filepath.Join(dir, "things.batch"))
		if err != nil {
			log.Fatal(err)
		}
		run := &batch.Runner{Client: srv.Client(), Journal: j, Dir: filepath.Join(dir, "out"), Concurrency: 1}
		for r, err := range batch.Run(context.Background(), run, items) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("day", day, r.Files[0].Name, "made before:", r.Kept)
			if day == 1 && r.Key == "fox" {
				break // or a crash
			}
		}
		if err := j.Close(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(srv.Ledger().Submissions, "jobs")

	// Output:
	// day 1 mug.jpg made before: false
	// day 1 fox.png made before: false
	// day 2 mug.jpg made before: true
	// day 2 fox.png made before: true
	// day 2 poster.jpg made before: false
	// day 2 lamp.png made before: false
	// 4 jobs
}
