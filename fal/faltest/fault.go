package faltest

import (
	"cmp"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
)

// Op is something that clients ask of the server.
type Op string

// The operations that can be made to fail.
const (
	OpSubmit       Op = "submit"
	OpRun          Op = "run"
	OpStream       Op = "stream"
	OpStatus       Op = "status"
	OpStatusStream Op = "status-stream"
	OpResult       Op = "result"
	OpCancel       Op = "cancel"
	OpUpload       Op = "upload"
	OpUploadPart   Op = "upload-part"
	OpRealtime     Op = "realtime"
	OpDownload     Op = "download"
	OpPlatform     Op = "platform"
	// OpWebhook is a call that the server makes. A fault is what comes back of
	// it: after [LostAnswer] and After the receiver has it, and is called again.
	OpWebhook Op = "webhook"
)

// Fault is something that goes wrong, see [Server.Inject]. Some faults strike
// an exchange, such as [LostAnswer]; others strike the work that a submit, run
// or stream begins, such as [LateFailure].
type Fault struct {
	exchange func(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter))
	effect   func(*effects)
}

// effects are what goes wrong with the work on a request.
type effects struct {
	failure       *answer // instead of the result
	nsfw          bool
	width, height int // instead of those asked for
	nulls         bool
	changes       []func(result map[string]any)
	oddStatus     string
	silent        bool // the status stream says nothing
	heartbeats    bool // the status stream says that it is alive, and no more
	dropped       bool // the status stream breaks off
	locked        int  // so many polls find the account locked
}

// begins reports whether the operation begins work on a request.
func (op Op) begins() bool {
	return op == OpSubmit || op == OpRun || op == OpStream || op == OpRealtime
}

var ops = []Op{OpSubmit, OpRun, OpStream, OpStatus, OpStatusStream, OpResult, OpCancel, OpUpload, OpUploadPart, OpRealtime, OpDownload, OpPlatform, OpWebhook}

type rule struct {
	op       Op
	endpoint string
	fault    Fault
	left     int
	struck   bool
	where    string // the caller's file and line
}

// Inject lets the given operation fail the next so many times. Faults that
// are injected one after the other strike one after the other; those that
// strike the work itself strike the same request together, each once. What is
// returned takes the fault back: from then on it does not strike, and a test
// does not fail for its not having struck. Inject panics if the fault is the
// zero Fault, times is not positive, there is no such operation, or the fault
// strikes work that the operation does not begin.
func (s *Server) Inject(op Op, f Fault, times int) (takeBack func()) {
	return s.inject("", op, f, times)
}

// InjectFor is Inject for requests to one endpoint.
func (s *Server) InjectFor(endpoint string, op Op, f Fault, times int) (takeBack func()) {
	return s.inject(endpoint, op, f, times)
}

func (s *Server) inject(endpoint string, op Op, f Fault, times int) (takeBack func()) {
	must(slices.Contains(ops, op), "Inject: there is no operation %q; did you mean %s?", op, nearest(string(op), ops))
	must(f.exchange != nil || f.effect != nil, "Inject(%s): the Fault is empty: it comes from a function such as LostAnswer", op)
	must(times > 0, "Inject(%s): %d times: must be at least 1", op, times)
	must(f.effect == nil || op.begins(), "Inject(%s): this fault strikes work, which only %s, %s and %s begin", op, OpSubmit, OpRun, OpStream)
	_, file, line, _ := runtime.Caller(2)
	r := &rule{op: op, endpoint: endpoint, fault: f, left: times, where: fmt.Sprintf("%s:%d", filepath.Base(file), line)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, r)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(other *rule) bool { return other == r })
	}
}

// idle says which faults never struck.
func (s *Server) idle() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var idle []string
	for _, r := range s.faults {
		if !r.struck {
			idle = append(idle, fmt.Sprintf("%s: the fault that was injected for %s %s never struck", r.where, cmp.Or(r.endpoint, "any endpoint,"), r.op))
		}
	}
	return idle
}

// next returns the faults that strike an operation: the first that strikes
// the exchange, or all that strike the work. The lock is not held.
func (s *Server) next(op Op, endpoint string, work bool) (struck []Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.faults {
		if r.op != op || r.endpoint != "" && r.endpoint != endpoint || (r.fault.effect != nil) != work {
			continue
		}
		r.left--
		r.struck = true
		if struck = append(struck, r.fault); !work {
			break
		}
	}
	s.faults = slices.DeleteFunc(s.faults, func(r *rule) bool { return r.left == 0 })
	return struck
}

// misspelt answers a request that asks for a fault that there is not.
func (s *Server) misspelt(w http.ResponseWriter, r *http.Request) bool {
	name := r.Header.Get(FaultHeader)
	if _, ok := named[name]; ok || name == "" {
		return false
	}
	writeDetail(w, http.StatusBadRequest, fmt.Sprintf("%s: there is no fault %q; did you mean %s?", FaultHeader, name, nearest(name, FaultNames())))
	return true
}

// nearest returns the three names that are most like a misspelt one.
func nearest[T ~string](name string, names []T) string {
	names = slices.SortedStableFunc(slices.Values(names), func(a, b T) int {
		return cmp.Compare(distance(name, string(a)), distance(name, string(b)))
	})
	return fmt.Sprintf("%s, %s or %s", names[0], names[1], names[2])
}

// distance is how many letters must be changed, added or left out.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// faulty serves an exchange, or lets it fail.
func (s *Server) faulty(w http.ResponseWriter, r *http.Request, op Op, endpoint string, next func(http.ResponseWriter)) {
	if f := named[r.Header.Get(FaultHeader)]; f.exchange != nil {
		f.exchange(w, r, next)
		return
	}
	for _, f := range s.next(op, endpoint, false) {
		f.exchange(w, r, next)
		return
	}
	next(w)
}

// effects collects what goes wrong with the work that a request begins.
func (s *Server) effects(r *http.Request, op Op, endpoint string) effects {
	var e effects
	if f := named[r.Header.Get(FaultHeader)]; f.effect != nil {
		f.effect(&e)
	}
	for _, f := range s.next(op, endpoint, true) {
		f.effect(&e)
	}
	return e
}
