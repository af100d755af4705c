package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	{Endpoint: "fal-ai/flux-2/klein/9b/base", UnitPrice: "0.011", Unit: "megapixels", Currency: "USD"},
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
		"only live   fal-ai/flux-2/klein/9b/base: table unknown, live $0.011 per megapixels",
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
	// A rule with several prices stays, by whatever name the platform calls its unit.
	tiered := live.Price{Endpoint: "fal-ai/flux-2-pro", UnitPrice: "0.5", Unit: "tiered megapixel", Currency: "USD"}
	if same, changes, err := live.Apply(before, []live.Price{tiered}, time.Now()); err != nil || len(changes) != 1 || changes[0].Kind != live.ChangedTier {
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

// What the platform says of a rule with several prices is no difference if it is
// one of them, whatever it calls the unit.
func TestDiffOfSeveralPrices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		endpoint, price, unit string
		want                  live.Kind
	}{
		{"fal-ai/flux-2-pro", "0.03", "tiered megapixel", ""},
		{"fal-ai/flux-2-pro", "0.015", "megapixels", ""},
		{"fal-ai/flux-2-pro", "0.02", "megapixels", live.ChangedTier},
		{"fal-ai/flux-2-pro", "0.03", "images", live.OtherUnit},
		{"blackforestlabs/flux-3/text-to-image", "0.048", "images", ""},
		{"blackforestlabs/flux-3/text-to-image", "0.607", "tiered image", ""},
		{"blackforestlabs/flux-3/text-to-image", "0.024", "megapixels", live.ChangedTier},
		{"blackforestlabs/flux-3/klein/text-to-image/lora", "0.012", "megapixels", ""},
		{"fal-ai/qwen-image-2.1/edit", "0.036666666667", "megapixels", ""},
		{"fal-ai/qwen-image", "0.020", "megapixels", ""},
		{"no/such", "1", "images", live.OnlyLive},
		{"fal-ai/control-light", "0.01", "images", live.OnlyLive},
	} {
		got := live.Diff(pricing.Embedded(), []live.Price{{Endpoint: tt.endpoint, UnitPrice: json.Number(tt.price), Unit: tt.unit, Currency: "USD"}})
		if tt.want == "" && len(got) != 0 || tt.want != "" && (len(got) != 1 || got[0].Kind != tt.want) {
			t.Errorf("%s at %s per %s: %v, want %q", tt.endpoint, tt.price, tt.unit, got, tt.want)
		}
	}
}

