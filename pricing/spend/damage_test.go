package spend_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// story is a ledger of $0.03 for a, settled, $0.045 for b, settled, and c, which
// is open: nine lines, the first of which tells the version.
func story(t *testing.T) (path string, lines []string, totals spend.Totals) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	book(t, b, "a", tenant("x"), settle("a", "1"))
	book(t, b, "b", tenant("y"), settle("b", "1.5"))
	book(t, b, "c", nil, nil)
	totals = l.Totals()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	return path, lines, totals
}

func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// without returns lines without those of the given numbers, from 1.
func without(lines []string, numbers ...int) (left []string) {
	for i, line := range lines {
		if !slices.Contains(numbers, i+1) {
			left = append(left, line)
		}
	}
	return left
}

// with returns lines with another one in the place of that of a number.
func with(lines []string, number int, line string) []string {
	lines = slices.Clone(lines)
	lines[number-1] = line
	return lines
}

// What is damaged, and how much it can hide, is told; then the ledger opens all
// the same, with at least what was really used.
func TestDamage(t *testing.T) {
	t.Parallel()
	_, lines, totals := story(t)
	const cent = pricing.Cent
	for name, tt := range map[string]struct {
		lines   []string
		problem string
		hidden  pricing.USD
		guessed bool
	}{
		"a reserved line that cannot be read": {with(lines, 5, "garbage\n"), "line 5 cannot be read", 0, false},
		"a reserved line that is gone":        {without(lines, 5), "line 5 is missing", 0, false},
		"an amount that was changed":          {with(lines, 4, strings.Replace(lines[3], `"billed":"0.03"`, `"billed":"0.01"`, 1)), "line 4 cannot be read", 0, false},
		"a settled request that is gone":      {without(lines, 5, 6, 7), "lines 5 to 7 are missing", 9 * cent / 2, false},
		"two that are gone":                   {without(lines, 2, 3, 4, 5, 6, 7), "lines 2 to 7 are missing", 15 * cent / 2, false},
		"an open one without its reservation": {without(lines, 8), "line 8 is missing", 3 * cent, false},
		"the last line":                       {with(lines, 9, "garbage\n"), "line 9 cannot be read", 9 * cent / 2, true}, // as the largest
		"the last, of which some is seen":     {with(lines, 9, `{"max":"0.5","rese`+"\n"), "line 9 cannot be read", 50 * cent, true},
		"lines in another order":              {slices.Concat(lines[:4], lines[6:7], lines[4:6], lines[7:]), "line 6 is not in its place", 0, false},
		"a line given twice":                  {slices.Concat(lines[:4], lines[3:]), "line 5 is not in its place", 0, false},
		"the first line":                      {without(lines, 1), "line 1 is missing", 0, false},
		"an empty last line of zeros":         {append(slices.Clone(lines), strings.Repeat("\x00", 100)), "line 10 cannot be read", 9 * cent / 2, true},
		"a long line of anything":             {with(lines, 5, strings.Repeat("x", 3<<20)+"\n"), "line 5 cannot be read", 0, false},
		"a line of the version before":        {with(lines, 3, `{"time":"2026-11-23T10:00:00Z","event":"reserved","id":"A","reserved":"0.03"}`+"\n"), "line 3 is missing", 0, false},
	} {
		path := filepath.Join(t.TempDir(), "ledger.jsonl")
		write(t, path, tt.lines...)
		_, err := spend.OpenLedger(path)
		d, ok := errors.AsType[*spend.DamageError](err)
		if !ok {
			t.Errorf("%s: got %v, want a DamageError", name, err)
			continue
		}
		text := strings.Join(d.Problems, ", ")
		if !strings.Contains(text, tt.problem) || d.Hidden != tt.hidden || d.Guessed != tt.guessed || d.Path != path {
			t.Errorf("%s: %s; hidden %v, guessed %t; want %s, %v, %t", name, text, d.Hidden, d.Guessed, tt.problem, tt.hidden, tt.guessed)
		}
		for _, want := range []string{path, d.Problems[0], d.Hidden.String(), "RecoverLedger"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not tell %s", name, err, want)
			}
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != strings.Join(tt.lines, "") {
			t.Errorf("%s: the file was changed, %v", name, err)
		}

		l, err := spend.RecoverLedger(path, d.Hidden)
		if err != nil {
			t.Fatal(name, err)
		}
		all := l.Totals().All
		if used := all.Billed + all.Reserved; used < totals.All.Billed+totals.All.Reserved || l.Damaged() != len(d.Problems) {
			t.Errorf("%s: %v is used, less than before; %d damaged", name, used, l.Damaged())
		}
		book(t, &spend.Budget{Ledger: l}, "d", nil, settle("d", "1"))
		again := reopen(t, l, path).Totals().All
		if again.Billed != all.Billed+3*cent || again.Reserved != all.Reserved {
			t.Errorf("%s: %+v, then %+v", name, all, again)
		}
		kept, err := filepath.Glob(path + ".damaged-*")
		if err != nil || len(kept) == 0 {
			t.Errorf("%s: the damaged file is not kept, %v", name, err)
		}
		if now, err := os.ReadFile(kept[len(kept)-1]); err != nil || string(now) != strings.Join(tt.lines, "") {
			t.Errorf("%s: what is kept is not the damaged file, %v", name, err)
		}
	}
	if _, err := spend.RecoverLedger(filepath.Join(t.TempDir(), "ledger.jsonl"), -1); err == nil {
		t.Error("a negative amount was hidden")
	}
}

