package studio_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

const qwenImage = "fal-ai/qwen-image" // up to four pictures a request, 2 cents each

// keep leaves so many pictures of a result, of which all are billed.
func keep(n int) faltest.Fault {
	return faltest.Changed(func(result map[string]any) {
		for _, field := range []string{"images", "has_nsfw_concepts"} {
			if list, ok := result[field].([]any); ok {
				result[field] = list[:min(n, len(list))]
			}
		}
	})
}

// Pictures that were asked for and did not come are made one by one, within the
// price, and never more than are missing.
func TestFewerPictures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		count, kept int
		times       int
		max         pricing.USD
		posts       int
		missing     int
		spent       pricing.USD
	}{
		"one":          {count: 4, kept: 3, times: 1, posts: 2, spent: 10 * cent},
		"three":        {count: 4, kept: 1, times: 1, posts: 4, spent: 14 * cent},
		"of two":       {count: 6, kept: 1, times: 2, posts: 6, spent: 20 * cent},
		"just enough":  {count: 4, kept: 1, times: 1, max: 14 * cent, posts: 4, spent: 14 * cent},
		"one too dear": {count: 4, kept: 1, times: 1, max: 13 * cent, posts: 3, missing: 1, spent: 12 * cent},
		"one is paid":  {count: 4, kept: 1, times: 1, max: 10 * cent, posts: 2, missing: 2, spent: 10 * cent},
		"nothing left": {count: 4, kept: 1, times: 1, max: 8 * cent, posts: 1, missing: 3, spent: 8 * cent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			srv.InjectFor(qwenImage, faltest.OpSubmit, keep(tt.kept), tt.times)
			task := router.Task{Prompt: posterPrompt, Count: tt.count, Size: fal.SquareHD, MaxPrice: tt.max, Only: []string{"qwen.Image"}, Seed: fal.Seed(100)}
			out, err := studio.Do(t.Context(), client, task)
			if (err != nil) != (tt.missing > 0) || out.Missing != tt.missing || len(out.Images()) != tt.count-tt.missing {
				t.Errorf("%d pictures, %d missing, %v", len(out.Images()), out.Missing, err)
			}
			if posts := srv.Ledger().Posts; posts != tt.posts || out.Spent != tt.spent || out.Billed != tt.spent {
				t.Errorf("%d posts, spent %v, billed %v, want %d and %v", posts, out.Spent, out.Billed, tt.posts, tt.spent)
			}
			// What is made later must not be what is there.
			var seeds []uint64
			for _, a := range out.Attempts {
				if seeds = append(seeds, *a.Seed); a.Result.Seed != *a.Seed {
					t.Errorf("sent seed %d, noted %d", a.Result.Seed, *a.Seed)
				}
			}
			slices.Sort(seeds)
			if len(slices.Compact(slices.Clone(seeds))) != len(seeds) || len(seeds) > 1 && tt.times == 1 && seeds[1] < 104 {
				t.Errorf("seeds %v", seeds)
			}
		})
	}
}

// Where the model that was short fails then, another one goes on.
func TestFewerThenDown(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(qwenImage, faltest.OpSubmit, faltest.Changed(func(result map[string]any) {
		if list, ok := result["images"].([]any); ok {
			result["images"] = list[:3]
		}
		srv.InjectFor(qwenImage, faltest.OpSubmit, faltest.ServerError(500), 2) // from then on
	}), 1)
	more := studio.Studio{Fallback: studio.Fallback{Amount: cent}}
	out, err := more.Do(t.Context(), client, router.Task{Prompt: posterPrompt, Count: 4, Size: fal.SquareHD, Only: []string{"qwen.Image", "flux.Schnell"}})
	if diff := cmp.Diff([]string{"qwen.Image", "qwen.Image!", "qwen.Image!", "flux.Schnell"}, models(out.Attempts)); diff != "" || err != nil || len(out.Images()) != 4 {
		t.Errorf("%d pictures, %v (-want +got)\n%s", len(out.Images()), err, diff)
	}
}

