package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

const (
	// fetchLimit is the most endpoints that one call may ask for.
	fetchLimit = 50
	// fetchPages is how many pages of one answer are read. One should do.
	fetchPages = 10
)

// Feed keeps a table fresh from the platform's pricing API. Set its fields
// before the first use; it may then be used by many goroutines at once.
type Feed struct {
	// Client does the calls; its key is sent along. Required.
	Client *fal.Client
	// Table is what the live prices are compared with and put into; nil means
	// the embedded table.
	Table *pricing.Table
	// MaxAge is how long prices are used before they are asked for again.
	// Default: 1 hour.
	MaxAge time.Duration

	mu      sync.Mutex
	got     map[string]Price // of the round under way
	table   *pricing.Table
	changes Changes
	fresh   time.Time // when the last round ended
	wait    time.Time // ask nothing before
}

// Refresh returns the table with live prices, and how these differ from the
// table that was set. It asks only if the prices are older than MaxAge, 50
// endpoints in a call and one call at a time. If a call fails, what it got
// until then is kept and the next Refresh goes on from there; the error comes
// with the last table that was complete, or the one that was set. If the
// platform asked to wait, nothing is asked before that time is over.
func (f *Feed) Refresh(ctx context.Context) (*pricing.Table, Changes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Client == nil {
		return nil, nil, errors.New("live: Feed.Client is not set")
	}
	if f.Table == nil {
		f.Table = pricing.Embedded()
	}
	if f.table == nil {
		f.table = f.Table
	}
	now := time.Now()
	if now.Sub(f.fresh) < cmp.Or(f.MaxAge, time.Hour) {
		return f.table, f.changes, nil
	}
	if now.Before(f.wait) {
		return f.table, f.changes, fmt.Errorf("live: %w: asked to wait until %s", fal.ErrRateLimited, f.wait.UTC().Format(time.RFC3339))
	}
	if err := f.fetchMissing(ctx); err != nil {
		if e, ok := errors.AsType[*fal.Error](err); ok {
			f.wait = time.Now().Add(e.RetryAfter)
		}
		return f.table, f.changes, fmt.Errorf("live: %w", err)
	}
	prices := slices.Collect(maps.Values(f.got))
	table, changes, err := Apply(f.Table, prices, now)
	if err != nil {
		return f.table, f.changes, err
	}
	f.table, f.changes, f.fresh, f.got = table, changes, now, nil
	return table, changes, nil
}

// fetchMissing asks for what the round under way does not have yet.
func (f *Feed) fetchMissing(ctx context.Context) error {
	if f.got == nil {
		f.got = make(map[string]Price)
	}
	var missing []string
	for p := range f.Table.Prices() {
		if _, ok := f.got[p.Endpoint]; !ok {
			missing = append(missing, p.Endpoint)
		}
	}
	for batch := range slices.Chunk(missing, fetchLimit) {
		prices, err := fetch(ctx, f.Client, batch)
		if err != nil {
			return err
		}
		for _, id := range batch {
			f.got[id] = Price{Endpoint: id} // asked for, whether it is known or not
		}
		for _, p := range prices {
			if slices.Contains(batch, p.Endpoint) {
				f.got[p.Endpoint] = p
			}
		}
	}
	return nil
}

// fetch asks for the prices of some endpoints. Those that the platform does not
// know are missing in the answer.
func fetch(ctx context.Context, c *fal.Client, endpoints []string) (prices []Price, err error) {
	query := url.Values{"endpoint_id": endpoints}
	for range fetchPages {
		var page struct {
			Prices     []Price `json:"prices"`
			NextCursor string  `json:"next_cursor"`
			HasMore    bool    `json:"has_more"`
		}
		if err := c.GetPlatform(ctx, "/v1/models/pricing", query, &page); err != nil {
			return nil, err
		}
		prices = append(prices, page.Prices...)
		if !page.HasMore || page.NextCursor == "" {
			return prices, nil
		}
		query.Set("cursor", page.NextCursor)
	}
	return nil, fmt.Errorf("the platform has more than %d pages of prices for %d endpoints", fetchPages, len(endpoints))
}
