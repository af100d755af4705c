package studio_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// The plan of the article: 70 of 100 pictures are drafts, 30 finals.
func TestArticlePlan(t *testing.T) {
	t.Parallel()
	plan, err := studio.PlanDrafts(router.Task{Prompt: journalPrompt, Size: fal.SquareHD}, studio.Drafts{Count: 10_000, Finals: 3_000})
	if err != nil || plan.Draft.Model.Name != "flux.Schnell" || plan.Final.Model.Name != "flux.Pro2" {
		t.Fatalf("%v, %v, %v", plan.Draft.Model, plan.Final.Model, err)
	}
	plan, err = studio.PlanDrafts(router.Task{Prompt: journalPrompt, Size: fal.SquareHD}, studio.Drafts{Count: 7_000, Finals: 3_000})
	if err != nil || plan.Cost.Expected != 111_00*cent || len(plan.Cost.Rows) != 2 {
		t.Errorf("%v, %v, want $111", plan.Cost, err)
	}
}

// There are a million drafts at most.
func TestMostDrafts(t *testing.T) {
	t.Parallel()
	for count, fits := range map[int]bool{1_000_000: true, 1_000_001: false} {
		_, err := studio.PlanDrafts(router.Task{Prompt: "x", Only: []string{"flux.Pro2"}}, studio.Drafts{Count: count, Models: []string{"flux.Schnell"}})
		if (err == nil) != fits || err != nil && (!fal.NotSent(err) || !strings.Contains(err.Error(), "1000000")) {
			t.Errorf("%d: %v", count, err)
		}
	}
}

// Drafts have the size that is given for them, whatever the finals have, or else the
// shape of those at one megapixel at most.
func TestSizeOfDrafts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		task        router.Task
		size        fal.ImageSize
		draft, full string
	}{
		"given":         {router.Task{Aspect: "16:9"}, fal.Square, `"image_size":"square"`, `"image_size":"landscape_16_9"`},
		"given, larger": {router.Task{Size: fal.Size(2048, 1024)}, fal.Size(512, 512), `"image_size":{"width":512,"height":512}`, `"image_size":{"width":2048,"height":1024}`},
		"too large":     {router.Task{Size: fal.Size(2048, 1536)}, "", `"image_size":"landscape_4_3"`, `"image_size":{"width":2048,"height":1536}`},
		"as it is":      {router.Task{Size: fal.Size(1024, 512)}, "", `"image_size":{"width":1024,"height":512}`, `"image_size":{"width":1024,"height":512}`},
	} {
		tt.task.Prompt, tt.task.Only = "x", []string{"flux.Pro2"}
		plan, err := studio.PlanDrafts(tt.task, studio.Drafts{Count: 2, Size: tt.size, Models: []string{"flux.Schnell"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			made router.Candidate
			want string
		}{{plan.Draft, tt.draft}, {plan.Final, tt.full}} {
			if body, err := json.Marshal(c.made.Request); err != nil || !strings.Contains(string(body), c.want) {
				t.Errorf("%s: %s %s, %v, want %s", name, c.made.Model.Name, body, err, c.want)
			}
		}
	}
}

// Drafts have seeds of their own, and finals take over that of the picked one
// with prompt and pictures.
func TestDraft(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	approved := pricing.USD(0)
	out, err := studio.Draft(t.Context(), client, router.Task{Prompt: journalPrompt, Seed: fal.Seed(100), Size: fal.SquareHD},
		studio.Drafts{Count: 7, Finals: 3, Approve: func(p *studio.DraftPlan) error {
			approved = p.Cost.Max
			if srv.Ledger().Posts != 0 {
				t.Error("something was sent before it was approved")
			}
			return nil
		}},
		studio.ByScore(3, func(_ context.Context, v studio.Variant) (float64, error) { return float64(*v.Seed % 5), nil })) // 104, 103, 102
	if err != nil {
		t.Fatal(err)
	}
	if want := 7*cent*3/10 + 3*3*cent; approved != want || out.Billed != want || out.Spent != want {
		t.Errorf("approved %v, billed %v, want %v", approved, out.Billed, want)
	}
	var picked []int
	for _, v := range out.Picked {
		picked = append(picked, v.Index)
	}
	if diff := cmp.Diff([]int{4, 3, 2}, picked); diff != "" {
		t.Errorf("picked (-want +got)\n%s", diff)
	}
	for i, v := range out.Variants {
		if *v.Seed != 100+uint64(i) || v.Image.URL == "" || v.Result.Seed != *v.Seed {
			t.Errorf("variant %d: seed %d, result %+v", i, *v.Seed, v.Result)
		}
	}
	if images := out.Images(); len(images) != 3 || images[2].URL != out.Finals[2].Attempts[0].Result.Images[0].URL || out.Winner() != &out.Finals[2].Attempts[0] || out.Missing != 0 {
		t.Errorf("%d pictures and %d missing, won by %v", len(images), out.Missing, out.Winner())
	}
	for k, o := range out.Finals {
		if got := *o.Attempts[0].Seed; got != *out.Picked[k].Seed || o.Attempts[0].Model.Name != "flux.Pro2" {
			t.Errorf("final %d: %s with seed %d", k, o.Attempts[0].Model.Name, got)
		}
	}
	if posts := srv.Ledger().Posts; posts != 10 {
		t.Errorf("%d posts, want 10", posts)
	}
}

// Drafts are no pictures of the task: without finals there are none, and they are
// missing.
func TestDraftsWithoutFinals(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(422, `{"detail":[{"loc":["body","seed"],"msg":"odd","type":"value_error"}]}`), 9)
	task := router.Task{Prompt: journalPrompt, Size: fal.SquareHD, Only: []string{"flux.Pro2"}}
	out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 3, Finals: 2}, studio.ByScore(2, func(context.Context, studio.Variant) (float64, error) { return 1, nil }))
	if err == nil || len(out.Variants) != 3 || len(out.Images()) != 0 || out.Winner() != nil || out.Missing != 2 {
		t.Errorf("%v, %d drafts, %d pictures, %d missing", err, len(out.Variants), len(out.Images()), out.Missing)
	}
}

