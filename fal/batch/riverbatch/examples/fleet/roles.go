package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// orphaned ends this process when the one that started it is gone.
func orphaned() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// open opens the database and the batch in it.
func (o *options) open(ctx context.Context) (*pgxpool.Pool, *riverbatch.Journal, error) {
	config, err := pgxpool.ParseConfig(o.dsn)
	if err != nil {
		return nil, nil, err
	}
	config.MaxConns = slots + 4 // one for each item at work, and some for River
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	j, err := riverbatch.Open(ctx, pool, o.batch)
	if err != nil {
		pool.Close()
	}
	return pool, j, err
}

// budget is what all processes share.
func (o *options) budget(pool *pgxpool.Pool) *riverbatch.Budget {
	return &riverbatch.Budget{Pool: pool, Name: o.batch, Limit: pricing.USD(o.items) * 10 * pricing.Cent}
}

// client is one of the local fal.
func (o *options) client() *fal.Client {
	return &fal.Client{
		Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(o.server),
		Retry: fal.Retry{MinWait: 10 * time.Millisecond, MaxWait: 100 * time.Millisecond},
	}
}

// submit is the process that inserts the items.
func (o *options) submit(ctx context.Context) error {
	pool, j, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	n, err := riverbatch.Insert(ctx, j, o.client(), func(yield func(batch.Item[fal.Images]) bool) {
		for i := range o.items {
			it := batch.Item[fal.Images]{Key: fmt.Sprintf("mug-%04d", i+1), Request: flux.Schnell{Prompt: fmt.Sprintf("mug %d on a marble table", i+1)}}
			if i%2 == 1 {
				it.Request = qwen.Image{Prompt: fmt.Sprintf("mug %d on a wooden table", i+1)}
			}
			if !yield(it) {
				return
			}
		}
	})
	fmt.Println("inserted", n, "items")
	return err
}

// slots is how many items a worker process is at at once.
const slots = 8

// work is a worker process.
func (o *options) work(ctx context.Context) error {
	go orphaned()
	pool, j, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	client := o.client()
	client.Guard = o.budget(pool)
	worker := &riverbatch.Worker[fal.Images]{
		Runner: &batch.Runner{
			Client: client, Journal: j, Dir: o.out,
			// The local fal lists past requests at once, other than fal itself.
			Reconcile: platform.Reconciler{Client: client, Lag: 2 * time.Second}.Find,
		},
		// So short only since this is over soon.
		Lease: 3 * time.Second, RescueEvery: time.Second, Hold: time.Second,
		Logger: slog.New(slog.DiscardHandler),
	}
	config := worker.Config(slots)
	config.Logger = slog.New(slog.DiscardHandler)
	queue, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return err
	}
	if err := queue.Start(ctx); err != nil {
		return err
	}
	<-queue.Stopped()
	return nil
}

// fal is the process that stands in for fal.
func (o *options) fal(ctx context.Context) error {
	go orphaned()
	fake := faltest.New(faltest.QueueTime(50*time.Millisecond), faltest.RunTime(200*time.Millisecond))
	defer fake.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/books", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(fake.Ledger()) })
	mux.Handle("/", fake)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if o.weather {
		go storm(fake)
	}
	fmt.Printf("at http://%s\n", listener.Addr())
	front := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		<-ctx.Done()
		_ = front.Close()
	}()
	if err := front.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// storm has the local fal lose answers, fail and refuse, now and then.
func storm(fake *faltest.Server) {
	weather := []struct {
		op    faltest.Op
		fault faltest.Fault
		times int
	}{
		{faltest.OpSubmit, faltest.LostAnswer(), 1}, {faltest.OpSubmit, faltest.TruncatedBody(), 1}, {faltest.OpSubmit, faltest.Reset(), 1},
		{faltest.OpSubmit, faltest.Answer(503, "down"), 1}, {faltest.OpSubmit, faltest.After(faltest.Answer(502, "bad")), 1},
		{faltest.OpSubmit, faltest.TooManyRequests(0), 5}, {faltest.OpSubmit, faltest.DroppedStream(), 1},
		{faltest.OpResult, faltest.Answer(502, "bad"), 3}, {faltest.OpResult, faltest.TruncatedBody(), 3},
		{faltest.OpStatus, faltest.LostAnswer(), 3}, {faltest.OpDownload, faltest.TruncatedBody(), 2}, {faltest.OpPlatform, faltest.Answer(500, "x"), 1},
	}
	for {
		now := weather[rand.IntN(len(weather))]
		over := fake.Inject(now.op, now.fault, now.times)
		time.Sleep(100 * time.Millisecond)
		over()
	}
}
