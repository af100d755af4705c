package riverbatch_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// An order and the pictures that it needs are in the database together, or neither is.
func ExampleInsertTx() {
	ctx := context.Background()
	srv := faltest.New() // in earnest: fal itself
	defer srv.Close()
	pool, err := pgxpool.New(ctx, os.Getenv(urlEnv))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	j, err := riverbatch.Open(ctx, pool, "orders")
	if err != nil {
		log.Fatal(err)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// Here: what the order itself is.
		_, err := riverbatch.InsertTx(ctx, tx, j, srv.Client(), slices.Values([]batch.Item[fal.Images]{
			{Key: "order 17", Request: flux.Schnell{Prompt: "a ceramic mug"}},
		}))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	counts, err := j.Counts(ctx)
	fmt.Println(counts.Queued, "queued", err)

	// Output:
	// 1 queued <nil>
}
