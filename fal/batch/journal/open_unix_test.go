//go:build unix

package journal_test

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/falimage/falimage-go/fal/batch/journal"
)

// fullEnv is the path at which a program with a full disk begins a journal.
const fullEnv = "FALIMAGE_JOURNAL_FULL"

// Where the disk is full when a journal is begun, no half of one is left.
func TestBegunOnFullDisk(t *testing.T) {
	t.Parallel()
	if path := os.Getenv(fullEnv); path != "" {
		signal.Ignore(syscall.SIGXFSZ) // so that writes fail instead
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		limit.Cur = 5000
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		_, err := journal.Open(path)
		t.Fatalf("refused: %v", err)
	}
	path := filepath.Join(t.TempDir(), "x")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBegunOnFullDisk$")
	child.Env = append(os.Environ(), fullEnv+"="+path)
	if out, err := child.CombinedOutput(); err == nil || !strings.Contains(string(out), "refused: journal: "+path) {
		t.Fatalf("%v\n%s", err, out)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		t.Errorf("%d bytes are left", info.Size())
	}
	closed(t, path, "")
}

// A file that somebody cuts off while it is open costs an error and not the program.
func TestCutOffWhileOpen(t *testing.T) {
	t.Parallel()
	path := grown(t)
	j := opened(t, path, "")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := j.Get(t.Context(), "key1"); err == nil || !strings.Contains(err.Error(), "it is damaged") {
		t.Errorf("read: %v", err)
	}
	for range 2 {
		if err := j.Put(t.Context(), row("new")); err == nil || !strings.Contains(err.Error(), "it is damaged") {
			t.Errorf("put: %v", err)
		}
	}
	for _, err := range j.All(t.Context()) {
		if err == nil {
			t.Error("rows were read")
		}
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
