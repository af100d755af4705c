package pricing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// promotion is a table with a price that ends on a day, and one before it.
const promotion = `{"prices": [{
	"endpoint": "a/b", "also": ["a/c"], "per": "tiered image", "price": "0.04", "tiers": [{"name": "1k", "price": "0.04"}, {"name": "2k", "price": "0.10"}],
	"price_confidence": "low", "sources": ["a page, 2026-09", "a list, 2026-08-24"], "alternates": [{"price": "0.05", "where": "x"}],
	"history": [{"price": "0.02", "where": "promotion", "until": "2026-10-08"}, {"price": "0.01", "where": "test", "until": "2026-10-01"}, {"price": "0.09", "where": "once"}]}]}`

func readTable(t *testing.T, text string) *pricing.Table {
	t.Helper()
	table, err := pricing.ReadTable(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A price that ends on a day holds until it begins, in UTC.
func TestPriceThatEnds(t *testing.T) {
	t.Parallel()
	table := readTable(t, promotion)
	for when, want := range map[string]pricing.Amounts{
		"2020-01-01T00:00:00Z":      {Min: pricing.Cent, Expected: pricing.Cent, Max: pricing.Cent},
		"2026-09-30T23:59:59Z":      {Min: pricing.Cent, Expected: pricing.Cent, Max: pricing.Cent},
		"2026-10-01T00:00:00Z":      {Min: 2 * pricing.Cent, Expected: 2 * pricing.Cent, Max: 2 * pricing.Cent},
		"2026-10-08T01:00:00+02:00": {Min: 2 * pricing.Cent, Expected: 2 * pricing.Cent, Max: 2 * pricing.Cent},
		"2026-10-08T00:00:00Z":      {Min: 4 * pricing.Cent, Expected: 4 * pricing.Cent, Max: 5 * pricing.Cent},
		"2030-01-01T00:00:00Z":      {Min: 4 * pricing.Cent, Expected: 4 * pricing.Cent, Max: 5 * pricing.Cent},
	} {
		at, err := time.Parse(time.RFC3339, when)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a/b", "a/c"} {
			q, err := table.At(at).Estimate(fal.Usage{Endpoint: id, Outputs: 1, Resolution: "1k"})
			if err != nil || q.Amounts != want {
				t.Errorf("%s at %s: %v, %v, want %v", id, when, q.Amounts, err, want)
			}
		}
	}
	if (*pricing.Table)(nil).At(time.Now()).Len() != 0 {
		t.Error("a table of nothing was something")
	}
}

// The day that counts is that of the quote; a table of one day stays so.
func TestPriceEndsWhileWeWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := readTable(t, promotion)
		time.Sleep(time.Until(time.Date(2026, 10, 7, 23, 59, 59, 0, time.UTC)))
		now := table.At(time.Now())
		price := func(table *pricing.Table) (pricing.USD, pricing.USD) {
			q, err := table.Estimate(fal.Usage{Endpoint: "a/b", Outputs: 1, Resolution: "2k"})
			if err != nil {
				t.Fatal(err)
			}
			p, _ := table.Price("a/b")
			for all := range table.Prices() {
				if all.Endpoint == "a/b" && all.Rule != p.Rule {
					t.Errorf("one of all is %v, alone it is %v", all.Rule, p.Rule)
				}
			}
			return q.Expected, p.Rule.UnitPrice()
		}
		if each, unit := price(table); each != 5*pricing.Cent || unit != 2*pricing.Cent {
			t.Errorf("before: %v, %v", each, unit)
		}
		time.Sleep(time.Second)
		if each, unit := price(table); each != 10*pricing.Cent || unit != 4*pricing.Cent {
			t.Errorf("after: %v, %v", each, unit)
		}
		if each, _ := price(now); each != 5*pricing.Cent {
			t.Errorf("as it was: %v", each)
		}
		later := table.At(time.Now())
		if each, _ := price(later.At(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))); each != 10*pricing.Cent {
			t.Errorf("a table of one day became %v of another", each)
		}
		// What is written is the whole, whatever day it is.
		var text bytes.Buffer
		if err := json.NewEncoder(&text).Encode(table); err != nil || strings.Count(text.String(), "until") != 4 {
			t.Errorf("%v: %s", err, &text)
		}
		back := readTable(t, text.String())
		p, _ := table.Price("a/c")
		again, _ := back.Price("a/c")
		if diff := cmp.Diff(p, again); diff != "" || p.AsOf != "2026-09" {
			t.Errorf("as of %s (-want +got)\n%s", p.AsOf, diff)
		}
	})
}

