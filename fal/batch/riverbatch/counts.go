package riverbatch

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/falimage/falimage-go/fal/batch"
)

// Counts is how far a batch is.
type Counts struct {
	// Items is how many there are, and Finished of how many nothing is left to be
	// done: they are done and saved, have failed for good, or were cancelled.
	Items, Finished int
	// Queued are those of which nothing was sent. The others are in a state of package
	// batch, UnderWay being intent and submitted.
	Queued, UnderWay, Done, Failed, Unknown int
}

// Counts returns how far the batch is. Items that were not inserted, but are in the
// journal by another use of [batch.Step], are among them and never count as finished.
func (j *Journal) Counts(ctx context.Context) (c Counts, err error) {
	if err := j.usable(ctx); err != nil {
		return c, err
	}
	err = again(ctx, func(bool) error {
		c = Counts{}
		rows, err := j.pool.Query(ctx, "SELECT coalesce(state, ''), count(*), count(*) FILTER (WHERE finished) FROM falimage_item WHERE batch = $1 GROUP BY 1", j.name)
		if err != nil {
			return err
		}
		var state string
		var n, finished int
		_, err = pgx.ForEachRow(rows, []any{&state, &n, &finished}, func() error {
			c.Items, c.Finished = c.Items+n, c.Finished+finished
			switch batch.State(state) {
			case "":
				c.Queued += n
			case batch.Done:
				c.Done += n
			case batch.Failed:
				c.Failed += n
			case batch.Unknown:
				c.Unknown += n
			default:
				c.UnderWay += n
			}
			return nil
		})
		return err
	})
	return c, j.fail(err)
}
