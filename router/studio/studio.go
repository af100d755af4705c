package studio

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/router"
)

// Studio does tasks. The zero value works and chooses by the default policy, as
// the functions of this package do. It may be used by many goroutines at once.
type Studio struct {
	// Router chooses the models. Default: [router.Default].
	Router *router.Router
}

func (s Studio) router() *router.Router { return cmp.Or(s.Router, router.Default()) }

// Do does a task by the default policy. See [Studio.Do].
func Do(ctx context.Context, c *fal.Client, t router.Task, opts ...fal.Option) (*Outcome, error) {
	return Studio{}.Do(ctx, c, t, opts...)
}

// Draft does a task in two steps by the default policy. See [Studio.Draft].
func Draft(ctx context.Context, c *fal.Client, t router.Task, d Drafts, pick Pick, opts ...fal.Option) (*Drafted, error) {
	return Studio{}.Draft(ctx, c, t, d, pick, opts...)
}

// PlanDrafts plans drafts and finals by the default policy. See
// [Studio.PlanDrafts].
func PlanDrafts(t router.Task, d Drafts) (*DraftPlan, error) { return Studio{}.PlanDrafts(t, d) }

// Compare does a task with several models by the default policy. See
// [Studio.Compare].
func Compare(ctx context.Context, c *fal.Client, t router.Task, models []string, opts ...fal.Option) (*Comparison, error) {
	return Studio{}.Compare(ctx, c, t, models, opts...)
}

// PlanComparison chooses the models and prices the whole by the default
// policy. See [Studio.PlanComparison].
func PlanComparison(t router.Task, models []string) ([]router.Candidate, error) {
	return Studio{}.PlanComparison(t, models)
}

// atOnce is how many requests of one task are under way at a time. Those that
// wait in fal's queue are among them.
const atOnce = 8

// each calls do for the numbers from 0 to n-1, some at a time, until a call
// returns false. It returns how many calls it made when all have returned.
func each(n int, do func(i int) (more bool)) (called int) {
	slots := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	var stopped atomic.Bool
	for ; called < n; called++ {
		slots <- struct{}{}
		if stopped.Load() {
			break
		}
		i := called
		wait.Go(func() {
			if !do(i) {
				stopped.Store(true)
			}
			<-slots
		})
	}
	wait.Wait()
	return called
}