// Each line holds that no byte of it is another; a break of the last one is not
// a tear.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	path, lines, totals := story(t)
	text := []byte(strings.Join(lines, ""))
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		write(t, path, string(changed))
		l, err := spend.OpenLedger(path)
		if err != nil {
			continue
		}
		if diff := cmp.Diff(totals, l.Totals()); diff != "" {
			t.Errorf("byte %d, %q for %q, was not noticed (-want +got)\n%s", i, changed[i], text[i], diff)
		}
		_ = l.Close()
	}
}

// What is no ledger, or of a newer version, is left as it is.
func TestNoLedger(t *testing.T) {
	t.Parallel()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 9, 9))); err != nil {
		t.Fatal(err)
	}
	_, lines, _ := story(t)
	for name, tt := range map[string]struct{ text, want string }{
		"a PNG":           {picture.String(), "not a ledger"},
		"a CSV":           {"sku,prompt\n1,a mug\n", "not a ledger"},
		"JSON":            {`{"sku": 1}`, "not a ledger"},
		"JSON lines":      {"{\"sku\": 1}\n{\"sku\": 2}\n", "not a ledger"},
		"zeros":           {strings.Repeat("\x00", 4096), "not a ledger"},
		"a long line":     {strings.Repeat("x", 5<<20), "not a ledger"},
		"a newer version": {strings.Replace(lines[0], `"version":2`, `"version":3`, 1) + "{}\n", "newer version"},
	} {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, tt.text)
		for _, open := range []func() (*spend.Ledger, error){
			func() (*spend.Ledger, error) { return spend.OpenLedger(path) },
			func() (*spend.Ledger, error) { return spend.RecoverLedger(path, 0) },
		} {
			_, err := open()
			if _, damage := errors.AsType[*spend.DamageError](err); err == nil || damage || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != tt.text {
			t.Errorf("%s: it was changed, %v", name, err)
		}
		if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
			t.Errorf("%s: %v is left, %v", name, files, err)
		}
	}
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "no", "folder")} {
		if _, err := spend.OpenLedger(path); err == nil {
			t.Errorf("opened %s", path)
		}
	}
}

