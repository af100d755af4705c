package batch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
)

// raced is a journal in which somebody else may put a row just before us.
type raced struct {
	batch.Journal

	before func(j batch.Journal, row batch.Row)
}

func (j raced) Put(ctx context.Context, row batch.Row) error {
	j.before(j.Journal, row)
	return j.Journal.Put(ctx, row)
}

// Two programs begin the same item at the same time: the one whose intent comes second
// sends nothing, whatever the first one has noted meanwhile.
func TestSecondIntent(t *testing.T) {
	t.Parallel()
	for _, other := range []batch.Row{
		{State: batch.Intent}, {State: batch.Submitted, RequestID: "theirs"}, {State: batch.Unknown}, {State: batch.Failed}, {State: batch.Done, RequestID: "theirs"},
	} {
		srv := faltest.NewServer(t)
		j := raced{batch.Memory(), func(j batch.Journal, row batch.Row) {
			row.State, row.RequestID = other.State, other.RequestID
			_ = j.Put(t.Context(), row) // only the first is kept
		}}
		_, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv), Journal: j}, mug("a"))
		if n := srv.Ledger().Posts; !errors.Is(err, batch.ErrConflict) || n != 0 {
			t.Errorf("%s: %d posts, %v", other.State, n, err)
		}
		if row, _, err := j.Get(t.Context(), "a"); err != nil || row.State != other.State || row.Revision != 1 {
			t.Errorf("%s: %+v, %v", other.State, row, err)
		}
	}
}

// Each state of an item is noted once: its intent, its job and its result, also where
// its answer was lost.
func TestRevisions(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		srv := faltest.NewServer(t)
		if lost {
			srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
		}
		var noted []string
		run := &batch.Runner{
			Client:  quick(srv),
			Journal: raced{batch.Memory(), func(_ batch.Journal, row batch.Row) { noted = append(noted, fmt.Sprint(row.Revision, row.State)) }},
			Reconcile: func(context.Context, *fal.OutcomeUnknownError) (string, error) {
				return srv.Ledger().Bills[0].RequestID, nil
			},
		}
		if _, err := batch.Step(t.Context(), run, mug("a")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1intent", "2submitted", "3done"}, noted); diff != "" {
			t.Errorf("lost %v (-want +got)\n%s", lost, diff)
		}
	}
}

// A picture that is shorter or longer than fal told is not kept.
func TestToldSize(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	made, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv)}, mug("a"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := srv.Client().Download(t.Context(), made.Out.Images[0])
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	size := int64(len(content))
	for told, ok := range map[int64]bool{0: true, size: true, size - 1: false, size + 1: false, 1: false} {
		out := *made.Out
		out.Images = slices.Clone(out.Images)
		out.Images[0].FileSize = told
		row := made.Row
		row.Revision = 1
		if row.Result, err = json.Marshal(out); err != nil {
			t.Fatal(err)
		}
		j, dir := batch.Memory(), t.TempDir()
		if err := j.Put(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		_, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv), Journal: j, Dir: dir}, mug("a"))
		left, _ := filepath.Glob(filepath.Join(dir, "*"))
		hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
		if (err == nil) != ok || !ok && !strings.Contains(err.Error(), fmt.Sprintf("it has %d bytes, and fal told of %d", size, told)) || (len(left) == 1) != ok || len(hidden) > 0 {
			t.Errorf("told of %d bytes of %d: %v; %q %q are left", told, size, err, left, hidden)
		}
	}
}

