package studio_test

import (
	"bufio"
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router/studio"
)

// serveLive is serve with drafts that come to the page one by one, when the test
// lets them.
func serveLive(t *testing.T, srv *faltest.Server, count int) (*served, chan<- struct{}) {
	t.Helper()
	client := srv.Client()
	page, err := studio.Serve(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	s := &served{page, t, make(chan *studio.Drafted, 1), make(chan error, 1)}
	go func() {
		drafts := studio.Drafts{Count: count, Finals: 2, Made: func(v studio.Variant) {
			<-gate
			page.Show(v)
		}}
		made, err := studio.Draft(context.WithoutCancel(t.Context()), client, pageTask, drafts, page.Pick)
		s.made <- made
		s.errs <- err
	}()
	t.Cleanup(page.Close)
	return s, gate
}

// events is where the page that a browser has listens.
func (s *served) events(body string) string {
	s.t.Helper()
	m := regexp.MustCompile(`data-events="(events/\d+)"`).FindStringSubmatch(body)
	if m == nil {
		s.t.Fatal("the page listens to nothing")
	}
	return m[1]
}

// listen returns what the page that a browser has is told.
func (s *served) listen(body string) *bufio.Scanner {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL()+s.events(body), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	return bufio.NewScanner(resp.Body)
}

// next returns the next event and its data.
func next(events *bufio.Scanner) string {
	var all []string
	for events.Scan() {
		switch line := events.Text(); {
		case strings.HasPrefix(line, "event:"), strings.HasPrefix(line, "data:"):
			all = append(all, strings.TrimSpace(line))
		case line == "" && all != nil:
			return strings.Join(all, "|")
		}
	}
	return "the end"
}

// Each draft is on the page as it is made, and what is on it stays when the last is
// there and something can be picked.
func TestServeShowsDrafts(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	s, gate := serveLive(t, srv, 4)
	before := s.until("The drafts are being made.")
	events := s.listen(before)
	gate <- struct{}{}
	if got := next(events); got != "event: reload|data:" {
		t.Errorf("of the first draft one is told %q", got)
	}
	body := s.until("1 of 4 drafts are there.")
	for want, n := range map[string]int{
		`src="./picture/1-draft-`: 1, "Not there yet.": 3, `width="512"`: 1, "512 × 512": 4, "1 picture, 3 under way": 1, `data-most="2"`: 1, `http-equiv="refresh"`: 1,
		`name="pick"`: 0, `name="none"`: 0, `method="post"`: 0,
	} {
		if got := strings.Count(body, want); got != n {
			t.Errorf("%q is %d times on the page, want %d", want, got, n)
		}
	}
	if resp, _ := s.ask(http.MethodPost, "", "seen=1&pick=0", nil); resp.StatusCode != http.StatusConflict {
		t.Errorf("picked before all are there: status %d", resp.StatusCode)
	}
	if _, err := s.Pick(t.Context(), []studio.Variant{{Index: 0}}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("others pick while drafts are made: %v", err)
	}
	events = s.listen(body)
	if got := next(events); got != "event: more|data:" { // some may have come meanwhile
		t.Errorf("at first one is told %q", got)
	}
	for i := range 3 {
		gate <- struct{}{}
		if got := next(events); got != "event: more|data:" {
			t.Errorf("of draft %d one is told %q", i+1, got)
		}
	}
	if last := next(events); last != "event: reload|data: later" {
		t.Errorf("when all are there one is told %q", last)
	}
	picking := s.until("Pick the best")
	if sheetID(t, picking) != sheetID(t, body) || strings.Count(picking, `src="./picture/1-draft-`) != 4 || strings.Contains(picking, `http-equiv="refresh"`) {
		t.Errorf("the page to pick on is another")
	}
	if resp, body := s.ask(http.MethodPost, "", "seen=1&pick=2", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("status %d, %s", resp.StatusCode, body)
	}
	if made := <-s.made; len(made.Finals) != 1 || made.Picked[0].Index != 2 {
		t.Errorf("%v, picked %v", <-s.errs, made.Picked)
	}
	s.until("1 of 4 drafts were picked.")
}

// gate is a guard that lets the requests to a model pass one by one.
type gate struct {
	endpoint string
	open     chan struct{}
}

func (g gate) Reserve(_ context.Context, u fal.Usage, _ map[string]string) (fal.Reservation, error) {
	if u.Endpoint == g.endpoint {
		<-g.open
	}
	return accepted(func() {}), nil
}

// Each final is on the page as it is made, and the page stays until all are there: then
// it has whatever else was tried for them.
func TestServeShowsFinals(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 1)
	client := srv.Client()
	g := gate{pro2, make(chan struct{})}
	client.Guard = g
	task := pageTask
	task.Only = []string{"flux.Pro2", "flux.Flash2"}
	s := draft(t, client, task, studio.Drafts{Count: 3, Finals: 2, Models: []string{"flux.Schnell"}})
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&pick=0&pick=2", nil)
	body := s.until("The finals are being made.")
	events := s.listen(body)
	if got := next(events); got != "event: more|data:" { // some may have come meanwhile
		t.Errorf("at first one is told %q", got)
	}
	more := func() {
		for got := next(events); got != "event: more|data:"; got = next(events) {
			if !strings.HasPrefix(got, "event: progress") {
				t.Fatalf("of a final one is told %q", got)
			}
		}
	}
	g.open <- struct{}{} // it fails there, and is made by another
	more()
	_, half := s.ask(http.MethodGet, "", "", nil)
	if strings.Count(half, `src="./picture/1-final-`) != 1 || strings.Count(half, "Not there yet.") != 1 || strings.Count(half, `data-key="final`) != 2 || strings.Contains(half, "Application not found") || !strings.Contains(half, s.events(body)) {
		t.Errorf("the page is another when the first final is there: %s", half)
	}
	g.open <- struct{}{}
	more()
	if got := next(events); got != "event: reload|data:" {
		t.Errorf("at the end one is told %q", got)
	}
	if made := <-s.made; <-s.errs != nil || len(made.Images()) != 2 {
		t.Errorf("%+v", made)
	}
	if body := s.until("All of it cost $"); strings.Count(body, `data-key="final`) != 3 || !strings.Contains(body, "Application not found") {
		t.Error("what was tried is not on the last page")
	}
}

