package riverbatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
)

// The settings of River that [Worker.Config] makes, and why.
const (
	// maxAttempts is how often a job may fail, by what may be better the next time. To
	// wait for a job at fal, for a turn or for money is no failure. With the waits in
	// between it takes some hours.
	maxAttempts = 40
	// jobTimeout is how long one run of a job may take: to send a request and to fetch
	// and save its files. To wait for fal is not part of it.
	jobTimeout = 10 * time.Minute
	// rescueStuck is when River takes a job to be stuck whose worker is gone. It has to
	// be more than jobTimeout, else River would run it beside itself, which costs
	// nothing here but time: the second run finds the lease of the first. [Journal.Rescue]
	// notices the same as soon as the lease is over.
	rescueStuck = 15 * time.Minute

	itemPriority, rescuePriority = 2, 1
)

// The defaults of [Worker].
const (
	defaultHold   = 3 * time.Second
	defaultLease  = time.Minute
	defaultRescue = 30 * time.Second
	leastLease    = 2 * time.Second
)

// Waits between two looks at an item.
const (
	shortestWait = time.Second
	longestWait  = time.Minute      // for a job at fal
	brokeWait    = time.Minute      // for a budget, a key or an account
	unknownWait  = 2 * time.Minute  // for fal's history
	longestRetry = 10 * time.Minute // after a failure
	tooManyWait  = 5 * time.Second  // after a 429 that does not say
	longestPause = time.Hour        // after a 429, whatever it says
	turnWait     = 2 * time.Second  // for a turn, with the slot held
)

// Worker is a worker of River that does the items of a batch, each by [batch.Step] and
// with the lease of the item, so that no two workers are at one at a time. Its fields
// must not be changed after its first use.
type Worker[Out any] struct {
	river.WorkerDefaults[Args[Out]]

	// Runner does the items. Required, with a *[Journal] as its Journal. Its Concurrency
	// and Every are not used: River's slots and Every here stand in their place. Give it
	// a Reconcile: without one, an item whose answer was lost waits for ever. Files are
	// saved by the machine that does the item, so Dir is best a folder that all share.
	Runner *batch.Runner

	// Account names the account at fal; workers with the same name share pace and
	// pauses, whatever their batch. "" is a name as any other.
	Account string
	// Every is the least time between two requests of the account, on all machines
	// together; 0 is none. After a 429 all of them pause, Every or not.
	Every time.Duration
	// Hold is how long a worker waits for a job at fal before it gives its slot back and
	// the item is looked at again later: after half of the time since it was sent, at
	// least a second and at most a minute. Default: 3 seconds; negative is none.
	Hold time.Duration
	// Lease is how long an item stays with a worker of which nothing is heard, so how
	// long after a crash another one may take it up. It is renewed while the worker is
	// at it; if that fails for half of it, the work on the item ends, and a request on its
	// way gets three seconds more for its answer. Default: a minute. It must be 2 seconds
	// at least; less than 30 is for tests, and a restart of the database may then cost
	// it, which loses time and no money.
	Lease time.Duration
	// RescueEvery is how often items are looked for that no job of River will do any
	// more. Default: 30 seconds.
	RescueEvery time.Duration
	// Logger is told what items wait for that is not of their own; nil means
	// [slog.Default].
	Logger *slog.Logger

	once sync.Once
	j    *Journal
	err  error
}

// Config returns a configuration of River for this worker, to be completed as wished:
// so many slots of the queue of its batch; a time of 10 minutes for a run, which is to
// send a request and fetch its files and never to wait for fal; 15 minutes until River
// takes a job of a dead worker for stuck, where the rescue in its periodic jobs finds
// the same sooner, when the lease is over. Attempts are 40, set with each job: waiting
// is none, and an item that was sent is not given up by the last.
//
//	client, err := river.NewClient(riverpgxv5.New(pool), worker.Config(50))
//
// The error, of bad fields of the worker, comes when River runs it. To add other
// workers, set Workers anew, with this one and a [RescueWorker].
func (w *Worker[Out]) Config(slots int) *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, w)
	config := &river.Config{
		Workers: workers, JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueStuck, MaxAttempts: maxAttempts,
	}
	j, err := w.ready()
	if err != nil {
		return config
	}
	river.AddWorker(workers, &RescueWorker{Journal: j})
	config.Queues = map[string]river.QueueConfig{j.name: {MaxWorkers: slots}}
	config.PeriodicJobs = []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(cmp.Or(max(0, w.RescueEvery), defaultRescue)), func() (river.JobArgs, *river.InsertOpts) {
		return RescueArgs{Batch: j.name}, &river.InsertOpts{Queue: j.name, MaxAttempts: 1, Priority: rescuePriority}
	}, &river.PeriodicJobOpts{ID: "fal_rescue_" + j.name})}
	return config
}

