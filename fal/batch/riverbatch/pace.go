package riverbatch

import (
	"context"
	"time"
)

// turn takes a turn of an account, and returns how long it has to wait for it: every is
// the least time between two, on all machines together.
func (j *Journal) turn(ctx context.Context, account string, every time.Duration) (time.Duration, error) {
	return j.left(ctx, `INSERT INTO falimage_pace AS p (account, next_at, paused_until) VALUES ($1, clock_timestamp() + $2 * interval '1 microsecond', 'epoch')
		ON CONFLICT (account) DO UPDATE SET next_at = greatest(p.next_at, p.paused_until, clock_timestamp()) + $2 * interval '1 microsecond'
		RETURNING (extract(epoch FROM next_at - clock_timestamp()) * 1000)::bigint - $2 / 1000`, account, every.Microseconds())
}

// paused returns how long nothing is to be sent for an account.
func (j *Journal) paused(ctx context.Context, account string) (time.Duration, error) {
	return j.left(ctx, `SELECT coalesce((SELECT (extract(epoch FROM paused_until - clock_timestamp()) * 1000)::bigint FROM falimage_pace WHERE account = $1), 0)`, account)
}

// left asks for a number of milliseconds.
func (j *Journal) left(ctx context.Context, query string, args ...any) (time.Duration, error) {
	var left int64
	err := again(ctx, func(bool) error { return relaxedRow(ctx, j.pool, []any{&left}, query, args...) })
	return max(0, time.Duration(left)*time.Millisecond), j.fail(err)
}

// pause has all machines send nothing for an account for a time.
func (j *Journal) pause(ctx context.Context, account string, long time.Duration) error {
	return j.fail(again(ctx, func(bool) error {
		_, err := j.pool.Exec(ctx, `INSERT INTO falimage_pace AS p (account, next_at, paused_until) VALUES ($1, 'epoch', clock_timestamp() + $2 * interval '1 microsecond')
			ON CONFLICT (account) DO UPDATE SET paused_until = greatest(p.paused_until, excluded.paused_until)`, account, long.Microseconds())
		return err
	}))
}
