package pricing_test

import (
	"errors"
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
	if err != nil || bill.Billed != pricing.Cent/2 || bill.Max != 14*pricing.Cent/10 || !strings.Contains(bill.String(), "$0.014 by another source") {
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
		"our/model":                   "$0.02 billed (1 units), or $0.01 to $0.05 by other sources of the price, as quoted",
		"fal-ai/flux-2/klein/4b":      "$0.005 billed (1 units), or $0.014 by another source of the price, as quoted",
		"fal-ai/flux-2/klein/4b/edit": "$0.01 billed (1 units), or $0.009 by another source of the price, as quoted",
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
