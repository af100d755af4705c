package invoice_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/invoice"
	"github.com/falimage/falimage-go/pricing/spend"
)

// What the events of a request come to together, told in the ways that fal has.
func TestEvents(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) platform.Time { return platform.Time{Time: noon.Add(d)} }
	for name, tt := range map[string]struct {
		events []platform.BillingEvent
		want   invoice.Event
	}{
		"in full": {[]platform.BillingEvent{{Endpoint: "a/b", Time: at(0), Units: "1.5", UnitPrice: "0.04", Subtotal: "0.06", Reduction: "0.006", Total: "0.054", NanoUSD: "7"}},
			invoice.Event{Count: 1, Endpoint: "a/b", Time: noon, Units: 1_500_000_000, UnitPrice: 4 * cent, Subtotal: 6 * cent, Discount: cent * 6 / 10, Total: cent * 54 / 10}},
		"three of them": {[]platform.BillingEvent{
			{Endpoint: "", Time: at(1), Units: "1", UnitPrice: "0", Total: "0.01"}, {Endpoint: "a/b", Time: at(3), Units: "2", UnitPrice: "0.03", Total: "0.02"}, {Endpoint: "c/d", Time: at(2), Units: "3", UnitPrice: "0.04", Total: "0.03"},
		}, invoice.Event{Count: 3, Endpoint: "a/b", Time: noon.Add(3), Units: 6_000_000_000, UnitPrice: 3 * cent, Subtotal: 6 * cent, Total: 6 * cent}},
		"in billionths, with a discount": {[]platform.BillingEvent{{Reduction: "0.003", NanoUSD: "27000000"}}, invoice.Event{Count: 1, Subtotal: 3 * cent, Discount: cent * 3 / 10, Total: 27 * cent / 10}},
		"a sum of its own":               {[]platform.BillingEvent{{Subtotal: "0.05", Reduction: "0.003", Total: "0.027"}}, invoice.Event{Count: 1, Subtotal: 5 * cent, Discount: cent * 3 / 10, Total: 27 * cent / 10}},
		"a sum of zero":                  {[]platform.BillingEvent{{Subtotal: "0", Total: "0.01"}}, invoice.Event{Count: 1, Total: cent}},
		"no amount":                      {[]platform.BillingEvent{{Endpoint: "a/b", Units: "1", UnitPrice: "0.03", Subtotal: "0.03"}}, invoice.Event{Count: 1, Endpoint: "a/b", Untold: true}},
		"one without":                    {[]platform.BillingEvent{{Units: "1", Total: "0.03"}, {Units: "1"}}, invoice.Event{Count: 2, Units: 1_000_000_000, Subtotal: 3 * cent, Total: 3 * cent, Untold: true}},
	} {
		for i := range tt.events {
			tt.events[i].RequestID = "a"
		}
		inv, err := invoice.Compare(list[spend.Settled](nil, nil), nil, list(tt.events, nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, inv.Lines[0].Event); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// A billionth more or less is rounding, two are not; what the least reading comes to
// counts before and after the discount; units that are not told say nothing.
func TestKindsAtTheEdge(t *testing.T) {
	t.Parallel()
	const n = pricing.USD(1) // a billionth
	event := func(units, price, subtotal, discount, total json.Number) platform.BillingEvent {
		return platform.BillingEvent{Units: units, UnitPrice: price, Subtotal: subtotal, Reduction: discount, Total: total}
	}
	for name, tt := range map[string]struct {
		booked spend.Settled
		event  platform.BillingEvent
		want   invoice.Kind
	}{
		"a billionth less":                 {spend.Settled{Units: "1", Billed: 3*cent + n}, event("1", "0.03", "0.03", "", "0.03"), invoice.Agrees},
		"a billionth more":                 {spend.Settled{Units: "1", Billed: 3*cent - n}, event("1", "0.03", "0.03", "", "0.03"), invoice.Agrees},
		"two less":                         {spend.Settled{Units: "1", Billed: 3*cent + 2*n}, event("1", "0.03", "0.03", "", "0.03"), invoice.OtherPrice},
		"two more":                         {spend.Settled{Units: "1", Billed: 3*cent - 2*n}, event("1", "0.03", "0.03", "", "0.03"), invoice.OtherPrice},
		"the least":                        {spend.Settled{Units: "1", Billed: 5 * cent, Least: 3 * cent}, event("1", "0.03", "0.03", "", "0.03"), invoice.Reading},
		"the least, with a discount":       {spend.Settled{Units: "1", Billed: 5 * cent, Least: 3 * cent}, event("1", "0.03", "0.03", "0.01", "0.02"), invoice.Reading},
		"the least, after the discount":    {spend.Settled{Units: "1", Billed: 5 * cent, Least: 3 * cent}, event("1", "0.04", "0.04", "0.01", "0.03"), invoice.Reading},
		"neither reading":                  {spend.Settled{Units: "1", Billed: 5 * cent, Least: 3 * cent}, event("1", "0.04", "0.04", "", "0.04"), invoice.OtherPrice},
		"the only reading, and a discount": {spend.Settled{Units: "1", Billed: 3 * cent, Least: 3 * cent}, event("1", "0.03", "0.03", "0.01", "0.02"), invoice.Discounted},
		"units that are not told":          {spend.Settled{Units: "1", Billed: 3 * cent, Least: 3 * cent}, event("", "", "0.03", "0.01", "0.02"), invoice.Discounted},
		"units of none":                    {spend.Settled{Units: "1", Billed: 3 * cent, Least: 3 * cent}, event("0", "0.03", "0", "", "0"), invoice.OtherUnits},
		"other units, the sum of before":   {spend.Settled{Units: "1", Billed: 3 * cent, Least: 3 * cent}, event("2", "0.02", "0.04", "0.01", "0.03"), invoice.Agrees},
		"other units, discounted":          {spend.Settled{Units: "1", Billed: 4 * cent, Least: 4 * cent}, event("2", "0.02", "0.04", "0.01", "0.03"), invoice.OtherUnits},
		"a price that it is not":           {spend.Settled{Units: "1", Billed: cent, Least: cent}, event("1", "0.03", "0.031", "", "0.031"), invoice.OtherAmount},
		"no units, and a price":            {spend.Settled{Units: "0", Billed: cent, Least: cent}, event("", "0.03", "0.02", "", "0.02"), invoice.OtherAmount},
		"no price, and next to nothing":    {spend.Settled{Units: "1", Billed: cent, Least: cent}, event("1", "", "0.000000001", "", "0.000000001"), invoice.OtherAmount},
		"presumed, and right":              {spend.Settled{Billed: 3 * cent, Presumed: true}, event("1", "0.03", "0.03", "", "0.03"), invoice.Agrees},
		"presumed, by the reading":         {spend.Settled{Billed: 5 * cent, Least: 3 * cent, Presumed: true}, event("1", "0.03", "0.03", "", "0.03"), invoice.Presumed},
		"nothing booked, nothing charged":  {spend.Settled{Units: "0"}, event("0", "", "0", "", "0"), invoice.Agrees},
	} {
		tt.booked.RequestID, tt.event.RequestID = "a", "a"
		inv, err := invoice.Compare(list([]spend.Settled{tt.booked}, nil), nil, list([]platform.BillingEvent{tt.event}, nil))
		if err != nil || inv.Lines[0].Kind != tt.want || inv.Lines[0].Difference != inv.Lines[0].Event.Total-tt.booked.Billed {
			t.Errorf("%s: %+v, %v, want %s", name, inv, err, tt.want)
		}
	}
}

// What cannot be added up is an error, whichever amount it is.
func TestSumsTooLarge(t *testing.T) {
	t.Parallel()
	const most = "9223372036.854775807"
	twice := func(e platform.BillingEvent) []platform.BillingEvent { return []platform.BillingEvent{e, e} }
	for name, events := range map[string][]platform.BillingEvent{
		"subtotal":               twice(platform.BillingEvent{Subtotal: most, Total: "0"}),
		"discount":               twice(platform.BillingEvent{Subtotal: "0", Reduction: most, Total: "0"}),
		"total":                  twice(platform.BillingEvent{Subtotal: "0", Total: most}),
		"units":                  twice(platform.BillingEvent{Units: most, Total: "0"}),
		"what is not subtracted": {{Reduction: most, Total: most}},
	} {
		if inv, err := invoice.Compare(list[spend.Settled](nil, nil), nil, list(events, nil)); !errors.Is(err, pricing.ErrOverflow) {
			t.Errorf("%s: %v, %v", name, inv, err)
		}
	}
}

// The table: what differs, and the sums of all, of which each is its own.
func TestInWords(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	entry := func(id string, expected pricing.USD) spend.Entry {
		return spend.Entry{RequestID: id, Time: noon, Amounts: pricing.Amounts{Expected: expected}}
	}
	session := func(id string) spend.Settled {
		return spend.Settled{Entry: spend.Entry{ID: id, Time: noon, Amounts: pricing.Amounts{Expected: cent}}, Billed: 2 * cent}
	}
	inv, err := invoice.Compare(list([]spend.Settled{
		session("E2"), {Entry: entry("c", 4*cent), Units: "1", Billed: 5 * cent, Least: 5 * cent}, {Entry: entry("b", 3*cent), Units: "1", Billed: 3 * cent}, session("E1"),
	}, nil), []spend.Entry{entry("a", 7*cent), entry("", cent)}, list([]platform.BillingEvent{
		{RequestID: "b", Units: "1", Total: "0.03"}, {RequestID: "c", Units: "1", Subtotal: "0.05", Reduction: "0.01", Total: "0.04"}, {RequestID: "a"},
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	const want = `
request                                                  quoted     by units    by events     discount   difference
E1                                    unmatched           $0.01        $0.02        $0.00        $0.00       -$0.02
E2                                    unmatched           $0.01        $0.02        $0.00        $0.00       -$0.02
a                                     untold              $0.07        $0.00     not told        $0.00        $0.00
c                                     discounted          $0.04        $0.05        $0.04        $0.01       -$0.01
5 requests                                                $0.16        $0.12        $0.07        $0.01       -$0.05
`
	if diff := cmp.Diff(want, "\n"+inv.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	total := invoice.Total{Lines: 5, Quote: 16 * cent, Billed: 12 * cent, Subtotal: 8 * cent, Discount: cent, Total: 7 * cent, Difference: -5 * cent}
	if diff := cmp.Diff(total, inv.Total); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// bill is a platform that has these events, and notes for what it is asked.
type bill struct {
	answers []string // one for each call
	asked   []string
}

func (b *bill) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	b.asked = append(b.asked, query.Get("start")+" to "+query.Get("end")+": "+strings.Join(query["request_id"], " "))
	w := httptest.NewRecorder()
	if answer := b.answers[min(len(b.asked), len(b.answers))-1]; answer == "" {
		w.WriteHeader(http.StatusInternalServerError)
	} else {
		_, _ = io.WriteString(w, `{"billing_events":[`+answer+`]}`)
	}
	return w.Result(), nil
}

// A request is on the invoice of the time in which it was charged, and else on that
// of its quote, to which its beginning belongs and its end does not.
func TestOfATime(t *testing.T) {
	t.Parallel()
	ledger := books(t, faltest.NewServer(t), fal.SquareHD, fal.SquareHD, fal.SquareHD)
	var booked []spend.Settled
	for s, err := range ledger.Settled() {
		if err != nil {
			t.Fatal(err)
		}
		booked = append(booked, s)
	}
	first, second, third := booked[0], booked[1], booked[2]
	span := platform.Span{Start: first.Time, End: third.Time}
	at := func(t time.Time, d time.Duration) string { return t.Add(d).UTC().Format(time.RFC3339Nano) }
	const three = 3 * 24 * time.Hour
	narrow, wide := at(span.Start, 0)+" to "+at(span.End, 0)+": ", at(span.Start, -three)+" to "+at(span.End, three)+": "
	event := func(s spend.Settled) string {
		return `{"request_id":"` + s.RequestID + `","output_units":1,"cost_total":0.03}`
	}
	for name, tt := range map[string]struct {
		answers []string
		asked   []string
		lines   string // "" is an error
	}{
		"none of them":          {[]string{" ", " "}, []string{narrow, wide + first.RequestID + " " + second.RequestID}, "first not charged, second not charged"},
		"one of them":           {[]string{event(first), " "}, []string{narrow, wide + second.RequestID}, "first agrees, second not charged"},
		"one at another time":   {[]string{event(first), event(second)}, []string{narrow, wide + second.RequestID}, "first agrees"},
		"one at both times":     {[]string{event(first), event(first) + "," + event(second)}, []string{narrow, wide + second.RequestID}, "first agrees"},
		"all, and what is late": {[]string{event(first) + "," + event(second) + "," + event(third)}, []string{narrow}, "first agrees, second agrees, third agrees"},
		"the bill breaks":       {[]string{""}, []string{narrow}, ""},
		"the second one breaks": {[]string{" ", ""}, []string{narrow, wide + first.RequestID + " " + second.RequestID}, ""},
		"an odd amount":         {[]string{`{"request_id":"x","cost_total":1e99},` + event(first), event(second)}, []string{narrow, wide + second.RequestID}, ""},
	} {
		b := &bill{answers: tt.answers}
		api := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), HTTPClient: &http.Client{Transport: b}, Retry: fal.Retry{MaxAttempts: 1, MaxWait: time.Millisecond}}}
		inv, err := invoice.Of(t.Context(), api, ledger, span)
		if tt.lines == "" {
			if err == nil || inv != nil || !strings.HasPrefix(err.Error(), "invoice: the bill") {
				t.Errorf("%s: %v, %v", name, inv, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		names := map[string]string{first.RequestID: "first", second.RequestID: "second", third.RequestID: "third"}
		var lines []string
		for _, l := range inv.Lines {
			lines = append(lines, names[l.RequestID]+" "+string(l.Kind))
		}
		if diff := cmp.Diff(tt.lines, strings.Join(lines, ", ")); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if diff := cmp.Diff(tt.asked, b.asked); diff != "" {
			t.Errorf("%s: asked -want +got\n%s", name, diff)
		}
	}
	for _, span := range []platform.Span{{Start: span.Start}, {End: span.End}} {
		if _, err := invoice.Of(t.Context(), platform.API{}, ledger, span); err == nil || !strings.Contains(err.Error(), "no Start or no End") {
			t.Errorf("%v: %v", span, err)
		}
	}
}
