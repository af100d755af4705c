package studio_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// Prompts of the comparison article.
const (
	posterPrompt  = "A vintage movie poster for a film called 'The Last Garden' starring Elena Voss, with tagline 'Some things grow back stronger' in serif typography, 1970s Saul Bass-inspired design"
	journalPrompt = "Close-up of a weathered leather journal on a wooden desk, fountain pen resting across the open pages, warm afternoon light from a nearby window casting long shadows, shallow depth of field, shot on 85mm lens"
)

const (
	cent    = pricing.Cent
	pro2    = "fal-ai/flux-2-pro"
	schnell = "fal-ai/flux/schnell"
)

// local returns a local fal and a client that does not repeat what fails.
func local(t testing.TB, opts ...faltest.Option) (*faltest.Server, *fal.Client) {
	t.Helper()
	srv := faltest.NewServer(t, opts...)
	client := srv.Client()
	client.Logger = slog.New(slog.DiscardHandler)
	client.Retry = fal.Retry{MaxAttempts: 1}
	return srv, client
}

// models returns the models of the attempts, with "!" for those that failed.
func models(attempts []studio.Attempt) []string {
	var out []string
	for _, a := range attempts {
		name := a.Model.Name
		if a.Err != nil {
			name += "!"
		}
		out = append(out, name)
	}
	return out
}

// What another model may not share leads to the next best; what it would share,
// or what may have been accepted, does not.
func TestDo(t *testing.T) {
	t.Parallel()
	down := faltest.LateFailure(http.StatusInternalServerError, "internal_server_error", "The model failed")
	for name, tt := range map[string]struct {
		op      faltest.Op
		fault   faltest.Fault
		models  []string
		posts   int
		billed  pricing.USD
		spent   pricing.USD
		unknown bool // it is unknown whether the request was accepted
	}{
		"well":           {models: []string{"flux.Pro2"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"model fails":    {op: faltest.OpSubmit, fault: down, models: []string{"flux.Pro2!", "flux.Max2"}, posts: 2, billed: 7 * cent, spent: 7 * cent},
		"input refused":  {op: faltest.OpSubmit, fault: faltest.LateFailure(422, "image_too_small", "Too small"), models: []string{"flux.Pro2!", "flux.Max2"}, posts: 2, billed: 7 * cent, spent: 10 * cent},
		"refused":        {op: faltest.OpSubmit, fault: faltest.ServerError(http.StatusInternalServerError), models: []string{"flux.Pro2!", "flux.Max2"}, posts: 2, billed: 7 * cent, spent: 7 * cent},
		"lost answer":    {op: faltest.OpSubmit, fault: faltest.LostAnswer(), models: []string{"flux.Pro2!"}, posts: 1, spent: 3 * cent, unknown: true},
		"reset":          {op: faltest.OpSubmit, fault: faltest.Reset(), models: []string{"flux.Pro2!"}, posts: 1, spent: 3 * cent, unknown: true},
		"error page":     {op: faltest.OpSubmit, fault: faltest.ErrorPage(http.StatusBadGateway), models: []string{"flux.Pro2!"}, posts: 1, spent: 3 * cent, unknown: true},
		"content policy": {op: faltest.OpSubmit, fault: faltest.LateFailure(422, "content_policy_violation", "Flagged"), models: []string{"flux.Pro2!"}, posts: 1, spent: 3 * cent},
		"locked":         {op: faltest.OpSubmit, fault: faltest.LockedAccount(), models: []string{"flux.Pro2!"}, posts: 1},
		"too many":       {op: faltest.OpSubmit, fault: faltest.TooManyRequests(time.Second), models: []string{"flux.Pro2!"}, posts: 1},
		"result lost":    {op: faltest.OpResult, fault: faltest.TruncatedBody(), models: []string{"flux.Pro2!"}, posts: 1, spent: 3 * cent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			if tt.op != "" {
				srv.Inject(tt.op, tt.fault, 1)
			}
			out, err := studio.Do(t.Context(), client, router.Task{Prompt: journalPrompt})
			if diff := cmp.Diff(tt.models, models(out.Attempts)); diff != "" {
				t.Errorf("attempts (-want +got)\n%s%v", diff, err)
			}
			failed := strings.HasSuffix(tt.models[len(tt.models)-1], "!")
			if (err != nil) != failed || len(out.Images()) > 0 == failed {
				t.Errorf("%d pictures, %v", len(out.Images()), err)
			}
			if _, unknown := errors.AsType[*fal.OutcomeUnknownError](err); unknown != tt.unknown {
				t.Errorf("got %v", err)
			}
			if posts := srv.Ledger().Posts; posts != tt.posts {
				t.Errorf("%d posts, want %d", posts, tt.posts)
			}
			if out.Billed != tt.billed || out.Spent != tt.spent {
				t.Errorf("billed %v, spent %v, want %v and %v", out.Billed, out.Spent, tt.billed, tt.spent)
			}
		})
	}
}

// The price cap is that of the whole task: what failed and may have been
// charged counts.
func TestDoWithinPrice(t *testing.T) {
	t.Parallel()
	refused := faltest.LateFailure(422, "image_too_small", "Too small") // may be charged
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, refused, 1)
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: journalPrompt, MaxPrice: 5 * cent})
	if err != nil || out.Spent > 5*cent || len(out.Attempts) != 2 || out.Attempts[1].Quote.Max > 2*cent {
		t.Errorf("%v for %v, %v", models(out.Attempts), out.Spent, err)
	}
	// Nothing that is left is enough.
	srv.InjectFor(pro2, faltest.OpSubmit, refused, 1)
	posts := srv.Ledger().Posts
	out, err = studio.Do(t.Context(), client, router.Task{Prompt: journalPrompt, MaxPrice: 3 * cent})
	if err == nil || srv.Ledger().Posts != posts+1 || out.Spent != 3*cent {
		t.Errorf("%v for %v, %v", models(out.Attempts), out.Spent, err)
	}
	if e, ok := errors.AsType[*fal.Error](err); !ok || e.Status != 422 {
		t.Errorf("the failure is not told: %v", err)
	}
}

