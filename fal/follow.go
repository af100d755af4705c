package fal

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

const (
	// Fal sends something on a status stream at least every 15 seconds. One
	// that is silent for longer than this is taken for dead.
	streamIdle = 20 * time.Second
	// streamBegin is how long the beginning of a stream is waited for, and
	// streamEnd how long its end after the last status.
	streamBegin = 10 * time.Second
	// streamQuiet is how long a stream may tell no status before it is asked
	// beside it.
	streamQuiet = 3 * time.Second
	streamEnd   = 5 * time.Millisecond
	// minPoll and maxPoll bound the time between two polls.
	minPoll = 100 * time.Millisecond
	maxPoll = 5 * time.Second
	// outageWaits is how long a job is followed without an answer, in units of
	// the longest wait between two attempts.
	outageWaits = 15
	// maxStatusStream limits one status stream: then another is begun.
	maxStatusStream = 16 << 20
	// maxLogs limits the log lines of one job that are passed on, and maxLogText
	// their length together.
	maxLogs, maxLogText = 50_000, 16 << 20
)

// Updates follows the job and yields its status at each change, the last time
// when it is completed. It listens to fal's status stream and, where that
// fails or falls silent, asks from time to time. An error comes once and last.
func (j *Job[Out]) Updates(ctx context.Context) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		ctx, err := j.j.ready(ctx)
		if err != nil {
			yield(Status{}, err)
			return
		}
		if err := j.j.follow(ctx, func(s Status) bool { return yield(s, nil) }); err != nil && !errors.Is(err, errStopped) {
			yield(Status{}, err)
		}
	}
}

// errStopped says that whoever followed the job has seen enough.
var errStopped = errors.New("stopped")

// wait follows the job to its end and hands its result to take.
func (j *job) wait(ctx context.Context, take func(http.Header, []byte) error) error {
	for {
		j.mu.Lock()
		done := j.done
		j.mu.Unlock()
		if !done {
			err := j.follow(ctx, func(s Status) bool {
				if j.onUpdate != nil {
					j.onUpdate(s)
				}
				return true
			})
			if err != nil {
				return err
			}
		}
		if done, err := j.fetch(ctx, take); done || err != nil {
			return err
		}
		// Completed, and yet in progress: fal is running it once more.
		j.mu.Lock()
		j.done = false
		j.mu.Unlock()
		if err := sleep(ctx, minPoll); err != nil {
			return j.unfinished(err)
		}
	}
}

// follow calls f for each change of the job's status until it is completed.
func (j *job) follow(ctx context.Context, f func(Status) bool) error {
	w := watcher{job: j, f: f, start: time.Now()}
	w.answered = w.start
	streams := true // until one did not even begin
	for {
		if streams {
			began, err := w.stream(ctx)
			if found := w.takeBeside(); found != nil && !w.done && err == nil {
				began, err = false, w.next(*found) // a stream that is behind is not listened to again
			}
			if w.done || errors.Is(err, errStopped) {
				return err
			}
			streams = began
		}
		// The stream may have ended because the job did.
		err := w.poll(ctx)
		if w.done || err != nil {
			return err
		}
		if err := sleep(ctx, w.pollInterval()); err != nil {
			return j.unfinished(err)
		}
	}
}

// watcher turns what streams and polls tell into single changes.
type watcher struct {
	job      *job
	f        func(Status) bool
	start    time.Time
	answered time.Time // when fal last answered
	last     Status
	any      bool  // last is set
	logs     []Log // passed on so far
	replayed int   // of these, those that the stream has told again
	logText  int   // their length
	done     bool
	before   string // the error of the poll before
	failed   int    // polls in a row that did

	mu     sync.Mutex // for what a look beside the stream shares with it
	beside *Status    // what such a look has found
}

// pollInterval grows with the time already waited.
func (w *watcher) pollInterval() time.Duration {
	return min(max(time.Since(w.start)/10, minPoll), maxPoll)
}

// next passes a status on if it tells anything new.
func (w *watcher) next(s Status) error {
	w.answered = time.Now()
	w.done, w.before, w.failed = s.State.ended(), "", 0
	s.Logs = w.unseen(s.Logs)
	w.mu.Lock()
	changed := !w.any || len(s.Logs) > 0 || w.differs(s)
	w.last, w.any = s, true
	w.mu.Unlock()
	if changed && !w.f(s) {
		return errStopped
	}
	return nil
}

func (w *watcher) differs(s Status) bool {
	return s.State != w.last.State || s.QueuePosition != w.last.QueuePosition
}

