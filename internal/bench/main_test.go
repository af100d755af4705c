package main_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bench "github.com/falimage/falimage-go/internal/bench"
)

// The benchmark starts its own program again, as server and as client. In a
// test that is this one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "work" || os.Args[1] == "serve") {
		if err := bench.Dispatch(context.Background(), os.Args[1:], os.Stdout); err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestQuick(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := bench.Run(t.Context(), []string{"-quick", "-without-node", "-out", out}, io.Discard); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"This was a quick run", "| median | net/http by hand | this module |", "## Overhead", "## In flight", "## Upload", "## Stream", "## Cold start",
		"## Inline result", "## Jobs", "Peak memory, in MiB:", "| 1 MB, 20 ms |", "(jobs-3.svg)",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	for row := range strings.Lines(string(text)) {
		if strings.HasPrefix(row, "| ") && (strings.Contains(row, "–") || strings.Contains(row, "NaN") || strings.Contains(row, " -")) && !strings.Contains(row, "---") {
			t.Errorf("a value is missing or negative: %s", row)
		}
	}
	charts, err := filepath.Glob(filepath.Join(out, "*.svg"))
	if err != nil || len(charts) != 11 {
		t.Errorf("%d charts, %v", len(charts), err)
	}
	for _, name := range charts {
		if _, err := os.Stat(name); err != nil || !strings.Contains(string(text), "("+filepath.Base(name)+")") {
			t.Errorf("%s is not in the report: %v", name, err)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"x"}, {"-nonsense"}, {"-quick"}} { // here is no JavaScript client
		if err := bench.Run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		share  float64
		want   float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{9, 1, 5}, 0.5, 5},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{4, 1, 3, 2}, 1, 4},
		{[]float64{4, 1, 3, 2}, 0, 1},
		{[]float64{0, 100}, 0.99, 99},
	} {
		if got := bench.Quantile(tt.values, tt.share); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%v of %v is %v, want %v", tt.share, tt.values, got, tt.want)
		}
	}
	if got := bench.Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
	for want, s := range map[string]bench.Series{"–": nil, "0.50": {0.5}, "12.3 (4.00–1234)": {1234, 4, 12.34}, "-3.00 (-3.00–-3.00)": {-3, -3}} {
		if got := s.String(); got != want {
			t.Errorf("%v is %q, want %q", []float64(s), got, want)
		}
	}
	for want, x := range map[string]float64{"0.01": 0.0149, "9.94": 9.94, "99.4": 99.4, "100": 99.9, "123456": 123456.4} {
		if got := bench.Number(x); got != want {
			t.Errorf("%v is %s, want %s", x, got, want)
		}
	}
}

// A chart is XML, has a point for each value, and none outside.
func TestChart(t *testing.T) {
	t.Parallel()
	text := bench.Chart("a < b", "x & y", []string{"1", "2"}, []string{"one", "two", "none"}, [][]bench.Series{{{0}, {5, 7, 6}, nil}, {{1000}, nil, nil}})
	decoder := xml.NewDecoder(strings.NewReader(text))
	circles := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 3+2 { // and one for each name that has any
		t.Errorf("%d circles in\n%s", circles, text)
	}
	for _, wrong := range []string{"NaN", "Inf", `="-`, ">none<"} {
		if strings.Contains(text, wrong) {
			t.Errorf("%s in\n%s", wrong, text)
		}
	}
	if empty := bench.Chart("", "", []string{"1"}, []string{"one"}, [][]bench.Series{{nil}}); strings.Contains(empty, "NaN") || strings.Contains(empty, "Inf") {
		t.Errorf("%s", empty)
	}
}

func TestReplaceTable(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "README.md")
	const begin, end = "<!-- bench: the table is written by go run ./internal/bench -readme README.md -->\n", "<!-- bench: end -->\n"
	for _, tt := range []struct{ text, want string }{
		{"before\n" + begin + "old\n" + end + "after\n", "before\n" + begin + "new\n" + end + "after\n"},
		{begin + end, begin + "new\n" + end},
		{"before\n" + end + begin, ""},
		{"", ""},
	} {
		if err := os.WriteFile(name, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := bench.ReplaceTable(name, "new\n")
		got, _ := os.ReadFile(name)
		if (err == nil) != (tt.want != "") || err == nil && string(got) != tt.want || err != nil && string(got) != tt.text {
			t.Errorf("%q became %q, %v", tt.text, got, err)
		}
	}
	if err := bench.ReplaceTable(name+".none", ""); err == nil {
		t.Error("no error for a file that is not there")
	}
}
