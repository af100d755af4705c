package studio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/router"
)

// Drafts says how a task is done in two steps: many cheap variants, of which
// some are made again by a better model.
type Drafts struct {
	// Count is the number of variants. Default: 4.
	Count int
	// Finals is how many of them are made again. Default: 1.
	Finals int
	// Models are those that may make the variants, in the forms of
	// [router.Task.Only]. Default: whatever is best for drafts. Only of the task
	// itself is for the finals.
	Models []string
	// Approve, if not nil, is shown what all of it costs before anything is
	// sent. Its error refuses the work and is returned.
	Approve func(*DraftPlan) error
}

// DraftPlan is what drafts and finals will be made with, and what they cost.
type DraftPlan struct {
	// Draft makes the variants. Final is the model for one final; Do may fall
	// back on others.
	Draft, Final router.Candidate
	// Cost has a row for the drafts and one for the finals.
	Cost plan.Plan

	studio Studio
	task   router.Task // of the finals
	draft  router.Task
	drafts Drafts
}

// Drafted is what came of drafts and finals.
type Drafted struct {
	Plan     *DraftPlan
	Variants []Variant  // those that succeeded, in order, flagged ones included
	Picked   []Variant  // those that were made again
	Finals   []*Outcome // what came of them, in the order of Picked
	// Outcome has all attempts and what they cost.
	Outcome
}

// Draft makes variants of a task with a cheap model, each with a seed of its
// own, lets pick choose, and makes the chosen ones again with the best model,
// with the same prompt, pictures and seed; models that take no seed are left out
// of both. MaxPrice bounds all of it; the whole is priced before anything is
// sent. The error comes with what was made until then. Count is not used: Drafts
// has the numbers. Drafts that the safety checker flagged are not among those
// that pick chooses from.
func (s Studio) Draft(ctx context.Context, c *fal.Client, t router.Task, d Drafts, pick Pick, opts ...fal.Option) (*Drafted, error) {
	plan, err := s.PlanDrafts(t, d)
	if err == nil && d.Approve != nil {
		err = d.Approve(plan)
	}
	if err != nil {
		return nil, unsent(err)
	}
	return plan.Run(ctx, c, pick, opts...)
}

// PlanDrafts chooses the models for drafts and finals and prices the whole. It
// sends nothing.
func (s Studio) PlanDrafts(t router.Task, d Drafts) (*DraftPlan, error) {
	if d.Count == 0 {
		d.Count = 4
	}
	if d.Finals == 0 {
		d.Finals = 1
	}
	if d.Count < 1 || d.Finals < 1 || d.Finals > d.Count || d.Count > mostDrafts {
		return nil, fmt.Errorf("studio: drafts: %d finals of %d drafts: both must be at least 1, and no more finals than drafts, of which there are %d at most", d.Finals, d.Count, mostDrafts)
	}
	p := &DraftPlan{studio: s, task: t, draft: t, drafts: d}
	p.draft.Stage, p.draft.Count, p.draft.Prefer = router.StageDraft, 1, router.Preference{}
	p.draft.MinPixels = 0 // finals have them
	p.draft.Only = d.Models
	p.task.Stage, p.task.Count = router.StageFinal, 1
	for _, task := range []*router.Task{&p.draft, &p.task} { // a draft is found again by its seed
		task.Seed, task.Require = cmp.Or(task.Seed, new(uint64)), append(slices.Clone(task.Require), router.FeatureSeed)
	}
	drafts, err := s.router().Route(p.draft)
	if err != nil {
		return nil, fmt.Errorf("drafts: %w", err)
	}
	finals, err := s.router().Route(p.task)
	if err != nil {
		return nil, fmt.Errorf("finals: %w", err)
	}
	// A better final counts for more than a better draft.
	var least pricing.USD
	for _, p.Final = range finals.Candidates {
		for _, p.Draft = range drafts.Candidates {
			if p.Cost, err = p.cost(); err != nil {
				return nil, err
			}
			if t.MaxPrice == 0 || p.Cost.Max <= t.MaxPrice {
				return p, nil
			}
			if least == 0 || p.Cost.Max < least {
				least = p.Cost.Max
			}
		}
	}
	return nil, fmt.Errorf("studio: %d drafts and %d finals cost up to %v in the cheapest way, which is more than max_price, %v", d.Count, d.Finals, least, t.MaxPrice)
}

