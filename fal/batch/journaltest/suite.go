// Package journaltest has the tests that every journal of a batch must pass: one in
// memory, in a file, in a database.
//
//	func TestJournal(t *testing.T) {
//		journaltest.Suite{Open: open, Lasting: true}.Run(t)
//	}
package journaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
)

// Suite is the tests of one kind of journal.
type Suite struct {
	// Open opens the journal at a path in a folder of the test, or makes it; what is
	// at the path is up to it. For a journal elsewhere the path is only a name.
	Open func(path string) (batch.Journal, error)
	// Lasting says that a journal that is closed, or whose program is killed, has the
	// same rows when it is opened again. To try that, the suite starts the test binary
	// again, to have it killed.
	Lasting bool
	// Exclusive says that a journal that is open cannot be opened again.
	Exclusive bool
	// Damage, if set, changes a journal at a path that is closed, in the way with the
	// given number, and returns false if there is none. What is opened then must be an
	// error, or have the rows that it had, or fewer of the last ones, and never another
	// one.
	Damage func(path string, n int) (bool, error)
}

// Run runs the tests. The function that calls it does nothing else: in a process of
// its own it is the program that is killed.
func (s Suite) Run(t *testing.T) {
	if path := childPath(); path != "" {
		s.child(t, path)
		return
	}
	for name, test := range map[string]func(*testing.T){
		"rows": s.rows, "revisions": s.revisions, "order": s.order, "bad rows": s.badRows,
		"id": s.id, "many at once": s.manyAtOnce, "all meanwhile": s.allMeanwhile, "context": s.context, "closed": s.closed,
	} {
		t.Run(name, test)
	}
	if s.Lasting {
		t.Run("reopened", s.reopened)
		t.Run("killed", s.killed)
	}
	if s.Exclusive {
		t.Run("exclusive", s.exclusive)
	}
	if s.Damage != nil {
		t.Run("damaged", s.damaged)
	}
}

// Row returns a full row: revision n of a key.
func Row(key string, n int64) batch.Row {
	return batch.Row{
		Key: key, Revision: n, State: batch.Done, Endpoint: "fal-ai/flux/schnell", Digest: "d" + key,
		Sent: time.Date(2026, 11, 26, 12, 0, 0, int(n), time.UTC), KeySum: "0123456789ab", Payload: json.RawMessage(`{"prompt":"a mug","seed":18446744073709551615}`),
		RequestID: fmt.Sprint("id-", n), Past: []string{"id-of-old"}, Units: "1.5", Result: json.RawMessage(`{"images":[]}`),
		Warnings: []fal.Warning{{Kind: fal.OtherSize, Message: "smaller"}},
		Files:    []batch.File{{Name: "a/" + key + ".jpg", Bytes: 123, SHA256: "00ff"}},
		Failure:  &batch.Failure{Message: "no", Status: 422, Type: "content_policy_violation", Retryable: true, Billing: fal.Billed},
	}
}

func (s Suite) open(t *testing.T) (batch.Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	return s.openAt(t, path), path
}

