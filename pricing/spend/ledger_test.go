package spend_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

func openLedger(t *testing.T, path string) *spend.Ledger {
	t.Helper()
	l, err := spend.OpenLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Err(); err != nil {
			t.Error(err)
		}
		_ = l.Close()
	})
	return l
}

// reopen closes a ledger and opens it again, as after a restart.
func reopen(t *testing.T, l *spend.Ledger, path string) *spend.Ledger {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return openLedger(t, path)
}

// book takes a request through a budget as a client does.
func book(t *testing.T, b *spend.Budget, id string, tags map[string]string, end func(fal.Reservation)) {
	t.Helper()
	r, err := b.Reserve(t.Context(), proUsage, tags)
	if err != nil {
		t.Fatal(err)
	}
	if id != "" {
		r.Accepted(id)
	}
	if end != nil {
		end(r)
	}
}

func settle(id, units string) func(fal.Reservation) {
	return func(r fal.Reservation) { r.Settled(proMeta(id, units)) }
}

// What is noted is there when the ledger is opened again, and counts once.
func TestLedger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	book(t, b, "a", tenant("x"), settle("a", "1"))
	book(t, b, "b", tenant("y"), settle("b", "1.5"))
	book(t, b, "", tenant("y"), func(r fal.Reservation) { r.Released(nil) })
	book(t, b, "b", tenant("y"), settle("b", "1.5")) // the same request again
	book(t, b, "c", tenant("x"), nil)                // still running
	book(t, b, "", nil, nil)                         // of unknown fate
	if err := l.Record(proMeta("a", "1")); err != nil {
		t.Error(err)
	}
	if err := l.Record(proMeta("d", "2")); err != nil { // by another program
		t.Error(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(proMeta("d", "2")); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(path); err != nil || len(after) != len(before) {
		t.Errorf("the second result of a request was noted: %d bytes, then %d, %v", len(before), len(after), err)
	}

	const cent = pricing.Cent
	x := spend.Total{Requests: 2, Open: 1, Reserved: 3 * cent, Quoted: 6 * cent, Billed: 3 * cent, Least: 3 * cent}
	y := spend.Total{Requests: 1, Quoted: 3 * cent, Billed: 9 * cent / 2, Least: 9 * cent / 2}
	// The two units of the last may be megapixels: $0.045 or $0.06.
	all := spend.Total{Requests: 5, Open: 2, Reserved: 6 * cent, Quoted: 12 * cent, Billed: 27 * cent / 2, Least: 12 * cent}
	const pro = "fal-ai/flux-2-pro"
	month := time.Now().UTC().Format("2006-01")
	want := spend.Totals{
		All: all, Endpoints: map[string]spend.Total{"fal-ai/flux-2-pro": all},
		Tags:   map[spend.Tag]spend.Total{tag("x"): x, tag("y"): y},
		Days:   map[string]spend.Total{time.Now().UTC().Format(time.DateOnly): all},
		Months: []spend.MonthTotal{{month, pro, spend.Tag{}, all}, {month, pro, tag("x"), x}, {month, pro, tag("y"), y}},
	}
	again := reopen(t, l, path)
	for name, l := range map[string]*spend.Ledger{"as written": l, "read back": again} {
		if diff := cmp.Diff(want, l.Totals()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		open := l.Open()
		if len(open) != 2 || open[0].RequestID != "c" || open[1].RequestID != "" || open[0].Max != 3*cent {
			t.Errorf("%s: open are %+v", name, open)
		}
	}

	// A new budget goes on from there.
	b = &spend.Budget{Ledger: again, Limits: []spend.Limit{{Amount: 20 * cent}, {Amount: 8 * cent, Tag: tag("")}}}
	if b.Spent()+b.Reserved() != 39*cent/2 || b.SpentBy(tag("x"))+b.ReservedBy(tag("x")) != 6*cent || b.SpentBy(tag(""))+b.ReservedBy(tag("")) != 9*cent {
		t.Errorf("spent %v, by x %v, without tenant %v", b.Spent(), b.SpentBy(tag("x")), b.SpentBy(tag("")))
	}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil {
		t.Error("went over the limit")
	}
	// The running job ends, and the other never was.
	if err := again.Record(proMeta("c", "1")); err != nil {
		t.Error(err)
	}
	if err := again.Release(again.Open()[0].ID); err != nil {
		t.Error(err)
	}
	if got := again.Totals().All; got != (spend.Total{Requests: 4, Quoted: 9 * cent, Billed: 33 * cent / 2, Least: 15 * cent}) {
		t.Errorf("in the end: %+v", got)
	}
}

// The lines of the file are what other programs, and later versions, read.
func TestLedgerLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	b := &spend.Budget{Ledger: openLedger(t, path)}
	book(t, b, "a", tenant("x"), settle("a", "1.5"))
	book(t, b, "", nil, func(r fal.Reservation) { r.Released(nil) })
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`"(time|id|sum)":"[^"]+"`).ReplaceAllString(string(text), `"$1":"*"`)
	const want = `{"time":"*","event":"ledger","version":2,"n":1,"sum":"*"}
{"time":"*","event":"reserved","id":"*","endpoint":"fal-ai/flux-2-pro","tags":{"tenant":"x"},"min":"0.03","expected":"0.03","max":"0.03","reserved":"0.03","unit_price":"0.03","n":2,"sum":"*"}
{"time":"*","event":"accepted","id":"*","request_id":"a","used":"0.03","n":3,"sum":"*"}
{"time":"*","event":"settled","id":"*","request_id":"a","units":"1.5","billed":"0.045","used":"0.03","n":4,"sum":"*"}
{"time":"*","event":"reserved","id":"*","endpoint":"fal-ai/flux-2-pro","min":"0.03","expected":"0.03","max":"0.03","reserved":"0.03","unit_price":"0.03","used":"0.045","n":5,"sum":"*"}
{"time":"*","event":"released","id":"*","used":"0.075","n":6,"sum":"*"}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A write may be cut off anywhere: what was written before still counts, and
// so does what is written after.
func TestLedgerTornAnywhere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	b := &spend.Budget{Ledger: openLedger(t, path)}
	book(t, b, "a", nil, settle("a", "1"))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	book(t, b, "b", nil, settle("b", "1"))
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(before); cut <= len(after); cut++ {
		torn := filepath.Join(t.TempDir(), "torn.jsonl")
		if err := os.WriteFile(torn, after[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := openLedger(t, torn)
		first := l.Totals().All
		if first.Billed+first.Reserved != 3*pricing.Cent && first.Billed+first.Reserved != 6*pricing.Cent {
			t.Fatalf("cut after %d bytes: %+v", cut, first)
		}
		book(t, &spend.Budget{Ledger: l}, "c", nil, settle("c", "1"))
		_ = l.Close()
		again := openLedger(t, torn)
		got := again.Totals().All
		_ = again.Close()
		if got.Billed != first.Billed+3*pricing.Cent || got.Requests != first.Requests+1 {
			t.Fatalf("cut after %d bytes: %+v, then %+v", cut, first, got)
		}
	}
}

// TestLedgerChild is not a test: it is the program that TestLedgerKilled
// kills. It says each thing only after the ledger has it.
func TestLedgerChild(t *testing.T) {
	path := os.Getenv("PRICING_TEST_LEDGER")
	if path == "" {
		t.Skip("run by TestLedgerKilled")
	}
	spend.CompactAfter(1 << 10) // so that it is killed in that too
	l, err := spend.OpenLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	b := &spend.Budget{Ledger: l}
	for i := range 1_000_000 {
		id := fmt.Sprintf("%s-%d", os.Getenv("PRICING_TEST_RUN"), i)
		r, err := b.Reserve(t.Context(), proUsage, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("reserved", id)
		r.Accepted(id)
		r.Settled(proMeta(id, "1"))
		fmt.Println("settled", id)
	}
}

// A program is killed again and again between two writes, or in one: all that
// it knew to be noted is, once.
func TestLedgerKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	reserved, settled := 0, 0
	const runs = 12
	for run := range runs {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLedgerChild$")
		child.Env = append(os.Environ(), "PRICING_TEST_LEDGER="+path, fmt.Sprintf("PRICING_TEST_RUN=%d", run))
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 20+run*7 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			switch {
			case strings.HasPrefix(lines.Text(), "reserved"):
				reserved++
			case strings.HasPrefix(lines.Text(), "settled"):
				settled++
			}
		}
		_ = child.Wait() // it was killed
	}
	if settled < runs*10 {
		t.Fatalf("only %d requests were settled: the child does not run", settled)
	}
	got := openLedger(t, path).Totals().All
	// In each run one request at most is further than the program could say.
	if got.Requests < int64(reserved) || got.Requests > int64(reserved+runs) {
		t.Errorf("%d requests, want %d to %d", got.Requests, reserved, reserved+runs)
	}
	billed := int64(got.Billed / (3 * pricing.Cent))
	if billed < int64(settled) || billed > int64(settled+runs) || billed+got.Open != got.Requests {
		t.Errorf("%d settled and %d open of %d, want %d to %d settled", billed, got.Open, got.Requests, settled, settled+runs)
	}
}

func TestLedgerCannotWrite(t *testing.T) {
	t.Parallel()
	l, err := spend.OpenLedger(filepath.Join(t.TempDir(), "ledger.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	b := &spend.Budget{Ledger: l}
	r, err := b.Reserve(t.Context(), proUsage, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r.Settled(proMeta("a", "1"))
	if got := l.Totals().All.Billed; got != 3*pricing.Cent || l.Err() == nil {
		t.Errorf("billed %v, error %v: what happened counts although it is not written, and is told", got, l.Err())
	}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil || b.Reserved() != 0 {
		t.Errorf("%v: a request that cannot be noted must be refused; %v is set aside", err, b.Reserved())
	}
	if _, err := spend.OpenLedger(t.TempDir()); err == nil {
		t.Error("opened a directory")
	}
}
