package batch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
)

// fickle is a fal that answers submits with one status after the other, the last for ever,
// and notes when they came. A job that it takes is done at once.
type fickle struct {
	statuses []int
	wait     string        // that it asks for
	takes    time.Duration // until it answers a submit

	mu   sync.Mutex
	came []time.Time
}

func (f *fickle) RoundTrip(r *http.Request) (*http.Response, error) {
	header, status, body := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, http.StatusOK, ""
	switch {
	case r.Method == http.MethodPost:
		time.Sleep(f.takes)
		f.mu.Lock()
		defer f.mu.Unlock()
		status, body = f.statuses[min(len(f.came), len(f.statuses)-1)], `{"detail":"no","request_id":"job"}`
		f.came = append(f.came, time.Now())
		if f.wait != "" {
			header.Set("Retry-After", f.wait)
		}
	case strings.HasSuffix(r.URL.Path, "/requests/job/status"):
		body = `{"status":"COMPLETED","request_id":"job"}`
	case strings.HasSuffix(r.URL.Path, "/requests/job"):
		body = `{"images":[{"url":"https://v3.fal.media/a.png"}],"seed":1}`
	default:
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// pauses are the times between the submits.
func (f *fickle) pauses() (all []time.Duration) {
	for i := 1; i < len(f.came); i++ {
		all = append(all, f.came[i].Sub(f.came[i-1]))
	}
	return all
}

// run returns a runner of one item at a time.
func (f *fickle) run(retry fal.Retry) *batch.Runner {
	retry.MaxAttempts = 1
	c := &fal.Client{HTTPClient: &http.Client{Transport: f}, Key: fal.NewKey("id:secret"), Retry: retry}
	return &batch.Runner{Client: c, Concurrency: 1}
}

// The pause after a refusal doubles with each further one, within the bounds of the
// client's Retry, unless fal says how long to wait; and ten minutes of refusals are enough.
func TestPauses(t *testing.T) {
	t.Parallel()
	const ms, second = time.Millisecond, time.Second
	for name, tt := range map[string]struct {
		retry    fal.Retry
		wait     string
		refusals int
		want     []time.Duration
		ends     bool
	}{
		"doubles": {fal.Retry{MinWait: ms, MaxWait: time.Hour}, "", 13, []time.Duration{
			ms, 2 * ms, 4 * ms, 8 * ms, 16 * ms, 32 * ms, 64 * ms, 128 * ms, 256 * ms, 512 * ms, 1024 * ms, 1024 * ms, 1024 * ms,
		}, false},
		"as long as may be": {fal.Retry{MinWait: second, MaxWait: 5 * second}, "", 5, []time.Duration{second, 2 * second, 4 * second, 5 * second, 5 * second}, false},
		"as usual":          {fal.Retry{}, "", 7, []time.Duration{250 * ms, 500 * ms, second, 2 * second, 4 * second, 8 * second, 8 * second}, false},
		"less than nothing": {fal.Retry{MinWait: -1, MaxWait: -1}, "", 2, []time.Duration{250 * ms, 500 * ms}, false},
		"as it is told":     {fal.Retry{}, "7", 2, []time.Duration{7 * second, 7 * second}, false},
		"told nothing":      {fal.Retry{}, "0", 2, []time.Duration{250 * ms, 500 * ms}, false},
		"told a day":        {fal.Retry{}, "86400", 9, []time.Duration{10 * time.Minute}, true},
		"for long":          {fal.Retry{MinWait: 4 * time.Minute, MaxWait: 4 * time.Minute}, "", 9, []time.Duration{4 * time.Minute, 4 * time.Minute, 4 * time.Minute}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				busy := &fickle{statuses: append(slices.Repeat([]int{429}, tt.refusals), 422), wait: tt.wait}
				_, failed, end := collect(t.Context(), busy.run(tt.retry), mugs(2))
				want := tt.want
				if !tt.ends {
					want = append(want, 0) // the second item begins at once
				}
				if diff := cmp.Diff(want, busy.pauses()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				stopped, _ := errors.AsType[*batch.StopError](end)
				if (stopped != nil) != tt.ends || tt.ends != errors.Is(end, fal.ErrRateLimited) || tt.ends && len(failed) != 1 || !tt.ends && len(failed) != 2 {
					t.Errorf("%q failed, and it ended by %v", failed, end)
				}
			})
		})
	}
}

// Pauses begin anew once fal has taken an item, and not when it has refused one for good.
func TestPausesBeginAnew(t *testing.T) {
	t.Parallel()
	const first = 250 * time.Millisecond
	for _, tt := range []struct {
		second int // what becomes of the first item in the end
		pause  time.Duration
	}{{http.StatusOK, first}, {http.StatusUnprocessableEntity, 4 * first}} {
		synctest.Test(t, func(t *testing.T) {
			busy := &fickle{statuses: []int{429, 429, tt.second, 429, 200}}
			_, _, _ = collect(t.Context(), busy.run(fal.Retry{}), mugs(2))
			if diff := cmp.Diff([]time.Duration{first, 2 * first, 0, tt.pause}, busy.pauses()); diff != "" {
				t.Errorf("%d (-want +got)\n%s", tt.second, diff)
			}
		})
	}
}