// The ledger of the version before.
const versionOne = `{"time":"2026-10-23T10:00:00Z","event":"reserved","id":"A","endpoint":"fal-ai/flux-2-pro","tags":{"tenant":"x"},"min":"0.03","expected":"0.03","max":"0.03","reserved":"0.03","unit_price":"0.03"}
{"time":"2026-10-23T10:00:01Z","event":"accepted","id":"A","request_id":"a"}
{"time":"2026-10-23T10:00:02Z","event":"settled","id":"A","request_id":"a","units":"1.5","billed":"0.045"}
{"time":"2026-10-23T10:00:03Z","event":"reserved","id":"B","endpoint":"fal-ai/fl
{"time":"2026-10-23T10:00:04Z","event":"reserved","id":"C","endpoint":"fal-ai/flux-2-pro","expected":"0.03","max":"0.03","reserved":"0.03","unit_price":"0.03"}
{"time":"2026-10-23T10:00:05Z","event":"accepted","id":"C","request_id":"c"}
`

func TestVersionOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	const cent = pricing.Cent
	want := spend.Total{Requests: 2, Open: 1, Reserved: 3 * cent, Quoted: 6 * cent, Billed: 9 * cent / 2, Least: 9 * cent / 2}
	for _, end := range []string{"", `{"time":"2026-10-23T10:00:06Z","event":"sett`} {
		write(t, path, versionOne, end)
		l := openLedger(t, path)
		for range 2 {
			all := l.Totals()
			if all.All != want || all.Tags[tag("x")].Billed != 9*cent/2 || all.Days["2026-10-23"] != want || l.Open()[0].RequestID != "c" {
				t.Errorf("%+v, open %+v", all, l.Open())
			}
			l = reopen(t, l, path)
		}
		_ = l.Close()
	}
	lines := strings.SplitAfter(versionOne, "\n")
	lines = lines[:len(lines)-1]
	for name, tt := range map[string]struct {
		lines   []string
		problem string
		billed  pricing.USD // after recovery
	}{
		"a damaged reserved line does not discard its bill": {with(lines, 1, "garbage\n"), "line 1 cannot be read, line 2 is about a request", 9*cent/2 + 9*cent/2},
		"nor one that is gone":                              {without(lines, 1), "line 1 is about a request", 9 * cent / 2},
		"a bill below zero":                                 {with(lines, 3, strings.Replace(lines[2], `"0.045"`, `"-1"`, 1)), "line 3 cannot be read", 3 * cent},
		"an event that is not known":                        {append(slices.Clone(lines), `{"time":"2026-10-23T10:00:06Z","event":"refunded","id":"A"}`+"\n"), "line 7 cannot be read", 9*cent/2 + 9*cent/2},
		"a reservation of nothing":                          {with(lines, 5, strings.Replace(lines[4], `"reserved":"0.03",`, "", 1)), "line 5 cannot be read", 9*cent/2 + 3*cent},
	} {
		write(t, path, tt.lines...)
		_, err := spend.OpenLedger(path)
		d, ok := errors.AsType[*spend.DamageError](err)
		if !ok || !strings.HasPrefix(strings.Join(d.Problems, ", "), tt.problem) {
			t.Errorf("%s: %v, want %s", name, err, tt.problem)
			continue
		}
		l, err := spend.RecoverLedger(path, d.Hidden)
		if err != nil || l.Totals().All.Billed != tt.billed {
			t.Errorf("%s: %+v, %v, want %v billed", name, l.Totals().All, err, tt.billed)
		}
		_ = l.Close()
	}
	// Two programs could settle the same entry: the second line says nothing new.
	write(t, path, versionOne, lines[2])
	l := openLedger(t, path)
	for range 2 {
		if got := l.Totals().All; got != want {
			t.Errorf("settled twice: %+v", got)
		}
		l = reopen(t, l, path)
	}
}