// Where the best models are too dear together, a cheaper draft leaves the better
// final.
func TestDraftsWithinPrice(t *testing.T) {
	t.Parallel()
	task := router.Task{Prompt: journalPrompt, Size: fal.SquareHD, MaxPrice: 6 * cent}
	plan, err := studio.PlanDrafts(task, studio.Drafts{Count: 4, Models: []string{"flux.Dev2", "flux.Flash2"}})
	if err != nil || plan.Final.Model.Name != "flux.Pro2" || plan.Cost.Max > task.MaxPrice {
		t.Errorf("%v and %v for %v, %v", plan.Draft.Model, plan.Final.Model, plan.Cost.Max, err)
	}
	task.MaxPrice = cent
	if _, err := studio.PlanDrafts(task, studio.Drafts{Count: 4}); err == nil || !strings.Contains(err.Error(), "$0.015 in the cheapest way") {
		t.Errorf("got %v", err)
	}
}

// Drafts that are billed more than they were to cost leave less for finals, and
// nothing is not the same as no bound.
func TestDraftBilledTooMuch(t *testing.T) {
	t.Parallel()
	flat := func(id string) pricing.Price {
		return pricing.Price{Endpoint: id, Rule: pricing.PerImage{Price: 3 * cent / 10}, Sources: []string{"wrong"}}
	}
	wrong, err := pricing.Embedded().With(flat(schnell), flat(pro2))
	if err != nil {
		t.Fatal(err)
	}
	policy := router.DefaultPolicy()
	policy.Prices = wrong
	r, err := router.New(policy)
	if err != nil {
		t.Fatal(err)
	}
	first := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:1], nil }
	for _, limit := range []pricing.USD{cent, 24 * cent / 10} {
		srv, client := local(t)
		task := router.Task{Prompt: journalPrompt, Size: fal.Size(2048, 2048), MaxPrice: limit, Only: []string{"flux.Pro2"}} // 4 units each
		out, err := studio.Studio{Router: r}.Draft(t.Context(), client, task, studio.Drafts{Count: 2, Models: []string{"flux.Schnell"}, Size: fal.Size(2048, 2048)}, first)
		if err == nil || len(out.Variants) != 2 || srv.Ledger().Posts != 2 || out.Spent != 24*cent/10 || out.Missing != 1 {
			t.Errorf("limit %v: %d posts, spent %v, %v", limit, srv.Ledger().Posts, out.Spent, err)
		}
	}
}

