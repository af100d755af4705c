package riverbatch_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journaltest"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
)

// owned is a journal that closes its pool.
type owned struct {
	*riverbatch.Journal
	pool *pgxpool.Pool
}

func (o owned) Close() error {
	err := o.Journal.Close()
	o.pool.Close()
	return err
}

// batchOf names the batch of a path.
func batchOf(path string) string {
	sum := sha256.Sum256([]byte(path))
	return "p" + hex.EncodeToString(sum[:12])
}

func TestJournal(t *testing.T) {
	journaltest.Suite{Lasting: true, Damage: damage, Open: func(path string) (batch.Journal, error) {
		pool, err := pgxpool.New(context.Background(), os.Getenv(urlEnv))
		if err != nil {
			return nil, err
		}
		j, err := riverbatch.Open(context.Background(), pool, batchOf(path))
		if err != nil {
			pool.Close()
			return nil, err
		}
		return owned{j, pool}, nil
	}}.Run(t)
}

// damage changes a row by hand, in several ways.
func damage(path string, n int) (more bool, err error) {
	ways := []string{
		"UPDATE falimage_item SET row = replace(row::text, '1.5', '2.5')::json",
		"UPDATE falimage_item SET row = '{}'", "UPDATE falimage_item SET row = '[]'",
		"UPDATE falimage_item SET revision = 7",
		"UPDATE falimage_item i SET row = o.row, sum = o.sum FROM falimage_item o WHERE o.batch = i.batch AND o.key = 'k6' AND i.batch = $1 AND i.key = 'k5'",
	}
	if n == len(ways) {
		return false, nil
	}
	if !strings.Contains(ways[n], "WHERE") {
		ways[n] += " WHERE batch = $1 AND key = 'k5'"
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv(urlEnv))
	if err != nil {
		return false, err
	}
	tag, err := conn.Exec(ctx, ways[n], batchOf(path))
	if err == nil && tag.RowsAffected() != 1 {
		err = errors.New("nothing was damaged")
	}
	return true, errors.Join(err, conn.Close(ctx))
}
