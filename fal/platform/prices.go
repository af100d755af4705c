package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// Price is what a unit of an endpoint costs. It is not the rule by which a
// request is charged: that is in package pricing.
type Price struct {
	Endpoint  string      `json:"endpoint_id"`
	UnitPrice json.Number `json:"unit_price"`
	Unit      string      `json:"unit"` // such as "megapixels"
	Currency  string      `json:"currency"`
}

// Prices returns the prices of endpoints, 50 in a call. Those that the platform
// does not know are left out.
func (a API) Prices(ctx context.Context, endpoints ...string) iter.Seq2[Price, error] {
	if len(endpoints) == 0 {
		return func(func(Price, error) bool) {}
	}
	return each(func(yield func(iter.Seq2[Price, error]) bool) {
		for query := range inParts(url.Values{}, "endpoint_id", endpoints) {
			if !yield(pages[Price](ctx, a.call, "/v1/models/pricing", query, "prices")) {
				return
			}
		}
	})
}

// Estimate is what the platform expects requests to cost together.
type Estimate struct {
	Total    json.Number `json:"total_cost"`
	Currency string      `json:"currency"`
}

// EstimateCalls estimates so many calls of each endpoint by what past calls have
// cost. Numbers are at least 1.
func (a API) EstimateCalls(ctx context.Context, calls map[string]int) (Estimate, error) {
	type quantity struct {
		Calls int `json:"call_quantity"`
	}
	endpoints := make(map[string]quantity, len(calls))
	for id, n := range calls {
		if n < 1 {
			return Estimate{}, fmt.Errorf("platform: %d calls of %s: must be at least 1", n, id)
		}
		endpoints[id] = quantity{n}
	}
	return a.estimate(ctx, "historical_api_price", endpoints)
}

// EstimateUnits estimates so many units of each endpoint by its unit price. A
// number is a decimal of at least 0.000001, in the unit of [Price].
func (a API) EstimateUnits(ctx context.Context, units map[string]json.Number) (Estimate, error) {
	type quantity struct {
		Units json.Number `json:"unit_quantity"`
	}
	endpoints := make(map[string]quantity, len(units))
	for id, n := range units {
		endpoints[id] = quantity{n}
	}
	return a.estimate(ctx, "unit_price", endpoints)
}

func (a API) estimate(ctx context.Context, kind string, endpoints any) (e Estimate, err error) {
	in := map[string]any{"estimate_type": kind, "endpoints": endpoints}
	err = a.call(ctx, http.MethodPost, "/v1/models/pricing/estimate", nil, in, &e)
	return e, err
}
