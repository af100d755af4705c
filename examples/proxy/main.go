// Proxy serves a web page that makes pictures, and holds no key: it calls fal
// through a handler of this server, which knows who asks, lets one model be
// called, and keeps each visitor to a budget.
//
//	go run ./examples/proxy -addr 127.0.0.1:8080 -budget 0.02
package main

import (
	"context"
	"crypto/rand"
	_ "embed" // for the page
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/proxy"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	each := flag.String("budget", "0.02", "what each visitor may spend, in dollars")
	all := flag.String("total", "0.10", "what all may spend together, in dollars")
	var budget spend.Budget
	demo.Program{
		Name: "proxy",
		Plan: func() (string, error) {
			var limits [2]pricing.USD
			for i, text := range []string{*each, *all} {
				amount, err := pricing.ParseUSD(text)
				if err != nil || amount <= 0 {
					return "", fmt.Errorf("-budget and -total: %q: must be an amount such as 0.02", text)
				}
				limits[i] = amount
			}
			budget.Limits = []spend.Limit{{Amount: limits[0], Tag: spend.Tag{Name: "user"}}, {Amount: limits[1]}}
			return fmt.Sprintf("as much as visitors ask for, %v at most\n", limits[1]), nil
		},
		Run: func(ctx context.Context) error { return serve(ctx, *addr, &budget) },
	}.Main()
}

func serve(ctx context.Context, addr string, budget *spend.Budget) error {
	client, simulated, stop := demo.Client()
	defer stop()
	if simulated {
		fmt.Println(demo.Note)
	}
	client.Guard = budget
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("The page is at http://%s/\n", listener.Addr())
	server := &http.Server{Handler: site(client), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	fmt.Printf("%v was spent.\n", budget.Spent())
	return nil
}

// visitor is the cookie by which a visitor is known. A site with accounts takes
// its session.
const visitor = "visitor"

func site(client *fal.Client) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(visitor); err != nil {
			http.SetCookie(w, &http.Cookie{Name: visitor, Value: rand.Text(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
	mux.Handle("/api/fal/proxy", &proxy.Handler{
		Client:    client,
		Endpoints: []string{"fal-ai/flux/schnell"},
		Decode:    flux.Decode,
		User: func(r *http.Request) (string, error) {
			c, err := r.Cookie(visitor)
			if err != nil {
				return "", err
			}
			return c.Value, nil
		},
	})
	return mux
}
