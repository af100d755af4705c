package studio_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// reopened opens a journal, as the next program does.
func reopened(t *testing.T, path string, work func(studio.Studio)) {
	t.Helper()
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	work(studio.Studio{Journal: j})
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// With a journal a task is paid once, however often it is done, and pictures of the
// same request are not taken for one.
func TestJournal(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	path := filepath.Join(t.TempDir(), "journal")
	task := router.Task{Prompt: posterPrompt, Count: 3, Only: []string{"qwen.Image2Pro"}}
	var first []fal.Image
	for i := range 2 {
		reopened(t, path, func(s studio.Studio) {
			out, err := s.Do(t.Context(), client, task)
			if err != nil || len(out.Images()) != 3 || out.Missing != 0 || out.Billed == 0 {
				t.Fatalf("%d: %v, %d pictures", i, err, len(out.Images()))
			}
			if i == 0 {
				first = out.Images()
			} else if first[0] != out.Images()[0] || first[0] == first[1] {
				t.Errorf("other pictures: %v and %v", first, out.Images())
			}
		})
	}
	posts := srv.Ledger().Posts
	reopened(t, path, func(s studio.Studio) {
		for range 2 {
			if _, err := s.Compare(t.Context(), client, router.Task{Prompt: posterPrompt}, []string{"flux.Pro2", "qwen.Image"}); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n := srv.Ledger().Posts - posts; n != 2 {
		t.Errorf("%d requests for two models", n)
	}
}

// A program that ends between drafts and finals goes on with the finals.
func TestJournalOfDrafts(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	path := filepath.Join(t.TempDir(), "journal")
	task, drafts := router.Task{Prompt: posterPrompt}, studio.Drafts{Count: 4, Finals: 1}
	reopened(t, path, func(s studio.Studio) {
		ended := errors.New("the program ends")
		_, err := s.Draft(t.Context(), client, task, drafts, func(context.Context, []studio.Variant) ([]studio.Variant, error) {
			return nil, ended
		})
		if !errors.Is(err, ended) {
			t.Fatal(err)
		}
	})
	posts := srv.Ledger().Posts
	reopened(t, path, func(s studio.Studio) {
		out, err := s.Draft(t.Context(), client, task, drafts, studio.ByScore(1, func(context.Context, studio.Variant) (float64, error) { return 1, nil }))
		if err != nil || len(out.Variants) != 4 || len(out.Finals) != 1 {
			t.Fatal(err)
		}
	})
	if n := srv.Ledger().Posts - posts; n != 1 {
		t.Errorf("%d requests for one final", n)
	}
}

// The guard of an option is asked with a journal too.
func TestJournalAsksTheGuard(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	s := studio.Studio{Journal: batch.Memory()}
	poor := fal.WithGuard(&spend.Budget{Limits: []spend.Limit{{Amount: pricing.Cent / 100}}})
	_, err := s.Do(t.Context(), client, router.Task{Prompt: posterPrompt}, poor)
	if _, ok := errors.AsType[*spend.BudgetError](err); !ok || srv.Ledger().Posts != 0 {
		t.Errorf("%d posts: %v", srv.Ledger().Posts, err)
	}
}

// An answer that is lost ends a task, and the next program does not send it again.
func TestJournalLostAnswer(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	j := batch.Memory()
	var ids []string
	for range 2 {
		out, err := studio.Studio{Journal: j}.Do(t.Context(), client, router.Task{Prompt: posterPrompt})
		if err != nil || len(out.Images()) != 1 {
			t.Fatal(err) // the history had it
		}
		ids = append(ids, out.Attempts[0].RequestID)
	}
	if srv.Ledger().Posts != 1 || ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("%d posts, %q", srv.Ledger().Posts, ids)
	}
}

// What is paid is on record before the next step: before the pick all drafts with what
// they were billed, and before another model what became of the one before.
func TestJournalBeforeTheNextStep(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
	client.Guard = budget
	j := batch.Memory()
	onRecord := func() (billed, failed int) {
		for row, err := range j.All(t.Context()) {
			switch {
			case err != nil:
				t.Error(err)
			case row.State == batch.Done && row.Units != "" && len(row.Result) > 0:
				billed++
			case row.State == batch.Failed && row.Failure.Billing == fal.NotBilled:
				failed++
			default:
				t.Errorf("%s is %s", row.Key, row.State)
			}
		}
		return billed, failed
	}
	var seen []string
	note := func(step string) {
		billed, failed := onRecord()
		seen = append(seen, fmt.Sprintf("%s: %d billed, %d failed, %v set aside", step, billed, failed, budget.Reserved()))
	}
	s := studio.Studio{Journal: j, Fallback: studio.Fallback{Before: func(context.Context, studio.Step) error {
		note("fallback")
		return nil
	}}}
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 1)
	out, err := s.Draft(t.Context(), client, router.Task{Prompt: journalPrompt}, studio.Drafts{Count: 3}, func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) {
		note("pick")
		return v[:1], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	note("end")
	want := []string{"pick: 3 billed, 0 failed, $0.00 set aside", "fallback: 3 billed, 1 failed, $0.00 set aside", "end: 4 billed, 1 failed, $0.00 set aside"}
	if diff := cmp.Diff(want, seen); diff != "" || budget.Spent() != out.Billed || out.Billed == 0 {
		t.Errorf("spent %v, billed %v (-want +got)\n%s", budget.Spent(), out.Billed, diff)
	}
}

// No more are made again than were priced, which is one by default.
func TestFinalsByDefault(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	two := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:2], nil }
	out, err := studio.Draft(t.Context(), client, router.Task{Prompt: journalPrompt}, studio.Drafts{}, two)
	if err == nil || !strings.Contains(err.Error(), "2 were picked, and 1 were priced") || len(out.Variants) != 4 || len(out.Finals) != 0 {
		t.Errorf("%d variants, %v", len(out.Variants), err)
	}
}

// A task that succeeded is not paid again, nor anything else made, however it came
// about: asked for once more, by another model, in two steps, or of drafts.
func TestJournalAgain(t *testing.T) {
	t.Parallel()
	down := faltest.LateFailure(500, "internal_server_error", "The model failed")
	busy := faltest.Answer(400, `{"detail":[{"loc":["body"],"msg":"Busy","type":"downstream_service_error"}]}`)
	gone := faltest.Answer(404, `{"detail":"Application not found"}`)
	task := router.Task{Prompt: posterPrompt}
	one := router.Task{Prompt: posterPrompt, Only: []string{"qwen.Image2Pro"}}
	pro := router.Task{Prompt: posterPrompt, Only: []string{"flux.Pro2", "flux.Turbo2"}} // a request for each picture
	drafts := studio.Drafts{Count: 3, Finals: 1, Models: []string{"flux.Schnell"}}
	for name, tt := range map[string]struct {
		task   router.Task
		drafts *studio.Drafts
		faults func(*faltest.Server)
		budget pricing.USD
		posts  int
	}{
		"asked once more":     {task: one, faults: func(s *faltest.Server) { s.Inject(faltest.OpSubmit, down, 1) }, posts: 2},
		"refused at first":    {task: one, faults: func(s *faltest.Server) { s.Inject(faltest.OpSubmit, busy, 1) }, posts: 2},
		"one of many":         {task: with(pro, func(t *router.Task) { t.Count = 12 }), faults: func(s *faltest.Server) { s.Inject(faltest.OpSubmit, down, 1) }, posts: 13},
		"with seeds":          {task: with(pro, func(t *router.Task) { t.Count, t.Seed = 12, fal.Seed(7) }), faults: func(s *faltest.Server) { s.Inject(faltest.OpSubmit, down, 1) }, posts: 13},
		"fewer":               {task: with(task, func(t *router.Task) { t.Count, t.Only = 4, []string{"qwen.Image"} }), faults: func(s *faltest.Server) { s.Inject(faltest.OpSubmit, keep(2), 1) }, posts: 3},
		"another model":       {task: task, faults: func(s *faltest.Server) { s.Inject(faltest.OpSubmit, down, 2) }, posts: 3},
		"a model refused":     {task: task, faults: func(s *faltest.Server) { s.Inject(faltest.OpSubmit, gone, 1) }, posts: 2},
		"two steps":           {task: sticker, faults: func(s *faltest.Server) { s.InjectFor(layered, faltest.OpSubmit, down, 1) }, posts: 3},
		"another first step":  {task: sticker, faults: func(s *faltest.Server) { s.InjectFor(pro2, faltest.OpSubmit, gone, 1) }, posts: 3},
		"within a budget":     {task: sticker, faults: func(*faltest.Server) {}, budget: 7 * cent, posts: 2},
		"drafts":              {task: pro, drafts: &drafts, faults: func(s *faltest.Server) { s.InjectFor(schnell, faltest.OpSubmit, down, 1) }, posts: 4},
		"final asked again":   {task: pro, drafts: &drafts, faults: func(s *faltest.Server) { s.InjectFor(pro2, faltest.OpSubmit, down, 1) }, posts: 5},
		"final of another":    {task: pro, drafts: &drafts, faults: func(s *faltest.Server) { s.InjectFor(pro2, faltest.OpSubmit, gone, 1) }, posts: 5},
		"finals of two steps": {task: sticker, drafts: &drafts, faults: func(s *faltest.Server) { s.InjectFor(layered, faltest.OpSubmit, down, 1) }, posts: 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			tt.faults(srv)
			if tt.budget > 0 {
				client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: tt.budget}}}
			}
			path := filepath.Join(t.TempDir(), "journal")
			var images []fal.Image
			var spent pricing.USD
			for i := range 3 {
				reopened(t, path, func(s studio.Studio) {
					out, err := doOrDraft(t, s, client, tt.task, tt.drafts)
					if err != nil || out.Missing != 0 || len(out.Images()) == 0 || srv.Ledger().Posts != tt.posts {
						t.Fatalf("%d: %v, %d pictures of %v, %d posts", i, err, len(out.Images()), models(out.Attempts), srv.Ledger().Posts)
					}
					if i == 0 {
						images, spent = out.Images(), out.Spent
					}
					if diff := cmp.Diff(urls(images), urls(out.Images())); diff != "" || out.Spent != spent {
						t.Errorf("%d: spent %v, then %v, pictures (-want +got)\n%s", i, spent, out.Spent, diff)
					}
				})
			}
		})
	}
}

