//go:build !js

package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/falimage/falimage-go/fal/batch"
)

// version is that of the form of the file.
const version = "1"

var (
	// rowsBucket has the rows by ordinal, keysBucket the ordinals by key, and
	// aboutBucket what the file says of itself.
	rowsBucket  = []byte("rows")
	keysBucket  = []byte("keys")
	aboutBucket = []byte("about")

	versionKey = []byte("version")
	formatKey  = []byte("format")
	nameKey    = []byte("batch")
	idKey      = []byte("id")
)

// format tells the file from those of other programs.
const format = "falimage batch journal"

// ErrInUse says that a journal is open already, in this program or another.
var ErrInUse = errors.New("journal: it is in use by another program, or opened twice")

// Journal is a journal in a file. It may be used by many goroutines at once, and its
// file by one Journal at a time.
type Journal struct {
	db   *bbolt.DB
	path string
	// place is the path, wherever the program goes.
	place string
	file  *os.File // of db
	id    string
	puts  chan *put // to the committer
	// stuck is why nothing can be read or written any more, if it is so.
	stuck atomic.Pointer[error]

	mu     sync.RWMutex // held for reading by who uses db and puts
	closed bool
}

var _ batch.Journal = (*Journal)(nil)

// Open opens the journal at a path, or makes it. A file that is none, that is
// damaged, or that another version wrote is an error and left as it is; so is one
// that is in use, which is [ErrInUse] and names who has it. Close it when done.
func Open(path string) (*Journal, error) { return OpenFor(path, "") }

// OpenFor is Open for the batch of a name, which a journal keeps from when it is
// made: one of another batch is refused. "" is any batch.
func OpenFor(path, name string) (*Journal, error) {
	j := &Journal{path: path, puts: make(chan *put, mostInGroup)}
	err := guarded(func() error { return j.open(name) })
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", path, err)
	}
	go j.commit()
	return j, nil
}

func (j *Journal) open(name string) (err error) {
	if j.place, err = filepath.Abs(j.path); err != nil {
		return err
	}
	if err := whole(j.path); err != nil {
		return err
	}
	var opened, fresh bool
	defer func() {
		if !opened && j.file != nil {
			_ = j.free()
		}
	}()
	db, err := bbolt.Open(j.path, 0o600, &bbolt.Options{
		Timeout: lockTime, FreelistType: bbolt.FreelistMapType,
		OpenFile: func(path string, flag int, mode os.FileMode) (f *os.File, err error) {
			f, err = os.OpenFile(path, flag, mode)
			if err == nil {
				about, problem := f.Stat()
				fresh = problem == nil && about.Size() == 0
			}
			j.file = f
			return f, err
		},
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w%s", ErrInUse, holder(j.path))
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return fmt.Errorf("it is no journal, or its beginning is damaged: %w", err)
	case err != nil:
		if fresh { // the disk is full, say: half a beginning would look like damage
			err = errors.Join(err, os.Truncate(j.path, 0))
		}
		return err
	}
	j.db, opened = db, true
	if err := j.do(j.db.Update, func(tx *bbolt.Tx) error { return j.introduce(tx, name) }); err != nil {
		return errors.Join(err, j.shut())
	}
	hold(j.path)
	return nil
}

// lockTime is how long another program is waited for that may just be ending.
const lockTime = 200 * time.Millisecond

// introduce checks what the file says of itself, or writes it.
func (j *Journal) introduce(tx *bbolt.Tx, name string) error {
	about := tx.Bucket(aboutBucket)
	if about == nil {
		if first, _ := tx.Cursor().First(); first != nil {
			return errors.New("it is a file of another program: give the journal another path")
		}
		var err error
		if about, err = tx.CreateBucket(aboutBucket); err != nil {
			return err
		}
		for key, value := range map[string]string{string(formatKey): format, string(versionKey): version, string(nameKey): name} {
			if err := about.Put([]byte(key), []byte(value)); err != nil {
				return err
			}
		}
		for _, bucket := range [][]byte{rowsBucket, keysBucket} {
			if _, err := tx.CreateBucket(bucket); err != nil {
				return err
			}
		}
		return j.identify(about)
	}
	had := string(about.Get(nameKey))
	switch {
	case string(about.Get(formatKey)) != format:
		return errors.New("it is a file of another program: give the journal another path")
	case string(about.Get(versionKey)) != version:
		return fmt.Errorf("it has version %.20q, and this module writes %q: open it with the version of the module that made it, or begin another", about.Get(versionKey), version)
	case name != "" && had != "" && name != had:
		return fmt.Errorf("it is that of batch %.80q, not of %.80q: give each batch a journal of its own", had, name)
	case tx.Bucket(rowsBucket) == nil || tx.Bucket(keysBucket) == nil:
		return errDamaged
	}
	if name != "" && had == "" {
		if err := about.Put(nameKey, []byte(name)); err != nil {
			return err
		}
	}
	return j.identify(about)
}

// identify reads the id of the file, or gives it one.
func (j *Journal) identify(about *bbolt.Bucket) error {
	if j.id = string(about.Get(idKey)); j.id != "" {
		return nil
	}
	j.id = rand.Text()
	return about.Put(idKey, []byte(j.id))
}

// ID returns an id that the file was given when it was made.
func (j *Journal) ID() string { return j.id }

var errDamaged = errors.New("it is damaged: take it from a backup, or begin another and look at fal's request history for what was sent")

// use calls f unless the journal is closed, and turns what the file's damage does
// into an error.
func (j *Journal) use(ctx context.Context, f func() error) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.closed {
		return batch.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return fmt.Errorf("journal: %s: %w", j.path, err)
	}
	return nil
}

