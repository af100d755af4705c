package router

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// Drafts says how a task is done in two steps: many cheap variants, of which
// some are made again by a better model.
type Drafts struct {
	// Count is the number of variants. Default: 4.
	Count int
	// Finals is how many of them are made again. Default: 1.
	Finals int
	// Models are those that may make the variants, in the forms of
	// [Task.Only]. Default: whatever is best for drafts.
	Models []string
	// Approve, if not nil, is shown what all of it costs before anything is
	// sent. Its error refuses the work and is returned.
	Approve func(*DraftPlan) error
}

// DraftPlan is what drafts and finals will be made with, and what they cost.
type DraftPlan struct {
	// Draft makes the variants. Final is the model for one final; Do may fall
	// back on others.
	Draft, Final Candidate
	// Cost has a row for the drafts and one for the finals.
	Cost pricing.Plan

	router *Router
	task   Task // of the finals
	draft  Task
	drafts Drafts
}

// Variant is a draft to pick from.
type Variant struct {
	// Index is its number, from 0.
	Index int
	Attempt
	// Image is the picture.
	Image fal.Image
}

// Pick chooses variants to be made again, by their place in the list. The list
// has only variants that succeeded. See [ByScore].
type Pick func(ctx context.Context, variants []Variant) ([]int, error)

// ByScore returns a Pick that takes the n variants with the highest score. Of
// equal ones the earlier counts.
func ByScore(n int, score func(Variant) float64) Pick {
	return func(_ context.Context, variants []Variant) ([]int, error) {
		scores := make([]float64, len(variants))
		order := make([]int, len(variants))
		for i, v := range variants {
			scores[i], order[i] = score(v), i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case scores[a] > scores[b]:
				return -1
			case scores[a] < scores[b]:
				return 1
			}
			return 0
		})
		return order[:min(n, len(order))], nil
	}
}

// Drafted is what came of drafts and finals.
type Drafted struct {
	Plan     *DraftPlan
	Variants []Variant // those that succeeded, in order
	Picked   []int     // places in Variants, in the order of Finals
	Finals   []*Outcome
	// Outcome has all attempts and what they cost.
	Outcome
}

// Draft does a task in two steps by the default policy. See [Router.Draft].
func Draft(ctx context.Context, c *fal.Client, t Task, d Drafts, pick Pick, opts ...fal.Option) (*Drafted, error) {
	return Default().Draft(ctx, c, t, d, pick, opts...)
}

// Draft makes variants of a task with a cheap model, each with a seed of its
// own, lets pick choose, and makes the chosen ones again with the best model,
// with the same prompt, pictures and seed. MaxPrice bounds all of it; the whole
// is priced before anything is sent. The error comes with what was made until
// then. Count is not used: Drafts has the numbers.
func (r *Router) Draft(ctx context.Context, c *fal.Client, t Task, d Drafts, pick Pick, opts ...fal.Option) (*Drafted, error) {
	plan, err := r.PlanDrafts(t, d)
	if err != nil {
		return nil, err
	}
	if d.Approve != nil {
		if err := d.Approve(plan); err != nil {
			return nil, err
		}
	}
	return plan.Run(ctx, c, pick, opts...)
}

// PlanDrafts plans drafts and finals by the default policy. See
// [Router.PlanDrafts].
func PlanDrafts(t Task, d Drafts) (*DraftPlan, error) { return Default().PlanDrafts(t, d) }

// PlanDrafts chooses the models for drafts and finals and prices the whole. It
// sends nothing.
func (r *Router) PlanDrafts(t Task, d Drafts) (*DraftPlan, error) {
	if d.Count == 0 {
		d.Count = 4
	}
	if d.Finals == 0 {
		d.Finals = 1
	}
	if d.Count < 1 || d.Finals < 1 || d.Finals > d.Count || d.Count > maxCount {
		return nil, fmt.Errorf("router: drafts: %d finals of %d drafts: both must be at least 1, and no more finals than drafts, of which there are %d at most", d.Finals, d.Count, maxCount)
	}
	p := &DraftPlan{router: r, task: t, draft: t, drafts: d}
	p.draft.Stage, p.draft.Count, p.draft.Prefer = StageDraft, 1, Weights{}
	p.draft.MinPixels = 0 // finals have them
	if len(d.Models) > 0 {
		p.draft.Only = d.Models
	}
	p.task.Stage, p.task.Count = StageFinal, 1
	drafts, err := r.Route(p.draft)
	if err != nil {
		return nil, fmt.Errorf("drafts: %w", err)
	}
	finals, err := r.Route(p.task)
	if err != nil {
		return nil, fmt.Errorf("finals: %w", err)
	}
	p.Draft = *drafts.Best()
	for i := range finals.Candidates {
		p.Final = finals.Candidates[i]
		if p.Cost, err = p.cost(); err != nil {
			return nil, err
		}
		if t.MaxPrice == 0 || p.Cost.Max <= t.MaxPrice {
			return p, nil
		}
	}
	return nil, fmt.Errorf("router: %d drafts and %d finals cost %v at the least, which is more than max_price, %v", d.Count, d.Finals, p.cheapest(finals), t.MaxPrice)
}

