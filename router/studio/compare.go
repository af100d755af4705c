package studio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// Compared is what one model made of a task.
type Compared struct {
	Candidate router.Candidate
	Outcome
	// Elapsed is the time from the start to the last picture of this model.
	Elapsed time.Duration
	// Err is why pictures are missing.
	Err error
}

// Comparison is what several models made of the same task.
type Comparison struct {
	Task router.Task
	// Models are in the order in which they were asked for.
	Models []Compared
	// Billed and Spent are the sums of all.
	Billed, Spent pricing.USD
	Elapsed       time.Duration
}

// PlanComparison returns the candidates that Compare would use, in the order
// of models: each is in a form of [router.Task.Only], and of several that it means
// the best is taken. Every model must be able to serve the task. It sends
// nothing.
func (s Studio) PlanComparison(t router.Task, models []string) ([]router.Candidate, error) {
	if len(models) == 0 {
		return nil, errors.New("studio: compare: no models are given")
	}
	var out []router.Candidate
	var total pricing.USD
	for _, name := range models {
		one := t
		one.Only, one.Not = []string{name}, nil
		routing, err := s.router().Route(one)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		best := *routing.Best()
		if total, err = total.Add(best.Max); err != nil {
			return nil, err
		}
		out = append(out, best)
	}
	if t.MaxPrice > 0 && total > t.MaxPrice {
		return nil, fmt.Errorf("studio: compare: all models together cost up to %v, which is more than max_price, %v", total, t.MaxPrice)
	}
	return out, nil
}

// Compare does a task with several models at once; see PlanComparison for how
// they are named. A model that fails is an entry with an error; the others go
// on. One that makes fewer pictures than it was asked for is asked for the
// missing ones. Only and Not of the task are not used, and MaxPrice bounds all
// models together.
func (s Studio) Compare(ctx context.Context, c *fal.Client, t router.Task, models []string, opts ...fal.Option) (*Comparison, error) {
	candidates, err := s.PlanComparison(t, models)
	if err != nil {
		return nil, unsent(err)
	}
	left := newPurse(t.MaxPrice, candidates)
	out := &Comparison{Task: t, Models: make([]Compared, len(candidates))}
	start, slots := time.Now(), s.newSlots(c)
	var wait sync.WaitGroup
	for i := range candidates {
		wait.Go(func() {
			m := &out.Models[i]
			m.Candidate, m.Missing = candidates[i], max(t.Count, 1)
			if m.Candidate.Then != nil {
				m.Err = s.compareSteps(ctx, slots, t, m, opts)
				m.Elapsed = time.Since(start)
				return
			}
			err := m.add(slots.run(ctx, planned(&m.Candidate, m.Missing, t.Seed), opts, failed))
			if err == nil && m.Missing > 0 && failures(m.Attempts) == nil {
				err = m.add(slots.run(ctx, left.singles(s, t, m), opts, failed))
			}
			m.Elapsed = time.Since(start)
			m.Err = errors.Join(failures(m.Attempts), err)
			if m.Err == nil && m.Missing > 0 {
				m.Err = fmt.Errorf("studio: %s made %d pictures fewer than it was asked for", m.Candidate.Model.Endpoint, m.Missing)
			}
		})
	}
	wait.Wait()
	out.Elapsed = time.Since(start)
	var all Outcome
	for i := range out.Models {
		err = errors.Join(err, all.add(out.Models[i].Attempts))
	}
	out.Billed, out.Spent = all.Billed, all.Spent
	return out, err
}

// compareSteps has a model do its part of a task that takes two steps.
func (s Studio) compareSteps(ctx context.Context, slots slots, t router.Task, m *Compared, opts []fal.Option) error {
	t.Only, t.Not = []string{m.Candidate.Model.Endpoint}, nil
	out, err := s.twoSteps(ctx, slots, t, &m.Candidate, m.Candidate.Max, opts)
	m.Outcome = *out
	return err
}

// purse is what MaxPrice leaves for the pictures that models did not make.
type purse struct {
	limited bool
	mu      sync.Mutex
	left    pricing.USD
}

func newPurse(limit pricing.USD, candidates []router.Candidate) *purse {
	p := &purse{limited: limit > 0, left: limit}
	for i := range candidates {
		p.left -= candidates[i].Max
	}
	return p
}

// singles takes what the missing pictures of a model cost out of the purse.
func (p *purse) singles(s Studio, t router.Task, m *Compared) iter.Seq[Attempt] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.MaxPrice = 0; p.limited {
		if t.MaxPrice = p.left; p.left <= 0 {
			return noAttempts
		}
	}
	t.Not = nil
	attempts := s.singles(t, m.Candidate.Model.Endpoint, m.Missing)
	if attempts == nil {
		return noAttempts
	}
	for a := range attempts {
		p.left -= a.Quote.Max
	}
	return attempts
}

func noAttempts(func(Attempt) bool) {}
