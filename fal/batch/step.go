package batch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/fal/webhook"
)

// cancelTime is how long a job that is to be cancelled is tried to.
const cancelTime = 5 * time.Second

// Step does an item, or what is left of it, by what the runner's journal has:
//
//   - nothing: the intent is noted, with the body and a seed, and the request sent;
//   - an intent without a request id, or an unknown fate: it is looked for by
//     Runner.Reconcile, and never sent again unless that proves it absent;
//   - a request id: the job is waited for;
//   - a result: it is returned as it stands, and files that are missing are saved.
//
// An item that failed is returned with its error, and sent again if it was not
// charged and fal never accepted it or says that it may do better. It may be
// called again at any time, after a crash too, and by many goroutines at once. The
// error is that of fal's functions, a *ConflictError, or one of journal and files.
func Step[Out any](ctx context.Context, run *Runner, it Item[Out]) (Result[Out], error) {
	res, _, err := step(ctx, run, it)
	return res, err
}

// entry is an item at work.
type entry struct {
	run *Runner
	row Row

	// about tells how a picture was made, with the seed that is given; nil if nobody can.
	about func(meta fal.Meta, seed uint64) (provenance.Record, error)
	ill   error // the first of the journal or the folder: no other item should be begun

	guard    fal.Guard    // may be nil
	reserved *reservation // by what is sent in this step
}

// with returns an error with that of the journal or the folder, unless it tells that too.
func (e *entry) with(err error) error {
	if e.ill == nil || err != nil && strings.Contains(err.Error(), e.ill.Error()) {
		return err
	}
	return errors.Join(err, e.ill)
}

// put keeps the row in the journal.
func (e *entry) put(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx) // what happened is noted though the caller has gone
	e.row.Revision++
	err := e.run.journal.Put(ctx, e.row)
	if errors.Is(err, ErrConflict) && e.row.State != Intent {
		err = e.agree(ctx, err)
	}
	if err == nil {
		return nil
	}
	e.row.Revision--
	err = unkept{fmt.Errorf("batch: key %.80q: journal: %w", e.row.Key, err)}
	e.ill = cmp.Or(e.ill, err)
	return err
}

// agree settles a conflict with what somebody else has noted of the item meanwhile,
// such as who receives webhooks: who knows the request id is right. Two jobs for one
// item are a conflict that stays.
func (e *entry) agree(ctx context.Context, conflict error) error {
	other, ok, err := e.run.journal.Get(ctx, e.row.Key)
	switch ours, theirs := e.row.job(), other.job(); {
	case err != nil || !ok || other.Digest != e.row.Digest,
		ours != "" && theirs != "" && ours != theirs:
		return conflict
	case other.State == Done && e.row.State == Done && len(e.row.Files) > len(other.Files):
		// the same result, of which we have saved more
	case other.State == Done, ours == "" && theirs != "", e.row.State == Submitted && theirs != "":
		e.row = other
		return nil
	}
	e.row.Revision = other.Revision + 1
	return e.run.journal.Put(ctx, e.row)
}

// step is Step that also returns why no other item should be begun, if it is so.
func step[Out any](ctx context.Context, run *Runner, it Item[Out]) (res Result[Out], stop, err error) {
	res.Key = it.Key
	if err := run.ready(); err != nil {
		return res, err, err
	}
	key, digest, err := it.identify()
	if res.Key = key; err != nil {
		return res, nil, err
	}
	unlock, err := run.lock(ctx, key)
	if err != nil {
		return res, nil, refused{err}
	}
	defer unlock()
	row, found, err := run.journal.Get(ctx, key)
	if err != nil {
		err = refused{fmt.Errorf("batch: key %.80q: journal: %w", key, err)}
		return res, err, err
	}
	if found && row.Digest != digest {
		return res, nil, &ConflictError{Key: key, Had: row.Endpoint, Has: string(it.Request.Endpoint())}
	}
	if !found {
		row = Row{Key: key, Endpoint: string(it.Request.Endpoint()), Digest: digest}
	}
	e := &entry{run: run, row: row, about: about(it.Request)}
	e.guard, _ = run.Client.GuardOf(run.options(it.Options)...)
	kept := e.row.State == Done || e.row.State == Failed
	res.Out, err = advance(ctx, e, it)
	if e.row.Revision > 0 {
		res.Row = e.row
	}
	res.Kept = kept && e.row.Revision == row.Revision
	err = e.with(err)
	return res, e.stops(err), err
}

