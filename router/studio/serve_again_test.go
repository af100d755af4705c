package studio_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router/studio"
)

// sheetID returns what a browser keeps the stars of a page under.
func sheetID(t *testing.T, body string) string {
	t.Helper()
	m := regexp.MustCompile(`data-sheet="([^"]+)"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatal("the page has no ID")
	}
	return m[1]
}

// A second draft on a page has pictures and stars of its own, and nothing that was
// picked on the first counts for it.
func TestServeAgain(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(300*time.Millisecond))
	s := serve(t, srv)
	first := sheetID(t, s.until("Pick the best"))
	s.ask(http.MethodPost, "", "seen=1&pick=0", nil)
	s.until("The finals are being made.")
	if _, err := s.Pick(t.Context(), []studio.Variant{{Index: 0}}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("picking while finals are made: %v", err)
	}
	if err := <-s.errs; err != nil {
		t.Fatal(err)
	}
	done := s.until("1 of 4 drafts were picked. All of it cost $")
	go func() {
		_, err := studio.Draft(context.WithoutCancel(t.Context()), srv.Client(), pageTask, studio.Drafts{Count: 4, Finals: 2}, s.Pick)
		s.errs <- err
	}()
	body := s.until("Pick the best")
	second := sheetID(t, body)
	if first == second || sheetID(t, done) != first {
		t.Errorf("the IDs are %s, %s when it is done, and %s", first, sheetID(t, done), second)
	}
	if token := strings.Split(s.URL(), "/")[3]; strings.Contains(body+done, token) {
		t.Error("the page tells the address that lets one pick")
	}
	if !strings.Contains(body, `src="./picture/2-draft-0-0"`) {
		t.Error("the pictures have the names of the first round")
	}
	if resp, _ := s.ask(http.MethodGet, "picture/1-draft-0-0", "", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a picture of the first round: status %d", resp.StatusCode)
	}
	if resp, _ := s.ask(http.MethodPost, "", "seen=1&pick=1", nil); resp.StatusCode != http.StatusConflict {
		t.Errorf("picked on the first page: status %d", resp.StatusCode)
	}
	s.ask(http.MethodPost, "", "seen=2&none=1", nil)
	if err := <-s.errs; err != nil {
		t.Fatal(err)
	}
	s.until("None was picked, so no final is made.")
}

// The end of drafts that a page shows no more does not end those that it shows.
func TestServeLateEnd(t *testing.T) {
	t.Parallel()
	client := faltest.NewServer(t).Client()
	page, err := studio.Serve(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	s := &served{Page: page, t: t}
	late, ended, errs := make(chan struct{}), make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := studio.Draft(context.WithoutCancel(t.Context()), client, pageTask, studio.Drafts{}, func(ctx context.Context, v []studio.Variant) ([]studio.Variant, error) {
			picked, err := page.Pick(ctx, v)
			<-late
			return picked, err
		})
		ended <- err
	}()
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&none=1", nil)
	s.until("None was picked")
	go func() {
		_, err := studio.Draft(context.WithoutCancel(t.Context()), client, pageTask, studio.Drafts{}, page.Pick)
		errs <- err
	}()
	s.until("Pick the best")
	close(late)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if resp, body := s.ask(http.MethodPost, "", "seen=2&pick=1", nil); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d, %s", resp.StatusCode, body)
	}
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
}

// A page that is closed does not stay in memory for as long as its context.
func TestServeForgotten(t *testing.T) {
	t.Parallel()
	client := faltest.NewServer(t).Client()
	page := func() weak.Pointer[studio.Page] {
		p, err := studio.Serve(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		return weak.Make(p)
	}()
	for range 200 {
		if runtime.GC(); page.Value() == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the page is still in memory")
}

// The last page has its pictures, whether or not they can be had once more.
func TestServeKeeps(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	s := serve(t, srv)
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&pick=0", nil)
	s.until("All of it cost $")
	srv.Close()
	if n := strings.Count(s.until("All of it cost $"), `src="data:image/`); n != 5 {
		t.Errorf("%d pictures are in the page", n)
	}
}

// deadlines takes down the deadlines of a request.
type deadlines struct {
	http.ResponseWriter
	read []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = append(d.read, t); return nil }

// A form that never ends is not waited for, events may be.
func TestServeSlowForm(t *testing.T) {
	t.Parallel()
	page, err := studio.Serve(t.Context(), faltest.NewServer(t).Client())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	for body, want := range map[string]int{"pick=1": 1, "": 0} {
		w := &deadlines{ResponseWriter: httptest.NewRecorder()}
		page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, page.URL(), strings.NewReader(body)))
		if len(w.read) != want || want > 0 && (time.Until(w.read[0]) > time.Minute || time.Until(w.read[0]) < time.Second) {
			t.Errorf("%q: deadlines %v", body, w.read)
		}
	}
}
