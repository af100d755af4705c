package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// Show says how far a batch is: by a bar on a terminal, by a line now and then
// elsewhere, and in a file that Watch reads in another terminal.
type Show struct {
	Out      io.Writer
	Terminal bool
	Path     string // of the file; "" writes none
	Items    int    // in the batch
	Runner   *batch.Runner
	Budget   *spend.Budget

	mu   sync.Mutex
	last string    // what was said last
	said time.Time // when that was
}

// Status is how far a batch is, as the file has it.
type Status struct {
	batch.Progress
	Items, PerMinute int
	// Left is how long it will take yet, and Projected what all of it will have cost;
	// 0 until that can be told.
	Left             time.Duration
	Spent, Projected pricing.USD
	At               time.Time
	Over             bool
}

// How often a bar is drawn, a line is written where there is no terminal, and the
// file; and how old that is when its program must have ended.
const (
	drawTime, lineTime, fileTime = 200 * time.Millisecond, 5 * time.Second, time.Second
	staleTime                    = 5 * time.Second
)

// clearLine clears the line of a terminal.
const clearLine = "\r\x1b[2K"

// Begin shows how far it is until end is called.
func (s *Show) Begin() (end func() error) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(drawTime)
		defer tick.Stop()
		var written time.Time
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			now := s.status()
			s.show(now, false)
			if time.Since(written) >= fileTime {
				written = time.Now()
				_ = now.write(s.Path) // it is for looking at only
			}
		}
	}()
	return func() error {
		close(over)
		<-done
		now := s.status()
		now.Over = true
		s.show(now, true)
		return now.write(s.Path)
	}
}

// Line writes a line beside the bar.
func (s *Show) Line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Terminal {
		fmt.Fprintf(s.Out, "%s", clearLine)
	}
	fmt.Fprintf(s.Out, format+"\n", args...)
	if s.Terminal {
		fmt.Fprintf(s.Out, "%s", s.last)
	}
}

func (s *Show) status() Status {
	p := s.Runner.Progress()
	now := Status{Progress: p, Items: s.Items, PerMinute: p.PerMinute(), Spent: s.Budget.Spent(), At: time.Now()}
	var known bool
	if now.Left, known = p.Left(s.Items); known {
		now.Projected, _ = now.Spent.Scale(int64(s.Items), int64(now.Ended())) // 0 if it is past all numbers
	}
	return now
}

// show draws the bar, or writes a line if it is time for one.
func (s *Show) show(now Status, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch text := now.String(); {
	case s.Terminal:
		s.last = bar(now.Ended(), now.Items) + " " + text
		fmt.Fprintf(s.Out, "%s%s", clearLine, s.last)
		if last {
			fmt.Fprintln(s.Out)
		}
	case last || time.Since(s.said) >= lineTime && text != s.last:
		s.last, s.said = text, time.Now()
		fmt.Fprintln(s.Out, text)
	}
}

func (s Status) String() string {
	text := fmt.Sprintf("%v of %d, %v spent", s.Progress, s.Items, s.Spent)
	if s.Over {
		return text
	}
	if s.Projected > 0 {
		text += fmt.Sprintf(" (about %v in the end)", (s.Projected+pricing.Cent/2)/pricing.Cent*pricing.Cent)
	}
	if s.PerMinute > 0 {
		text += fmt.Sprintf(", %d a minute", s.PerMinute)
	}
	if s.Left > 0 {
		text += fmt.Sprintf(", about %v left", s.Left.Round(time.Second))
	}
	return text
}

// bar draws how much is done.
func bar(done, total int) string {
	const width = 24
	full := min(width, width*done/max(total, 1))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// write writes the file as a whole: who reads it never sees a half.
func (s Status) write(path string) error {
	if path == "" {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o644); err != nil { //nolint:gosec // it is for others to read
		return err
	}
	return os.Rename(path+".new", path)
}

// Watch shows what the file of a batch says, in a program of its own, until that batch
// has ended.
func Watch(ctx context.Context, w io.Writer, terminal bool, path string) error {
	s := &Show{Out: w, Terminal: terminal}
	tick := time.NewTicker(drawTime)
	defer tick.Stop()
	for {
		now, err := readStatus(path)
		if err != nil {
			return err
		}
		stale := !now.Over && time.Since(now.At) > staleTime
		s.show(now, now.Over || stale)
		switch {
		case now.Over:
			return nil
		case stale:
			return fmt.Errorf("its program has said nothing for %v: it may have been killed, and -resume goes on with it", time.Since(now.At).Round(time.Second))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func readStatus(path string) (s Status, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%s is not there: no batch has begun", path)
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		err = fmt.Errorf("%s, which tells of the batch, cannot be read: %w", path, err)
	}
	return s, err
}

// Terminal reports whether what a program writes is looked at as it comes.
func Terminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
