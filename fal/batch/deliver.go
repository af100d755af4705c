package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/webhook"
)

// Deliver finishes an item by what fal told of its job: the result goes into the
// journal, its files into the folder, and the guard is told what was billed. Whoever
// has the journal may do it, without the request: who submits need not be who
// receives. It is what a handler does with the key that is in the address,
//
//	hooks.Handle = func(ctx context.Context, e *webhook.Event) error {
//		_, err := batch.Deliver[fal.Images](ctx, run, e.Query.Get("key"), e)
//		return err
//	}
//
// and may be done again, and beside [Step] or [Run] for the same item: whoever is
// first keeps the result, once. If the answer to the submit was lost, the item is
// found by it. The query of an address is not signed: an event of another job than
// the journal has for the key, or of one that fal does not know by this client's key
// and the item's endpoint, is refused. One of a job that failed before the item was
// sent again changes nothing, and is no error.
//
// The result is returned as by Step. The error is nil once that is kept, though the
// job failed: what became of it is in the row. It is not nil where it should be
// tried again, or the event is none of this journal's.
func Deliver[Out any](ctx context.Context, run *Runner, key string, event *webhook.Event) (res Result[Out], err error) {
	res.Key = key
	if err := run.ready(); err != nil {
		return res, err
	}
	if event == nil || event.RequestID == "" {
		return res, fmt.Errorf("batch: key %.80q: the event is nil, or has no request id", key)
	}
	if row, _, err := run.journal.Get(ctx, key); err == nil && slices.Contains(row.Past, event.RequestID) {
		res.Row = row
		return res, nil
	}
	// Before the lock: a step that looks for its lost answer is told of it so.
	if err := run.found(ctx, key, event.RequestID); err != nil {
		return res, err
	}
	unlock, err := run.lock(ctx, key)
	if err != nil {
		return res, err
	}
	defer unlock()
	row, _, err := run.journal.Get(ctx, key)
	if err != nil {
		return res, fmt.Errorf("batch: key %.80q: journal: %w", key, err)
	}
	if row.RequestID != event.RequestID {
		return res, fmt.Errorf("batch: key %.80q: the journal has request %.80q for it, and the event is of request %.80q", key, row.RequestID, event.RequestID)
	}
	request := asSent[Out](&row)
	e := &entry{run: run, row: row, about: about(request)}
	e.guard, _ = run.Client.GuardOf(run.Options...)
	switch row.State {
	case Submitted:
		job := fal.Resume(run.Client, fal.Endpoint[Out](row.Endpoint), row.RequestID)
		job.Asked(request, run.Options...)
		job.Reserved(e.resumed(ctx))
		out, problem := webhook.Fetch(ctx, event, job)
		res.Out, err = ended(ctx, e, job, out, problem)
	case Done:
		res.Out, err = kept[Out](ctx, e)
		res.Kept = e.row.Revision == row.Revision
	}
	res.Row = e.row
	err = e.with(err)
	if _, again := errors.AsType[unkept](err); !again && (e.row.State == Done || e.row.State == Failed) {
		return res, nil // what is wrong with it is in the row
	}
	return res, err
}

// found notes the request id of an item whose answer was lost, if fal knows the job.
func (r *Runner) found(ctx context.Context, key, requestID string) error {
	row, ok, err := r.journal.Get(ctx, key)
	if err == nil && ok && row.job() == "" && !(&entry{run: r, row: row}).knows(ctx, requestID) {
		return fmt.Errorf("batch: key %.80q: fal does not know a job %.80q of %s, of which an event came", key, requestID, row.Endpoint)
	}
	return Received(ctx, r.journal, key, requestID)
}

// Received tells a journal the request id of an item, as a webhook brought it: if
// the answer to its submit was lost, the item is known to be submitted from then
// on. It changes nothing of an item whose request id is known, or by the id of a job
// that failed before the item was sent again; an item that the journal does not have
// is an error.
func Received(ctx context.Context, j Journal, key, requestID string) error {
	if requestID == "" {
		return fmt.Errorf("batch: key %.80q: the request id is empty", key)
	}
	row, ok, err := j.Get(ctx, key)
	switch {
	case err != nil:
		return fmt.Errorf("batch: key %.80q: journal: %w", key, err)
	case !ok:
		return fmt.Errorf("batch: key %.80q: the journal does not have it", key)
	case row.job() != "", slices.Contains(row.Past, requestID):
		return nil
	}
	// Also if it was proved absent, but not sent again: fal would not call for it.
	row.State, row.RequestID, row.Failure = Submitted, requestID, nil
	row.Revision++
	err = j.Put(ctx, row)
	if errors.Is(err, ErrConflict) {
		return nil // the submit's own answer came first
	}
	return err
}
