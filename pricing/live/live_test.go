package live_test

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/live"
)

var someLive = []live.Price{
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
	for _, c := range live.Diff(pricing.Embedded(), someLive) {
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
	if text := live.Diff(pricing.Embedded(), someLive).String(); text != strings.Join(want, "\n")+"\n" {
		t.Errorf("printed as %q", text)
	}
}

// Only a live price by the same unit changes the table.
func TestApply(t *testing.T) {
	t.Parallel()
	before := pricing.Embedded()
	table, changes, err := live.Apply(before, someLive, time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil || len(changes) != 7 {
		t.Fatal(changes, err)
	}
	// A rule with two prices stays, by whatever name the platform calls its unit.
	tiered := live.Price{Endpoint: "fal-ai/flux-2-pro", UnitPrice: "0.5", Unit: "tiered megapixel", Currency: "USD"}
	if same, changes, err := live.Apply(before, []live.Price{tiered}, time.Now()); err != nil || len(changes) != 1 || changes[0].Kind != live.OtherUnit {
		t.Errorf("%v, %v", changes, err)
	} else if p, _ := same.Price(tiered.Endpoint); p.Rule.UnitPrice() != 3*pricing.Cent {
		t.Errorf("changed to %v", p.Rule)
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
func TestFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls []int
		platform := httpmock.NewMockTransport()
		platform.RegisterResponder(http.MethodGet, "https://api.fal.ai/v1/models/pricing", func(r *http.Request) (*http.Response, error) {
			ids := r.URL.Query()["endpoint_id"]
			calls = append(calls, len(ids))
			if len(calls) == 3 {
				resp := httpmock.NewStringResponse(429, `{"error":{"type":"rate_limited","message":"Too many requests"}}`)
				resp.Header.Set("X-Ratelimit-Reset", "60")
				return resp, nil
			}
			var prices []live.Price
			for _, p := range someLive {
				if slices.Contains(ids, p.Endpoint) {
					prices = append(prices, p)
				}
			}
			return httpmock.NewJsonResponse(200, map[string]any{"prices": prices, "has_more": false})
		})
		feed := &live.Feed{Client: &fal.Client{
			Key: fal.NewKey("id:secret"), HTTPClient: &http.Client{Transport: platform}, Retry: fal.Retry{MaxAttempts: 1},
			Logger: slog.New(slog.DiscardHandler),
		}}
		refresh := func(wantError bool) live.Changes {
			t.Helper()
			table, changes, err := feed.Refresh(t.Context())
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
		kinds := make(map[live.Kind]int)
		for _, c := range first {
			kinds[c.Kind]++
		}
		if kinds[live.ChangedPrice] != 1 || kinds[live.OtherUnit] != 1 {
			t.Errorf("changes: %v", kinds)
		}
		time.Sleep(time.Hour)
		refresh(false)
		if len(calls) != 9 {
			t.Errorf("%d calls, want 9: the prices are old", len(calls))
		}
	})
	if _, _, err := new(live.Feed).Refresh(t.Context()); err == nil {
		t.Error("refreshed by nothing")
	}
}

// The local fal answers as the platform does; its refusals are waited out.
func TestLiveFromLocalFal(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.SetPrice("fal-ai/qwen-image", "0.025", "megapixels")
	srv.Inject(faltest.OpPlatform, faltest.RateLimited("0"), 1)
	feed := &live.Feed{Client: srv.Client()}
	table, changes, err := feed.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, _ := table.Price("fal-ai/qwen-image")
	if p.Rule != (pricing.PerMegapixel{Price: 5 * pricing.Cent / 2}) {
		t.Errorf("the price is %v, want $0.025", p.Rule)
	}
	if n := srv.Ledger().Platform; n != 5 {
		t.Errorf("%d calls, want 4 and one that was refused", n)
	}
	if changes[0].Kind == live.ChangedPrice && changes[0].Endpoint != "fal-ai/qwen-image" {
		t.Errorf("%v", changes)
	}
	if _, _, err := (&live.Feed{Client: &fal.Client{Key: fal.NewKey("wrong:key"), Hosts: srv.Hosts()}}).Refresh(t.Context()); !errors.Is(err, fal.ErrUnauthorized) {
		t.Errorf("got %v, want ErrUnauthorized", err)
	}
}
