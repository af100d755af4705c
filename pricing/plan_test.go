package pricing_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// The article's month of 10,000 pictures, 70 % of them drafts, and that it is
// far below Qwen Image's $200.
func TestPlanOfTheArticle(t *testing.T) {
	t.Parallel()
	plan, err := pricing.NewPlan(10_000,
		pricing.Part{Name: "drafts", Quote: estimate(t, flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD}), Share: 70},
		pricing.Part{Name: "finals", Quote: estimate(t, flux.Pro2{Prompt: "x", ImageSize: fal.SquareHD}), Share: 30})
	if err != nil {
		t.Fatal(err)
	}
	const dollar = pricing.Dollar
	want := pricing.Plan{
		Rows: []pricing.Row{
			{Name: "drafts", Images: 7000, Requests: 7000, Min: 21 * dollar, Expected: 21 * dollar, Max: 21 * dollar},
			{Name: "finals", Images: 3000, Requests: 3000, Min: 90 * dollar, Expected: 90 * dollar, Max: 90 * dollar},
		},
		Images: 10_000, Min: 111 * dollar, Expected: 111 * dollar, Max: 111 * dollar,
	}
	if diff := cmp.Diff(want, plan); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if text := plan.String(); !strings.Contains(text, "$111.00") || strings.Count(text, "\n") != 3 {
		t.Errorf("printed as\n%s", text)
	}
}

// MostFinals finds the most, whatever a request makes: it is compared with
// trying everything.
func TestMostFinalsIsTheMost(t *testing.T) {
	t.Parallel()
	draft := func(n int) pricing.Quote {
		return estimate(t, qwen.Image{Prompt: "x", ImageSize: fal.SquareHD, NumImages: n})
	}
	for _, tt := range []struct{ drafts, finals pricing.Quote }{
		{draft(4), estimate(t, flux.Pro2{Prompt: "x", ImageSize: fal.SquareHD})},
		{draft(1), estimate(t, flux.Pro2{Prompt: "x", ImageSize: fal.SquareHD})},
		{draft(3), estimate(t, qwen.Image2{Prompt: "x", NumImages: 2})},
		{draft(1), estimate(t, flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD})}, // finals are cheaper
	} {
		for images := range int64(12) {
			for budget := pricing.USD(0); budget < 40*pricing.Cent; budget += pricing.Cent / 2 {
				most := int64(-1)
				for n := range images + 1 {
					a, errA := pricing.NewPlan(images-n, pricing.Part{Quote: tt.drafts})
					b, errB := pricing.NewPlan(n, pricing.Part{Quote: tt.finals})
					if errA != nil || errB != nil {
						t.Fatal(errA, errB)
					}
					if both, err := a.Add(b); err == nil && both.Max <= budget && len(both.Rows) == 2 {
						most = n
					}
				}
				plan, err := pricing.MostFinals(images, budget, pricing.Part{Quote: tt.drafts}, pricing.Part{Quote: tt.finals})
				if (err == nil) != (most >= 0) || err == nil && (plan.Rows[1].Images != most || plan.Max > budget || plan.Images != images) {
					t.Fatalf("%d images for %v: %v, %v, want %d finals", images, budget, plan, err, most)
				}
			}
		}
	}
}

// A picture that is taken apart is one, however many layers it has.
func TestPlanOfLayers(t *testing.T) {
	t.Parallel()
	plan, err := pricing.NewPlan(1000, pricing.Part{Quote: estimate(t, qwen.Layered{ImageURL: fal.URL("https://x.example/a.png")})})
	if err != nil || plan.Expected != 50*pricing.Dollar {
		t.Errorf("%v, %v, want $50", plan, err)
	}
}

// Shares that do not divide evenly add up all the same, and so do requests
// that make several pictures.
func TestPlanRounding(t *testing.T) {
	t.Parallel()
	four := estimate(t, flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD, NumImages: 4})
	plan, err := pricing.NewPlan(10, pricing.Part{Quote: four}, pricing.Part{Quote: four}, pricing.Part{Quote: four})
	if err != nil {
		t.Fatal(err)
	}
	var images, requests []int64
	for _, r := range plan.Rows {
		images, requests = append(images, r.Images), append(requests, r.Requests)
	}
	if diff := cmp.Diff([]int64{4, 3, 3}, images); diff != "" || plan.Images != 10 {
		t.Errorf("images (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]int64{1, 1, 1}, requests); diff != "" {
		t.Errorf("requests (-want +got)\n%s", diff)
	}
}

func TestRank(t *testing.T) {
	t.Parallel()
	rows, err := pricing.Rank(1000,
		pricing.Part{Name: "2.0", Quote: estimate(t, qwen.Image2{Prompt: "x"})},
		pricing.Part{Name: "pro", Quote: estimate(t, flux.Pro2{Prompt: "x"})},
		pricing.Part{Name: "qwen", Quote: estimate(t, qwen.Image{Prompt: "x"})})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.Name+" "+r.Expected.String())
	}
	if diff := cmp.Diff([]string{"qwen $20.00", "pro $30.00", "2.0 $35.00"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMostFinals(t *testing.T) {
	t.Parallel()
	drafts := pricing.Part{Name: "drafts", Quote: estimate(t, flux.Schnell{Prompt: "x"})}
	finals := pricing.Part{Name: "finals", Quote: estimate(t, flux.Pro2{Prompt: "x"})}
	for budget, want := range map[pricing.USD]int64{
		111 * pricing.Dollar:     3000,
		111*pricing.Dollar - 1:   2999,
		30 * pricing.Dollar:      0,
		1_000 * pricing.Dollar:   10_000,
		300*pricing.Dollar - 1:   9999,
		30*pricing.Dollar + 27e6: 1, // a final costs 2.7 cents more than a draft
	} {
		plan, err := pricing.MostFinals(10_000, budget, drafts, finals)
		if err != nil || plan.Rows[1].Images != want || plan.Images != 10_000 || plan.Max > budget {
			t.Errorf("for %v: %+v, %v, want %d finals", budget, plan, err, want)
		}
	}
	if _, err := pricing.MostFinals(10_000, 29*pricing.Dollar, drafts, finals); err == nil || !strings.Contains(err.Error(), "$1.00 more") {
		t.Errorf("too small a budget: %v", err)
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	pro := estimate(t, flux.Pro2{Prompt: "x"})
	four := estimate(t, qwen.Image{Prompt: "x", NumImages: 4})
	plan, err := pricing.Sum(pro, four, pro)
	if err != nil || plan.Images != 6 || plan.Expected != 14*pricing.Cent || len(plan.Rows) != 2 || plan.Rows[0].Requests != 2 {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	pro := pricing.Part{Quote: estimate(t, flux.Pro2{Prompt: "x"})}
	for name, f := range map[string]func() error{
		"overflow":       func() error { _, err := pricing.NewPlan(math.MaxInt64, pro); return err },
		"below zero":     func() error { _, err := pricing.NewPlan(-1, pro); return err },
		"nothing":        func() error { _, err := pricing.NewPlan(1); return err },
		"negative share": func() error { _, err := pricing.NewPlan(1, pricing.Part{Quote: pro.Quote, Share: -1}); return err },
		"rank below":     func() error { _, err := pricing.Rank(-1, pro); return err },
	} {
		if err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := pricing.NewPlan(1, pricing.Part{}); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("no quote: %v", err)
	}
	if _, err := pricing.Sum(pricing.Quote{}); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("sum of no quote: %v", err)
	}
}