// While a ledger is open nobody else opens it, by whatever name; afterwards
// anybody may.
func TestLedgerInUse(t *testing.T) {
	t.Parallel()
	path, _, _ := story(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	l := openLedger(t, link)
	book(t, &spend.Budget{Ledger: l}, "d", nil, settle("d", "1"))
	if err := l.Compact(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		if _, err := spend.OpenLedger(name); !errors.Is(err, spend.ErrInUse) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want ErrInUse", name, err)
		}
		if _, err := spend.RecoverLedger(name, 0); !errors.Is(err, spend.ErrInUse) {
			t.Errorf("%s: got %v, want ErrInUse", name, err)
		}
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLedgerChild$")
	child.Env = append(os.Environ(), "PRICING_TEST_LEDGER="+path)
	if out, err := child.CombinedOutput(); err == nil || !strings.Contains(string(out), spend.ErrInUse.Error()) {
		t.Errorf("another program opened it: %v\n%s", err, out)
	}
	l = reopen(t, l, path)
	if got := l.Totals().All.Requests; got != 4 {
		t.Errorf("%d requests, want 4", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is one no more: %v, %v", info, err)
	}
}

// A file that is not the one that was written lets no request pass.
func TestLedgerTakenAway(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		what func(path string) error
		want string
	}{
		"deleted": {os.Remove, "deleted"},
		"replaced": {func(path string) error {
			text, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path+"2", text, 0o600), os.Rename(path+"2", path))
		}, "replaced"},
		"emptied": {func(path string) error { return os.Truncate(path, 0) }, "changed"},
		"written to": {func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("x")
			return errors.Join(err, f.Close())
		}, "changed"},
	} {
		path := filepath.Join(t.TempDir(), "ledger.jsonl")
		l, err := spend.OpenLedger(path)
		if err != nil {
			t.Fatal(err)
		}
		b := &spend.Budget{Ledger: l}
		r, err := b.Reserve(t.Context(), proUsage, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.what(path); err != nil {
			t.Fatal(err)
		}
		if err := l.Compact(); err == nil {
			t.Errorf("%s: written anew over what is there", name)
		}
		for range 2 {
			if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: reserved, %v", name, err)
			}
		}
		r.Settled(proMeta("a", "1"))
		if all := l.Totals().All; all.Billed != 3*pricing.Cent || all.Open != 0 {
			t.Errorf("%s: %+v", name, all)
		}
		if err := l.Close(); err == nil {
			t.Errorf("%s: closed without an error", name)
		}
	}
}

// What was written of a line that did not fit is undone; what happened is
// written as soon as there is room, before anything new.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l, err := spend.OpenLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	b := &spend.Budget{Ledger: l}
	full := errors.New("no space left")
	for _, part := range []int{0, 1, 20, 100} {
		r, err := b.Reserve(t.Context(), proUsage, nil)
		if err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		l.BreakWrites(func(write func([]byte, int64) (int, error), line []byte, at int64) (int, error) {
			n, _ := write(line[:part], at)
			return n, full
		})
		if _, err := b.Reserve(t.Context(), proUsage, nil); !errors.Is(err, full) {
			t.Errorf("%d bytes written: got %v", part, err)
		}
		r.Accepted("a")
		r.Settled(proMeta("a", "1"))
		if _, err := b.Reserve(t.Context(), proUsage, nil); !errors.Is(err, full) {
			t.Errorf("%d bytes written, and a bill not: got %v", part, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%d bytes written are left: %q, %v", part, after, err)
		}
		if err := l.Compact(); err == nil {
			t.Error("written anew without what is still to be written")
		}
		if !errors.Is(l.Err(), full) {
			t.Errorf("Err is %v", l.Err())
		}
		l.BreakWrites(nil)
		next, err := b.Reserve(t.Context(), proUsage, nil)
		if err != nil {
			t.Fatal(err)
		}
		next.Released(nil)
	}
	want := l.Totals()
	if err := l.Close(); !errors.Is(err, full) {
		t.Errorf("closed with %v", err)
	}
	if diff := cmp.Diff(want, openLedger(t, path).Totals()); diff != "" || want.All.Billed != 3*pricing.Cent {
		t.Errorf("%+v (-want +got)\n%s", want.All, diff)
	}
}

// A line that does not fit in a line is not written.
func TestLongTags(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	if _, err := b.Reserve(t.Context(), proUsage, tenant(strings.Repeat("x", 200_000))); err != nil {
		t.Error(err)
	}
	l = reopen(t, l, path)
	b = &spend.Budget{Ledger: l}
	if _, err := b.Reserve(t.Context(), proUsage, tenant(strings.Repeat("x", 2<<20))); err == nil || l.Totals().All.Requests != 1 {
		t.Errorf("%+v, %v", l.Totals().All, err)
	}
}