// The texts that people read, and what is counted in them.
func TestTexts(t *testing.T) {
	t.Parallel()
	if n := (batch.Progress{Kept: 1, Done: 2, Failed: 4, Unknown: 8, Running: 16, UnderWay: 32}).Ended(); n != 31 {
		t.Errorf("%d have ended", n)
	}
	for want, got := range map[string]fmt.Stringer{
		"0 done":            batch.Progress{},
		"3 done (1 before)": batch.Progress{Kept: 1, Done: 2},
		"0 done, 1 failed, 2 of unknown fate, 3 left running at fal, 1 under way": batch.Progress{Failed: 1, Unknown: 2, Running: 3, UnderWay: 1},
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for want, err := range map[string]error{
		`batch: key "k": the journal has it for a request to a/b, this one is to c/d: give it another key, or use another journal`: &batch.ConflictError{Key: "k", Had: "a/b", Has: "c/d"},
		`batch: key "k": the journal has it with another request to a/b: give it another key, or use another journal`:              &batch.ConflictError{Key: "k", Had: "a/b", Has: "a/b"},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

// The longest key is taken, and one letter more refused before anything is sent.
func TestLongestKey(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv), Concurrency: 10_000}
	for n, ok := range map[int]bool{1: true, 1024: true, 1025: false} {
		if _, err := batch.Step(t.Context(), run, mug(strings.Repeat("k", n))); (err == nil) != ok || !ok && !fal.NotSent(err) {
			t.Errorf("%d bytes: %v", n, err)
		}
		row := batch.Row{Key: strings.Repeat("k", n), Revision: 1, Endpoint: "a/b", State: batch.Intent}
		if err := row.Validate(); (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for name, row := range map[string]batch.Row{
		"no key": {Revision: 1, Endpoint: "a/b", State: batch.Intent}, "revision 0": {Key: "k", Endpoint: "a/b", State: batch.Intent},
		"no state": {Key: "k", Revision: 1, Endpoint: "a/b"}, "nothing of what": {Key: "k", Revision: 1, State: batch.Intent},
	} {
		if err := row.Validate(); err == nil {
			t.Errorf("%s is valid", name)
		}
	}
}

// Names that lead elsewhere are refused, and those with an id instead of a key are not.
func TestTemplates(t *testing.T) {
	t.Parallel()
	client := faltest.NewServer(t).Client()
	for template, want := range map[string]string{
		"/{key}{n}": "within Runner.Dir", `a\{key}{n}`: "within Runner.Dir", "{key}{n}/": "within Runner.Dir", "a/../../{key}{n}": "within Runner.Dir",
		"{key}{n}}": "a brace is closed", "{n}{ext}": "must have {key} or {id}", "{id}{ext}": "must have {n} or {-n}", "n": "must have {key}", "{ke}{n}": "unknown field {ke}",
		"{id}{n}": "", "{key}/{n}": "", "{endpoint}{id}{-n}{ext}": "", "a/./{key}{n}": "",
	} {
		run := &batch.Runner{Client: client, Name: template}
		var got string
		for _, err := range batch.Run(t.Context(), run, func(func(item) bool) {}) {
			got = err.Error()
		}
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", template, got, want)
		}
	}
}

// crowd refuses the first so many submits at once, when all of them are there.
type crowd struct {
	inner http.RoundTripper
	n     int

	mu   sync.Mutex
	come int
	all  chan struct{}
}

func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return c.inner.RoundTrip(r)
	}
	c.mu.Lock()
	c.come++
	early := c.come <= c.n
	if c.come == c.n {
		close(c.all)
	}
	c.mu.Unlock()
	if !early {
		return c.inner.RoundTrip(r)
	}
	<-c.all
	return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"detail":"slow"}`)), Request: r}, nil
}

// After a refusal half as many are under way at once, and each that is taken then adds
// one part of as many as there may be: it comes back slowly, and to where it was.
func TestLimitComesBack(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := quick(srv)
	client.Retry.MaxAttempts = 1
	inner := http.DefaultTransport
	if client.HTTPClient != nil && client.HTTPClient.Transport != nil {
		inner = client.HTTPClient.Transport
	}
	client.HTTPClient = &http.Client{Transport: &crowd{inner: inner, n: 8, all: make(chan struct{})}}
	run := &batch.Runner{Client: client, Concurrency: 8}
	next := make(chan struct{})
	items := func(yield func(item) bool) {
		for i := range 32 {
			if i >= 8 {
				<-next
			}
			if !yield(mug(strconv.Itoa(i))) {
				return
			}
		}
	}
	var limits []int
	n := 0
	for r, err := range batch.Run(t.Context(), run, items) {
		if err != nil {
			t.Fatal(r.Key, err)
		}
		if n++; n >= 8 {
			limits = append(limits, run.Progress().Limit)
			if n < 32 {
				next <- struct{}{}
			}
		}
	}
	if diff := cmp.Diff([]int{5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8}, limits); diff != "" {
		t.Errorf("%v (-want +got)\n%s", limits, diff)
	}
	if l := srv.Ledger(); l.Submissions != 32 {
		t.Errorf("%d jobs", l.Submissions)
	}
}
