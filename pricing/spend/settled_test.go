package spend_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// list collects settled requests.
func list(t *testing.T, l *spend.Ledger) []spend.Settled {
	t.Helper()
	var all []spend.Settled
	for s, err := range l.Settled() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// Settled requests come one by one, with their quote and bill, and add up to
// what the totals say.
func TestSettledOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger")
		l := openLedger(t, path)
		b := &spend.Budget{Ledger: l}
		start := time.Now().UTC()
		book(t, b, "a", tenant("x"), func(r fal.Reservation) {
			time.Sleep(time.Minute)
			settle("a", "2")(r)
		})
		book(t, b, "gone", nil, func(r fal.Reservation) { r.Released(nil) })
		book(t, b, "open", nil, nil)
		book(t, b, "a", tenant("x"), settle("a", "1")) // the same request again
		book(t, b, "silent", nil, settle("silent", ""))
		if err := l.Record(proMeta("taken up", "1.5")); err != nil {
			t.Fatal(err)
		}
		if err := l.Record(proMeta("silent", "1")); err != nil { // in place of what was presumed
			t.Fatal(err)
		}
		const cent, pro = pricing.Cent, "fal-ai/flux-2-pro"
		quote := pricing.Amounts{Min: 3 * cent, Expected: 3 * cent, Max: 3 * cent}
		later := start.Add(time.Minute)
		want := []spend.Settled{
			{
				Entry:     spend.Entry{Time: start, Endpoint: pro, RequestID: "a", Tags: tenant("x"), Amounts: quote, Reserved: 3 * cent, UnitPrice: 3 * cent},
				SettledAt: later, Units: "2", Billed: 6 * cent, Least: 45 * cent / 10,
			},
			{
				Entry:     spend.Entry{Time: later, Endpoint: pro, RequestID: "silent", Amounts: quote, Reserved: 3 * cent, UnitPrice: 3 * cent},
				SettledAt: later, Billed: 3 * cent, Least: 3 * cent, Presumed: true,
			},
			{Entry: spend.Entry{Time: later, Endpoint: pro, RequestID: "taken up"}, SettledAt: later, Units: "1.5", Billed: 45 * cent / 10, Least: 45 * cent / 10},
			{Entry: spend.Entry{Time: later, Endpoint: pro, RequestID: "silent"}, SettledAt: later, Units: "1", Billed: 3 * cent, Least: 3 * cent},
		}
		check := func() {
			t.Helper()
			got := list(t, l)
			for i := range got {
				if got[i].ID == "" {
					t.Errorf("%d has no id", i)
				}
				got[i].ID = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
		check()
		l = reopen(t, l, path)
		check()
		for s, err := range l.Settled() { // one can leave early
			if err != nil || s.RequestID != "a" {
				t.Errorf("%+v", s)
			}
			break
		}
		// What was summed up without an archive is in the totals alone.
		before := l.Totals()
		if err := l.Compact(); err != nil {
			t.Fatal(err)
		}
		if got := list(t, l); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		if diff := cmp.Diff(before, l.Totals()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// An archive keeps what the ledger sums up, each request once, whatever
// happens in between.
func TestArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, archive := filepath.Join(dir, "ledger"), filepath.Join(dir, "archive.jsonl")
	l := openLedger(t, path)
	l.Archive = archive
	b := &spend.Budget{Ledger: l}
	var want []string
	request := func(id, units string) {
		t.Helper()
		book(t, b, id, tenant("x"), settle(id, units))
		want = append(want, id)
	}
	check := func(when string) {
		t.Helper()
		var got []string
		var billed pricing.USD
		for _, s := range list(t, l) {
			got = append(got, s.RequestID)
			billed += s.Billed
		}
		if diff := cmp.Diff(want, got); diff != "" || billed != l.Totals().All.Billed {
			t.Errorf("%s: %v, want %v (-want +got)\n%s", when, billed, l.Totals().All.Billed, diff)
		}
	}
	compact := func() {
		t.Helper()
		if err := l.Compact(); err != nil {
			t.Fatal(err)
		}
	}
	request("a", "1")
	request("silent", "") // presumed, so that it stays in the ledger too
	book(t, b, "open", nil, nil)
	check("before")
	compact()
	check("after")
	compact()
	check("twice")
	l = reopen(t, l, path)
	b = &spend.Budget{Ledger: l}
	request("b", "2")
	check("opened again")
	// A crash after the archive was written and before the ledger was: the
	// archive is longer than the ledger knows.
	text, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(archive, append(slices.Clone(text), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	check("with a rest of a crash")
	compact() // the archive that it was told of before
	check("after the crash")
	book(t, b, "a", tenant("x"), settle("a", "1")) // the same again
	check("the same again")
	compact()
	check("in the end")
	// It can be read without the ledger.
	data, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(string(data)) {
		var s spend.Settled
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.RequestID)
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Where it cannot be written, nothing is forgotten.
	if l.Archive = filepath.Join(dir, "no", "folder"); l.Compact() == nil {
		t.Error("there is no such folder")
	}
	request("last", "1")
	check("without a folder")
	// One that is gone is told.
	if err := os.Remove(archive); err != nil {
		t.Fatal(err)
	}
	for _, err := range l.Settled() {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
	for _, err := range new(spend.Ledger).Settled() {
		if err == nil {
			t.Error("a ledger in memory has settled requests")
		}
	}
}

// A damaged archive is an error after what could be read of it.
func TestArchiveDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, archive := filepath.Join(dir, "ledger"), filepath.Join(dir, "archive.jsonl")
	l := openLedger(t, path)
	l.Archive = archive
	b := &spend.Budget{Ledger: l}
	book(t, b, "a", nil, settle("a", "1"))
	book(t, b, "b", nil, settle("b", "1"))
	if err := l.Compact(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(archive, bytes.Replace(data, []byte(`"request_id":"b"`), []byte(`"request_id":!b!`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	var ids []string
	var last error
	for s, err := range l.Settled() {
		ids, last = append(ids, s.RequestID), err
	}
	if len(ids) != 2 || ids[0] != "a" || ids[1] != "" || last == nil || !strings.Contains(last.Error(), "archive") {
		t.Errorf("%q, %v", ids, last)
	}
}

// settledRows are two requests, one of them with everything that is awkward.
func settledRows(err error) iter.Seq2[spend.Settled, error] {
	at := time.Date(2026, 11, 26, 13, 14, 15, 160_000_000, time.FixedZone("", 3600))
	return func(yield func(spend.Settled, error) bool) {
		if !yield(spend.Settled{
			Entry: spend.Entry{
				ID: "E1", Time: at, Endpoint: "fal-ai/flux-2-pro", RequestID: "=1+1", Tags: map[string]string{"tenant": "a, \"b\"\n"},
				Amounts: pricing.Amounts{Min: 1, Expected: 3 * pricing.Cent, Max: pricing.Dollar}, Reserved: pricing.Dollar, UnitPrice: pricing.Cent,
			},
			SettledAt: at.Add(time.Second), Units: "1.5", Billed: 6 * pricing.Cent, Least: 45 * pricing.Cent / 10, Presumed: true,
		}, nil) {
			return
		}
		if err != nil {
			yield(spend.Settled{}, err)
			return
		}
		yield(spend.Settled{Entry: spend.Entry{ID: "@E2", Time: at, Endpoint: "-x"}, SettledAt: at}, nil)
	}
}

func TestWriteSettled(t *testing.T) {
	t.Parallel()
	var table, lines strings.Builder
	if err := errors.Join(spend.WriteCSV(&table, settledRows(nil)), spend.WriteJSONLines(&lines, settledRows(nil))); err != nil {
		t.Fatal(err)
	}
	wantTable := `settled_at,quoted_at,entry,request_id,endpoint,tags,min,expected,max,reserved,unit_price,units,billed,least,presumed
2026-11-26T12:14:16.16Z,2026-11-26T12:14:15.16Z,E1,'=1+1,fal-ai/flux-2-pro,"{""tenant"":""a, \""b\""\n""}",0.000000001,0.03,1.00,1.00,0.01,1.5,0.06,0.045,true
2026-11-26T12:14:15.16Z,2026-11-26T12:14:15.16Z,'@E2,,'-x,,0.00,0.00,0.00,0.00,0.00,,0.00,0.00,false
`
	if diff := cmp.Diff(wantTable, table.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if rows, err := csv.NewReader(strings.NewReader(table.String())).ReadAll(); err != nil || len(rows) != 3 {
		t.Errorf("%q, %v", rows, err)
	}
	first, rest, _ := strings.Cut(lines.String(), "\n")
	wantLine := `{"settled_at":"2026-11-26T13:14:16.16+01:00","quoted_at":"2026-11-26T13:14:15.16+01:00","entry":"E1","request_id":"=1+1",` +
		`"endpoint":"fal-ai/flux-2-pro","tags":{"tenant":"a, \"b\"\n"},"min":"0.000000001","expected":"0.03","max":"1.00","reserved":"1.00",` +
		`"unit_price":"0.01","units":"1.5","billed":"0.06","least":"0.045","presumed":true}`
	if diff := cmp.Diff(wantLine, first); diff != "" || strings.Count(rest, "\n") != 1 {
		t.Errorf("(-want +got)\n%s\n%q", diff, rest)
	}
	// The columns of both are the same.
	var columns map[string]json.RawMessage
	if err := json.Unmarshal([]byte(first), &columns); err != nil {
		t.Fatal(err)
	}
	names, _, _ := strings.Cut(wantTable, "\n")
	for name := range strings.SplitSeq(names, ",") {
		if columns[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	if len(columns) != strings.Count(names, ",")+1 {
		t.Errorf("%d columns in JSON: %v", len(columns), columns)
	}
	failed := errors.New("failed")
	table.Reset()
	lines.Reset()
	if err := spend.WriteCSV(&table, settledRows(failed)); !errors.Is(err, failed) || strings.Count(table.String(), "\n") != 2 {
		t.Errorf("%v: %s", err, &table)
	}
	if err := spend.WriteJSONLines(&lines, settledRows(failed)); !errors.Is(err, failed) || strings.Count(lines.String(), "\n") != 1 {
		t.Errorf("%v: %s", err, &lines)
	}
	full := new(fullDisk)
	if err := spend.WriteCSV(full, settledRows(nil)); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	if err := spend.WriteJSONLines(full, settledRows(nil)); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

var errFull = errors.New("the disk is full")

type fullDisk struct{}

func (*fullDisk) Write([]byte) (int, error) { return 0, errFull }

// Local tags reach the ledger and the limits, not fal.
func TestLocalTags(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	l := new(spend.Ledger)
	name := "Müller & Söhne, \"Köln\"\n" + strings.Repeat("x", 2000)
	b := &spend.Budget{Ledger: l, Limits: []spend.Limit{{Amount: 5 * pricing.Cent, Tag: spend.Tag{Name: "customer", Value: name}}}}
	client.Guard = b
	ctx := spend.WithTags(t.Context(), map[string]string{"customer": "somebody else", "bad": "a\xffb"})
	ctx = spend.WithTags(spend.WithTags(ctx, map[string]string{"customer": name}), nil)
	if _, err := fal.Run(ctx, client, flux.Pro2{Prompt: "x"}, fal.WithTags(map[string]string{"team": "red", "customer": "short"})); err != nil {
		t.Fatal(err)
	}
	bills := srv.Ledger().Bills
	if sent := fmt.Sprint(bills[0].Tags, bills[0].Header); strings.Contains(sent, "Söhne") || strings.Contains(sent, "bad") || bills[0].Tags["customer"] != "short" || bills[0].Tags["team"] != "red" {
		t.Errorf("sent: %v", bills[0].Tags)
	}
	tags := l.Totals().Tags
	for _, want := range []spend.Tag{{Name: "customer", Value: name}, {Name: "team", Value: "red"}, {Name: "bad", Value: "a\uFFFDb"}} {
		if tags[want].Requests != 1 {
			t.Errorf("no %v in %v", want, tags)
		}
	}
	if len(tags) != 3 {
		t.Errorf("%v", tags)
	}
	if _, err := fal.Run(ctx, client, flux.Pro2{Prompt: "x"}); err == nil {
		t.Error("went over the limit of a local tag")
	}
	if _, err := fal.Run(context.WithoutCancel(t.Context()), client, flux.Pro2{Prompt: "x"}); err != nil {
		t.Errorf("without the tag: %v", err)
	}
}

// Totals go through JSON, tags of any text included.
func TestTotalsMarshal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(spend.Ledger)
		b := &spend.Budget{Ledger: l}
		book(t, b, "a", map[string]string{"tenant": "x=1%", "a=b%3D%": "", "": "nameless"}, settle("a", "2"))
		until(t, "2000-02-01T00:00:00Z")
		book(t, b, "b", tenant("x=1%"), nil)
		if err := l.Record(fal.Meta{Endpoint: "fal-ai/qwen-image", RequestID: "c", BillableUnits: "1"}); err != nil {
			t.Fatal(err)
		}
		totals := l.Totals()
		data, err := json.Marshal(totals)
		if err != nil {
			t.Fatal(err)
		}
		var back spend.Totals
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(totals, back); diff != "" {
			t.Errorf("(-want +got)\n%s\n%s", diff, data)
		}
		for _, want := range []string{
			`"all":{"requests":3,"open":1,"reserved":"0.03","quoted":"0.06","billed":"0.08","least":"0.065"}`, `"tenant=x=1%":{`, `"a%3Db%253D%25=":{`, `"=nameless":{`,
			`{"month":"2000-01","endpoint":"fal-ai/flux-2-pro","tag":"tenant=x=1%","requests":1,"open":0,"reserved":"0.00","quoted":"0.03","billed":"0.06","least":"0.045"}`,
		} {
			if !bytes.Contains(data, []byte(want)) {
				t.Errorf("no %s in %s", want, data)
			}
		}
		var months []string
		for _, m := range totals.Months {
			months = append(months, fmt.Sprintf("%s %s %q %v", m.Month, m.Endpoint, m.Tag, m.Billed))
		}
		want := []string{
			`2000-01 fal-ai/flux-2-pro "" $0.06`, `2000-02 fal-ai/flux-2-pro "" $0.00`, `2000-02 fal-ai/qwen-image "" $0.02`,
			`2000-01 fal-ai/flux-2-pro "=nameless" $0.06`, `2000-01 fal-ai/flux-2-pro "a%3Db%253D%25=" $0.06`,
			`2000-01 fal-ai/flux-2-pro "tenant=x=1%" $0.06`, `2000-02 fal-ai/flux-2-pro "tenant=x=1%" $0.00`,
		}
		if diff := cmp.Diff(want, months); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		var bad spend.Tag
		if err := bad.UnmarshalText([]byte("nothing")); err == nil {
			t.Errorf("read as %v", bad)
		}
	})
}