// Get returns the row of a key, and false if there is none.
func (j *Journal) Get(ctx context.Context, key string) (row batch.Row, found bool, err error) {
	err = j.use(ctx, func() error {
		return j.do(j.db.View, func(tx *bbolt.Tx) error {
			ordinal := tx.Bucket(keysBucket).Get([]byte(key))
			if ordinal == nil {
				return nil
			}
			found = true
			return decode(tx.Bucket(rowsBucket).Get(ordinal), &row)
		})
	})
	return row, found && err == nil, err
}

// All yields the rows in the order in which their keys were first put. It reads some
// hundred at a time, so that nothing that is put meanwhile has to wait, and holds no
// more.
func (j *Journal) All(ctx context.Context) iter.Seq2[batch.Row, error] {
	return func(yield func(batch.Row, error) bool) {
		const some = 256
		rows := make([]batch.Row, 0, some)
		for next := []byte{}; next != nil; {
			rows = rows[:0]
			err := j.use(ctx, func() error {
				return j.do(j.db.View, func(tx *bbolt.Tx) (err error) {
					c := tx.Bucket(rowsBucket).Cursor()
					at, value := c.Seek(next)
					for ; at != nil && len(rows) < some; at, value = c.Next() {
						var row batch.Row
						if err := decode(value, &row); err != nil {
							return err
						}
						rows = append(rows, row)
					}
					next = bytes.Clone(at)
					return nil
				})
			})
			if err != nil {
				yield(batch.Row{}, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// Close writes what is under way and closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	closed := j.closed
	j.closed = true
	j.mu.Unlock()
	if closed {
		return nil
	}
	close(j.puts) // none is under way: each holds the lock for reading
	release(j.path)
	return j.shut()
}

// shut closes the file. Of a journal that is stuck bbolt would wait for ever.
func (j *Journal) shut() error {
	if j.stuck.Load() != nil {
		return j.free()
	}
	return guarded(j.db.Close)
}

// free unlocks and closes the file, whatever bbolt did with it.
func (j *Journal) free() error {
	unlock(j.file)
	return j.file.Close()
}

// appendOrdinal returns an ordinal as a key, in an order that bytes sort by.
func appendOrdinal(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// A row is kept as the sum of what follows, its revision, and its JSON.
const (
	sumSize  = 4
	headSize = sumSize + 8
)

// encode returns a row as it is kept.
func encode(row *batch.Row) ([]byte, error) {
	text, err := json.Marshal(row)
	if err != nil {
		return nil, err
	}
	value := make([]byte, sumSize, headSize+len(text))
	value = append(binary.BigEndian.AppendUint64(value, uint64(row.Revision)), text...)
	binary.BigEndian.PutUint32(value, sumOf(value[sumSize:]))
	return value, nil
}

// revisionOf returns the revision of a row that is kept.
func revisionOf(value []byte) (int64, error) {
	if len(value) < headSize || binary.BigEndian.Uint32(value) != sumOf(value[sumSize:]) {
		return 0, errDamaged
	}
	return int64(binary.BigEndian.Uint64(value[sumSize:])), nil
}

// decode reads a row.
func decode(value []byte, row *batch.Row) error {
	if _, err := revisionOf(value); err != nil {
		return err
	}
	return json.Unmarshal(value[headSize:], row)
}