// Finals cost no more than was approved, however large their drafts came, with no
// MaxPrice too; of drafts that are large by nature they are priced so, and made.
func TestFinalsOfLargeDrafts(t *testing.T) {
	t.Parallel()
	first := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:1], nil }
	strength := 0.5
	for _, tt := range []struct {
		draft, final string
		strength     *float64
		larger, made bool // than it was asked for, and whether there is a final
	}{
		{"flux.Schnell", "flux.Pro2Edit", nil, false, true},
		{"flux.Schnell", "flux.Pro2Edit", nil, true, false},
		{"flux.Schnell", "flux.DevImageToImage", &strength, true, false},
		{"flux.Schnell", "flux.KontextMax", nil, true, true}, // of one price for all sizes
		{"flux.Pro11Ultra", "flux.Pro2Edit", nil, false, true},
		{"flux.Pro11Ultra", "flux.Pro2Edit", nil, true, true},
		{"flux.Pro11Ultra", "flux.Max2Edit", nil, false, true},
		{"flux.Pro11Ultra", "qwen.ImageToImage", &strength, false, true},
	} {
		srv, client := local(t)
		if tt.larger {
			srv.Inject(faltest.OpSubmit, faltest.WrongSize(2752, 1536), 1)
		}
		var approved pricing.USD
		drafts := studio.Drafts{Count: 1, Models: []string{tt.draft}, FromDraft: true, Strength: tt.strength, Approve: func(p *studio.DraftPlan) error {
			approved = p.Cost.Max
			return nil
		}}
		out, err := studio.Draft(t.Context(), client, router.Task{Prompt: posterPrompt, Only: []string{tt.final}}, drafts, first)
		if out == nil || (err == nil) != tt.made || out.Spent > approved || out.Billed > approved || len(out.Finals) != 1 || (len(out.Finals[0].Images()) == 1) != tt.made {
			t.Errorf("%+v: approved %v, %v, %+v", tt, approved, err, out)
		}
	}
}

func TestDraftRefusals(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	task := router.Task{Prompt: journalPrompt}
	first := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:1], nil }
	no := errors.New("too dear")
	if _, err := studio.Draft(t.Context(), client, task, studio.Drafts{Approve: func(*studio.DraftPlan) error { return no }}, first); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	tight := task
	tight.MaxPrice = cent / 2
	if _, err := studio.Draft(t.Context(), client, tight, studio.Drafts{}, first); err == nil {
		t.Error("drafts and finals beyond max_price were accepted")
	}
	for _, d := range []studio.Drafts{{Count: -1}, {Count: 3, Finals: -1}, {Count: 1, Finals: 2}, {Count: 1 << 30}} {
		if _, err := studio.PlanDrafts(task, d); err == nil {
			t.Errorf("%+v was accepted", d)
		}
	}
	// A model without a seed cannot make a draft again.
	best := router.Task{Prompt: "a lighthouse", Prefer: router.Preference{Quality: 10}, Only: []string{"flux"}}
	if routing, err := router.Route(best); err != nil || routing.Best().Model.Name != "flux.Image3" {
		t.Fatalf("%v: the best of all is not the one without a seed", err)
	}
	if p, err := studio.PlanDrafts(best, studio.Drafts{}); err != nil || p.Final.Model.Name == "flux.Image3" {
		t.Errorf("a final without a seed, or %v", err)
	}
	best.Only = []string{"flux.Image3"}
	if _, err := studio.PlanDrafts(best, studio.Drafts{}); err == nil {
		t.Error("drafts by a model without a seed were planned")
	}
	unplanned := studio.Drafts{Count: 1, Finals: 2, Approve: func(p *studio.DraftPlan) error {
		t.Errorf("asked about a plan that there is not: %v", p)
		return nil
	}}
	if out, err := studio.Draft(t.Context(), client, task, unplanned, first); err == nil || out != nil {
		t.Errorf("more finals than drafts: %v", err)
	}
	if posts := srv.Ledger().Posts; posts != 0 {
		t.Fatalf("%d posts, want none", posts)
	}
	for name, pick := range map[string]studio.Pick{
		"beyond": func(context.Context, []studio.Variant) ([]studio.Variant, error) {
			return []studio.Variant{{Index: 9}}, nil
		},
		"many":    func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v, nil },
		"error":   func(context.Context, []studio.Variant) ([]studio.Variant, error) { return nil, no },
		"scoring": studio.ByScore(1, func(context.Context, studio.Variant) (float64, error) { return 0, no }),
		"nil":     nil,
	} {
		if out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 2}, pick); err == nil || len(out.Finals) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is picked is what was made, whatever a Pick puts beside its number.
	bare := func(context.Context, []studio.Variant) ([]studio.Variant, error) {
		return []studio.Variant{{Index: 1}}, nil
	}
	if out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 2}, bare); err != nil || len(out.Images()) != 1 || out.Picked[0].Image.URL != out.Variants[1].Image.URL {
		t.Errorf("a number alone: %v", err)
	}
	// None is a normal choice.
	none := func(context.Context, []studio.Variant) ([]studio.Variant, error) { return nil, nil }
	if out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 2}, none); err != nil || len(out.Finals) != 0 || len(out.Variants) != 2 {
		t.Errorf("none: %v", err)
	}
}