// The longest line that is taken is as long as a line may be, and one more letter
// is refused; what was taken can be read again.
func TestLongestLine(t *testing.T) {
	t.Parallel()
	const most = 256 << 10
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	fits := func(n int) bool {
		_, err := b.Reserve(t.Context(), proUsage, tenant(strings.Repeat("x", n)))
		return err == nil
	}
	n := most - 2000
	if !fits(n) || fits(most) {
		t.Fatal("the limit is elsewhere")
	}
	for step := 1024; step > 0; step /= 2 {
		if fits(n + step) {
			n += step
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for line := range strings.Lines(string(content)) {
		longest = max(longest, len(strings.TrimSuffix(line, "\n")))
	}
	if longest > most || longest < most-8 { // ids, times and numbers of lines vary in length
		t.Errorf("the longest line has %d bytes, of %d", longest, most)
	}
	want := l.Totals().All
	if got := reopen(t, l, path).Totals().All; got != want {
		t.Errorf("%+v after it was opened again, want %+v", got, want)
	}
}

// A ledger that was not opened is one in memory.
func TestLedgerInMemory(t *testing.T) {
	t.Parallel()
	var l spend.Ledger
	if len(l.Open()) != 0 || l.Totals().All != (spend.Total{}) {
		t.Error("it is not empty")
	}
	b := &spend.Budget{Ledger: &l, Limits: []spend.Limit{{Amount: 6 * pricing.Cent}}}
	book(t, b, "a", nil, settle("a", "1"))
	if err := errors.Join(l.Record(proMeta("a", "1")), l.Record(proMeta("b", "1")), l.Sync(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := b.Reserve(t.Context(), proUsage, nil); err == nil || b.Spent() != 6*pricing.Cent {
		t.Errorf("%v is spent, %v", b.Spent(), err)
	}
}

func FuzzLedgerLines(f *testing.F) {
	f.Add([]byte(versionOne), false)
	f.Add([]byte("sku,prompt\n"), false)
	f.Add([]byte(`{"time":"2026-11-26T13:00:00Z","event":"ledger","version":2,"kept":5,"n":1}
{"time":"2026-11-26T13:00:00Z","event":"total","of":"all","requests":2,"quoted":"0.06","billed":"0.03","n":2}
{"time":"2026-11-26T13:00:00Z","event":"total","of":"tag","name":"tenant","value":"x","requests":2,"billed":"0.03","used":"0.03","n":3}
{"time":"2026-11-25T00:00:00Z","event":"keys","keys":"AAAAAAAAAAAAAAAAAAAAAA==","used":"0.03","n":4}
{"time":"2026-11-26T10:00:00Z","event":"reserved","id":"A","endpoint":"a/b","tags":{"tenant":"x"},"expected":"0.03","reserved":"0.03","used":"0.03","n":5}
{"time":"2026-11-26T10:00:01Z","event":"accepted","id":"A","request_id":"a","used":"0.06","n":6}
{"time":"2026-11-26T10:00:02Z","event":"settled","id":"A","billed":"0.02","presumed":true,"used":"0.06","n":7}
`), true)
	f.Fuzz(func(t *testing.T, data []byte, summed bool) {
		if summed { // or nothing but the sums would ever be wrong
			data = spend.Summed(data)
		}
		before, after, damage, err := spend.Reread(data)
		if damage != nil && (damage.Hidden < 0 || len(damage.Problems) == 0) {
			t.Errorf("%+v", damage)
		}
		if a := before.All; min(a.Requests, a.Open) < 0 || min(a.Billed, a.Reserved, a.Quoted) < 0 {
			t.Errorf("%+v", a)
		}
		if err != nil { // no ledger, or none whose parts make the whole
			return
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("read again (-want +got)\n%s", diff)
		}
	})
}