// ready checks the worker once.
func (w *Worker[Out]) ready() (*Journal, error) {
	w.once.Do(func() {
		switch {
		case w.Runner == nil || w.Runner.Client == nil:
			w.err = errors.New("riverbatch: Worker.Runner and its Client are required")
		case w.Runner.CancelJobs:
			w.err = errors.New("riverbatch: Worker.Runner.CancelJobs must not be set: a worker stops waiting while the job goes on")
		case w.Every < 0:
			w.err = fmt.Errorf("riverbatch: Worker.Every %v: must not be negative", w.Every)
		case w.Lease != 0 && w.Lease < leastLease:
			w.err = fmt.Errorf("riverbatch: Worker.Lease %v: must be %v at least, or 0 for %v", w.Lease, leastLease, defaultLease)
		case w.RescueEvery < 0:
			w.err = fmt.Errorf("riverbatch: Worker.RescueEvery %v: must not be negative", w.RescueEvery)
		}
		if w.err != nil {
			return
		}
		var ok bool
		if w.j, ok = w.Runner.Journal.(*Journal); !ok {
			w.err = errors.New("riverbatch: Worker.Runner.Journal must be one of riverbatch.Open: another one is not shared")
		}
	})
	return w.j, w.err
}

func (w *Worker[Out]) lease() time.Duration { return cmp.Or(w.Lease, defaultLease) }

func (w *Worker[Out]) log(ctx context.Context, what, key string, err error) {
	logger := w.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, slog.LevelWarn, what, slog.String("batch", w.j.name), slog.String("key", key), slog.Any("error", err))
}

// Timeout is how long River lets a run of a job take.
func (w *Worker[Out]) Timeout(*river.Job[Args[Out]]) time.Duration { return jobTimeout }

// NextRetry is when River runs a job again that has failed.
func (w *Worker[Out]) NextRetry(job *river.Job[Args[Out]]) time.Time {
	wait := min(longestRetry, time.Second<<min(max(job.Attempt-1, 0), 20))
	return time.Now().Add(wait/2 + rand.N(wait))
}

// Work does an item as far as it goes: River calls it. It returns nil when the item is
// done, an error of River that cancels the job when it has failed for good, one that
// snoozes it when there is something to wait for, and else what may be better the next
// time.
func (w *Worker[Out]) Work(ctx context.Context, job *river.Job[Args[Out]]) error {
	j, err := w.ready()
	if err != nil {
		return err
	}
	if job.Args.Batch != j.name {
		return fmt.Errorf("riverbatch: the job is of batch %.80q, and this worker does %q: give each batch the queue of its name", job.Args.Batch, j.name)
	}
	it, err := j.claim(ctx, job.Args.Key, w.lease())
	if held, ok := errors.AsType[heldError](err); ok {
		return snooze(min(time.Duration(held), longestWait))
	}
	switch {
	case errors.Is(err, errFinished):
		return nil
	case errors.Is(err, errNoItem):
		return river.JobCancel(err)
	case err != nil:
		return err
	}
	kept, stop := it.keep(ctx)
	next := w.do(kept, it)
	stop()
	if next.err != nil && errors.Is(ctx.Err(), context.Canceled) && !next.finished {
		next.err = snooze(shortestWait) // the worker ends: that is no failure of the item
	}
	if next.report != nil {
		_ = river.RecordOutput(ctx, next.report) // for people only
	}
	if err := it.release(ctx, next.finished); err != nil {
		return err
	}
	return next.err
}

// outcome is what River is told of a run.
type outcome struct {
	err      error // nil, or what River is to do
	finished bool  // nothing is left to be done
	report   *Report
}

// Report is what River's UI shows as the output of a job.
type Report struct {
	State     batch.State `json:"state,omitzero"`
	RequestID string      `json:"request_id,omitzero"`
	// Units is what fal billed, in units of the endpoint.
	Units string   `json:"billable_units,omitzero"`
	Files []string `json:"files,omitzero"`
	// Problem is why there is no result, or what is wrong with it, or what the item
	// waits for.
	Problem string `json:"problem,omitzero"`
}

func reportOf(row *batch.Row, problem error) *Report {
	r := new(Report)
	if row != nil {
		r.State, r.RequestID, r.Units = row.State, row.RequestID, row.Units
		for _, f := range row.Files {
			r.Files = append(r.Files, f.Name)
		}
	}
	if problem != nil {
		r.Problem = problem.Error()
	}
	return r
}

// snooze has River run a job again after about a time.
func snooze(wait time.Duration) error {
	wait = max(wait, 50*time.Millisecond)
	return river.JobSnooze(wait + rand.N(wait/10+time.Millisecond)) // not all at once
}