// stops returns why no other item should be begun after an error; nil if there is
// no reason.
func (e *entry) stops(err error) error {
	switch {
	case e.ill != nil:
		return e.ill
	case exhausted(err):
		return err
	case errors.Is(err, fal.ErrUnauthorized), errors.Is(err, fal.ErrLocked), errors.Is(err, fal.ErrNoKey):
		return err
	}
	return nil
}

// exhausted reports whether a guard has nothing left for any item.
func exhausted(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Exhausted() bool
	}](err)
	return ok && e.Exhausted()
}

// advance brings an item on as far as it goes.
func advance[Out any](ctx context.Context, e *entry, it Item[Out]) (*Out, error) {
	if e.row.State == Intent || e.row.State == Unknown {
		if err := e.reconcile(ctx, e.row.lost(errors.New("the program ended before there was an answer"))); err != nil {
			return nil, err
		}
	}
	request := it.Request
	if e.row.Payload != nil && e.row.RequestID == "" && e.row.Failure != nil && e.row.Failure.Type != "file_download_error" {
		request = seal(request, e.row.Payload)
	}
	switch {
	case e.row.State == Done:
		return kept[Out](ctx, e)
	case e.row.State == Failed && !e.row.free():
		return nil, e.row.Err()
	case e.row.State == Submitted:
		job := fal.Resume(e.run.Client, request.Endpoint(), e.row.RequestID)
		job.Asked(request, e.run.options(it.Options)...)
		job.Reserved(e.resumed(ctx))
		return wait(ctx, e, job, e.called(ctx, job.Status))
	}
	return send(ctx, e, request, it.Options)
}

// send sends a request and waits for its result.
func send[Out any](ctx context.Context, e *entry, request fal.Request[Out], opts []fal.Option) (*Out, error) {
	all := e.run.options(opts)
	if e.run.Webhook != nil {
		all = append(all, fal.WithWebhook(e.run.Webhook(e.row.Key)))
	}
	before := e.row.Revision
	job, err := fal.Submit(ctx, e.run.Client, request, append(all, fal.WithGuard(noting{e}))...)
	if err == nil {
		return wait(ctx, e, job, e.run.Handler)
	}
	if e.row.Revision == before {
		return nil, err // nothing is noted
	}
	if e.row.State == Submitted { // the context ended after it was accepted
		job = fal.Resume(e.run.Client, request.Endpoint(), e.row.RequestID)
		job.Reserved(e.reserved)
		return ended(ctx, e, job, nil, err)
	}
	lost, ok := errors.AsType[*fal.OutcomeUnknownError](err)
	if !ok {
		e.row.State, e.row.Failure = Failed, failureOf(err)
		if fal.NotSent(err) {
			e.row.Failure.Billing = fal.NotBilled
		}
		_ = e.put(ctx)
		return nil, err
	}
	if err := e.reconcile(ctx, lost); err != nil {
		return nil, err
	}
	if e.row.State == Failed && e.row.RequestID == "" {
		return nil, refused{fmt.Errorf("batch: key %.80q: fal did not accept it, and it may be sent again: %w", e.row.Key, lost.Err)}
	}
	job = fal.Resume(e.run.Client, request.Endpoint(), e.row.RequestID)
	job.TakeOver(lost)
	return wait(ctx, e, job, nil) // its webhook may have come before
}

