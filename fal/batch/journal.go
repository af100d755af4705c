package batch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// Journal keeps a row for each item. Package journal has one in a file, and
// package journaltest the tests that every journal must pass. It is used by many
// goroutines at once.
type Journal interface {
	// ID tells the journal from all others, for as long as it lasts: what a budget sets
	// aside for an item goes by it too.
	ID() string
	// Get returns the row of a key, and false if there is none.
	Get(ctx context.Context, key string) (Row, bool, error)
	// Put keeps a row, in place of the one of the same key whose revision is one
	// less; the first revision is 1. When it returns nil, the row outlives the
	// program, and the machine if the journal is made for that. If another row is
	// there, it keeps that, and the error is ErrConflict.
	Put(ctx context.Context, row Row) error
	// All yields all rows in the order in which their keys were first put. Rows
	// may be put meanwhile. An error comes once and last.
	All(ctx context.Context) iter.Seq2[Row, error]
	// Close ends the use of the journal.
	Close() error
}

var (
	// ErrConflict says that a row was changed by somebody else in the meantime: two
	// runners work on the same items.
	ErrConflict = errors.New("batch: the journal has another row in the meantime: two runners work on the same items")
	// ErrClosed says that a journal was closed.
	ErrClosed = errors.New("batch: the journal is closed")
)

// Memory returns a journal that lasts as long as the program: with it, a batch
// is not repeated by itself, and lost with its process.
func Memory() Journal { return &memory{id: rand.Text(), rows: make(map[string]*Row)} }

type memory struct {
	id     string
	mu     sync.Mutex
	rows   map[string]*Row
	order  []*Row // what a pointer leads to is replaced, never changed
	at     map[string]int
	closed bool
}

func (m *memory) ID() string { return m.id }

func (m *memory) Get(ctx context.Context, key string) (Row, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return Row{}, false, err
	}
	if row := m.rows[key]; row != nil {
		return *row, true, nil
	}
	return Row{}, false, nil
}

func (m *memory) usable(ctx context.Context) error {
	if m.closed {
		return ErrClosed
	}
	return ctx.Err()
}

func (m *memory) Put(ctx context.Context, row Row) error {
	if err := row.Validate(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return err
	}
	old := m.rows[row.Key]
	if err := row.Follows(old); err != nil {
		return err
	}
	m.rows[row.Key] = &row
	if old != nil {
		m.order[m.at[row.Key]] = &row
		return nil
	}
	if m.at == nil {
		m.at = make(map[string]int)
	}
	m.at[row.Key] = len(m.order)
	m.order = append(m.order, &row)
	return nil
}

// Follows returns [ErrConflict] unless the row may take the place of an older one;
// nil stands for none.
func (r *Row) Follows(old *Row) error {
	had := int64(0)
	if old != nil {
		had = old.Revision
	}
	if r.Revision != had+1 {
		return fmt.Errorf("%w (key %.80q: revision %d after %d)", ErrConflict, r.Key, r.Revision, had)
	}
	return nil
}

func (m *memory) All(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		m.mu.Lock()
		err, rows := m.usable(ctx), slices.Clone(m.order)
		m.mu.Unlock()
		for _, row := range rows {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				break
			}
			if !yield(*row, nil) {
				return
			}
		}
		if err != nil {
			yield(Row{}, err)
		}
	}
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