func TestQuoteTellsHistory(t *testing.T) {
	t.Parallel()
	q, err := readTable(t, promotion).Estimate(fal.Usage{Endpoint: "a/b", Outputs: 1, Resolution: "1k"})
	if err != nil || !strings.Contains(q.String(), "before: $0.02 until 2026-10-08 (promotion)\n") || !strings.Contains(q.String(), "before: $0.09 (once)\n") {
		t.Errorf("%v: %v", err, q)
	}
}

// A discount is taken off all amounts, and told.
func TestDiscount(t *testing.T) {
	t.Parallel()
	percent := 15 * pricing.One / 2 // 7.5
	table, err := pricing.Embedded().Discounted(percent)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []fal.Usage{
		{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 2, Size: fal.Size(2048, 2048), Inputs: []fal.File{fal.URL("https://x.example/a").Sized(2000, 2000)}},
		{Endpoint: "fal-ai/qwen-image", Outputs: 3, Size: fal.SquareHD},
		{Endpoint: "fal-ai/flux-pro/kontext", Outputs: 1},
		{Endpoint: "fal-ai/qwen-image-layered", Outputs: 1},
		{Endpoint: "fal-ai/qwen-image-trainer", Outputs: 1, Steps: 10},
		{Endpoint: "fal-ai/flux-2/klein/4b", Outputs: 1, Size: fal.SquareHD},
		{Endpoint: "alibaba/qwen-image-3/edit", Outputs: 1, Size: fal.Size(1536, 1536), Inputs: []fal.File{fal.URL("https://x.example/a")}},
		{Endpoint: "blackforestlabs/flux-3/text-to-image", Outputs: 1, Resolution: "2k"},
	} {
		full, err := pricing.EstimateUsage(u)
		less, err2 := table.Estimate(u)
		if err != nil || err2 != nil {
			t.Fatal(u.Endpoint, err, err2)
		}
		for i, pair := range [][2]pricing.USD{{full.Min, less.Min}, {full.Expected, less.Expected}, {full.Max, less.Max}} {
			if pair[1] != pair[0]*925/1000 {
				t.Errorf("%s, %d: %v, want 92.5 %% of %v", u.Endpoint, i, pair[1], pair[0])
			}
		}
		if !strings.Contains(less.String(), "after a discount of 7.5 percent") || strings.Contains(full.String(), "discount") || less.Price().Discount != percent {
			t.Errorf("it is not told: %v", less)
		}
		if less.Units() != full.Units() {
			t.Errorf("%s: %v units, want %v", u.Endpoint, less.Units(), full.Units())
		}
	}
	seconds, _ := table.Price("fal-ai/flux-2/klein/realtime")
	layered, _ := table.Price("fal-ai/qwen-image-layered-trainer")
	trainer, _ := table.Price("fal-ai/flux-2-trainer")
	if seconds.Rule.UnitPrice() != 1_794_500 || layered.Probable != 3_931_250 || trainer.History[0].Price != 7_400_000 {
		t.Errorf("%v, %v, %v", seconds.Rule, layered.Probable, trainer.History)
	}
	if p, _ := pricing.Embedded().Price("fal-ai/flux-2-trainer"); p.History[0].Price != 8_000_000 {
		t.Errorf("the table itself changed: %v", p.History)
	}
	data, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	if back := readTable(t, string(data)); back.Len() != table.Len() {
		t.Errorf("%d of %d prices came back", back.Len(), table.Len())
	} else if p, _ := back.Price("fal-ai/flux-2-trainer"); p.Discount != percent {
		t.Errorf("a discount of %v came back", p.Discount)
	}
	for _, bad := range []pricing.Units{-1, 100 * pricing.One, math.MaxInt64} {
		if _, err := pricing.Embedded().Discounted(bad); err == nil {
			t.Errorf("a discount of %v percent was taken", bad)
		}
	}
	if _, err := table.Discounted(pricing.One); err == nil {
		t.Error("two discounts were taken")
	}
	if same, err := pricing.Embedded().Discounted(0); err != nil || same.Len() != table.Len() {
		t.Error(err)
	}
	if none, err := (*pricing.Table)(nil).Discounted(pricing.One); err != nil || none.Len() != 0 {
		t.Error(err)
	}
	if _, err := pricing.NewTable(pricing.Price{Endpoint: "a/b", Unknown: "x", Discount: 100 * pricing.One}); err == nil {
		t.Error("a price of nothing was taken")
	}
}

