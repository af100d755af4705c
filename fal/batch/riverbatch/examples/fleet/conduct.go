package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch/internal/postgres"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
)

// fleet is what is under way.
type fleet struct {
	*options
	database *postgres.Server // nil if it is somebody else's
	workers  []*exec.Cmd
	killed   int
	crashed  bool
}

// conduct starts all processes, kills some, and counts at the end.
func (o *options) conduct(ctx context.Context) (err error) {
	ctx, stop := context.WithTimeoutCause(ctx, o.most, fmt.Errorf("it is not done after %v", o.most))
	defer stop()
	f := &fleet{options: o}
	if o.out == "" {
		if o.out, err = os.MkdirTemp("", "fleet"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(o.out) }()
	}
	if o.dsn == "" {
		if f.database, err = postgres.Start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.database.Stop()) }()
		o.dsn = f.database.URL
	}
	defer f.end()
	server, said, err := f.start(ctx, "fal")
	if err != nil {
		return err
	}
	defer end(server)
	if o.server, err = addressIn(said); err != nil {
		return err
	}
	pool, j, err := f.submitted(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	for range o.workers {
		worker, _, err := f.start(ctx, "work")
		if err != nil {
			return err
		}
		f.workers = append(f.workers, worker)
	}
	began := time.Now()
	if err := f.watch(ctx, j); err != nil {
		return err
	}
	fmt.Printf("%d pictures in %v\n", o.items, time.Since(began).Round(100*time.Millisecond))
	f.end() // so that nobody is at it any more
	return f.count(ctx, pool, j)
}

// submitted makes the tables, has the items inserted and returns the batch.
func (f *fleet) submitted(ctx context.Context) (*pgxpool.Pool, *riverbatch.Journal, error) {
	pool, err := pgxpool.New(ctx, f.dsn)
	if err != nil {
		return nil, nil, err
	}
	if err := riverbatch.Migrate(ctx, pool); err != nil {
		pool.Close()
		return nil, nil, err
	}
	submitter, said, err := f.start(ctx, "submit")
	if err == nil {
		_, _ = io.Copy(os.Stdout, said)
		err = submitter.Wait()
	}
	var j *riverbatch.Journal
	if err == nil {
		j, err = riverbatch.Open(ctx, pool, f.batch)
	}
	if err != nil {
		pool.Close()
	}
	return pool, j, err
}

// start starts this program in a role.
func (f *fleet) start(ctx context.Context, role string) (*exec.Cmd, io.Reader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-dsn", f.dsn, "-out", f.out, "-server", f.server, "-batch", f.batch,
		"-items", strconv.Itoa(f.items), fmt.Sprintf("-weather=%v", f.weather), role)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // open as long as this process lives
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	return cmd, out, cmd.Start()
}

// addressIn reads the address that the local fal says.
func addressIn(said io.Reader) (string, error) {
	line, err := bufio.NewReader(said).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "at ")
	if !ok {
		return "", errors.Join(fmt.Errorf("the local fal does not say where it is: %q", line), err)
	}
	return address, nil
}

// end ends a process.
func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (f *fleet) end() {
	for _, worker := range f.workers {
		end(worker)
	}
	f.workers = nil
}

// watch kills workers until all items are finished, and rescues what they leave.
func (f *fleet) watch(ctx context.Context, j *riverbatch.Journal) error {
	var counts, before riverbatch.Counts
	var err error
	killed := time.Now()
	for pause := f.pause(); ; {
		if _, err = j.Rescue(ctx); err == nil {
			counts, err = j.Counts(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %+v", context.Cause(ctx), counts)
		case err != nil:
			return err
		case counts.Finished == f.items:
			return nil
		}
		if f.crash && !f.crashed && counts.Finished >= f.items/3 {
			fmt.Printf("%d of %d are done: PostgreSQL crashes, and is started again\n", counts.Finished, f.items)
			if err := f.database.Restart(ctx); err != nil {
				return err
			}
			f.crashed = true
		}
		// On a slow machine nothing would ever be done by workers that live for a second.
		moved := counts != before || time.Since(killed) > 10*time.Second
		if time.Since(killed) > pause && moved && (f.killEvery > 0 || f.killed < f.kills) {
			if err := f.kill(ctx, counts); err != nil {
				return err
			}
			killed, before, pause = time.Now(), counts, f.pause()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// pause is the time until the next worker is killed.
func (f *fleet) pause() time.Duration {
	if f.killEvery > 0 {
		return f.killEvery
	}
	return 500*time.Millisecond + rand.N(time.Second)
}

// kill kills a worker and starts another one.
func (f *fleet) kill(ctx context.Context, counts riverbatch.Counts) error {
	i := rand.IntN(len(f.workers))
	end(f.workers[i])
	f.killed++
	fmt.Printf("%d of %d are done: worker %d is killed, and replaced\n", counts.Finished, f.items, i+1)
	worker, _, err := f.start(ctx, "work")
	if err != nil {
		return err
	}
	f.workers[i] = worker
	return nil
}

// count holds what the batch has against what fal has.
func (f *fleet) count(ctx context.Context, pool *pgxpool.Pool, j *riverbatch.Journal) error {
	books, err := f.books(ctx)
	if err != nil {
		return err
	}
	var billed pricing.USD
	jobs := make(map[string]bool)
	for _, b := range books.Bills {
		quote, _ := pricing.EstimateUsage(fal.Usage{Endpoint: b.Endpoint}) // for its price only
		bill, err := pricing.Settle(quote, fal.Meta{Endpoint: b.Endpoint, RequestID: b.RequestID, BillableUnits: b.Units})
		if err != nil {
			return err
		}
		billed += bill.Billed
		jobs[b.RequestID] = true
	}
	wrong, rows := 0, 0
	for row, err := range j.All(ctx) {
		if err != nil {
			return err
		}
		if rows++; row.State != batch.Done || !jobs[row.RequestID] || len(row.Files) != 1 {
			fmt.Printf("%s: %s, request %s, %d files\n", row.Key, row.State, row.RequestID, len(row.Files))
			wrong++
		}
		delete(jobs, row.RequestID)
	}
	totals, err := f.budget(pool).Totals(ctx)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(f.out, "*"))
	if err != nil {
		return err
	}
	fmt.Printf("items     %d\nkilled    %d workers\naccepted  %d jobs\nfiles     %d\nbilled    %v by fal\nspent     %v by the budget, %v set aside\n",
		f.items, f.killed, books.Submissions, len(files), billed, totals.Billed, totals.Reserved)
	if wrong > 0 || len(jobs) > 0 || rows != f.items || books.Submissions != f.items || len(files) != f.items || totals != (riverbatch.Totals{Billed: billed, Requests: f.items}) {
		return fmt.Errorf("they do not agree: %d rows, %d of them not right; %d bills without a row; budget %+v", rows, wrong, len(jobs), totals)
	}
	return nil
}

// books are those of the local fal.
func (f *fleet) books(ctx context.Context) (books faltest.Ledger, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.server+"/books", nil)
	if err != nil {
		return books, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return books, err
	}
	defer resp.Body.Close()
	return books, json.NewDecoder(resp.Body).Decode(&books)
}
