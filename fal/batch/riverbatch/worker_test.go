package riverbatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// fleet is a batch, its local fal and its workers.
type fleet struct {
	testing.TB
	pool   *pgxpool.Pool
	j      *riverbatch.Journal
	srv    *faltest.Server
	budget *riverbatch.Budget
	dir    string
}

func newFleet(tb testing.TB, opts ...faltest.Option) *fleet {
	tb.Helper()
	f := &fleet{TB: tb, pool: pooled(tb), srv: faltest.NewServer(tb, opts...), dir: tb.TempDir()}
	f.j = opened(tb, f.pool)
	f.budget = &riverbatch.Budget{Pool: f.pool, Name: f.j.Name(), Limit: 10 * pricing.Dollar}
	return f
}

func (f *fleet) client() *fal.Client {
	c := f.srv.Client()
	c.Retry = fal.Retry{MinWait: time.Millisecond, MaxWait: 10 * time.Millisecond, MaxAttempts: 2}
	c.Guard = f.budget
	return c
}

// worker returns a worker of another machine.
func (f *fleet) worker() *riverbatch.Worker[fal.Images] {
	client := f.client()
	return &riverbatch.Worker[fal.Images]{
		Account: f.j.Name(), Lease: 10 * time.Second, Logger: slog.New(slog.DiscardHandler),
		Runner: &batch.Runner{Client: client, Journal: f.j, Dir: f.dir, Reconcile: platform.Reconciler{Client: client, Lag: 100 * time.Millisecond}.Find},
	}
}

// start has a worker work until the test ends.
func (f *fleet) start(w *riverbatch.Worker[fal.Images], slots int) {
	f.Helper()
	config := w.Config(slots)
	config.Logger = slog.New(slog.DiscardHandler)
	config.FetchCooldown, config.FetchPollInterval = 10*time.Millisecond, 100*time.Millisecond
	client, err := river.NewClient(riverpgxv5.New(f.pool), config)
	if err != nil {
		f.Fatal(err)
	}
	if err := client.Start(f.Context()); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := client.StopAndCancel(ctx); err != nil {
			f.Error(err)
		}
	})
}

// small is a size that is quickly drawn.
var small = fal.Size(256, 256)

// mugs returns items, FLUX and Qwen mixed.
func mugs(n int) []batch.Item[fal.Images] {
	items := make([]batch.Item[fal.Images], n)
	for i := range items {
		items[i] = batch.Item[fal.Images]{Key: fmt.Sprintf("mug %d", i), Request: flux.Schnell{Prompt: fmt.Sprint("mug ", i), ImageSize: small}}
		if i%2 == 1 {
			items[i].Request = qwen.Image{Prompt: fmt.Sprint("mug ", i), ImageSize: small}
		}
	}
	return items
}

func (f *fleet) insert(items ...batch.Item[fal.Images]) {
	f.Helper()
	n, err := riverbatch.Insert(f.Context(), f.j, f.client(), slices.Values(items))
	if err != nil || n != len(items) {
		f.Fatalf("%d of %d inserted: %v", n, len(items), err)
	}
}

// jobs returns the states of the jobs in River, each with how many there are.
func (f *fleet) jobs() map[string]int {
	f.Helper()
	rows, err := f.pool.Query(f.Context(), "SELECT state::text, count(*) FROM river_job WHERE queue = $1 AND kind <> 'fal_batch_rescue' GROUP BY 1", f.j.Name())
	if err != nil {
		f.Fatal(err)
	}
	states := make(map[string]int)
	var state string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&state, &n}, func() error { states[state] = n; return nil }); err != nil {
		f.Fatal(err)
	}
	return states
}

// until waits until River has so many jobs in a state.
func (f *fleet) until(state string, n int) {
	f.Helper()
	f.wait(fmt.Sprint(n, " jobs ", state), func() bool { return f.jobs()[state] >= n })
}

// wait waits until something is so.
func (f *fleet) wait(what string, is func() bool) {
	f.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			f.Fatalf("%s: it does not come; %v", what, f.jobs())
		}
	}
}

// job returns the latest job of a key.
func (f *fleet) job(key string) *rivertype.JobRow {
	f.Helper()
	client, err := river.NewClient(riverpgxv5.New(f.pool), &river.Config{})
	if err != nil {
		f.Fatal(err)
	}
	var id int64
	if err := f.pool.QueryRow(f.Context(), "SELECT max(id) FROM river_job WHERE queue = $1 AND args->>'key' = $2", f.j.Name(), key).Scan(&id); err != nil {
		f.Fatal(err)
	}
	row, err := client.JobGet(f.Context(), id)
	if err != nil {
		f.Fatal(err)
	}
	return row
}