// cost adds up drafts and finals.
func (p *DraftPlan) cost() (pricing.Plan, error) {
	drafts, err := pricing.NewPlan(int64(p.drafts.Count), pricing.Part{Name: "drafts by " + p.Draft.Model.Title, Quote: p.Draft.Quote})
	if err != nil {
		return drafts, err
	}
	finals, err := pricing.NewPlan(int64(p.drafts.Finals), pricing.Part{Name: "finals by " + p.Final.Model.Title, Quote: p.Final.Quote})
	if err != nil {
		return finals, err
	}
	return addPlans(drafts, finals)
}

func addPlans(a, b pricing.Plan) (pricing.Plan, error) {
	a.Rows = append(a.Rows, b.Rows...)
	a.Images += b.Images
	for _, sum := range []struct {
		to   *pricing.USD
		more pricing.USD
	}{{&a.Min, b.Min}, {&a.Expected, b.Expected}, {&a.Max, b.Max}} {
		total, err := sum.to.Add(sum.more)
		if err != nil {
			return a, err
		}
		*sum.to = total
	}
	return a, nil
}

// cheapest returns the least that the whole costs with any of the finals.
func (p *DraftPlan) cheapest(finals *Routing) pricing.USD {
	var least pricing.USD
	for i := range finals.Candidates {
		p.Final = finals.Candidates[i]
		if cost, err := p.cost(); err == nil && (least == 0 || cost.Max < least) {
			least = cost.Max
		}
	}
	return least
}

// seedRange is one more than the largest seed of a variant: what every model
// takes.
const seedRange = 1 << 31

// Run makes the drafts, lets pick choose and makes the finals. A draft that
// fails is left out, unless that must end the work (see [Router.Do]) or none
// succeeds.
func (p *DraftPlan) Run(ctx context.Context, c *fal.Client, pick Pick, opts ...fal.Option) (*Drafted, error) {
	out := &Drafted{Plan: p}
	if pick == nil {
		return out, errors.New("router: drafts: pick is nil: see ByScore")
	}
	attempts := p.makeDrafts(ctx, c, opts)
	if err := out.add(attempts); err != nil {
		return out, err
	}
	var failure error
	for i, a := range attempts {
		if a.Result != nil && len(a.Result.Images) > 0 && a.Err == nil {
			out.Variants = append(out.Variants, Variant{Index: i, Attempt: a, Image: a.Result.Images[0]})
		}
		failure = errors.Join(failure, a.Err)
		if ends(a.Err) {
			return out, failure
		}
	}
	if len(out.Variants) == 0 {
		return out, errors.Join(failure, errors.New("router: no draft succeeded"))
	}
	picked, err := pick(ctx, out.Variants)
	if err != nil {
		return out, fmt.Errorf("router: picking among drafts: %w", err)
	}
	if err := p.checkPick(picked, len(out.Variants)); err != nil {
		return out, err
	}
	for k, i := range picked {
		final := p.task
		final.Seed = out.Variants[i].Seed
		if final.MaxPrice > 0 {
			// What the other finals need is kept for them.
			final.MaxPrice -= out.Spent + p.Final.Max*pricing.USD(len(picked)-k-1)
		}
		o, err := p.router.do(ctx, c, final, p.Final.Model.ID, opts)
		out.Picked = append(out.Picked, i)
		out.Finals = append(out.Finals, o)
		if sumErr := out.add(o.Attempts); err == nil {
			err = sumErr
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (p *DraftPlan) checkPick(picked []int, n int) error {
	if len(picked) > p.drafts.Finals {
		return fmt.Errorf("router: drafts: %d were picked; %d were priced", len(picked), p.drafts.Finals)
	}
	for k, i := range picked {
		if i < 0 || i >= n || slices.Contains(picked[:k], i) {
			return fmt.Errorf("router: drafts: picked %v: must be different places in a list of %d", picked, n)
		}
	}
	return nil
}

// makeDrafts makes the variants. Each is a request of its own, so that the
// seed of each is known.
func (p *DraftPlan) makeDrafts(ctx context.Context, c *fal.Client, opts []fal.Option) []Attempt {
	first := rand.Uint64N(seedRange - maxCount)
	if p.task.Seed != nil {
		first = *p.task.Seed
	}
	draft := p.Draft
	draft.Calls = p.drafts.Count
	draft.seeds = []seeded{{0, &first}}
	return run(ctx, c, &draft, opts, ends)
}
