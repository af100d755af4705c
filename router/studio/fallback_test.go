package studio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// A failure never raises what was approved, unless the caller allows it: fault,
// price and outcome.
func TestFallback(t *testing.T) {
	t.Parallel()
	charged := faltest.LateFailure(422, "image_too_small", "Too small")
	gone := faltest.Answer(404, `{"detail":"Application not found"}`)
	no := errors.New("no")
	for name, tt := range map[string]struct {
		fault    faltest.Fault
		fallback studio.Fallback
		max      pricing.USD
		models   []string
		spent    pricing.USD
	}{
		"unbilled, nothing more":    {gone, studio.Fallback{}, 0, []string{"flux.Pro2!", "qwen.Image2512"}, 2 * cent},
		"unbilled, as much more":    {gone, studio.Fallback{Percent: 100}, 0, []string{"flux.Pro2!", "flux.Image3"}, 48 * cent / 10},
		"unbilled, an amount more":  {gone, studio.Fallback{Amount: 2 * cent}, 0, []string{"flux.Pro2!", "flux.Image3"}, 48 * cent / 10},
		"unbilled, too little more": {gone, studio.Fallback{Amount: cent, Percent: 10}, 0, []string{"flux.Pro2!", "flux.Klein3"}, 9 * cent / 10},
		"unbilled, approved more":   {gone, studio.Fallback{}, 5 * cent, []string{"flux.Pro2!", "flux.Image3"}, 48 * cent / 10},
		"billed, nothing more":      {charged, studio.Fallback{}, 0, []string{"flux.Pro2!"}, 3 * cent},
		"billed, a little more":     {charged, studio.Fallback{Amount: cent}, 0, []string{"flux.Pro2!", "flux.Flash2"}, 35 * cent / 10},
		"billed, approved as much":  {charged, studio.Fallback{Amount: pricing.Dollar}, 3 * cent, []string{"flux.Pro2!"}, 3 * cent},
		"refused":                   {gone, studio.Fallback{Before: func(context.Context, studio.Step) error { return no }}, 0, []string{"flux.Pro2!"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			srv.InjectFor(pro2, faltest.OpSubmit, tt.fault, 1)
			out, err := studio.Studio{Fallback: tt.fallback}.Do(t.Context(), client, router.Task{Prompt: journalPrompt, MaxPrice: tt.max, Not: []string{"flux.Turbo2"}})
			if diff := cmp.Diff(tt.models, models(out.Attempts)); diff != "" || out.Spent != tt.spent {
				t.Errorf("spent %v, want %v; attempts (-want +got)\n%s%v", out.Spent, tt.spent, diff, err)
			}
			won := !strings.HasSuffix(tt.models[len(tt.models)-1], "!")
			if w := out.Winner(); won != (err == nil) || won != (w != nil) || won && w.Model.Name != tt.models[len(tt.models)-1] {
				t.Errorf("won by %v, %v", w, err)
			}
			if tt.fallback.Before != nil && !errors.Is(err, no) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Before a fallback the caller sees what is to be done.
func TestBeforeFallback(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 1)
	var seen []string
	s := studio.Studio{Fallback: studio.Fallback{Before: func(_ context.Context, next studio.Step) error {
		seen = append(seen, fmt.Sprint(next.Next.Model.Name, next.Missing, next.Spent, next.Err != nil))
		return nil
	}}}
	if _, err := s.Do(t.Context(), client, router.Task{Prompt: journalPrompt}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"flux.Turbo21 $0.00 true"}, seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A seed that is past a model's range in the last of its requests shows before
// the first is paid.
func TestSeedsPastTheRange(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	task := router.Task{Prompt: "a sign 'OPEN'", Count: 9, Seed: fal.Seed(1<<31 - 1), Only: []string{"qwen.Image2"}}
	_, err := studio.Do(t.Context(), client, task)
	if err == nil || !fal.NotSent(err) || srv.Ledger().Posts != 0 {
		t.Errorf("%d posts, %v", srv.Ledger().Posts, err)
	}
	_, err = studio.PlanDrafts(router.Task{Prompt: "a mug", Seed: fal.Seed(1<<31 - 1), Only: []string{"qwen.Image2"}}, studio.Drafts{Models: []string{"qwen.Image2"}, Count: 3})
	if err == nil || !fal.NotSent(err) {
		t.Errorf("drafts: %v", err)
	}
}

// The seed of an attempt is its own, and there is none where the model has none.
func TestAttemptSeed(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	seed := fal.Seed(7)
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: "a mug", Seed: seed, Only: []string{"flux.Pro2"}})
	if err != nil || *out.Attempts[0].Seed != 7 || out.Attempts[0].Seed == seed {
		t.Errorf("%v", err)
	}
	if request, ok := out.Attempts[0].Request.(flux.Pro2); !ok || *request.Seed != 7 || request.Seed == seed {
		t.Errorf("the request has the caller's own seed: %+v", request)
	}
	out, err = studio.Do(t.Context(), client, router.Task{Prompt: "a mug", Seed: seed, Only: []string{"flux.Image3"}})
	if err != nil || out.Attempts[0].Seed != nil {
		t.Errorf("a seed of a model without: %v", err)
	}
}

// A task that allows unknown prices falls back, too, when a budget refuses one.
func TestUnknownPriceWithinBudget(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: cent}}, Unpriced: 2 * cent}
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: "a mug", UnknownPrice: true})
	if err != nil || len(out.Images()) != 1 {
		t.Errorf("%v, %v", models(out.Attempts), err)
	}
}

