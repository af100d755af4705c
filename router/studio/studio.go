package studio

import (
	"cmp"
	"context"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/router"
)

// Studio does tasks. The zero value works and chooses by the default policy, as
// the functions of this package do. It may be used by many goroutines at once.
type Studio struct {
	// Router chooses the models. Default: [router.Default].
	Router *router.Router
	// Fallback says what may be done where a model fails. The zero value lets
	// another model try, if it costs no more than what was approved.
	Fallback Fallback
	// Journal keeps what was sent and what came of it, so that a task survives the end
	// of the program: the same task is not paid again, whichever model made it, but
	// goes on where it stood, and what a request came to is on record before the next
	// step. It holds each task once: to make another picture of the same task, give it
	// another seed or journal. Variants without a seed have one that their prompt
	// tells. Default: one in memory for each task, which ends with it. With any of
	// them an answer that is lost is looked for in fal's history.
	Journal batch.Journal
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
