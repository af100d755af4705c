// Webhook submits pictures and holds no connection while they are made: fal
// calls a server of ours when each is done. Server and sender are one program
// here; they share nothing but the address.
//
//	go run ./examples/webhook -n 3 -out out
//
// With a key, fal must reach the server: give its address to the world, such as
// that of a tunnel, with -public https://example.com.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

var model = flux.Schnell{Prompt: "a ceramic coffee mug, studio light", ImageSize: fal.Landscape4x3}

func main() {
	n := flag.Int("n", 3, "how many pictures")
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	public := flag.String("public", "", "address at which fal reaches this server, such as https://example.com")
	out := flag.String("out", "out", "folder for the pictures")
	demo.Program{
		Name: "webhook",
		Plan: func() (string, error) {
			if *n < 1 || *n > 100 {
				return "", fmt.Errorf("-n %d: must be 1 to 100", *n)
			}
			if u, err := url.Parse(*public); *public != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
				return "", fmt.Errorf("-public %q: must be an https address", *public)
			}
			if demo.HasKey() && *public == "" {
				return "", errors.New("-public: is needed for fal to reach this server")
			}
			quote, err := pricing.Estimate(model)
			if err != nil {
				return "", err
			}
			quotes := make([]pricing.Quote, *n)
			for i := range quotes {
				quotes[i] = quote
			}
			return demo.Cost(quotes...)
		},
		Run: func(ctx context.Context) error { return run(ctx, *n, *addr, *public, *out) },
	}.Main()
}

func run(ctx context.Context, n int, addr, public, out string) error {
	session, stop, err := demo.Begin("webhook", out)
	if err != nil {
		return err
	}
	defer stop()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if public == "" {
		public = "http://" + listener.Addr().String()
	}
	done := make(chan error)
	server := &http.Server{Handler: hooks(session, out, done), ReadHeaderTimeout: 5 * time.Second}
	defer func() { _ = server.Close() }()
	go func() { _ = server.Serve(listener) }() // ends when the server closes

	sent := 0
	for i := range n {
		var id string
		if id, err = send(ctx, session.Client, public, i+1); err != nil {
			break // what is sent is waited for
		}
		fmt.Println("sent", id)
		sent++
	}
	for range sent {
		select {
		case problem := <-done:
			err = errors.Join(err, problem)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// send submits a picture. What it is to be called travels in the address.
func send(ctx context.Context, client *fal.Client, public string, i int) (id string, err error) {
	callback := fmt.Sprintf("%s/fal?name=mug-%d", public, i)
	job, err := fal.Submit(ctx, client, model, fal.WithWebhook(callback))
	if err != nil {
		return "", err
	}
	return job.ID(), nil
}

// hooks returns the server's side. It knows of a picture what fal tells.
func hooks(s *demo.Session, out string, done chan<- error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /fal", &webhook.Handler{
		Client: s.Client,
		Handle: func(ctx context.Context, e *webhook.Event) error {
			result, err := webhook.Into(ctx, e, fal.Resume(s.Client, model.Endpoint(), e.RequestID))
			if err == nil {
				name := filepath.Base(e.Query.Get("name")) + result.Images[0].Extension()
				err = s.Save(ctx, result.Images[0], filepath.Join(out, name))
			}
			done <- err
			return nil // a picture that failed is no reason to call again
		},
	})
	return mux
}
