// Fakefal runs the local fal of package faltest as a program, for clients in
// any language.
//
//	go run ./examples/fakefal -addr 127.0.0.1:8080 -queue 300ms -run 1s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal/faltest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on; only loopback addresses are taken")
	queue := flag.Duration("queue", 300*time.Millisecond, "how long jobs wait in the queue")
	run := flag.Duration("run", time.Second, "how long the model works")
	key := flag.String("key", faltest.Key, "API key to accept")
	strict := flag.Bool("strict", false, "refuse fields that an endpoint does not have, which fal passes over")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "fakefal: %s: there are only flags, see -help\n", flag.Arg(0))
		os.Exit(2)
	}
	if *queue < 0 || *run < 0 || !strings.Contains(*key, ":") {
		fmt.Fprintln(os.Stderr, "fakefal: -queue and -run must not be negative, and -key must be of the form key_id:key_secret")
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *addr, *key, faltest.QueueTime(*queue), faltest.RunTime(*run), faltest.WithKey(*key), faltest.Strict(*strict)); err != nil {
		fmt.Fprintln(os.Stderr, "fakefal:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, addr, key string, opts ...faltest.Option) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New(addr + " is not a loopback address: this is a toy for your own machine")
	}
	srv, err := faltest.Start(addr, opts...)
	if err != nil {
		return err
	}
	defer srv.Close()
	fmt.Printf(`A local fal is listening. Nothing leaves this machine and nothing is charged.

  https://fal.run        is at  %[1]s/fal.run
  https://queue.fal.run  is at  %[1]s/queue.fal.run
  https://rest.fal.ai    is at  %[1]s/rest.fal.ai
  https://api.fal.ai     is at  %[1]s/api.fal.ai
  https://v3.fal.media   is at  %[1]s/v3.fal.media

In Go: fal.Client{Key: fal.NewKey(%[2]q), Hosts: faltest.HostsAt(%[1]q)}

The API key is %[2]s. To make a request fail, add the header %[3]s with one of:
  %[4]s

Webhooks on loopback addresses are called. Fields that fal passes over are listed at the end.

Stop with Ctrl-C.
`, srv.URL(), key, faltest.FaultHeader, strings.Join(faltest.FaultNames(), ", "))
	<-ctx.Done()
	l := srv.Ledger()
	fmt.Printf("\n%d submissions, %d direct calls, %d polls, %d streams, %d results, %d uploads, %d downloads\n",
		l.Submissions, l.Runs, l.Polls, l.Streams, l.Results, l.Uploads, l.Downloads)
	for _, doubt := range srv.Doubts() {
		fmt.Println("doubtful:", doubt)
	}
	return nil
}
