// Drift compares what this module knows of FLUX and Qwen Image with what fal
// says today: endpoints that are new, gone, deprecated or back, fields that
// changed, and prices. It reads only, and pays nothing.
//
//	go run ./examples/drift
//	go run ./examples/drift -format markdown -known drift.txt
//
// With -known, differences that stand in a file are passed over: its lines are
// those that the program prints, and what follows a # is a remark. The exit
// status is 0 if there are no others, 3 if there are, and 1 if fal could not be
// asked. Without an API key it talks to a local fal inside the program in which
// some things were changed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/live"
)

func main() {
	format := flag.String("format", "text", "text, json or markdown")
	known := flag.String("known", "", "file with the differences that are known")
	var accepted *acknowledged
	demo.Program{
		Name: "drift",
		Plan: func() (_ string, err error) {
			if !slices.Contains(formats, *format) {
				return "", fmt.Errorf("-format %q: must be one of %v", *format, formats)
			}
			accepted, err = readKnown(*known)
			return "", err
		},
		Run: func(ctx context.Context) error {
			client, stop := newClient()
			defer stop()
			all, err := differences(ctx, client)
			if err != nil {
				return err
			}
			open, stale := accepted.sort(all)
			if err := report(os.Stdout, *format, open, stale, len(all)-len(open)); err != nil {
				return err
			}
			if len(open) > 0 {
				return differ(len(open))
			}
			return nil
		},
	}.Main()
}

// differ is the error that there are differences.
type differ int

func (n differ) Error() string { return fmt.Sprintf("%d differences", int(n)) }

// ExitStatus tells it apart from failures.
func (differ) ExitStatus() int { return 3 }

// newClient returns a client of fal, or of a local one with changes.
func newClient() (client *fal.Client, stop func()) {
	if demo.HasKey() {
		return &fal.Client{}, func() {}
	}
	fmt.Fprintln(os.Stderr, demo.Note)
	srv := demo.Server()
	inject(srv)
	return srv.Client(), srv.Close
}

// differences asks fal and compares.
func differences(ctx context.Context, client *fal.Client) ([]difference, error) {
	api := platform.API{Client: client}
	here := catalogue()
	there, err := listed(ctx, api, here)
	if err != nil {
		return nil, err
	}
	all := compareModels(here, there)
	table := pricing.Embedded()
	var ids []string
	for p := range table.Prices() {
		ids = append(ids, p.Endpoint)
	}
	prices := make(map[string]live.Price, len(ids))
	for _, id := range ids {
		prices[id] = live.Price{Endpoint: id} // asked for, whether it is known or not
	}
	err = inParts(ids, func(ids []string) error {
		for p, err := range api.Prices(ctx, ids...) {
			if err != nil {
				return err
			}
			prices[p.Endpoint] = live.Price(p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []live.Price
	for _, id := range ids {
		list = append(list, prices[id])
	}
	for _, c := range live.Diff(table, list) {
		all = append(all, ofPrice(c))
	}
	slices.SortStableFunc(all, func(a, b difference) int { return a.compare(b) })
	return all, nil
}
