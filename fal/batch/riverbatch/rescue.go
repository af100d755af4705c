package riverbatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/falimage/falimage-go/fal/batch"
)

// RescueArgs are those of the periodic job that looks for items nobody does any more.
type RescueArgs struct {
	Batch string `json:"batch"`
}

// Kind names the jobs in River.
func (RescueArgs) Kind() string { return "fal_batch_rescue" }

// RescueWorker does [Journal.Rescue] as a periodic job of River; [Worker.Config] has one.
type RescueWorker struct {
	river.WorkerDefaults[RescueArgs]
	Journal *Journal
}

// Work does one rescue.
func (w *RescueWorker) Work(ctx context.Context, job *river.Job[RescueArgs]) error {
	n, err := w.Journal.Rescue(ctx)
	if n > 0 {
		_ = river.RecordOutput(ctx, fmt.Sprintf("%d items were queued again", n))
	}
	return err
}

// rescuable finds items that are not finished, that no worker has the lease of, and whose
// job is not waiting in River, nor was fetched just now; or waits though its time has
// come, since River has no leader.
const rescuable = `SELECT i.key, i.kind, i.endpoint, coalesce(i.state, ''), coalesce(r.state::text, ''), coalesce(i.job_id, 0)
	FROM falimage_item i LEFT JOIN river_job r ON r.id = i.job_id
	WHERE i.batch = $1 AND NOT i.finished AND i.body IS NOT NULL AND (i.leased_until IS NULL OR i.leased_until < clock_timestamp())
		AND (r.id IS NULL OR r.state IN ('completed', 'discarded', 'cancelled') OR r.state = 'running' AND r.attempted_at < clock_timestamp() - interval '2 seconds'
			OR r.state IN ('scheduled', 'retryable') AND r.scheduled_at < clock_timestamp() - interval '10 seconds')
	ORDER BY i.ordinal LIMIT $2 FOR UPDATE OF i SKIP LOCKED`

// Rescue gives each item a new job that is not finished and that no job of River will do
// any more: the worker that had it is gone and its lease over, or the job was deleted,
// or cancelled or discarded though fal may have accepted the request. It returns how
// many there were. The jobs go through the journal as any other, so that what was sent is waited
// for or looked for and not sent again; should River rescue the old job too, that one
// finds the item finished, or somebody at it. An item whose job was cancelled or
// discarded is left alone if nothing was sent of it, or it failed; else its result is
// kept, and what was set aside for it settled.
//
// The periodic job of [Worker.Config] calls it. Who waits for a batch may do so too, so
// that it does not depend on which worker is River's leader.
func (j *Journal) Rescue(ctx context.Context) (rescued int, err error) {
	if err := j.usable(ctx); err != nil {
		return 0, err
	}
	for looked := atOnce; looked == atOnce; {
		jobs := 0
		err := again(ctx, func(bool) error {
			return pgx.BeginFunc(ctx, j.pool, func(tx pgx.Tx) (err error) {
				looked, jobs, err = j.rescue(ctx, tx)
				return err
			})
		})
		if err != nil {
			return rescued, j.fail(err)
		}
		rescued += jobs
	}
	return rescued, nil
}

// rescue rescues some items, and returns how many were looked at and rescued.
func (j *Journal) rescue(ctx context.Context, tx pgx.Tx) (looked, rescued int, err error) {
	rows, err := tx.Query(ctx, rescuable, j.name, atOnce)
	if err != nil {
		return 0, 0, err
	}
	var over [][]byte
	var jobs []jobOf
	var key []byte
	var kind, endpoint, state, job string
	var id int64
	var late []int64
	_, err = pgx.ForEachRow(rows, []any{&key, &kind, &endpoint, &state, &job, &id}, func() error {
		looked++
		key := append([]byte{}, key...)
		switch {
		case (job == "cancelled" || job == "discarded") && (state == "" || state == string(batch.Failed)):
			over = append(over, key)
			return nil
		case job == "scheduled", job == "retryable":
			late = append(late, id)
			return nil
		}
		jobs = append(jobs, jobOf{key, anyArgs{kind, Args[any]{Batch: j.name, Key: string(key), Endpoint: endpoint}}})
		return nil
	})
	if err == nil && len(over) > 0 {
		_, err = tx.Exec(ctx, "UPDATE falimage_item SET finished = true WHERE batch = $1 AND key = ANY($2)", j.name, over)
	}
	for _, id := range late {
		if err == nil {
			_, err = j.river.JobRetryTx(ctx, tx, id)
		}
	}
	if err == nil {
		err = j.enqueue(ctx, tx, jobs)
	}
	if err != nil {
		return 0, 0, err
	}
	return looked, len(jobs) + len(late), nil
}

// anyArgs are args of which only the name of their type is known.
type anyArgs struct {
	kind string
	Args[any]
}

// Kind names the jobs in River.
func (a anyArgs) Kind() string { return a.kind }

// wake has River run the job of an item now, if it waits.
func (j *Journal) wake(ctx context.Context, key string) error {
	var id *int64
	err := j.pool.QueryRow(ctx, "SELECT job_id FROM falimage_item WHERE batch = $1 AND key = $2 AND NOT finished", j.name, []byte(key)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && id == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err = j.river.JobRetry(ctx, *id); errors.Is(err, river.ErrNotFound) {
		return nil // Rescue makes another
	}
	return err
}
