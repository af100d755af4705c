package studio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/refs"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/router"
)

// Drafts says how a task is done in two steps: many cheap variants, of which
// some are made again by a better model.
//
// A seed does not carry a picture from one model to another: the final of another
// model than that of the draft is another picture of the same prompt. It is the
// same picture, better, only if one model makes both (let Models and Only of the
// task name it: it then has the same seed and steps), and it follows the draft if
// FromDraft or Strength is set: the first has models edit the draft in words, such as
// Kontext, the second has it reworked. What either costs is in the plan.
type Drafts struct {
	// Count is the number of variants. Default: that of Prompts, or else 4.
	Count int
	// Finals is how many of them are made again. Default: 1.
	Finals int
	// Models are those that may make the variants, in the forms of
	// [router.Task.Only]. Default: whatever is best for drafts. Only of the task
	// itself is for the finals.
	Models []string
	// Size is the size of the variants. Default: the shape of the task's
	// pictures, at one megapixel at most.
	Size fal.ImageSize
	// Prompts are those of the variants, in turn, so that the words vary and
	// not the seed alone. A final has the prompt of its draft. Default: that of
	// the task for all.
	Prompts []string
	// FromDraft has each final made from the draft that was picked, by a model
	// that edits pictures: it is its first picture, before those of the task, to which
	// the prompt goes on to refer. The models of the finals need no seed then.
	FromDraft bool
	// Strength has each final made from its draft by a model that goes from picture
	// to picture: 0.01 keeps nearly all of the draft, 1 nearly nothing. It stands for
	// FromDraft, and such models need no other words than those of the prompt.
	Strength *float64
	// Approve, if not nil, is shown what all of it costs before anything is
	// sent. Its error refuses the work and is returned.
	Approve func(*DraftPlan) error
	// Made, if not nil, is told of each draft when it has ended, those that failed
	// included, by several goroutines at once: [Page.Show] shows them.
	Made func(Variant)
}

// DraftPlan is what drafts and finals will be made with, and what they cost.
type DraftPlan struct {
	// Draft makes the variants. Final is the model for one final; Do may fall
	// back on others.
	Draft, Final router.Candidate
	// Cost has a row for the drafts and one for the finals.
	Cost plan.Plan

	studio   Studio
	task     router.Task
	drafts   Drafts
	first    uint64              // the seed of the first variant
	variants []*router.Candidate // the draft for each of the prompts
}

// Drafted is what came of drafts and finals.
type Drafted struct {
	Plan     *DraftPlan
	Variants []Variant  // those that succeeded, in order, flagged ones included
	Picked   []Variant  // those that were made again
	Finals   []*Outcome // what came of them, in the order of Picked
	// Outcome has all attempts and what they cost, and how many finals are missing.
	Outcome
}

// Images returns the pictures of the finals, flagged ones included. The drafts are in
// Variants.
func (d *Drafted) Images() []fal.Image {
	var out []fal.Image
	for _, o := range d.Finals {
		out = append(out, o.Images()...)
	}
	return out
}

// Winner returns the attempt that made a final last, or nil if none was made.
func (d *Drafted) Winner() *Attempt {
	for _, o := range slices.Backward(d.Finals) {
		if w := o.Winner(); w != nil {
			return w
		}
	}
	return nil
}