// reconcile finds out what became of an intent. It is then submitted, or failed without a
// request id, which is absent; or else the error says that this is not known.
func (e *entry) reconcile(ctx context.Context, lost *fal.OutcomeUnknownError) (err error) {
	lost.Not = slices.Clip(e.row.Past)
	id := lost.RequestID
	if id == "" || !e.knows(ctx, id) {
		id, err = "", lost
		if e.run.Reconcile != nil {
			var kept func()
			id, kept, err = e.find(ctx, lost)
			defer kept()
		}
	}
	if sum := e.run.Client.KeySum(); err != nil && fal.NotSent(err) && e.row.KeySum != "" && e.row.KeySum != sum {
		err = fmt.Errorf("batch: key %.80q: it was sent with another API key than the client's, whose account may be another, so that it is not proved by this: %v", e.row.Key, err) //nolint:errorlint // what it says does not hold
	}
	switch {
	case err == nil && id != "":
		e.row.State, e.row.RequestID, e.row.Failure = Submitted, id, nil
		return e.put(ctx)
	case err != nil && fal.NotSent(err):
		e.row.State, e.row.RequestID = Failed, ""
		e.row.Failure = &Failure{Message: "fal did not accept it: " + err.Error(), Billing: fal.NotBilled, Retryable: true}
		if err := e.put(ctx); err != nil || e.row.State != Failed {
			return err
		}
		lost.NotAccepted(err)        // which it knows if it is of this process,
		e.resumed(ctx).Released(err) // and the guard maybe if it is not
		return nil
	case err == nil:
		err = errors.New("batch: Runner.Reconcile returned neither a request id nor an error")
	}
	if _, ok := errors.AsType[*fal.OutcomeUnknownError](err); !ok {
		err = fmt.Errorf("%w: %w", err, lost)
	}
	e.row.State, e.row.RequestID, e.row.Failure = Unknown, lost.RequestID, &Failure{Message: err.Error()}
	if e.put(ctx) == nil && e.row.State != Unknown {
		return nil
	}
	return err
}

// mostFinds is how often it is looked for a job that is no other item's.
const mostFinds = 10

// find asks Runner.Reconcile for the job of an intent, until that is none that another
// item has: items with the same request have jobs that look the same. Kept is to be
// called when the answer is in the journal: no other item takes the same job until then.
func (e *entry) find(ctx context.Context, lost *fal.OutcomeUnknownError) (id string, kept func(), err error) {
	for range mostFinds {
		id, err = e.run.Reconcile(ctx, lost)
		if err == nil && slices.Contains(lost.Not, id) {
			return "", func() {}, fmt.Errorf("batch: Runner.Reconcile returned request %.80q, which failed before this was sent, or is that of another item", id)
		}
		ids := []string{id}
		if err != nil {
			several, _ := errors.AsType[interface {
				error
				Candidates() []string
			}](err)
			if several == nil {
				return "", func() {}, err
			}
			ids = several.Candidates()
		}
		e.run.finding.Lock()
		taken, problem := e.taken(ctx, ids)
		if problem != nil || len(taken) == 0 {
			return id, e.run.finding.Unlock, cmp.Or(problem, err)
		}
		e.run.finding.Unlock()
		lost.Not = append(lost.Not, taken...)
	}
	return "", func() {}, err
}

// taken returns those of some request ids that other items have. It is an error if
// one with the same request is being sent, whose id is not known yet.
func (e *entry) taken(ctx context.Context, ids []string) (taken []string, err error) {
	for row, err := range e.run.journal.All(ctx) {
		switch {
		case err != nil:
			return nil, fmt.Errorf("batch: key %.80q: journal: %w", e.row.Key, err)
		case row.Key == e.row.Key:
			continue
		case row.State == Intent && row.Digest == e.row.Digest:
			return nil, fmt.Errorf("batch: key %.80q: item %.80q has the same request and is being sent: it is not known yet which job is whose", e.row.Key, row.Key)
		}
		for _, id := range append(slices.Clip(row.Past), row.RequestID) {
			if id != "" && slices.Contains(ids, id) {
				taken = append(taken, id)
			}
		}
	}
	return taken, nil
}

// knows reports whether fal knows a job by an id that came with an answer that
// says nothing.
func (e *entry) knows(ctx context.Context, id string) bool {
	_, err := fal.Resume(e.run.Client, fal.Endpoint[struct{}](e.row.Endpoint), id).Status(ctx)
	return err == nil
}

// wait waits for a job, by its webhook if there is a handler that will be called,
// and keeps and saves its result.
func wait[Out any](ctx context.Context, e *entry, job *fal.Job[Out], calls *webhook.Handler) (*Out, error) {
	var out *Out
	err := webhook.ErrTaken
	if calls != nil {
		out, err = webhook.Wait(ctx, calls, job)
	}
	if errors.Is(err, webhook.ErrTaken) { // by who receives, or a program that ended then
		out, err = job.Wait(ctx)
	}
	if gone(err) && e.run.Recover != nil {
		status, body, missing := e.run.Recover(ctx, e.row.Endpoint, e.row.RequestID)
		_, open := errors.AsType[*fal.JobError](err)
		switch {
		case missing == nil:
			out, err = job.Decode(ctx, status, body)
		case open: // else its status said that it failed
			return out, errors.Join(err, missing)
		}
	}
	return ended(ctx, e, job, out, err)
}

