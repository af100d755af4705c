// Fleet makes pictures with three worker processes that share a PostgreSQL, of which
// some are killed while they are at it, and then counts: each picture was made once, and
// paid once.
//
//	go -C fal/batch/riverbatch run ./examples/fleet
//	go -C fal/batch/riverbatch run ./examples/fleet -items 300 -kill-every 1s -crash-database -weather
//
// It starts a local fal, so that nothing is charged, and a PostgreSQL of its own unless
// -dsn names one, with everything in a temporary folder unless -out names another. It
// fails if jobs, files, bill and budget do not agree.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// options are what the flags say.
type options struct {
	dsn, out, server, batch string
	items, workers, kills   int
	killEvery, most         time.Duration
	crash, weather          bool
}

func main() {
	var o options
	flag.StringVar(&o.dsn, "dsn", "", "`address` of a PostgreSQL; default: one is started")
	flag.StringVar(&o.out, "out", "", "`folder` for the pictures; default: a temporary one")
	flag.IntVar(&o.items, "items", 60, "number of pictures")
	flag.IntVar(&o.workers, "workers", 3, "number of worker processes")
	flag.IntVar(&o.kills, "kills", 2, "number of workers that are killed, and replaced")
	flag.DurationVar(&o.killEvery, "kill-every", 0, "kill one worker in each of these spans until all is done, rather than -kills")
	flag.BoolVar(&o.crash, "crash-database", false, "crash PostgreSQL too, when a third is done, and start it again")
	flag.BoolVar(&o.weather, "weather", false, "have fal lose answers, fail and refuse")
	flag.DurationVar(&o.most, "timeout", 3*time.Minute, "how long all may take")
	flag.StringVar(&o.server, "server", "", "`address` of the local fal, for the processes that are started")
	flag.StringVar(&o.batch, "batch", "fleet-"+time.Now().UTC().Format("20060102-150405"), "`name` of the batch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// run is what this process does: the whole, or one part of it.
func (o *options) run(ctx context.Context) error {
	switch {
	case o.items < 1 || o.items > 100_000:
		return fmt.Errorf("-items %d: must be 1 to 100000", o.items)
	case o.workers < 1 || o.workers > 20:
		return fmt.Errorf("-workers %d: must be 1 to 20", o.workers)
	case o.kills < 0 || o.killEvery < 0:
		return errors.New("-kills and -kill-every must not be negative")
	case o.crash && o.dsn != "" && flag.NArg() == 0:
		return errors.New("-crash-database: only a PostgreSQL that fleet starts itself is crashed: leave -dsn out")
	}
	switch role := flag.Arg(0); role {
	case "":
		return o.conduct(ctx)
	case "fal":
		return o.fal(ctx)
	case "submit":
		return o.submit(ctx)
	case "work":
		return o.work(ctx)
	default:
		return fmt.Errorf("%q: there are only flags, see -help", role)
	}
}
