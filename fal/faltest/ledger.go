package faltest

import (
	"maps"
	"net/http"
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
	Frames      int // frames that realtime sessions sent
	Webhooks    int // calls of webhooks, repeated ones included

	// Bills is what each request was billed, by request id, in the order in
	// which the work was done. A server keeps the latest 50,000.
	Bills []Bill
}

// Bill is what one request was billed.
type Bill struct {
	RequestID string
	Endpoint  string
	Units     string // a decimal, as in the header x-fal-billable-units
	Tags      map[string]string
	// Call is the id of the client's call, which its log records and spans have
	// too; "" if it named none.
	Call string
	// Header is what the request said beside its body, credentials left out.
	Header map[string][]string
	// Query is what its address said.
	Query map[string][]string
}

const billsKept = 50_000

// Ledger returns what was counted so far.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger
	bills := s.bills[max(0, len(s.bills)-billsKept):]
	l.Bills = make([]Bill, len(bills))
	for i, b := range bills {
		l.Bills[i] = *b
		l.Bills[i].Tags = maps.Clone(b.Tags)
	}
	return l
}

// count changes the ledger.
func (s *Server) count(f func(*Ledger)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.ledger)
}

// bill writes down what a request is billed. The lock is held.
func (s *Server) bill(id, endpoint string, a answer, r *http.Request, p params) *Bill {
	header := r.Header.Clone()
	header.Del("Authorization")
	b := &Bill{
		RequestID: id, Endpoint: endpoint, Units: a.header["X-Fal-Billable-Units"],
		Tags: p.tags, Call: r.Header.Get("X-Call-Id"), Header: header, Query: r.URL.Query(),
	}
	s.bills = append(s.bills, b)
	if len(s.bills) == 2*billsKept {
		s.bills = slices.Clone(s.bills[billsKept:]) // not each time, which would cost as much as is kept
	}
	return b
}
