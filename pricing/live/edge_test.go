package live_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/live"
)

// tableOf is a table with one rule.
func tableOf(t *testing.T, rule pricing.Rule) *pricing.Table {
	t.Helper()
	table, err := pricing.NewTable(pricing.Price{Endpoint: "a/b", Rule: rule, Confidence: pricing.Low, AsOf: "2026-01-01", Sources: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Whatever the platform calls a unit, it is that of the rule, or another.
func TestUnits(t *testing.T) {
	t.Parallel()
	rules := map[string]pricing.Rule{
		"megapixel": pricing.PerMegapixel{Price: pricing.Cent}, "image": pricing.PerImage{Price: pricing.Cent}, "request": pricing.PerRequest{Price: pricing.Cent},
		"step": pricing.PerStep{Price: pricing.Cent}, "second": pricing.PerSecond{Price: pricing.Cent},
	}
	for unit, want := range map[string]string{
		"megapixel": "megapixel", "Megapixels": "megapixel", " processed  megapixels ": "megapixel", "MP": "megapixel", "image": "image", "IMAGES": "image",
		"request": "request", "generations": "request", "steps": "step", "training step": "step", "compute seconds": "second", "second": "second",
		"pixel": "", "": "", "s": "", "megapixelss": "",
	} {
		for name, rule := range rules {
			changes := live.Diff(tableOf(t, rule), []live.Price{{Endpoint: "a/b", UnitPrice: "0.010", Unit: unit}})
			if same := len(changes) == 0; same != (name == want) || !same && changes[0].Kind != live.OtherUnit {
				t.Errorf("%q for %s: %v", unit, name, changes)
			}
		}
	}
}

// What is compared, and what of it is known.
func TestChanges(t *testing.T) {
	t.Parallel()
	table := tableOf(t, pricing.PerImage{Price: pricing.Cent})
	for name, tt := range map[string]struct {
		price live.Price
		want  live.Changes
	}{
		"the same":                   {live.Price{Endpoint: "a/b", UnitPrice: "0.01", Unit: "images", Currency: "usd"}, nil},
		"another price":              {live.Price{Endpoint: "a/b", UnitPrice: "0.02", Unit: "images"}, live.Changes{{Endpoint: "a/b", Kind: live.ChangedPrice, TablePrice: pricing.Cent, TableUnit: "image", LivePrice: 2 * pricing.Cent, LiveUnit: "images"}}},
		"another unit":               {live.Price{Endpoint: "a/b", UnitPrice: "0.01", Unit: "steps"}, live.Changes{{Endpoint: "a/b", Kind: live.OtherUnit, TablePrice: pricing.Cent, TableUnit: "image", LivePrice: pricing.Cent, LiveUnit: "steps"}}},
		"known to the table alone":   {live.Price{Endpoint: "a/b"}, live.Changes{{Endpoint: "a/b", Kind: live.OnlyTable, TablePrice: pricing.Cent, TableUnit: "image"}}},
		"known to the platform":      {live.Price{Endpoint: "c/d", UnitPrice: "0.01", Unit: "images"}, live.Changes{{Endpoint: "c/d", Kind: live.OnlyLive, LivePrice: pricing.Cent, LiveUnit: "images"}}},
		"known to neither":           {live.Price{Endpoint: "c/d"}, nil},
		"in another currency":        {live.Price{Endpoint: "a/b", UnitPrice: "0.01", Unit: "images", Currency: "USDC"}, live.Changes{{Endpoint: "a/b", Kind: live.Unreadable, TablePrice: pricing.Cent, TableUnit: "image", LiveUnit: "images"}}},
		"of 80 letters":              {live.Price{Endpoint: "a/b", UnitPrice: json.Number("0.01" + strings.Repeat("0", 76)), Unit: "images"}, nil},
		"of 81 letters, not to read": {live.Price{Endpoint: "a/b", UnitPrice: json.Number("0.01" + strings.Repeat("0", 77)), Unit: "images"}, live.Changes{{Endpoint: "a/b", Kind: live.Unreadable, TablePrice: pricing.Cent, TableUnit: "image", LiveUnit: "images"}}},
	} {
		got := live.Diff(table, []live.Price{tt.price})
		if diff := cmp.Diff(tt.want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "problem" }, cmp.Ignore())); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// A price that is taken over says where it comes from, and the table that was given
// stays.
func TestWhatIsTakenOver(t *testing.T) {
	t.Parallel()
	before := tableOf(t, pricing.PerImage{Price: pricing.Cent})
	table, changes, err := live.Apply(before, []live.Price{{Endpoint: "a/b", UnitPrice: "0.02", Unit: "images"}, {Endpoint: "c/d", UnitPrice: "1", Unit: "images"}}, time.Date(2026, 11, 2, 23, 0, 0, 0, time.FixedZone("", -7200)))
	if err != nil || len(changes) != 2 {
		t.Fatal(changes, err)
	}
	got, _ := table.Price("a/b")
	want := pricing.Price{Endpoint: "a/b", Rule: pricing.PerImage{Price: 2 * pricing.Cent}, Confidence: pricing.High, AsOf: "2026-11-03", Sources: []string{"platform pricing API, 2026-11-03"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if old, _ := before.Price("a/b"); old.Rule != (pricing.PerImage{Price: pricing.Cent}) {
		t.Errorf("the table that was given has %v", old.Rule)
	}
	if _, there := table.Price("c/d"); there {
		t.Error("the table has what it never had")
	}
}

// What a feed takes of an answer, and when it asks again.
func TestAnswersOfAFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		feed := &live.Feed{Table: liveTable(t, "a/b", "c/d"), MaxAge: time.Minute, Client: platform(func(call int, r *http.Request) (*http.Response, error) {
			switch calls = call; call {
			case 1: // of one endpoint, and one that nobody asked for
				return httpmock.NewJsonResponse(200, map[string]any{"has_more": true, "prices": []live.Price{{Endpoint: "a/b", UnitPrice: "0.02", Unit: "megapixels"}, {Endpoint: "e/f", UnitPrice: "0.02", Unit: "megapixels"}}})
			case 2:
				return httpmock.NewStringResponse(401, `{"detail":"no"}`), nil
			case 3: // and a cursor, though there is no more
				return httpmock.NewJsonResponse(200, map[string]any{"next_cursor": "x", "prices": []live.Price{}})
			}
			return nil, errors.New("no network")
		})}
		for _, step := range []struct {
			after time.Duration
			calls int
			ok    bool
			want  []string // kinds and endpoints of the changes
		}{
			{0, 1, true, []string{"price a/b", "only table c/d"}},
			{time.Minute - 1, 1, true, []string{"price a/b", "only table c/d"}},
			{1, 2, false, []string{"price a/b", "only table c/d"}},
			{0, 3, true, []string{"only table a/b", "only table c/d"}}, // it was not asked to wait
			{time.Minute, 4, false, []string{"only table a/b", "only table c/d"}},
		} {
			time.Sleep(step.after)
			_, changes, err := feed.Refresh(t.Context())
			var got []string
			for _, c := range changes {
				got = append(got, string(c.Kind)+" "+c.Endpoint)
			}
			if diff := cmp.Diff(step.want, got); diff != "" || calls != step.calls || (err == nil) != step.ok || err != nil && !strings.HasPrefix(err.Error(), "live: ") {
				t.Errorf("call %d: %v, %d calls, -want +got\n%s", step.calls, err, calls, diff)
			}
		}
	})
}
