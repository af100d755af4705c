package studio_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// A model of one's own is asked, fallen back from, drafted and compared like the
// others, and a budget with its price lets it pass.
func TestOwnModel(t *testing.T) {
	t.Parallel()
	policy := router.DefaultPolicy()
	policy.Models = []router.OwnModel{{
		Model: router.Model{Name: "acme.Mugs", Endpoint: "acme/mugs", Title: "Acme Mugs", Family: "Acme"},
		Task:  "text-to-image", Can: []router.Feature{router.FeatureSeed, router.FeatureSize}, Size: fal.SquareHD, MaxCount: 2,
		Rating: router.Rating{Quality: 10, Speed: 10}, Price: pricing.PerImage{Price: cent},
		Request: func(t router.Task) fal.Request[fal.Images] {
			return fal.Call[fal.Images]{ID: "acme/mugs", Input: map[string]any{"prompt": t.Prompt, "num_images": t.Count, "seed": t.Seed}}
		},
	}}
	chooser, err := router.New(policy)
	if err != nil {
		t.Fatal(err)
	}
	s := studio.Studio{Router: chooser}
	srv, client := local(t)
	srv.Handle("acme/mugs", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			N int `json:"num_images"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Fal-Billable-Units", strconv.Itoa(in.N))
		picture := `{"url":"https://v3.fal.media/files/a.png","width":1024,"height":1024}`
		fmt.Fprintf(w, `{"images":[%s]}`, strings.Repeat(picture+",", in.N-1)+picture)
	}))
	client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}, Table: chooser.Prices()}
	out, err := s.Do(t.Context(), client, router.Task{Prompt: "a mug", Count: 3, Seed: fal.Seed(4)})
	if diff := cmp.Diff([]string{"acme.Mugs", "acme.Mugs"}, models(out.Attempts)); err != nil || diff != "" || out.Spent != 3*cent || len(out.Images()) != 3 || *out.Attempts[1].Seed != 5 {
		t.Errorf("%v for %v, %v, attempts (-want +got)\n%s", len(out.Images()), out.Spent, err, diff)
	}
	srv.InjectFor("acme/mugs", faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 1)
	out, err = s.Do(t.Context(), client, router.Task{Prompt: "a mug"})
	if diff := cmp.Diff([]string{"acme.Mugs!", "flux.Turbo2"}, models(out.Attempts)); err != nil || diff != "" {
		t.Errorf("%v, attempts (-want +got)\n%s", err, diff)
	}
	// Where nothing answers, what it may have cost is what is said to be in the way.
	_, bare := local(t)
	out, err = s.Do(t.Context(), bare, router.Task{Prompt: "a mug"})
	if len(out.Images()) != 0 || err == nil || !strings.Contains(err.Error(), "there is no such endpoint") ||
		!strings.Contains(err.Error(), "pictures are missing (1), and nothing more is sent: $0.01 were approved, and what was sent may be charged up to $0.01") {
		t.Errorf("without a server: %v", err)
	}
	c, err := s.Compare(t.Context(), client, router.Task{Prompt: "a mug"}, []string{"acme.Mugs", "flux.Pro2"})
	if err != nil || len(c.Models[0].Images()) != 1 || c.Spent != 4*cent {
		t.Errorf("compared for %v: %v", c.Spent, err)
	}
	d, err := s.Draft(t.Context(), client, router.Task{Prompt: "a mug", Only: []string{"flux.Pro2"}}, studio.Drafts{Count: 3, Models: []string{"acme.Mugs"}}, theFirst)
	if err != nil || d.Variants[2].Model.Name != "acme.Mugs" || *d.Variants[2].Seed != *d.Variants[0].Seed+2 || d.Spent != 6*cent {
		t.Errorf("drafted for %v: %v", d.Spent, err)
	}
}