// A budget that refuses leads to a cheaper model, and nothing is sent before.
func TestDoWithinBudget(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: 2 * cent}}}
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: journalPrompt})
	if err != nil || srv.Ledger().Posts != 1 || out.Spent > 2*cent {
		t.Errorf("%v for %v, %v, %d posts", models(out.Attempts), out.Spent, err, srv.Ledger().Posts)
	}
}

// Of several pictures, the next model makes only those that are missing.
func TestDoTheRest(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "failed"), 2)
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: journalPrompt, Count: 5, Seed: fal.Seed(10)})
	if err != nil || len(out.Images()) != 5 {
		t.Fatalf("%d pictures, %v", len(out.Images()), err)
	}
	failed := 0
	for _, a := range out.Attempts {
		if a.Err != nil {
			failed++
		}
	}
	if failed != 2 {
		t.Errorf("%v", models(out.Attempts))
	}
}

func TestDoStopsWithContext(t *testing.T) {
	t.Parallel()
	srv, client := local(t, faltest.RunTime(time.Minute))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	out, err := studio.Do(ctx, client, router.Task{Prompt: journalPrompt})
	if !errors.Is(err, context.DeadlineExceeded) || srv.Ledger().Posts != 1 || out.Attempts[0].RequestID == "" {
		t.Errorf("%v, %v, %d posts", out.Attempts, err, srv.Ledger().Posts)
	}
}

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
	for k, o := range out.Finals {
		if got := *o.Attempts[0].Seed; got != *out.Picked[k].Seed || o.Attempts[0].Model.Name != "flux.Pro2" {
			t.Errorf("final %d: %s with seed %d", k, o.Attempts[0].Model.Name, got)
		}
	}
	if posts := srv.Ledger().Posts; posts != 10 {
		t.Errorf("%d posts, want 10", posts)
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

// The last of several requests may make fewer pictures, and cost less.
func TestQuoteOfTheLast(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: "a sign 'OPEN'", Count: 5, Size: fal.SquareHD, Only: []string{"qwen.Image"}})
	if err != nil || len(out.Attempts) != 2 || out.Attempts[0].Quote.Max != 8*cent || out.Attempts[1].Quote.Max != 2*cent || out.Billed != 10*cent {
		t.Errorf("%+v, %v", out, err)
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
		out, err := studio.Studio{Router: r}.Draft(t.Context(), client, task, studio.Drafts{Count: 2, Models: []string{"flux.Schnell"}}, first)
		if err == nil || len(out.Variants) != 2 || srv.Ledger().Posts != 2 || out.Spent != 24*cent/10 {
			t.Errorf("limit %v: %d posts, spent %v, %v", limit, srv.Ledger().Posts, out.Spent, err)
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
	for _, d := range []studio.Drafts{{Count: -1}, {Count: 1, Finals: 2}, {Count: 1 << 30}} {
		if _, err := studio.PlanDrafts(task, d); err == nil {
			t.Errorf("%+v was accepted", d)
		}
	}
	if posts := srv.Ledger().Posts; posts != 0 {
		t.Fatalf("%d posts, want none", posts)
	}
	for name, pick := range map[string]studio.Pick{
		"beyond": func(context.Context, []studio.Variant) ([]studio.Variant, error) {
			return []studio.Variant{{Index: 9}}, nil
		},
		"many":    func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v, nil },
		"none":    func(context.Context, []studio.Variant) ([]studio.Variant, error) { return nil, nil },
		"error":   func(context.Context, []studio.Variant) ([]studio.Variant, error) { return nil, no },
		"scoring": studio.ByScore(1, func(context.Context, studio.Variant) (float64, error) { return 0, no }),
		"nil":     nil,
	} {
		if out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 2}, pick); err == nil || len(out.Finals) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A draft that fails is left out; a lost one ends the work.
	srv.InjectFor(schnell, faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "failed"), 1)
	if out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 3}, first); err != nil || len(out.Variants) != 2 || len(out.Finals) != 1 {
		t.Errorf("%d variants, %v", len(out.Variants), err)
	}
	srv.InjectFor(schnell, faltest.OpSubmit, faltest.LostAnswer(), 1)
	out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 3}, first)
	if _, unknown := errors.AsType[*fal.OutcomeUnknownError](err); !unknown || len(out.Finals) != 0 {
		t.Errorf("got %v", err)
	}
}

