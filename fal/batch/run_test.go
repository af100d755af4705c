package batch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/qwen"
)

// mugs yields n items, FLUX and Qwen in turn.
func mugs(n int) iter.Seq[item] {
	return func(yield func(item) bool) {
		for i := range n {
			it := mug(fmt.Sprintf("m%03d", i))
			if i%2 == 1 {
				it.Request = qwen.Image{Prompt: it.Key, ImageSize: fal.Size(256, 256)}
			}
			if !yield(it) {
				return
			}
		}
	}
}

// collect runs a batch, and returns the keys that came with and without an error,
// and the error at the end.
func collect(ctx context.Context, run *batch.Runner, items iter.Seq[item]) (done, failed []string, end error) {
	for r, err := range batch.Run(ctx, run, items) {
		switch {
		case r.Key == "":
			end = err
		case err != nil:
			failed = append(failed, r.Key)
		default:
			done = append(done, r.Key)
		}
	}
	slices.Sort(done)
	slices.Sort(failed)
	return done, failed, end
}

// A run makes every item once, and the next one nothing.
func TestRun(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.InjectFor("fal-ai/qwen-image", faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1)
	j, dir := batch.Memory(), t.TempDir()
	for i := range 2 {
		run := &batch.Runner{Client: quick(srv), Journal: j, Dir: dir, Concurrency: 4}
		done, failed, end := collect(t.Context(), run, mugs(20))
		if len(done) != 19 || len(failed) != 1 || end != nil {
			t.Fatalf("%d: %q %q %v", i, done, failed, end)
		}
		p := run.Progress()
		if p.Taken != 20 || p.Ended() != 20 || p.UnderWay != 0 || p.Failed != 1 || p.Kept != 19*i || p.Limit < 1 {
			t.Errorf("%d: %+v", i, p)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if l := srv.Ledger(); l.Submissions != 20 || l.Downloads != 19 || len(files) != 19 {
		t.Errorf("%d jobs, %d downloads, %d files", l.Submissions, l.Downloads, len(files))
	}
}

// No more run at once than are allowed, and the source is not read ahead.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(20*time.Millisecond))
	var taken, yielded atomic.Int64
	items := func(yield func(item) bool) {
		for it := range mugs(1 << 30) {
			taken.Add(1)
			if !yield(it) {
				return
			}
		}
	}
	run := &batch.Runner{Client: quick(srv), Concurrency: 3}
	for _, err := range batch.Run(t.Context(), run, items) {
		if err != nil {
			t.Fatal(err)
		}
		if ahead := taken.Load() - yielded.Add(1); ahead > 4 {
			t.Errorf("%d items were taken ahead", ahead)
		}
		if yielded.Load() == 20 {
			break
		}
	}
	if jobs := srv.Ledger().Submissions; jobs > 23 {
		t.Errorf("%d jobs", jobs)
	}
}

// Items begin no faster than is allowed, and what is left is told when it can be.
func TestPace(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv), Concurrency: 4, Every: 15 * time.Millisecond}
	const items = 20
	start, n := time.Now(), 0
	for _, err := range batch.Run(t.Context(), run, mugs(items)) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		p := run.Progress()
		left, known := p.Left(items)
		if known && n < 9 || !known && p.Ended() > 12 || left < 0 || p.Ended() == items && left != 0 || known != (p.PerMinute() > 0) {
			t.Errorf("after %d: %v left, %v; %+v", n, left, known, p)
		}
	}
	if took := time.Since(start); took < (items-1)*run.Every {
		t.Errorf("%d items in %v", items, took)
	}
}

// What fal refuses since there is too much is sent again, by fewer at once, and comes
// in the end.
func TestTooMany(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.TooManyRequests(0), 40)
	client := quick(srv)
	client.Retry.MaxAttempts = 1
	run := &batch.Runner{Client: client, Concurrency: 16}
	least := 16
	var keys []string
	for r, err := range batch.Run(t.Context(), run, mugs(60)) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, r.Key)
		least = min(least, run.Progress().Limit)
	}
	slices.Sort(keys)
	if l := srv.Ledger(); l.Submissions != 60 || l.Posts != 100 || len(slices.Compact(keys)) != 60 || least > 4 {
		t.Errorf("%d jobs, %d posts, %d keys, limit %d", l.Submissions, l.Posts, len(keys), least)
	}
}