// settle checks that there is one job at fal and one file for each item, and that what
// was spent is what fal billed.
func (f *fleet) settle(items int) {
	f.Helper()
	ledger := f.srv.Ledger()
	if ledger.Submissions != items || len(ledger.Bills) != items {
		f.Errorf("%d jobs were accepted, %d billed, of %d", ledger.Submissions, len(ledger.Bills), items)
	}
	var billed pricing.USD
	for _, b := range ledger.Bills {
		quote, _ := pricing.EstimateUsage(fal.Usage{Endpoint: b.Endpoint})
		bill, err := pricing.Settle(quote, fal.Meta{Endpoint: b.Endpoint, RequestID: b.RequestID, BillableUnits: b.Units})
		if err != nil {
			f.Fatal(err)
		}
		billed += bill.Billed
	}
	totals, err := f.budget.Totals(f.Context())
	if want := (riverbatch.Totals{Billed: billed, Requests: items}); err != nil || totals != want {
		f.Errorf("the budget has %+v (%v), fal %+v", totals, err, want)
	}
	files, _ := filepath.Glob(filepath.Join(f.dir, "*.*g"))
	if len(files) != items {
		f.Errorf("%d files", len(files))
	}
	rows := 0
	for row, err := range f.j.All(f.Context()) {
		if err != nil || row.State != batch.Done || len(row.Files) != 1 {
			f.Errorf("%s: %s, %d files, %v", row.Key, row.State, len(row.Files), err)
		}
		rows++
	}
	if rows != items {
		f.Errorf("%d rows", rows)
	}
}

// Two machines do a batch together: each item once.
func TestWorkers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, faltest.RunTime(5*time.Millisecond))
	f.insert(mugs(30)...)
	f.start(f.worker(), 5)
	f.start(f.worker(), 5)
	f.until("completed", 30)
	f.settle(30)

	// What River's UI shows.
	job := f.job("mug 1")
	for _, want := range []string{`"key": "mug 1"`, `"endpoint": "fal-ai/qwen-image"`, `"prompt": "mug 1"`} {
		if !strings.Contains(string(job.EncodedArgs), want) {
			t.Errorf("args %s lack %s", job.EncodedArgs, want)
		}
	}
	for _, want := range []string{`"state": "done"`, `"request_id"`, `"billable_units"`, `mug_1`} {
		if !strings.Contains(string(job.Metadata), want) {
			t.Errorf("metadata %s lack %s", job.Metadata, want)
		}
	}
	if n, err := riverbatch.Insert(t.Context(), f.j, f.client(), slices.Values(mugs(30))); n != 0 || err != nil {
		t.Errorf("inserted again: %d, %v", n, err)
	}
	if states := f.jobs(); !maps.Equal(states, map[string]int{"completed": 30}) {
		t.Errorf("%v", states)
	}
	left, _ := os.ReadDir(f.dir)
	if len(left) != 30 {
		t.Errorf("%d files are left", len(left))
	}
}

// A worker does not wait for fal with its slot held: two slots have ten jobs under way.
func TestSlots(t *testing.T) {
	t.Parallel()
	var later atomic.Int64 // while it is 0, no job ends
	start := time.Now()
	f := newFleet(t, faltest.RunTime(time.Second), faltest.Clock(func() time.Time { return start.Add(time.Duration(later.Load())) }))
	f.insert(mugs(10)...)
	w := f.worker()
	w.Hold = -1
	f.start(w, 2)
	f.wait("ten jobs at fal", func() bool {
		counts, err := f.j.Counts(t.Context())
		return err == nil && counts == riverbatch.Counts{Items: 10, UnderWay: 10} && f.srv.Ledger().Submissions == 10
	})
	f.wait("all looked at again", func() bool {
		var least int
		err := f.pool.QueryRow(t.Context(), "SELECT min(coalesce((metadata->>'snoozes')::int, 0)) FROM river_job WHERE queue = $1 AND kind <> 'fal_batch_rescue'", f.j.Name()).Scan(&least)
		return err == nil && least >= 2
	})
	later.Store(int64(time.Minute))
	f.until("completed", 10)
	f.settle(10)
}