// doOrDraft does a task, or makes drafts of it.
func doOrDraft(t *testing.T, s studio.Studio, c *fal.Client, task router.Task, d *studio.Drafts) (*studio.Outcome, error) {
	t.Helper()
	if d == nil {
		return s.Do(t.Context(), c, task)
	}
	out, err := s.Draft(t.Context(), c, task, *d, func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:1], nil })
	if out == nil {
		return &studio.Outcome{}, err
	}
	return &out.Outcome, err
}

// urls returns those of pictures, in their order.
func urls(images []fal.Image) []string {
	var out []string
	for _, m := range images {
		out = append(out, m.URL)
	}
	slices.Sort(out)
	return out
}

// A task that failed half-way goes on, and what is there is not made again.
func TestJournalHalfWay(t *testing.T) {
	t.Parallel()
	down := faltest.LateFailure(500, "internal_server_error", "The model failed")
	bad := faltest.Answer(400, `{"detail":"Bad"}`)
	gone := faltest.Answer(404, `{"detail":"Application not found"}`)
	three := router.Task{Prompt: posterPrompt, Count: 3, MaxPrice: pricing.Dollar, Only: []string{"flux.Pro2", "flux.Max2"}}
	for name, tt := range map[string]struct {
		task   router.Task
		faults func(*faltest.Server)
		budget pricing.USD
		images int
		calls  int // that make what was asked for
	}{
		"one of three": {task: three, faults: func(s *faltest.Server) { s.InjectFor(pro2, faltest.OpSubmit, bad, 1) }, images: 3, calls: 3},
		"by another model": {task: three, faults: func(s *faltest.Server) {
			s.InjectFor(pro2, faltest.OpSubmit, gone, 3)
			s.InjectFor("fal-ai/flux-2-max", faltest.OpSubmit, faltest.Changed(func(map[string]any) {}), 2)
			s.InjectFor("fal-ai/flux-2-max", faltest.OpSubmit, bad, 1)
		}, images: 3, calls: 3},
		"the first step asked again": {task: sticker, faults: func(s *faltest.Server) {
			s.InjectFor(pro2, faltest.OpSubmit, down, 1)
			s.InjectFor(layered, faltest.OpSubmit, bad, 1)
		}, images: 2, calls: 2},
		"the first step by another": {task: sticker, faults: func(s *faltest.Server) {
			s.InjectFor(pro2, faltest.OpSubmit, down, 2)
			s.InjectFor(layered, faltest.OpSubmit, bad, 1)
		}, images: 2, calls: 2},
		"with no more than it cost": {task: sticker, faults: func(s *faltest.Server) {
			s.InjectFor(layered, faltest.OpSubmit, bad, 1)
		}, budget: 8 * cent, images: 2, calls: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			tt.faults(srv)
			if tt.budget > 0 {
				client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: tt.budget}}}
			}
			path := filepath.Join(t.TempDir(), "journal")
			left := tt.calls
			reopened(t, path, func(s studio.Studio) {
				out, err := s.Do(t.Context(), client, tt.task)
				if err == nil || out.Missing == 0 {
					t.Fatalf("%v, %d missing", err, out.Missing)
				}
				for _, a := range out.Attempts {
					if a.Result != nil {
						left--
					}
				}
			})
			for range 2 {
				posts := srv.Ledger().Posts
				reopened(t, path, func(s studio.Studio) {
					out, err := s.Do(t.Context(), client, tt.task)
					if n := srv.Ledger().Posts - posts; err != nil || len(out.Images()) != tt.images || n != left {
						t.Errorf("%v, %d pictures of %v, %d posts, want %d", err, len(out.Images()), models(out.Attempts), n, left)
					}
				})
				left = 0
			}
		})
	}
}

