//go:build unix

package fal_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// A pipe is written to as it is read, and not waited for when the context ends:
// neither while nobody opens it, nor while nobody reads on.
func TestSavePipe(t *testing.T) {
	t.Parallel()
	content := make([]byte, 1<<20) // more than a pipe holds
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	m := fal.Image{URL: c.Hosts.Run + "/a.png"}
	for name, opened := range map[string]bool{"nobody opens it": false, "nobody reads on": true} {
		path := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		var end *os.File
		if opened {
			var err error
			if end, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		err := c.Save(ctx, m, path)
		if cancel(); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 10*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(start))
		}
		if !opened {
			end, err = os.Open(path) // what was given up is not written now
			if err != nil {
				t.Fatal(err)
			}
		}
		if b, err := io.ReadAll(end); err != nil || len(b) == len(content) {
			t.Errorf("%s: %d bytes were written all the same, %v", name, len(b), err)
		}
		_ = end.Close()

		got := make(chan int, 1)
		go func() {
			b, _ := os.ReadFile(path)
			got <- len(b)
		}()
		if err := c.Save(t.Context(), m, path); err != nil {
			t.Error(err)
		}
		if n := <-got; n != len(content) {
			t.Errorf("%s: a reader got %d bytes of %d", name, n, len(content))
		}
	}
}
