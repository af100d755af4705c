package spend

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// Period is the time that a [Limit] is for.
type Period string

// The periods of limits. A request belongs to the time at which it was quoted.
// Time is counted by quarters of an hour: a period that rolls along begins with
// a whole one, and so is up to 15 minutes longer than it says.
const (
	Ever         Period = ""         // all that is spent
	Day          Period = "day"      // since midnight
	Month        Period = "month"    // since midnight of the first
	RollingDay   Period = "24 hours" // of now
	RollingMonth Period = "30 days"  // of now
)

// begin returns when the period began that a time is in, and when it ends; zero
// where there is no such moment. It is an error for a period that there is not.
func (p Period) begin(now time.Time, zone *time.Location) (from, to time.Time, err error) {
	year, month, day := now.In(cmp.Or(zone, time.UTC)).Date()
	midnight := func(month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, cmp.Or(zone, time.UTC))
	}
	switch p {
	case Ever:
	case Day:
		from, to = midnight(month, day), midnight(month, day+1)
	case Month:
		from, to = midnight(month, 1), midnight(month+1, 1)
	case RollingDay:
		from = now.Add(-24 * time.Hour)
	case RollingMonth:
		from = now.Add(-30 * 24 * time.Hour)
	default:
		err = fmt.Errorf("period %.60q: must be %q, %q, %q, %q or left out", string(p), Day, Month, RollingDay, RollingMonth)
	}
	return from, to, err
}

// quarter is a quarter of an hour, from the first of 1970. The midnights of all
// time zones begin one.
type quarter int32

func quarterOf(t time.Time) quarter { return quarter(t.Unix() / (15 * 60)) }

// keepQuarters is for how many of them it is known what was spent in each: those of
// 35 days, if something was in all of them.
const keepQuarters = keepDays * 24 * 4

// slot is what was spent and set aside in a quarter of an hour.
type slot struct {
	At   quarter     `json:"at"`
	Used pricing.USD `json:"used"`
}

// slots are the latest ones in order, without empty ones.
type slots []slot

// IsZero reports whether there are none.
func (s slots) IsZero() bool { return len(s) == 0 }

func (s slots) find(at quarter) (int, bool) {
	return slices.BinarySearchFunc(s, at, func(s slot, at quarter) int { return cmp.Compare(s.At, at) })
}

// add returns the slots with a change. The oldest are forgotten when there are too
// many: not by their time, since a clock that was ahead once would have all that
// comes after it forgotten.
func (s slots) add(at quarter, change pricing.USD) slots {
	i, ok := s.find(at)
	switch {
	case ok && s[i].Used+change > 0:
		s[i].Used += change
	case ok:
		s = slices.Delete(s, i, i+1)
	case change > 0:
		s = slices.Insert(s, i, slot{at, change})
	}
	return s[max(0, len(s)-keepQuarters):]
}

// after returns the slots without those that are too long ago.
func (s slots) after(now time.Time) slots {
	i, _ := s.find(quarterOf(now) - keepQuarters)
	return s[i:]
}

// keepSlots takes slots that were kept into the books. They are parts of what is
// spent, so that no sum of them overflows.
func (b *books) keepSlots(t Tag, s slots) error {
	rest := b.totals.All.Billed
	for i, one := range s {
		if rest -= one.Used; one.Used <= 0 || rest < 0 || i > 0 && s[i-1].At >= one.At {
			return errors.New("spent by time: not as it is written")
		}
	}
	if len(s) > 0 {
		b.slots[t] = slices.Clone(s)
	}
	return nil
}

// since returns what was spent and set aside since a time.
func (s slots) since(from time.Time) (sum pricing.USD) {
	i, _ := s.find(quarterOf(from))
	for _, one := range s[i:] {
		sum += one.Used // parts of a sum that can be held
	}
	return sum
}

// slide takes a change into the slots of those that an entry is part of. Those
// of a tag without value are of all requests that have it with one.
func (b *books) slide(e *Entry, change pricing.USD) {
	at := quarterOf(e.Time)
	add := func(t Tag) {
		if s := b.slots[t].add(at, change); len(s) > 0 {
			b.slots[t] = s
		} else {
			delete(b.slots, t)
		}
	}
	if change == 0 {
		return
	}
	add(Tag{})
	for name, value := range e.Tags {
		if value != "" {
			add(Tag{name, value})
			add(Tag{Name: name})
		}
	}
}

// usedSince returns what is spent and set aside of an account since a time; see
// account.
func (b *books) usedSince(a Tag, from time.Time) pricing.USD {
	switch {
	case from.IsZero():
		sum := b.account(a)
		return sum.Billed + sum.Reserved // which can be held
	case a.Name != "" && a.Value == "":
		return b.slots[Tag{}].since(from) - b.slots[a].since(from)
	}
	return b.slots[a].since(from)
}
