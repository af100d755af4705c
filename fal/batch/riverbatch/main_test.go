package riverbatch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch/internal/postgres"
)

// urlEnv is where the tests have a database, in processes that they start too, and
// requireEnv has them fail where there is no PostgreSQL.
const (
	urlEnv     = "FALIMAGE_TEST_POSTGRES"
	requireEnv = "FALIMAGE_REQUIRE_POSTGRES"
)

var server *postgres.Server // nil in processes that tests start

// TestMain starts one PostgreSQL for all tests. Without one they are not run, and say
// so.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(urlEnv) != "" {
		return m.Run()
	}
	var err error
	switch server, err = postgres.Start(context.Background()); {
	case errors.Is(err, postgres.ErrMissing) && os.Getenv(requireEnv) == "":
		fmt.Printf("NOT TESTED: %v\nWith %s=1 this is a failure.\n", err, requireEnv)
		return 0
	case err != nil:
		fmt.Println(err)
		return 1
	}
	defer func() {
		if err := server.Stop(); err != nil {
			fmt.Println(err)
		}
	}()
	url, err := server.Database(context.Background(), "tests")
	if err == nil {
		err = os.Setenv(urlEnv, url)
	}
	if err == nil {
		var pool *pgxpool.Pool
		if pool, err = pgxpool.New(context.Background(), url); err == nil {
			err = riverbatch.Migrate(context.Background(), pool)
			pool.Close()
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return m.Run()
}

// pooled returns a pool for the database of the tests.
func pooled(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(os.Getenv(urlEnv))
	if err != nil {
		tb.Fatal(err)
	}
	config.MaxConns = 12
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

var batches atomic.Int64

// opened returns the journal of a batch of this test alone.
func opened(tb testing.TB, pool *pgxpool.Pool) *riverbatch.Journal {
	tb.Helper()
	j, err := riverbatch.Open(tb.Context(), pool, fmt.Sprint("b", batches.Add(1)))
	if err != nil {
		tb.Fatal(err)
	}
	return j
}