// cost adds up drafts and finals.
func (p *DraftPlan) cost() (plan.Plan, error) {
	drafts, err := plan.New(int64(p.drafts.Count), plan.Part{Name: "drafts by " + p.Draft.Model.Title, Quote: p.Draft.Quote})
	if err != nil {
		return drafts, err
	}
	finals, err := plan.New(int64(p.drafts.Finals), plan.Part{Name: "finals by " + p.Final.Model.Title, Quote: p.Final.Quote})
	if err != nil {
		return finals, err
	}
	return drafts.Add(finals)
}

// mostDrafts is the largest number of variants.
const mostDrafts = 1_000_000

// seedRange is one more than the largest seed of a variant: what every model
// takes.
const seedRange = 1 << 31

// Run makes the drafts, lets pick choose and makes the finals. A draft that
// fails is left out, unless that must end the work (see [Studio.Do]) or none
// succeeds.
func (p *DraftPlan) Run(ctx context.Context, c *fal.Client, pick Pick, opts ...fal.Option) (*Drafted, error) {
	out := &Drafted{Plan: p}
	if pick == nil {
		return out, unsent(errors.New("studio: drafts: pick is nil: see ByScore"))
	}
	attempts := p.makeDrafts(ctx, c, opts)
	if err := out.add(attempts); err != nil {
		return out, err
	}
	var failure error
	var good []Variant
	for i, a := range attempts {
		flagged := errors.Is(a.Err, fal.ErrFlagged)
		if a.made() > 0 && (a.Err == nil || flagged) {
			v := Variant{Index: i, Attempt: a, Image: a.Result.Images[0]}
			out.Variants = append(out.Variants, v)
			if !flagged && !a.Flagged(0) {
				good = append(good, v)
			}
		}
		failure = errors.Join(failure, a.Err)
	}
	switch {
	case slices.ContainsFunc(attempts, func(a Attempt) bool { return endsDrafts(a.Err) }):
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
	if err := p.checkPick(picked, good); err != nil {
		return out, err
	}
	out.Picked = picked
	return out, p.makeFinals(ctx, c, out, opts)
}

// endsDrafts reports whether no more drafts may be made after an error. One that
// was flagged is left out alone: another seed may well pass.
func endsDrafts(err error) bool { return ends(err) && !errors.Is(err, fal.ErrFlagged) }

// makeFinals makes the picked variants again, some at a time.
func (p *DraftPlan) makeFinals(ctx context.Context, c *fal.Client, out *Drafted, opts []fal.Option) error {
	task := p.task
	if limit := task.MaxPrice; limit > 0 {
		// What is left is shared. The planned model fits into each share, unless
		// more was billed for the drafts than they were to cost.
		task.MaxPrice = (limit - out.Spent) / pricing.USD(len(out.Picked))
		if task.MaxPrice <= 0 {
			return fmt.Errorf("studio: drafts: nothing is left of %v for finals: the drafts cost up to %v", limit, out.Spent)
		}
	}
	out.Finals = make([]*Outcome, len(out.Picked))
	errs := make([]error, len(out.Picked))
	each(len(out.Picked), func(i int) bool {
		final := task
		final.Seed = out.Picked[i].Seed
		out.Finals[i], errs[i] = p.studio.do(ctx, c, final, p.Final.Model.Endpoint, opts)
		return true
	})
	for i, o := range out.Finals {
		errs[i] = errors.Join(errs[i], out.add(o.Attempts))
	}
	return errors.Join(errs...)
}

// makeDrafts makes the variants. Each is a request of its own, so that the
// seed of each is known.
func (p *DraftPlan) makeDrafts(ctx context.Context, c *fal.Client, opts []fal.Option) []Attempt {
	first := rand.Uint64N(seedRange - mostDrafts)
	if p.task.Seed != nil {
		first = *p.task.Seed
	}
	attempts := make([]Attempt, p.drafts.Count)
	for i := range attempts {
		seed := first + uint64(i)
		attempts[i] = Attempt{Model: p.Draft.Model, Request: p.Draft.WithSeed(seed), Asked: 1, Seed: &seed, Quote: p.Draft.Quote, Unpriced: p.Draft.Unpriced}
	}
	return run(ctx, c, attempts, opts, endsDrafts)
}
