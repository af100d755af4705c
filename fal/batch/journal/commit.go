//go:build !js

package journal

import (
	"context"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/falimage/falimage-go/fal/batch"
)

// mostInGroup is how many rows are put in one write to the disk at most.
const mostInGroup = 1024

// put is a row that waits to be put.
type put struct {
	row   batch.Row
	value []byte // the row, encoded
	err   error
	done  chan struct{}
}

// Put keeps a row; see [batch.Journal]. It returns when the row is on the disk. A
// context that ends meanwhile does not keep it from being put.
func (j *Journal) Put(ctx context.Context, row batch.Row) error {
	if err := row.Validate(); err != nil {
		return err
	}
	value, err := encode(&row)
	if err != nil {
		return err
	}
	p := &put{row: row, value: value, done: make(chan struct{})}
	err = j.use(ctx, func() error {
		j.puts <- p
		<-p.done
		return p.err
	})
	return err
}

// commit puts rows, those that came meanwhile together: a lone one at once, and many
// by one write to the disk.
func (j *Journal) commit() {
	var group []*put
	for p := range j.puts {
		group = append(group[:0], p)
	more:
		for len(group) < mostInGroup {
			select {
			case p, ok := <-j.puts:
				if !ok {
					break more
				}
				group = append(group, p)
			default:
				break more
			}
		}
		err := j.do(j.db.Update, func(tx *bbolt.Tx) error { return putAll(tx, group) })
		if err == nil {
			err = j.inPlace()
		}
		for _, p := range group {
			if err != nil {
				p.err = err // none of the group was put, to be found again
			}
			close(p.done)
		}
	}
}

// putAll puts rows. One that does not follow the row that is there has its own error.
func putAll(tx *bbolt.Tx, group []*put) error {
	rows, keys := tx.Bucket(rowsBucket), tx.Bucket(keysBucket)
	rows.FillPercent = 0.9 // they come in order
	for _, p := range group {
		key := []byte(p.row.Key)
		ordinal := keys.Get(key)
		var old *batch.Row
		if ordinal != nil {
			n, err := revisionOf(rows.Get(ordinal))
			if err != nil {
				p.err = err
				continue
			}
			old = &batch.Row{Revision: n}
		}
		if p.err = p.row.Follows(old); p.err != nil {
			continue
		}
		if ordinal == nil {
			n, err := rows.NextSequence()
			if err != nil {
				return err
			}
			ordinal = appendOrdinal(n)
			if err := keys.Put(key, ordinal); err != nil {
				return err
			}
		}
		if err := rows.Put(ordinal, p.value); err != nil {
			return err
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(value []byte) uint32 { return crc32.Checksum(value, castagnoli) }
