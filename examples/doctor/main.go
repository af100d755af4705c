// Doctor looks whether everything is in place to work with fal, for the first
// five minutes and for reports: where the key is from, proxies, which hosts are
// reached, the clock, the balance, and one call that is free.
//
//	go run ./examples/doctor
//	go run ./examples/doctor -spend 0.01
//
// With -spend it also settles what the documentation of this module calls
// unconfirmed, each by the cheapest probe: most cost nothing, since fal refuses
// them, and no more than the amount is spent. It tells what was expected and
// what came, without key, prompts and signed addresses, so that it can be pasted
// into an issue. Without an API key it talks to a local fal inside the program.
// The exit status is 1 if something is not in place.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

func main() {
	amount := flag.String("spend", "", "settle what is unconfirmed for no more than so many dollars, such as 0.01")
	var most pricing.USD
	demo.Program{
		Name: "doctor",
		Plan: func() (cost string, err error) {
			if *amount == "" {
				return "", nil
			}
			if most, err = pricing.ParseUSD(*amount); err == nil && (most < 0 || most > pricing.Dollar) {
				err = errors.New("must be 0 to 1")
			}
			if err != nil {
				return "", fmt.Errorf("-spend %q: %w", *amount, err)
			}
			if most > 0 {
				cost = fmt.Sprintf("  at most %v\n", most)
			}
			return cost, nil
		},
		Run: func(ctx context.Context) error {
			e, stop := newEnvironment()
			defer stop()
			ok := health(ctx, os.Stdout, e)
			if *amount != "" {
				if err := settle(ctx, os.Stdout, e, most); err != nil {
					return err
				}
			}
			if !ok {
				return errors.New("something is not in place")
			}
			return nil
		},
	}.Main()
}

// environment is what is looked at.
type environment struct {
	client    *fal.Client
	hosts     fal.Hosts
	getenv    func(string) string
	simulated bool
}

// falsHosts are the hosts that a client talks to by default.
var falsHosts = fal.Hosts{Run: "https://fal.run", Queue: "https://queue.fal.run", REST: "https://rest.fal.ai", Platform: "https://api.fal.ai"}

func newEnvironment() (environment, func()) {
	if demo.HasKey() {
		return environment{client: &fal.Client{}, hosts: falsHosts, getenv: os.Getenv}, func() {}
	}
	fmt.Println(demo.Note)
	srv := demo.Server()
	return environment{client: srv.Admin(), hosts: srv.Hosts(), getenv: os.Getenv, simulated: true}, srv.Close
}

// state is how something is.
type state string

// The states of what was looked at.
const (
	good    state = "ok"
	strange state = "??" // cannot be told, or is not as expected
	bad     state = "NO"
)

// show prints a line of what was looked at.
func show(w io.Writer, s state, what, format string, args ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	fmt.Fprintf(w, "%-2s  %-12s  %s\n", s, what, text)
}
