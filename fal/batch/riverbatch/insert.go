package riverbatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
)

// Args is what a job of River tells of its item; the request itself is in the database.
// It is for [Worker], and for people: River's UI shows it.
type Args[Out any] struct {
	// Batch and Key say which item it is.
	Batch string `json:"batch"`
	Key   string `json:"key"`
	// Endpoint is that of the request, and Prompt the beginning of its prompt.
	Endpoint string `json:"endpoint"`
	Prompt   string `json:"prompt,omitzero"`
}

// Kind names the jobs in River: "fal_batch:" and the type of the result.
func (Args[Out]) Kind() string { return "fal_batch:" + reflect.TypeFor[Out]().String() }

// atOnce is how many items are inserted in one transaction, if their bodies have no more
// bytes than bytesAtOnce, and longestPrompt how many letters of the prompt River's UI
// gets to show.
const (
	atOnce        = 200
	bytesAtOnce   = 16 << 20
	longestPrompt = 200
)

// Insert puts items into the database and a job for each into River, in one
// transaction for each few hundred, and returns how many are new. It may be repeated:
// an item that is there with the same request stays as it is, unless it failed for good
// or was cancelled, then it is queued again. An item with the key of another request is
// a *batch.ConflictError.
//
// Each request is checked, its files are uploaded and it gets a seed if it has none,
// with the client, so that every machine can send it and it is the same whoever does.
// Nothing is sent that costs money. Of an item's options the tags go with it; the
// others belong to the runner of the [Worker].
func Insert[Out any](ctx context.Context, j *Journal, c *fal.Client, items iter.Seq[batch.Item[Out]]) (inserted int, err error) {
	err = chunked(ctx, j, c, items, func(rows []*newItem) error {
		n := 0
		err := again(ctx, func(bool) error {
			n = 0
			return pgx.BeginFunc(ctx, j.pool, func(tx pgx.Tx) (err error) {
				n, err = insert[Out](ctx, tx, j, rows)
				return err
			})
		})
		inserted += n
		return err
	})
	return inserted, err
}

// InsertTx is [Insert] in a transaction of the caller's: items and jobs are there once
// it is committed, and none is if it is not. What is uploaded for them is uploaded
// meanwhile, and stays.
func InsertTx[Out any](ctx context.Context, tx pgx.Tx, j *Journal, c *fal.Client, items iter.Seq[batch.Item[Out]]) (inserted int, err error) {
	err = chunked(ctx, j, c, items, func(rows []*newItem) error {
		n, err := insert[Out](ctx, tx, j, rows)
		inserted += n
		return err
	})
	return inserted, err
}

// newItem is an item that is to be inserted.
type newItem struct {
	key, digest, endpoint, prompt string
	body, usage, tags             []byte
}

