package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// measured is an experiment with what came out: by measure, point and client.
type measured struct {
	experiment

	Values [][][]series
}

// report is everything that came out of a run.
type report struct {
	Clients     []client
	Versions    []string
	Quick       bool
	Began       time.Time
	Took        time.Duration
	Experiments []measured
}

// write writes README.md, which GitHub shows with its folder, and the charts.
func (r report) write(folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# Side by side\n\n")
	if r.Quick {
		b.WriteString("**This was a quick run. It shows that everything runs; its figures say nothing.**\n\n")
	}
	fmt.Fprintf(&b, "Written by `go run ./internal/bench` on %s, in %v. Medians of the rounds, in which the clients take turns, and between what they were. Less is better everywhere.\n\n", r.Began.UTC().Format("2006-01-02 15:04 MST"), r.Took)
	for _, v := range r.Versions {
		fmt.Fprintf(&b, "- %s\n", v)
	}
	b.WriteString("\n" + r.table())
	for _, e := range r.Experiments {
		fmt.Fprintf(&b, "\n## %s%s\n\n%s\n", strings.ToUpper(e.Name[:1]), e.Name[1:], e.About)
		for i, m := range e.Measures {
			fmt.Fprintf(&b, "\n%s, in %s:\n\n| %s |", strings.ToUpper(m.Name[:1])+m.Name[1:], m.Unit, e.Axis)
			for _, c := range r.Clients {
				fmt.Fprintf(&b, " %s |", c.Name)
			}
			b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(r.Clients)) + "\n")
			for j, p := range e.points {
				fmt.Fprintf(&b, "| %s |", p.Label)
				for k := range r.Clients {
					fmt.Fprintf(&b, " %s |", e.Values[i][j][k])
				}
				b.WriteString("\n")
			}
			if len(e.points) < 2 {
				continue
			}
			name := strings.ReplaceAll(e.Name, " ", "-") + fmt.Sprintf("-%d.svg", i+1)
			title := fmt.Sprintf("%s: %s, in %s", e.Name, m.Name, m.Unit)
			if err := os.WriteFile(filepath.Join(folder, name), []byte(chart(title, e.Axis, labels(e.points), names(r.Clients), e.Values[i])), 0o600); err != nil {
				return err
			}
			fmt.Fprintf(&b, "\n![%s](%s)\n", title, name)
		}
	}
	return os.WriteFile(filepath.Join(folder, "README.md"), []byte(b.String()), 0o600)
}

func labels(points []point) []string {
	var all []string
	for _, p := range points {
		all = append(all, p.Label)
	}
	return all
}

func names(clients []client) []string {
	var all []string
	for _, c := range clients {
		all = append(all, c.Name)
	}
	return all
}

// line is a row of the table of the README.
type line struct {
	what, experiment, label string
	measure                 int
}

var lines = []line{
	{"a job of no time, beyond it, ms", "overhead", "0 ms", 0},
	{"a job of 300 ms, beyond it, ms", "overhead", "300 ms", 0},
	{"a job of 1.8 s, beyond it, ms", "overhead", "1800 ms", 0},
	{"a job of 8 s, beyond it, ms", "overhead", "8000 ms", 0},
	{"1,000 jobs at once of 300 ms, beyond it, ms", "in flight", "1000", 0},
	{"the same, peak memory, MiB", "in flight", "1000", 2},
	{"10,000 jobs, processor time for each, ms", "jobs", "10000", 1},
	{"10,000 jobs, peak memory, MiB", "jobs", "10000", 2},
	{"1 MB uploaded, ms", "upload", "1 MB, 0 ms", 0},
	{"80 MB uploaded, ms", "upload", "80 MB, 0 ms", 0},
	{"80 MB uploaded, 20 ms away, ms", "upload", "80 MB, 20 ms", 0},
	{"200 MB uploaded, 20 ms away, ms", "upload", "200 MB, 20 ms", 0},
	{"80 MB uploaded, peak memory, MiB", "upload", "80 MB, 0 ms", 2},
	{"an event of a stream, late by, ms", "stream", "400", 0},
	{"a process that makes one picture, ms", "cold start", "1", 0},
	{"a result with 8 MB inside, ms", "inline result", "20", 0},
}

// table is the short one, of what was measured.
func (r report) table() string {
	var b strings.Builder
	b.WriteString("| median |")
	for _, c := range r.Clients {
		fmt.Fprintf(&b, " %s |", c.Name)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(r.Clients)) + "\n")
	for _, l := range lines {
		for _, e := range r.Experiments {
			for j, p := range e.points {
				if e.Name != l.experiment || p.Label != l.label {
					continue
				}
				fmt.Fprintf(&b, "| %s |", l.what)
				for k := range r.Clients {
					cell := "–"
					if s := e.Values[l.measure][j][k]; len(s) > 0 {
						cell = number(median(s))
					}
					fmt.Fprintf(&b, " %s |", cell)
				}
				b.WriteString("\n")
			}
		}
	}
	return b.String()
}

// The table of a README stands between these.
const (
	tableBegin = "<!-- bench: the table is written by go run ./internal/bench -readme README.md -->\n"
	tableEnd   = "<!-- bench: end -->\n"
)

func replaceTable(file, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return errors.New(file + " has no place for the table: the markers are missing")
	}
	return os.WriteFile(file, []byte(before+tableBegin+table+tableEnd+after), 0o600)
}

// versions says with what and on what was measured.
func versions(ctx context.Context, node bool) []string {
	say := func(name string, args ...string) string {
		out, err := exec.CommandContext(ctx, name, args...).Output()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(out))
	}
	all := []string{
		"this module at " + say("git", "describe", "--always", "--dirty"),
		fmt.Sprintf("%s, %s/%s, %d cores, %s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor()),
	}
	if !node {
		return all
	}
	var js struct {
		Version string `json:"version"`
	}
	text, err := os.ReadFile(filepath.Join(jsFolder, "node_modules", "@fal-ai", "client", "package.json"))
	if err != nil || json.Unmarshal(text, &js) != nil {
		js.Version = "unknown"
	}
	return append(all, "@fal-ai/client "+js.Version+" on Node "+say("node", "--version"))
}

// load says how busy the machine is: figures of a busy one are worth less.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	_, line, _ := strings.Cut(string(text), "model name\t: ")
	name, _, _ := strings.Cut(line, "\n")
	return name
}
