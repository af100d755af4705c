package riverbatch_test

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/pricing"
)

// What the README says of this module.
func _(ctx context.Context, pool *pgxpool.Pool, client *fal.Client, items iter.Seq[batch.Item[fal.Images]]) error {
	if err := riverbatch.Migrate(ctx, pool); err != nil { // once, at deployment
		return err
	}
	j, err := riverbatch.Open(ctx, pool, "catalogue")
	if err != nil {
		return err
	}
	_, err = riverbatch.Insert(ctx, j, client, items) // or InsertTx, in a transaction of yours
	if err != nil {
		return err
	}

	// On each machine that works:
	client.Guard = &riverbatch.Budget{Pool: pool, Name: "catalogue", Limit: 100 * pricing.Dollar}
	worker := &riverbatch.Worker[fal.Images]{Runner: &batch.Runner{
		Client: client, Journal: j, Dir: "/srv/pictures", Reconcile: platform.Reconciler{Client: client}.Find,
	}}
	queue, err := river.NewClient(riverpgxv5.New(pool), worker.Config(50))
	if err != nil {
		return err
	}
	return queue.Start(ctx)
}
