//go:build !js

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
)

// opened opens a journal, which the test closes at its end.
func opened(t *testing.T, path, name string) *journal.Journal {
	t.Helper()
	j, err := journal.OpenFor(path, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// closed opens and closes a journal.
func closed(t *testing.T, path, name string) {
	t.Helper()
	if err := opened(t, path, name).Close(); err != nil {
		t.Fatal(err)
	}
}

// refused checks that a journal is not opened, and why.
func refused(t *testing.T, path, name, want string) {
	t.Helper()
	j, err := journal.OpenFor(path, name)
	if err == nil {
		_ = j.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// A journal keeps the first name that it is opened for.
func TestName(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"mugs"}, {"", "mugs"}, {"mugs", ""}, {"", "", "mugs", "mugs"}} {
		path := filepath.Join(t.TempDir(), "x")
		for _, name := range names {
			closed(t, path, name)
		}
		refused(t, path, "cups", `that of batch "mugs", not of "cups"`)
		closed(t, path, "mugs")
	}
}

// An empty file is the beginning of a journal, and only its owner reads it, and who has it.
func TestBegun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	closed(t, path, "")
	path = filepath.Join(t.TempDir(), "y")
	_ = opened(t, path, "")
	for _, name := range []string{path, path + ".holder"} {
		info, err := os.Stat(name)
		if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
}

// What the file beside a journal that is in use says of its holder is told, if it can be.
func TestHolder(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 299)
	for _, tt := range []struct {
		name, text, want string
		none             bool
	}{
		{name: "none", none: true},
		{name: "empty"},
		{name: "text", text: "process 1 on a", want: ": process 1 on a"},
		{name: "controls", text: "process 1\x1b[2J"},
		{name: "no text", text: "a\xffb", want: ": ab"},
		{name: "long", text: long + "yz", want: ": " + long + "y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x")
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			if !tt.none {
				if err := os.WriteFile(path+".holder", []byte(tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err = journal.Open(path)
			if want := fmt.Sprintf("journal: %s: %v%s", path, journal.ErrInUse, tt.want); !errors.Is(err, journal.ErrInUse) || err.Error() != want {
				t.Errorf("%v\nwant %s", err, want)
			}
		})
	}
}

// An attempt to open what cannot be opened leaves nothing locked, and makes nothing.
func TestFreeAfterRefusal(t *testing.T) {
	t.Parallel()
	path := grown(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := append([]byte{}, whole...)
	clear(torn[2*os.Getpagesize():])
	for i, content := range [][]byte{torn, make([]byte, len(whole)), whole} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(path)
		if (err == nil) != (i == 2) || errors.Is(err, journal.ErrInUse) {
			t.Errorf("%d: %v", i, err)
		}
		if j != nil {
			_ = j.Close()
		}
	}
	none := filepath.Join(t.TempDir(), "none", "x")
	if _, err := journal.Open(none); !errors.Is(err, os.ErrNotExist) || strings.Count(err.Error(), "no such file") > 1 {
		t.Errorf("%v", err)
	}
}

// A file that says of itself to be something else is none.
func TestOtherFormat(t *testing.T) {
	t.Parallel()
	path := grown(t)
	change(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("about")).Put([]byte("format"), []byte("x")) })
	refused(t, path, "", "of another program")
}

// change changes the file of a journal.
func change(t *testing.T, path string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// A row that is damaged is neither read nor followed by another, and the others are.
func TestDamagedRow(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(value []byte) []byte{
		"sum":      func(v []byte) []byte { v[0] ^= 1; return v },
		"revision": func(v []byte) []byte { v[11] ^= 1; return v },
		"text":     func(v []byte) []byte { v[len(v)-1] ^= 1; return v },
		"short":    func(v []byte) []byte { return v[:11] },
		"shorter":  func(v []byte) []byte { return v[:3] },
		"empty":    func(v []byte) []byte { return v[:0] },
	} {
		path := grown(t)
		change(t, path, func(tx *bbolt.Tx) error {
			at := tx.Bucket([]byte("keys")).Get([]byte("key1"))
			rows := tx.Bucket([]byte("rows"))
			return rows.Put(at, damage(append([]byte{}, rows.Get(at)...)))
		})
		j := opened(t, path, "")
		for n := int64(1); n <= 2; n++ {
			next := row("key1")
			next.Revision = n
			if err := j.Put(t.Context(), next); err == nil || !strings.Contains(err.Error(), "it is damaged") {
				t.Errorf("%s: revision %d was put, %v", name, n, err)
			}
		}
		if _, found, err := j.Get(t.Context(), "key1"); found || err == nil || !strings.Contains(err.Error(), "it is damaged") {
			t.Errorf("%s: it was read, %v", name, err)
		}
		if _, found, err := j.Get(t.Context(), "key2"); !found || err != nil {
			t.Errorf("%s: another was not, %v", name, err)
		}
		other := row("key2")
		other.Revision = 2
		if err := j.Put(t.Context(), other); err != nil {
			t.Errorf("%s: another was not put, %v", name, err)
		}
	}
}

// What cannot be written is told to each who put something, and is not there.
func TestPutsIntoDamage(t *testing.T) {
	t.Parallel()
	path := grown(t)
	j := opened(t, path, "")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	head := 2 * os.Getpagesize()
	if _, err := f.WriteAt(make([]byte, len(content)-head), int64(head)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			if err := j.Put(t.Context(), row(fmt.Sprint("new", i))); err == nil || !strings.Contains(err.Error(), "it is damaged") || !strings.Contains(err.Error(), path) {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.WriteAt(content[head:], int64(head)); err != nil {
		t.Fatal(err)
	}
	closed(t, path, "") // from a backup, by the same program
}

// Rows that are put one after another fill their pages, so that a journal is hardly
// larger than what is in it; and they come in the order of their keys' first rows.
func TestFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	j := opened(t, path, "")
	const rows = 600
	puts := make(chan batch.Row)
	var all sync.WaitGroup
	for range 100 { // together, since each waits for the disk
		all.Go(func() {
			for r := range puts {
				if err := j.Put(context.Background(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range rows {
		r := row(fmt.Sprint("key", i))
		r.Payload = []byte(`"` + strings.Repeat("x", 300) + `"`)
		puts <- r
	}
	close(puts)
	all.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, path, func(tx *bbolt.Tx) error {
		s := tx.Bucket([]byte("rows")).Stats()
		if s.KeyN != rows || s.LeafInuse*10 < s.LeafAlloc*8 {
			t.Errorf("%d rows, %d of %d bytes are used", s.KeyN, s.LeafInuse, s.LeafAlloc)
		}
		return nil
	})
}

// The pages of a journal are as large as those of the machine that began it, which need
// not be this one. That it is cut off is found out all the same, by the later of its
// two beginnings.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, page := range []int{1 << 10, 4 << 10, 64 << 10} {
		for puts := range 2 { // so that it is the first, and the second
			path := filepath.Join(t.TempDir(), "x")
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: page})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			j := opened(t, path, "")
			for i := range 1 + puts {
				r := row(fmt.Sprint("key", i))
				r.Payload = []byte(`"` + strings.Repeat("x", 40*page) + `"`)
				if err := j.Put(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			var used int64
			db, err = bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			err = db.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil })
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, used-1); err != nil {
				t.Fatal(err)
			}
			refused(t, path, "", fmt.Sprintf("it has %d bytes of %d", used-1, used))
		}
	}
}