// Models are compared at once, in the order asked for.
func TestCompare(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor("fal-ai/qwen-image", faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "failed"), 1)
	names := []string{"qwen.Image2Pro", "flux.Pro2", "qwen.Image", "fal-ai/flux/schnell"}
	out, err := studio.Compare(t.Context(), client, router.Task{Prompt: posterPrompt, Not: []string{"flux"}}, names)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range out.Models {
		got = append(got, m.Candidate.Model.Name)
		if (m.Err != nil) != (m.Candidate.Model.Name == "qwen.Image") || m.Err == nil && len(m.Images()) != 1 {
			t.Errorf("%s: %v", m.Candidate.Model.Name, m.Err)
		}
	}
	names[3] = "flux.Schnell"
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if want := 75*cent/10 + 3*cent + 3*cent/10; out.Billed != want {
		t.Errorf("billed %v, want %v", out.Billed, want)
	}
	posts := srv.Ledger().Posts
	for name, task := range map[string]router.Task{
		"over max_price": {Prompt: posterPrompt, MaxPrice: cent},
		"cannot serve":   {Prompt: posterPrompt, Format: "webp"},
	} {
		if _, err := studio.Compare(t.Context(), client, task, names); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := studio.Compare(t.Context(), client, router.Task{Prompt: "x"}, nil); err == nil {
		t.Error("no models were accepted")
	}
	if srv.Ledger().Posts != posts {
		t.Error("something was sent")
	}

	section := out.Section(t.Context(), client)
	var titles []string
	for _, e := range section.Entries {
		titles = append(titles, e.Title)
		if (e.Error == "") != (len(e.Picture) > 0) || e.Endpoint == "fal-ai/qwen-image-2/pro/text-to-image" && len(e.Reasons) == 0 {
			t.Errorf("%s: %d bytes, error %q, reasons %q", e.Title, len(e.Picture), e.Error, e.Reasons)
		}
	}
	if diff := cmp.Diff([]string{"Qwen Image 2.0 Pro", "FLUX.2 [pro]", "Qwen Image", "FLUX.1 [schnell]"}, titles); diff != "" || section.Prompt != posterPrompt {
		t.Errorf("section (-want +got)\n%s", diff)
	}
}

// The upscaler's single picture is read like the others.
func TestUpscale(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	made, err := studio.Do(t.Context(), client, router.Task{Prompt: "x", Size: fal.SquareHD, Stage: router.StageDraft})
	if err != nil {
		t.Fatal(err)
	}
	file := made.Images()[0].File()
	pictures, err := studio.RemotePictures(t.Context(), client, file)
	if err != nil || pictures[0].Width != 1024 {
		t.Fatalf("%+v, %v", pictures, err)
	}
	out, err := studio.Do(t.Context(), client, router.Task{Pictures: pictures, Edit: router.EditUpscale, Scale: 2})
	if err != nil || len(out.Images()) != 1 || out.Attempts[0].Model.Name != "flux.VisionUpscaler" {
		t.Errorf("%v, %v", models(out.Attempts), err)
	}
}
