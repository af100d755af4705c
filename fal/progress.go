package fal

import "sync"

// progress tells a function how far an upload has come.
type progress struct {
	mu             sync.Mutex
	report         func(sent, total int64) // nil for nobody, and once it has ended
	total          int64                   // -1 while it is not known
	sent, reported int64
	err            error // report has panicked
}

func newProgress(report func(sent, total int64), total int64) *progress {
	return &progress{report: report, total: total}
}

// attempt counts what is sent in one attempt.
type attempt struct {
	p       *progress
	n       int64
	dropped bool
}

// begin begins an attempt.
func (p *progress) begin() *attempt { return &attempt{p: p} }

// add counts bytes that were sent.
func (a *attempt) add(n int64) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.n += n
	if !a.dropped {
		a.p.sent += n
		a.p.tell()
	}
}

// bytes returns how many bytes were sent. What was done before they were counted
// is done.
func (a *attempt) bytes() int64 {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	return a.n
}

// drop takes the attempt back: it is made anew.
func (a *attempt) drop() {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	if !a.dropped {
		a.p.sent -= a.n
		a.dropped = true
	}
}

// restart forgets what was sent.
func (p *progress) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = 0
}

// all says that everything was sent. The error is that of the function that
// was told.
func (p *progress) all(size int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total != size { // it is to be told that it is known now
		p.reported = 0
	}
	p.sent, p.total = size, size
	p.tell()
	return p.err
}

func (p *progress) tell() {
	if p.report == nil || p.sent <= p.reported {
		return
	}
	defer func() {
		if p.err != nil {
			p.report = nil
		}
	}()
	defer recovered("its progress", &p.err)
	p.reported = p.sent
	p.report(p.sent, p.total)
}

// end keeps what was left behind from telling anything more.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report = nil
}
