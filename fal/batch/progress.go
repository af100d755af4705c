package batch

import (
	"fmt"
	"strings"
	"time"
)

// Progress is how far Run is.
type Progress struct {
	// Taken is how many items were taken from the source. They are UnderWay, Kept
	// (the journal had their result), Done, Failed, Unknown, or Running: their jobs
	// go on at fal, and are not waited for any more.
	Taken, UnderWay, Kept, Done, Failed, Unknown, Running int
	// Limit is how many may be under way at once for now.
	Limit int
	// Elapsed is the time since Run began.
	Elapsed time.Duration
	// settled is when as many had ended as are under way at once: what comes
	// before tells nothing of the pace.
	settled time.Duration
	early   int // how many had ended then
}

// Ended returns how many items have ended.
func (p Progress) Ended() int { return p.Kept + p.made() }

// made returns how many items have ended that the journal did not have.
func (p Progress) made() int { return p.Done + p.Failed + p.Unknown + p.Running }

// PerMinute returns how many items are made in a minute, those that the journal had
// left aside; 0 until it can be told.
func (p Progress) PerMinute() int {
	made, took := p.pace()
	if made == 0 {
		return 0
	}
	return int(time.Duration(made) * time.Minute / took)
}

// pace returns how many items were made in what time; 0 until it can be told.
func (p Progress) pace() (int, time.Duration) {
	const least = 5
	made, took := p.made()-p.early, p.Elapsed-p.settled
	if p.early == 0 || made < least || took <= 0 {
		return 0, 0
	}
	return made, took
}

// Left returns how long a batch of so many items will take yet, and false until
// that can be told: when as many have ended as are under way at once, and five
// more.
func (p Progress) Left(items int) (time.Duration, bool) {
	made, took := p.pace()
	if made == 0 {
		return 0, false
	}
	return max(0, took/time.Duration(made)*time.Duration(items-p.Ended())), true
}

// String returns the counts in a few words.
func (p Progress) String() string {
	parts := []string{fmt.Sprintf("%d done", p.Kept+p.Done)}
	if p.Kept > 0 {
		parts[0] += fmt.Sprintf(" (%d before)", p.Kept)
	}
	for _, c := range []struct {
		n    int
		what string
	}{{p.Failed, "failed"}, {p.Unknown, "of unknown fate"}, {p.Running, "left running at fal"}, {p.UnderWay, "under way"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(parts, ", ")
}

// Progress returns how far Run is. It may be called at any time.
func (r *Runner) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress()
}

// progress is Progress for who holds the lock.
func (r *Runner) progress() Progress {
	p := r.counts
	if p.UnderWay = p.Taken - p.Ended(); !r.began.IsZero() {
		p.Elapsed = time.Since(r.began)
	}
	if r.gate != nil {
		p.Limit = r.gate.now()
	}
	return p
}

// count counts an item that has ended, and returns how many have failed; 0 if it has not.
func (r *Runner) count(row *Row, kept bool, err error) (failed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.counts
	switch {
	case kept && err == nil:
		c.Kept++
	case row.State == Submitted:
		c.Running++
	case row.State == Unknown || row.State == Intent:
		c.Unknown++
	case row.State == Done:
		c.Done++
	default:
		c.Failed++
	}
	if c.early == 0 && c.made() >= r.concurrency() {
		c.early, c.settled = c.made(), time.Since(r.began)
	}
	if row.State == Done {
		return 0
	}
	return c.made() - c.Done
}
