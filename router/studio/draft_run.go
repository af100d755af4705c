package studio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// Run refuses what the [spend.Budget] of the client, or that of an option, does not
// allow as a whole, for the tags of the options and the context, unless the journal has
// all drafts. Else it makes the drafts, lets pick choose and makes the finals. A draft that
// fails is left out, whatever the reason; no more are made after one that tells
// that the account or the key is at fault, or when the context ends.
func (p *DraftPlan) Run(ctx context.Context, c *fal.Client, pick Pick, opts ...fal.Option) (*Drafted, error) {
	out := &Drafted{Plan: p}
	if pick == nil {
		return out, unsent(errors.New("studio: drafts: pick is nil: see ByScore"))
	}
	slots := p.studio.newSlots(c)
	run := &drafting{plan: p}
	attempts := p.onRecord(ctx, slots, opts)
	for i := range attempts {
		run.made(i, &attempts[i])
	}
	if attempts == nil {
		if err := allows(ctx, c, p.Cost.Max, opts); err != nil {
			return out, unsent(fmt.Errorf("studio: drafts and finals: %w", err))
		}
		watched := slots
		watched.made = run.made
		attempts = watched.run(ctx, p.attempts(), opts, func(err error) bool { return endsAll(err) || ctx.Err() != nil })
	}
	run.drafts = attempts
	defer func() {
		if w := run.watch.Load(); w != nil {
			w.end(out)
		}
	}()
	if err := out.add(attempts); err != nil {
		return out, err
	}
	var failure error
	var good []Variant
	for i, a := range attempts {
		flagged := errors.Is(a.Err, fal.ErrFlagged)
		if a.made() > 0 && (a.Err == nil || flagged) {
			v := run.variant(i, &a)
			out.Variants = append(out.Variants, v)
			if !flagged && !a.Flagged(0) {
				good = append(good, v)
			}
		}
		failure = errors.Join(failure, a.Err)
	}
	if err := ctx.Err(); err != nil && !errors.Is(failure, err) { // all that were sent were made
		failure = errors.Join(failure, err)
	}
	switch {
	case ctx.Err() != nil, slices.ContainsFunc(attempts, func(a Attempt) bool { return endsAll(a.Err) }):
		return out, failure
	case len(out.Variants) == 0:
		return out, errors.Join(failure, errors.New("studio: no draft succeeded"))
	case len(good) == 0:
		return out, errors.Join(failure, fmt.Errorf("studio: the safety checker flagged all %d drafts", len(out.Variants)))
	}
	picked, err := pick(ctx, slices.Clone(good))
	if err != nil {
		return out, fmt.Errorf("studio: picking among drafts: %w", err)
	}
	if picked, err = p.checkPick(picked, good); err != nil || len(picked) == 0 {
		return out, err
	}
	out.Picked = picked
	if w := run.watch.Load(); w != nil {
		w.begins(picked)
	}
	return out, run.makeFinals(ctx, slots, out, opts)
}

// onRecord returns the drafts if the journal has what came of all of them, and some
// were made: those that failed are left out then, as before.
func (p *DraftPlan) onRecord(ctx context.Context, slots slots, opts []fal.Option) []Attempt {
	if p.studio.Journal == nil {
		return nil
	}
	read := slots.reading()
	attempts := read.run(ctx, p.attempts(), opts, endsAll)
	missing := func(a Attempt) bool {
		return errors.Is(a.Err, errNotOnRecord) || errors.Is(a.Err, errUnfinished) || endsAll(a.Err)
	}
	made := func(a Attempt) bool { return a.made() > 0 }
	if len(attempts) < p.drafts.Count || slices.ContainsFunc(attempts, missing) || !slices.ContainsFunc(attempts, made) {
		return nil
	}
	slots.book.adopt(read.book)
	return attempts
}