// A comparison makes what is missing, too, and its bound is that of all.
func TestFewerCompared(t *testing.T) {
	t.Parallel()
	for limit, missing := range map[pricing.USD]int{0: 0, 22 * cent: 0, 21 * cent: 1, 20 * cent: 1} {
		srv, client := local(t)
		srv.InjectFor(qwenImage, faltest.OpSubmit, keep(3), 1)
		task := router.Task{Prompt: posterPrompt, Count: 4, Size: fal.SquareHD, MaxPrice: limit, Not: []string{"qwen.Image"}} // which names override
		out, err := studio.Compare(t.Context(), client, task, []string{"qwen.Image", "flux.Pro2"})
		if err != nil {
			t.Fatal(err)
		}
		m := out.Models[0]
		if m.Missing != missing || (m.Err != nil) != (missing > 0) || len(m.Images()) != 4-missing || limit > 0 && out.Spent > limit {
			t.Errorf("limit %v: %d missing, %d pictures for %v, %v", limit, m.Missing, len(m.Images()), out.Spent, m.Err)
		}
		if missing > 0 && !strings.Contains(out.Section(t.Context(), client).Entries[0].Reasons[0], "3 of 4 pictures came") {
			t.Errorf("the sheet does not tell: %q", out.Section(t.Context(), client).Entries[0].Reasons)
		}
	}
}

// A flagged draft is kept and shown, and not among those to pick from.
func TestFlaggedDrafts(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]fal.Option{"told": nil, "refused": {fal.RefuseFlagged()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			srv.InjectFor(schnell, faltest.OpSubmit, faltest.NSFW(), 2)
			given := 0
			all := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) {
				given = len(v)
				return v[:1], nil
			}
			task := router.Task{Prompt: journalPrompt, Size: fal.SquareHD}
			out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 4}, all, opts...)
			if err != nil || given != 2 || len(out.Variants) != 4 || len(out.Finals) != 1 || out.Picked[0].Flagged(0) {
				t.Fatalf("%d of %d variants were given, %v", given, len(out.Variants), err)
			}
			flagged := 0
			for _, e := range out.Sections(t.Context(), client)[0].Entries {
				if e.Flagged {
					flagged++
				}
			}
			if flagged != 2 {
				t.Errorf("%d pictures are marked", flagged)
			}
			// If all are, nothing is picked.
			srv.InjectFor(schnell, faltest.OpSubmit, faltest.NSFW(), 2)
			given = 0
			out, err = studio.Draft(t.Context(), client, task, studio.Drafts{Count: 2}, all, opts...)
			if err == nil || !strings.Contains(err.Error(), "flagged all 2") || given != 0 || len(out.Variants) != 2 {
				t.Errorf("%d were given, %v", given, err)
			}
			if (name == "refused") != errors.Is(err, fal.ErrFlagged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A flagged picture that is refused ends the work: the picture is there, and paid.
func TestFlaggedRefused(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(schnell, faltest.OpSubmit, faltest.NSFW(), 2)
	task := router.Task{Prompt: "a mug", Only: []string{"flux.Schnell"}}
	out, err := studio.Do(t.Context(), client, task, fal.RefuseFlagged())
	if !errors.Is(err, fal.ErrFlagged) || srv.Ledger().Posts != 1 || len(out.Images()) != 1 || !out.Attempts[0].Flagged(0) || out.Attempts[0].Flagged(1) {
		t.Errorf("%v, %d posts, %v", models(out.Attempts), srv.Ledger().Posts, err)
	}
	out, err = studio.Do(t.Context(), client, task)
	if err != nil || !out.Attempts[0].Flagged(0) || out.Billed == 0 || new(studio.Attempt).Flagged(0) {
		t.Errorf("%v", err)
	}
}

// A picture that is black where the model does not tell why counts as flagged.
func TestBlack(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(schnell, faltest.OpSubmit, faltest.NSFW(), 1)
	srv.InjectFor(schnell, faltest.OpSubmit, faltest.Changed(func(result map[string]any) { delete(result, "has_nsfw_concepts") }), 1)
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: "a mug", Only: []string{"flux.Schnell"}}, fal.RefuseFlagged())
	if !errors.Is(err, fal.ErrFlagged) || !out.Attempts[0].Flagged(0) || out.Attempts[0].Result.Flagged(0) {
		t.Errorf("got %v", err)
	}
}

// A failure ends a run of many requests: those under way finish, and no others
// begin.
func TestRunStops(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 30)
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: journalPrompt, Count: 30, Only: []string{"flux.Pro2"}})
	if !errors.Is(err, fal.ErrContentPolicy) || srv.Ledger().Posts != 8 || len(out.Attempts) != 8 || out.Missing != 30 {
		t.Errorf("%d posts, %d attempts, %d missing, %v", srv.Ledger().Posts, len(out.Attempts), out.Missing, err)
	}
}