// A live price of a step changes the least charge by as much.
func TestApplyScalesMinimumCharge(t *testing.T) {
	t.Parallel()
	table, _, err := live.Apply(pricing.Embedded(), []live.Price{{Endpoint: "fal-ai/qwen-image-trainer", UnitPrice: "0.001", Unit: "steps", Currency: "USD"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	q, err := table.Estimate(fal.Usage{Endpoint: "fal-ai/qwen-image-trainer", Outputs: 1, Steps: 1})
	if err != nil || q.Max != 25*pricing.Cent {
		t.Errorf("%v, %v, want $0.25: 250 steps", q, err)
	}
}

// A live price settles what sources disagree on.
func TestApplySettlesDisputes(t *testing.T) {
	t.Parallel()
	const id = "fal-ai/flux-2/klein/4b"
	table, _, err := live.Apply(pricing.Embedded(), []live.Price{{Endpoint: id, UnitPrice: "0.008", Unit: "megapixels", Currency: "USD"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	q, err := table.Estimate(fal.Usage{Endpoint: id, Outputs: 1, Size: fal.SquareHD})
	if err != nil || !q.Exact() || q.Expected != 8*pricing.Cent/10 {
		t.Errorf("%v, %v", q, err)
	}
}

// A feed asks for other endpoints besides those of the table, each once.
func TestFeedAlso(t *testing.T) {
	t.Parallel()
	var asked []string
	client := platform(func(_ int, r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Query()["endpoint_id"]...)
		return priced(r, "0.02")
	})
	feed := &live.Feed{Client: client, Table: liveTable(t, "a/known"), Also: []string{"b/new", "a/known", ""}}
	_, changes, err := feed.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a/known", "b/new"}, asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
	if last := changes[len(changes)-1]; last.Endpoint != "b/new" || last.Kind != live.OnlyLive {
		t.Errorf("%v", changes)
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
		if diff := cmp.Diff([]int{50, 50, 50, 50, pricing.Default().Len() - 150}, calls); diff != "" {
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

// platform answers the pricing API as answer says, by the number of the call.
func platform(answer func(call int, r *http.Request) (*http.Response, error)) *fal.Client {
	mock := httpmock.NewMockTransport()
	var calls atomic.Int64
	mock.RegisterResponder(http.MethodGet, "https://api.fal.ai/v1/models/pricing", func(r *http.Request) (*http.Response, error) {
		return answer(int(calls.Add(1)), r)
	})
	return &fal.Client{
		Key: fal.NewKey("id:secret"), HTTPClient: &http.Client{Transport: mock}, Retry: fal.Retry{MaxAttempts: 1},
		Logger: slog.New(slog.DiscardHandler),
	}
}

// priced answers with the same price for each endpoint that is asked for.
func priced(r *http.Request, price string) (*http.Response, error) {
	var prices []live.Price
	for _, id := range r.URL.Query()["endpoint_id"] {
		prices = append(prices, live.Price{Endpoint: id, UnitPrice: json.Number(price), Unit: "megapixels", Currency: "USD"})
	}
	return httpmock.NewJsonResponse(200, map[string]any{"prices": prices, "has_more": false})
}

func liveTable(t *testing.T, endpoints ...string) *pricing.Table {
	t.Helper()
	var prices []pricing.Price
	for _, id := range endpoints {
		prices = append(prices, pricing.Price{Endpoint: id, Rule: pricing.PerMegapixel{Price: pricing.Cent}})
	}
	table, err := pricing.NewTable(prices...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Who waits for a call of another waits as long as its own context lasts, and
// who finds fresh prices does not wait at all.
func TestRefreshWaitsByItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := platform(func(_ int, r *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second)
			return priced(r, "0.02")
		})
		feed := &live.Feed{Client: client, Table: liveTable(t, "a/b")}
		var wait sync.WaitGroup
		began := time.Now()
		wait.Go(func() {
			if table, _, err := feed.Refresh(t.Context()); err != nil || !is(table, "a/b", 2*pricing.Cent) {
				t.Errorf("who asks: %v", err)
			}
		})
		wait.Go(func() { // waits for the other, and takes what that got
			time.Sleep(time.Second)
			table, changes, err := feed.Refresh(t.Context())
			if err != nil || !is(table, "a/b", 2*pricing.Cent) || len(changes) != 1 || time.Since(began) != 3*time.Second {
				t.Errorf("who waits: %v after %v", err, time.Since(began))
			}
		})
		wait.Go(func() {
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			table, _, err := feed.Refresh(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !is(table, "a/b", pricing.Cent) || time.Since(began) != 1100*time.Millisecond {
				t.Errorf("with 100 ms: %v after %v", err, time.Since(began))
			}
		})
		wait.Wait()
	})
}

func is(table *pricing.Table, endpoint string, price pricing.USD) bool {
	p, ok := table.Price(endpoint)
	return ok && p.Rule.UnitPrice() == price
}

// What a round got before it failed is used as long as prices are, and the
// table is as of when the round began.
func TestRoundsAge(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 51 {
		ids = append(ids, fmt.Sprintf("m/%03d", i))
	}
	for _, tt := range []struct {
		pause time.Duration
		calls int         // of the second round
		first pricing.USD // the price of what was got first
		asOf  string
		fresh time.Duration // after which it is asked again
	}{
		{59 * time.Minute, 1, 2 * pricing.Cent, "2000-01-01", time.Minute},
		{time.Hour, 2, 3 * pricing.Cent, "2000-01-01", time.Hour},
		{72 * time.Hour, 2, 3 * pricing.Cent, "2000-01-04", time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			feed := &live.Feed{Table: liveTable(t, ids...), Client: platform(func(call int, r *http.Request) (*http.Response, error) {
				switch calls = call; call {
				case 1:
					return priced(r, "0.02")
				case 2:
					return nil, errors.New("no network")
				}
				return priced(r, "0.03")
			})}
			if _, _, err := feed.Refresh(t.Context()); err == nil {
				t.Fatal("no error")
			}
			time.Sleep(tt.pause)
			table, _, err := feed.Refresh(t.Context())
			if err != nil || !is(table, ids[0], tt.first) || !is(table, ids[50], 3*pricing.Cent) || calls != 2+tt.calls {
				t.Errorf("after %v: %v, %d calls", tt.pause, err, calls)
			}
			if p, _ := table.Price(ids[0]); p.AsOf != tt.asOf {
				t.Errorf("after %v: as of %s, want %s", tt.pause, p.AsOf, tt.asOf)
			}
			for _, wait := range []time.Duration{tt.fresh - 1, 1} {
				before := calls
				time.Sleep(wait)
				if _, _, err := feed.Refresh(t.Context()); err != nil || (calls > before) != (wait == 1) {
					t.Errorf("after %v: %v, %d calls more", tt.pause, err, calls-before)
				}
			}
		})
	}
}

// An answer in pages is read to its end, and one without end is not.
func TestPagesOfPrices(t *testing.T) {
	t.Parallel()
	for _, last := range []int{3, 10, 11} {
		var cursors []string
		client := platform(func(call int, r *http.Request) (*http.Response, error) {
			cursors = append(cursors, r.URL.Query().Get("cursor"))
			if call > 1 && cursors[call-1] != fmt.Sprint("page ", call) {
				return nil, fmt.Errorf("page %d has cursor %q", call, cursors[call-1])
			}
			price := live.Price{Endpoint: fmt.Sprint("m/", call), UnitPrice: "0.05", Unit: "megapixels"}
			return httpmock.NewJsonResponse(200, map[string]any{
				"prices": []live.Price{price}, "has_more": call < last, "next_cursor": fmt.Sprint("page ", call+1),
			})
		})
		feed := &live.Feed{Client: client, Table: liveTable(t, "m/1", "m/2", "m/3")}
		table, _, err := feed.Refresh(t.Context())
		if (err == nil) != (last <= 10) || err == nil && (!is(table, "m/1", 5*pricing.Cent) || !is(table, "m/3", 5*pricing.Cent)) {
			t.Errorf("%d pages: %v", last, err)
		}
	}
}

// A time to wait that cannot be meant ends after an hour.
func TestLongWaitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		feed := &live.Feed{Table: liveTable(t, "a/b"), Client: platform(func(call int, r *http.Request) (*http.Response, error) {
			if calls = call; call > 1 {
				return priced(r, "0.03")
			}
			resp := httpmock.NewStringResponse(429, `{"error":{"type":"rate_limited","message":"Too many requests"}}`)
			resp.Header.Set("Retry-After", "86400")
			return resp, nil
		})}
		for _, step := range []struct {
			after time.Duration
			calls int
		}{{0, 1}, {time.Hour - 1, 1}, {1, 2}} {
			time.Sleep(step.after)
			if _, _, err := feed.Refresh(t.Context()); calls != step.calls || (err == nil) != (calls == 2) {
				t.Errorf("after %v more: %d calls, %v", step.after, calls, err)
			}
		}
	})
}
