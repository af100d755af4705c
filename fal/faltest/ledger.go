package faltest

import (
	"maps"
	"slices"
)

// Ledger is what a server counted since it started.
type Ledger struct {
	Posts       int // requests to start work, refused ones included
	Submissions int // jobs that were accepted into the queue
	Runs        int // direct calls and streams that were accepted
	Polls       int // status requests
	Streams     int // status streams
	Results     int // results fetched, those of failed jobs included
	Cancels     int
	Uploads     int // files uploaded
	Downloads   int // files fetched
	Platform    int // questions to the platform API

	// Bills is what each request was billed, by request id, in the order in
	// which the work was done.
	Bills []Bill
}

// Bill is what one request was billed.
type Bill struct {
	RequestID string
	Endpoint  string
	Units     string // a decimal, as in the header x-fal-billable-units
	Tags      map[string]string
	// Header is what the request said beside its body, credentials left out.
	Header map[string][]string
	// Query is what its address said.
	Query map[string][]string
}

func newLedger() Ledger { return Ledger{} }

// Ledger returns what was counted so far.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger
	l.Bills = slices.Clone(l.Bills)
	for i := range l.Bills {
		l.Bills[i].Tags = maps.Clone(l.Bills[i].Tags)
	}
	return l
}

// count changes the ledger.
func (s *Server) count(f func(*Ledger)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.ledger)
}
