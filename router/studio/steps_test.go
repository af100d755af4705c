package studio_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

const layered = "fal-ai/qwen-image-layered"

// sticker takes two steps without the models that make transparent pictures.
var sticker = router.Task{Prompt: "a mug", Transparent: true, Not: []string{"Qwen Image 2.1"}}

// Two steps are done one after the other, for what both were to cost.
func TestTwoSteps(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		task   router.Task
		models []string
		images int
		spent  pricing.USD
	}{
		"transparent":        {sticker, []string{"flux.Pro2", "qwen.Layered"}, 2, 8 * cent},
		"three of them":      {with(sticker, func(t *router.Task) { t.Count = 3 }), []string{"flux.Pro2", "flux.Pro2", "flux.Pro2", "qwen.Layered", "qwen.Layered", "qwen.Layered"}, 6, 24 * cent},
		"layers of a prompt": {router.Task{Prompt: "a barn", Edit: router.EditLayers, Layers: 3}, []string{"flux.Pro2", "qwen.Layered"}, 3, 8 * cent},
		"large":              {router.Task{Prompt: "a barn", MinPixels: 3840 * 2160, Aspect: "16:9", Only: []string{"flux.Pro2"}}, []string{"flux.Pro2", "flux.VisionUpscaler"}, 1, 83 * cent},
		"lettered":           {router.Task{Prompt: "a photo of a bar", Purpose: router.Poster, Text: []string{"BLUE"}}, []string{"flux.Pro2", "qwen.Image3Edit"}, 1, 73 * cent / 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			routing, err := router.Route(tt.task)
			if err != nil {
				t.Fatal(err)
			}
			srv, client := local(t)
			out, err := studio.Do(t.Context(), client, tt.task)
			if err != nil || out.Missing != 0 || len(out.Images()) != tt.images || out.Winner().Model.Name != tt.models[len(tt.models)-1] {
				t.Errorf("%d pictures, %d missing, %v", len(out.Images()), out.Missing, err)
			}
			if diff := cmp.Diff(tt.models, models(out.Attempts)); diff != "" {
				t.Errorf("attempts (-want +got)\n%s", diff)
			}
			if out.Spent > routing.Best().Max || out.Billed != tt.spent || srv.Ledger().Posts != len(tt.models) {
				t.Errorf("billed %v, spent %v of %v, %d posts", out.Billed, out.Spent, routing.Best().Max, srv.Ledger().Posts)
			}
		})
	}
}

// with returns a task with a change.
func with(t router.Task, change func(*router.Task)) router.Task {
	change(&t)
	return t
}

// A second step that fails leaves what the first made, and the task goes on from
// there when it is done again.
func TestSecondStepFails(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(layered, faltest.OpSubmit, faltest.Answer(http.StatusBadRequest, `{"detail":"Bad"}`), 1)
	s := studio.Studio{Journal: batch.Memory()}
	out, err := s.Do(t.Context(), client, sticker)
	if err == nil || !strings.Contains(err.Error(), "the second step, of picture 1") || out.Missing != 1 || len(out.Images()) != 0 || out.Winner() != nil {
		t.Fatalf("%v, %d missing", err, out.Missing)
	}
	if first := out.Attempts[0]; !first.First || len(first.Result.Images) != 1 || out.Spent != 3*cent {
		t.Errorf("the first step: %+v, spent %v", first, out.Spent)
	}
	again, err := s.Do(t.Context(), client, sticker)
	if err != nil || len(again.Images()) != 2 {
		t.Errorf("again: %v", err)
	}
	if posts := srv.Ledger().Posts; posts != 3 { // the first step, and the second twice
		t.Errorf("%d posts", posts)
	}
	// Without a journal, the picture is the start of another task.
	routing, err := router.Route(sticker)
	if err != nil {
		t.Fatal(err)
	}
	_, then := routing.Best().Steps()
	m := out.Attempts[0].Result.Images[0]
	rest, err := studio.Do(t.Context(), client, then(router.Picture{File: m.File(), Width: m.Width, Height: m.Height}))
	if err != nil || len(rest.Images()) != 2 {
		t.Errorf("the rest: %v", err)
	}
}

// The whole is within what is allowed before the first step is paid: another way
// is taken, or none.
func TestTwoStepsWithinMoney(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		max, budget pricing.USD
		models      []string
	}{
		"enough":          {8 * cent, 8 * cent, []string{"flux.Pro2", "qwen.Layered"}},
		"a cheaper way":   {0, 7 * cent, []string{"flux.Turbo2", "qwen.Layered"}},
		"a lower bound":   {7 * cent, 0, []string{"flux.Turbo2", "qwen.Layered"}},
		"not enough":      {0, 5 * cent, nil},
		"too low a bound": {5 * cent, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			if tt.budget > 0 {
				client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: tt.budget}}}
			}
			out, err := studio.Do(t.Context(), client, with(sticker, func(t *router.Task) { t.MaxPrice = tt.max }))
			if (err == nil) != (tt.models != nil) || srv.Ledger().Posts != len(tt.models) {
				t.Errorf("%v, %d posts", err, srv.Ledger().Posts)
			}
			if diff := cmp.Diff(tt.models, models(out.Attempts)); diff != "" {
				t.Errorf("attempts (-want +got)\n%s", diff)
			}
		})
	}
}

