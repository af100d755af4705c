package studio_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// theFirst picks the first draft.
func theFirst(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[:1], nil }

// A final may go from the picture of its draft, with a strength that the plan has
// a price for.
func TestFinalsWithStrength(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	task := router.Task{Prompt: journalPrompt, Only: []string{"flux.DevImageToImage"}}
	drafts := studio.Drafts{Count: 2, Strength: new(0.6)}
	out, err := studio.Draft(t.Context(), client, task, drafts, theFirst)
	if err != nil || len(out.Finals) != 1 {
		t.Fatal(err)
	}
	request, ok := out.Finals[0].Attempts[0].Request.(flux.DevImageToImage)
	if url, _ := request.ImageURL.URL(); !ok || *request.Strength != 0.6 || request.Prompt != journalPrompt || url != out.Variants[0].Image.URL {
		t.Errorf("the final is %+v", out.Finals[0].Attempts[0].Request)
	}
	if want := 2*out.Plan.Draft.Max + out.Plan.Final.Max; out.Plan.Cost.Max != want || out.Plan.Final.Max != 3*cent || out.Spent > want {
		t.Errorf("planned %v, want %v; spent %v", out.Plan.Cost.Max, want, out.Spent)
	}
	// A model without a strength makes none of them.
	task.Only = []string{"flux.KontextPro"}
	if _, err := studio.PlanDrafts(task, drafts); err == nil {
		t.Error("Kontext was planned with a strength")
	}
	drafts.Strength, task.Only = new(2.0), nil
	if _, err := studio.PlanDrafts(task, drafts); err == nil || !strings.Contains(err.Error(), "strength") {
		t.Errorf("a strength of 2: %v", err)
	}
}

// The same model keeps the seed and the steps of its draft.
func TestSameModelKeepsSeedAndSteps(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	task := router.Task{Prompt: "a mug", Steps: 20, Only: []string{"flux.Dev2"}}
	out, err := studio.Draft(t.Context(), client, task, studio.Drafts{Count: 2, Models: []string{"flux.Dev2"}}, theFirst)
	if err != nil {
		t.Fatal(err)
	}
	draft, ok := out.Picked[0].Request.(flux.Dev2)
	final, also := out.Finals[0].Attempts[0].Request.(flux.Dev2)
	if !ok || !also || *draft.Seed != *final.Seed || draft.NumInferenceSteps != 20 || final.NumInferenceSteps != 20 {
		t.Errorf("the draft is %+v, the final %+v", draft, final)
	}
}

// What the budget of the client does not allow as a whole is refused before the
// first draft.
func TestFinalsBeyondTheBudget(t *testing.T) {
	t.Parallel()
	task := router.Task{Prompt: journalPrompt} // 4 drafts of 0.3 cents, a final of 3
	for limit, fits := range map[pricing.USD]bool{42 * cent / 10: true, 41 * cent / 10: false} {
		srv, client := local(t)
		client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: limit}, {Amount: pricing.Dollar, Tag: spend.Tag{Name: "tenant"}}}}
		_, err := studio.Draft(t.Context(), client, task, studio.Drafts{}, theFirst)
		_, budget := errors.AsType[*spend.BudgetError](err)
		if budget == fits || !fits && srv.Ledger().Posts != 0 {
			t.Errorf("limit %v: %v, %d posts", limit, err, srv.Ledger().Posts)
		}
	}
	srv, client := local(t)
	client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: cent, Tag: spend.Tag{Name: "tenant"}}}}
	ctx := spend.WithTags(t.Context(), map[string]string{"tenant": "acme"})
	if _, err := studio.Draft(ctx, client, task, studio.Drafts{}, theFirst); err == nil || srv.Ledger().Posts != 0 {
		t.Errorf("the tenant's budget: %v", err)
	}
}

// A million pictures are not in memory before the first is made.
func TestMillionPictures(t *testing.T) {
	srv, client := local(t)
	no := errors.New("no")
	client.Guard = refusing{no}
	task := router.Task{Prompt: "a mug", Count: 1_000_000, Only: []string{"flux.Pro2"}}
	bytes := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := studio.Do(t.Context(), client, task); !errors.Is(err, no) {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if bytes > 4*schema.Megapixel || srv.Ledger().Posts != 0 {
		t.Errorf("%d bytes for a million pictures of which none is made", bytes)
	}
}

// refusing is a guard that lets nothing pass.
type refusing struct{ err error }

func (r refusing) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	return nil, r.err
}

// What is said of a picture is said of the model that made it, not of the one that
// was to make it.
func TestReasonsOfTheMaker(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 1)
	task := router.Task{Prompt: journalPrompt, NegativePrompt: "people", Only: []string{"flux.Pro2", "qwen.Image2512"}}
	policy := router.DefaultPolicy()
	policy.Losses[router.FeatureNegative] = 0 // so that a model without is the first
	chooser, err := router.New(policy)
	if err != nil {
		t.Fatal(err)
	}
	out, err := studio.Studio{Router: chooser}.Draft(t.Context(), client, task, studio.Drafts{Count: 1, Models: []string{"flux.Schnell"}}, theFirst)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"flux.Pro2!", "qwen.Image2512"}, models(out.Finals[0].Attempts)); diff != "" {
		t.Fatal(diff)
	}
	finals := out.Sections(t.Context(), client)[1].Entries
	for i, lost := range []bool{true, false} {
		if got := strings.Contains(strings.Join(finals[i].Reasons, ";"), "has no negative prompt"); got != lost {
			t.Errorf("%s: %q", finals[i].Title, finals[i].Reasons)
		}
	}
}

// With a journal, the seeds of drafts are those that their prompts tell, within
// what every model takes.
func TestSeedsOfAJournal(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	first := make(map[uint64]string)
	for _, prompt := range []string{"a mug", "a cup", "a jug", "a vase"} {
		for range 2 {
			out, err := studio.Studio{Journal: batch.Memory()}.Draft(t.Context(), client, router.Task{Prompt: prompt}, studio.Drafts{Count: 2}, theFirst)
			if err != nil {
				t.Fatal(err)
			}
			seed := *out.Variants[0].Seed
			if seed >= 1<<31 || *out.Variants[1].Seed != seed+1 || first[seed] != "" && first[seed] != prompt {
				t.Errorf("%s: seed %d, also of %q", prompt, seed, first[seed])
			}
			first[seed] = prompt
		}
	}
	if len(first) != 4 {
		t.Errorf("%d seeds of 4 prompts", len(first))
	}
}

// What an outcome adds up is that of its attempts: the winner, and those whose
// price is not known.
func TestOutcome(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	for model, unpriced := range map[string]int{"flux.Pro2": 0, "flux.Klein9BBase": 1} {
		out, err := studio.Do(t.Context(), client, router.Task{Prompt: "a mug", Only: []string{model}, UnknownPrice: true})
		if err != nil || out.Winner() == nil || out.Winner().Model.Name != model || out.Unpriced != unpriced {
			t.Errorf("%s: %v, won by %v, %d without a price", model, err, out.Winner(), out.Unpriced)
		}
	}
}
