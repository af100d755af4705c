package studio_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// A budget refuses the whole before the first request, whoever names it and its
// tags: drafts with their finals, and two steps.
func TestBudgetRefusesTheWhole(t *testing.T) {
	t.Parallel()
	budget := func(tag spend.Tag) fal.Guard {
		return &spend.Budget{Limits: []spend.Limit{{Amount: 31 * cent / 10, Tag: tag}}} // a draft costs 0.3 cents, a final 3
	}
	tagged := func(value string) fal.Option { return fal.WithTags(map[string]string{"tenant": value}) }
	first := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:1], nil }
	acme, each := spend.Tag{Name: "tenant", Value: "acme"}, spend.Tag{Name: "tenant"}
	for name, tt := range map[string]struct {
		client  fal.Guard
		local   string // the tenant by the context
		opts    []fal.Option
		allowed bool
	}{
		"the client's":                        {client: budget(spend.Tag{})},
		"an option's":                         {opts: []fal.Option{fal.WithGuard(budget(spend.Tag{}))}},
		"an option's in place of the other":   {client: budget(spend.Tag{}), opts: []fal.Option{fal.WithGuard(&spend.Budget{})}, allowed: true},
		"of a tag":                            {client: budget(acme), opts: []fal.Option{tagged("acme")}},
		"of another tag":                      {client: budget(acme), opts: []fal.Option{tagged("other")}, allowed: true},
		"of each":                             {client: budget(each), opts: []fal.Option{tagged("other")}},
		"of each, without a tag":              {client: budget(each)},
		"of a tag of the context":             {client: budget(acme), local: "acme"},
		"the context's before the option's":   {client: budget(acme), local: "acme", opts: []fal.Option{tagged("other")}},
		"the context's, which is another one": {client: budget(acme), local: "other", opts: []fal.Option{tagged("acme")}, allowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if tt.local != "" {
				ctx = spend.WithTags(ctx, map[string]string{"tenant": tt.local})
			}
			srv, client := local(t)
			client.Guard = tt.client
			_, drafts := studio.Draft(ctx, client, router.Task{Prompt: journalPrompt, Size: fal.SquareHD}, studio.Drafts{Count: 2}, first, tt.opts...)
			_, steps := studio.Do(ctx, client, with(sticker, func(t *router.Task) { t.Only = []string{"flux.Pro2"} }), tt.opts...)
			for _, err := range []error{drafts, steps} {
				if _, refused := errors.AsType[*spend.BudgetError](err); refused == tt.allowed || refused && !fal.NotSent(err) {
					t.Errorf("got %v", err)
				}
			}
			if posts := srv.Ledger().Posts; (posts > 0) != tt.allowed {
				t.Errorf("%d posts", posts)
			}
		})
	}
}

// A final that fails raises nothing above what was approved of the plan, whatever the
// MaxPrice would allow, unless the caller says so.
func TestFinalsWithinThePlan(t *testing.T) {
	t.Parallel()
	first := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:1], nil }
	for name, tt := range map[string]struct {
		fallback studio.Fallback
		max      pricing.USD
		final    []string
	}{
		"no bound":                {studio.Fallback{}, 0, []string{"flux.Pro2!", "flux.Klein3"}},
		"a bound far above":       {studio.Fallback{}, pricing.Dollar, []string{"flux.Pro2!", "flux.Klein3"}},
		"more allowed":            {studio.Fallback{Amount: 10 * cent}, pricing.Dollar, []string{"flux.Pro2!", "flux.Max2"}},
		"more allowed than bound": {studio.Fallback{Amount: 10 * cent}, 36 * cent / 10, []string{"flux.Pro2!", "flux.Klein3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 1)
			task := router.Task{Prompt: journalPrompt, Size: fal.SquareHD, MaxPrice: tt.max, Not: []string{"flux.Turbo2"}}
			var approved pricing.USD
			out, err := studio.Studio{Fallback: tt.fallback}.Draft(t.Context(), client, task, studio.Drafts{Count: 2, Approve: func(p *studio.DraftPlan) error {
				approved = p.Cost.Max
				return nil
			}}, first)
			if err != nil || tt.fallback.Amount == 0 && out.Spent > approved || tt.max > 0 && out.Spent > tt.max {
				t.Fatalf("approved %v, spent %v, %v", approved, out.Spent, err)
			}
			if diff := cmp.Diff(tt.final, models(out.Finals[0].Attempts)); diff != "" {
				t.Errorf("final (-want +got)\n%s", diff)
			}
		})
	}
}