// A budget ends a batch before it is exceeded, and the rest can be done later.
func TestBudget(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	j := batch.Memory()
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: 5 * pricing.Cent}}}
	client := quick(srv)
	client.Guard = budget
	items := func(yield func(item) bool) {
		for i := range 20 {
			if !yield(mug(strconv.Itoa(i))) { // $0.003 each
				return
			}
		}
	}
	done, failed, end := collect(t.Context(), &batch.Runner{Client: client, Journal: j, Concurrency: 2}, items)
	stopped, ok := errors.AsType[*batch.StopError](end)
	over, isBudget := errors.AsType[*spend.BudgetError](end)
	if !ok || !isBudget || over.Left >= 3*pricing.Cent/10 || len(done) != 16 || len(failed) < 1 || stopped.Ended() != len(done)+len(failed) {
		t.Errorf("%q %q %v", done, failed, end)
	}
	if budget.Spent() != 48*pricing.Cent/10 || srv.Ledger().Submissions != 16 {
		t.Errorf("spent %v", budget.Spent())
	}
	// One below a single item lets nothing be sent, and says what is left.
	poor := quick(srv)
	poor.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Cent / 10}}}
	posts := srv.Ledger().Posts
	_, _, end = collect(t.Context(), &batch.Runner{Client: poor}, items)
	if over, ok := errors.AsType[*spend.BudgetError](end); !ok || over.Left != pricing.Cent/10 || srv.Ledger().Posts != posts || !strings.Contains(end.Error(), "$0.001 left") {
		t.Errorf("below one item: %v", end)
	}
	richer := quick(srv)
	done, failed, end = collect(t.Context(), &batch.Runner{Client: richer, Journal: j}, items)
	if len(done) != 20 || len(failed) != 0 || end != nil || srv.Ledger().Submissions != 20 {
		t.Errorf("%q %q %v", done, failed, end)
	}
}

// A guard that knows nothing of journals is told how each request ended, though its
// answer was lost.
func TestPlainGuard(t *testing.T) {
	t.Parallel()
	for _, accepted := range []bool{true, false} {
		srv := faltest.NewServer(t)
		fault := faltest.Reset()
		if accepted {
			fault = faltest.LostAnswer()
		}
		srv.Inject(faltest.OpSubmit, fault, 1)
		client, guard := quick(srv), new(plainGuard)
		client.Guard = guard
		run := &batch.Runner{Client: client, Reconcile: func(context.Context, *fal.OutcomeUnknownError) (string, error) {
			if accepted {
				return srv.Ledger().Bills[0].RequestID, nil
			}
			return "", absentError{errors.New("absent")}
		}}
		want := []string{"reserve", "accepted", "settled 1"}
		if !accepted {
			want = []string{"reserve", "released", "reserve", "accepted", "settled 1"}
			if _, err := batch.Step(t.Context(), run, mug("a")); !fal.NotSent(err) || !strings.Contains(err.Error(), "it may be sent again") {
				t.Errorf("absent: %v", err)
			}
		}
		if _, err := batch.Step(t.Context(), run, mug("a")); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, guard.told); diff != "" {
			t.Errorf("accepted %v (-want +got)\n%s", accepted, diff)
		}
	}
}

type plainGuard struct{ told []string }

func (g *plainGuard) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	g.told = append(g.told, "reserve")
	return g, nil
}
func (g *plainGuard) Accepted(string)    { g.told = append(g.told, "accepted") }
func (g *plainGuard) Settled(m fal.Meta) { g.told = append(g.told, "settled "+m.BillableUnits) }
func (g *plainGuard) Released(error)     { g.told = append(g.told, "released") }

// What no other item can do better at ends it; so do too many failures, and Stop.
func TestStops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		set    func(t *testing.T, srv *faltest.Server, run *batch.Runner)
		during func(run *batch.Runner)
		want   func(error) bool
		most   int // items that are done
	}{
		{name: "key", set: func(_ *testing.T, _ *faltest.Server, run *batch.Runner) { run.Client.Key = fal.NewKey("a:b") },
			want: func(err error) bool { return errors.Is(err, fal.ErrUnauthorized) }},
		{name: "account", set: func(_ *testing.T, srv *faltest.Server, _ *batch.Runner) {
			srv.Inject(faltest.OpSubmit, faltest.LockedAccount(), 2)
		},
			want: func(err error) bool { return errors.Is(err, fal.ErrLocked) }, most: 40},
		{name: "failures", set: func(_ *testing.T, srv *faltest.Server, run *batch.Runner) {
			run.MaxFailures, run.Concurrency = 2, 1 // else all others may be done while one fails
			srv.Inject(faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 2)
		}, want: func(err error) bool { return errors.Is(err, fal.ErrContentPolicy) }, most: 40},
		{name: "stop", during: (*batch.Runner).Stop, want: func(err error) bool { return errors.Is(err, batch.ErrStopped) }, most: 4},
		{name: "journal", set: func(_ *testing.T, _ *faltest.Server, run *batch.Runner) {
			run.Journal = &mortal{Journal: batch.Memory(), left: 7}
		},
			want: func(err error) bool { return strings.Contains(err.Error(), "the program has ended") }, most: 4},
		{name: "books", set: func(_ *testing.T, _ *faltest.Server, run *batch.Runner) {
			run.Client.Guard = unwritable{}
		}, want: func(err error) bool { return errors.Is(err, os.ErrPermission) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			run := &batch.Runner{Client: quick(srv), Concurrency: 2}
			if tt.set != nil {
				tt.set(t, srv, run)
			}
			n, done := 0, 0
			var end error
			for r, err := range batch.Run(t.Context(), run, mugs(50)) {
				if n++; r.Key == "" {
					end = err
				} else if err == nil {
					done++
				}
				if tt.during != nil && n == 1 {
					tt.during(run)
				}
			}
			if _, ok := errors.AsType[*batch.StopError](end); !ok || !tt.want(end) || done > tt.most {
				t.Errorf("%d done: %v", done, end)
			}
		})
	}
}

