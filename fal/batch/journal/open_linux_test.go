package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/falimage/falimage-go/fal/batch/journal"
)

// Neither a journal that was closed nor one that was refused stays open.
func TestNothingStaysOpen(t *testing.T) {
	t.Parallel()
	whole := grown(t)
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	torn := append([]byte{}, content...)
	clear(torn[2*os.Getpagesize():])
	for name, content := range map[string][]byte{"whole": content, "cut off": content[:len(content)/2], "torn": torn, "none": make([]byte, 10_000), "empty": nil} {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if j, err := journal.Open(path); err == nil {
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		}
		open, err := filepath.Glob("/proc/self/fd/*")
		if err != nil || len(open) == 0 {
			t.Fatal(open, err)
		}
		for _, fd := range open {
			if to, _ := os.Readlink(fd); to == path {
				t.Errorf("%s is still open", name)
			}
		}
	}
}
