package riverbatch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
)

// claimed is an item that this worker has the lease of: nobody else works on it.
type claimed struct {
	j     *Journal
	key   string
	lease string
	long  time.Duration // how long the lease is, when it was taken or renewed
	since time.Time     // before that was asked for

	endpoint string
	body     json.RawMessage
	usage    fal.Usage
	tags     map[string]string
	row      *batch.Row    // nil if nothing was sent
	turn     time.Duration // until it may be sent; negative if that is past
	hasTurn  bool

	keepTurn time.Duration // given back with the lease; 0 for none
}

// Reasons why an item cannot be claimed.
var (
	errFinished = errors.New("it is finished")
	errNoItem   = errors.New("riverbatch: the batch does not have the item: it was deleted, or inserted in another database")
)

// heldError says for how long an item is somebody else's.
type heldError time.Duration

func (e heldError) Error() string {
	return fmt.Sprintf("another worker has it for %v yet", time.Duration(e))
}

// claim takes the lease of an item. The time is that of the database, so that clocks
// that differ do no harm.
func (j *Journal) claim(ctx context.Context, key string, long time.Duration) (*claimed, error) {
	if err := j.usable(ctx); err != nil {
		return nil, err
	}
	it := &claimed{j: j, key: key, lease: rand.Text(), long: long}
	err := again(ctx, func(bool) error { return it.take(ctx) })
	return it, err
}

func (it *claimed) take(ctx context.Context) error {
	it.since = time.Now()
	var usage, tags, text []byte
	var revision, sum int64
	var turn *int64
	err := relaxedRow(ctx, it.j.pool, []any{&it.endpoint, &it.body, &usage, &tags, &revision, &text, &sum, &turn}, `UPDATE falimage_item SET lease = $3, leased_until = clock_timestamp() + $4 * interval '1 millisecond'
		WHERE batch = $1 AND key = $2 AND NOT finished AND body IS NOT NULL AND (leased_until IS NULL OR leased_until <= clock_timestamp() OR lease = $3)
		RETURNING endpoint, body, usage, tags, revision, row, coalesce(sum, 0), (extract(epoch FROM turn_at - clock_timestamp()) * 1000)::bigint`,
		it.j.name, []byte(it.key), it.lease, it.long.Milliseconds())
	if errors.Is(err, pgx.ErrNoRows) {
		return it.refused(ctx)
	}
	if err != nil {
		return err
	}
	if revision > 0 {
		row, err := decode(it.key, revision, text, sum)
		if err != nil {
			return it.j.fail(err)
		}
		it.row = &row
	}
	if turn != nil {
		it.hasTurn, it.turn = true, time.Duration(*turn)*time.Millisecond
	}
	if it.usage, err = decodeUsage(usage); err != nil {
		return it.j.fail(err)
	}
	return it.j.fail(json.Unmarshal(tags, &it.tags))
}

// refused returns why an item cannot be claimed.
func (it *claimed) refused(ctx context.Context) error {
	var finished bool
	var left *int64
	err := it.j.pool.QueryRow(ctx, `SELECT finished, (extract(epoch FROM leased_until - clock_timestamp()) * 1000)::bigint FROM falimage_item WHERE batch = $1 AND key = $2 AND body IS NOT NULL`,
		it.j.name, []byte(it.key)).Scan(&finished, &left)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errNoItem
	case err != nil:
		return err
	case finished:
		return errFinished
	case left == nil:
		return heldError(0)
	}
	return heldError(max(0, time.Duration(*left)*time.Millisecond))
}

// errLease is why work ends on an item whose lease could not be renewed.
var errLease = errors.New("riverbatch: the lease of the item could not be renewed: another worker may take it up")

// keep renews the lease as long as the context lasts. The context that it returns ends
// when half of the lease is over and it could not be renewed, so that what is being sent
// is answered before the lease ends.
func (it *claimed) keep(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	lost := time.AfterFunc(it.long/2-time.Since(it.since), func() { cancel(errLease) })
	go func() {
		defer lost.Stop()
		tick := time.NewTicker(it.long / 6)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			asked := time.Now()
			tag, err := relaxedExec(ctx, it.j.pool, `UPDATE falimage_item SET leased_until = clock_timestamp() + $4 * interval '1 millisecond' WHERE batch = $1 AND key = $2 AND lease = $3`,
				it.j.name, []byte(it.key), it.lease, it.long.Milliseconds())
			switch {
			case err == nil && tag.RowsAffected() == 1:
				lost.Reset(it.long/2 - time.Since(asked))
			case err == nil:
				cancel(errLease) // another worker has it
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// release gives the lease back. Finished says that nothing is left to be done.
func (it *claimed) release(ctx context.Context, finished bool) error {
	ctx = context.WithoutCancel(ctx)
	var turn *int64
	if it.keepTurn > 0 {
		turn = new(it.keepTurn.Milliseconds())
	}
	return it.j.fail(again(ctx, func(bool) error {
		_, err := relaxedExec(ctx, it.j.pool, `UPDATE falimage_item SET lease = NULL, leased_until = NULL, finished = finished OR $4, turn_at = clock_timestamp() + $5 * interval '1 millisecond' WHERE batch = $1 AND key = $2 AND lease = $3`,
			it.j.name, []byte(it.key), it.lease, finished, turn)
		return err
	}))
}