func TestRoundCents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ amount, nearest, up pricing.USD }{
		{0, 0, 0},
		{1, 0, 1},
		{4_999_999, 0, 1},
		{5_000_000, 1, 1},
		{pricing.Cent, 1, 1},
		{pricing.Cent + 1, 1, 2},
		{15_000_000, 2, 2},
		{-1, 0, 0},
		{-4_999_999, 0, 0},
		{-5_000_000, -1, 0},
		{-pricing.Cent, -1, -1},
		{-19_000_000, -2, -1},
	} {
		nearest, err := tt.amount.RoundCents()
		up, err2 := tt.amount.RoundUpCents()
		if err != nil || err2 != nil || nearest != tt.nearest*pricing.Cent || up != tt.up*pricing.Cent {
			t.Errorf("%v: %v and %v, %v, %v", tt.amount, nearest, up, err, err2)
		}
	}
	_, err := pricing.USD(math.MaxInt64).RoundCents()
	_, err2 := pricing.USD(math.MaxInt64).RoundUpCents()
	_, err3 := pricing.USD(math.MinInt64).RoundCents()
	if !errors.Is(err, pricing.ErrOverflow) || !errors.Is(err2, pricing.ErrOverflow) || !errors.Is(err3, pricing.ErrOverflow) {
		t.Errorf("%v, %v, %v, want ErrOverflow", err, err2, err3)
	}
}

// What is just too large to be divided is an error, and no panic.
func TestScaleOverflows(t *testing.T) {
	t.Parallel()
	for _, denominator := range []int64{1, 1 << 16, 1<<16 + 1} {
		if got, err := pricing.USD(1<<40).Scale(1<<40, denominator); !errors.Is(err, pricing.ErrOverflow) {
			t.Errorf("by %d: %v, %v, want ErrOverflow", denominator, got, err)
		}
	}
	if got, err := pricing.USD(1<<40).Scale(1<<40, 1<<18); err != nil || got != 1<<62 {
		t.Errorf("%v, %v", got, err)
	}
}

