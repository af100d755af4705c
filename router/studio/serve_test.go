package studio_test

import (
	"bufio"
	"context"
	"errors"
	"image"
	_ "image/jpeg"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// pageTask is a task of two finals of four drafts.
var pageTask = router.Task{Prompt: `a mug </script><script>alert("x")</script>`, Size: "square"}

// served is a page and a draft that waits on it.
type served struct {
	*studio.Page
	t    *testing.T
	made chan *studio.Drafted
	errs chan error
}

func serve(t *testing.T, srv *faltest.Server) *served {
	t.Helper()
	return draft(t, srv.Client(), pageTask, studio.Drafts{Count: 4, Finals: 2})
}

// draft makes drafts that are picked on a page.
func draft(t *testing.T, client *fal.Client, task router.Task, drafts studio.Drafts) *served {
	t.Helper()
	page, err := studio.Serve(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	s := &served{page, t, make(chan *studio.Drafted, 1), make(chan error, 1)}
	go func() {
		made, err := studio.Draft(context.WithoutCancel(t.Context()), client, task, drafts, page.Pick)
		s.made <- made
		s.errs <- err
	}()
	return s
}

// ask asks for something of the page, and changes the request first.
func (s *served) ask(method, path, form string, change func(*http.Request)) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL()+path, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if change != nil {
		change(r)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(body)
}

// until asks for the page until it has a text.
func (s *served) until(text string) string {
	s.t.Helper()
	for range 500 {
		if _, body := s.ask(http.MethodGet, "", "", nil); strings.Contains(body, text) {
			return body
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("the page never has %q", text)
	return ""
}

// A person picks while the program waits, without any script.
func TestServe(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(300*time.Millisecond))
	s := serve(t, srv)
	body := s.until("<h1 dir=\"auto\">Pick the best</h1>")
	for _, want := range []string{"Pick up to 2. A final by ", "$", `data-most="2"`, `src="./picture/1-draft-0-0"`, "Make the finals", "a mug &lt;/script&gt;"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(body, `name="pick" value=`); n != 4 {
		t.Errorf("%d can be picked", n)
	}
	resp, picture := s.ask(http.MethodGet, "picture/1-draft-3-0", "", nil)
	if kind := resp.Header.Get("Content-Type"); kind != http.DetectContentType([]byte(picture)) || !strings.HasPrefix(kind, "image/") {
		t.Errorf("the picture is %s", kind)
	}
	for _, form := range []string{"", "pick=9", "pick=0&pick=0", "pick=0&pick=1&pick=2", "pick=%zz"} {
		if resp, body := s.ask(http.MethodPost, "", "seen=1&"+form, nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d, %s", form, resp.StatusCode, body)
		}
	}
	for _, form := range []string{"pick=0", "none=1", "seen=0&pick=0", "seen=2&none=1"} {
		if resp, body := s.ask(http.MethodPost, "", form, nil); resp.StatusCode != http.StatusConflict || !strings.Contains(body, "Nothing was taken") {
			t.Errorf("%s: status %d, %s", form, resp.StatusCode, body)
		}
	}
	if n := srv.Ledger().Posts; n != 4 {
		t.Errorf("%d requests before anything was picked", n)
	}
	resp, _ = s.ask(http.MethodPost, "", "seen=1&pick=3&pick=1", nil)
	if to, err := resp.Location(); resp.StatusCode != http.StatusSeeOther || err != nil || to.String() != s.URL() {
		t.Errorf("status %d, to %v, %v", resp.StatusCode, to, err)
	}
	for range 2 { // once more, as by a double click
		if resp, body := s.ask(http.MethodPost, "", "seen=1&pick=3&pick=1", nil); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("the same again: status %d, %s", resp.StatusCode, body)
		}
	}
	for _, form := range []string{"seen=1&pick=3", "seen=1&pick=1&pick=3", "seen=1&none=1", "pick=3&pick=1"} {
		if resp, _ := s.ask(http.MethodPost, "", form, nil); resp.StatusCode != http.StatusConflict {
			t.Errorf("%s after another: status %d", form, resp.StatusCode)
		}
	}
	if body := s.until("The finals are being made."); !strings.Contains(body, `data-key="final 3"`) || strings.Contains(body, `name="pick"`) || !strings.Contains(body, "1 picture") && !strings.Contains(body, "under way") {
		t.Error("the page does not say that finals are being made")
	}
	made := <-s.made
	if err := <-s.errs; err != nil || len(made.Finals) != 2 || made.Picked[0].Index != 3 || made.Picked[1].Index != 1 {
		t.Errorf("%v, picked %v", err, made.Picked)
	}
	// What it comes to can be kept: it has all pictures in it.
	body = s.until("2 of 4 drafts were picked. All of it cost $")
	if n := strings.Count(body, `src="data:image/`); n != 6 || strings.Contains(body, `src="./`) || !strings.Contains(body, "data-events") {
		t.Errorf("%d pictures are in the last page", n)
	}
	if resp, _ := s.ask(http.MethodPost, "", "seen=1&pick=0", nil); resp.StatusCode != http.StatusConflict || srv.Ledger().Posts != 6 {
		t.Errorf("picked again: status %d, %d requests", resp.StatusCode, srv.Ledger().Posts)
	}
}

// None of them is an answer, and costs nothing more.
func TestServeNone(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	s := serve(t, srv)
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&none=1&pick=0", nil)
	made := <-s.made
	if err := <-s.errs; err != nil || len(made.Picked) != 0 || srv.Ledger().Posts != 4 {
		t.Errorf("%v, %d requests", err, srv.Ledger().Posts)
	}
	s.until("None was picked, so no final is made.")
	for form, status := range map[string]int{"seen=1&none=1": http.StatusSeeOther, "seen=1&pick=0": http.StatusConflict} {
		if resp, _ := s.ask(http.MethodPost, "", form, nil); resp.StatusCode != status {
			t.Errorf("%s after none: status %d", form, resp.StatusCode)
		}
	}
}

// bodies counts the answers that are not closed.
type bodies struct{ open atomic.Int32 }

func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		b.open.Add(1)
		resp.Body = &body{resp.Body, sync.OnceFunc(func() { b.open.Add(-1) })}
	}
	return resp, err
}

type body struct {
	io.ReadCloser
	closed func()
}

func (b *body) Close() error {
	b.closed()
	return b.ReadCloser.Close()
}

// The answer that a picture comes in is closed once all of it is passed on, and what is no
// picture is not passed on.
func TestServeClosesPictures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	var all bodies
	client := srv.Client()
	client.HTTPClient = &http.Client{Transport: &all}
	s := draft(t, client, pageTask, studio.Drafts{Count: 1})
	s.until("Pick the best")
	before := all.open.Load()
	for range 3 {
		resp, picture := s.ask(http.MethodGet, "picture/1-draft-0-0", "", nil)
		if _, kind, err := image.Decode(strings.NewReader(picture)); resp.StatusCode != http.StatusOK || err != nil || len(picture) < 1<<10 {
			t.Errorf("status %d, %d bytes of %s, %v", resp.StatusCode, len(picture), kind, err)
		}
	}
	for range 200 { // it is closed after the browser has all of it
		if all.open.Load() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := all.open.Load(); n > before {
		t.Errorf("%d answers are open, before it were %d", n, before)
	}
	s.ask(http.MethodPost, "", "seen=1&none=1", nil)
	<-s.made
}

// Of several drafts one may be picked, and its final is shown from then on.
func TestServeOneFinal(t *testing.T) {
	t.Parallel()
	s := serve(t, faltest.NewServer(t, faltest.RunTime(300*time.Millisecond)))
	s.until("Pick the best")
	s.ask(http.MethodPost, "", "seen=1&pick=3", nil)
	for _, told := range []string{"The finals are being made.", "1 of 4 drafts were picked"} {
		if body := s.until(told); !strings.Contains(body, `data-key="final 3"`) {
			t.Errorf("%s: the final is not shown", told)
		}
	}
	if made, err := <-s.made, <-s.errs; err != nil || len(made.Finals) != 1 {
		t.Errorf("%v, %v", made, err)
	}
}

// Who waits is told when the context ends or the page is closed.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	variants := []studio.Variant{{Index: 0}, {Index: 2}}
	page, err := studio.Serve(t.Context(), faltest.NewServer(t).Client())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := page.Pick(ctx, variants); !errors.Is(err, context.Canceled) {
		t.Errorf("the context: %v", err)
	}
	if picked, err := page.Pick(t.Context(), nil); len(picked) != 0 || err != nil {
		t.Errorf("nothing to pick from: %v, %v", picked, err)
	}
	waits := make(chan error)
	go func() {
		_, err := page.Pick(t.Context(), variants)
		waits <- err
	}()
	s := &served{Page: page, t: t}
	s.until("Pick up to 2.")
	if _, err := page.Pick(t.Context(), variants); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("picking twice: %v", err)
	}
	page.Close()
	if err := <-waits; err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("the page: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	page, err = studio.Serve(ctx, faltest.NewServer(t).Client())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := page.Pick(t.Context(), variants); err == nil {
		t.Error("one can pick on a page whose context has ended")
	}
}

