package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

func TestProducts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ file, want string }{
		{"sku,name,description,color,color_name\nA-1,mug,\"round, red\",#C0392B,brick red\n", "A-1|mug|round, red|#C0392B (brick red);"},
		{"\ufeffColor, SKU ,name\n#2ECC71,B_2,cup\n#1B3A5C,C3,bowl\n", "B_2|cup||#2ECC71;C3|bowl||#1B3A5C;"},
		{"sku,name,color\n", ""},
		{"", "!header"},
		{"sku,name\nA,mug\n", `!no column "color"`},
		{"sku,name,color\n../x,mug,#2ECC71\n", "!line 2: sku"},
		{"sku,name,color\n,mug,#2ECC71\n", "!line 2: sku"},
		{"sku,name,color\nA,,#2ECC71\n", "!line 2: sku A has no name"},
		{"sku,name,color\nA,mug,green\n", "!line 2: sku A"},
		{"sku,name,color\nA,mug,#2ECC71\na,mug,#2ECC71\n", "A|mug||#2ECC71;!line 3: sku \"a\" is there twice"},
		{"sku,name,color\nA,mug\n", "!wrong number of fields"},
	} {
		var got strings.Builder
		for p, err := range products(strings.NewReader(tt.file)) {
			if err != nil {
				got.WriteString("!" + err.Error())
				continue
			}
			got.WriteString(p.sku + "|" + p.name + "|" + p.description + "|" + string(p.color) + ";")
		}
		rows, problem, _ := strings.Cut(tt.want, "!")
		if s := got.String(); !strings.HasPrefix(s, rows) || !strings.Contains(s, problem) || (problem == "") != (s == rows) {
			t.Errorf("%q:\n got %q\nwant %q", tt.file, s, tt.want)
		}
	}
}

// The example has 500 products, and a file that is there is kept.
func TestExample(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "products.csv")
	if err := writeExample(path); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range rows(path, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 500 {
		t.Errorf("%d products", n)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeExample(path); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file was written over: %q, %v", b, err)
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		done, total int
		want        string
	}{{0, 5, "[.....]"}, {1, 2, "[##...]"}, {5, 5, "[#####]"}, {0, 0, "[.....]"}} {
		if got := bar(tt.done, tt.total, 5); got != tt.want {
			t.Errorf("%d of %d: %s", tt.done, tt.total, got)
		}
	}
}

// small makes a catalogue of the first products of the example, on a local fal.
func small(t *testing.T, srv *faltest.Server, folder string, o options) (out string, err error) {
	t.Helper()
	c := &catalogue{client: srv.Client(), folder: folder, models: o.models, finals: o.finals}
	o.parallel = 4
	var b strings.Builder
	err = work(t.Context(), &b, c, o)
	return b.String(), err
}

// files returns the names of the pictures of a stage.
func files(t *testing.T, folder string, stage router.Stage) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(folder, string(stage)+"s"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// The budget ends the work cleanly, and the next run makes what is left and
// nothing else.
func TestBudgetThenResume(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	folder := t.TempDir()
	out, err := small(t, srv, folder, options{n: 10, finals: -1, budget: 15 * pricing.Cent})
	if err != nil || !strings.Contains(out, "The budget has ended") {
		t.Fatalf("%v\n%s", err, out)
	}
	first := files(t, folder, router.StageFinal)
	if len(first) == 0 || len(first) == 10 {
		t.Fatalf("%d finals within the budget", len(first))
	}
	out, err = small(t, srv, folder, options{n: 10, finals: -1, budget: pricing.Dollar})
	if err != nil || !strings.Contains(out, "10 products are ready and 0 are left") {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := srv.Ledger().Submissions; n != 20 {
		t.Errorf("%d requests for 10 drafts and 10 finals", n)
	}
	out, err = small(t, srv, folder, options{n: 10, finals: -1, budget: 0})
	if err != nil || !strings.Contains(out, "10 products, 10 of them ready") || srv.Ledger().Submissions != 20 {
		t.Errorf("with nothing left: %v\n%s", err, out)
	}
}

func TestFinalsOfSome(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	folder := t.TempDir()
	if out, err := small(t, srv, folder, options{n: 6, finals: 2, budget: pricing.Dollar}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d, f := len(files(t, folder, router.StageDraft)), len(files(t, folder, router.StageFinal)); d != 6 || f != 2 {
		t.Errorf("%d drafts, %d finals", d, f)
	}
}

// A product that fails does not end the others, and is made in the next run.
func TestFailure(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1)
	folder := t.TempDir()
	out, err := small(t, srv, folder, options{n: 5, finals: -1, budget: pricing.Dollar})
	if !errors.Is(err, fal.ErrContentPolicy) || !strings.Contains(err.Error(), "sku ") || !strings.Contains(out, "4 products are ready and 1 are left") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := small(t, srv, folder, options{n: 5, finals: -1, budget: pricing.Dollar}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// When very many fail the rest is not tried.
func TestManyFailures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1000)
	_, err := small(t, srv, t.TempDir(), options{n: 100, finals: -1, budget: 10 * pricing.Dollar})
	if err == nil || !strings.Contains(err.Error(), "20 products failed") {
		t.Errorf("%v", err)
	}
	if n := srv.Ledger().Submissions; n > 30 {
		t.Errorf("%d requests", n)
	}
}

// What an earlier run sent and did not see through is taken up, not sent again.
func TestTakeUp(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	c := &catalogue{client: srv.Client(), folder: t.TempDir(), finals: -1}
	if err := os.MkdirAll(c.dir(router.StageFinal), 0o755); err != nil {
		t.Fatal(err)
	}
	ledger, err := spend.OpenLedger(c.ledger())
	if err != nil {
		t.Fatal(err)
	}
	c.client.Guard = &spend.Budget{Ledger: ledger}
	var row product
	for p, err := range products(strings.NewReader("sku,name,color\nA-1,mug,#2ECC71\n")) {
		if row = p; err != nil {
			t.Fatal(err)
		}
	}
	routing, err := router.Route(c.task(router.StageFinal, row))
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{"sku": "A-1", "stage": "final"}
	if _, err := fal.Submit(t.Context(), c.client, routing.Best().Request, fal.WithTags(tags)); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Close(); err != nil { // the program ends here
		t.Fatal(err)
	}

	o := options{csv: filepath.Join(c.folder, "one.csv"), finals: -1, budget: pricing.Dollar}
	if err := os.WriteFile(o.csv, []byte("sku,name,color\nA-1,mug,#2ECC71\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := small(t, srv, c.folder, o)
	if err != nil || !strings.Contains(out, "taken up and saved") || !strings.Contains(out, "1 products, 1 of them ready") {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := srv.Ledger().Submissions; n != 1 {
		t.Errorf("%d requests", n)
	}
	if got := files(t, c.folder, router.StageFinal); !slices.Equal(got, []string{"A-1.jpg"}) {
		t.Error(got)
	}
}

// canceller is a writer that ends a context when it is written a word.
type canceller struct {
	strings.Builder
	word   string
	cancel func()
}

func (c *canceller) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.word) {
		c.cancel()
	}
	return c.Builder.Write(p)
}

// A context that ends stops the work with advice, and sends nothing more.
func TestStopped(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &catalogue{client: srv.Client(), folder: t.TempDir(), finals: -1}
	out := &canceller{word: "budget:", cancel: cancel}
	err := work(ctx, out, c, options{n: 5, budget: pricing.Dollar, parallel: 2})
	if err == nil || !strings.Contains(err.Error(), "stopped; run it again") || srv.Ledger().Submissions != 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