// A first step falls back on another model, and one that was flagged is not gone
// on with; a locked account ends all.
func TestFirstStep(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(http.StatusNotFound, `{"detail":"Application not found"}`), 1)
	out, err := studio.Do(t.Context(), client, sticker)
	if diff := cmp.Diff([]string{"flux.Pro2!", "flux.Turbo2", "qwen.Layered"}, models(out.Attempts)); err != nil || diff != "" {
		t.Errorf("%v, attempts (-want +got)\n%s", err, diff)
	}
	srv, client = local(t)
	srv.InjectFor(layered, faltest.OpSubmit, faltest.LockedAccount(), 9)
	out, err = studio.Do(t.Context(), client, with(sticker, func(t *router.Task) { t.Count = 3 }))
	if err == nil || len(out.Attempts) != 4 {
		t.Errorf("%v: %v", models(out.Attempts), err)
	}
}

// Of pictures of the first step that nobody asked for nothing is made: they neither
// buy second steps nor take the money of those that were approved.
func TestFirstStepMakesMore(t *testing.T) {
	t.Parallel()
	for _, limit := range []pricing.USD{0, 5 * pricing.Dollar} {
		srv, client := local(t)
		srv.InjectFor(pro2, faltest.OpSubmit, faltest.Changed(func(result map[string]any) {
			list, _ := result["images"].([]any)
			result["images"] = append(list, list[0], list[0])
		}), 1)
		out, err := studio.Do(t.Context(), client, with(sticker, func(t *router.Task) { t.MaxPrice = limit }))
		if diff := cmp.Diff([]string{"flux.Pro2", "qwen.Layered"}, models(out.Attempts)); err != nil || diff != "" || srv.Ledger().Posts != 2 || out.Missing != 0 {
			t.Errorf("limit %v: %v, %d posts, attempts (-want +got)\n%s", limit, err, srv.Ledger().Posts, diff)
		}
	}
}

// A first step that fails at a price leaves the second its own: no other picture is
// made that nothing could be made of.
func TestFirstStepFailsAtAPrice(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.LateFailure(422, "image_too_small", "Too small"), 1)
	out, err := studio.Do(t.Context(), client, sticker)
	if diff := cmp.Diff([]string{"flux.Pro2!"}, models(out.Attempts)); err == nil || diff != "" || out.Spent != 3*cent || srv.Ledger().Posts != 1 {
		t.Errorf("%d posts for %v, %v, attempts (-want +got)\n%s", srv.Ledger().Posts, out.Spent, err, diff)
	}
}

// What is left of what was approved is shared among the second steps: each has enough
// for its own model, and one that fails at a price leaves the others theirs.
func TestSecondStepsShare(t *testing.T) {
	t.Parallel()
	const image3 = "alibaba/qwen-image-3/edit"
	lettered := router.Task{Prompt: "a photo of a bar", Purpose: router.Poster, Text: []string{"BLUE"}, Count: 2}
	routing, err := router.Route(lettered)
	if err != nil || routing.Best().Then == nil || routing.Best().Then.Model.Endpoint != image3 {
		t.Fatalf("%v, %v", routing.Best().Then, err)
	}
	then := routing.Best().Then.Max
	for name, tt := range map[string]struct {
		max    pricing.USD
		faults []faltest.Fault
		models []string
		images int
	}{
		"just enough":         {routing.Best().Max, nil, []string{"flux.Pro2", "flux.Pro2", "qwen.Image3Edit", "qwen.Image3Edit"}, 2},
		"one fails":           {routing.Best().Max, []faltest.Fault{faltest.LateFailure(422, "image_too_small", "Too small")}, []string{"flux.Pro2", "flux.Pro2", "qwen.Image3Edit!", "flux.Klein9BEdit", "qwen.Image3Edit"}, 2},
		"one fails, unbilled": {routing.Best().Max, []faltest.Fault{faltest.Answer(404, `{"detail":"Application not found"}`)}, []string{"flux.Pro2", "flux.Pro2", "qwen.Image3Edit!", "flux.Image3Edit", "qwen.Image3Edit"}, 2},
	} {
		srv, client := local(t)
		for _, fault := range tt.faults {
			srv.InjectFor(image3, faltest.OpSubmit, fault, 1)
		}
		out, err := studio.Do(t.Context(), client, with(lettered, func(t *router.Task) { t.MaxPrice = tt.max }))
		if diff := cmp.Diff(tt.models, models(out.Attempts)); diff != "" || len(out.Images()) != tt.images || out.Spent > tt.max {
			t.Errorf("%s: %d pictures for %v of %v, %v, attempts (-want +got)\n%s", name, len(out.Images()), out.Spent, tt.max, err, diff)
		}
		for _, a := range out.Attempts {
			if !a.First && a.Quote.Max > then {
				t.Errorf("%s: %s for up to %v", name, a.Model.Name, a.Quote.Max)
			}
		}
	}
}

