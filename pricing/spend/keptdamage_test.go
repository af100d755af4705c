package spend_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// keptStory is a ledger that was written anew: its first line, ten lines of what was
// kept of $0.075, then $0.03 that is settled without a request id, and an open request:
// fifteen lines.
func keptStory(t *testing.T) (lines []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := openLedger(t, path)
	b := &spend.Budget{Ledger: l}
	book(t, b, "a", tenant("x"), settle("a", "1"))
	book(t, b, "b", nil, settle("b", "1.5"))
	if err := l.Compact(); err != nil {
		t.Fatal(err)
	}
	book(t, b, "", nil, settle("", "1"))
	book(t, b, "d", nil, nil)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines = slices.Collect(strings.Lines(string(text)))
	if len(lines) != 15 || !strings.Contains(lines[10], `"keys"`) {
		t.Fatalf("%d lines, %s", len(lines), lines)
	}
	return lines
}

var sum = regexp.MustCompile(`,"sum":"[0-9a-f]{8}"}`)

// changed returns lines of which one has another text in the place of a part, and the
// sum of that.
func changed(t *testing.T, lines []string, number int, old, text string) []string {
	t.Helper()
	line := lines[number-1]
	if strings.Count(line, old) != 1 {
		t.Fatalf("%s is not once in %s", old, line)
	}
	line = sum.ReplaceAllString(strings.Replace(line, old, text, 1), "}")
	return with(lines, number, string(spend.Summed([]byte(line))))
}

// What damage hides is known by the lines around it, and only that of the lines that
// were kept, of which just the whole is known, may hide all; what can still be read
// counts once.
func TestDamageOfWhatWasKept(t *testing.T) {
	t.Parallel()
	lines := keptStory(t)
	const cent = pricing.Cent
	total := func(requests int64, billed pricing.USD) spend.Total {
		return spend.Total{Requests: requests, Quoted: pricing.USD(requests) * 3 * cent, Billed: billed, Least: billed}
	}
	openToo := func(t spend.Total) spend.Total {
		t.Requests, t.Open, t.Quoted, t.Reserved = t.Requests+1, 1, t.Quoted+3*cent, 3*cent
		return t
	}
	for name, tt := range map[string]struct {
		lines    []string
		problems []string
		hidden   pricing.USD
		total    spend.Total // once it was opened all the same
	}{
		"the open request": {
			with(lines, 14, "garbage\n"),
			[]string{"line 14 cannot be read", "line 15 is about a request that no line reserves"}, 3 * cent, total(3, 21*cent/2),
		},
		"the first line after": {
			without(lines, 12), []string{"line 12 is missing", "line 12 is about a request that no line reserves"}, 0,
			openToo(spend.Total{Requests: 3, Quoted: 6 * cent, Billed: 21 * cent / 2, Least: 21 * cent / 2}),
		},
		"the last kept":       {without(lines, 11), []string{"line 11 is missing"}, 27 * cent / 2, openToo(total(3, 21*cent/2))},
		"the last but one":    {without(lines, 10), []string{"line 10 is missing"}, 27 * cent / 2, openToo(total(3, 21*cent/2))},
		"two kept":            {without(lines, 9, 10), []string{"lines 9 to 10 are missing"}, 27 * cent / 2, openToo(total(3, 21*cent/2))},
		"the first line":      {without(lines, 1), []string{"line 1 is missing"}, 0, openToo(total(3, 21*cent/2))},
		"a line told twice":   {slices.Insert(slices.Clone(lines), 13, lines[12]), []string{"line 14 is not in its place"}, 0, openToo(total(3, 21*cent/2))},
		"another sum before":  {changed(t, lines, 14, `"used":"0.105"`, `"used":"0.5"`), []string{"its lines contradict each other"}, 0, openToo(total(3, 21*cent/2))},
		"another sum at last": {changed(t, lines, 15, `"used":"0.135"`, `"used":"0.5"`), []string{"its lines contradict each other"}, 365 * cent / 10, openToo(total(3, 21*cent/2))},
	} {
		path := filepath.Join(t.TempDir(), "ledger.jsonl")
		write(t, path, tt.lines...)
		_, err := spend.OpenLedger(path)
		d, ok := errors.AsType[*spend.DamageError](err)
		if !ok {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(&spend.DamageError{Path: path, Problems: tt.problems, Hidden: tt.hidden}, d); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		l, err := spend.RecoverLedger(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.total, l.Totals().All); diff != "" {
			t.Errorf("%s: recovered (-want +got)\n%s", name, diff)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A part that is more than the whole is damage, whatever of it is more.
func TestPartsWithinTheWhole(t *testing.T) {
	t.Parallel()
	lines := keptStory(t)
	slot := regexp.MustCompile(`\[{"at":[0-9]+,"used":"0.075"}\]`).FindString(lines[7])
	half := strings.Replace(strings.Trim(slot, "[]"), "0.075", "0.03", 1)
	for name, damaged := range map[string][]string{
		"requests":        changed(t, lines, 3, `"requests":2`, `"requests":3`),
		"quoted":          changed(t, lines, 3, `"quoted":"0.06"`, `"quoted":"0.0601"`),
		"billed":          changed(t, lines, 3, `"billed":"0.075"`, `"billed":"0.0751","less":"0.01"`),
		"least":           changed(t, lines, 2, `"billed":"0.075"`, `"billed":"0.075","less":"0.000001"`),
		"slots":           changed(t, lines, 8, `"used":"0.075"}]`, `"used":"0.0751"}]`),
		"no slot":         changed(t, lines, 8, `"used":"0.075"}]`, `"used":"0.00"}]`),
		"slot told twice": changed(t, lines, 8, slot, "["+half+","+half+"]"),
		"a sum":           changed(t, lines, 3, `"of":"endpoint"`, `"of":"anything"`),
	} {
		path := filepath.Join(t.TempDir(), "ledger.jsonl")
		write(t, path, damaged...)
		_, err := spend.OpenLedger(path)
		want := "line 3: "
		if strings.Contains(name, "slot") {
			want = "line 8: "
		}
		if d, ok := errors.AsType[*spend.DamageError](err); !ok || !strings.HasPrefix(d.Problems[0], want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A request that no line reserves is told of once, however many lines are about it.
func TestToldOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	write(t, path, without(slices.Collect(strings.Lines(versionOne)), 1)...)
	_, err := spend.OpenLedger(path)
	d, ok := errors.AsType[*spend.DamageError](err)
	if !ok || !slices.Equal(d.Problems, []string{"line 1 is about a request that no line reserves"}) {
		t.Errorf("%v", err)
	}
}
