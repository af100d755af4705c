package pricing_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

func TestSettle(t *testing.T) {
	t.Parallel()
	q := estimate(t, flux.Pro2{Prompt: "x", ImageSize: fal.Size(1920, 1080)})
	for _, tt := range []struct {
		units, billed, says string
		within              bool
	}{
		{"1.5", "$0.045", "as quoted", true},
		{"1.50000000", "$0.045", "as quoted", true},
		{"2", "$0.06", "whole megapixels", false},
		{"4", "$0.12", "more than expected", false},
		{"0", "$0.00", "less than expected", false},
	} {
		b, err := pricing.Settle(q, fal.Meta{Endpoint: "fal-ai/flux-2-pro", RequestID: "r", BillableUnits: tt.units})
		if err != nil || b.Billed.String() != tt.billed || b.Within != tt.within || !strings.Contains(b.String(), tt.says) || b.RequestID != "r" {
			t.Errorf("%s units: %v, %v, want %s, %q", tt.units, b, err, tt.billed, tt.says)
		}
	}
	if _, err := pricing.Settle(q, fal.Meta{}); !errors.Is(err, pricing.ErrNoUnits) {
		t.Errorf("no units: %v", err)
	}
	for name, meta := range map[string]fal.Meta{
		"another endpoint": {Endpoint: "fal-ai/qwen-image", BillableUnits: "1"},
		"no number":        {BillableUnits: "many"},
		"below zero":       {BillableUnits: "-1"},
		"too many":         {BillableUnits: "9999999999"},
	} {
		if b, err := pricing.Settle(q, meta); err == nil {
			t.Errorf("%s: %v", name, b)
		}
	}
	if _, err := pricing.Settle(pricing.Quote{}, fal.Meta{BillableUnits: "1"}); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("no quote: %v", err)
	}
}

