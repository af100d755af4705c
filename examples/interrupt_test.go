package examples_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal/faltest"
)

// Ctrl-C once begins no more and waits for what is under way; twice leaves that to fal.
// Either is gone on with, and nothing is paid twice; a second terminal sees how far it
// is, and the manifest what came of each picture.
func TestBatchInterrupted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // a program cannot press Ctrl-C for another there
	}
	program := filepath.Join(t.TempDir(), "batch")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./batch").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, tt := range map[string]struct {
		presses int
		said    string
	}{"once": {1, "those under way are waited for"}, "twice": {2, "left running at fal"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.RunTime(400*time.Millisecond))
			dir := t.TempDir()
			begin := func(args ...string) (*exec.Cmd, *strings.Builder) {
				cmd := exec.CommandContext(t.Context(), program, append(args, "-concurrency", "3", "-server", srv.URL())...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "FAL_KEY=", "FAL_KEY_ID=")
				out := new(strings.Builder)
				cmd.Stdout, cmd.Stderr = out, out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return cmd, out
			}
			first, said := begin()
			for srv.Ledger().Submissions < 5 {
				time.Sleep(5 * time.Millisecond)
			}
			for range tt.presses {
				_ = first.Process.Signal(os.Interrupt)
				time.Sleep(50 * time.Millisecond)
			}
			err := first.Wait()
			jobs := srv.Ledger().Submissions
			if err == nil || !strings.Contains(said.String(), tt.said) || jobs > 9 {
				t.Errorf("%v, %d jobs:\n%s", err, jobs, said)
			}
			second, said := begin("-resume")
			time.Sleep(1200 * time.Millisecond)
			third, watched := begin("-watch")
			if err := third.Wait(); err != nil || !strings.HasSuffix(watched.String(), "spent\n") {
				t.Errorf("watching: %v:\n%s", err, watched)
			}
			if err := second.Wait(); err != nil || srv.Ledger().Submissions != 24 || !strings.Contains(said.String(), "24 done (") {
				t.Errorf("%v, %d jobs:\n%s", err, srv.Ledger().Submissions, said)
			}
			f, err := os.Open(filepath.Join(dir, "out", "batch-simulated", "manifest.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			n := 0
			for lines := bufio.NewScanner(f); lines.Scan(); n++ {
				var row struct{ State string }
				if err := json.Unmarshal(lines.Bytes(), &row); err != nil || row.State != "done" {
					t.Errorf("%s", lines.Text())
				}
			}
			if n != 24 {
				t.Errorf("the manifest has %d lines", n)
			}
		})
	}
}
