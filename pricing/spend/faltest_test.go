package spend_test

import (
	"errors"
	"image"
	"path/filepath"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/realtime"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// A budget guards a client: what it refuses never reaches fal, and a lost
// answer leaves the money set aside.
func TestBudgetGuardsClient(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	ledger := openLedger(t, filepath.Join(t.TempDir(), "ledger.jsonl"))
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: 10 * pricing.Cent}}, Ledger: ledger}
	client := srv.Client()
	client.Guard = budget
	req := flux.Pro2{Prompt: "x", ImageSize: fal.Size(1920, 1080)} // $0.045
	for range 2 {
		if _, err := fal.Subscribe(t.Context(), client, req, fal.WithTags(tenant("x"))); err != nil {
			t.Fatal(err)
		}
	}
	before := srv.Ledger().Submissions
	_, err := fal.Subscribe(t.Context(), client, req)
	if e, ok := errors.AsType[*spend.BudgetError](err); !ok || e.Left != pricing.Cent || e.Asked != 45*pricing.Cent/10 {
		t.Errorf("got %v, want a BudgetError", err)
	}
	if !fal.NotSent(err) || fal.Charged(err) != fal.NotBilled {
		t.Errorf("%v: not sent %t, charged %v", err, fal.NotSent(err), fal.Charged(err))
	}
	if after := srv.Ledger().Submissions; after != before {
		t.Errorf("%d submissions, want %d: the refused request was sent", after, before)
	}
	if got := ledger.Totals().Tags[tag("x")]; got.Billed != 9*pricing.Cent || got.Requests != 2 {
		t.Errorf("the ledger has %+v", got)
	}
}

// A realtime session is booked by the time that it was connected, which is no less
// than what it is billed.
func TestSession(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	ledger := openLedger(t, filepath.Join(t.TempDir(), "ledger.jsonl"))
	client := srv.Client()
	client.Guard = &spend.Budget{Ledger: ledger}
	klein := flux.KleinRealtime{}.Endpoint()
	if _, err := realtime.Open(t.Context(), client, klein, realtime.Options{}); !errors.Is(err, pricing.ErrUnknown) || !fal.NotSent(err) {
		t.Errorf("without an amount for what has no price: %v", err)
	}
	client.Guard = &spend.Budget{Ledger: ledger, Unpriced: pricing.Dollar}
	s, err := realtime.Open(t.Context(), client, klein, realtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := ledger.Totals().All; got.Reserved != pricing.Dollar || got.Open != 1 {
		t.Errorf("an open session has %+v", got)
	}
	if err := s.Send(t.Context(), flux.KleinRealtime{Prompt: "x", ImageURL: fal.Picture(image.NewGray(image.Rect(0, 0, 8, 8)))}); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Results(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	_ = s.Close()
	quote, _ := pricing.EstimateUsage(fal.Usage{Endpoint: string(klein)})
	units, err := pricing.ParseUnits(srv.Ledger().Bills[0].Units)
	if err != nil {
		t.Fatal(err)
	}
	bill, err := quote.Bill(units)
	if err != nil {
		t.Fatal(err)
	}
	got := ledger.Totals().All
	if got.Billed < bill.Max || got.Billed > pricing.Dollar/10 || got.Least <= 0 || got.Least > got.Billed || got.Reserved != 0 || got.Open != 0 || got.Requests != 1 {
		t.Errorf("a session that is billed %v is booked as %+v", bill, got)
	}
}

// What has neither units nor a time to go by is booked for what was set aside, and
// what has a time to the second.
func TestSessionTime(t *testing.T) {
	t.Parallel()
	const price, reserved = 1_940_000, 5 * pricing.Cent // of a second, in billionths of a dollar
	klein := string(flux.KleinRealtime{}.Endpoint())
	for name, tt := range map[string]struct {
		usage         fal.Usage
		meta          fal.Meta
		billed, least pricing.USD
	}{
		"whole seconds":       {fal.Usage{Endpoint: klein}, fal.Meta{Elapsed: 3 * time.Second, InferenceTime: time.Second}, 3 * price, price},
		"a second begun":      {fal.Usage{Endpoint: klein}, fal.Meta{Elapsed: 3*time.Second + 1, InferenceTime: time.Second / 2}, 4 * price, price / 2},
		"nothing told":        {fal.Usage{Endpoint: klein}, fal.Meta{Elapsed: time.Millisecond}, price, 0},
		"more told than was":  {fal.Usage{Endpoint: klein}, fal.Meta{Elapsed: time.Second, InferenceTime: time.Hour}, price, price},
		"an hour":             {fal.Usage{Endpoint: klein}, fal.Meta{Elapsed: time.Hour}, 3600 * price, 0},
		"units":               {fal.Usage{Endpoint: klein}, fal.Meta{Elapsed: time.Second, BillableUnits: "0.5"}, price / 2, price / 2},
		"units that are none": {fal.Usage{Endpoint: klein}, fal.Meta{Elapsed: time.Second, BillableUnits: "x"}, reserved, 0},
		"a job":               {fal.Usage{Endpoint: klein}, fal.Meta{Elapsed: time.Second, RequestID: "r"}, reserved, 0},
		"no time":             {fal.Usage{Endpoint: klein}, fal.Meta{}, reserved, 0},
		"another rule":        {fal.Usage{Endpoint: "fal-ai/flux-2-pro"}, fal.Meta{Elapsed: time.Second}, reserved, 0},
	} {
		ledger := &spend.Ledger{}
		r, err := (&spend.Budget{Ledger: ledger, Unpriced: reserved}).Reserve(t.Context(), tt.usage, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Settled(tt.meta)
		if got := ledger.Totals().All; got.Billed != tt.billed || got.Least != tt.least || got.Reserved != 0 {
			t.Errorf("%s: %+v, want %v, at least %v", name, got, tt.billed, tt.least)
		}
	}
}