// gone reports whether fal's queue does not have a result any more.
func gone(err error) bool {
	e, ok := errors.AsType[*fal.Error](err)
	return ok && (e.Status == http.StatusNotFound || e.Status == http.StatusGone)
}

// called returns the handler that will be called for a job that is taken up; nil if
// that may have been, before this program began.
func (e *entry) called(ctx context.Context, status func(context.Context) (fal.Status, error)) *webhook.Handler {
	if e.run.Handler == nil {
		return nil
	}
	if s, err := status(ctx); err != nil || s.State != fal.InQueue && s.State != fal.InProgress {
		return nil
	}
	return e.run.Handler
}

// ended keeps and saves what came of a job.
func ended[Out any](ctx context.Context, e *entry, job *fal.Job[Out], out *Out, err error) (*Out, error) {
	if e.run.CancelJobs && ctx.Err() != nil {
		if unfinished, ok := errors.AsType[*fal.JobError](err); ok {
			ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
			unfinished.Cancel, _ = job.Cancel(ctx)
			stop()
		}
	}
	refusal, isRefusal := errors.AsType[*fal.Error](err)
	unfinished, isUnfinished := errors.AsType[*fal.JobError](err)
	switch {
	case isUnfinished && unfinished.Cancel == fal.Cancelled:
		e.row.State, e.row.Failure = Failed, &Failure{Message: "the job was cancelled", Status: statusCancelled, Billing: fal.NotBilled}
	case isUnfinished:
		return out, err
	case err == nil || out != nil: // or what there is of it
		return out, errors.Join(err, finish(ctx, e, out, err))
	case isRefusal:
		e.row.State, e.row.Failure, e.row.Units = Failed, failureOf(err), refusal.BillableUnits
	default:
		return out, err // what became of the job is not known: it is waited for again
	}
	e.row.Payload = nil
	_ = e.put(ctx)
	return out, err
}

// finish keeps a result, and saves its files. Problem is what is wrong with it.
func finish[Out any](ctx context.Context, e *entry, out *Out, problem error) error {
	row := &e.row
	result, err := json.Marshal(out)
	if broken, ok := errors.AsType[*fal.DecodeError](problem); ok {
		result, err = nil, nil
		if json.Valid(broken.Body) {
			result = broken.Body
		}
	}
	if err != nil {
		return fmt.Errorf("batch: key %.80q: request %s: the result cannot be kept: %w", row.Key, row.RequestID, err)
	}
	if !utf8.Valid(result) { // which not every journal can keep, such as one in PostgreSQL
		result = bytes.ToValidUTF8(result, []byte("\ufffd"))
	}
	row.State, row.Result, row.Failure = Done, result, nil
	if e.run.Mark == nil || e.run.Dir == "" {
		row.Payload = nil
	}
	if images, ok := any(out).(*fal.Images); ok && images != nil {
		row.Warnings = images.Warnings
	}
	if problem != nil {
		row.Failure = failureOf(problem)
		row.Failure.Billing = fal.Billed
	}
	err = e.put(ctx)
	if e.run.Dir == "" || out == nil {
		return err
	}
	return errors.Join(err, save(ctx, e, out)) // what is paid is saved though the journal is full
}

// kept returns the result of an item that was done before.
func kept[Out any](ctx context.Context, e *entry) (*Out, error) {
	out, problem := new(Out), e.row.Err()
	if len(e.row.Result) == 0 {
		return nil, problem
	}
	if err := json.Unmarshal(e.row.Result, out); err != nil && problem == nil {
		return nil, fmt.Errorf("batch: key %.80q: request %s: the result in the journal does not fit its type: %w", e.row.Key, e.row.RequestID, err)
	}
	if images, ok := any(out).(*fal.Images); ok {
		images.Warnings = e.row.Warnings
	}
	if e.run.Dir == "" {
		return out, problem
	}
	return out, errors.Join(problem, save(ctx, e, out))
}
