// Batch makes a picture of each row of a table, by FLUX and Qwen mixed, within a
// budget. It may be killed at any time: run it again with -resume, and what is made is
// not made again, and what is under way is not sent again.
//
//	go run ./examples/batch -dry-run
//	go run ./examples/batch -budget '$0.50' -concurrency 8
//	go run ./examples/batch -in products.csv -prompt 'a {color} {name}, studio light'
//	go run ./examples/batch -in products.jsonl -resume
//	go run ./examples/batch -watch
//
// Without -in it makes a table of 24 rows first, which shows the format. Ctrl-C begins
// no more pictures and waits for those under way; a second one leaves these to fal,
// where -resume finds them. -watch shows in a second terminal how far the first is.
// Beside the pictures is manifest.jsonl, written anew every ten seconds, with a line for
// each picture, and in the end gallery.html, which shows them all. Pictures tell how
// they were made.
//
// Without a key it is simulated. The simulation ends with the program, and so does
// what is under way in it; to resume one, let it run by itself:
//
//	go run ./examples/fakefal -addr 127.0.0.1:8080
//	go run ./examples/batch -server http://127.0.0.1:8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// options are what the flags say.
type options struct {
	table       table
	out, server string
	budget      pricing.USD
	concurrency int
	terminal    bool
	resume, dry bool
	watch       bool
}

func main() {
	var o options
	flag.StringVar(&o.table.path, "in", "", "`file` with a row for each picture: .csv with the names of the columns first, or .jsonl; sku is its key, model is flux or qwen. Default: an example of 24 rows")
	flag.StringVar(&o.table.prompt, "prompt", "{name} in {color}, on a marble table, morning light", "`template` of the prompts, with the columns in braces")
	flag.StringVar(&o.out, "out", "out", "folder for pictures and journal")
	flag.StringVar(&o.server, "server", "", "`address` of a local fal, as examples/fakefal prints it")
	flag.TextVar(&o.budget, "budget", 5*pricing.Dollar, "most that may be spent, earlier runs included")
	flag.IntVar(&o.concurrency, "concurrency", 8, "number of pictures under way at a time")
	flag.BoolVar(&o.resume, "resume", false, "go on with what an earlier run left")
	flag.BoolVar(&o.dry, "dry-run", false, "check every row, say what all of it costs, and send nothing")
	flag.BoolVar(&o.watch, "watch", false, "show how far the batch is that another terminal runs in the same folder")
	o.terminal = demo.Terminal()
	demo.Program{Name: "batch", Plan: o.plan, Run: func(ctx context.Context) error {
		if o.watch {
			return demo.Watch(ctx, os.Stdout, o.terminal, o.status())
		}
		return o.run(ctx, os.Stdout)
	}}.Main()
}

// folder returns where pictures and journal go. Simulated pictures must not pass for
// real ones.
func (o *options) folder() string {
	if o.simulated() {
		return filepath.Join(o.out, "batch-simulated")
	}
	return filepath.Join(o.out, "batch")
}

func (o *options) simulated() bool { return o.server != "" || !demo.HasKey() }

// plan checks the flags and the table, and says what is left to be paid at most.
func (o *options) plan() (string, error) {
	if o.watch {
		return "", nil
	}
	if o.concurrency < 1 || o.concurrency > 1000 {
		return "", fmt.Errorf("-concurrency %d: must be 1 to 1000", o.concurrency)
	}
	if o.budget <= 0 {
		return "", fmt.Errorf("-budget %v: must be more than nothing", o.budget)
	}
	_, err := os.Stat(o.journal())
	switch there := err == nil; {
	case o.dry:
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	case there && !o.resume:
		return "", fmt.Errorf("there is a batch in %s: add -resume to go on with it, or give another -out", o.folder())
	case !there && o.resume:
		return "", fmt.Errorf("-resume: there is no batch in %s to go on with", o.folder())
	}
	cost, least, err := o.table.cost()
	switch {
	case err != nil:
		return "", err
	case least > o.budget:
		return "", fmt.Errorf("-budget %v: one picture costs %v at least", o.budget, least)
	case o.dry || o.simulated():
		return "", nil
	}
	return fmt.Sprintf("%vand in all, earlier runs included, no more than the budget of %v\n", cost, o.budget), nil
}

func (o *options) journal() string { return filepath.Join(o.folder(), "journal") }

// status is the file that tells how far it is.
func (o *options) status() string { return filepath.Join(o.folder(), "status.json") }

// run does the batch, or says what it costs.
func (o *options) run(ctx context.Context, w io.Writer) error {
	cost, _, err := o.table.cost()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%v", cost)
	if cost.Max > o.budget {
		fmt.Fprintf(w, "The budget of %v may end before that: then it stops, says what is left, and a higher -budget with -resume goes on.\n", o.budget)
	}
	if o.dry {
		fmt.Fprintln(w, "nothing was sent (-dry-run)")
		return nil
	}
	if err := os.MkdirAll(o.folder(), 0o755); err != nil {
		return err
	}
	client, stop := o.client(w)
	defer stop()
	j, err := journal.Open(o.journal())
	if err != nil {
		return err
	}
	ledger, err := spend.OpenLedger(filepath.Join(o.folder(), "ledger.jsonl"))
	if err != nil {
		return errors.Join(err, j.Close())
	}
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: o.budget}}, Ledger: ledger}
	client.Guard = budget
	runner := &batch.Runner{
		Client: client, Journal: j, Concurrency: o.concurrency, Dir: filepath.Join(o.folder(), "pictures"),
		Reconcile: platform.Reconciler{Client: client}.Find,   // for answers that are lost
		Recover:   platform.Reconciler{Client: client}.Result, // and results that the queue has no more
		Mark:      func(r provenance.Record) provenance.Record { return r },
	}
	err = o.work(ctx, w, runner, budget)
	return errors.Join(err, o.manifest(j), o.gallery(j), j.Close(), ledger.Close())
}

// client returns a client of fal or of a local one.
func (o *options) client(w io.Writer) (client *fal.Client, stop func()) {
	if o.server != "" {
		return &fal.Client{Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(o.server)}, func() {}
	}
	client, simulated, stop := demo.Client()
	if simulated {
		fmt.Fprintln(w, demo.Note)
	}
	return client, stop
}

// work does the items and shows how far it is. The context ends with the first Ctrl-C.
func (o *options) work(first context.Context, w io.Writer, runner *batch.Runner, budget *spend.Budget) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(first))
	defer cancel()
	show := &demo.Show{Out: w, Terminal: o.terminal, Path: o.status(), Items: o.table.rows, Runner: runner, Budget: budget}
	defer demo.Twice(first, show.Line, runner.Stop, cancel)()
	end := show.Begin()
	items, readErr := o.table.items()
	var failed error
	written := time.Now()
	for r, err := range batch.Run(ctx, runner, items) {
		switch {
		case r.Key == "":
			failed = errors.Join(failed, err) // why it ended early
		case err != nil:
			show.Line("%s: %v", r.Key, err)
			failed = errors.New("not all pictures are there: run it again with -resume")
		}
		if time.Since(written) > manifestTime {
			written = time.Now()
			if err := o.manifest(runner.Journal); err != nil {
				show.Line("%v", err)
			}
		}
	}
	return errors.Join(failed, *readErr, end())
}

// manifestTime is how often the manifest is written while the batch runs.
const manifestTime = 10 * time.Second

// manifest writes what became of each item, in place of what was written before.
func (o *options) manifest(j batch.Journal) error {
	path := filepath.Join(o.folder(), "manifest.jsonl")
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	err = errors.Join(batch.WriteManifest(context.Background(), f, j), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	return err
}
