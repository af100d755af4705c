package plan_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/qwen"
)

// estimate quotes a request that must have a price.
func estimate[Out any](t testing.TB, r fal.Request[Out]) pricing.Quote {
	t.Helper()
	q, err := pricing.Estimate(r)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func exactly(a pricing.USD) pricing.Amounts { return pricing.Amounts{Min: a, Expected: a, Max: a} }

// The article's month of 10,000 pictures, 70 % of them drafts, and that it is
// far below Qwen Image's $200.
func TestPlanOfTheArticle(t *testing.T) {
	t.Parallel()
	got, err := plan.New(10_000,
		plan.Part{Name: "drafts", Quote: estimate(t, flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD}), Share: 70},
		plan.Part{Name: "finals", Quote: estimate(t, flux.Pro2{Prompt: "x", ImageSize: fal.SquareHD}), Share: 30})
	if err != nil {
		t.Fatal(err)
	}
	const dollar = pricing.Dollar
	want := plan.Plan{
		Rows: []plan.Row{
			{Name: "drafts", Images: 7000, Requests: 7000, Amounts: exactly(21 * dollar)},
			{Name: "finals", Images: 3000, Requests: 3000, Amounts: exactly(90 * dollar)},
		},
		Images: 10_000, Amounts: exactly(111 * dollar),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if text := got.String(); !strings.Contains(text, "$111.00") || strings.Count(text, "\n") != 3 {
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
		{draft(3), estimate(t, qwen.Image3{Prompt: "x", NumImages: 2})},
		{draft(1), estimate(t, flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD})}, // finals are cheaper
	} {
		for images := range int64(12) {
			for budget := pricing.USD(0); budget < 40*pricing.Cent; budget += pricing.Cent / 2 {
				most := int64(-1)
				for n := range images + 1 {
					a, errA := plan.New(images-n, plan.Part{Quote: tt.drafts})
					b, errB := plan.New(n, plan.Part{Quote: tt.finals})
					if errA != nil || errB != nil {
						t.Fatal(errA, errB)
					}
					if both, err := a.Add(b); err == nil && both.Max <= budget && len(both.Rows) == 2 {
						most = n
					}
				}
				got, err := plan.MostFinals(images, budget, plan.Part{Quote: tt.drafts}, plan.Part{Quote: tt.finals})
				if (err == nil) != (most >= 0) || err == nil && (got.Rows[1].Images != most || got.Max > budget || got.Images != images) {
					t.Fatalf("%d images for %v: %v, %v, want %d finals", images, budget, got, err, most)
				}
			}
		}
	}
}

// A picture that is taken apart is one, however many layers it has.
func TestPlanOfLayers(t *testing.T) {
	t.Parallel()
	got, err := plan.New(1000, plan.Part{Quote: estimate(t, qwen.Layered{ImageURL: fal.URL("https://x.example/a.png")})})
	if err != nil || got.Expected != 50*pricing.Dollar {
		t.Errorf("%v, %v, want $50", got, err)
	}
}

// Shares that do not divide evenly add up all the same, and so do requests
// that make several pictures.
func TestPlanRounding(t *testing.T) {
	t.Parallel()
	four := estimate(t, flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD, NumImages: 4})
	got, err := plan.New(10, plan.Part{Quote: four}, plan.Part{Quote: four}, plan.Part{Quote: four})
	if err != nil {
		t.Fatal(err)
	}
	var images, requests []int64
	for _, r := range got.Rows {
		images, requests = append(images, r.Images), append(requests, r.Requests)
	}
	if diff := cmp.Diff([]int64{4, 3, 3}, images); diff != "" || got.Images != 10 {
		t.Errorf("images (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]int64{1, 1, 1}, requests); diff != "" {
		t.Errorf("requests (-want +got)\n%s", diff)
	}
}

func TestRank(t *testing.T) {
	t.Parallel()
	rows, err := plan.Rank(1000,
		plan.Part{Name: "3", Quote: estimate(t, qwen.Image3{Prompt: "x"})},
		plan.Part{Name: "pro", Quote: estimate(t, flux.Pro2{Prompt: "x"})},
		plan.Part{Name: "qwen", Quote: estimate(t, qwen.Image{Prompt: "x"})})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.Name+" "+r.Expected.String())
	}
	if diff := cmp.Diff([]string{"qwen $20.00", "pro $30.00", "3 $40.00"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMostFinals(t *testing.T) {
	t.Parallel()
	drafts := plan.Part{Name: "drafts", Quote: estimate(t, flux.Schnell{Prompt: "x"})}
	finals := plan.Part{Name: "finals", Quote: estimate(t, flux.Pro2{Prompt: "x"})}
	for budget, want := range map[pricing.USD]int64{
		111 * pricing.Dollar:     3000,
		111*pricing.Dollar - 1:   2999,
		30 * pricing.Dollar:      0,
		1_000 * pricing.Dollar:   10_000,
		300*pricing.Dollar - 1:   9999,
		30*pricing.Dollar + 27e6: 1, // a final costs 2.7 cents more than a draft
	} {
		got, err := plan.MostFinals(10_000, budget, drafts, finals)
		if err != nil || got.Rows[1].Images != want || got.Images != 10_000 || got.Max > budget {
			t.Errorf("for %v: %+v, %v, want %d finals", budget, got, err, want)
		}
	}
	if _, err := plan.MostFinals(10_000, 29*pricing.Dollar, drafts, finals); err == nil || !strings.Contains(err.Error(), "$1.00 more") {
		t.Errorf("too small a budget: %v", err)
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	pro := estimate(t, flux.Pro2{Prompt: "x"})
	four := estimate(t, qwen.Image{Prompt: "x", NumImages: 4})
	got, err := plan.Sum(pro, four, pro)
	if err != nil || got.Images != 6 || got.Expected != 14*pricing.Cent || len(got.Rows) != 2 || got.Rows[0].Requests != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	pro := plan.Part{Quote: estimate(t, flux.Pro2{Prompt: "x"})}
	for name, f := range map[string]func() error{
		"overflow":       func() error { _, err := plan.New(math.MaxInt64, pro); return err },
		"below zero":     func() error { _, err := plan.New(-1, pro); return err },
		"nothing":        func() error { _, err := plan.New(1); return err },
		"negative share": func() error { _, err := plan.New(1, plan.Part{Quote: pro.Quote, Share: -1}); return err },
		"rank below":     func() error { _, err := plan.Rank(-1, pro); return err },
	} {
		if err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := plan.New(1, plan.Part{}); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("no quote: %v", err)
	}
	if _, err := plan.Sum(pricing.Quote{}); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("sum of no quote: %v", err)
	}
}
