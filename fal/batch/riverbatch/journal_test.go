package riverbatch_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
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

// cut is a connection that loses an answer and breaks, when it is told to.
type cut struct {
	net.Conn
	now *atomic.Bool
}

func (c cut) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.now.CompareAndSwap(true, false) {
		return 0, errors.Join(io.ErrUnexpectedEOF, c.Close())
	}
	return n, err
}

// A row that was committed while the connection broke is not taken for that of somebody
// else.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	j := opened(t, pooled(t))
	config, err := pgxpool.ParseConfig(os.Getenv(urlEnv))
	if err != nil {
		t.Fatal(err)
	}
	var now atomic.Bool
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return cut{conn, &now}, err
	}
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	broken, err := riverbatch.Open(ctx, pool, j.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{1, 2} {
		if err := broken.Put(ctx, journaltest.Row("a", n)); err != nil { // so that the statements are known
			t.Fatal(err)
		}
	}
	for _, row := range []batch.Row{journaltest.Row("b", 1), journaltest.Row("b", 2)} {
		now.Store(true)
		if err := broken.Put(ctx, row); err != nil || now.Load() {
			t.Errorf("revision %d: %v", row.Revision, err)
		}
		if got, _, err := j.Get(ctx, "b"); err != nil || got.Revision != row.Revision {
			t.Errorf("revision %d: %d is there, %v", row.Revision, got.Revision, err)
		}
	}
	other := journaltest.Row("b", 2)
	other.Units = "7"
	now.Store(true)
	if err := broken.Put(ctx, other); !errors.Is(err, batch.ErrConflict) {
		t.Errorf("another row: %v", err)
	}
}
