//go:build !js

package journal_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
)

func row(key string) batch.Row {
	return batch.Row{Key: key, Revision: 1, State: batch.Intent, Endpoint: "a/b", Digest: "d", Sent: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Payload: []byte(`{}`)}
}

// The form of a row on the disk is a promise to the next version: its sum, its
// revision, and its JSON.
func TestForm(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	j, err := journal.OpenFor(path, "mugs")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Put(t.Context(), row("a")); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		about, rows := tx.Bucket([]byte("about")), tx.Bucket([]byte("rows"))
		if got := fmt.Sprintf("%s %s %s", about.Get([]byte("format")), about.Get([]byte("version")), about.Get([]byte("batch"))); got != "falimage batch journal 1 mugs" {
			t.Errorf("it says of itself %s", got)
		}
		ordinal := tx.Bucket([]byte("keys")).Get([]byte("a"))
		value := rows.Get(ordinal)
		if len(ordinal) != 8 || len(value) < 12 {
			t.Fatalf("row %x is %x", ordinal, value)
		}
		sum, revision := binary.BigEndian.Uint32(value), binary.BigEndian.Uint64(value[4:])
		if want := crc32.Checksum(value[4:], crc32.MakeTable(crc32.Castagnoli)); sum != want || revision != 1 || !strings.HasPrefix(string(value[12:]), `{"key":"a",`) {
			t.Errorf("sum %x, want %x; revision %d; %.40s", sum, want, revision, value[12:])
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// grown is the path of a journal of which the page that was written last says that
// there are more pages than the one before it.
func grown(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r := row(fmt.Sprint("key", i))
		r.Payload = []byte(`"` + strings.Repeat("x", 100_000) + `"`)
		if err := j.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A journal that was cut off is found out before it is opened, wherever that was.
func TestCutOff(t *testing.T) {
	t.Parallel()
	path := grown(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	used := 0 // by the page that counts
	for at := 0; at < 2*page; at += page {
		pages := int(binary.NativeEndian.Uint64(content[at+16+40:]))
		used = max(used, pages*page)
	}
	if used <= 3*100_000 || used > len(content) {
		t.Fatalf("%d bytes are used of %d", used, len(content))
	}
	for size, good := range map[int]bool{used: true, used - 1: false, used - 100_000: false, 2 * page: false} {
		cut := filepath.Join(t.TempDir(), "cut")
		if err := os.WriteFile(cut, content[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(cut)
		if j != nil {
			_ = j.Close()
		}
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("it has %d bytes of %d", size, used)) {
			t.Errorf("%d bytes of %d: %v", size, used, err)
		}
	}
}

// A journal that says it is one and lacks its parts is damaged.
func TestPartsMissing(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"rows", "keys"} {
		path := grown(t)
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(missing)) }); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if j, err := journal.Open(path); err == nil || !strings.Contains(err.Error(), "it is damaged") {
			t.Errorf("without %s: %v", missing, err)
			if j != nil {
				_ = j.Close()
			}
		}
	}
}
