package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/fal/webhook"
)

const (
	defaultConcurrency = 16
	mostConcurrency    = 10_000
)

// Runner is what does the items of a batch. Its fields must not be changed after
// its first use, and it must not be copied; a journal is used by one runner at a
// time.
type Runner struct {
	// Client does the calls. Required. Its Guard is what bounds the cost: once its
	// error has a method Exhausted() bool that returns true, as that of a budget of
	// package spend does, nothing more is submitted.
	Client *fal.Client
	// Journal has what became of each item; nil means [Memory].
	Journal Journal

	// Concurrency is how many items are under way at once at most, from 1 to
	// 10,000. Default: 16. There are fewer for a time after fal has refused one
	// since there are too many.
	Concurrency int
	// Every is the least time between two items that begin; 0 is none.
	Every time.Duration
	// MaxFailures is how many items may fail before no more are begun; 0 is any
	// number. Of a key that is not accepted, a locked account, a guard that refuses
	// or a full disk, the first ends it.
	MaxFailures int

	// Dir is the folder where the files of results are saved; it is made if it is
	// missing. "" saves none.
	Dir string
	// Name is the template of the names of files: {key}, {n} (from 1), {-n} ("-2"
	// and so on from the second file on), {ext} (with its dot), {endpoint} and {id}
	// (of the request). It may have slashes. Default: "{key}{-n}{ext}". What cannot
	// be in a file name is replaced, and a name that another file has is made
	// longer.
	Name string
	// Mark, if set, has written into each saved PNG, JPEG or WebP picture how it was
	// made, with its seed, after its say:
	// func(r provenance.Record) provenance.Record { return r } tells all, and
	// provenance.Record.WithoutPrompt keeps the request back. A picture that does not
	// take its record is saved as it is. The journal keeps what was sent for it.
	Mark func(provenance.Record) provenance.Record

	// Options are those of every request, such as [fal.RefuseFlagged].
	Options []fal.Option
	// Webhook returns the address that fal calls when the item with a key is done;
	// nil has it call none. If the address tells the key, who receives the call can
	// finish the item by [Deliver], in this program or in another with the journal.
	Webhook func(key string) string
	// Handler is what fal calls at the address of Webhook, if that is in this program:
	// items are then waited for by it, without a connection for each, and looked at
	// every 15 seconds. Nil waits as [fal.Job.Wait] does, also if there is a Webhook.
	Handler *webhook.Handler
	// Reconcile finds out what became of a request whose answer was lost, such as
	// the Find of a platform.Reconciler: it returns the request id, or an error for which
	// [fal.NotSent] is true if fal certainly did not accept it, or another one if
	// that is not known. Nil knows nothing: the item stays Unknown.
	Reconcile func(ctx context.Context, lost *fal.OutcomeUnknownError) (requestID string, err error)
	// Recover returns what came of a job whose result fal's queue has no more, such as
	// the Result of a platform.Reconciler: the body and its HTTP status. The queue
	// keeps results for an hour, and long ones for minutes, so that a batch that is
	// gone on with later needs it. Nil knows none: such an item stays Submitted, with
	// an error each time.
	Recover func(ctx context.Context, endpoint, requestID string) (status int, body json.RawMessage, err error)
	// CancelJobs has jobs cancelled at fal when the context of Run or Step ends.
	// Else they go on there, and the next run takes them up.
	CancelJobs bool

	once    sync.Once
	err     error // what is wrong with it
	journal Journal
	naming  sync.Mutex // held while a file gets its name
	finding sync.Mutex // held while an item gets a job that was looked for

	mu     sync.Mutex
	locked map[string]chan struct{} // keys at work; closed when they are free
	stop   chan struct{}            // closed by Stop
	gate   *gate                    // of Run
	counts Progress
	began  time.Time
}

// ready checks the runner once.
func (r *Runner) ready() error {
	r.once.Do(func() {
		r.locked = make(map[string]chan struct{})
		if r.journal = r.Journal; r.journal == nil {
			r.journal = Memory()
		}
		r.err = errors.Join(r.check(), r.checkDir())
	})
	if r.err != nil {
		return refused{r.err}
	}
	return nil
}

func (r *Runner) check() error {
	switch {
	case r.Client == nil:
		return errors.New("batch: Runner.Client is not set: it is required")
	case r.Concurrency < 0 || r.Concurrency > mostConcurrency:
		return fmt.Errorf("batch: Runner.Concurrency %d: must be 1 to %d, or 0 for %d", r.Concurrency, mostConcurrency, defaultConcurrency)
	case r.Every < 0:
		return fmt.Errorf("batch: Runner.Every %v: must not be negative", r.Every)
	case r.Handler != nil && r.Webhook == nil:
		return errors.New("batch: Runner.Webhook is not set: Runner.Handler would never be called without")
	case r.MaxFailures < 0:
		return fmt.Errorf("batch: Runner.MaxFailures %d: must not be negative", r.MaxFailures)
	}
	return checkName(r.template())
}

// options returns the options of an item with options of its own.
func (r *Runner) options(own []fal.Option) []fal.Option { return slices.Concat(r.Options, own) }

// checkDir makes the folder and tries to write to it.
func (r *Runner) checkDir() error {
	if r.Dir == "" {
		return nil
	}
	trial := filepath.Join(r.Dir, ".writable") // of one name, so that a crash leaves one at most
	err := os.MkdirAll(r.Dir, 0o777)
	if err == nil {
		err = os.WriteFile(trial, nil, 0o600)
	}
	if err != nil {
		return fmt.Errorf("batch: Runner.Dir: nothing can be saved there: %w", err)
	}
	_ = os.Remove(trial)
	return nil
}

// lock waits until nobody else in this runner works on a key.
func (r *Runner) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		r.mu.Lock()
		busy := r.locked[key]
		if busy == nil {
			free := make(chan struct{})
			r.locked[key] = free
			r.mu.Unlock()
			return func() {
				r.mu.Lock()
				delete(r.locked, key)
				r.mu.Unlock()
				close(free)
			}, nil
		}
		r.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, fmt.Errorf("batch: key %.80q: %w", key, ctx.Err())
		}
	}
}

// Stop has Run begin no more items, now and with this runner; it ends when those under
// way have. To end these too, let its context end. It may be called at any time.
func (r *Runner) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stop := r.stopping(); !closed(stop) {
		close(stop)
	}
}

// stopping returns the channel that Stop closes. The lock is held.
func (r *Runner) stopping() chan struct{} {
	if r.stop == nil {
		r.stop = make(chan struct{})
	}
	return r.stop
}