// A final for which nothing could be sent is said not to be made, while the page waits
// for others.
func TestServeShowsNoFinal(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.WrongSize(2752, 1536), 1) // its final would cost more than was approved
	client := srv.Client()
	g := gate{"fal-ai/flux-2-pro/edit", make(chan struct{})}
	client.Guard = g
	task := pageTask
	task.Only = []string{"flux.Pro2Edit"}
	s := draft(t, client, task, studio.Drafts{Count: 2, Finals: 2, Models: []string{"flux.Schnell"}, FromDraft: true})
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&pick=0&pick=1", nil)
	if body := s.until("It was not made."); strings.Count(body, "Not there yet.") != 1 || !strings.Contains(body, "The finals are being made.") {
		t.Error("the page does not wait for the other final")
	}
	g.open <- struct{}{}
	if made := <-s.made; <-s.errs == nil || len(made.Images()) != 1 || made.Missing != 1 {
		t.Errorf("%+v", made)
	}
}

// Of a final that failed the page says why, while it waits for others.
func TestServeShowsWhyNoFinal(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.LateFailure(422, "image_too_small", "Too small"), 1)
	client := srv.Client()
	g := gate{pro2, make(chan struct{})}
	client.Guard = g
	task := pageTask
	task.Only = []string{"flux.Pro2"}
	s := draft(t, client, task, studio.Drafts{Count: 2, Finals: 2, Models: []string{"flux.Schnell"}})
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&pick=0&pick=1", nil)
	g.open <- struct{}{}
	if body := s.until("Too small"); strings.Count(body, "Not there yet.") != 1 || !strings.Contains(body, "The finals are being made.") {
		t.Error("the page does not wait for the other final")
	}
	g.open <- struct{}{}
	if made := <-s.made; <-s.errs == nil || len(made.Images()) != 1 || made.Missing != 1 {
		t.Errorf("%+v", made)
	}
}

// Drafts that fail are shown too, and the page says how it ends, whoever picks.
func TestServeShowsFailures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(422, "image_too_small", "Too small"), 2)
	s, gate := serveLive(t, srv, 2)
	gate <- struct{}{}
	if body := s.until("0 pictures, 1 under way, 1 failed"); !strings.Contains(body, "Too small") {
		t.Error("the page does not say what failed")
	}
	gate <- struct{}{}
	if <-s.made; <-s.errs == nil {
		t.Error("no draft was made, and that is no error")
	}
	s.until("There was nothing to pick from.")

	client := srv.Client()
	drafts := studio.Drafts{Count: 3, Made: s.Show}
	if _, err := studio.Draft(t.Context(), client, pageTask, drafts, func(context.Context, []studio.Variant) ([]studio.Variant, error) {
		body := s.until("3 of 3 drafts are there.")
		if !strings.Contains(body, `http-equiv="refresh"`) {
			t.Error("without script, the page is not loaded again before one can pick")
		}
		return nil, nil
	}); err != nil {
		t.Error(err)
	}
	s.until("None was picked, so no final is made.")
	if _, err := studio.Draft(t.Context(), client, pageTask, drafts, theFirst); err != nil {
		t.Error(err)
	}
	s.until("1 of 3 drafts were picked. All of it cost $")
}

