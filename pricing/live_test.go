package pricing_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

var someLive = []pricing.LivePrice{
	{Endpoint: "fal-ai/qwen-image", UnitPrice: "2.5e-2", Unit: "megapixels", Currency: "USD"},
	{Endpoint: "fal-ai/flux/schnell", UnitPrice: "0.003", Unit: "Megapixel", Currency: "USD"},
	{Endpoint: "fal-ai/flux-2", UnitPrice: "0.00125", Unit: "compute seconds", Currency: "USD"},
	{Endpoint: "fal-ai/flux-2-pro", UnitPrice: "0.015", Unit: "processed megapixels", Currency: "USD"},
	{Endpoint: "fal-ai/flux-2-max", UnitPrice: "0.08", Unit: "megapixels", Currency: "USD"},
	{Endpoint: "fal-ai/flux-2/klein/4b/lora", UnitPrice: "0.016", Unit: "megapixels", Currency: "USD"},
	{Endpoint: "fal-ai/qwen-image-2/text-to-image", UnitPrice: "0.03", Unit: "images", Currency: "EUR"},
	{Endpoint: "fal-ai/flux-pro/kontext", UnitPrice: "0", Unit: "images", Currency: "USD"},
	{Endpoint: "fal-ai/flux/dev"},
}

func TestDiff(t *testing.T) {
	t.Parallel()
	var got []string
	for _, c := range pricing.Embedded().Diff(someLive) {
		got = append(got, c.String())
	}
	want := []string{
		"unit        fal-ai/flux-2: table $0.012 per megapixel, live $0.00125 per compute seconds",
		"tier        fal-ai/flux-2-max: table $0.07 per tiered megapixel, live $0.08 per megapixels",
		"only live   fal-ai/flux-2/klein/4b/lora: table unknown, live $0.016 per megapixels",
		"unreadable  fal-ai/flux-pro/kontext: table $0.04 per image, live \"0\": must be more than zero",
		"only table  fal-ai/flux/dev: table $0.025 per megapixel, live unknown",
		"price       fal-ai/qwen-image: table $0.02 per megapixel, live $0.025 per megapixels",
		"unreadable  fal-ai/qwen-image-2/text-to-image: table $0.035 per image, live the currency is EUR",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if text := pricing.Embedded().Diff(someLive).String(); text != strings.Join(want, "\n")+"\n" {
		t.Errorf("printed as %q", text)
	}
}

// Only a live price by the same unit changes the table.
func TestWithLive(t *testing.T) {
	t.Parallel()
	before := pricing.Embedded()
	table, changes, err := before.WithLive(someLive, time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil || len(changes) != 7 {
		t.Fatal(changes, err)
	}
	for p := range table.Prices() {
		old, _ := before.Price(p.Endpoint)
		if p.Endpoint == "fal-ai/qwen-image" {
			if p.AsOf != "2027-01-02" || p.Rule.UnitPrice() != 5*pricing.Cent/2 {
				t.Errorf("not taken over: %+v", p)
			}
			continue
		}
		if diff := cmp.Diff(old, p); diff != "" {
			t.Errorf("%s changed (-before +after)\n%s", p.Endpoint, diff)
		}
	}
}

// The platform limits how often it is asked: one call for 50 endpoints, none
// while the prices are fresh, and none before it says.
func TestLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls []int
		limited := false
		live := &pricing.Live{Fetch: func(_ context.Context, ids []string) ([]pricing.LivePrice, error) {
			calls = append(calls, len(ids))
			if len(calls) == 3 && !limited {
				limited = true
				return nil, &fal.Error{Status: http.StatusTooManyRequests, RetryAfter: time.Minute}
			}
			var prices []pricing.LivePrice
			for _, id := range ids {
				for _, p := range someLive {
					if p.Endpoint == id {
						prices = append(prices, p)
					}
				}
			}
			return prices, nil
		}}
		refresh := func(wantError bool) pricing.Changes {
			t.Helper()
			table, changes, err := live.Refresh(t.Context())
			if table == nil || (err != nil) != wantError || (err != nil && !errors.Is(err, fal.ErrRateLimited)) {
				t.Fatalf("%v, %v", table, err)
			}
			return changes
		}
		refresh(true) // two calls, and one that is refused
		refresh(true) // none
		time.Sleep(time.Minute)
		first := refresh(false) // the other two
		refresh(false)          // none, they are fresh
		if diff := cmp.Diff([]int{50, 50, 50, 50, 23}, calls); diff != "" {
			t.Errorf("calls (-want +got)\n%s", diff)
		}
		kinds := make(map[pricing.ChangeKind]int)
		for _, c := range first {
			kinds[c.Kind]++
		}
		if kinds[pricing.ChangedPrice] != 1 || kinds[pricing.OtherUnit] != 1 {
			t.Errorf("changes: %v", kinds)
		}
		time.Sleep(time.Hour)
		refresh(false)
		if len(calls) != 9 {
			t.Errorf("%d calls, want 9: the prices are old", len(calls))
		}
	})
	if _, _, err := new(pricing.Live).Refresh(t.Context()); err == nil {
		t.Error("refreshed by nothing")
	}
}
