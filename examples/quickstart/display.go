package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/falimage/falimage-go/pricing"
)

// display shows how the jobs are doing: in place on a terminal, or else a line
// for each change, or JSON at the end.
type display struct {
	out      *os.File
	jobs     []*job
	asJSON   bool
	terminal bool

	mu    sync.Mutex
	state map[*job]string
	drawn bool
}

func newDisplay(out *os.File, jobs []*job, asJSON bool) *display {
	info, err := out.Stat()
	return &display{
		out: out, jobs: jobs, asJSON: asJSON, state: make(map[*job]string),
		terminal: err == nil && info.Mode()&os.ModeCharDevice != 0,
	}
}

func (d *display) note(text string) {
	if !d.asJSON {
		fmt.Fprintln(d.out, text)
	}
}

// update notes what a job is doing now; "" means that it has ended.
func (d *display) update(j *job, state string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if state == "" {
		state = "saved"
		if j.err != nil {
			state = "failed"
		}
	}
	d.state[j] = state
	switch {
	case d.asJSON:
	case d.terminal:
		if d.drawn {
			fmt.Fprintf(d.out, "\x1b[%dA", len(d.jobs)) // back to the first line
		}
		d.drawn = true
		for _, j := range d.jobs {
			fmt.Fprintf(d.out, "\x1b[2K%-12s %s\n", j.Model, d.state[j])
		}
	default:
		fmt.Fprintf(d.out, "%-12s %s\n", j.Model, state)
	}
}

// finish prints the outcome.
func (d *display) finish() error {
	if d.asJSON {
		encoder := json.NewEncoder(d.out)
		for _, j := range d.jobs {
			if j.err == nil {
				if err := encoder.Encode(j); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var quoted, billed pricing.USD
	var err error
	for _, j := range d.jobs {
		if j.err != nil {
			continue
		}
		fmt.Fprintf(d.out, "\n%s (%s)\n  quote   %v\n  billed  %v\n  request %s\n  size    %dx%d\n  file    %s\n",
			j.Model, j.Endpoint, j.Quote, j.Billed, j.RequestID, j.Width, j.Height, j.Path)
		for _, m := range j.notes {
			fmt.Fprintf(d.out, "  note    %v\n", m)
		}
		if quoted, err = quoted.Add(j.Quote); err != nil {
			return err
		}
		if billed, err = billed.Add(j.Billed); err != nil {
			return err
		}
	}
	simulated := ""
	if d.jobs[0].Simulated {
		simulated = " (simulated: nothing was charged)"
	}
	fmt.Fprintf(d.out, "\ntotal: quoted %v, billed %v%s\n", quoted, billed, simulated)
	return nil
}
