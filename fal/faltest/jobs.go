package faltest

import (
	"slices"
	"time"
)

// job is a request in the queue. Where it stands follows from the clock; no
// goroutine works on it.
type job struct {
	id       string
	app      string // owner and alias
	endpoint string
	begins   time.Time // leaves the queue
	ends     time.Time
	expires  time.Time // is kept no longer
	result   answer
	bill     *Bill
	past     *past
	seconds  float64 // inference time
	effects  effects
	// changed is closed when the job is cancelled before its end.
	changed   chan struct{}
	cancelled bool
}

// state returns where the job stands, and when that changes.
func (j *job) state(now time.Time) (state string, until time.Time) {
	switch {
	case j.cancelled || !now.Before(j.ends):
		return "COMPLETED", time.Time{}
	case now.Before(j.begins):
		return "IN_QUEUE", j.begins
	}
	return "IN_PROGRESS", j.ends
}

// How long fal keeps a result once it is there.
const (
	keptLarge  = 6 * time.Minute // of 10 kB or more
	kept       = time.Hour
	keptStored = 30 * 24 * time.Hour // where input and output are stored

	largeResult = 10_000
)

// storedMost is how many stored jobs a server keeps beyond their hour; tests
// lower it.
var storedMost = 10_000

// jobs are the jobs that are kept. Each list has those that are kept for the
// same time, the oldest first: looking at the first ones is enough to find
// what can go, however many there are.
type jobs struct {
	byID                 map[string]*job
	large, short, stored []*job
	waiting              []*job // those that may still be in the queue
}

// add keeps a job, and lets those go whose time is over.
func (all *jobs) add(j *job, stored bool, now time.Time) {
	list, d := &all.short, kept
	switch {
	case stored:
		list, d = &all.stored, keptStored
	case len(j.result.body) >= largeResult:
		list, d = &all.large, keptLarge
	}
	j.expires = j.ends.Add(d)
	all.byID[j.id] = j
	*list = append(*list, j)
	all.waiting = append(all.waiting, j)
	for _, list := range []*[]*job{&all.large, &all.short, &all.stored} {
		for len(*list) > 0 && !now.Before((*list)[0].expires) {
			all.drop(list)
		}
	}
	for len(all.stored) > storedMost && now.Sub(all.stored[0].ends) >= kept {
		all.drop(&all.stored)
	}
	for len(all.waiting) > 0 && !all.waiting[0].waits(now) {
		all.waiting[0] = nil
		all.waiting = all.waiting[1:]
	}
}

func (j *job) waits(now time.Time) bool {
	state, _ := j.state(now)
	return state == "IN_QUEUE"
}

// drop forgets the first job of a list.
func (all *jobs) drop(list *[]*job) {
	delete(all.byID, (*list)[0].id)
	(*list)[0] = nil // or else the array would keep it
	*list = (*list)[1:]
}

// get returns the job of an id, unless its time is over.
func (all *jobs) get(id string, now time.Time) *job {
	if j := all.byID[id]; j != nil && now.Before(j.expires) {
		return j
	}
	return nil
}

// queued returns how many jobs are in the queue.
func (all *jobs) queued(now time.Time) int {
	all.waiting = slices.DeleteFunc(all.waiting, func(j *job) bool { return !j.waits(now) })
	return len(all.waiting)
}