// Drafts that all failed and were not charged are made when they are asked for again.
func TestJournalOfNoDraft(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(schnell, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 2)
	s := studio.Studio{Journal: batch.Memory()}
	for i, made := range []int{0, 2, 2} {
		out, err := s.Draft(t.Context(), client, router.Task{Prompt: journalPrompt}, studio.Drafts{Count: 2, Models: []string{"flux.Schnell"}}, theFirst)
		if (err == nil) != (made > 0) || len(out.Variants) != made {
			t.Errorf("%d: %d drafts, %v", i, len(out.Variants), err)
		}
	}
	if posts := srv.Ledger().Posts; posts != 5 { // each draft twice, and a final
		t.Errorf("%d posts", posts)
	}
}

// A request that is asked for once more keeps its row, so that a program that ends
// meanwhile leaves no failure to send again.
func TestJournalAsksOnceMore(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "The model failed"), 1)
	j := batch.Memory()
	if _, err := (studio.Studio{Journal: j}).Do(t.Context(), client, router.Task{Prompt: posterPrompt}); err != nil {
		t.Fatal(err)
	}
	var rows []batch.State
	for row, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row.State)
	}
	if diff := cmp.Diff([]batch.State{batch.Done}, rows); diff != "" || srv.Ledger().Posts != 2 {
		t.Errorf("%d posts, rows (-want +got)\n%s", srv.Ledger().Posts, diff)
	}
}
