// Command bench measures what this module costs beside the work of fal, next to a
// loop over net/http as one writes it by hand and next to the official JavaScript
// client, and writes a report in Markdown with charts:
//
//	go run ./internal/bench -out internal/bench/report -readme README.md
//
// It runs at the root of the module. With -quick it only shows that everything
// still runs. All clients work with one local fal in a process of its own; each
// measurement is a process of its own too, and what it took of the processor and
// of memory is what the operating system says. The clients take turns in every
// round. Install the JavaScript client first: internal/jsclient/install.sh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := dispatch(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch does what a process of the benchmark is for: it starts itself as the
// server and as the clients in Go.
func dispatch(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 2 && args[0] == "work" {
		return work(ctx, args[1], out)
	}
	if len(args) == 1 && args[0] == "serve" {
		return serve(ctx, out)
	}
	return run(ctx, args, out)
}

func run(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	out := flags.String("out", filepath.Join("out", "bench"), "folder for the report and its charts")
	readme := flags.String("readme", "", "file whose table between the markers is replaced")
	quick := flags.Bool("quick", false, "one short round that shows that everything runs")
	only := flags.String("only", "", "only experiments whose name contains this; the README stays as it is")
	without := flags.Bool("without-node", false, "leave the JavaScript client out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New(flags.Arg(0) + ": there are only flags, see -help")
	}
	clients := goClients
	if !*without {
		if err := nodeReady(); err != nil {
			return err
		}
		clients = append(slices.Clip(clients), nodeClients...)
	}
	busy := load()
	lab, err := newLab(ctx)
	if err != nil {
		return err
	}
	defer lab.close()
	r := report{Clients: clients, Versions: versions(ctx, !*without), Quick: *quick, Began: time.Now()}
	for _, e := range experiments(*quick) {
		if !strings.Contains(e.Name, *only) {
			continue
		}
		done, err := lab.measure(ctx, e, clients, w)
		if err != nil {
			return err
		}
		r.Experiments = append(r.Experiments, done)
	}
	r.Versions = append(r.Versions, fmt.Sprintf("load of the machine %s before it, %s after it, of which this is a part", busy, load()))
	r.Took = time.Since(r.Began).Round(time.Second)
	if err := r.write(*out); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s\nwritten to %s in %v\n", r.table(), filepath.Join(*out, "README.md"), r.Took)
	if *readme == "" || *only != "" {
		return nil
	}
	return replaceTable(*readme, r.table())
}

const jsFolder = "internal/jsclient"

func nodeReady() error {
	if _, err := exec.LookPath("node"); err != nil {
		return fmt.Errorf("%w; -without-node leaves it out", err)
	}
	if _, err := os.Stat(filepath.Join(jsFolder, "node_modules", "@fal-ai", "client", "package.json")); err != nil {
		return errors.New("the JavaScript client is not installed, or this is not the root of the module: run internal/jsclient/install.sh, or use -without-node")
	}
	return nil
}
