package pricing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// LivePrice is a price as the platform's pricing API tells it, in its JSON
// form. It has a unit and a unit price only, not the rule behind them.
type LivePrice struct {
	Endpoint  string      `json:"endpoint_id"`
	UnitPrice json.Number `json:"unit_price"`
	Unit      string      `json:"unit"`
	Currency  string      `json:"currency"`
}

const (
	// fetchLimit is the most endpoints that one call may ask for.
	fetchLimit = 50
	// fetchPages is how many pages of one answer are read. One should do.
	fetchPages = 10
)

// Live keeps a table fresh from the platform's pricing API. Set its fields
// before the first use; it may then be used by many goroutines at once.
type Live struct {
	// Client does the calls; its key is sent along. Required.
	Client *fal.Client
	// Table is what the live prices are compared with and put into; nil means
	// the embedded table.
	Table *Table
	// MaxAge is how long prices are used before they are asked for again.
	// Default: 1 hour.
	MaxAge time.Duration

	mu      sync.Mutex
	got     map[string]LivePrice // of the round under way
	table   *Table
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
func (l *Live) Refresh(ctx context.Context) (*Table, Changes, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Client == nil {
		return nil, nil, errors.New("pricing: Live.Client is not set")
	}
	if l.Table == nil {
		l.Table = Embedded()
	}
	if l.table == nil {
		l.table = l.Table
	}
	now := time.Now()
	if now.Sub(l.fresh) < cmp.Or(l.MaxAge, time.Hour) {
		return l.table, l.changes, nil
	}
	if now.Before(l.wait) {
		return l.table, l.changes, fmt.Errorf("pricing: live prices: %w: asked to wait until %s", fal.ErrRateLimited, l.wait.UTC().Format(time.RFC3339))
	}
	if err := l.fetchMissing(ctx); err != nil {
		if e, ok := errors.AsType[*fal.Error](err); ok {
			l.wait = time.Now().Add(e.RetryAfter)
		}
		return l.table, l.changes, fmt.Errorf("pricing: live prices: %w", err)
	}
	prices := slices.Collect(maps.Values(l.got))
	table, changes, err := l.Table.WithLive(prices, now)
	if err != nil {
		return l.table, l.changes, err
	}
	l.table, l.changes, l.fresh, l.got = table, changes, now, nil
	return table, changes, nil
}

// fetchMissing asks for what the round under way does not have yet.
func (l *Live) fetchMissing(ctx context.Context) error {
	if l.got == nil {
		l.got = make(map[string]LivePrice)
	}
	var missing []string
	for p := range l.Table.Prices() {
		if _, ok := l.got[p.Endpoint]; !ok {
			missing = append(missing, p.Endpoint)
		}
	}
	for batch := range slices.Chunk(missing, fetchLimit) {
		prices, err := fetch(ctx, l.Client, batch)
		if err != nil {
			return err
		}
		for _, id := range batch {
			l.got[id] = LivePrice{Endpoint: id} // asked for, whether it is known or not
		}
		for _, p := range prices {
			if slices.Contains(batch, p.Endpoint) {
				l.got[p.Endpoint] = p
			}
		}
	}
	return nil
}

// fetch asks for the prices of some endpoints. Those that the platform does not
// know are missing in the answer.
func fetch(ctx context.Context, c *fal.Client, endpoints []string) (prices []LivePrice, err error) {
	query := url.Values{"endpoint_id": endpoints}
	for range fetchPages {
		var page struct {
			Prices     []LivePrice `json:"prices"`
			NextCursor string      `json:"next_cursor"`
			HasMore    bool        `json:"has_more"`
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

// WithLive returns a copy of the table with the live prices that mean the same
// as its own: those in US dollars by the unit of the rule. A live price by
// another unit, such as "compute seconds" for a model that is charged by the
// megapixel, or for a rule with two prices, changes nothing but is among the
// changes, as is everything else in which the two differ. When says when the
// live prices were got.
func (t *Table) WithLive(live []LivePrice, when time.Time) (*Table, Changes, error) {
	changes := t.Diff(live)
	var prices []Price
	for _, c := range changes {
		if c.Kind != ChangedPrice {
			continue
		}
		p, _ := t.Price(c.Endpoint)
		p.Rule = p.Rule.withPrice(c.LivePrice)
		p.Confidence = High
		p.AsOf = when.UTC().Format(time.DateOnly)
		p.Sources = []string{"platform pricing API, " + p.AsOf}
		prices = append(prices, p)
	}
	changed, err := t.With(prices...)
	return changed, changes, err
}

// amount reads the unit price.
func (p LivePrice) amount() (USD, error) {
	if p.Currency != "" && !strings.EqualFold(p.Currency, "USD") {
		return 0, fmt.Errorf("the currency is %s", shorten(p.Currency))
	}
	n, err := parseNumber(p.UnitPrice.String())
	if err == nil && n <= 0 {
		err = fmt.Errorf("%q: must be more than zero", p.UnitPrice)
	}
	return USD(n), err
}

// unit returns the unit by the name that rules have for it, or as it is.
func (p LivePrice) unit() string {
	name := strings.ToLower(strings.Join(strings.Fields(p.Unit), " "))
	switch strings.TrimSuffix(name, "s") {
	case "megapixel", "processed megapixel", "mp":
		return PerMegapixel{}.Unit()
	case "image":
		return PerImage{}.Unit()
	case "request", "generation":
		return PerRequest{}.Unit()
	case "step", "training step":
		return PerStep{}.Unit()
	case "compute second", "second":
		return PerSecond{}.Unit()
	}
	return name
}

// parseNumber reads a JSON number, which may have an exponent, as a count of
// billionths. What is beyond the ninth decimal place is rounded up.
func parseNumber(s string) (int64, error) {
	mantissa, exponent, found := strings.Cut(strings.ToLower(s), "e")
	if !found {
		exponent = "0"
	}
	shift, err := strconv.Atoi(exponent)
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if err != nil || shift < -40 || shift > 40 || len(s) > 80 || digits == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, fmt.Errorf("%q: must be a number", shorten(s))
	}
	// Move the decimal point to where the exponent says.
	all := strings.Repeat("0", 40) + whole + fraction + strings.Repeat("0", 50)
	point := 40 + len(whole) + shift
	whole, fraction = all[:point], all[point:]
	n, err := parseDecimal("0" + whole + "." + fraction[:places])
	if err != nil {
		return 0, err
	}
	if !negative && strings.Trim(fraction[places:], "0") != "" {
		if n == math.MaxInt64 {
			return 0, ErrOverflow
		}
		n++
	}
	if negative {
		n = -n
	}
	return n, nil
}
