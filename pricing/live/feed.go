package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
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
	// Also are endpoints that are asked for besides those of the table. A price
	// that the platform has of them is a change of the kind OnlyLive.
	Also []string
	// MaxAge is how long prices are used, from when they were asked for, before
	// they are asked for again. Default: 1 hour.
	MaxAge time.Duration

	once  sync.Once
	turn  chan struct{} // holds a token while somebody asks
	round round         // of who has the turn

	mu   sync.Mutex // never held over the network
	last state
}

// state is what the last round that was completed left.
type state struct {
	table   *pricing.Table
	changes Changes
	asOf    time.Time // when it began
	wait    time.Time // ask nothing before
}

// round is a round under way: the prices that it got so far.
type round struct {
	began time.Time
	got   map[string]Price
}

// Refresh returns the table with live prices, and how these differ from the
// table that was set. It asks only if the prices are older than MaxAge, 50
// endpoints in a call and one call at a time; who comes while another asks
// waits for it, as long as its own context lasts. If a call fails, what it got
// until then is kept and the next Refresh goes on from there, unless the first
// of it is older than MaxAge by then; the error comes with the last table that
// was complete, or the one that was set. A table is as of when its round began.
// If the platform asked to wait, nothing is asked before that time is over, or
// an hour.
func (f *Feed) Refresh(ctx context.Context) (*pricing.Table, Changes, error) {
	if f.Client == nil {
		return nil, nil, errors.New("live: Feed.Client is not set")
	}
	f.once.Do(func() {
		f.turn = make(chan struct{}, 1)
		f.last.table = f.base()
	})
	if s, done, err := f.look(); done {
		return s.table, s.changes, err
	}
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		s, _, _ := f.look()
		return s.table, s.changes, fmt.Errorf("live: waiting for another Refresh: %w", context.Cause(ctx))
	}
	defer func() { <-f.turn }()
	s, done, err := f.look() // who had the turn before may have done it
	if done {
		return s.table, s.changes, err
	}
	if s, err = f.ask(ctx, s); err != nil {
		err = fmt.Errorf("live: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = s
	return s.table, s.changes, err
}

// base returns the table that live prices are put into.
func (f *Feed) base() *pricing.Table {
	if f.Table != nil {
		return f.Table
	}
	return pricing.Embedded()
}

func (f *Feed) maxAge() time.Duration { return cmp.Or(f.MaxAge, time.Hour) }

// look returns what is known, and whether there is nothing to ask now.
func (f *Feed) look() (s state, done bool, err error) {
	f.mu.Lock()
	s = f.last
	f.mu.Unlock()
	now := time.Now()
	if now.Sub(s.asOf) < f.maxAge() {
		return s, true, nil
	}
	if now.Before(s.wait) {
		return s, true, fmt.Errorf("live: %w: asked to wait until %s", fal.ErrRateLimited, s.wait.UTC().Format(time.RFC3339))
	}
	return s, false, nil
}

// ask goes on with the round under way and returns what is known then. The
// caller has the turn.
func (f *Feed) ask(ctx context.Context, s state) (state, error) {
	if now := time.Now(); now.Sub(f.round.began) >= f.maxAge() {
		f.round = round{began: now, got: make(map[string]Price)}
	}
	if err := f.round.fetchMissing(ctx, f.Client, f.endpoints()); err != nil {
		if e, ok := errors.AsType[*fal.Error](err); ok {
			s.wait = time.Now().Add(min(e.RetryAfter, time.Hour))
		}
		return s, err
	}
	table, changes, err := Apply(f.base(), slices.Collect(maps.Values(f.round.got)), f.round.began)
	if err != nil {
		return s, err
	}
	s = state{table: table, changes: changes, asOf: f.round.began}
	f.round = round{}
	return s, nil
}

// endpoints returns those to ask for.
func (f *Feed) endpoints() []string {
	ids := slices.Clone(f.Also)
	for p := range f.base().Prices() {
		ids = append(ids, p.Endpoint)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// fetchMissing asks for what the round does not have yet.
func (r *round) fetchMissing(ctx context.Context, c *fal.Client, endpoints []string) error {
	var missing []string
	for _, id := range endpoints {
		if _, ok := r.got[id]; !ok && id != "" {
			missing = append(missing, id)
		}
	}
	for batch := range slices.Chunk(missing, fetchLimit) {
		prices, err := fetch(ctx, c, batch)
		if err != nil {
			return err
		}
		for _, id := range batch {
			r.got[id] = Price{Endpoint: id} // asked for, whether it is known or not
		}
		for _, p := range prices {
			if slices.Contains(batch, p.Endpoint) {
				r.got[p.Endpoint] = p
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
		if err := c.Platform(ctx, http.MethodGet, "/v1/models/pricing", query, nil, &page); err != nil {
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
