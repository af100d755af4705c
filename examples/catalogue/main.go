// Catalogue makes product shots from a CSV file: a cheap draft of each product
// and then its final, in exact brand colours and within a budget. What is
// finished is not made again, so it can be stopped and run again at any time.
//
//	go run ./examples/catalogue
//	go run ./examples/catalogue -n 40 -finals 10
//	go run ./examples/catalogue -budget '$5.00'
//	go run ./examples/catalogue -csv products.csv -budget '$50' -parallel 8
//	go run ./examples/catalogue -plan
//
// Without -csv it makes a file of 500 products first, which shows the format.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

func main() {
	var o options
	flag.StringVar(&o.csv, "csv", "", "`file` with the columns sku, name, description, color, color_name; default: an example of 500 products")
	flag.IntVar(&o.n, "n", 0, "number of products, from the first on; default: all")
	flag.IntVar(&o.finals, "finals", -1, "number of products, from the first on, that get a final; default: all")
	draftModels := flag.String("draft-models", "", "models that may make the drafts; default: what is best for drafts")
	finalModels := flag.String("final-models", "", "models that may make the finals; default: what is best for product shots")
	flag.TextVar(&o.budget, "budget", 20*pricing.Dollar, "most that may be spent, earlier runs included")
	flag.IntVar(&o.parallel, "parallel", 40, "number of products under way at a time")
	flag.StringVar(&o.out, "out", "out", "folder for the catalogue")
	flag.BoolVar(&o.planOnly, "plan", false, "print what is left to do and what it costs, and send nothing")
	demo.Program{
		Name: "catalogue",
		Plan: func() (string, error) {
			o.models = [2][]string{demo.List(*draftModels), demo.List(*finalModels)}
			return cost(o)
		},
		Run: func(ctx context.Context) error {
			info, err := os.Stdout.Stat()
			o.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
			return run(ctx, os.Stdout, o)
		},
	}.Main()
}

// cost checks the flags, and tells what is left to be paid at most.
func cost(o options) (string, error) {
	switch {
	case o.n < 0:
		return "", fmt.Errorf("-n %d: must not be negative; 0 is all", o.n)
	case o.finals < -1:
		return "", fmt.Errorf("-finals %d: must not be negative; without it all products get one", o.finals)
	case o.parallel < 1:
		return "", fmt.Errorf("-parallel %d: must be at least 1", o.parallel)
	case o.budget < 0:
		return "", fmt.Errorf("-budget %v: must not be negative", o.budget)
	case o.planOnly || !demo.HasKey():
		return "", nil
	}
	c := &catalogue{models: o.models, finals: o.finals, folder: filepath.Join(o.out, "catalogue")}
	csv, err := c.csv(o)
	if err != nil {
		return "", err
	}
	p, err := c.plan(rows(csv, o.n))
	if err != nil || p.lacking == 0 {
		return "", err
	}
	return fmt.Sprintf("%vand in all, earlier runs included, no more than the budget of %v\n", p, o.budget), nil
}

// options are what the flags say.
type options struct {
	csv, out            string
	n, finals, parallel int
	models              [2][]string // of drafts and of finals
	budget              pricing.USD
	planOnly, terminal  bool
}

// run makes the catalogue with a real fal or a simulated one.
func run(ctx context.Context, w io.Writer, o options) error {
	client, simulated, stop := demo.Client()
	defer stop()
	c := &catalogue{client: client, models: o.models, finals: o.finals, folder: filepath.Join(o.out, "catalogue")}
	if simulated {
		// Simulated pictures must not pass for real ones in a later run.
		c.folder = filepath.Join(o.out, "catalogue-simulated")
		fmt.Fprintln(w, demo.Note)
		// What an earlier simulation left under way ended with it.
		if err := errors.Join(demo.Forget(c.ledger()), os.RemoveAll(filepath.Dir(c.note("", "")))); err != nil {
			return err
		}
	}
	return work(ctx, w, c, o)
}

// csv returns the path of the products, which without a flag is an example.
func (c *catalogue) csv(o options) (string, error) {
	if o.csv != "" {
		return o.csv, nil
	}
	if err := os.MkdirAll(c.folder, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(c.folder, "products.csv")
	return path, writeExample(path)
}

// work makes the catalogue and reports.
func work(ctx context.Context, w io.Writer, c *catalogue, o options) (err error) {
	for _, folder := range []string{c.dir(router.StageDraft), c.dir(router.StageFinal), filepath.Dir(c.note("", ""))} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if o.csv, err = c.csv(o); err != nil {
		return err
	}
	ledger, err := spend.OpenLedger(c.ledger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if !o.planOnly {
		if err := c.takeUp(ctx, w, ledger); err != nil {
			return err
		}
	}
	// All rows are read once before anything is paid for.
	p, err := c.plan(rows(o.csv, o.n))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %v", o.csv, p)
	if o.planOnly || p.lacking == 0 {
		return nil
	}

	budget := &spend.Budget{Limits: []spend.Limit{{Amount: o.budget}}, Ledger: ledger}
	c.client.Guard = budget
	fmt.Fprintf(w, "budget: %v, of which %v is spent and %v set aside\n", o.budget, budget.Spent(), budget.Reserved())
	show := newProgress(w, o.terminal, p.lacking, budget)
	over, failure := c.make(ctx, rows(o.csv, o.n), o.parallel, show.add)
	show.end()
	if err := report(w, ledger); err != nil {
		return errors.Join(over, failure, err)
	}
	left := p.lacking - show.done
	fmt.Fprintf(w, "%d products are ready and %d are left; the pictures are in %s\n", p.products-left, left, c.folder)
	if ctx.Err() != nil {
		return errors.New("stopped; run it again to go on: what is ready is not made again")
	}
	if e, ok := errors.AsType[*spend.BudgetError](over); ok {
		fmt.Fprintf(w, "The budget has ended: of %v, %v is left, and the next picture costs up to %v. Run it again with a higher -budget to go on.\n", e.Limit, e.Left, e.Asked)
		over = nil
	}
	return errors.Join(over, failure)
}

// rows yields the first n products of a file, or all if n is 0.
func rows(path string, n int) iter.Seq2[product, error] {
	return func(yield func(product, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(product{}, err)
			return
		}
		defer func() { _ = f.Close() }()
		i := 0
		for p, err := range products(f) {
			if err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			if i++; !yield(p, err) || i == n {
				return
			}
		}
	}
}

// report prints what each model was paid, by the ledger.
func report(w io.Writer, ledger *spend.Ledger) error {
	totals := ledger.Totals()
	fmt.Fprintf(w, "\nBy the ledger, all runs together:\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "  endpoint\trequests\tquoted\tbilled\tset aside\n")
	row := func(name string, m spend.Total) {
		fmt.Fprintf(t, "  %s\t%d\t%v\t%v\t%v\n", name, m.Requests, m.Quoted, m.Billed, m.Reserved)
	}
	for _, endpoint := range slices.Sorted(maps.Keys(totals.Endpoints)) {
		row(endpoint, totals.Endpoints[endpoint])
	}
	row("all", totals.All)
	return t.Flush()
}