// Whole units of a tiered rule may be megapixels: both readings are kept. What is
// billed in fractions of a unit is explained by one of them alone.
func TestSettleKeepsBothReadings(t *testing.T) {
	t.Parallel()
	remote := fal.URL("https://x.example/a.png")
	for name, tt := range map[string]struct {
		usage       fal.Usage
		units       string
		least, most string
		says        string
	}{
		"as quoted by the first":    {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.Size(1920, 1080)}, "1.5", "$0.045", "$0.045", "as quoted"},
		"as quoted by the other":    {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.Size(1920, 1080)}, "2", "$0.045", "$0.06", "whole megapixels"},
		"one is one":                {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.SquareHD}, "1", "$0.03", "$0.03", "as quoted"},
		"of two pictures":           {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 2, Size: fal.Size(1920, 1080)}, "4", "$0.09", "$0.12", "whole megapixels"},
		"fewer than pictures":       {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 2, Size: fal.Size(1920, 1080)}, "1", "$0.03", "$0.03", "less than expected"},
		"no whole megapixels":       {fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.Size(1920, 1080), Inputs: []fal.File{remote}}, "3.5", "$0.105", "$0.105", "as quoted"},
		"3.3 in a wide quote":       {fal.Usage{Endpoint: "fal-ai/flux-2-max/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{remote}}, "3.3", "$0.231", "$0.231", "more than expected"},
		"4 in a wide quote":         {fal.Usage{Endpoint: "fal-ai/flux-2-max/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{remote}}, "4", "$0.16", "$0.28", "whole megapixels"},
		"where inputs come first":   {fal.Usage{Endpoint: "fal-ai/flux-pro/v1/vto", Outputs: 4, Size: fal.SquareHD, Inputs: []fal.File{remote.Sized(8, 8), remote.Sized(8, 8)}}, "6", "$0.0625", "$0.225", "whole megapixels"},
		"where megapixels are sure": {fal.Usage{Endpoint: "fal-ai/flux-2-flex", Outputs: 1, Size: fal.SquareHD}, "2", "$0.10", "$0.10", "more than expected"},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s, err := pricing.Settle(q, fal.Meta{BillableUnits: tt.units})
		if err != nil || s.Min.String() != tt.least || s.Max.String() != tt.most || s.Billed != s.Max || !strings.Contains(s.String(), tt.says) {
			t.Errorf("%s: %v to %v, %v, %v; want %s to %s, %q", name, s.Min, s.Max, s, err, tt.least, tt.most, tt.says)
		}
		if strings.Contains(s.String(), "megapixels") != (tt.says == "whole megapixels") {
			t.Errorf("%s: %v", name, s)
		}
	}
	// A price without a quote, as of a job that was taken up again.
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/flux-2-pro"})
	if err == nil {
		t.Fatal("quoted nothing")
	}
	for units, want := range map[pricing.Units]pricing.Amounts{
		3 * pricing.One:     {Min: 6 * pricing.Cent, Expected: 9 * pricing.Cent, Max: 9 * pricing.Cent},
		5 * pricing.One / 2: {Min: 75 * pricing.Cent / 10, Expected: 75 * pricing.Cent / 10, Max: 75 * pricing.Cent / 10},
		0:                   {},
	} {
		if bill, err := q.Bill(units); err != nil || bill != want {
			t.Errorf("%v units: %v, %v, want %v", units, bill, err, want)
		}
	}
	if _, err := q.Bill(math.MaxInt64); err != nil {
		t.Error(err) // 9.2 billion units of 3 cents
	}
	if bill, err := (pricing.Quote{}).Bill(pricing.One); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("%v, %v", bill, err)
	}
}

// Where sources disagree, the settlement says so.
func TestSettleTellsDispute(t *testing.T) {
	t.Parallel()
	usage := fal.Usage{Endpoint: "fal-ai/flux-2/klein/4b", Outputs: 1, Size: fal.SquareHD} // $0.005, 0.009 or 0.014
	meta := fal.Meta{Endpoint: usage.Endpoint, RequestID: "a", BillableUnits: "1"}
	q, err := pricing.EstimateUsage(usage)
	if err != nil {
		t.Fatal(err)
	}
	bill, err := pricing.Settle(q, meta)
	if err != nil || bill.Billed != pricing.Cent/2 || bill.Max != 14*pricing.Cent/10 || !strings.Contains(bill.String(), "$0.014 by another reading") {
		t.Errorf("%+v, %v: %v", bill, err, bill)
	}
	if bill := (pricing.Settlement{Difference: 1}); !strings.Contains(bill.String(), "not known") {
		t.Errorf("a bill of nothing: %v", bill)
	}
	if bill, err := pricing.Settle(q, fal.Meta{}); !errors.Is(err, pricing.ErrNoUnits) || !strings.Contains(bill.String(), "not known") {
		t.Errorf("%v, %v", bill, err)
	}
	if bill, err := pricing.Settle(q, fal.Meta{BillableUnits: "0"}); err != nil || !strings.Contains(bill.String(), "$0.00 billed") {
		t.Errorf("%v, %v", bill, err)
	}
}

// Settlements name a dispute whichever way it goes.
func TestSettleNamesDispute(t *testing.T) {
	t.Parallel()
	table, err := pricing.NewTable(pricing.Price{
		Endpoint: "our/model", Rule: pricing.PerImage{Price: 2 * pricing.Cent}, Confidence: pricing.Low,
		Alternates: []pricing.Alternate{{Price: pricing.Cent, Where: "x"}, {Price: 5 * pricing.Cent, Where: "y"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	table = pricing.Embedded().Merge(table)
	for id, want := range map[string]string{
		"our/model":                   "$0.02 billed (1 units), or $0.01 to $0.05 by other readings of price or unit, as quoted",
		"fal-ai/flux-2/klein/4b":      "$0.005 billed (1 units), or $0.014 by another reading of price or unit, as quoted",
		"fal-ai/flux-2/klein/4b/edit": "$0.01 billed (1 units), or $0.009 by another reading of price or unit, as quoted",
		"fal-ai/flux-2/klein/4b/base": "as quoted",
	} {
		q, err := table.Estimate(fal.Usage{Endpoint: id, Outputs: 1, Size: fal.SquareHD})
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		b, err := pricing.Settle(q, fal.Meta{BillableUnits: "1"})
		if err != nil || !strings.HasSuffix(b.String(), want) || b.Min > b.Billed || b.Billed > b.Max {
			t.Errorf("%s: %+v, %v: %v, want %s", id, b, err, b, want)
		}
	}
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/flux-general/rf-inversion", Outputs: 1})
	if !errors.Is(err, pricing.ErrUnknown) {
		t.Fatal(err)
	}
	if b, err := pricing.Settle(q, fal.Meta{BillableUnits: "4.2"}); err != nil || b.String() != "$0.00525 billed (4.2 units), and nothing was quoted" {
		t.Errorf("%v, %v", b, err)
	}
}

// Prices by the second cannot be quoted, but settled.
func TestSettleSeconds(t *testing.T) {
	t.Parallel()
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/flux-general/rf-inversion", Outputs: 1})
	if !errors.Is(err, pricing.ErrUnknown) || q.Max != 0 {
		t.Fatal(q, err)
	}
	b, err := pricing.Settle(q, fal.Meta{Endpoint: q.Endpoint, BillableUnits: "4.2"})
	if err != nil || b.Billed.String() != "$0.00525" {
		t.Errorf("%v, %v", b, err)
	}
}
