package invoice_test

import (
	"encoding/json"
	"errors"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/invoice"
	"github.com/falimage/falimage-go/pricing/spend"
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
	entry := spend.Entry{RequestID: "a", Amounts: pricing.Amounts{Expected: 3 * cent}}
	booked := func(units string, billed pricing.USD) []spend.Settled {
		return []spend.Settled{{Entry: entry, Units: units, Billed: billed, Least: billed}}
	}
	open := []spend.Settled{{Entry: entry}} // stands for one that is open
	event := func(units, price, subtotal, discount, total json.Number) []platform.BillingEvent {
		return []platform.BillingEvent{{RequestID: "a", Units: units, UnitPrice: price, Subtotal: subtotal, Reduction: discount, Total: total}}
	}
	for name, tt := range map[string]struct {
		booked     []spend.Settled
		events     []platform.BillingEvent
		kind       invoice.Kind
		difference pricing.USD
	}{
		"the same":                 {booked("1", 3*cent), event("1", "0.03", "0.03", "0", "0.03"), invoice.Agrees, 0},
		"by a rounding":            {booked("1", 3*cent), event("1", "0.03", "0.0300000014", "0", "0.0300000014"), invoice.Agrees, 1},
		"with an exponent":         {booked("1", 3*cent), event("1e0", "3e-2", "3e-2", "0", "3.0e-2"), invoice.Agrees, 0},
		"discount unknown":         {booked("1", 3*cent), event("1", "0.03", "0.03", "0.003", "0.027"), invoice.Discounted, -cent * 3 / 10},
		"discount known":           {booked("1", 27*cent/10), event("1", "0.03", "0.03", "0.003", "0.027"), invoice.Agrees, 0},
		"more units":               {booked("1", 3*cent), event("1.5", "0.03", "0.045", "0", "0.045"), invoice.OtherUnits, 3 * cent / 2},
		"another price":            {booked("1", 3*cent), event("1", "0.04", "0.04", "0", "0.04"), invoice.OtherPrice, cent},
		"a price and a discount":   {booked("1", 3*cent), event("1", "0.04", "0.04", "0.004", "0.036"), invoice.OtherPrice, cent * 6 / 10},
		"neither":                  {booked("1", 3*cent), event("1", "0.03", "0.05", "0", "0.05"), invoice.OtherAmount, 2 * cent},
		"no price told":            {booked("1", 3*cent), event("1", "", "", "", "0.05"), invoice.OtherAmount, 2 * cent},
		"no event":                 {booked("1", 3*cent), nil, invoice.NotCharged, -3 * cent},
		"nothing on both sides":    {booked("0", 0), nil, invoice.Agrees, 0},
		"a request under way":      {open, nil, invoice.Agrees, 0},
		"its result was lost":      {open, event("1", "0.03", "0.03", "0", "0.03"), invoice.StillOpen, 3 * cent},
		"somebody else's":          {nil, event("1", "0.03", "0.03", "0", "0.03"), invoice.NotBooked, 3 * cent},
		"no amount told":           {booked("1", 3*cent), event("1", "", "", "", ""), invoice.Untold, 0},
		"an event of zero":         {booked("1", 3*cent), event("0", "0.03", "0", "0", "0"), invoice.OtherUnits, -3 * cent},
		"in two events":            {booked("2.0", 6*cent), slices.Concat(event("1", "0.03", "0.03", "0", "0.03"), event("1", "0.03", "0.03", "0", "0.03")), invoice.Agrees, 0},
		"one of two without a sum": {booked("1", 3*cent), slices.Concat(event("1", "0.03", "0.03", "0", "0.03"), event("1", "", "", "", "")), invoice.Untold, 0},
		"the dearer reading":       {[]spend.Settled{{Entry: entry, Units: "1", Billed: 5 * cent, Least: 3 * cent}}, event("1", "0.03", "0.03", "0", "0.03"), invoice.Reading, -2 * cent},
		"presumed":                 {[]spend.Settled{{Entry: entry, Billed: 5 * cent, Least: 5 * cent, Presumed: true}}, event("1", "0.03", "0.03", "0", "0.03"), invoice.Presumed, -2 * cent},
		"odd units":                {[]spend.Settled{{Entry: entry, Units: "?", Billed: 5 * cent, Least: 5 * cent}}, event("1", "0.03", "0.03", "0", "0.03"), invoice.Presumed, -2 * cent},
		"settled again":            {append([]spend.Settled{{Entry: entry, Billed: 5 * cent, Presumed: true}}, booked("1", 3*cent)...), event("1", "0.03", "0.03", "0", "0.03"), invoice.Agrees, 0},
		"in billionths alone":      {booked("1", 3*cent), []platform.BillingEvent{{RequestID: "a", Units: "1", NanoUSD: "30000000"}}, invoice.Agrees, 0},
	} {
		settled, entries := tt.booked, []spend.Entry{{ID: "without a request id"}}
		if len(settled) > 0 && settled[0].Units == "" && !settled[0].Presumed {
			settled, entries = nil, append(entries, entry)
		}
		inv, err := invoice.Compare(list(settled, nil), entries, list(tt.events, nil))
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
		booked iter.Seq2[spend.Settled, error]
		events iter.Seq2[platform.BillingEvent, error]
		want   string
	}{
		"the books break":   {list[spend.Settled](nil, broken), list[platform.BillingEvent](nil, nil), "books: broken"},
		"the bill breaks":   {list[spend.Settled](nil, nil), list[platform.BillingEvent](nil, broken), "bill: broken"},
		"no id":             {list(make([]spend.Settled, 1), nil), list[platform.BillingEvent](nil, nil), "without a request id"},
		"no number":         {list[spend.Settled](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: "much"}}, nil), "must be a number"},
		"no whole number":   {list[spend.Settled](nil, nil), list([]platform.BillingEvent{{RequestID: "a", NanoUSD: "1.5"}}, nil), "whole number"},
		"an odd exponent":   {list[spend.Settled](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: "1e100"}}, nil), "must be a number"},
		"too many digits":   {list[spend.Settled](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: json.Number("0." + strings.Repeat("1", 79))}}, nil), "must be a number"},
		"absurdly large":    {list[spend.Settled](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: "1e999999999"}}, nil), "must be a number"},
		"too large":         {list[spend.Settled](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: "1e30"}}, nil), "too large"},
		"a sum too large":   {list[spend.Settled](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: most}, {RequestID: "a", Total: most}}, nil), "too large"},
		"a total too large": {list[spend.Settled](nil, nil), list([]platform.BillingEvent{{RequestID: "a", Total: most}, {RequestID: "b", Total: most}}, nil), "too large"},
	} {
		if _, err := invoice.Compare(tt.booked, nil, tt.events); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// A realtime session is booked without an id: its line and those of its events
// stand beside one another, and the sums are right.
func TestUnmatched(t *testing.T) {
	t.Parallel()
	session := func(id string) spend.Settled {
		return spend.Settled{Entry: spend.Entry{ID: id, Endpoint: "fal-ai/flux-2/klein/realtime"}, Billed: 2 * cent, Presumed: true}
	}
	inv, err := invoice.Compare(list([]spend.Settled{session("E1"), session("E2")}, nil), nil, list([]platform.BillingEvent{{RequestID: "a", Total: "0.03"}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := map[invoice.Kind]invoice.Total{
		invoice.Unmatched: {Lines: 2, Billed: 4 * cent, Difference: -4 * cent},
		invoice.NotBooked: {Lines: 1, Subtotal: 3 * cent, Total: 3 * cent, Difference: 3 * cent},
	}
	if diff := cmp.Diff(want, inv.Kinds); diff != "" || inv.Total.Difference != -cent {
		t.Errorf("%+v\n%s", inv.Total, diff)
	}
	if text := inv.String(); !strings.Contains(text, "\nE1 ") || !strings.Contains(text, "\nE2 ") {
		t.Error(text)
	}
}

// A number may have 80 letters, and an exponent of two digits; what differs by more
// than a billionth differs.
func TestLongNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[json.Number]pricing.USD{
		json.Number("0.03" + strings.Repeat("0", 76)): 3 * cent,
		"300000e-0007": 3 * cent,
		"-0.03":        -3 * cent,
	} {
		inv, err := invoice.Compare(list[spend.Settled](nil, nil), nil, list([]platform.BillingEvent{{RequestID: "a", Total: text}}, nil))
		if err != nil || inv.Total.Total != want || inv.Total.Subtotal != want {
			t.Errorf("%s: %+v, %v", text, inv, err)
		}
	}
}

// Lines are in the order of their quotes, and where there are none, of their last
// events; what fal tells no amount of says so.
func TestLines(t *testing.T) {
	t.Parallel()
	at := func(hour int) platform.Time {
		return platform.Time{Time: time.Date(2026, 11, 1, hour, 0, 0, 0, time.UTC)}
	}
	inv, err := invoice.Compare(list([]spend.Settled{{Entry: spend.Entry{RequestID: "booked", Time: at(3).Time}, Units: "1", Billed: cent}}, nil), nil, list([]platform.BillingEvent{
		{RequestID: "late", Time: at(1), Total: "0.01"}, {RequestID: "late", Time: at(4), Total: "0.01"}, {RequestID: "late", Time: at(2), Total: "0.01"},
		{RequestID: "early", Time: at(2), Total: "0.01"}, {RequestID: "booked", Time: at(9)}, {RequestID: "also early", Time: at(2), Total: "0.01"},
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, l := range inv.Lines {
		order = append(order, l.RequestID)
	}
	if diff := cmp.Diff([]string{"also early", "early", "booked", "late"}, order); diff != "" {
		t.Error(diff)
	}
	if text := inv.String(); strings.Count(text, "not told") != 1 || !strings.Contains(text, "4 requests") {
		t.Error(text)
	}
}

// books is a ledger in a file, of pictures that a local fal has made.
func books(t *testing.T, srv *faltest.Server, sizes ...fal.ImageSize) *spend.Ledger {
	t.Helper()
	ledger, err := spend.OpenLedger(filepath.Join(t.TempDir(), "spending.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	client := srv.Client()
	client.Guard = &spend.Budget{Ledger: ledger}
	for _, size := range sizes {
		if _, err := fal.Subscribe(t.Context(), client, flux.Pro2{Prompt: "x", ImageSize: size}); err != nil {
			t.Fatal(err)
		}
	}
	return ledger
}

// What the local fal charges is what its units come to, with a discount that
// the books do not know.
func TestOf(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.SetPrice("fal-ai/flux-2-pro", "0.03", "megapixels")
	srv.SetDiscount("10")
	api := platform.API{Client: srv.Admin()}
	ledger := books(t, srv, fal.Size(1024, 1024), fal.Size(1920, 1080))
	now := time.Now()
	today := platform.Span{Start: now.Add(-time.Hour), End: now.Add(time.Hour)}
	before := srv.Ledger().Platform
	inv, err := invoice.Of(t.Context(), api, ledger, today)
	if err != nil {
		t.Fatal(err)
	}
	if n := srv.Ledger().Platform - before; n != 1 {
		t.Errorf("the bill was asked for %d times, though it has all that is booked", n)
	}
	want := invoice.Total{Lines: 2, Quote: 15 * cent / 2, Billed: 15 * cent / 2, Subtotal: 15 * cent / 2, Discount: 3 * cent / 4, Total: 27 * cent / 4, Difference: -3 * cent / 4}
	if diff := cmp.Diff(map[invoice.Kind]invoice.Total{invoice.Discounted: want}, inv.Kinds); diff != "" {
		t.Error(diff)
	}
	if inv.Lines[0].Booked.Expected != 3*cent {
		t.Error("the lines are not in the order of their time")
	}

	// A job that is charged and whose result was lost is still open, and somebody
	// else's picture is in nobody's books.
	client := srv.Client()
	client.Guard = &spend.Budget{Ledger: ledger}
	if _, err := fal.Submit(t.Context(), client, flux.Pro2{Prompt: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := fal.Subscribe(t.Context(), srv.Client(), flux.Pro2{Prompt: "x"}); err != nil {
		t.Fatal(err)
	}
	if inv, err = invoice.Of(t.Context(), api, ledger, today); err != nil || inv.Kinds[invoice.StillOpen].Lines != 1 || inv.Kinds[invoice.NotBooked].Lines != 1 || inv.Total.Lines != 4 {
		t.Errorf("%v\n%v", err, inv)
	}

	// What was charged at another time is not on the invoice; what was not
	// charged at all, is.
	sum := func(span platform.Span) invoice.Total {
		inv, err := invoice.Of(t.Context(), api, ledger, span)
		if err != nil {
			t.Fatal(err)
		}
		return inv.Total
	}
	if got := sum(platform.Span{Start: now.Add(-time.Hour), End: now.Add(-time.Minute)}); got.Lines != 0 {
		t.Errorf("before: %+v", got)
	}
	srv.SetLag(0, 24*time.Hour) // as if they never came
	if inv, err = invoice.Of(t.Context(), api, ledger, today); err != nil || inv.Kinds[invoice.NotCharged].Lines != 2 || inv.Kinds[invoice.Agrees].Lines != 1 {
		t.Errorf("%v\n%v", err, inv)
	}
	if _, err := invoice.Of(t.Context(), platform.API{Client: srv.Client()}, ledger, today); !errors.Is(err, platform.ErrAdmin) {
		t.Errorf("with a plain key: %v", err)
	}
	if _, err := invoice.Of(t.Context(), api, ledger, platform.Span{End: now}); err == nil {
		t.Error("a span without a beginning was taken")
	}
}

// What was quoted in one month and charged in the next is on the invoice of the
// next alone.
func TestOfAcross(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	srv := faltest.NewServer(t, faltest.Clock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	srv.SetPrice("fal-ai/flux-2-pro", "0.03", "megapixels")
	ahead.Store(int64(time.Hour)) // fal charges an hour after the quote
	ledger := books(t, srv, fal.Size(1024, 1024))
	ahead.Store(int64(2 * time.Hour))
	api := platform.API{Client: srv.Admin()}
	border := time.Now().Add(30 * time.Minute)
	for name, tt := range map[string]struct {
		span  platform.Span
		lines int
	}{
		"the first":  {platform.Span{Start: border.Add(-10 * time.Hour), End: border}, 0},
		"the second": {platform.Span{Start: border, End: border.Add(10 * time.Hour)}, 1},
	} {
		inv, err := invoice.Of(t.Context(), api, ledger, tt.span)
		if err != nil || inv.Total.Lines != tt.lines || inv.Kinds[invoice.Agrees].Lines != tt.lines {
			t.Errorf("%s: %v\n%v", name, err, inv)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("1", "0.03", "0.03", "0", "0.03", "30000000")
	f.Add("1e9", "1e-9", "-0.03", "", "", "x")
	f.Fuzz(func(t *testing.T, units, price, subtotal, discount, total, nano string) {
		inv, err := invoice.Compare(list([]spend.Settled{{Entry: spend.Entry{RequestID: "a"}, Units: "1", Billed: cent}}, nil), nil, list([]platform.BillingEvent{{
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