// Rules that no page can mean are refused.
func TestTiersRefused(t *testing.T) {
	t.Parallel()
	for name, price := range map[string]string{
		"no tiers":              `"per": "tiered image", "price": "1"`,
		"no price of a unit":    `"per": "tiered image", "tiers": [{"max_pixels": 1, "price": "1"}]`,
		"no tier has a price":   `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 1}]`,
		"prices go down":        `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 1, "price": "2"}, {"price": "1"}]`,
		"bounds go down":        `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 2, "price": "1"}, {"max_pixels": 1, "price": "2"}]`,
		"the same bound":        `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 2, "price": "1"}, {"max_pixels": 2, "price": "2"}]`,
		"no bound in between":   `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 2, "price": "1"}, {"price": "2"}, {"max_pixels": 3, "price": "2"}]`,
		"a name and no name":    `"per": "tiered image", "price": "1", "tiers": [{"name": "1k", "price": "1"}, {"price": "2"}]`,
		"a bound among names":   `"per": "tiered image", "price": "1", "tiers": [{"name": "1k", "price": "1"}, {"name": "2k", "max_pixels": 3, "price": "2"}]`,
		"least is more":         `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 1, "price": "1", "least": "2"}]`,
		"least below nothing":   `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 1, "price": "1", "least": "-1"}]`,
		"a tier below nothing":  `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 1, "price": "-1"}]`,
		"a fee below nothing":   `"per": "tiered image", "price": "1", "reference": "-1", "tiers": [{"max_pixels": 1, "price": "1"}]`,
		"seven tiers":           `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 1, "price": "1"}, {"max_pixels": 2, "price": "1"}, {"max_pixels": 3, "price": "1"}, {"max_pixels": 4, "price": "1"}, {"max_pixels": 5, "price": "1"}, {"max_pixels": 6, "price": "1"}, {"max_pixels": 7, "price": "1"}]`,
		"tiers of megapixels":   `"per": "megapixel", "price": "1", "tiers": [{"max_pixels": 1, "price": "1"}]`,
		"fractions rounded up":  `"per": "megapixel", "price": "1", "fractions": true, "inputs": "rounded up"`,
		"own size of wholes":    `"per": "megapixel", "price": "1", "inputs": "own size"`,
		"a cap on fractions":    `"per": "megapixel", "price": "1", "fractions": true, "input_cap": 4`,
		"a megapixel of less":   `"per": "megapixel", "price": "1", "pixels": -1`,
		"sides to less":         `"per": "megapixel", "price": "1", "sides_to": -32`,
		"inputs of less":        `"per": "tiered megapixel", "first": "1", "extra": "1", "inputs": "rounded up", "input_min": -3`,
		"fee that is not there": `"per": "image", "price": "1", "price_confidence": "low", "alternates": [{"price": "0", "per": "reference", "where": "x"}]`,
		"an alternate's end":    `"per": "image", "price": "1", "alternates": [{"price": "1", "where": "x", "until": "2026-01-01"}]`,
		"no day":                `"per": "image", "price": "1", "history": [{"price": "1", "where": "x", "until": "tomorrow"}]`,
		"another unit's end":    `"per": "image", "price": "1", "history": [{"price": "1", "per": "step", "where": "x", "until": "2026-01-01"}]`,
		"free before":           `"per": "image", "price": "1", "history": [{"price": "0", "where": "x"}]`,
		"history of no rule":    `"unknown": "x", "history": [{"price": "1", "where": "x"}]`,
		"LoRAs up to the free":  `"per": "megapixel", "price": "1", "lora": {"free_gb": 2, "per_gb": "0.5", "max_gb": 2}`,
		"two of one name":       `"also": ["a/b"], "per": "image", "price": "1"`,
		"no second name":        `"also": [""], "per": "image", "price": "1"`,
	} {
		if table, err := pricing.ReadTable(strings.NewReader(`{"prices": [{"endpoint": "a/b", ` + price + `}]}`)); err == nil {
			t.Errorf("%s: read as %+v", name, table)
		}
	}
	for name, price := range map[string]string{
		"multipliers that stay": `"per": "step", "price": "1", "references": ["1", "1", "2", "2"]`,
		"LoRAs that are free":   `"per": "megapixel", "price": "1", "lora": {"free_gb": 0, "per_gb": "0.5", "max_gb": 1}`,
		"one price for all":     `"per": "tiered image", "price": "1", "tiers": [{"max_pixels": 5, "price": "1", "least": "1"}, {"price": "1"}]`,
		"six tiers":             `"per": "tiered image", "price": "1", "tiers": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}, {"name": "e"}, {"name": "f", "price": "1"}]`,
		"ten multipliers":       `"per": "step", "price": "1", "references": ["1", "0", "0", "0", "0", "0", "0", "0", "0", "2"]`,
	} {
		if _, err := pricing.ReadTable(strings.NewReader(`{"prices": [{"endpoint": "a/b", ` + price + `}]}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
