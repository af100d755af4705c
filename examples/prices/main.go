// Prices shows what FLUX and Qwen Image cost on fal: the price lists of both
// families, a month of each, and a chart of cost against resolution. With
// -model it quotes one model. It needs no key and sends nothing, but with -live:
// then it asks fal for its prices of today and prints how they differ.
//
//	go run ./examples/prices
//	go run ./examples/prices -model flux.Pro2Edit -size 1920x1080 -inputs a.png,b.png -n 4
//	go run ./examples/prices -live
//	go run ./examples/prices -chart out/prices.svg -models flux.Pro2,flux.Max2,qwen.Image
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/live"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/qwen"
)

func main() {
	model := flag.String("model", "", "quote this model, such as flux.Pro2 or fal-ai/flux-2-pro")
	size := flag.String("size", "", "size of the pictures: 1920x1080, or a preset such as square_hd; default: the model's own; of FLUX 3 a class such as 2k")
	inputs := flag.String("inputs", "", "input pictures, paths or URLs, separated by commas")
	n := flag.Int("n", 1, "number of pictures")
	chart := flag.String("chart", filepath.Join("out", "prices.svg"), "file for the chart")
	models := flag.String("models", "flux.Schnell,flux.Klein3,flux.Dev2,flux.Pro2,flux.Image3,qwen.Image,qwen.Image21,qwen.Image3", "models in the chart")
	today := flag.Bool("live", false, "compare with the prices that fal has today")
	demo.Program{
		Name: "prices",
		Plan: func() (string, error) {
			if *n < 1 {
				return "", fmt.Errorf("-n %d: must be at least 1", *n)
			}
			var set []string
			flag.Visit(func(f *flag.Flag) { set = append(set, f.Name) })
			fmt.Fprint(os.Stderr, ignored(set))
			return "", nil
		},
		Run: func(ctx context.Context) error {
			switch {
			case *today:
				client, simulated, stop := demo.Client()
				defer stop()
				if simulated {
					fmt.Println(demo.Note)
				}
				return showLive(ctx, os.Stdout, client)
			case *model != "":
				return quote(os.Stdout, *model, fal.ImageSize(*size), demo.List(*inputs), *n)
			}
			return overview(os.Stdout, *chart, demo.List(*models))
		},
	}.Main()
}

// ignored says which of the flags that were set change nothing.
func ignored(set []string) string {
	mode, takes := "without -model and -live", []string{"chart", "models"}
	switch {
	case slices.Contains(set, "live"):
		mode, takes = "with -live", []string{"live"}
	case slices.Contains(set, "model"):
		mode, takes = "with -model", []string{"model", "size", "inputs", "n"}
	}
	var b strings.Builder
	for _, name := range set {
		switch {
		case name == "yes":
			b.WriteString("-yes is ignored: nothing is paid\n")
		case !slices.Contains(takes, name):
			fmt.Fprintf(&b, "-%s is ignored %s\n", name, mode)
		}
	}
	return b.String()
}

// overview prints the lists and draws the chart.
func overview(w io.Writer, path string, models []string) error {
	if err := lists(w); err != nil {
		return err
	}
	if err := months(w); err != nil {
		return err
	}
	drawing, err := draw(models)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, drawing, 0o600); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "Cost against resolution: %s\n", path)
	return err
}

// showLive prints how fal's prices of today differ from those in this module. It
// asks for all models that there is a type for, those without a price included.
func showLive(ctx context.Context, w io.Writer, client *fal.Client) error {
	feed := &live.Feed{Client: client}
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		feed.Also = append(append(feed.Also, m.Endpoint), m.Aliases...)
	}
	prices, changes, err := feed.Refresh(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d prices compared, %d differ\n", prices.Len(), len(changes))
	if len(changes) == 0 {
		return nil
	}
	fmt.Fprintf(w, "  %-10s  %s\n", "KIND", "ENDPOINT, PRICE IN THE TABLE AND PRICE OF TODAY")
	for _, c := range changes {
		what := strings.TrimPrefix(c.String(), fmt.Sprintf("%-10s  %s: ", c.Kind, c.Endpoint))
		fmt.Fprintf(w, "  %-10s  %s\n", c.Kind, cut(c.Endpoint, columns-14))
		fmt.Fprintf(w, "%s\n", wrap(strings.Repeat(" ", 14)+what, columns))
	}
	return nil
}

// quote prints what n pictures by one model cost, and why.
func quote(w io.Writer, name string, size fal.ImageSize, inputs []string, n int) error {
	m, err := find(name)
	if err != nil {
		return err
	}
	u, requests, err := usage(m, size, inputs, n)
	if err != nil {
		return err
	}
	q, err := pricing.EstimateUsage(u)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, %s.%s\n%s\n", m.Title, m.Package, m.Name, wrap(q.String(), columns))
	if requests == 1 {
		return nil
	}
	total, err := plan.New(int64(requests), plan.Part{Name: "requests of one picture each", Quote: q})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(w, "\n", total)
	return err
}

// find returns the model with a Go name or endpoint id.
func find(name string) (schema.Model, error) {
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		if name == m.Endpoint || slices.Contains(m.Aliases, name) || strings.EqualFold(name, m.Package+"."+m.Name) {
			return m, nil
		}
	}
	return schema.Model{}, fmt.Errorf("no model %q: see flux.Models and qwen.Models", name)
}

// usage returns what a request for n pictures is charged for, and how many
// such requests it takes where the model makes one picture at a time.
func usage(m schema.Model, size fal.ImageSize, inputs []string, n int) (u fal.Usage, requests int, err error) {
	request, ok := m.New().(interface{ Usage() fal.Usage })
	if !ok || n < 1 {
		return u, 0, fmt.Errorf("%s: cannot quote %d pictures", m.Endpoint, n)
	}
	u = request.Usage()
	if f, ok := m.Field("image_size"); size != "" {
		_, _, known := size.Dimensions()
		tiers, tiered := m.Field("resolution")
		switch {
		case !ok && tiered && slices.Contains(tiers.Enum, string(size)):
			u.Resolution = string(size)
		case !ok && tiered && len(tiers.Enum) > 0:
			return u, 0, fmt.Errorf("-size %q: must be one of %v", size, tiers.Enum)
		case !ok:
			return u, 0, fmt.Errorf("%s.%s has no image size to set", m.Package, m.Name)
		case known:
			u.Size = size
		case !slices.Contains(f.Enum, string(size)):
			return u, 0, fmt.Errorf("-size %q: must be like 1920x1080, or one of %v", size, f.Enum)
		}
	}
	takes := slices.ContainsFunc(m.Fields, func(f schema.Field) bool { return f.Type == schema.File || f.Type == schema.Files })
	if len(inputs) > 0 && !takes {
		return u, 0, fmt.Errorf("%s.%s takes no input pictures", m.Package, m.Name)
	}
	for _, in := range inputs {
		if strings.Contains(in, "://") {
			u.Inputs = append(u.Inputs, fal.URL(in))
		} else {
			u.Inputs = append(u.Inputs, fal.Path(in))
		}
	}
	if f, ok := m.Field("num_images"); ok && f.Max != nil && n <= int(*f.Max) {
		u.Outputs = n
		return u, 1, nil
	}
	return u, n, nil
}
