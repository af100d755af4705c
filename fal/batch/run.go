package batch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// patience is how long fal may refuse everything since there is too much, until
// Run ends.
const patience = 10 * time.Minute

// StopError says that Run ended before all items were begun.
type StopError struct {
	// Err is why.
	Err error
	Progress
}

func (e *StopError) Error() string {
	return fmt.Sprintf("batch: stopped, with %v, and the items after these not begun: %v", e.Progress, e.Err)
}

func (e *StopError) Unwrap() error { return e.Err }

// ErrStopped is why Run ended after Runner.Stop.
var ErrStopped = errors.New("batch: it was told to stop")

// Run does the items that a source yields, some at a time, and yields what came of
// each as it ends, with that item's own error; see [Step]. Of the source no more is
// held than is under way, so it may be endless; items with the same key are done
// once.
//
// What fal refuses since there is too much (status 429) is sent again when it has
// calmed down, and fewer are under way for a time. No more items are begun when the
// guard refuses one, the key is not accepted, the account is locked, the journal or
// the folder cannot be written, MaxFailures have failed, or Runner.Stop is called.
// Those under way are then waited for and saved, and the last that is yielded is a
// [*StopError], without a key.
//
// When the context ends, or the loop over the results is left, waiting ends: the
// jobs go on at fal unless Runner.CancelJobs is set, and the next run with the same
// journal takes them up. An item that is being submitted gets a few seconds, so that
// its request id is known. Run ends after its source has: one that waits for something
// should not wait longer than the context lasts.
func Run[Out any](ctx context.Context, run *Runner, items iter.Seq[Item[Out]]) iter.Seq2[Result[Out], error] {
	return func(yield func(Result[Out], error) bool) {
		if err := run.begin(); err != nil {
			yield(Result[Out]{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		w := &work[Out]{run: run, gate: run.gate, ended: make(chan outcome[Out]), over: make(chan struct{})}
		go w.feed(ctx, items)
		defer func() { // the loop may have been left, by a panic too
			w.end(ErrStopped)
			cancel()
			for range w.ended {
				w.gate.leave()
			}
		}()
		for e := range w.ended {
			if !yield(e.Result, e.err) {
				return
			}
			w.gate.leave() // only now, so that leaving the loop begins nothing
		}
		if why := w.why(ctx); why != nil {
			yield(Result[Out]{}, &StopError{Err: why, Progress: run.Progress()})
		}
	}
}

// begin begins a run.
func (r *Runner) begin() error {
	if err := r.ready(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts, r.began, r.gate = Progress{}, time.Now(), newGate(r.concurrency(), r.Every, r.Client.Retry, r.stopping())
	return nil
}

func (r *Runner) concurrency() int {
	if r.Concurrency == 0 {
		return defaultConcurrency
	}
	return r.Concurrency
}

// outcome is what came of an item.
type outcome[Out any] struct {
	Result[Out]
	err error
}

// work is one run.
type work[Out any] struct {
	run   *Runner
	gate  *gate
	ended chan outcome[Out]
	wait  sync.WaitGroup

	mu     sync.Mutex
	reason error         // why no more are begun
	over   chan struct{} // closed when there is a reason
	short  bool          // an item was not begun
}

// end has no more items begun.
func (w *work[Out]) end(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason == nil {
		w.reason = why
		close(w.over)
	}
}

// why returns why items were not begun; nil if all were.
func (w *work[Out]) why(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.short:
		return nil
	case w.reason != nil:
		return w.reason
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return ErrStopped
}

// feed begins items, until the source ends or something ends it.
func (w *work[Out]) feed(ctx context.Context, items iter.Seq[Item[Out]]) {
	defer close(w.ended)
	defer w.wait.Wait()
	for it := range items {
		if !w.gate.enter(ctx, w.over, false) {
			w.mu.Lock()
			w.short = true
			w.mu.Unlock()
			return
		}
		w.run.mu.Lock()
		w.run.counts.Taken++
		w.run.mu.Unlock()
		w.wait.Go(func() { w.do(ctx, it) })
	}
}

// do does an item.
func (w *work[Out]) do(ctx context.Context, it Item[Out]) {
	began := time.Now()
	res, over, err := step(ctx, w.run, it)
	for tooMany(&res.Row, err) && w.goOn(ctx, began, err) {
		began = time.Now()
		res, over, err = step(ctx, w.run, it)
	}
	if res.job() != "" && !res.Kept {
		w.gate.accepted()
	}
	failed := w.run.count(&res.Row, res.Kept, err)
	if most := w.run.MaxFailures; over == nil && most > 0 && failed >= most {
		over = fmt.Errorf("batch: %d items have failed, the last by: %w", failed, err)
	}
	if over != nil {
		w.end(over)
	}
	w.ended <- outcome[Out]{res, err}
}

// tooMany reports whether fal refused an item since there was too much for now.
func tooMany(row *Row, err error) bool {
	return errors.Is(err, fal.ErrRateLimited) && row.RequestID == "" && fal.Charged(err) == fal.NotBilled
}

// goOn waits until an item that was refused may begin again, and reports whether it
// may.
func (w *work[Out]) goOn(ctx context.Context, began time.Time, err error) bool {
	var wait time.Duration
	if refusal, ok := errors.AsType[*fal.Error](err); ok {
		wait = refusal.RetryAfter
	}
	if w.gate.tooMany(began, wait) >= patience {
		w.end(err)
		return false
	}
	w.gate.leave()
	return w.gate.enter(ctx, w.over, true) // or nothing begins any more
}