// unwritable is a budget whose ledger cannot be written any more.
type unwritable struct{}

func (unwritable) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	return nil, fmt.Errorf("spend: ledger: %w", &os.PathError{Op: "write", Path: "ledger", Err: os.ErrPermission})
}

// A folder that is full stops what is not begun, and what is paid is on record; the
// next run saves it.
func TestFolderFails(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	j, dir := batch.Memory(), t.TempDir()
	run := &batch.Runner{Client: quick(srv), Journal: j, Dir: dir, Name: "pictures/{key}{-n}{ext}", Concurrency: 2}
	if err := os.WriteFile(filepath.Join(dir, "pictures"), nil, 0o600); err != nil { // no folder can be there
		t.Fatal(err)
	}
	done, failed, end := collect(t.Context(), run, mugs(20))
	if len(done) != 0 || len(failed) == 0 || len(failed) > 4 || end == nil {
		t.Fatalf("%q %q %v", done, failed, end)
	}
	for key, state := range states(t, j) {
		if state != batch.Done {
			t.Errorf("%s: %s", key, state)
		}
	}
	if err := os.Remove(filepath.Join(dir, "pictures")); err != nil {
		t.Fatal(err)
	}
	run = &batch.Runner{Client: quick(srv), Journal: j, Dir: dir, Name: run.Name}
	done, failed, end = collect(t.Context(), run, mugs(20))
	files, _ := filepath.Glob(filepath.Join(dir, "pictures", "*"))
	if len(done) != 20 || len(failed) != 0 || end != nil || len(files) != 20 || srv.Ledger().Submissions != 20 {
		t.Errorf("%q %q %v, %d files", done, failed, end, len(files))
	}
}

// Nothing is left behind when a run is left.
func TestNothingIsLeft(t *testing.T) {
	srv := faltest.NewServer(t, faltest.RunTime(10*time.Millisecond))
	client, transport := quick(srv), new(http.Transport)
	client.HTTPClient = &http.Client{Transport: transport}
	before := runtime.NumGoroutine()
	for range 3 {
		for _, err := range batch.Run(t.Context(), &batch.Runner{Client: client}, mugs(100)) {
			if err != nil {
				t.Error(err)
			}
			break
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		transport.CloseIdleConnections()
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// Wrong settings are refused before anything is submitted, and say what is accepted.
func TestBadRunner(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, run := range map[string]*batch.Runner{
		"Runner.Client":              {},
		"Concurrency -1":             {Client: srv.Client(), Concurrency: -1},
		"Concurrency 10001":          {Client: srv.Client(), Concurrency: 10001},
		"Every -1s":                  {Client: srv.Client(), Every: -time.Second},
		"MaxFailures -1":             {Client: srv.Client(), MaxFailures: -1},
		"Runner.Webhook is not set":  {Client: srv.Client(), Handler: new(webhook.Handler)},
		"unknown field {sku}":        {Client: srv.Client(), Name: "{sku}{n}"},
		"not closed":                 {Client: srv.Client(), Name: "{key}{n"},
		"within Runner.Dir":          {Client: srv.Client(), Name: "../{key}{n}"},
		"must have {key}":            {Client: srv.Client(), Name: "picture{n}"},
		"must have {n}":              {Client: srv.Client(), Name: "{key}"},
		"nothing can be saved there": {Client: srv.Client(), Dir: filepath.Join(file, "x")},
	} {
		done, failed, end := collect(t.Context(), run, mugs(3))
		if end == nil || !strings.Contains(end.Error(), want) || !fal.NotSent(end) || done != nil || failed != nil {
			t.Errorf("%s: %v", want, end)
		}
	}
	if srv.Ledger().Posts != 0 {
		t.Error("something was sent")
	}
}

// Names of files come from the template; what cannot be in a name is replaced, and
// no file takes the place of another.
func TestNames(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	dir := t.TempDir()
	for template, keys := range map[string][]string{
		"": {"a", "../a", "a/b", "a b", ".hidden", "ä"}, "{endpoint}/{key}-{n}{ext}": {"x"}, "{{{key}{n}{ext}": {"y"},
	} {
		run := &batch.Runner{Client: quick(srv), Dir: dir, Name: template}
		for _, key := range keys {
			if _, err := batch.Step(t.Context(), run, mug(key)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Another batch in the same folder.
	if _, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv), Dir: dir}, item{Key: "a", Request: flux.Schnell{Prompt: "a fox", NumImages: 2}}); err != nil {
		t.Fatal(err)
	}
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator))))
		}
		return err
	})
	want := []string{
		"_-x.jpg", "_a-x.jpg", "a-2.jpg", "a-x.jpg", "a.jpg", "a_b-x.jpg", "a_b-x.jpg", "fal-ai_flux_schnell-x/x-1.jpg", "hidden-x.jpg", "{y1.jpg",
	}
	for i := range names {
		names[i] = sums.ReplaceAllString(names[i], "-x")
	}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}