// chunked makes items ready, and gives some at a time to put.
func chunked[Out any](ctx context.Context, j *Journal, c *fal.Client, items iter.Seq[batch.Item[Out]], put func([]*newItem) error) error {
	if c == nil {
		return errors.New("riverbatch: the client is nil: it checks the requests and uploads their files")
	}
	var rows []*newItem
	size := 0
	for it := range items {
		if err := j.usable(ctx); err != nil {
			return j.fail(err)
		}
		row, err := itemOf(ctx, c, it)
		if err != nil {
			return j.fail(err)
		}
		rows, size = append(rows, row), size+len(row.body)
		if len(rows) == atOnce || size > bytesAtOnce {
			if err := put(rows); err != nil {
				return j.fail(err)
			}
			clear(rows)
			rows, size = rows[:0], 0
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return j.fail(put(rows))
}

// itemOf makes an item ready.
func itemOf[Out any](ctx context.Context, c *fal.Client, it batch.Item[Out]) (*newItem, error) {
	digest, err := batch.Key(it.Request)
	if err != nil {
		return nil, err
	}
	row := &newItem{key: it.Key, digest: digest, endpoint: string(it.Request.Endpoint())}
	if row.key == "" {
		row.key = digest
	}
	trial := batch.Row{Key: row.key, Revision: 1, Endpoint: row.endpoint, Digest: digest, State: batch.Intent}
	if err := trial.Validate(); err != nil {
		return nil, err
	}
	if !utf8.ValidString(row.key) || strings.Contains(row.key, "\x00") {
		return nil, fmt.Errorf("key %.80q: must be UTF-8 without the character 0, which River's jobs cannot have", row.key)
	}
	ready, err := prepare(ctx, c, it.Request, it.Options)
	if err != nil {
		return nil, fmt.Errorf("key %.80q: %w", row.key, err)
	}
	row.body = ready.body
	if row.usage, err = encodeUsage(ready.usage); err != nil {
		return nil, err
	}
	if row.tags, err = json.Marshal(ready.tags); err != nil {
		return nil, err
	}
	var asked struct {
		Prompt string `json:"prompt"`
	}
	if json.Unmarshal(ready.body, &asked) == nil { // else the prompt is no text
		letters := []rune(strings.ReplaceAll(asked.Prompt, "\x00", ""))
		row.prompt = string(letters[:min(len(letters), longestPrompt)])
	}
	return row, nil
}

// insert inserts items and their jobs.
func insert[Out any](ctx context.Context, tx pgx.Tx, j *Journal, rows []*newItem) (inserted int, err error) {
	kind := Args[Out]{}.Kind()
	var fresh []*newItem
	for _, row := range rows {
		tag, err := tx.Exec(ctx, `INSERT INTO falimage_item (batch, key, request, endpoint, kind, body, usage, tags) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			j.name, []byte(row.key), row.digest, row.endpoint, kind, row.body, row.usage, row.tags)
		if err != nil {
			return 0, err
		}
		isNew := tag.RowsAffected() == 1
		if !isNew {
			if isNew, err = j.renew(ctx, tx, row); err != nil {
				return 0, err
			}
		}
		if isNew {
			fresh = append(fresh, row)
		}
	}
	jobs := make([]jobOf, len(fresh))
	for i, row := range fresh {
		jobs[i] = jobOf{key: []byte(row.key), args: Args[Out]{Batch: j.name, Key: row.key, Endpoint: row.endpoint, Prompt: row.prompt}}
	}
	return len(fresh), j.enqueue(ctx, tx, jobs)
}

// renew reports whether an item that is there is to be queued again, or returns an error
// if it is another one.
func (j *Journal) renew(ctx context.Context, tx pgx.Tx, row *newItem) (bool, error) {
	var digest, endpoint string
	var over bool
	err := tx.QueryRow(ctx, `SELECT coalesce(request, ''), coalesce(endpoint, row->>'endpoint'), finished AND coalesce(state, '') <> $3 FROM falimage_item WHERE batch = $1 AND key = $2 FOR UPDATE`,
		j.name, []byte(row.key), string(batch.Done)).Scan(&digest, &endpoint, &over)
	if err != nil {
		return false, err
	}
	if digest != row.digest {
		return false, &batch.ConflictError{Key: row.key, Had: endpoint, Has: row.endpoint}
	}
	if over {
		_, err = tx.Exec(ctx, "UPDATE falimage_item SET finished = false WHERE batch = $1 AND key = $2", j.name, []byte(row.key))
	}
	return over, err
}

// jobOf is a job for an item.
type jobOf struct {
	key  []byte
	args river.JobArgs
}

// enqueue puts jobs into River.
func (j *Journal) enqueue(ctx context.Context, tx pgx.Tx, jobs []jobOf) error {
	if len(jobs) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(jobs))
	keys := make([][]byte, len(jobs))
	for i, job := range jobs {
		keys[i] = bytes.Clone(job.key)
		params[i] = river.InsertManyParams{Args: job.args, InsertOpts: &river.InsertOpts{Queue: j.name, MaxAttempts: maxAttempts, Priority: itemPriority}}
	}
	put, err := j.river.InsertManyTx(ctx, tx, params)
	if err != nil {
		return err
	}
	ids := make([]int64, len(put))
	for i, p := range put {
		ids[i] = p.Job.ID
	}
	_, err = tx.Exec(ctx, `UPDATE falimage_item i SET job_id = n.id FROM unnest($2::bytea[], $3::bigint[]) AS n (key, id) WHERE i.batch = $1 AND i.key = n.key`, j.name, keys, ids)
	return err
}
