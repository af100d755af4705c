package riverbatch

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"log/slog"
	"regexp"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/falimage/falimage-go/fal/batch"
)

// Journal is the journal of a batch in a PostgreSQL database, for as many processes on
// as many machines as there are. It may be used by many goroutines at once.
type Journal struct {
	pool   *pgxpool.Pool
	name   string
	secret []byte // signs what webhooks call
	id     string
	river  *river.Client[pgx.Tx]
	closed atomic.Bool
}

var _ batch.Journal = (*Journal)(nil)

// nameForm is what River takes for a queue.
var nameForm = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

const longestName = 64

// silent is for River where it only puts jobs in.
var silent = slog.New(slog.DiscardHandler)

// Open opens the journal of the batch of a name, or begins it. The name is also that of
// its queue in River: lower case letters and digits, with single hyphens or underscores
// in between, 64 at most. A database without tables, or with those of another version,
// is refused and the error says what to do; so is one that loses what it has committed
// when its machine fails (fsync or synchronous_commit off). The pool stays the caller's
// to close.
func Open(ctx context.Context, pool *pgxpool.Pool, name string) (*Journal, error) {
	if len(name) > longestName || !nameForm.MatchString(name) {
		return nil, fmt.Errorf("riverbatch: name %.80q: must be lower case letters and digits, with single hyphens or underscores in between, %d at most", name, longestName)
	}
	j := &Journal{pool: pool, name: name}
	err := again(ctx, func(bool) error { return ready(ctx, pool) })
	if err == nil {
		j.river, err = river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: silent})
	}
	if err == nil {
		err = again(ctx, func(bool) error { return j.begin(ctx) })
	}
	if err != nil {
		return nil, fmt.Errorf("riverbatch: batch %q: %w", name, err)
	}
	return j, nil
}

// begin notes the batch, if it is new, and takes its secret.
func (j *Journal) begin(ctx context.Context) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	if _, err := j.pool.Exec(ctx, "INSERT INTO falimage_batch (name, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING", j.name, secret); err != nil {
		return err
	}
	err := j.pool.QueryRow(ctx, "SELECT secret FROM falimage_batch WHERE name = $1", j.name).Scan(&j.secret)
	sum := sha256.Sum256(append([]byte("id of "), j.secret...))
	j.id = hex.EncodeToString(sum[:16])
	return err
}

// Name returns the name of the batch, which is that of its queue in River.
func (j *Journal) Name() string { return j.name }

// ID tells the batch from others, also from one of the same name in another database.
func (j *Journal) ID() string { return j.id }

// usable returns an error if the journal is closed or the context has ended.
func (j *Journal) usable(ctx context.Context) error {
	if j.closed.Load() {
		return batch.ErrClosed
	}
	return ctx.Err()
}

// fail says whose error it is.
func (j *Journal) fail(err error) error {
	if err == nil || errors.Is(err, batch.ErrConflict) || errors.Is(err, batch.ErrClosed) {
		return err
	}
	return fmt.Errorf("riverbatch: batch %q: %w", j.name, err)
}

// Get returns the row of a key, and false if there is none.
func (j *Journal) Get(ctx context.Context, key string) (row batch.Row, found bool, err error) {
	if err := j.usable(ctx); err != nil {
		return row, false, err
	}
	err = again(ctx, func(bool) error {
		var text []byte
		var revision, sum int64
		err := j.pool.QueryRow(ctx, "SELECT revision, row, sum FROM falimage_item WHERE batch = $1 AND key = $2 AND revision > 0", j.name, []byte(key)).Scan(&revision, &text, &sum)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil {
			found = true
			row, err = decode(key, revision, text, sum)
		}
		return err
	})
	return row, found && err == nil, j.fail(err)
}