// No more finals are sent once the account is locked.
func TestFinalsStop(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.LockedAccount(), 30)
	all := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v, nil }
	out, err := studio.Draft(t.Context(), client, router.Task{Prompt: journalPrompt}, studio.Drafts{Count: 30, Finals: 30}, all)
	if !errors.Is(err, fal.ErrLocked) || srv.Ledger().Posts > 30+8 || len(out.Finals) != 30 {
		t.Errorf("%d posts, %d finals, %v", srv.Ledger().Posts, len(out.Finals), err)
	}
	for i, o := range out.Finals {
		if o == nil || o.Missing != 1 {
			t.Fatalf("final %d: %+v", i, o)
		}
	}
}

// All models of a comparison share the limit of requests under way.
func TestCompareAtOnce(t *testing.T) {
	t.Parallel()
	_, client := local(t, faltest.RunTime(50*time.Millisecond))
	var now, most atomic.Int32
	client.Guard = counting{&now, &most}
	_, err := studio.Compare(t.Context(), client, router.Task{Prompt: "a mug", Count: 8}, []string{"flux.Pro2", "flux.Max2", "flux.Pro11", "flux.Flex2"})
	if err != nil || most.Load() > 8 || most.Load() < 2 {
		t.Errorf("%d at once, %v", most.Load(), err)
	}
}

// counting is a guard that counts what is under way.
type counting struct{ now, most *atomic.Int32 }

func (c counting) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	n := c.now.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
		continue
	}
	return c, nil
}
func (c counting) Accepted(string)  {}
func (c counting) Settled(fal.Meta) { c.now.Add(-1) }
func (c counting) Released(error)   { c.now.Add(-1) }

// Drafts may vary the words, are of a megapixel at most, and a final may be made
// from its draft, by a model that edits.
func TestDraftWays(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	second := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[1:2], nil }
	task := router.Task{Prompt: "a mug, product photo", Size: fal.Size(2048, 1024), Only: []string{"flux.Pro2Edit"}}
	drafts := studio.Drafts{Prompts: []string{"a red mug", "a blue mug", "a green mug"}, FromDraft: true}
	out, err := studio.Draft(t.Context(), client, task, drafts, second)
	if err != nil || len(out.Variants) != 3 || len(out.Finals) != 1 {
		t.Fatalf("%d variants, %v", len(out.Variants), err)
	}
	for _, v := range out.Variants {
		if v.Image.Width*v.Image.Height > 1<<20 || v.Image.Width < 2*v.Image.Height*9/10 {
			t.Errorf("a draft of %dx%d", v.Image.Width, v.Image.Height)
		}
	}
	if out.Plan.Cost.Max != out.Plan.Draft.Quote.Max*3+out.Plan.Final.Quote.Max || out.Spent > out.Plan.Cost.Max {
		t.Errorf("planned %v, spent %v", out.Plan.Cost, out.Spent)
	}
	final := out.Finals[0].Attempts[0]
	request, ok := final.Request.(flux.Pro2Edit)
	last := fmt.Sprint(request.Prompt, request.ImageURLs)
	if !ok || len(srv.Ledger().Bills) != 4 || final.Model.Name != "flux.Pro2Edit" || !strings.Contains(last, "a blue mug") || !strings.Contains(last, out.Variants[1].Image.URL) {
		t.Errorf("the final is %s of %s", final.Model.Name, last)
	}
}

// Finals share what is left: none takes the share of another when it falls back.
func TestFinalsShare(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 2)
	both := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v, nil }
	task := router.Task{Prompt: journalPrompt, MaxPrice: 10 * cent, Not: []string{"flux.Image3", "flux.Turbo2"}} // 4.7 cents each
	out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 2, Finals: 2, Models: []string{"flux.Schnell"}}, both)
	if err != nil || out.Spent > task.MaxPrice {
		t.Fatalf("%v, %v", out.Spent, err)
	}
	for _, o := range out.Finals {
		if q := o.Winner().Quote.Max; q > 47*cent/10 {
			t.Errorf("a final for up to %v", q)
		}
	}
}
