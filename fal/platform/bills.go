package platform

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// BillingQuery says which billing events to list: those of the span for which
// every list that is not empty has a match. RequestIDs may be any number, the
// other lists have 50 ids at most.
type BillingQuery struct {
	Span
	RequestIDs []string
	Endpoints  []string
	APIKeyIDs  []string
	Logins     []string // names of users of the account
	// PageSize is how many come with one call, at most 10,000; 0 is as the
	// platform likes.
	PageSize int
}

// BillingEvent is what one request was charged. Numbers are decimals, and ""
// where the platform tells none, which is not zero.
type BillingEvent struct {
	RequestID string `json:"request_id"`
	// Endpoint may be owner and name of the app alone: it is the request id
	// that tells which request it was.
	Endpoint  string      `json:"endpoint_id"`
	Time      Time        `json:"timestamp"`
	Units     json.Number `json:"output_units"`
	UnitPrice json.Number `json:"unit_price"` // before the discount
	Discount  json.Number `json:"percent_discount"`
	// Subtotal is units times unit price, Reduction what the discount takes off
	// it, and Total what is charged.
	Subtotal  json.Number `json:"cost_subtotal"`
	Reduction json.Number `json:"cost_discount"`
	Total     json.Number `json:"cost_total"`
	// NanoUSD is the total in billionths of a dollar.
	NanoUSD json.Number `json:"cost_estimate_nano_usd"`
}

// BillingEvents lists what requests were charged. It needs a key with admin
// scope. Events come late, by up to some 70 minutes: of a request that has none
// yet it is not known what it was charged, or whether. What is not billed has
// no event.
func (a API) BillingEvents(ctx context.Context, q BillingQuery) iter.Seq2[BillingEvent, error] {
	query := make(url.Values)
	for name, ids := range map[string][]string{"endpoint_id": q.Endpoints, "api_key_id": q.APIKeyIDs, "login_username": q.Logins} {
		if len(ids) > maxIDs {
			return failed[BillingEvent](errors.New("platform: " + name + ": " + strconv.Itoa(len(ids)) + " ids, at most 50 are accepted"))
		}
		if len(ids) > 0 {
			query[name] = ids
		}
	}
	if err := errors.Join(limited(query, q.PageSize, 10_000), q.check()); err != nil {
		return failed[BillingEvent](err)
	}
	return each(func(yield func(iter.Seq2[BillingEvent, error]) bool) {
		for query := range inParts(query, "request_id", q.RequestIDs) {
			for query := range q.parts(query) {
				if !yield(pages[BillingEvent](ctx, a.admin, "/v1/models/billing-events", query, "billing_events")) {
					return
				}
			}
		}
	})
}

// UsageQuery says what usage to report.
type UsageQuery struct {
	Span
	Endpoints []string
	APIKeyIDs []string
	Logins    []string
	// Timeframe is the width of a bucket: "minute", "hour", "day", "week" or
	// "month"; "" is as the platform likes.
	Timeframe string
	// Timezone is that of the buckets, such as "Europe/Berlin"; "" is UTC.
	Timezone string
}

// Usage is what endpoints were used for in a time.
type Usage struct {
	Buckets []UsageBucket `json:"time_series"`
	Summary []UsageLine   `json:"summary"`
}

// UsageBucket is the usage of one part of the time.
type UsageBucket struct {
	Start Time        `json:"bucket"`
	Lines []UsageLine `json:"results"`
}

// UsageLine is the usage of one endpoint. Numbers are decimals, and "" where
// the platform tells none.
type UsageLine struct {
	Endpoint  string      `json:"endpoint_id"`
	Unit      string      `json:"unit"`
	Quantity  json.Number `json:"quantity"`
	UnitPrice json.Number `json:"unit_price"`
	Discount  json.Number `json:"percent_discount"`
	Subtotal  json.Number `json:"cost_subtotal"`
	Reduction json.Number `json:"cost_discount"`
	Total     json.Number `json:"cost_total"`
	Currency  string      `json:"currency"`
}

// Usage reports what endpoints were used for, by time and in sum. It needs a
// key with admin scope.
func (a API) Usage(ctx context.Context, q UsageQuery) (u Usage, err error) {
	query := url.Values{"expand": {"time_series,summary"}}
	for name, ids := range map[string][]string{"endpoint_id": q.Endpoints, "api_key_id": q.APIKeyIDs, "login_username": q.Logins} {
		if len(ids) > 0 {
			query[name] = ids
		}
	}
	put(query, "timeframe", q.Timeframe)
	put(query, "timezone", q.Timezone)
	if err := q.check(); err != nil {
		return u, err
	}
	if !q.Start.IsZero() {
		query.Set("start", at(q.Start))
	}
	if !q.End.IsZero() {
		query.Set("end", at(q.End))
	}
	err = a.admin(ctx, http.MethodGet, "/v1/models/usage", query, nil, &u)
	return u, err
}

// Account is whose the key is, and what is left.
type Account struct {
	Username string
	Balance  json.Number // in Currency; "" where the platform does not tell
	Currency string
}

// Account returns the balance of the account. It needs a key with admin scope.
func (a API) Account(ctx context.Context) (Account, error) {
	var answer struct {
		Username string `json:"username"`
		Credits  struct {
			Balance  json.Number `json:"current_balance"`
			Currency string      `json:"currency"`
		} `json:"credits"`
	}
	err := a.admin(ctx, http.MethodGet, "/v1/account/billing", url.Values{"expand": {"credits"}}, nil, &answer)
	return Account{answer.Username, answer.Credits.Balance, answer.Credits.Currency}, err
}