// Of very many drafts none is shown before all are there, and none of others while
// the page is in use.
func TestServeShowsNot(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	page, err := studio.Serve(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	s := &served{Page: page, t: t}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := studio.Draft(ctx, client, pageTask, studio.Drafts{Count: 2001, Made: func(v studio.Variant) {
		page.Show(v)
		cancel()
	}}, page.Pick); err == nil {
		t.Error("the context ended, and that is no error")
	}
	s.until("The drafts are being made.")
	page.Show(studio.Variant{}) // of no draft

	picks := make(chan error)
	go func() {
		_, err := page.Pick(t.Context(), []studio.Variant{{Index: 0}})
		picks <- err
	}()
	s.until("Pick the best")
	told := new(atomic.Int32)
	made, err := studio.Draft(t.Context(), client, pageTask, studio.Drafts{Count: 3, Made: func(v studio.Variant) {
		told.Add(1)
		page.Show(v)
	}}, theFirst)
	if err != nil || told.Load() != 3 || len(made.Finals) != 1 {
		t.Errorf("%v, told of %d", err, told.Load())
	}
	if _, body := s.ask(http.MethodGet, "", "", nil); !strings.Contains(body, "Pick the best") || strings.Contains(body, "picture/") {
		t.Error("drafts of others are on the page")
	}
	s.ask(http.MethodPost, "", "seen=1&none=1", nil)
	if err := <-picks; err != nil {
		t.Error(err)
	}
}

// A page is for one draft at a time, from its first draft to its finals.
func TestServeShowsOne(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(time.Second))
	s, gate := serveLive(t, srv, 2)
	gate <- struct{}{}
	s.until("1 of 2 drafts are there.")
	var other studio.Variant
	if _, err := studio.Draft(t.Context(), srv.Client(), pageTask, studio.Drafts{Count: 1, Made: func(v studio.Variant) {
		other = v
		s.Show(v)
	}}, theFirst); err != nil {
		t.Fatal(err)
	}
	s.until("1 of 2 drafts are there.")
	gate <- struct{}{}
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&pick=1", nil)
	s.Show(other)
	if _, body := s.ask(http.MethodGet, "", "", nil); strings.Contains(body, "of 1 drafts") {
		t.Error("a draft of others took the page from the finals")
	}
	if made := <-s.made; <-s.errs != nil || len(made.Images()) != 1 {
		t.Errorf("%+v", made)
	}
}

// Who asks twice on a page gets two answers, and an old form is not the second.
func TestServeAsksTwice(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	page, err := studio.Serve(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	s := &served{page, t, make(chan *studio.Drafted, 1), make(chan error, 1)}
	go func() {
		made, err := studio.Draft(context.WithoutCancel(t.Context()), client, pageTask, studio.Drafts{Count: 2, Made: page.Show}, func(ctx context.Context, v []studio.Variant) ([]studio.Variant, error) {
			if _, err := page.Pick(ctx, v); err != nil {
				return nil, err
			}
			return page.Pick(ctx, v)
		})
		s.made <- made
		s.errs <- err
	}()
	s.until(`name="seen" value="1"`)
	s.ask(http.MethodPost, "", "seen=1&pick=0", nil)
	s.until(`name="seen" value="2"`)
	if resp, _ := s.ask(http.MethodPost, "", "seen=1&pick=0", nil); resp.StatusCode != http.StatusConflict {
		t.Errorf("the first answer again: status %d", resp.StatusCode)
	}
	s.ask(http.MethodPost, "", "seen=2&pick=1", nil)
	if made := <-s.made; <-s.errs != nil || made.Picked[0].Index != 1 {
		t.Errorf("picked %v", made.Picked)
	}
}

// A page that ends waits until a browser has loaded its last state. That its script has
// asked for it, to fill in what was made, is not enough.
func TestServeEndsOnceLoaded(t *testing.T) {
	t.Parallel()
	s := serve(t, faltest.NewServer(t))
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&none=1", nil)
	<-s.made
	as := func(mode string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", mode) }
	}
	if _, body := s.ask(http.MethodGet, "", "", as("cors")); !strings.Contains(body, "None was picked") {
		t.Fatal("this is not the last state")
	}
	closed := make(chan struct{})
	go func() {
		s.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Fatal("the page has ended before a browser has loaded it")
	case <-time.After(300 * time.Millisecond):
	}
	s.ask(http.MethodGet, "", "", as("navigate"))
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("the page has not ended")
	}
}
