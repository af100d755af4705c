package invoice_test

import (
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/invoice"
)

// list is an iterator over values, without an error or with one at its end.
func list[T any](values []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

const cent = pricing.Cent

func TestCompare(t *testing.T) {
	t.Parallel()
	booked := func(units pricing.Units, billed pricing.USD) []invoice.Booked {
		return []invoice.Booked{{RequestID: "a", Quote: 3 * cent, Units: units, Billed: billed}}
	}
	event := func(units, price, subtotal, discount, total json.Number) []platform.BillingEvent {
		return []platform.BillingEvent{{RequestID: "a", Units: units, UnitPrice: price, Subtotal: subtotal, Reduction: discount, Total: total}}
	}
	one := pricing.One
	for name, tt := range map[string]struct {
		booked     []invoice.Booked
		events     []platform.BillingEvent
		kind       invoice.Kind
		difference pricing.USD
	}{
		"the same":                 {booked(one, 3*cent), event("1", "0.03", "0.03", "0", "0.03"), invoice.Agrees, 0},
		"by a rounding":            {booked(one, 3*cent), event("1", "0.03", "0.0300000014", "0", "0.0300000014"), invoice.Agrees, 1},
		"with an exponent":         {booked(one, 3*cent), event("1e0", "3e-2", "3e-2", "0", "3.0e-2"), invoice.Agrees, 0},
		"discount unknown":         {booked(one, 3*cent), event("1", "0.03", "0.03", "0.003", "0.027"), invoice.Discounted, -cent * 3 / 10},
		"discount known":           {booked(one, 27*cent/10), event("1", "0.03", "0.03", "0.003", "0.027"), invoice.Agrees, 0},
		"more units":               {booked(one, 3*cent), event("1.5", "0.03", "0.045", "0", "0.045"), invoice.OtherUnits, 3 * cent / 2},
		"another price":            {booked(one, 3*cent), event("1", "0.04", "0.04", "0", "0.04"), invoice.OtherPrice, cent},
		"a price and a discount":   {booked(one, 3*cent), event("1", "0.04", "0.04", "0.004", "0.036"), invoice.OtherPrice, cent * 6 / 10},
		"neither":                  {booked(one, 3*cent), event("1", "0.03", "0.05", "0", "0.05"), invoice.OtherAmount, 2 * cent},
		"no price told":            {booked(one, 3*cent), event("1", "", "", "", "0.05"), invoice.OtherAmount, 2 * cent},
		"no event":                 {booked(one, 3*cent), nil, invoice.NotCharged, -3 * cent},
		"nothing on both sides":    {booked(0, 0), nil, invoice.Agrees, 0},
		"a request under way":      {[]invoice.Booked{{RequestID: "a", Open: true}}, nil, invoice.Agrees, 0},
		"its result was lost":      {[]invoice.Booked{{RequestID: "a", Open: true}}, event("1", "0.03", "0.03", "0", "0.03"), invoice.StillOpen, 3 * cent},
		"somebody else's":          {nil, event("1", "0.03", "0.03", "0", "0.03"), invoice.NotBooked, 3 * cent},
		"no amount told":           {booked(one, 3*cent), event("1", "", "", "", ""), invoice.Untold, 0},
		"an event of zero":         {booked(one, 3*cent), event("0", "0.03", "0", "0", "0"), invoice.OtherUnits, -3 * cent},
		"in two events":            {booked(2*one, 6*cent), slices.Concat(event("1", "0.03", "0.03", "0", "0.03"), event("1", "0.03", "0.03", "0", "0.03")), invoice.Agrees, 0},
		"one of two without a sum": {booked(one, 3*cent), slices.Concat(event("1", "0.03", "0.03", "0", "0.03"), event("1", "", "", "", "")), invoice.Untold, 0},
		"in billionths alone":      {booked(one, 3*cent), []platform.BillingEvent{{RequestID: "a", Units: "1", NanoUSD: "30000000"}}, invoice.Agrees, 0},
	} {
		inv, err := invoice.Compare(list(tt.booked, nil), list(tt.events, nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(inv.Lines) != 1 || inv.Lines[0].Kind != tt.kind || inv.Lines[0].Difference != tt.difference || inv.Total.Difference != tt.difference {
			t.Errorf("%s: %+v, want %s by %v", name, inv.Lines, tt.kind, tt.difference)
		}
		if inv.Kinds[tt.kind] != inv.Total || inv.Total.Lines != 1 {
			t.Errorf("%s: sums %+v", name, inv.Kinds)
		}
		if differs := tt.kind != invoice.Agrees; len(inv.Differing()) > 0 != differs || strings.Contains(inv.String(), "\na ") != differs {
			t.Errorf("%s: %s", name, inv)
		}
	}
}

func TestCompareErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	const most = "9223372036.854775807" // as much as there can be
	for name, tt := range map[string]struct {
		booked iter.Seq2[invoice.Booked, error]
		events iter.Seq2[platform.BillingEvent, error]
		want   string
	}{
		"the books break":   {list[invoice.Booked](nil, broken), list[platform.BillingEvent](nil, nil), "books: broken"},
		"the bill breaks":   {list[invoice.Booked](nil, nil), list[platform.BillingEvent](nil, broken), "bill: broken"},
		"no id":             {list([]invoice.Booked{{}}, nil), list[platform.BillingEvent](nil, nil), "without an id"},
		"twice":             {list([]invoice.Booked{{RequestID: "a"}, {RequestID: "a"}}, nil), list[platform.BillingEvent](nil, nil), "booked twice"},
		"no number":         {list[invoice.Booked](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: "much"}}, nil), "must be a number"},
		"no whole number":   {list[invoice.Booked](nil, nil), list([]platform.BillingEvent{{RequestID: "a", NanoUSD: "1.5"}}, nil), "whole number"},
		"absurdly large":    {list[invoice.Booked](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: "1e999999999"}}, nil), "must be a number"},
		"too large":         {list[invoice.Booked](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: "1e30"}}, nil), "too large"},
		"a sum too large":   {list[invoice.Booked](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: most}, {RequestID: "a", Total: most}}, nil), "too large"},
		"a total too large": {list[invoice.Booked](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: most}, {RequestID: "b", Total: most}}, nil), "too large"},
	} {
		if _, err := invoice.Compare(tt.booked, tt.events); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// What the local fal charges is what its units come to, with a discount that
// the books do not know.
func TestCompareFaltest(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.SetPrice("fal-ai/flux-2-pro", "0.03", "megapixels")
	srv.SetDiscount("10")
	var books []invoice.Booked
	for _, size := range []fal.ImageSize{fal.Size(1024, 1024), fal.Size(1920, 1080)} {
		req := flux.Pro2{Prompt: "x", ImageSize: size}
		quote, err := pricing.Estimate(req)
		if err != nil {
			t.Fatal(err)
		}
		out, err := fal.Subscribe(t.Context(), srv.Client(), req)
		if err != nil {
			t.Fatal(err)
		}
		bill, err := pricing.Settle(quote, out.Meta)
		if err != nil {
			t.Fatal(err)
		}
		books = append(books, invoice.Booked{RequestID: out.RequestID, Endpoint: bill.Endpoint, Time: time.Now(), Quote: quote.Expected, Units: bill.Units, Billed: bill.Billed})
	}
	events := platform.API{Client: srv.Admin()}.BillingEvents(t.Context(), platform.BillingQuery{})
	inv, err := invoice.Compare(list(books, nil), events)
	if err != nil {
		t.Fatal(err)
	}
	want := invoice.Total{Lines: 2, Quote: 15 * cent / 2, Billed: 15 * cent / 2, Subtotal: 15 * cent / 2, Discount: 3 * cent / 4, Total: 27 * cent / 4, Difference: -3 * cent / 4}
	if diff := cmp.Diff(map[invoice.Kind]invoice.Total{invoice.Discounted: want}, inv.Kinds); diff != "" {
		t.Error(diff)
	}
	if inv.Lines[0].RequestID != books[0].RequestID {
		t.Error("the lines are not in the order of their time")
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("1", "0.03", "0.03", "0", "0.03", "30000000")
	f.Add("1e9", "1e-9", "-0.03", "", "", "x")
	f.Fuzz(func(t *testing.T, units, price, subtotal, discount, total, nano string) {
		inv, err := invoice.Compare(list([]invoice.Booked{{RequestID: "a", Billed: cent}}, nil), list([]platform.BillingEvent{{
			RequestID: "a", Units: json.Number(units), UnitPrice: json.Number(price), Subtotal: json.Number(subtotal),
			Reduction: json.Number(discount), Total: json.Number(total), NanoUSD: json.Number(nano),
		}}, nil))
		if (inv == nil) == (err == nil) {
			t.Errorf("%v, %v", inv, err)
		}
		if err == nil && inv.String() == "" {
			t.Error("it has no text")
		}
	})
}
