//go:build unix

package journal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal/batch/journal"
)

// A file that is taken away or replaced while it is open keeps nothing that the next
// program would find: what cannot be found again must not be sent.
func TestReplaced(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"deleted": os.Remove,
		"renamed": func(path string) error { return os.Rename(path, path+".old") },
		"restored": func(path string) error {
			content, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path+".copy", content, 0o600)
			}
			if err == nil {
				err = os.Rename(path+".copy", path)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x")
			j, err := journal.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Put(t.Context(), row("a")); err != nil {
				t.Fatal(err)
			}
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			if err := j.Put(t.Context(), row("b")); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("a row was put where nobody will find it: %v", err)
			}
			if _, ok, err := j.Get(t.Context(), "a"); !ok || err != nil {
				t.Errorf("what is known is known still: %v, %v", ok, err)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