// endsAll reports whether no other request may be sent after an error, whatever
// its prompt and its model: the account or the key is at fault.
func endsAll(err error) bool {
	e := refusal(err)
	return errors.Is(err, fal.ErrNoKey) || e != nil && (errors.Is(e, fal.ErrLocked) || errors.Is(e, fal.ErrUnauthorized) || e.Status == http.StatusPaymentRequired)
}

// drafting is drafts that are made and picked from, for who watches it.
type drafting struct {
	plan   *DraftPlan
	drafts []Attempt
	watch  atomic.Pointer[watch] // nil if nobody watches
}

// variant returns a draft; one that failed has no picture.
func (r *drafting) variant(i int, a *Attempt) Variant {
	v := Variant{Index: i, Attempt: *a, run: r}
	if a.made() > 0 {
		v.Image = a.Result.Images[0]
	}
	return v
}

// made is told of a draft that has ended.
func (r *drafting) made(i int, a *Attempt) {
	if made := r.plan.drafts.Made; made != nil {
		made(r.variant(i, a))
	}
}

// watched returns the options for a final, which tell who watches how it is.
func (r *drafting) watched(final int, opts []fal.Option) []fal.Option {
	w := r.watch.Load()
	if w == nil {
		return opts
	}
	w.waits(final, "It is sent.")
	tell := fal.WithUpdates(func(s fal.Status) {
		switch s.State {
		case fal.InQueue:
			w.waits(final, fmt.Sprintf("It is in the queue, %d before it.", s.QueuePosition))
		case fal.InProgress:
			w.waits(final, "It is being painted.")
		}
	})
	return append([]fal.Option{tell}, opts...) // an option of the caller's counts
}

// makeFinals makes the picked variants again, some at a time.
func (r *drafting) makeFinals(ctx context.Context, slots slots, out *Drafted, opts []fal.Option) error {
	p := r.plan
	// What was approved counts, however large the drafts came, and however much more
	// the MaxPrice would allow.
	share, err := p.studio.Fallback.bound(&router.Task{}, &p.Final)
	if err != nil {
		return err
	}
	if limit := p.task.MaxPrice; limit > 0 {
		// What is left is shared. The planned model fits into each share, unless
		// more was billed for the drafts than they were to cost.
		left := (limit - out.Spent) / pricing.USD(len(out.Picked))
		if left <= 0 {
			out.Missing = len(out.Picked)
			return fmt.Errorf("studio: drafts: nothing is left of %v for finals: the drafts cost up to %v", limit, out.Spent)
		}
		share = min(share, left)
	}
	prompts := p.prompts()
	out.Finals = make([]*Outcome, len(out.Picked))
	errs := make([]error, len(out.Picked))
	var wait sync.WaitGroup
	var stopped atomic.Bool
	under := make(chan struct{}, cap(slots.free)) // finals under way
	for i, v := range out.Picked {
		under <- struct{}{}
		out.Finals[i] = &Outcome{Missing: 1}
		if stopped.Load() {
			<-under
			continue
		}
		wait.Go(func() {
			defer func() { <-under }()
			final := p.finalTask(prompts[v.Index%len(prompts)], *v.Seed, router.Picture{File: v.Image.File(), Width: v.Image.Width, Height: v.Image.Height})
			final.MaxPrice = share
			out.Finals[i], errs[i] = p.studio.do(ctx, slots, final, p.Final.Model.Endpoint, r.watched(i, opts))
			if w := r.watch.Load(); w != nil {
				w.made(i, out.Finals[i])
			}
			if slices.ContainsFunc(out.Finals[i].Attempts, func(a Attempt) bool { return endsAll(a.Err) }) {
				stopped.Store(true)
			}
		})
	}
	wait.Wait()
	for i, o := range out.Finals {
		errs[i] = errors.Join(errs[i], out.add(o.Attempts))
	}
	for _, o := range out.Finals {
		out.Missing += o.Missing
	}
	return errors.Join(errs...)
}