// Runs that stop give back what they hold: others that share the limit of requests
// under way are not left waiting.
func TestRunsStopTogether(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	no := errors.New("no")
	client.Guard = refusing{no}
	models := []string{
		"flux.Pro2", "flux.Max2", "flux.Flex2", "flux.Dev2", "flux.Turbo2", "flux.Flash2", "flux.Klein4B", "flux.Klein9B",
		"flux.Pro11", "flux.Pro11Ultra", "flux.Schnell", "flux.Dev", "flux.Krea", "qwen.Image", "qwen.Image2512", "qwen.Max",
	}
	done := make(chan *studio.Comparison, 1)
	go func() {
		out, err := studio.Compare(t.Context(), client, router.Task{Prompt: "a mug", Count: 200}, models)
		if err != nil {
			t.Error(err)
		}
		done <- out
	}()
	select {
	case out := <-done:
		for _, m := range out.Models {
			if !errors.Is(m.Err, no) || len(m.Attempts) > 16 {
				t.Errorf("%v: %d attempts, %v", m.Candidate.Model, len(m.Attempts), m.Err)
			}
		}
	case <-time.After(time.Minute):
		t.Fatal("the comparison never ends")
	}
}

// Models that the caller bans stay banned when others fail, and the caller's
// list is as it was.
func TestNotStays(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.Inject(faltest.OpSubmit, faltest.ServerError(500), 6) // each model is asked twice
	room := []string{"flux.Max2", "mine", "mine"}
	task := router.Task{Prompt: journalPrompt, Not: room[:1:3]}
	out, err := studio.Do(t.Context(), client, task)
	if err != nil || len(out.Attempts) != 7 || slices.Contains(models(out.Attempts), "flux.Max2") || slices.Contains(models(out.Attempts), "flux.Max2!") {
		t.Errorf("%v, %v", models(out.Attempts), err)
	}
	if diff := cmp.Diff([]string{"flux.Max2", "mine", "mine"}, room); diff != "" {
		t.Errorf("the caller's list (-want +got)\n%s", diff)
	}
	// After as many models nothing more is tried.
	srv.Inject(faltest.OpSubmit, faltest.ServerError(500), 8)
	if out, err := studio.Do(t.Context(), client, task); err == nil || len(out.Attempts) != 8 {
		t.Errorf("%v, %v", models(out.Attempts), err)
	}
}

// Of equal drafts the earlier counts, and none is made twice.
func TestPickOnce(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	task := router.Task{Prompt: "a mug", Size: fal.SquareHD, Only: []string{"flux.Schnell"}}
	same := func(context.Context, studio.Variant) (float64, error) { return 1, nil }
	out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 5, Finals: 3}, studio.ByScore(3, same))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range out.Picked {
		if v.Index != i {
			t.Errorf("pick %d is draft %d", i, v.Index)
		}
	}
	twice := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) {
		return []studio.Variant{v[1], v[1]}, nil
	}
	if out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 3, Finals: 2}, twice); err == nil || len(out.Finals) != 0 {
		t.Errorf("a draft was picked twice: %v", err)
	}
	for n, want := range map[int]int{9: 2, 0: 0, -1: 0} {
		if v, err := studio.ByScore(n, same)(t.Context(), out.Variants[:2]); err != nil || len(v) != want {
			t.Errorf("%d of 2 for %d, %v", len(v), n, err)
		}
	}
}

// What was refused before anything was sent says so.
func TestNotSent(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	pick := studio.ByScore(1, func(context.Context, studio.Variant) (float64, error) { return 0, nil })
	_, task := studio.Do(t.Context(), client, router.Task{})
	_, model := studio.Do(t.Context(), client, router.Task{Prompt: "a", MaxPrice: 1})
	_, count := studio.Draft(t.Context(), client, router.Task{Prompt: "a"}, studio.Drafts{Count: -1}, pick)
	_, approve := studio.Draft(t.Context(), client, router.Task{Prompt: "a"}, studio.Drafts{Approve: func(*studio.DraftPlan) error { return errors.New("no") }}, pick)
	_, unpicked := studio.Draft(t.Context(), client, router.Task{Prompt: "a"}, studio.Drafts{}, nil)
	_, compare := studio.Compare(t.Context(), client, router.Task{Prompt: "a"}, nil)
	for name, err := range map[string]error{"task": task, "model": model, "count": count, "approve": approve, "pick": unpicked, "compare": compare} {
		if err == nil || !fal.NotSent(err) || fal.Charged(err) != fal.NotBilled {
			t.Errorf("%s: %v", name, err)
		}
	}
}