// do does an item that is claimed.
func (w *Worker[Out]) do(ctx context.Context, it *claimed) outcome {
	row, waiting := it.row, false
	switch {
	case row != nil && row.State == batch.Done && row.Failure == nil && len(row.Files) > 0:
		return w.ended(ctx, it, row, nil) // saved, maybe by another machine
	case row == nil || row.State == batch.Failed:
		if wait, err := w.turn(ctx, it); err != nil {
			return outcome{err: err}
		} else if wait > 0 {
			return outcome{err: snooze(wait)}
		}
	case row.State == batch.Submitted:
		s, err := fal.Resume(w.Runner.Client, fal.Endpoint[Out](it.endpoint), row.RequestID).Status(ctx)
		if err == nil && (s.State == fal.InQueue || s.State == fal.InProgress) {
			return outcome{err: snooze(w.waitFor(ctx, row)), report: reportOf(row, nil)}
		}
		waiting = err != nil // else it has ended
	}
	ctx, let := w.hold(ctx, waiting)
	defer let()
	item := batch.Item[Out]{Key: it.key, Request: stored[Out]{fal.Endpoint[Out](it.endpoint), it.body, it.usage}}
	if len(it.tags) > 0 {
		item.Options = []fal.Option{fal.WithTags(it.tags)}
	}
	res, err := batch.Step(ctx, w.Runner, item)
	if row = &res.Row; res.Revision == 0 {
		row = nil
	}
	return w.ended(context.WithoutCancel(ctx), it, row, err)
}

// turn waits for the turn of an item if that is soon, or returns how long it will take.
func (w *Worker[Out]) turn(ctx context.Context, it *claimed) (wait time.Duration, err error) {
	if wait = max(0, it.turn); !it.hasTurn && w.Every > 0 {
		if wait, err = it.j.turn(ctx, w.Account, w.Every); err != nil {
			return 0, err
		}
	}
	if wait > turnWait {
		it.keepTurn = wait
		return wait, nil
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return it.j.paused(ctx, w.Account) // the turn is then lost
}

// waitFor returns when a job at fal is looked at again.
func (w *Worker[Out]) waitFor(ctx context.Context, row *batch.Row) time.Duration {
	return min(max(w.age(ctx, row)/2, shortestWait), longestWait)
}

// age returns how long ago an item was sent, by the clock that noted it.
func (w *Worker[Out]) age(ctx context.Context, row *batch.Row) time.Duration {
	now, _ := w.Runner.Client.Now(ctx) // or this machine's time
	return now.Sub(row.Sent)
}

// hold returns a context that ends some time after a request was accepted, unless its
// result is there by then: the slot is then for others. Waiting says that it was accepted
// before.
func (w *Worker[Out]) hold(ctx context.Context, waiting bool) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var timer *time.Timer
	start := func() { timer = time.AfterFunc(max(0, cmp.Or(w.Hold, defaultHold)), cancel) }
	if waiting {
		start()
	}
	noted := func(row batch.Row) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case row.State == batch.Submitted && timer == nil:
			start()
		case row.State != batch.Submitted && timer != nil:
			timer.Stop()
		}
	}
	return context.WithValue(ctx, notedKey{}, noted), func() {
		noted(batch.Row{})
		cancel()
	}
}

// ended says what River does after a run.
func (w *Worker[Out]) ended(ctx context.Context, it *claimed, row *batch.Row, err error) outcome {
	report := reportOf(row, err)
	state := batch.State("")
	if row != nil {
		state = row.State
	}
	_, conflict := errors.AsType[*batch.ConflictError](err)
	switch {
	case err == nil && state == batch.Done:
		return outcome{finished: true, report: report}
	case state == batch.Done && row.Failure != nil && !unkept(err), conflict: // paid, and not as wished
		return outcome{err: river.JobCancel(err), finished: true, report: report}
	case state == batch.Done: // a file or the row could not be saved
		return outcome{err: err, report: report}
	case exhausted(err) || errors.Is(err, fal.ErrUnauthorized) || errors.Is(err, fal.ErrLocked) || errors.Is(err, fal.ErrNoKey):
		w.log(ctx, "fal batch waits", it.key, err)
		return outcome{err: snooze(brokeWait), report: report}
	case errors.Is(err, fal.ErrRateLimited) && state == batch.Failed:
		wait := tooManyWait
		if refusal, ok := errors.AsType[*fal.Error](err); ok && refusal.RetryAfter > 0 {
			wait = min(refusal.RetryAfter, longestPause)
		}
		if err := it.j.pause(ctx, w.Account, wait); err != nil {
			return outcome{err: err}
		}
		return outcome{err: snooze(wait), report: report}
	case state == batch.Submitted:
		return outcome{err: snooze(w.waitFor(ctx, row)), report: report}
	case state == batch.Unknown || state == batch.Intent:
		w.log(ctx, "fal batch looks for a lost answer", it.key, err)
		return outcome{err: snooze(min(unknownWait, max(w.age(ctx, row), shortestWait))), report: report}
	case state == batch.Failed && !better(row):
		return outcome{err: river.JobCancel(err), finished: true, report: report}
	}
	return outcome{err: err, report: report}
}

// better reports whether an item that failed without cost may do better the next time.
func better(row *batch.Row) bool {
	f := row.Failure
	return f != nil && f.Billing == fal.NotBilled && (f.Retryable || f.Status == 0 || f.Status == 429 || f.Status >= 500)
}

// unkept reports whether something has yet to be kept of a result: its row or a file.
func unkept(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Unkept() bool
	}](err)
	return ok && e.Unkept()
}

// exhausted reports whether a guard has nothing left for any item.
func exhausted(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Exhausted() bool
	}](err)
	return ok && e.Exhausted()
}
