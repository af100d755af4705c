package pricing_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// estimate quotes a request that must have a price.
func estimate[Out any](t *testing.T, r fal.Request[Out]) pricing.Quote {
	t.Helper()
	q, err := pricing.Estimate(r)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// The prices that the comparison article of 2026-03-17 gives, at one
// megapixel where it gives them by the megapixel, and its worked examples.
func TestArticlePrices(t *testing.T) {
	t.Parallel()
	const prompt = "x"
	mp := fal.SquareHD
	picture := fal.Bytes(pngFile(t, 1024, 1024))
	for name, tt := range map[string]struct {
		req  fal.Request[fal.Images]
		want string
	}{
		"FLUX.2 [pro] 1024x1024":       {flux.Pro2{Prompt: prompt, ImageSize: fal.Size(1024, 1024)}, "$0.03"},
		"FLUX.2 [pro] 1920x1080":       {flux.Pro2{Prompt: prompt, ImageSize: fal.Size(1920, 1080)}, "$0.045"},
		"FLUX.2 [pro] 512x512":         {flux.Pro2{Prompt: prompt, ImageSize: fal.Size(512, 512)}, "$0.03"},
		"FLUX.1 [schnell]":             {flux.Schnell{Prompt: prompt, ImageSize: mp}, "$0.003"},
		"FLUX.2 [flash]":               {flux.Flash2{Prompt: prompt, ImageSize: mp}, "$0.005"},
		"FLUX.2 [dev] Turbo":           {flux.Turbo2{Prompt: prompt, ImageSize: mp}, "$0.008"},
		"FLUX.2 [dev]":                 {flux.Dev2{Prompt: prompt, ImageSize: mp}, "$0.012"},
		"FLUX.2 [dev] Edit, one input": {flux.Dev2Edit{Prompt: prompt, ImageSize: mp, ImageURLs: []fal.File{picture}}, "$0.024"},
		"FLUX.1 [dev]":                 {flux.Dev{Prompt: prompt, ImageSize: mp}, "$0.025"},
		"FLUX.1.1 [pro]":               {flux.Pro11{Prompt: prompt, ImageSize: mp}, "$0.04"},
		"Kontext [pro]":                {flux.KontextPro{Prompt: prompt, ImageURL: picture}, "$0.04"},
		"FLUX.2 [flex]":                {flux.Flex2{Prompt: prompt, ImageSize: mp}, "$0.05"},
		"FLUX.1.1 [pro] Ultra":         {flux.Pro11Ultra{Prompt: prompt}, "$0.06"},
		"Kontext [max]":                {flux.KontextMax{Prompt: prompt, ImageURL: picture}, "$0.08"},
		"Qwen Image":                   {qwen.Image{Prompt: prompt, ImageSize: mp}, "$0.02"},
		"Qwen Image, turbo":            {qwen.Image{Prompt: prompt, ImageSize: mp, UseTurbo: true}, "$0.02"},
		"Qwen Image 2512":              {qwen.Image2512{Prompt: prompt, ImageSize: mp}, "$0.02"},
		"Qwen Image Edit 2511":         {qwen.Edit2511{Prompt: prompt, ImageSize: mp, ImageURLs: []fal.File{picture}}, "$0.03"},
		"Qwen Image Edit 2511 LoRA":    {qwen.Edit2511LoRA{Prompt: prompt, ImageSize: mp, ImageURLs: []fal.File{picture}}, "$0.035"},
		"Qwen Image 2.0":               {qwen.Image2{Prompt: prompt}, "$0.035"},                                     //nolint:staticcheck // the article has it
		"Qwen Image 2.0 Edit":          {qwen.Image2Edit{Prompt: prompt, ImageURLs: []fal.File{picture}}, "$0.035"}, //nolint:staticcheck // the article has it
		"Qwen Image Layered":           {qwen.Layered{ImageURL: picture, NumLayers: 10}, "$0.05"},
		"Qwen Image 2.0 Pro":           {qwen.Image2Pro{Prompt: prompt}, "$0.075"},                                     //nolint:staticcheck // the article has it
		"Qwen Image 2.0 Pro Edit":      {qwen.Image2ProEdit{Prompt: prompt, ImageURLs: []fal.File{picture}}, "$0.075"}, //nolint:staticcheck // the article has it
	} {
		q := estimate(t, tt.req)
		if q.Expected.String() != tt.want || !q.Exact() {
			t.Errorf("%s: %v (%v to %v), want %s", name, q.Expected, q.Min, q.Max, tt.want)
		}
	}
	for name, tt := range map[string]struct {
		req  fal.Request[fal.Training]
		want string
	}{
		"klein 4B, 1,000 steps":   {flux.Klein4BBaseTrainer{ImageDataURL: picture, Steps: 1000}, "$5.00"}, //nolint:staticcheck // the article has it
		"Qwen Image, 1,000 steps": {qwen.ImageTrainer{ImageDataURL: picture, Steps: 1000}, "$2.00"},       //nolint:staticcheck // the article has it
	} {
		if q := estimate(t, tt.req); q.Expected.String() != tt.want {
			t.Errorf("%s: %v, want %s", name, q.Expected, tt.want)
		}
	}
}

// What the article says of a month: 1,000 and 10,000 pictures, and 70 % of
// them as drafts.
func TestArticleMonths(t *testing.T) {
	t.Parallel()
	price := func(r fal.Request[fal.Images], n int64) pricing.USD {
		total, err := estimate(t, r).Expected.Mul(n)
		if err != nil {
			t.Fatal(err)
		}
		return total
	}
	schnell := flux.Schnell{Prompt: "x", ImageSize: fal.SquareHD}
	pro := flux.Pro2{Prompt: "x", ImageSize: fal.SquareHD}
	image := qwen.Image{Prompt: "x", ImageSize: fal.SquareHD}
	blended, err := price(schnell, 7000).Add(price(pro, 3000))
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]pricing.USD{
		"$30.00": price(pro, 1000), "$20.00": price(image, 1000), "$35.00": price(qwen.Image2{Prompt: "x"}, 1000), //nolint:staticcheck // the article has it
		"$300.00": price(pro, 10000), "$200.00": price(image, 10000), "$350.00": price(qwen.Image2{Prompt: "x"}, 10000), //nolint:staticcheck // the article has it
		"$111.00": blended,
	} {
		if got.String() != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

// A quote is the sum of its lines, its amounts are in order, and it never
// goes down when there is more of anything.
func TestQuoteProperties(t *testing.T) {
	t.Parallel()
	small, large := fal.Bytes(pngFile(t, 100, 100)), fal.Bytes(pngFile(t, 2100, 1000))
	remote := fal.URL("https://x.example/a.png")
	for range 3000 {
		n := 1 + rand.IntN(4)
		w, h := 1+rand.IntN(4000), 1+rand.IntN(4000)
		files := make([]fal.File, 1+rand.IntN(5))
		for i := range files {
			files[i] = []fal.File{small, large, remote}[rand.IntN(3)]
		}
		sizes := []fal.ImageSize{fal.Size(w, h), fal.Size(w+rand.IntN(500), h+rand.IntN(500))}
		for _, pair := range [][2]fal.Request[fal.Images]{
			{flux.Pro2{Prompt: "x", ImageSize: sizes[0]}, flux.Pro2{Prompt: "x", ImageSize: sizes[1]}},
			{flux.Schnell{Prompt: "x", ImageSize: sizes[0], NumImages: n}, flux.Schnell{Prompt: "x", ImageSize: sizes[1], NumImages: n + 1}},
			{flux.Pro2Edit{Prompt: "x", ImageSize: sizes[0], ImageURLs: files}, flux.Pro2Edit{Prompt: "x", ImageSize: sizes[1], ImageURLs: slices.Concat(files, []fal.File{small})}},
			{flux.Pro2Edit{Prompt: "x", ImageURLs: files}, flux.Pro2Edit{Prompt: "x", ImageURLs: slices.Concat(files, []fal.File{remote})}},
			{flux.Dev2Edit{Prompt: "x", ImageSize: sizes[0], ImageURLs: files}, flux.Dev2Edit{Prompt: "x", ImageSize: sizes[1], ImageURLs: slices.Concat(files, []fal.File{large})}},
			{qwen.Edit2511{Prompt: "x", ImageURLs: files, NumImages: n}, qwen.Edit2511{Prompt: "x", ImageURLs: files, NumImages: n + 1}},
		} {
			less, more := estimateAny(t, pair[0]), estimateAny(t, pair[1])
			if less.Expected > more.Expected || less.Min > more.Min || less.Max > more.Max {
				t.Fatalf("more costs less:\n%+v %v\n%+v %v", pair[0], less, pair[1], more)
			}
			for _, q := range []pricing.Quote{less, more} {
				var low, expected, high pricing.USD
				for l := range q.Lines() {
					low, expected, high = low+l.Min, expected+l.Expected, high+l.Max
				}
				if low != q.Min || expected != q.Expected || high != q.Max || q.Min > q.Expected || q.Expected > q.Max || q.Min <= 0 {
					t.Fatalf("the lines do not add up: %v", q)
				}
			}
		}
	}
}

func TestUnknownPrices(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]fal.Request[fal.Images]{
		"no such endpoint":   fal.At(flux.Pro2{Prompt: "x"}, "fal-ai/no-such-model"),
		"no usage":           fal.Call[fal.Images]{ID: "fal-ai/flux-2-pro"},
		"nil":                nil,
		"by compute seconds": flux.GeneralRFInversion{Prompt: "x", ImageURL: fal.URL("https://x.example/a")},
		"no source":          flux.Klein9BBase{Prompt: "x"},
	} {
		if q, err := pricing.Estimate(r); !errors.Is(err, pricing.ErrUnknown) || q.Max != 0 {
			t.Errorf("%s: %v, %v, want ErrUnknown", name, q, err)
		}
	}
}

// estimateAny is estimate of a request that need not be valid: rules hold for
// all numbers.
func estimateAny(t *testing.T, r fal.Request[fal.Images]) pricing.Quote {
	t.Helper()
	u, ok := r.(interface{ Usage() fal.Usage })
	if !ok {
		t.Fatalf("%T has no Usage", r)
	}
	q, err := pricing.EstimateUsage(u.Usage())
	if err != nil {
		t.Fatal(err)
	}
	return q
}