func (s Suite) openAt(t *testing.T, path string) batch.Journal {
	t.Helper()
	j, err := s.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func put(t *testing.T, j batch.Journal, row batch.Row) {
	t.Helper()
	if err := j.Put(t.Context(), row); err != nil {
		t.Fatal(err)
	}
}

// id has each journal tell itself from others, whenever it is opened.
func (s Suite) id(t *testing.T) {
	j, path := s.open(t)
	other, _ := s.open(t)
	id := j.ID()
	if id == "" || id == other.ID() {
		t.Errorf("the id is %q, and that of another journal %q", id, other.ID())
	}
	if !s.Lasting {
		return
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if again := s.openAt(t, path).ID(); again != id {
		t.Errorf("the id is %q, and was %q", again, id)
	}
}

// want compares what a journal has of a key.
func want(t *testing.T, j batch.Journal, row batch.Row) {
	t.Helper()
	got, ok, err := j.Get(t.Context(), row.Key)
	if diff := cmp.Diff(row, got); err != nil || !ok || diff != "" {
		t.Errorf("key %q: %v, %v (-want +got)\n%s", row.Key, ok, err, diff)
	}
}

// all returns the rows of a journal.
func all(t *testing.T, j batch.Journal) (rows []batch.Row) {
	t.Helper()
	for row, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func (s Suite) rows(t *testing.T) {
	t.Parallel()
	j, _ := s.open(t)
	if row, ok, err := j.Get(t.Context(), "a"); ok || err != nil || row.Key != "" {
		t.Errorf("%v %v %v", row, ok, err)
	}
	least := batch.Row{Key: "b", Revision: 1, State: batch.Intent, Endpoint: "e", Digest: "d"}
	for _, row := range []batch.Row{Row("a", 1), Row("a", 2), least, Row("ä/\x00 ", 1)} {
		put(t, j, row)
		want(t, j, row)
	}
	want(t, j, Row("a", 2))
}

func (s Suite) revisions(t *testing.T) {
	t.Parallel()
	j, _ := s.open(t)
	put(t, j, Row("a", 1))
	put(t, j, Row("a", 2))
	for _, row := range []batch.Row{Row("a", 1), Row("a", 2), Row("a", 4), Row("b", 2)} {
		if err := j.Put(t.Context(), row); !errors.Is(err, batch.ErrConflict) {
			t.Errorf("revision %d of %s: %v", row.Revision, row.Key, err)
		}
	}
	want(t, j, Row("a", 2))
	if rows := all(t, j); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
}

func (s Suite) order(t *testing.T) {
	t.Parallel()
	j, _ := s.open(t)
	var wanted []batch.Row
	const rows = 600
	for i := range rows {
		put(t, j, Row(strconv.Itoa(rows-i), 1))
		wanted = append(wanted, Row(strconv.Itoa(rows-i), 1))
	}
	put(t, j, Row("300", 2))
	wanted[rows-300] = Row("300", 2)
	if diff := cmp.Diff(wanted, all(t, j)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, err := range j.All(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}

func (s Suite) badRows(t *testing.T) {
	t.Parallel()
	j, _ := s.open(t)
	for name, change := range map[string]func(*batch.Row){
		"no key": func(r *batch.Row) { r.Key = "" }, "long key": func(r *batch.Row) { r.Key = string(make([]byte, 1025)) },
		"revision": func(r *batch.Row) { r.Revision = 0 }, "state": func(r *batch.Row) { r.State = "" },
	} {
		row := Row("a", 1)
		change(&row)
		if err := j.Put(t.Context(), row); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if rows := all(t, j); len(rows) != 0 {
		t.Errorf("%d rows", len(rows))
	}
}

// manyAtOnce has many put the same keys at once: of each revision one is kept.
func (s Suite) manyAtOnce(t *testing.T) {
	t.Parallel()
	j, _ := s.open(t)
	const keys, revisions, writers = 20, 5, 4
	var kept atomic.Int64
	var wait sync.WaitGroup
	for range writers {
		for k := range keys {
			wait.Go(func() {
				for n := int64(1); n <= revisions; {
					err := j.Put(t.Context(), Row(fmt.Sprint("k", k), n))
					if err == nil {
						kept.Add(1)
					} else if !errors.Is(err, batch.ErrConflict) {
						t.Error(err)
						return
					}
					row, _, err := j.Get(t.Context(), fmt.Sprint("k", k))
					if err != nil {
						t.Error(err)
						return
					}
					n = row.Revision + 1
				}
			})
		}
	}
	wait.Wait()
	if kept.Load() != keys*revisions {
		t.Errorf("%d rows were accepted, of %d revisions", kept.Load(), keys*revisions)
	}
	if rows := all(t, j); len(rows) != keys {
		t.Errorf("%d rows", len(rows))
	}
}

func (s Suite) allMeanwhile(t *testing.T) {
	t.Parallel()
	j, _ := s.open(t)
	for i := range 300 {
		put(t, j, Row(strconv.Itoa(i), 1))
	}
	n := 0
	for row, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n < 300 {
			put(t, j, Row(row.Key, 2))
		}
		n++
	}
	if n != 300 {
		t.Errorf("%d rows", n)
	}
}

func (s Suite) context(t *testing.T) {
	t.Parallel()
	j, _ := s.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := j.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if err := j.Put(ctx, Row("a", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	for _, err := range j.All(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("All: %v", err)
		}
	}
	if rows := all(t, j); len(rows) != 0 {
		t.Errorf("%d rows", len(rows))
	}
}

func (s Suite) closed(t *testing.T) {
	t.Parallel()
	j, _ := s.open(t)
	put(t, j, Row("a", 1))
	for range 2 {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := j.Get(t.Context(), "a"); !errors.Is(err, batch.ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if err := j.Put(t.Context(), Row("b", 1)); !errors.Is(err, batch.ErrClosed) {
		t.Errorf("Put: %v", err)
	}
	for _, err := range j.All(t.Context()) {
		if !errors.Is(err, batch.ErrClosed) {
			t.Errorf("All: %v", err)
		}
	}
}

func (s Suite) reopened(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	var wanted []batch.Row
	for i := range 10 {
		j, err := s.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wanted, all(t, j)); diff != "" {
			t.Fatalf("opening %d (-want +got)\n%s", i, diff)
		}
		row := Row(fmt.Sprint("k", i), 1)
		put(t, j, row)
		wanted = append(wanted, row)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func (s Suite) exclusive(t *testing.T) {
	t.Parallel()
	_, path := s.open(t)
	if again, err := s.Open(path); err == nil {
		_ = again.Close()
		t.Error("it was opened twice")
	}
}

func (s Suite) damaged(t *testing.T) {
	t.Parallel()
	const rows = 20
	for n := 0; ; n++ {
		path := filepath.Join(t.TempDir(), "journal")
		j, err := s.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			put(t, j, Row(fmt.Sprint("k", i), 1))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		more, err := s.Damage(path, n)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
		s.inspect(t, path, n, rows)
	}
}

// inspect opens a journal that was damaged, and holds what it has against what it
// had.
func (s Suite) inspect(t *testing.T, path string, n, rows int) {
	t.Helper()
	j, err := s.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = j.Close() }()
	i := 0
	for row, err := range j.All(t.Context()) {
		if err != nil {
			return
		}
		if diff := cmp.Diff(Row(fmt.Sprint("k", i), 1), row); diff != "" {
			t.Errorf("damage %d: row %d (-want +got)\n%s", n, i, diff)
		}
		i++
	}
	for i := range rows {
		key := fmt.Sprint("k", i)
		row, ok, err := j.Get(t.Context(), key)
		if diff := cmp.Diff(Row(key, 1), row); ok && err == nil && diff != "" {
			t.Errorf("damage %d: key %s (-want +got)\n%s", n, key, diff)
		}
	}
	_ = j.Put(t.Context(), Row("after", 1)) // which may fail, and not panic
}