// Only browsers on this machine that have the URL are answered, and only the
// page itself may use it.
func TestServeForOthers(t *testing.T) {
	t.Parallel()
	page, err := studio.Serve(t.Context(), faltest.NewServer(t).Client())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	s := &served{Page: page, t: t}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	at, err := url.Parse(page.URL())
	if err != nil {
		t.Fatal(err)
	}
	path := func(p string) func(*http.Request) { return func(r *http.Request) { r.URL.Path = p } }
	for name, tt := range map[string]struct {
		method string
		change func(*http.Request)
		status int
	}{
		"plain":           {http.MethodGet, nil, 200},
		"localhost":       {http.MethodGet, host("localhost:" + at.Port()), 200},
		"IPv6":            {http.MethodGet, host("[::1]:" + at.Port()), 200},
		"rebound":         {http.MethodGet, host("evil.example:" + at.Port()), 421},
		"like loopback":   {http.MethodGet, host("127.0.0.1.evil.example"), 421},
		"no token":        {http.MethodGet, path("/"), 404},
		"wrong token":     {http.MethodGet, path("/" + strings.Repeat("A", 26) + "/"), 404},
		"short token":     {http.MethodGet, path(at.Path[:10] + "/"), 404},
		"unknown":         {http.MethodGet, path(at.Path + "x"), 404},
		"unknown picture": {http.MethodGet, path(at.Path + "picture/draft-0-0"), 404},
		"other method":    {http.MethodDelete, nil, 405},
		"linked": {http.MethodGet, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}, 200},
		"fetched by others":    {http.MethodGet, set("Sec-Fetch-Site", "cross-site"), 403},
		"fetched by neighbour": {http.MethodGet, set("Sec-Fetch-Site", "same-site"), 403},
		"foreign origin":       {http.MethodGet, set("Origin", "https://evil.example"), 403},
		"own origin":           {http.MethodGet, set("Origin", "http://"+at.Host), 200},
		"form of an older one": {http.MethodPost, set("Origin", "http://"+at.Host), 409},
		"form of nobody":       {http.MethodPost, set("Origin", "null"), 403},
		"own form":             {http.MethodPost, set("Sec-Fetch-Site", "same-origin"), 409},
		"foreign form": {http.MethodPost, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}, 403},
	} {
		resp, _ := s.ask(tt.method, "", "", tt.change)
		if resp.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", name, resp.StatusCode, tt.status)
		}
		if allowed := resp.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
			t.Errorf("%s: allows %s", name, allowed)
		}
	}
	resp, body := s.ask(http.MethodGet, "", "", nil)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[A-Z2-7]{26}/$`).MatchString(page.URL()) || !strings.Contains(body, "The drafts are being made.") {
		t.Errorf("the page at %s is %s", page.URL(), body[:min(len(body), 300)])
	}
}

// A browser is told when there is more to see, and how finals go on.
func TestServeEvents(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(300*time.Millisecond), faltest.RunTime(300*time.Millisecond))
	s := serve(t, srv)
	listen := func(body string) *bufio.Scanner {
		m := regexp.MustCompile(`data-events="(events/\d+)"`).FindStringSubmatch(body)
		if m == nil {
			t.Fatal("the page listens to nothing")
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+m[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return bufio.NewScanner(resp.Body)
	}
	rest := func(events *bufio.Scanner) string {
		var all []string
		for events.Scan() {
			all = append(all, events.Text())
		}
		return strings.Join(all, "\n")
	}
	_, first := s.ask(http.MethodGet, "", "", nil)
	if got := rest(listen(first)); !strings.Contains(got, "event: reload") {
		t.Errorf("of the drafts one is told %q", got)
	}
	s.ask(http.MethodPost, "", "seen=1&pick=2", nil)
	made := s.until("The finals are being made.")
	got := rest(listen(made))
	for _, want := range []string{`data: {"key":"final 2","text":"It is being painted."}`, "event: reload"} {
		if !strings.Contains(got, want) {
			t.Errorf("of the finals one is told %q, want %s", got, want)
		}
	}
	if got := rest(listen(first)); !strings.Contains(got, "event: reload") {
		t.Errorf("an old page is told %q", got)
	}
	<-s.made
}
