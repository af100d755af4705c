package live_test

import (
	"encoding/json"
	"testing"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/live"
)

// A unit price is read exactly, with an exponent or without, and what is beyond
// the ninth decimal place is rounded up.
func TestUnitPrices(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pricing.USD{
		"0.025": 25_000_000, "2.5e-2": 25_000_000, "25E-3": 25_000_000, "0.25e-1": 25_000_000, "1e1": 10 * pricing.Dollar,
		"0.0000000001": 1, "1e-40": 1, "0.1000000001": 100_000_001, "9223372036.854775807": 1<<63 - 1,
	} {
		changes := live.Diff(pricing.Embedded(), []live.Price{{Endpoint: "some/model", UnitPrice: json.Number(text), Unit: "images"}})
		if len(changes) != 1 || changes[0].Kind != live.OnlyLive || changes[0].LivePrice != want {
			t.Errorf("%s: %v, want %v", text, changes, want)
		}
	}
	for _, bad := range []string{
		"0", "-1", "-1e-40", "x", "1/3", "0x10", "1_000", "1e", "e1", ".", "1e41", "1e-41", "1e999999999", "1e99999999999999999999", "9223372036.8547758071", "Inf", "NaN",
	} {
		changes := live.Diff(pricing.Embedded(), []live.Price{{Endpoint: "some/model", UnitPrice: json.Number(bad), Unit: "images"}})
		if len(changes) != 1 || changes[0].Kind != live.Unreadable {
			t.Errorf("%s: %v, want it to be unreadable", bad, changes)
		}
	}
}
