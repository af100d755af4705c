// Catalogue makes product shots from a CSV file: a cheap draft of each product and
// then its final, in exact brand colours and within a budget. It may be killed at any
// time and run again: what is made is not made again, and nothing is paid twice.
//
//	go run ./examples/catalogue
//	go run ./examples/catalogue -n 40 -finals 10
//	go run ./examples/catalogue -budget '$5.00'
//	go run ./examples/catalogue -csv products.csv -budget '$50' -parallel 8
//	go run ./examples/catalogue -plan
//
// Without -csv it makes a file of 500 products first, which shows the format.
// A picture that the safety checker flagged is kept, told, and not paid once more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

func main() {
	c := &catalogue{out: os.Stdout, terminal: demo.Terminal()}
	flag.StringVar(&c.csv, "csv", "", "`file` with the columns sku, name and color, and maybe description and color_name; default: an example of 500 products")
	flag.IntVar(&c.n, "n", 0, "number of products, from the first on; default: all")
	flag.IntVar(&c.finals, "finals", -1, "number of products, from the first on, that get a final; default: all")
	drafts := flag.String("draft-models", "", "models that may make the drafts; default: what is best for drafts")
	finals := flag.String("final-models", "", "models that may make the finals; default: what is best for product shots")
	flag.TextVar(&c.budget, "budget", 20*pricing.Dollar, "most that may be spent, earlier runs included")
	flag.IntVar(&c.parallel, "parallel", 40, "number of pictures under way at a time")
	folder := flag.String("out", "out", "folder for the catalogue")
	flag.BoolVar(&c.planOnly, "plan", false, "print what is left to do and what it costs, and send nothing")
	demo.Program{
		Name: "catalogue",
		Plan: func() (string, error) {
			c.models = [2][]string{demo.List(*drafts), demo.List(*finals)}
			c.folder = filepath.Join(*folder, "catalogue")
			if !demo.HasKey() { // simulated pictures must not pass for real ones
				c.folder += "-simulated"
			}
			return c.cost()
		},
		Run: func(ctx context.Context) error {
			client, simulated, stop := demo.Client()
			defer stop()
			if simulated {
				fmt.Println(demo.Note)
			}
			return c.make(ctx, client)
		},
	}.Main()
}

// catalogue is what the flags say.
type catalogue struct {
	csv, folder         string
	n, finals, parallel int
	models              [2][]string // of drafts and of finals; none means all
	budget              pricing.USD
	planOnly, terminal  bool
	out                 io.Writer
	lag                 time.Duration // of fal's history; 0 is what is usual
}

// cost checks the flags and every row, and tells what is left to be paid at most.
func (c *catalogue) cost() (string, error) {
	switch {
	case c.n < 0:
		return "", fmt.Errorf("-n %d: must not be negative; 0 is all", c.n)
	case c.finals < -1:
		return "", fmt.Errorf("-finals %d: must not be negative; without it all products get one", c.finals)
	case c.parallel < 1 || c.parallel > 1000:
		return "", fmt.Errorf("-parallel %d: must be 1 to 1000", c.parallel)
	case c.budget < 0:
		return "", fmt.Errorf("-budget %v: must not be negative", c.budget)
	}
	j, err := c.open()
	if err != nil {
		return "", err
	}
	p, _, left, err := c.plan(j)
	if err = errors.Join(err, j.Close()); err != nil || left == 0 || c.planOnly {
		return "", err
	}
	return fmt.Sprintf("%vand in all, earlier runs included, no more than the budget of %v\n", p, c.budget), nil
}

// open makes the folder and the example, if they are missing, and opens the journal.
func (c *catalogue) open() (*journal.Journal, error) {
	if err := os.MkdirAll(c.folder, 0o755); err != nil {
		return nil, err
	}
	if c.csv == "" {
		c.csv = filepath.Join(c.folder, "products.csv")
		if err := writeExample(c.csv); err != nil {
			return nil, err
		}
	}
	return journal.OpenFor(filepath.Join(c.folder, "journal"), "catalogue")
}

// make makes what is left of the catalogue.
func (c *catalogue) make(ctx context.Context, client *fal.Client) error {
	j, err := c.open()
	if err != nil {
		return err
	}
	p, pictures, left, err := c.plan(j)
	if err == nil {
		fmt.Fprintf(c.out, "%s: %d pictures, %d of them ready\n", c.csv, pictures, pictures-left)
		if left > 0 {
			fmt.Fprintf(c.out, "What is left will cost:\n%v", p)
		}
	}
	if err != nil || c.planOnly {
		return errors.Join(err, j.Close())
	}
	ledger, err := spend.OpenLedger(filepath.Join(c.folder, "ledger.jsonl"))
	if err != nil {
		return errors.Join(err, j.Close())
	}
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: c.budget}}, Ledger: ledger}
	client.Guard = budget
	look := platform.Reconciler{Client: client, Lag: c.lag} // for what was lost, and results that the queue has no more
	runner := &batch.Runner{
		Client: client, Journal: j, Concurrency: c.parallel, Dir: filepath.Join(c.folder, "pictures"), MaxFailures: 20,
		Reconcile: look.Find, Recover: look.Result,
	}
	show := &demo.Show{Out: c.out, Terminal: c.terminal, Items: pictures, Runner: runner, Budget: budget}
	return errors.Join(c.work(ctx, show), j.Close(), ledger.Close())
}

// work makes the pictures. The context ends with the first Ctrl-C.
func (c *catalogue) work(first context.Context, show *demo.Show) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(first))
	defer cancel()
	defer demo.Twice(first, show.Line, show.Runner.Stop, cancel)()
	end := show.Begin()
	var over, failed, broken error
	for r, err := range batch.Run(ctx, show.Runner, c.items(show.Runner.Journal, &broken)) {
		switch {
		case r.Key == "":
			over = err
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", r.Key, err))
		case flagged(&r.Row):
			failed = errors.Join(failed, fmt.Errorf("%s: the safety checker flagged the picture, which is kept and not paid again", r.Key))
		}
	}
	failed = errors.Join(failed, broken, end())
	fmt.Fprintf(c.out, "%v is spent and %v set aside; the pictures are in %s\n", show.Budget.Spent(), show.Budget.Reserved(), show.Runner.Dir)
	switch e, ok := errors.AsType[*spend.BudgetError](over); {
	case ok:
		fmt.Fprintf(c.out, "The budget has ended: of %v, %v is left, and the next picture costs up to %v. Run it again with a higher -budget to go on.\n", e.Limit, e.Left, e.Asked)
		return nil
	case errors.Is(over, batch.ErrStopped), ctx.Err() != nil:
		return errors.New("stopped; run it again to go on: what is ready is not made again")
	}
	return errors.Join(over, failed)
}