// Put keeps a row, in place of the one of the same key whose revision is one less. It
// waits while the database restarts, for 15 seconds at most. When it returns nil the
// row is committed.
func (j *Journal) Put(ctx context.Context, row batch.Row) error {
	if err := row.Validate(); err != nil {
		return err
	}
	if err := j.usable(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(row)
	if err != nil {
		return j.fail(err)
	}
	sum := sumOf(text)
	query := `INSERT INTO falimage_item AS i (batch, key, revision, state, row, sum) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (batch, key) DO UPDATE SET revision = excluded.revision, state = excluded.state, row = excluded.row, sum = excluded.sum WHERE i.revision = 0`
	if row.Revision > 1 {
		query = "UPDATE falimage_item SET revision = $3, state = $4, row = $5, sum = $6 WHERE batch = $1 AND key = $2 AND revision = $3 - 1"
	}
	err = again(ctx, func(maybe bool) error {
		tag, err := j.pool.Exec(ctx, query, j.name, []byte(row.Key), row.Revision, string(row.State), text, sum)
		if err != nil || tag.RowsAffected() == 1 {
			return err
		}
		return j.conflict(ctx, &row, sum, maybe)
	})
	if err != nil {
		return j.fail(err)
	}
	if noted, ok := ctx.Value(notedKey{}).(func(batch.Row)); ok {
		noted(row)
	}
	return nil
}

// notedKey is that of the function in a context which is told what the journal noted.
type notedKey struct{}

// conflict returns why a row was not kept: another one is there, unless it is the same
// one, that the database kept before its answer was lost.
func (j *Journal) conflict(ctx context.Context, row *batch.Row, sum int64, maybe bool) error {
	var had batch.Row
	var hadSum int64
	err := j.pool.QueryRow(ctx, "SELECT revision, coalesce(sum, 0) FROM falimage_item WHERE batch = $1 AND key = $2", j.name, []byte(row.Key)).Scan(&had.Revision, &hadSum)
	switch {
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return err
	case maybe && had.Revision == row.Revision && hadSum == sum:
		return nil
	case row.Follows(&had) == nil: // it was changed again in this moment
		return batch.ErrConflict
	}
	return row.Follows(&had)
}

// All yields the rows in the order in which their items were inserted or first put. It
// reads some at a time, and holds no more.
func (j *Journal) All(ctx context.Context) iter.Seq2[batch.Row, error] {
	return func(yield func(batch.Row, error) bool) {
		const some = 256
		last := int64(0)
		for more := true; more; {
			var rows []batch.Row
			err := j.usable(ctx)
			if err == nil {
				err = again(ctx, func(bool) (err error) {
					rows, last, err = j.page(ctx, last, some)
					return err
				})
			}
			if err != nil {
				yield(batch.Row{}, j.fail(err))
				return
			}
			more = len(rows) == some
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// page returns the rows after an ordinal, and the last of their ordinals.
func (j *Journal) page(ctx context.Context, after int64, most int) (rows []batch.Row, last int64, err error) {
	last = after
	found, err := j.pool.Query(ctx, "SELECT ordinal, key, revision, row, sum FROM falimage_item WHERE batch = $1 AND ordinal > $2 AND revision > 0 ORDER BY ordinal LIMIT $3", j.name, after, most)
	if err != nil {
		return nil, after, err
	}
	defer found.Close()
	for found.Next() {
		var key, text []byte
		var revision, sum int64
		if err := found.Scan(&last, &key, &revision, &text, &sum); err != nil {
			return nil, after, err
		}
		row, err := decode(string(key), revision, text, sum)
		if err != nil {
			return nil, after, err
		}
		rows = append(rows, row)
	}
	if err := found.Err(); err != nil {
		return nil, after, err
	}
	return rows, last, nil
}

// Close ends the use of the journal. The pool stays open.
func (j *Journal) Close() error {
	j.closed.Store(true)
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf returns the sum of a row, by which a change by hand is noticed.
func sumOf(text []byte) int64 { return int64(crc32.Checksum(text, castagnoli)) }

// decode reads a row.
func decode(key string, revision int64, text []byte, sum int64) (row batch.Row, err error) {
	if sumOf(text) == sum {
		err = json.Unmarshal(text, &row)
	}
	if err != nil || row.Key != key || row.Revision != revision {
		return batch.Row{}, fmt.Errorf("key %.80q: the row is damaged, or was changed by hand: take it from a backup, or look at fal's request history for what was sent", key)
	}
	return row, nil
}
