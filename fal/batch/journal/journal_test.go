//go:build !js

package journal_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
	"github.com/falimage/falimage-go/fal/batch/journaltest"
)

func TestJournal(t *testing.T) {
	journaltest.Suite{
		Open: func(path string) (batch.Journal, error) { return journal.Open(path) }, Lasting: true, Exclusive: true, Damage: damage,
	}.Run(t)
}

// damage cuts the file off at several places, and overwrites a few bytes at others.
func damage(path string, n int) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	size, page := info.Size(), int64(os.Getpagesize())
	const cuts = 12
	if n < cuts {
		return true, os.Truncate(path, size*int64(n)/cuts)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	if n == cuts { // every page but the first two, with the sums of which it is whole
		for at := 2 * page; at < size; at += page {
			if _, err := f.WriteAt(make([]byte, 16), at); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	at := int64(n-cuts-1) * 2503
	if at >= size {
		return false, nil
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], 0xA5A5_5A5A_DEAD_BEEF)
	_, err = f.WriteAt(b[:], at)
	return true, err
}

// Who cannot have a journal is told who has it, and what to do with one that is of
// another batch, another version or no journal.
func TestRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	first, err := journal.OpenFor(path("used"), "mugs")
	if err != nil {
		t.Fatal(err)
	}
	_, err = journal.Open(path("used"))
	if !errors.Is(err, journal.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) || !strings.Contains(err.Error(), path("used")) {
		t.Errorf("in use: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("text"), []byte(strings.Repeat("{}\n", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]func(*bbolt.Tx) error{
		"other": func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err },
		"newer": func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("about"))
			return errors.Join(err, b.Put([]byte("format"), []byte("falimage batch journal")), b.Put([]byte("version"), []byte("9")))
		},
	} {
		db, err := bbolt.Open(path(name), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(set), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"text": "no journal", "other": "another program", "newer": `version "9"`, "": "no file", "none/x": "no such file",
	} {
		if j, err := journal.Open(path(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
			if j != nil {
				_ = j.Close()
			}
		}
	}
	if _, err := journal.OpenFor(path("used"), "cups"); err == nil || !strings.Contains(err.Error(), `batch "mugs", not of "cups"`) {
		t.Errorf("another batch: %v", err)
	}
	again, err := journal.OpenFor(path("used"), "mugs")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(path("*.holder")); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}
