package pricing

import (
	_ "embed" // for the prices
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Table holds the prices of endpoints. It never changes, so it may be used by
// many goroutines at once; With and Merge return changed copies. The zero
// Table knows no price.
type Table struct {
	cards map[string]*card
}

//go:embed prices.json
var embeddedJSON []byte

// Embedded returns the table that comes with this package.
func Embedded() *Table { return embedded() }

var embedded = sync.OnceValue(func() *Table {
	t := new(Table)
	if err := t.UnmarshalJSON(embeddedJSON); err != nil {
		panic(err) // the file is part of the program, and tested
	}
	return t
})

var current atomic.Pointer[Table]

// Default returns the table that [Estimate] uses: the embedded one unless
// [SetDefault] set another.
func Default() *Table {
	if t := current.Load(); t != nil {
		return t
	}
	return Embedded()
}

// SetDefault sets the table that [Estimate] uses from now on; nil sets the
// embedded one.
func SetDefault(t *Table) { current.Store(t) }

// NewTable returns a table of the given prices. Of two for the same endpoint
// the later counts.
func NewTable(prices ...Price) (*Table, error) { return new(Table).With(prices...) }

// ReadTable reads a table in the form of the embedded prices.json, which is
// also what a table's MarshalJSON writes. To override single prices by file,
// give what it returns to Merge.
func ReadTable(r io.Reader) (*Table, error) {
	const limit = 16 << 20
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("pricing: reading a table: %w", err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("pricing: a table has at most %d bytes", limit)
	}
	t := new(Table)
	return t, t.UnmarshalJSON(data)
}

// With returns a copy of the table in which the given prices replace those of
// the same endpoints.
func (t *Table) With(prices ...Price) (*Table, error) {
	changed := &Table{cards: make(map[string]*card, t.Len()+len(prices))}
	if t != nil {
		maps.Copy(changed.cards, t.cards)
	}
	for _, p := range prices {
		c, err := newCard(p)
		if err != nil {
			return nil, err
		}
		changed.cards[p.Endpoint] = c
	}
	return changed, nil
}

// Merge returns a copy of the table in which the prices of other replace those
// of the same endpoints.
func (t *Table) Merge(other *Table) *Table {
	merged := &Table{cards: make(map[string]*card, t.Len()+other.Len())}
	for _, from := range []*Table{t, other} {
		if from != nil {
			maps.Copy(merged.cards, from.cards)
		}
	}
	return merged
}

// At returns a copy of the table as it held at a time, for bills of before:
// prices that were different then and ended later are those of then.
func (t *Table) At(when time.Time) *Table {
	held := &Table{cards: make(map[string]*card, t.Len())}
	if t == nil {
		return held
	}
	for id, c := range t.cards {
		c = c.at(when)
		if c.past != nil {
			later := *c
			later.past = nil
			c = &later
		}
		held.cards[id] = c
	}
	return held
}

// Discounted returns a copy of the table with all prices less the discount of an
// account, in percent: at least 0 and less than 100. Fal tells prices, those of
// package live too, without it, and bills with it, so it is taken off last.
func (t *Table) Discounted(percent Units) (*Table, error) {
	if percent < 0 || percent >= 100*One {
		return nil, fmt.Errorf("pricing: a discount of %v percent: must be less than 100 and not negative", percent)
	}
	if t == nil {
		return new(Table), nil
	}
	prices := make([]Price, 0, t.Len())
	for _, c := range t.cards {
		if c.Discount != 0 {
			return nil, fmt.Errorf("pricing: %s: has a discount of %v percent already", c.Endpoint, c.Discount)
		}
		prices = append(prices, c.discounted(percent))
	}
	return NewTable(prices...)
}

// Len returns the number of endpoints that the table knows, those of unknown
// price included.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return len(t.cards)
}

// Price returns what the table knows about an endpoint, and holds now.
func (t *Table) Price(endpoint string) (Price, bool) {
	c, ok := t.card(endpoint)
	if !ok {
		return Price{}, false
	}
	return c.price(), true
}

func (t *Table) card(endpoint string) (*card, bool) {
	if t == nil {
		return nil, false
	}
	c, ok := t.cards[endpoint]
	if ok {
		c = c.now()
	}
	return c, ok
}

// Prices returns all prices that hold now in the order of their endpoints.
func (t *Table) Prices() iter.Seq[Price] {
	return func(yield func(Price) bool) {
		if t == nil {
			return
		}
		for _, endpoint := range slices.Sorted(maps.Keys(t.cards)) {
			if !yield(t.cards[endpoint].now().price()) {
				return
			}
		}
	}
}