// Two steps are compared and made of drafts like others.
func TestTwoStepsElsewhere(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	c, err := studio.Compare(t.Context(), client, sticker, []string{"flux.Pro2", "qwen.Image21"})
	if err != nil || c.Elapsed <= 0 || c.Models[0].Elapsed <= 0 || len(c.Models[0].Images()) != 2 || len(c.Models[1].Images()) != 1 || errors.Join(c.Models[0].Err, c.Models[1].Err) != nil {
		t.Fatalf("%v, %+v", err, c)
	}
	if diff := cmp.Diff([]string{"flux.Pro2", "qwen.Layered"}, models(c.Models[0].Attempts)); diff != "" || srv.Ledger().Posts != 3 {
		t.Errorf("attempts (-want +got)\n%s", diff)
	}
	// No other stands in for one that is compared, not even where others are refused.
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 1)
	c, err = studio.Compare(t.Context(), client, with(sticker, func(t *router.Task) { t.Not = []string{"flux.Pro2"} }), []string{"flux.Pro2", "qwen.Image21"})
	if diff := cmp.Diff([]string{"flux.Pro2!"}, models(c.Models[0].Attempts)); err != nil || diff != "" || c.Models[0].Err == nil || len(c.Models[1].Images()) != 1 {
		t.Errorf("%v, %v, attempts (-want +got)\n%s", err, c.Models[0].Err, diff)
	}
	plan, err := studio.PlanDrafts(sticker, studio.Drafts{Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := 2*plan.Draft.Max + plan.Final.Max; plan.Cost.Max != want || plan.Final.Then == nil {
		t.Errorf("%v, want %v", plan.Cost.Max, want)
	}
	first := studio.ByScore(1, func(_ context.Context, v studio.Variant) (float64, error) { return -float64(v.Index), nil })
	done, err := plan.Run(t.Context(), client, first)
	if err != nil || len(done.Finals) != 1 || len(done.Finals[0].Images()) != 2 || done.Spent > plan.Cost.Max {
		t.Errorf("%v: %+v", err, done)
	}
}

// Two steps of which no source tells the price are bounded by nothing, where the
// task allows that.
func TestTwoStepsOfUnknownPrice(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	task := with(sticker, func(t *router.Task) { t.Only, t.UnknownPrice = []string{"flux.Klein9BBase"}, true })
	out, err := studio.Do(t.Context(), client, task)
	if diff := cmp.Diff([]string{"flux.Klein9BBase", "qwen.Layered"}, models(out.Attempts)); err != nil || diff != "" || out.Unpriced != 1 {
		t.Errorf("%v, %d without a price, attempts (-want +got)\n%s", err, out.Unpriced, diff)
	}
}

// A task that allows unknown prices is held to that of two steps where it is known.
func TestTwoStepsOfKnownPrice(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	out, err := studio.Do(t.Context(), client, with(sticker, func(t *router.Task) { t.UnknownPrice = true }))
	if diff := cmp.Diff([]string{"flux.Pro2", "qwen.Layered"}, models(out.Attempts)); err != nil || diff != "" || out.Unpriced != 0 || srv.Ledger().Posts != 2 {
		t.Errorf("%v, %d without a price, attempts (-want +got)\n%s", err, out.Unpriced, diff)
	}
}

// A first step that was billed all that was approved leaves nothing for the second,
// which is not the same as no bound.
func TestFirstStepBilledAll(t *testing.T) {
	t.Parallel()
	flat := func(id string, price pricing.USD) pricing.Price {
		return pricing.Price{Endpoint: id, Rule: pricing.PerImage{Price: price}, Sources: []string{"wrong"}}
	}
	wrong, err := pricing.Embedded().With(flat(pro2, 3*cent/10), flat(layered, cent/10))
	if err != nil {
		t.Fatal(err)
	}
	policy := router.DefaultPolicy()
	policy.Prices = wrong
	r, err := router.New(policy)
	if err != nil {
		t.Fatal(err)
	}
	srv, client := local(t)
	task := with(sticker, func(t *router.Task) {
		t.Only, t.Size, t.MaxPrice = []string{"flux.Pro2"}, fal.Size(2048, 2048), 75*cent/100
	}) // which is what it bills
	out, err := studio.Studio{Router: r}.Do(t.Context(), client, task)
	if err == nil || !strings.Contains(err.Error(), "were approved") || srv.Ledger().Posts != 1 || out.Spent != task.MaxPrice || out.Missing != 1 || len(out.Attempts[0].Result.Images) != 1 {
		t.Errorf("%d posts for %v, %v", srv.Ledger().Posts, out.Spent, err)
	}
}
