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
		times   int
		models  []string
		posts   int
		billed  pricing.USD
		spent   pricing.USD
		unknown bool // it is unknown whether the request was accepted
		blind   bool // the history cannot be read
	}{
		"well":            {models: []string{"flux.Pro2"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"model fails":     {op: faltest.OpSubmit, fault: down, models: []string{"flux.Pro2!", "flux.Pro2"}, posts: 2, billed: 3 * cent, spent: 3 * cent},
		"model is down":   {op: faltest.OpSubmit, fault: down, times: 2, models: []string{"flux.Pro2!", "flux.Pro2!", "flux.Turbo2"}, posts: 3, billed: 8 * cent / 10, spent: 8 * cent / 10},
		"no picture made": {op: faltest.OpSubmit, fault: faltest.LateFailure(422, "no_media_generated", "None"), models: []string{"flux.Pro2!"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"downstream":      {op: faltest.OpSubmit, fault: faltest.Answer(400, `{"detail":[{"loc":["body"],"msg":"Busy","type":"downstream_service_error"}]}`), models: []string{"flux.Pro2!", "flux.Pro2"}, posts: 2, billed: 3 * cent, spent: 3 * cent},
		"bad request":     {op: faltest.OpSubmit, fault: faltest.Answer(400, `{"detail":"Bad Request"}`), models: []string{"flux.Pro2!"}, posts: 1},
		"too large":       {op: faltest.OpSubmit, fault: faltest.Answer(413, `{"detail":"Too large"}`), models: []string{"flux.Pro2!"}, posts: 1},
		"odd field":       {op: faltest.OpSubmit, fault: faltest.Answer(422, `{"detail":[{"loc":["body","seed"],"msg":"odd","type":"value_error"}]}`), models: []string{"flux.Pro2!", "flux.Turbo2"}, posts: 2, billed: 8 * cent / 10, spent: 8 * cent / 10},
		// It was charged, and nothing is left of what was approved.
		"input refused":  {op: faltest.OpSubmit, fault: faltest.LateFailure(422, "image_too_small", "Too small"), models: []string{"flux.Pro2!"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"refused":        {op: faltest.OpSubmit, fault: faltest.ServerError(http.StatusInternalServerError), models: []string{"flux.Pro2!", "flux.Pro2"}, posts: 2, billed: 3 * cent, spent: 3 * cent},
		"lost answer":    {op: faltest.OpSubmit, fault: faltest.LostAnswer(), models: []string{"flux.Pro2"}, posts: 1, billed: 3 * cent, spent: 3 * cent}, // the history has it
		"lost for good":  {op: faltest.OpSubmit, fault: faltest.LostAnswer(), models: []string{"flux.Pro2!"}, posts: 1, spent: 3 * cent, unknown: true, blind: true},
		"reset":          {op: faltest.OpSubmit, fault: faltest.Reset(), models: []string{"flux.Pro2!"}, posts: 1, spent: 3 * cent, unknown: true},
		"error page":     {op: faltest.OpSubmit, fault: faltest.ErrorPage(http.StatusBadGateway), models: []string{"flux.Pro2!"}, posts: 1, spent: 3 * cent, unknown: true},
		"content policy": {op: faltest.OpSubmit, fault: faltest.LateFailure(422, "content_policy_violation", "Flagged"), models: []string{"flux.Pro2!"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"no download":    {op: faltest.OpSubmit, fault: faltest.LateFailure(422, "file_download_error", "Failed"), models: []string{"flux.Pro2!"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"no picture":     {op: faltest.OpSubmit, fault: faltest.LateFailure(422, "image_load_error", "Failed"), models: []string{"flux.Pro2!"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"format":         {op: faltest.OpSubmit, fault: faltest.LateFailure(422, "unsupported_image_format", "Failed"), models: []string{"flux.Pro2!"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"second field":   {op: faltest.OpSubmit, fault: faltest.Answer(422, `{"detail":[{"loc":["body","seed"],"msg":"odd","type":"value_error"},{"loc":["body","image_url"],"msg":"Failed","type":"file_download_error"}]}`), models: []string{"flux.Pro2!"}, posts: 1},
		"no key":         {op: faltest.OpSubmit, fault: faltest.Answer(401, `{"detail":"No user found"}`), models: []string{"flux.Pro2!"}, posts: 1},
		"no payment":     {op: faltest.OpSubmit, fault: faltest.Answer(402, "Pay-as-you go is not enabled"), models: []string{"flux.Pro2!"}, posts: 1},
		"cancelled":      {op: faltest.OpSubmit, fault: faltest.LateFailure(499, "", "Cancelled"), models: []string{"flux.Pro2!"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
		"no model":       {op: faltest.OpSubmit, fault: faltest.Answer(404, `{"detail":"Application not found"}`), models: []string{"flux.Pro2!", "flux.Turbo2"}, posts: 2, billed: 8 * cent / 10, spent: 8 * cent / 10},
		"locked":         {op: faltest.OpSubmit, fault: faltest.LockedAccount(), models: []string{"flux.Pro2!"}, posts: 1},
		"too many":       {op: faltest.OpSubmit, fault: faltest.TooManyRequests(time.Second), models: []string{"flux.Pro2!"}, posts: 1},
		"result cut off": {op: faltest.OpResult, fault: faltest.TruncatedBody(), models: []string{"flux.Pro2"}, posts: 1, billed: 3 * cent, spent: 3 * cent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client := local(t)
			if tt.op != "" {
				srv.Inject(tt.op, tt.fault, max(tt.times, 1))
			}
			if tt.blind {
				srv.Inject(faltest.OpPlatform, faltest.Answer(http.StatusInternalServerError, "down"), 100)
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

// A budget that refuses leads at once to a model that it has enough for, and
// nothing is sent before.
func TestDoWithinBudget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limit, max pricing.USD }{{2 * cent, 0}, {2 * cent, 5 * cent}, {2 * cent, cent}, {0, 0}} {
		srv, client := local(t)
		client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: tt.limit}}}
		out, err := studio.Do(t.Context(), client, router.Task{Prompt: journalPrompt, MaxPrice: tt.max})
		attempts, posts := 2, 1
		switch {
		case tt.limit == 0:
			attempts, posts = 1, 0 // nothing is left for any model
		case tt.max == cent:
			attempts = 1
		}
		if (err == nil) != (posts == 1) || srv.Ledger().Posts != posts || out.Spent > tt.limit || len(out.Attempts) != attempts {
			t.Errorf("limits %v: %v for %v, %v, %d posts", tt, models(out.Attempts), out.Spent, err, srv.Ledger().Posts)
		}
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
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client.Guard = accepted(cancel)
	out, err := studio.Do(ctx, client, router.Task{Prompt: journalPrompt})
	if !errors.Is(err, context.Canceled) || srv.Ledger().Posts != 1 || out.Attempts[0].RequestID == "" {
		t.Errorf("%v, %v, %d posts", out.Attempts, err, srv.Ledger().Posts)
	}
}

// accepted is a guard that calls a function once fal has accepted a job.
type accepted func()

func (f accepted) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	return f, nil
}
func (f accepted) Accepted(string)  { f() }
func (f accepted) Settled(fal.Meta) {}
func (f accepted) Released(error)   {}

// The last of several requests may make fewer pictures, and cost less.
func TestQuoteOfTheLast(t *testing.T) {
	t.Parallel()
	_, client := local(t)
	out, err := studio.Do(t.Context(), client, router.Task{Prompt: "a sign 'OPEN'", Count: 5, Size: fal.SquareHD, Only: []string{"qwen.Image"}})
	if err != nil || len(out.Attempts) != 2 || out.Attempts[0].Quote.Max != 8*cent || out.Attempts[1].Quote.Max != 2*cent || out.Billed != 10*cent {
		t.Errorf("%+v, %v", out, err)
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

// A policy of the user's own decides for a studio, too.
func TestOwnPolicy(t *testing.T) {
	t.Parallel()
	policy := router.DefaultPolicy()
	policy.Functions = []func(*router.Task, []router.Fact, router.Model) (int, string){func(_ *router.Task, _ []router.Fact, m router.Model) (int, string) {
		if m.Name == "qwen.Max" {
			return 1000, "we like it"
		}
		return 0, ""
	}}
	r, err := router.New(policy)
	if err != nil {
		t.Fatal(err)
	}
	_, client := local(t)
	out, err := studio.Studio{Router: r}.Do(t.Context(), client, router.Task{Prompt: journalPrompt})
	if diff := cmp.Diff([]string{"qwen.Max"}, models(out.Attempts)); diff != "" {
		t.Errorf("attempts (-want +got)\n%s%v", diff, err)
	}
}