// Draft makes variants of a task with a cheap model, each with a seed of its
// own, lets pick choose, and makes the chosen ones again with the best model;
// see [Drafts] for what they share. MaxPrice bounds all of it; the whole is
// priced before anything is sent, and a final costs no more than the plan says, unless
// [Fallback] allows more. The error comes with what was made until then.
// Count is not used: Drafts has the numbers. Drafts that the safety checker
// flagged are not among those that pick chooses from. If pick chooses none, that
// is the end, and no error.
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
	d.FromDraft = d.FromDraft || d.Strength != nil
	d.Count = cmp.Or(d.Count, len(d.Prompts), 4)
	d.Finals = cmp.Or(d.Finals, 1)
	if d.Count < 1 || d.Finals < 1 || d.Finals > d.Count || d.Count > mostDrafts {
		return nil, unsent(fmt.Errorf("studio: drafts: %d finals of %d drafts: both must be at least 1, and no more finals than drafts, of which there are %d at most", d.Finals, d.Count, mostDrafts))
	}
	d.Prompts, d.Models = slices.Clone(d.Prompts), slices.Clone(d.Models) // they are the caller's
	if d.Strength != nil {
		d.Strength = new(*d.Strength)
	}
	if t.Seed != nil {
		t.Seed = new(*t.Seed)
	}
	p := &DraftPlan{studio: s, task: t, drafts: d}
	p.first = rand.Uint64N(seedRange - mostDrafts)
	switch {
	case t.Seed != nil:
		p.first = *t.Seed
	case s.Journal != nil: // so that the next program finds them
		p.first = seedOf(t.Prose(), d.Prompts) % (seedRange - mostDrafts)
	}
	var drafts [][]router.Candidate // for each prompt, those of the same models
	for _, prompt := range p.prompts() {
		routing, err := s.router().Route(p.draftTask(prompt))
		if err != nil {
			return nil, unsent(fmt.Errorf("drafts: %w", err))
		}
		drafts = append(drafts, routing.Candidates)
	}
	drafted := router.Picture{File: fal.URL("https://draft.invalid/"), Width: 1024, Height: 1024}
	if width, height, ok := d.Size.Dimensions(); ok {
		drafted.Width, drafted.Height = width, height
	}
	finals := make(map[router.Picture]*router.Routing) // by the draft that they are made of
	finalsOf := func(draft router.Picture) (_ *router.Routing, err error) {
		if finals[draft] == nil {
			finals[draft], err = s.router().Route(p.finalTask(p.prompts()[0], p.first, draft))
		}
		return finals[draft], err
	}
	ranked, err := finalsOf(drafted)
	if err != nil {
		return nil, unsent(fmt.Errorf("finals: %w", err))
	}
	// A better final counts for more than a better draft.
	var least pricing.USD
	for _, final := range ranked.Candidates {
		for _, p.Draft = range drafts[0] {
			p.Final = final
			if d.FromDraft {
				routing, err := finalsOf(largerOf(drafted, &p.Draft)) // which may cost more
				if err != nil {
					continue
				}
				same := func(c router.Candidate) bool { return c.Model.Endpoint == final.Model.Endpoint }
				i := slices.IndexFunc(routing.Candidates, same)
				if i < 0 {
					continue
				}
				p.Final = routing.Candidates[i]
			}
			if !p.takesAll(drafts) {
				continue
			}
			if p.Cost, err = p.cost(); err != nil {
				return nil, unsent(err)
			}
			if t.MaxPrice == 0 || p.Cost.Max <= t.MaxPrice {
				return p, nil
			}
			if least == 0 || p.Cost.Max < least {
				least = p.Cost.Max
			}
		}
	}
	if least == 0 {
		return nil, unsent(errors.New("studio: drafts: no model can make all of them: their seeds or prompts are past what each of them takes"))
	}
	return nil, unsent(fmt.Errorf("studio: %d drafts and %d finals cost up to %v in the cheapest way, which is more than max_price, %v", d.Count, d.Finals, least, t.MaxPrice))
}

// largerOf returns a draft in the size that a model makes, where that is larger:
// what is made of it is priced so before, and not refused after the drafts are paid.
func largerOf(draft router.Picture, c *router.Candidate) router.Picture {
	for request := range c.Requests() {
		user, ok := request.(interface{ Usage() fal.Usage })
		if !ok {
			break
		}
		u := user.Usage()
		width, height, ok := u.Size.Dimensions()
		if !ok && u.Size == "" {
			side := int(math.Ceil(math.Sqrt(float64(u.MaxPixels))))
			width, height = side, side
		}
		if width*height > draft.Width*draft.Height {
			draft.Width, draft.Height = width, height
		}
	}
	return draft
}

// prompts returns those of the variants, in turn; "" is that of the task.
func (p *DraftPlan) prompts() []string {
	if len(p.drafts.Prompts) == 0 {
		return []string{""}
	}
	return p.drafts.Prompts[:min(p.drafts.Count, len(p.drafts.Prompts))]
}

// withPrompt returns the task with another prompt, if one is given.
func (p *DraftPlan) withPrompt(prompt string) router.Task {
	t := p.task
	if prompt != "" {
		t.Prompt, t.Structured = prompt, nil
	}
	return t
}