// look asks beside a stream that tells no status. If that finds anything new,
// the stream is ended, for it to be passed on.
func (w *watcher) look(ctx context.Context, end func()) (again bool) {
	s, err := func() (_ Status, err error) {
		defer recovered("asking", &err) // this is a goroutine of ours
		return w.job.askStatus(ctx)
	}()
	if err != nil {
		return ctx.Err() == nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.any && !w.differs(s) {
		return true
	}
	w.beside = &s
	end()
	return false
}

// takeBeside returns what a look beside the stream has found, if anything.
func (w *watcher) takeBeside() *Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.beside
	w.beside = nil
	return found
}

// unseen returns the log lines that were not passed on yet. A poll returns all
// lines so far. Whether a stream does so too, or the new ones alone, and
// whether a second stream begins anew, no source tells: both are taken.
func (w *watcher) unseen(lines []Log) []Log {
	fresh := lines
	if n := common(lines, w.logs); n == len(w.logs) {
		fresh, w.replayed = lines[n:], n // all so far
	} else if n := common(lines, w.logs[w.replayed:]); n == len(lines) || w.replayed+n == len(w.logs) {
		fresh = lines[n:] // told again
		w.replayed += n
	}
	for i, line := range fresh {
		if w.logText += len(line.Message); w.logText > maxLogText || len(w.logs)+i >= maxLogs {
			fresh = fresh[:i]
			break
		}
	}
	if len(fresh) > 0 {
		w.logs = append(w.logs, fresh...)
		w.replayed = len(w.logs)
	}
	return fresh
}

// common is the number of lines in which two logs begin alike.
func common(a, b []Log) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// poll asks once. What says nothing of the job is not reported before the
// outage has lasted too long, and what fal says of the question only if it says so twice.
func (w *watcher) poll(ctx context.Context) error {
	s, err := w.job.askStatus(ctx)
	if err == nil {
		w.replayed = 0
		return w.next(s)
	}
	repeated := gist(err) == w.before
	w.before = gist(err)
	w.failed++
	outage := w.failed >= minLooks && time.Since(w.answered) >= w.job.c.outage()
	if ctx.Err() != nil || hopeless(err) || outage || repeated && certain(err) {
		return err
	}
	return nil
}

// certain reports whether an error is fal's own about the question: the same
// would be answered again.
func certain(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.ofForm && e.Status < 500 && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout
}

// stream listens to the status stream until it ends. Began says that it gave
// at least one status: it is then worth trying again. What ended it is found
// out by the poll that follows; the only error is errStopped.
func (w *watcher) stream(ctx context.Context) (began bool, err error) {
	target := w.job.base + "/status/stream"
	if w.job.logs {
		target += "?logs=1"
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The timer that is due first is set first: the runtime wakes a thread for
	// each that is due before all others.
	var quiet *time.Timer
	quiet = time.AfterFunc(streamQuiet, func() {
		if w.look(ctx, cancel) {
			quiet.Reset(maxPoll)
		}
	})
	defer quiet.Stop()
	silence := time.AfterFunc(streamBegin, cancel)
	defer silence.Stop()
	resp, err := w.job.c.transport.Send(ctx, &transport.Request{
		Class: transport.Once, Method: http.MethodGet, URL: target, Header: eventStream,
		Auth: true, Endpoint: w.job.endpoint, Stream: true,
	})
	if err != nil {
		return false, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !isEventStream(resp) {
		return false, nil
	}
	silence.Reset(streamIdle)
	w.takeBeside() // of a stream before, too late
	w.replayed = 0
	noisy := noisyReader{Reader: resp.Body, silence: silence}
	for event, err := range readEvents(ctx, &noisy, maxStatus, maxStatusStream) {
		if err != nil {
			return began, nil
		}
		b, ok := decodeStatus(event.data)
		if !ok {
			continue
		}
		began = true
		quiet.Reset(streamQuiet)
		if err := w.next(w.job.note(&b)); err != nil {
			return began, err
		}
		if w.done {
			// Fal ends the stream here. Reading its end lets the connection
			// be used again for the result.
			if !noisy.ended {
				silence.Reset(streamEnd)
				_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
			}
			return began, nil
		}
	}
	return began, nil
}

// noisyReader puts off the silence timer with each read.
type noisyReader struct {
	io.Reader
	silence *time.Timer
	ended   bool // it was read to its end
}

func (r *noisyReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.ended = err != nil
	if n > 0 {
		r.silence.Reset(streamIdle)
	}
	return n, err
}

var eventStream = http.Header{"Accept": {"text/event-stream"}, "Cache-Control": {"no-cache"}}

func isEventStream(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
}

// sleep waits, or returns the error of the context if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
