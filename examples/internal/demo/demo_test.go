package demo_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

var mug = flux.Schnell{Prompt: "a mug", ImageSize: fal.Square}

// A request is sent once, whatever stops the program; what ended without a
// picture is forgotten, and what is unknown is not sent again.
func TestOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		op      faltest.Op
		fault   faltest.Fault
		posts   int   // of two runs
		first   bool  // the first run fails
		unknown error // of the second
	}{
		"well":        {posts: 1},
		"result lost": {op: faltest.OpResult, fault: faltest.TruncatedBody(), posts: 1, first: true},
		"no answer":   {op: faltest.OpSubmit, fault: faltest.LostAnswer(), posts: 1, first: true, unknown: demo.ErrUnknown},
		"refused":     {op: faltest.OpSubmit, fault: faltest.Answer(402, "no"), posts: 2, first: true},
		"failed":      {op: faltest.OpSubmit, fault: faltest.LateFailure(500, "internal_server_error", "failed"), posts: 2, first: true},
		"gone":        {op: faltest.OpResult, fault: faltest.Answer(404, `{"detail":"Not Found"}`), posts: 1, first: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			client := srv.Client()
			client.Retry = fal.Retry{MaxAttempts: 1}
			times := 1
			if tt.op == faltest.OpResult {
				times = 20
			}
			back := func() {}
			if tt.op != "" {
				back = srv.Inject(tt.op, tt.fault, times)
			}
			path := filepath.Join(t.TempDir(), "note.json")
			ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
			defer stop()
			_, err := demo.Once(ctx, client, path, mug)
			if (err != nil) != tt.first {
				t.Errorf("the first run: %v", err)
			}
			back()
			out, err := demo.Once(t.Context(), client, path, mug)
			if name == "gone" && srv.Ledger().Posts == 2 {
				return // fal said that there is nothing
			}
			if !errors.Is(err, tt.unknown) || tt.unknown == nil && (err != nil || len(out.Images) != 1) {
				t.Errorf("the second run: %v", err)
			}
			if n := srv.Ledger().Posts; n != tt.posts {
				t.Errorf("%d posts, want %d", n, tt.posts)
			}
		})
	}
}

// A run that is stopped between its requests is gone on with, and a finished one
// leaves nothing behind.
func TestSession(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(20*time.Millisecond))
	notes := filepath.Join(t.TempDir(), ".demo-1")
	for round := range 4 {
		s := &demo.Session{Client: srv.Client(), Notes: notes}
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 3 {
			if i == round {
				cancel() // the job of the round before is taken up
			}
			if _, err := demo.Images(ctx, s, mug); (err != nil) != (i == round) {
				t.Fatalf("round %d, request %d: %v", round, i, err)
			} else if err != nil {
				break
			}
		}
		cancel()
		if round == 3 {
			if err := s.End(); err != nil {
				t.Fatal(err)
			}
		}
	}
	left, _ := filepath.Glob(notes + "*")
	if n := srv.Ledger().Posts; n != 3 || len(left) != 0 {
		t.Errorf("%d posts, %v are left", n, left)
	}
}

// A note that cannot be read is no reason to pay again.
func TestBadNote(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	for _, text := range []string{"", "{", "{}", "[]"} {
		path := filepath.Join(t.TempDir(), "note.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := demo.Once(t.Context(), srv.Client(), path, mug); err == nil || srv.Ledger().Posts != 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Only yes is yes, and who is no terminal is not asked.
func TestAsk(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, " yes ": true, "": false, "\n": false, "n\n": false, "yup\n": false} {
		if err := demo.Ask(io.Discard, strings.NewReader(answer)); (err == nil) != want {
			t.Errorf("%q: %v", answer, err)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "in"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("y\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = f.Seek(0, io.SeekStart)
	if err := demo.Ask(io.Discard, f); err == nil || !strings.Contains(err.Error(), "-yes") {
		t.Errorf("a file was asked: %v", err)
	}
}