// draftTask returns the task of a variant.
func (p *DraftPlan) draftTask(prompt string) router.Task {
	t := p.withPrompt(prompt)
	t.Stage, t.Count, t.Prefer = router.StageDraft, 1, router.Preference{}
	t.MinPixels = 0 // finals have them
	t.Only = p.drafts.Models
	t.Seed, t.Require = &p.first, append(slices.Clone(t.Require), router.FeatureSeed) // a draft is found again by it
	switch width, height, ok := t.Size.Dimensions(); {
	case p.drafts.Size != "":
		t.Size, t.Aspect = p.drafts.Size, ""
	case ok && int64(width)*int64(height) > schema.Megapixel:
		t.Size, t.Aspect = "", fmt.Sprintf("%d:%d", width, height)
	}
	return t
}

// finalTask returns the task of the final of a variant.
func (p *DraftPlan) finalTask(prompt string, seed uint64, draft router.Picture) router.Task {
	t := p.withPrompt(prompt)
	t.Stage, t.Count = router.StageFinal, 1
	if !p.drafts.FromDraft {
		t.Seed, t.Require = &seed, append(slices.Clone(t.Require), router.FeatureSeed)
		return t
	}
	t.Pictures = append([]router.Picture{draft}, t.Pictures...)
	if p.drafts.Strength != nil {
		t.Edit, t.Strength, t.Require = router.EditRework, p.drafts.Strength, append(slices.Clone(t.Require), router.FeatureStrength)
		return t
	}
	t.Edit = cmp.Or(t.Edit, router.EditInContext)
	plain := t
	plain.Colors = nil // which are added to the prompt anyway
	t.Prompt, t.Structured = "Make a finished picture of this draft, with the same composition: "+renumbered(plain.Prose()), nil
	return t
}

// renumbered returns a prompt for pictures before which there is one more.
func renumbered(prompt string) string {
	var b strings.Builder
	last := 0
	for n, span := range refs.All(prompt) {
		b.WriteString(prompt[last:span[0]] + "@image" + strconv.Itoa(n+1))
		last = span[1]
	}
	return b.String() + prompt[last:]
}

// takesAll reports whether the model of the drafts takes the last of their
// seeds, and all of their prompts, and that of the finals the last seed.
func (p *DraftPlan) takesAll(drafts [][]router.Candidate) bool {
	last := p.first + uint64(p.drafts.Count-1)
	valid := func(r fal.Request[fal.Images]) bool {
		v, ok := r.(interface{ Validate() error })
		return !ok || v.Validate() == nil
	}
	p.variants = nil
	for _, candidates := range drafts {
		i := slices.IndexFunc(candidates, func(c router.Candidate) bool { return c.Model.Endpoint == p.Draft.Model.Endpoint })
		if i < 0 || !valid(candidates[i].WithSeed(last)) {
			return false
		}
		p.variants = append(p.variants, &candidates[i])
	}
	return p.drafts.FromDraft || valid(p.Final.WithSeed(last))
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
	all, err := drafts.Add(finals)
	if then := p.Final.Then; then != nil && err == nil {
		seconds, err := plan.New(int64(p.drafts.Finals), plan.Part{Name: "their second step by " + then.Model.Title, Quote: then.Quote})
		if err != nil {
			return seconds, err
		}
		return all.Add(seconds)
	}
	return all, err
}

// mostDrafts is the largest number of variants.
const mostDrafts = 1_000_000

// seedRange is one more than the largest seed of a variant: what every model
// takes.
const seedRange = 1 << 31

// attempts yields the variants. Each is a request of its own, so that the seed
// of each is known.
func (p *DraftPlan) attempts() iter.Seq[Attempt] {
	reasons := because(p.Draft.Reasons(), p.Draft.Losses)
	return func(yield func(Attempt) bool) {
		for i := range p.drafts.Count {
			seed, draft := p.first+uint64(i), p.variants[i%len(p.variants)]
			a := Attempt{
				Model: draft.Model, Request: draft.WithSeed(seed), Asked: 1, Seed: &seed,
				Quote: draft.Quote, Unpriced: draft.Unpriced, because: reasons,
			}
			if !yield(a) {
				return
			}
		}
	}
}