// Items that wait to begin again, and the next one, begin no more when the batch ends,
// whatever ends it: the error of each is that which it had.
func TestWaitsNoMore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end   func(run *batch.Runner, leave context.CancelFunc) // after a minute
		posts int
		want  error
	}{
		"context":  {func(_ *batch.Runner, leave context.CancelFunc) { leave() }, 3, context.Canceled},
		"stop":     {func(run *batch.Runner, _ context.CancelFunc) { run.Stop() }, 3, batch.ErrStopped},
		"patience": {func(*batch.Runner, context.CancelFunc) {}, 4, fal.ErrRateLimited}, // after ten
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				busy := &fickle{statuses: []int{429}, takes: time.Second} // by when all others wait
				run := busy.run(fal.Retry{MinWait: time.Hour, MaxWait: time.Hour})
				run.Concurrency = 3
				go func() {
					time.Sleep(time.Minute)
					tt.end(run, leave)
				}()
				n := 0
				var end error
				for r, err := range batch.Run(ctx, run, mugs(9)) {
					if r.Key == "" {
						end = err
						continue
					}
					if n++; r.State != batch.Failed || !errors.Is(err, fal.ErrRateLimited) || errors.Is(err, context.Canceled) {
						t.Errorf("%s: %v", r.Key, err)
					}
				}
				stopped, _ := errors.AsType[*batch.StopError](end)
				if n != 3 || len(busy.came) != tt.posts || stopped == nil || !errors.Is(end, tt.want) || run.Progress().Taken != 3 {
					t.Errorf("%d items, %d posts, %+v: %v", n, len(busy.came), run.Progress(), end)
				}
			})
		})
	}
}

// Nothing begins once the context has ended, the batch is told to stop or something
// ends it, though there is room.
func TestBeginsNoMore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		set   func(run *batch.Runner, srv *faltest.Server)
		after func(run *batch.Runner, leave context.CancelFunc) // the first item
		want  error
	}{
		"context": {after: func(_ *batch.Runner, leave context.CancelFunc) { leave() }, want: context.Canceled},
		"stop":    {after: func(run *batch.Runner, _ context.CancelFunc) { run.Stop() }, want: batch.ErrStopped},
		"locked":  {set: func(_ *batch.Runner, srv *faltest.Server) { srv.Inject(faltest.OpSubmit, faltest.LockedAccount(), 1) }, want: fal.ErrLocked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			run := &batch.Runner{Client: quick(srv), Concurrency: 4}
			if tt.set != nil {
				tt.set(run, srv)
			}
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			next := make(chan struct{})
			items := func(yield func(item) bool) {
				if yield(mug("a")) {
					<-next
					_ = yield(mug("b"))
				}
			}
			var keys []string
			var end error
			for r, err := range batch.Run(ctx, run, items) {
				if keys = append(keys, r.Key); r.Key == "" {
					end = err
					continue
				}
				if tt.after != nil {
					tt.after(run, leave)
				}
				close(next)
			}
			if diff := cmp.Diff([]string{"a", ""}, keys); diff != "" || !errors.Is(end, tt.want) || run.Progress().Taken != 1 {
				t.Errorf("%d taken, %v (-want +got)\n%s", run.Progress().Taken, end, diff)
			}
		})
	}
}

// When a run is over nothing of it is left: neither what waits for its context, nor, should
// the loop panic, who does the items.
func TestNothingGoesOn(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) { // which fails if anything is left
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			seen := &seen{Journal: batch.Memory()}
			run := (&fickle{statuses: []int{422}}).run(fal.Retry{})
			run.Journal, run.Concurrency = seen, 3
			func() {
				defer func() { _ = recover() }()
				for r, err := range batch.Run(ctx, run, mugs(9)) {
					if err == nil || r.State != batch.Failed {
						t.Errorf("%s %v", r.State, err)
					}
					if panics {
						panic("in the loop")
					}
				}
			}()
			if seen.last == nil || !errors.Is(seen.last.Err(), context.Canceled) {
				t.Errorf("panics %v: the context of the run goes on: %v", panics, seen.last)
			}
			if p := run.Progress(); p.UnderWay != 0 || (p.Taken == 9) == panics {
				t.Errorf("panics %v: %+v", panics, p)
			}
		})
	}
}

// seen is a journal that notes by what context it is asked.
type seen struct {
	batch.Journal

	last context.Context //nolint:containedctx // that is what it notes
}

func (s *seen) Get(ctx context.Context, key string) (batch.Row, bool, error) {
	if key == "m000" {
		s.last = ctx
	}
	return s.Journal.Get(ctx, key)
}

// A line may be long, and not longer than a megabyte.
func TestLongLines(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{100_000: true, 1<<20 - 20: true, 1 << 20: false} {
		var got []batch.Record
		var problem error
		for r, err := range batch.ReadJSONLines(strings.NewReader("{}\n{\"a\":\"" + strings.Repeat("x", n) + "\"}\n{}")) {
			if problem = err; err == nil {
				got = append(got, r)
			}
		}
		if (problem == nil) != ok || ok && (len(got) != 3 || len(got[1].Fields["a"]) != n || got[1].Line != 2) || !ok && len(got) != 1 {
			t.Errorf("%d: %d lines, %v", n, len(got), problem)
		}
	}
}

// A table may have a mark before its first column, which may be in quotes.
func TestMarkOfTables(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\ufeffa,b\n1,2\n":           "map[a:1 b:2]",
		"\ufeff\"a\",\"b\"\n1,2\n":   "map[a:1 b:2]",
		"\"a, \ufeffb\"\n\"\ufeff\"": "map[a, \ufeffb:\ufeff]",
		"\ufeff":                     "names of the columns are missing",
		"a":                          "",
	} {
		got := ""
		for r, err := range batch.ReadCSV(strings.NewReader(text)) {
			if got += fmt.Sprint(r.Fields); err != nil {
				got = err.Error()
			}
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
