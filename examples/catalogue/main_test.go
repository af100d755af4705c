package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
)

// What is wrong with the file is told by its line, before anything is sent.
func TestProducts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ file, want string }{
		{"sku,name,description,color,color_name\nA-1,mug,\"round, red\",#C0392B,brick red\n", ""},
		{"\ufeffcolor, sku ,name\n#2ECC71,B_2,cup\n#1B3A5C,C3,bowl\n", ""},
		{"", "names of the columns are missing"},
		{"sku,name\nA,mug\n", "line 2: there is no color"},
		{"sku,name,color\n,mug,#2ECC71\n", "line 2: there is no sku"},
		{"sku,name,color\nA,,#2ECC71\n", "line 2: there is no name"},
		{"sku,name,color\nA,mug,green\n", "line 2: color"},
		{"sku,name,color\nA,mug,#2ECC71\nA,mug,#2ECC71\n", `line 3: sku "A" is that of line 2`},
		{"sku,name,color\nA,mug\n", "line 2, column"},
	} {
		c := &catalogue{csv: filepath.Join(t.TempDir(), "in.csv"), folder: t.TempDir(), finals: -1, parallel: 1}
		if err := os.WriteFile(c.csv, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		cost, err := c.cost()
		if tt.want == "" && (err != nil || !strings.Contains(cost, "$")) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q:\n got %q, %v\nwant %q", tt.file, cost, err, tt.want)
		}
	}
}

// The example has 500 products, and a file that is there is kept.
func TestExample(t *testing.T) {
	t.Parallel()
	c := &catalogue{csv: filepath.Join(t.TempDir(), "products.csv"), finals: -1}
	if err := writeExample(c.csv); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range c.pictures() {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1000 {
		t.Errorf("%d pictures of 500 products", n)
	}
	if err := os.WriteFile(c.csv, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeExample(c.csv); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(c.csv); err != nil || string(b) != "mine" {
		t.Errorf("the file was written over: %q, %v", b, err)
	}
}

// small makes a catalogue of the first products of the example, on a local fal.
func small(ctx context.Context, srv *faltest.Server, folder string, c catalogue) (out string, err error) {
	var b strings.Builder
	c.folder, c.parallel, c.out = folder, 4, &b
	err = c.make(ctx, srv.Client())
	return b.String(), err
}

// pictures returns how many pictures of a stage are there.
func pictures(folder, stage string) int {
	found, _ := filepath.Glob(filepath.Join(folder, "pictures", "[A-Z]*-"+stage+".jpg"))
	return len(found)
}

// The budget ends the work cleanly, and the next run makes what is left and nothing
// else; with nothing left, nothing.
func TestBudgetThenResume(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	folder := t.TempDir()
	out, err := small(t.Context(), srv, folder, catalogue{n: 10, finals: -1, budget: 15 * pricing.Cent})
	if err != nil || !strings.Contains(out, "The budget has ended: of $0.15") {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := pictures(folder, "final"); pictures(folder, "draft") != 10 || n == 0 || n == 10 {
		t.Fatalf("%d finals within the budget", n)
	}
	for _, ready := range []string{"20 pictures, 1", "20 pictures, 20 of them ready"} {
		out, err = small(t.Context(), srv, folder, catalogue{n: 10, finals: -1, budget: pricing.Dollar})
		if err != nil || !strings.Contains(out, ready) || pictures(folder, "final") != 10 || srv.Ledger().Submissions != 20 {
			t.Errorf("%d requests for 10 drafts and 10 finals: %v\n%s", srv.Ledger().Submissions, err, out)
		}
	}
}

func TestFinalsOfSome(t *testing.T) {
	t.Parallel()
	for _, finals := range []int{0, 2} {
		srv, folder := faltest.NewServer(t), t.TempDir()
		if out, err := small(t.Context(), srv, folder, catalogue{n: 6, finals: finals, budget: pricing.Dollar}); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if d, f := pictures(folder, "draft"), pictures(folder, "final"); d != 6 || f != finals {
			t.Errorf("%d drafts, %d finals", d, f)
		}
	}
}

// A product that fails does not end the others; it has no final, and is not paid again.
func TestFailure(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faltest.Fault{"policy": faltest.LateFailure(422, "content_policy_violation", "no"), "flagged": faltest.NSFW()} {
		srv, folder := faltest.NewServer(t), t.TempDir()
		srv.Inject(faltest.OpSubmit, fault, 1)
		for range 2 {
			out, err := small(t.Context(), srv, folder, catalogue{n: 5, finals: -1, budget: pricing.Dollar})
			if err == nil || !strings.Contains(err.Error(), "-draft: ") || pictures(folder, "final") != 4 || srv.Ledger().Submissions != 9 {
				t.Fatalf("%s: %d requests, %v\n%s", name, srv.Ledger().Submissions, err, out)
			}
		}
		if n := pictures(folder, "draft"); name == "flagged" && n != 5 {
			t.Errorf("the flagged picture is not kept: %d drafts", n)
		}
	}
}

// When very many fail the rest is not tried.
func TestManyFailures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1000)
	_, err := small(t.Context(), srv, t.TempDir(), catalogue{n: 100, finals: -1, budget: 10 * pricing.Dollar})
	if !errors.Is(err, fal.ErrContentPolicy) || !strings.Contains(err.Error(), "20 items have failed") {
		t.Errorf("%v", err)
	}
	if n := srv.Ledger().Submissions; n > 30 {
		t.Errorf("%d requests", n)
	}
}

// A program that is told to stop waits for what is under way, and says what to do.
func TestStopped(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(100*time.Millisecond))
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	folder := t.TempDir()
	_, err := small(ctx, srv, folder, catalogue{n: 20, finals: -1, budget: pricing.Dollar})
	if err == nil || !strings.Contains(err.Error(), "stopped; run it again") || pictures(folder, "draft") != srv.Ledger().Submissions || srv.Ledger().Submissions > 8 {
		t.Errorf("%d requests, %d pictures: %v", srv.Ledger().Submissions, pictures(folder, "draft"), err)
	}
	out, err := small(t.Context(), srv, folder, catalogue{n: 20, finals: -1, budget: pricing.Dollar})
	if err != nil || srv.Ledger().Submissions != 40 || pictures(folder, "final") != 20 {
		t.Errorf("%d requests: %v\n%s", srv.Ledger().Submissions, err, out)
	}
}

// What cannot be saved is saved by the next run.
func TestSavedLater(t *testing.T) {
	t.Parallel()
	srv, folder := faltest.NewServer(t), t.TempDir()
	srv.Inject(faltest.OpDownload, faltest.Answer(404, "gone"), 1)
	if _, err := small(t.Context(), srv, folder, catalogue{n: 1, budget: pricing.Dollar}); err == nil {
		t.Error("a picture that is not there was saved")
	}
	out, err := small(t.Context(), srv, folder, catalogue{n: 1, budget: pricing.Dollar})
	if err != nil || srv.Ledger().Submissions != 1 || pictures(folder, "draft") != 1 {
		t.Errorf("%d submissions, %v\n%s", srv.Ledger().Submissions, err, out)
	}
}
