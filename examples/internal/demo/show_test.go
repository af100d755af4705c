package demo_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

func foxes(n int) iter.Seq[batch.Item[fal.Images]] {
	return func(yield func(batch.Item[fal.Images]) bool) {
		for i := range n {
			if !yield(batch.Item[fal.Images]{Request: flux.Schnell{Prompt: fmt.Sprint("a fox ", i)}}) {
				return
			}
		}
	}
}

// A batch shows how far it is, by a bar or by lines, and so does who watches it.
func TestShow(t *testing.T) {
	t.Parallel()
	for _, terminal := range []bool{false, true} {
		t.Run(fmt.Sprint("terminal ", terminal), func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.RunTime(250*time.Millisecond))
			client := srv.Client()
			budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
			client.Guard = budget
			path := filepath.Join(t.TempDir(), "status.json")
			if err := demo.Watch(t.Context(), new(bytes.Buffer), terminal, path); err == nil || !strings.Contains(err.Error(), "no batch has begun") {
				t.Errorf("before it began: %v", err)
			}
			var out, seen bytes.Buffer
			run := &batch.Runner{Client: client, Concurrency: 2}
			show := &demo.Show{Out: &out, Terminal: terminal, Path: path, Items: 12, Runner: run, Budget: budget}
			end := show.Begin()
			watched := make(chan error, 1)
			go func() {
				for {
					err := demo.Watch(t.Context(), &seen, terminal, path)
					if err == nil || !strings.Contains(err.Error(), "no batch has begun") {
						watched <- err
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}()
			for r, err := range batch.Run(t.Context(), run, foxes(12)) {
				if err != nil {
					t.Fatal(err)
				}
				show.Line("made %s", r.Key)
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if err := <-watched; err != nil {
				t.Error(err)
			}
			for name, text := range map[string]string{"shown": out.String(), "watched": seen.String()} {
				if !strings.HasSuffix(text, "12 done of 12, $0.036 spent\n") || strings.Contains(text, "[####") != terminal || strings.Contains(text, "\x1b") != terminal {
					t.Errorf("%s:\n%q", name, text)
				}
			}
			if terminal && (!strings.Contains(out.String(), "under way of 12") || !strings.Contains(out.String(), "left") || !strings.Contains(out.String(), "in the end")) {
				t.Errorf("%q", out.String())
			}
		})
	}
}

// Who watches a batch whose program was killed is told.
func TestWatchStale(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "status.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		`{"Done":3,"Taken":3,"Items":9,"At":"2026-01-02T03:04:05Z","Spent":"0.1"}`: "may have been killed",
		`{"Done":`: "cannot be read",
	} {
		write(text)
		if err := demo.Watch(t.Context(), new(bytes.Buffer), false, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	write(fmt.Sprintf(`{"Done":3,"Taken":3,"Items":9,"At":%q,"Spent":"0.1"}`, time.Now().Format(time.RFC3339Nano)))
	if err := demo.Watch(ctx, new(bytes.Buffer), false, path); err != nil {
		t.Errorf("stopped: %v", err)
	}
}
