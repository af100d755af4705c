package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/pricing/live"
)

// difference is one thing in which this module and fal differ.
type difference struct {
	Endpoint string `json:"endpoint"`
	Kind     string `json:"kind"`
	Field    string `json:"field,omitzero"`
	Here     string `json:"here,omitzero"`  // what this module says
	There    string `json:"there,omitzero"` // what fal says
}

func (d difference) compare(e difference) int {
	return cmp.Or(cmp.Compare(d.Endpoint, e.Endpoint), cmp.Compare(d.Kind, e.Kind), cmp.Compare(d.Field, e.Field))
}

// ofPrice is the difference of a price.
func ofPrice(c live.Change) difference {
	line := c.String() // KIND  ENDPOINT: table HERE, live THERE
	_, rest, _ := strings.Cut(line, ": table ")
	here, there, _ := strings.Cut(rest, ", live ")
	return difference{Endpoint: c.Endpoint, Kind: "price " + string(c.Kind), Here: here, There: there}
}

// String returns the line of a difference, which is also how it is acknowledged.
func (d difference) String() string {
	line := d.Endpoint + "  " + d.Kind
	if d.Field != "" {
		line += "  " + d.Field
	}
	return fmt.Sprintf("%s: %s -> %s", line, cmp.Or(d.Here, "nothing"), cmp.Or(d.There, "nothing"))
}

// acknowledged are the differences that a file lists.
type acknowledged struct{ lines map[string]string }

// readKnown reads a file of differences; "" is none.
func readKnown(path string) (*acknowledged, error) {
	a := &acknowledged{lines: make(map[string]string)}
	if path == "" {
		return a, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read only
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), " #")
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if !strings.Contains(line, " -> ") {
			return nil, fmt.Errorf("%s:%d: %q is not a line that this program has printed", path, n, line)
		}
		a.lines[squeeze(line)] = line
	}
	return a, lines.Err()
}

// squeeze makes lines equal that differ in white space.
func squeeze(line string) string { return strings.Join(strings.Fields(line), " ") }

// sort returns the differences that are not acknowledged, and the lines that no
// longer tell of one.
func (a *acknowledged) sort(all []difference) (open []difference, stale []string) {
	seen := make(map[string]bool)
	for _, d := range all {
		line := squeeze(d.String())
		if seen[line] = true; a.lines[line] == "" {
			open = append(open, d)
		}
	}
	for line, written := range a.lines {
		if !seen[line] {
			stale = append(stale, written)
		}
	}
	slices.Sort(stale)
	return open, stale
}

var formats = []string{"text", "json", "markdown"}

// report prints the differences that are not known, how many are, and what the
// file of the known ones has that is none any more.
func report(w io.Writer, format string, open []difference, stale []string, known int) error {
	var b strings.Builder
	switch format {
	case "json":
		enc := json.NewEncoder(&b)
		enc.SetIndent("", "  ")
		if err := enc.Encode(struct {
			Differences []difference `json:"differences"`
			Known       int          `json:"known"`
			Stale       []string     `json:"stale"`
		}{slices.Concat([]difference{}, open), known, slices.Concat([]string{}, stale)}); err != nil {
			return err
		}
	case "markdown":
		fmt.Fprintf(&b, "## %d differences from fal\n\n", len(open))
		if len(open) > 0 {
			fmt.Fprint(&b, "| endpoint | what | field | here | at fal |\n| --- | --- | --- | --- | --- |\n")
		}
		for _, d := range open {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", cell(d.Endpoint), d.Kind, cell(d.Field), cell(d.Here), cell(d.There))
		}
		fmt.Fprintf(&b, "\n%d more are known.\n", known)
		for _, line := range stale {
			fmt.Fprintf(&b, "- no longer a difference: `%s`\n", cell(line))
		}
	default:
		for _, d := range open {
			fmt.Fprintln(&b, d)
		}
		fmt.Fprintf(&b, "%d differences, %d more are known\n", len(open), known)
		for _, line := range stale {
			fmt.Fprintf(&b, "no longer a difference: %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell makes a text fit for a cell of a table: it may come from fal.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "`", "'", "\n", " ", "\r", " ", "<", "&lt;").Replace(s)
}
