package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/pricing/spend"
)

// progress shows how far the work is: a bar on a terminal, or else a line for
// each tenth.
type progress struct {
	out      io.Writer
	terminal bool
	total    int
	budget   *spend.Budget
	start    time.Time

	mu    sync.Mutex
	done  int
	drawn time.Time
}

func newProgress(out io.Writer, terminal bool, total int, budget *spend.Budget) *progress {
	return &progress{out: out, terminal: terminal, total: total, budget: budget, start: time.Now()}
}

// add notes that a product is ready.
func (p *progress) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	switch {
	case p.terminal:
		if time.Since(p.drawn) > 100*time.Millisecond || p.done == p.total {
			p.drawn = time.Now()
			fmt.Fprintf(p.out, "\r\x1b[2K%s %s", bar(p.done, p.total, 30), p.line())
		}
	case tenth(p.done, p.total) > tenth(p.done-1, p.total):
		fmt.Fprintln(p.out, p.line())
	}
}

// end goes on to the next line.
func (p *progress) end() {
	if p.terminal && p.done > 0 {
		fmt.Fprintln(p.out)
	}
}

func (p *progress) line() string {
	elapsed := time.Since(p.start)
	left := time.Duration(float64(elapsed) / float64(p.done) * float64(p.total-p.done))
	return fmt.Sprintf("%d of %d products, %v spent, %v gone, about %v left",
		p.done, p.total, p.budget.Spent(), elapsed.Round(time.Second), left.Round(time.Second))
}

func tenth(done, total int) int { return 10 * done / max(total, 1) }

// bar draws how much is done.
func bar(done, total, width int) string {
	full := min(width, width*done/max(total, 1))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}
