package studio_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