// Drafts whose context ends are an error, whether or not one failed for it, and no
// more of them are tried.
func TestDraftsEnd(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 1000} {
		srv, client := local(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var told atomic.Int32
		out, err := studio.Draft(ctx, client, router.Task{Prompt: journalPrompt}, studio.Drafts{Count: count, Made: func(studio.Variant) {
			told.Add(1)
			cancel()
		}}, theFirst)
		if !errors.Is(err, context.Canceled) || len(out.Variants) == 0 || len(out.Attempts) > 16 || int(told.Load()) != len(out.Attempts) {
			t.Errorf("%d drafts: %v, %d variants, %d attempts, told of %d, %d posts", count, err, len(out.Variants), len(out.Attempts), told.Load(), srv.Ledger().Posts)
		}
	}
}

// A plan is what it was when it was made, whatever becomes of what it was made from.
func TestPlanStays(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	strength, seed, prompts, models := 0.6, uint64(7), []string{"a red mug", "a blue mug"}, []string{"flux.Schnell"}
	plan, err := studio.PlanDrafts(router.Task{Prompt: journalPrompt, Seed: &seed, Only: []string{"flux.DevImageToImage"}}, studio.Drafts{Prompts: prompts, Models: models, Strength: &strength})
	if err != nil {
		t.Fatal(err)
	}
	strength, seed, prompts[0], models[0] = 0.1, 8, "a hat", "nonsense"
	out, err := plan.Run(t.Context(), client, theFirst)
	if err != nil {
		t.Fatal(err)
	}
	request, ok := out.Finals[0].Attempts[0].Request.(flux.DevImageToImage)
	if !ok || *request.Strength != 0.6 || request.Prompt != "a red mug" || *out.Variants[0].Seed != 7 {
		t.Errorf("%+v of the draft with seed %d", request, *out.Variants[0].Seed)
	}
}

// What a prompt says of the pictures of a task, it says of them in a final that is
// made from its draft too, which is before them.
func TestFinalsKeepReferences(t *testing.T) {
	t.Parallel()
	pictures := []router.Picture{{File: fal.URL("https://pictures.example/a.png"), Width: 512, Height: 512}, {File: fal.URL("https://pictures.example/b.png"), Width: 512, Height: 512}}
	task := router.Task{Prompt: "@image1 on the shelf of @Image2", Pictures: pictures, Size: fal.SquareHD, Colors: []flux.Color{"#2ECC71"}, Only: []string{"flux.Pro2Edit"}}
	plan, err := studio.PlanDrafts(task, studio.Drafts{Count: 1, FromDraft: true})
	if err != nil {
		t.Fatal(err)
	}
	request, ok := plan.Final.Request.(flux.Pro2Edit)
	if !ok || !strings.Contains(request.Prompt, "@image2 on the shelf of @image3") || strings.Count(request.Prompt, "#2ECC71") != 1 || len(request.ImageURLs) != 3 {
		t.Errorf("%+v", request)
	}
}

// A draft that fails is left out, whatever the reason, but for one that every
// other would share.
func TestDraftFails(t *testing.T) {
	t.Parallel()
	first := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:1], nil }
	for name, tt := range map[string]struct {
		fault    faltest.Fault
		variants int
		finals   int
		posts    int
	}{
		"down":   {faltest.LateFailure(500, "internal_server_error", "failed"), 2, 1, 4},
		"policy": {faltest.LateFailure(422, "content_policy_violation", "no"), 2, 1, 4},
		"lost":   {faltest.LostAnswer(), 3, 1, 4}, // the history has it
		"reset":  {faltest.Reset(), 2, 1, 4},
		"locked": {faltest.LockedAccount(), 2, 0, 3},
		"money":  {faltest.Answer(402, `{"detail":"Payment required"}`), 2, 0, 3},
	} {
		srv, client := local(t)
		srv.InjectFor(schnell, faltest.OpSubmit, tt.fault, 1)
		if _, err := client.Now(t.Context()); err != nil { // before any is sent, so that all are at once
			t.Fatal(err)
		}
		out, err := studio.Draft(t.Context(), client, router.Task{Prompt: journalPrompt}, studio.Drafts{Count: 3}, first)
		if (err == nil) != (tt.finals > 0) || len(out.Variants) != tt.variants || len(out.Finals) != tt.finals || srv.Ledger().Posts != tt.posts {
			t.Errorf("%s: %d variants, %d finals, %d posts, %v", name, len(out.Variants), len(out.Finals), srv.Ledger().Posts, err)
		}
	}
}
