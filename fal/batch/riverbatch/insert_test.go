package riverbatch_test

import (
	"context"
	"errors"
	"image"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/flux"
)

// Items and jobs are there with the transaction of the caller, or not at all.
func TestInsertTx(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	errBack := errors.New("taken back")
	for _, want := range []error{errBack, nil} {
		err := pgx.BeginFunc(t.Context(), f.pool, func(tx pgx.Tx) error {
			n, err := riverbatch.InsertTx(t.Context(), tx, f.j, f.client(), slices.Values(mugs(450)))
			if n != 450 || err != nil {
				t.Errorf("%d inserted: %v", n, err)
			}
			if states := f.jobs(); len(states) != 0 {
				t.Errorf("seen before the end: %v", states)
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Fatal(err)
		}
		states, wanted := f.jobs(), map[string]int{}
		if want == nil {
			wanted["available"] = 450
		}
		if diff := cmp.Diff(wanted, states); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if n := f.srv.Ledger().Posts; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	for row, err := range f.j.All(t.Context()) {
		t.Errorf("the journal has %s of what was not sent: %v", row.Key, err)
	}
}

func TestInsertRefused(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.insert(mugs(1)...)
	for name, c := range map[string]struct {
		item batch.Item[fal.Images]
		want string
	}{
		"another request":  {batch.Item[fal.Images]{Key: "mug 0", Request: flux.Schnell{Prompt: "a cup"}}, "give it another key"},
		"another endpoint": {batch.Item[fal.Images]{Key: "mug 0", Request: flux.Dev{Prompt: "mug 0"}}, "give it another key"},
		"long key":         {batch.Item[fal.Images]{Key: strings.Repeat("k", 1025), Request: flux.Schnell{Prompt: "x"}}, "1 to 1024 bytes"},
		"zero":             {batch.Item[fal.Images]{Key: "a\x00", Request: flux.Schnell{Prompt: "x"}}, "without the character 0"},
		"no text":          {batch.Item[fal.Images]{Key: "a\xff", Request: flux.Schnell{Prompt: "x"}}, "UTF-8"},
		"no prompt":        {batch.Item[fal.Images]{Key: "a", Request: flux.Schnell{}}, "prompt"},
		"no request":       {batch.Item[fal.Images]{Key: "a"}, "nil"},
	} {
		n, err := riverbatch.Insert(t.Context(), f.j, f.client(), slices.Values([]batch.Item[fal.Images]{c.item}))
		if n != 0 || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if _, err := riverbatch.Insert(t.Context(), f.j, nil, slices.Values(mugs(1))); err == nil {
		t.Error("no client was accepted")
	}
	if states := f.jobs(); !maps.Equal(states, map[string]int{"available": 1}) {
		t.Errorf("%v", states)
	}
}

// A request is sent as it was inserted: its files are uploaded, its seed is fixed, its
// tags go with it and its price is that of its pictures.
func TestInserted(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	req := flux.Pro2Edit{Prompt: "brighter", ImageURLs: []fal.File{fal.Picture(image.NewRGBA(image.Rect(0, 0, 2000, 1000)))}, ImageSize: fal.Size(1000, 1000)}
	f.insert(batch.Item[fal.Images]{Request: req, Options: []fal.Option{fal.WithTags(map[string]string{"tenant": "a"})}})
	if n := f.srv.Ledger().Uploads; n != 1 {
		t.Errorf("%d files were uploaded", n)
	}
	w := f.worker()
	w.Runner.Mark = func(r provenance.Record) provenance.Record { return r }
	f.start(w, 1)
	f.until("completed", 1)
	key, err := batch.Key[fal.Images](req)
	if err != nil {
		t.Fatal(err)
	}
	row, ok, err := f.j.Get(t.Context(), key)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	record, err := provenance.ReadFile(filepath.Join(f.dir, row.Files[0].Name))
	if err != nil || record.RequestID != row.RequestID || record.Seed == nil || !strings.Contains(string(record.Input), "brighter") {
		t.Errorf("the picture tells %+v, %v", record, err)
	}
	bills := f.srv.Ledger().Bills
	if diff := cmp.Diff(map[string]string{"tenant": "a"}, bills[0].Tags); diff != "" {
		t.Errorf("tags (-want +got)\n%s", diff)
	}
	var sent string
	for past, err := range (platform.API{Client: f.client()}).Requests(t.Context(), platform.RequestQuery{Endpoint: row.Endpoint, Payloads: true}) {
		if err != nil {
			t.Fatal(err)
		}
		sent = string(past.Input)
	}
	if !strings.Contains(sent, `"seed":`) || !strings.Contains(sent, "brighter") {
		t.Errorf("sent: %s", sent)
	}
	var amount, billed int64
	if err := f.pool.QueryRow(t.Context(), "SELECT amount, billed FROM falimage_reservation WHERE budget = $1", f.budget.Name).Scan(&amount, &billed); err != nil || amount != billed {
		t.Errorf("%d was set aside, %d billed: the size of the picture was not known (%v)", amount, billed, err)
	}
}

// A database that lacks the tables, has newer ones, or loses what it has kept, is refused
// with what to do.
func TestRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := func(name string) *pgxpool.Pool {
		url, err := server.Database(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		pool, err := pgxpool.New(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	pool := database("empty")
	refused := func(want string) {
		t.Helper()
		if j, err := riverbatch.Open(ctx, pool, "mugs"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %q", j, err, want)
		}
	}
	refused("call riverbatch.Migrate once")
	done := make(chan error)
	for range 3 { // machines, at once
		go func() { done <- riverbatch.Migrate(context.WithoutCancel(ctx), pool) }()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := riverbatch.Open(ctx, pool, "mugs"); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ set, want string }{
		{"ALTER DATABASE empty SET synchronous_commit = off", "set it to on"},
		{"ALTER DATABASE empty RESET synchronous_commit; INSERT INTO falimage_version VALUES (9)", "update the module"},
	} {
		if _, err := pool.Exec(ctx, c.set); err != nil {
			t.Fatal(err)
		}
		pool.Reset()
		refused(c.want)
	}
	if err := riverbatch.Migrate(ctx, pool); err == nil || !strings.Contains(err.Error(), "update the module") {
		t.Errorf("newer tables: %v", err)
	}
	for _, name := range []string{"", "Mugs", "a b", "a--b", "-a", strings.Repeat("a", 65), "a;drop"} {
		if _, err := riverbatch.Open(ctx, pooled(t), name); err == nil || !strings.Contains(err.Error(), "lower case") {
			t.Errorf("name %q: %v", name, err)
		}
	}
}
