package riverbatch

import (
	"context"
	_ "embed" // the migration
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migration.sql
var migration string

// version is that of the tables.
const version = 1

// migrating is the advisory lock under which tables are made.
const migrating = 0x66616c69_6d616765

// Migrate makes the tables of River and those of this package in a database that lacks
// them, and changes nothing in one that has them. Call it once for each version of a
// program, at its deployment for instance; several machines may do so at once.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("riverbatch: migration: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrating)); err != nil {
		return fmt.Errorf("riverbatch: migration: %w", err)
	}
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrating))
	}()
	if err := migrate(ctx, pool, conn); err != nil {
		return fmt.Errorf("riverbatch: migration: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, pool *pgxpool.Pool, conn *pgxpool.Conn) error {
	river, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: silent})
	if err != nil {
		return err
	}
	if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("the tables of River: %w", err)
	}
	has, err := versionOf(ctx, conn)
	if err != nil || has == version {
		return err
	}
	if has > version {
		return tooNew(has)
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, migration); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO falimage_version (version) VALUES ($1)", version)
		return err
	})
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// versionOf returns the version of the tables; 0 if there are none.
func versionOf(ctx context.Context, q querier) (has int, err error) {
	var there bool
	if err := q.QueryRow(ctx, "SELECT to_regclass('falimage_version') IS NOT NULL AND to_regclass('river_job') IS NOT NULL").Scan(&there); err != nil || !there {
		return 0, err
	}
	err = q.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM falimage_version").Scan(&has)
	return has, err
}

func tooNew(has int) error {
	return fmt.Errorf("the tables have version %d, and this module knows %d: update the module", has, version)
}

// ready returns what is wrong with a database.
func ready(ctx context.Context, pool *pgxpool.Pool) error {
	has, err := versionOf(ctx, pool)
	switch {
	case err != nil:
		return err
	case has == 0:
		return errors.New("the database does not have the tables of River and of this package: call riverbatch.Migrate once, at deployment for instance, and look at the search_path of the connection if that was done")
	case has > version:
		return tooNew(has)
	case has < version:
		return fmt.Errorf("the tables have version %d, and this module needs %d: call riverbatch.Migrate", has, version)
	}
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var value string
		if err := pool.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			return err
		}
		if value == "off" {
			return fmt.Errorf("the database has %s = off: what it says to have kept is lost when its machine fails, and paid for again; set it to on", setting)
		}
	}
	return nil
}
