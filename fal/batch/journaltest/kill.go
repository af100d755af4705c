package journaltest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// childEnv names the journal of the program that is killed.
const childEnv = "FALIMAGE_JOURNALTEST"

func childPath() string { return os.Getenv(childEnv) }

// child puts rows, several at once, and says so of each that was accepted, until it is
// killed.
func (s Suite) child(t *testing.T, path string) {
	j, err := s.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d.%d", w, i)
				row, _, err := j.Get(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				if row.Revision == 2 {
					continue
				}
				if err := j.Put(t.Context(), Row(key, row.Revision+1)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				_, err = fmt.Printf("\nput %s %d\n", key, row.Revision+1)
				mu.Unlock()
				if err != nil {
					return // nobody listens
				}
			}
		})
	}
	wait.Wait()
}

// killed has a program killed again and again that puts rows: what it was told to be
// kept is there.
func (s Suite) killed(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal")
	accepted := make(map[string]int64)
	test, _, _ := strings.Cut(t.Name(), "/")
	for range 5 {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+test+"$", "-test.timeout=1m")
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, left := bufio.NewScanner(out), 1+rand.IntN(200)
		for lines.Scan() {
			word := strings.Fields(lines.Text())
			if len(word) != 3 || word[0] != "put" {
				continue
			}
			n, err := strconv.ParseInt(word[2], 10, 64)
			if err != nil {
				continue // the last line may be cut off
			}
			accepted[word[1]] = max(n, accepted[word[1]])
			if left--; left == 0 {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
				_ = cmd.Process.Kill()
			}
		}
		if err := cmd.Wait(); err == nil || left > 0 {
			t.Fatalf("the program ended by itself: %v", err)
		}
		j, err := s.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for key, n := range accepted {
			row, ok, err := j.Get(t.Context(), key)
			if err != nil || !ok || row.Revision < n {
				t.Errorf("key %s: revision %d of %d, %v %v", key, row.Revision, n, ok, err)
			}
		}
		for _, row := range all(t, j) {
			want(t, j, Row(row.Key, row.Revision))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
