package riverbatch

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What a worker notes beside the journal is committed without a wait for the disk where
// it can be lost: the lease of an item, and what a budget sets aside for it. The
// journal's next row waits, and PostgreSQL writes commits in their order, so that what
// was noted before it is as safe as it. A crash of the database between the two loses
// what can be made up for: a request for which nothing is set aside is booked all the
// same when it is billed. What was billed or is released waits for the disk itself: the
// worker may live on, and note the result as if that were booked.
const relax = "SELECT set_config('synchronous_commit', 'off', true)"

// relaxedRow runs a statement so, in one exchange, and scans its row.
func relaxedRow(ctx context.Context, pool *pgxpool.Pool, into []any, sql string, args ...any) error {
	b := new(pgx.Batch)
	b.Queue(relax)
	b.Queue(sql, args...)
	results := pool.SendBatch(ctx, b)
	_, err := results.Exec()
	if err == nil {
		err = results.QueryRow().Scan(into...)
	}
	if closed := results.Close(); err == nil {
		err = closed // it is committed only then
	}
	return err
}

// relaxedExec is relaxedRow for a statement that returns nothing.
func relaxedExec(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	b := new(pgx.Batch)
	b.Queue(relax)
	b.Queue(sql, args...)
	results := pool.SendBatch(ctx, b)
	_, err = results.Exec()
	if err == nil {
		tag, err = results.Exec()
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return tag, err
}
