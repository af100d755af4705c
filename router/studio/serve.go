package studio

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/router/sheet"
)

// Page lets a person pick drafts in a browser, while the program waits, and
// shows how the finals are made:
//
//	page, err := studio.Serve(ctx, client)
//	...
//	defer page.Close()
//	fmt.Println("pick at", page.URL())
//	drafts := studio.Drafts{Count: 7, Finals: 3, Made: page.Show}
//	made, err := studio.Draft(ctx, client, task, drafts, page.Pick)
//
// The page is a contact sheet of package sheet; it works without script. It is
// for one draft at a time. Its methods may be called by several goroutines.
type Page struct {
	client *fal.Client
	token  string
	url    string
	server *http.Server
	mux    *http.ServeMux
	ended  chan struct{} // closed when the page is
	close  func()
	stop   func() bool // has the context forget the page

	mu       sync.Mutex
	version  int                  // of what the page shows
	round    int                  // how often somebody was to pick
	state    pageState            // what it is for now
	run      *drafting            // nil before there are drafts
	drafts   []*Attempt           // nil entries are not there yet
	variants []Variant            // those to pick from
	picked   []Variant            // those that were picked
	taken    []string             // their numbers as the form had them; nil before
	waiting  []string             // what the final of each waits for
	finals   []*Outcome           // those that are made; nil entries are not yet
	last     *Drafted             // what came of it all
	answer   chan []Variant       // takes what is picked
	pictures map[string]fal.Image // those on the page, by name
	watching map[chan []byte]bool // browsers that are told of progress
	there    bool                 // some browser shows the page
	shown    time.Time            // when it was fetched last
	fetched  chan struct{}        // closed when it has what is to be seen now

	keeping  sync.Mutex
	keptOf   *Drafted        // whose sections are kept
	sections []sheet.Section // with their pictures
}

// pageState is what a page is for.
type pageState uint8

const (
	pageDrafting pageState = iota // the drafts are being made
	pagePicking
	pageMaking // the finals are being made
	pageDone
)

// Serve starts a page on a free port of this machine, which other machines do not
// reach, and shows on it the pictures of the client. Only who knows its URL gets
// it, and no page of another site can use it. It ends with the context, or by
// [Page.Close].
func Serve(ctx context.Context, c *fal.Client) (*Page, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("studio: serving a page: %w", err)
	}
	p := &Page{client: c, token: rand.Text(), ended: make(chan struct{}), watching: make(map[chan []byte]bool), fetched: make(chan struct{})}
	p.url = "http://" + listener.Addr().String() + "/" + p.token + "/"
	p.mux = http.NewServeMux()
	p.mux.HandleFunc("GET /{$}", p.show)
	p.mux.HandleFunc("POST /{$}", p.take)
	p.mux.HandleFunc("GET /picture/{name}", p.picture)
	p.mux.HandleFunc("GET /events/{version}", p.events)
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return ctx }}
	p.close = sync.OnceFunc(func() { close(p.ended) })
	p.stop = context.AfterFunc(ctx, func() {
		p.close()
		_ = p.server.Close()
	})
	go func() { _ = p.server.Serve(listener) }() // which says only that it was closed
	return p, nil
}

// URL is the address of the page. Who has it can pick.
func (p *Page) URL() string { return p.url }

// Close ends the page. A browser that shows it first gets the last state, if it
// asks within some seconds: that page has its pictures in it, and stays.
func (p *Page) Close() {
	p.mu.Lock()
	there, fetched := p.there, p.fetched
	p.mu.Unlock()
	if there {
		select {
		case <-fetched:
		case <-p.ended:
		case <-time.After(10 * time.Second):
		}
	}
	defer p.stop()
	p.close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := p.server.Shutdown(ctx); err != nil {
		_ = p.server.Close()
	}
}

// mostShown is how many drafts are shown while they are made. A page of more is
// too large to be fetched again and again.
const mostShown = 500

// Show shows a draft of [Studio.Draft] beside those that are still being made; it is
// for [Drafts.Made]. Pictures can be looked at, compared and starred then, and once
// all are there, Pick has the stars for picks. Nothing is shown of drafts while the
// page is used for others, and of more than 500 before all are there.
func (p *Page) Show(v Variant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.run == nil || v.run.plan.drafts.Count > mostShown {
		return
	}
	if p.run != v.run {
		if p.answer != nil || p.state == pageMaking || p.state == pageDrafting && p.run != nil {
			return
		}
		p.turnTo(v.run)
		p.drafts = make([]*Attempt, v.run.plan.drafts.Count)
		p.change(pageDrafting)
	}
	if p.state != pageDrafting {
		return
	}
	p.drafts[v.Index] = &v.Attempt
	p.tell(nil)
}

// turnTo makes the page that of other drafts. The lock must be held.
func (p *Page) turnTo(run *drafting) {
	p.round++
	p.run, p.drafts, p.variants, p.answer = run, nil, nil, nil
	p.picked, p.taken, p.waiting, p.finals, p.last = nil, nil, nil, nil, nil
	run.watch.Store(&watch{p, run})
}

// Pick shows the variants on the page and waits until a person has picked some,
// or said that none is good enough. It is a [Pick]. It ends with an error when
// the context ends or the page is closed.
func (p *Page) Pick(ctx context.Context, variants []Variant) ([]Variant, error) {
	if len(variants) == 0 {
		return nil, nil
	}
	p.mu.Lock()
	run := variants[0].run
	if p.answer != nil || p.state == pageMaking && p.run != run || p.state == pageDrafting && p.run != nil && p.run != run {
		p.mu.Unlock()
		return nil, errors.New("studio: the page is in use: somebody else is picking on it, or their drafts or finals are made")
	}
	if run == nil { // they are none of Draft's
		run = &drafting{}
		for _, v := range variants {
			run.drafts = append(run.drafts, v.Attempt)
		}
	}
	if p.run != run || p.state != pageDrafting { // or they were shown already
		p.turnTo(run)
	}
	p.drafts = nil
	for i := range run.drafts {
		p.drafts = append(p.drafts, &run.drafts[i])
	}
	answer := make(chan []Variant, 1)
	p.answer, p.variants = answer, slices.Clone(variants)
	p.change(pagePicking)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.answer = nil
		p.mu.Unlock()
	}()
	select {
	case picked := <-answer:
		return picked, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.ended:
		return nil, errors.New("studio: the page was closed before anything was picked")
	}
}

// begin has the page wait for the finals of what was picked. The lock must be
// held.
func (p *Page) begin(picked []Variant) {
	p.picked, p.waiting, p.finals = picked, slices.Repeat([]string{"It waits for its turn."}, len(picked)), make([]*Outcome, len(picked))
	if len(picked) == 0 || p.run.plan == nil {
		p.change(pageDone)
	} else {
		p.change(pageMaking)
	}
}

// watch tells a page of the drafts that it shows, until it shows others.
type watch struct {
	*Page
	of *drafting
}

// begins is told which finals are made: those that were picked, unless a Pick
// around that of the page chose others.
func (p *watch) begins(picked []Variant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == p.of && !slices.EqualFunc(p.picked, picked, func(a, b Variant) bool { return a.Index == b.Index }) {
		p.begin(picked)
	}
}

// waits is told what the final of a picked draft waits for.
func (p *watch) waits(final int, words string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != p.of || final >= len(p.waiting) {
		return
	}
	p.waiting[final] = words
	event, err := json.Marshal(map[string]string{"key": finalKey(p.picked[final].Index, 0), "text": words})
	if err == nil {
		p.tell(event)
	}
}

// tell tells every browser of progress, or by nil that more drafts are there. The lock
// must be held.
func (p *Page) tell(event []byte) {
	for c := range p.watching {
		select {
		case c <- event:
		default: // a browser that is slow sees the next
		}
	}
}

// made is told of the final of a picked draft.
func (p *watch) made(final int, o *Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == p.of && final < len(p.finals) {
		p.finals[final] = o
		p.change(p.state)
	}
}

// end is told that all is done.
func (p *watch) end(d *Drafted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == p.of {
		p.last = d
		p.change(pageDone)
	}
}

// change has every browser load the page again. The lock must be held.
func (p *Page) change(to pageState) {
	p.state = to
	p.version++
	for c := range p.watching {
		close(c)
	}
	clear(p.watching)
	p.fetched = make(chan struct{})
}

// local are the names by which a browser on this machine calls it. A page of
// another site that had its name point to this machine has another.
var local = []string{"127.0.0.1", "::1", "localhost"}

// ServeHTTP answers browsers on this machine that have the URL.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 { // events go on for hours, a form does not
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Second))
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if !slices.Contains(local, strings.Trim(host, "[]")) {
		http.Error(w, "This page is for browsers on the same machine.", http.StatusMisdirectedRequest)
		return
	}
	token, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(p.token)) != 1 {
		http.NotFound(w, r)
		return
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil || foreign(r) {
		http.Error(w, "This page is for nobody but itself.", http.StatusForbidden)
		return
	}
	// A form says where it comes from only if referrers are allowed, and older
	// browsers say it in no other way. Other hosts get none.
	for name, value := range map[string]string{
		"Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
	} {
		w.Header().Set(name, value)
	}
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = "/"+rest, ""
	p.mux.ServeHTTP(w, r)
}

// foreign reports whether another site asks for something other than to go to
// the page.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" && origin != "http://"+r.Host {
		return true
	}
	return (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// show writes the page.
func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	s, version, last := p.sheet(), p.version, p.last
	p.mu.Unlock()
	if last != nil { // the browser keeps it when the program is gone
		s.Sections = p.kept(r.Context(), last)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := s.WriteHTML(w); err != nil && r.Context().Err() == nil { // or the browser is gone
		http.Error(w, "The page cannot be written.", http.StatusInternalServerError)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there, p.shown = true, time.Now()
	if version == p.version {
		select {
		case <-p.fetched:
		default:
			close(p.fetched)
		}
	}
}

// kept returns the sections of what came of it all. Pictures are downloaded once,
// unless the browser goes away meanwhile.
func (p *Page) kept(ctx context.Context, last *Drafted) []sheet.Section {
	p.keeping.Lock()
	defer p.keeping.Unlock()
	if p.keptOf == last {
		return p.sections
	}
	sections := slices.DeleteFunc(last.Sections(ctx, p.client), func(s sheet.Section) bool { return len(s.Entries) == 0 })
	slices.Reverse(sections)
	if ctx.Err() == nil {
		p.keptOf, p.sections = last, sections
	}
	return sections
}

// sheet returns what is to be seen now. The lock must be held.
func (p *Page) sheet() *sheet.Sheet {
	live := &sheet.Live{Events: "events/" + strconv.Itoa(p.version)}
	id := sha256.Sum256([]byte(p.token + strconv.Itoa(p.round))) // it is exported, and who has the token can pick
	s := &sheet.Sheet{Title: "Drafts", ID: hex.EncodeToString(id[:8]), Live: live}
	p.pictures = make(map[string]fal.Image)
	if p.run == nil {
		s.Sections = []sheet.Section{{Entries: []sheet.Entry{{Title: "Drafts", Waiting: "The drafts are being made."}}}}
		return s
	}
	drafts := sheet.Section{Title: "Drafts"}
	if plan := p.run.plan; plan != nil {
		drafts.Prompt = plan.task.Prose()
	}
	missing := 0
	for i, a := range p.drafts {
		if a == nil {
			missing++
			drafts.Entries = append(drafts.Entries, p.run.plan.waiting(i))
			continue
		}
		entries := p.entries(a, "draft", i)
		entries[0].Key = strconv.Itoa(i)
		entries[0].Picked = slices.ContainsFunc(p.picked, func(v Variant) bool { return v.Index == i })
		drafts.Entries = append(drafts.Entries, entries[:1]...)
	}
	s.Sections = []sheet.Section{drafts}
	switch p.state {
	case pageDrafting:
		s.Note = fmt.Sprintf("%d of %d drafts are there. Star the best: they can be picked once all are.", len(p.drafts)-missing, len(p.drafts))
		live.Most = p.most()
	case pagePicking:
		s.Title, s.Note = "Pick the best", p.terms()
		live.Pick, live.Most, live.Seen = "Make the finals", p.most(), strconv.Itoa(p.round)
	case pageMaking:
		s.Title, s.Note = "Drafts and finals", "The finals are being made."
	case pageDone:
		s.Title = "Drafts and finals"
		s.Note = "None was picked, so no final is made."
		if p.last != nil && len(p.last.Variants) == 0 {
			s.Note = "There was nothing to pick from."
		}
		if n := len(p.picked); n > 0 {
			s.Note = fmt.Sprintf("%d of %d drafts were picked.", n, len(p.drafts))
		}
		if p.last != nil {
			s.Note += fmt.Sprintf(" All of it cost %v.", p.last.Spent)
		}
	}
	finals := sheet.Section{Title: "Finals", Prompt: drafts.Prompt}
	if p.run.plan == nil {
		return s
	}
	for i, v := range p.picked {
		key := finalKey(v.Index, 0)
		if p.finals[i] == nil {
			finals.Entries = append(finals.Entries, sheet.Entry{Key: key, Title: fmt.Sprintf("Final of draft %d", v.Index), Waiting: p.waiting[i]})
			continue
		}
		n := 0
		for j := range p.finals[i].Attempts {
			for _, e := range p.entries(&p.finals[i].Attempts[j], fmt.Sprintf("final-%d", v.Index), j) {
				e.Key = finalKey(v.Index, n)
				n++
				finals.Entries = append(finals.Entries, e)
			}
		}
	}
	if len(p.picked) > 0 {
		s.Sections = []sheet.Section{finals, drafts}
	}
	return s
}

// entries returns what is shown of an attempt, with its pictures beside the page.
// A browser keeps them, so those of another round have other names.
func (p *Page) entries(a *Attempt, kind string, number int) []sheet.Entry {
	return a.describe(func(i int, m fal.Image, e *sheet.Entry) {
		name := fmt.Sprintf("%d-%s-%d-%d", p.round, kind, number, i)
		p.pictures[name] = m
		e.File, e.Width, e.Height = "picture/"+name, max(m.Width, 0), max(m.Height, 0)
	})
}

// most is how many can be picked.
func (p *Page) most() int {
	if p.run.plan == nil {
		return len(p.variants)
	}
	return p.run.plan.drafts.Finals
}

// terms says what may be picked, and what that costs.
func (p *Page) terms() string {
	words := fmt.Sprintf("Pick up to %d.", p.most())
	if p.most() == 1 {
		words = "Pick one."
	}
	if plan := p.run.plan; plan != nil && !plan.Final.Unpriced {
		words += fmt.Sprintf(" A final by %s costs up to %v.", plan.Final.Model.Title, plan.Final.Quote.Max)
	}
	return words
}

// take takes what was picked.
func (p *Page) take(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "What was picked cannot be read.", http.StatusBadRequest)
		return
	}
	if status, problem := p.pick(r.PostForm); problem != "" {
		http.Error(w, problem, status)
		return
	}
	w.Header().Set("Location", "./") // http.Redirect would take it from the path, of which r has a part
	w.WriteHeader(http.StatusSeeOther)
}

// pick hands over what was picked, and returns what is wrong with it, with the
// status that says so. Only what the person saw can be picked from.
func (p *Page) pick(form url.Values) (int, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := form["pick"]
	if form.Get("none") != "" {
		keys = nil
	}
	seen := form.Get("seen") == strconv.Itoa(p.round)
	if seen && p.taken != nil && slices.Equal(keys, p.taken) {
		return 0, "" // the same once more, as by a double click
	}
	if p.state != pagePicking || p.answer == nil || !seen {
		return http.StatusConflict, "Nothing was taken: the page has changed since it was shown, or something was picked already. Go back and load it again."
	}
	var picked []Variant
	for _, key := range keys {
		i := slices.IndexFunc(p.variants, func(v Variant) bool { return strconv.Itoa(v.Index) == key })
		if i < 0 || slices.ContainsFunc(picked, func(v Variant) bool { return v.Index == p.variants[i].Index }) {
			return http.StatusBadRequest, "What was picked is none of the drafts, or was picked twice."
		}
		picked = append(picked, p.variants[i])
	}
	switch {
	case len(picked) == 0 && form.Get("none") == "":
		return http.StatusBadRequest, "Nothing was picked. Go back and pick some, or none of them."
	case len(picked) > p.most():
		return http.StatusBadRequest, fmt.Sprintf("%d were picked, and %d can be. Go back and pick fewer.", len(picked), p.most())
	}
	p.begin(picked)
	p.taken = append([]string{}, keys...)
	p.answer <- picked
	p.answer = nil
	return 0, ""
}

// picture passes a picture on. It keeps none, however many there are.
func (p *Page) picture(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	m, ok := p.pictures[r.PathValue("name")]
	p.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	body, err := p.client.Download(r.Context(), m)
	if err != nil {
		http.Error(w, "The picture cannot be had.", http.StatusBadGateway)
		return
	}
	defer func() { _ = body.Close() }()
	head := make([]byte, 512)
	n, err := io.ReadFull(body, head)
	kind := http.DetectContentType(head[:n])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(kind, "image/") {
		http.Error(w, "This is no picture.", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, max-age=3600, immutable")
	if _, err := w.Write(head[:n]); err == nil {
		_, _ = io.Copy(w, io.LimitReader(body, maxEmbedded))
	}
}

// events tells a browser how the finals go on, and when there is more to see
// than it has.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	c := make(chan []byte, 16)
	p.mu.Lock()
	current := r.PathValue("version") == strconv.Itoa(p.version)
	if current {
		p.there, p.watching[c] = true, true
		if p.state == pageDrafting && p.run != nil {
			c <- nil // some may have come since the page was fetched
		}
	} else {
		close(c)
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.watching, c)
		p.mu.Unlock()
	}()
	flush := http.NewResponseController(w).Flush
	_, err := io.WriteString(w, ": hello\n\n")
	for err == nil && flush() == nil {
		select {
		case event, ok := <-c:
			if !ok {
				p.mu.Lock()
				event := "event: reload\ndata:\n\n"
				if p.state == pagePicking { // it waits for its reader
					event = "event: reload\ndata: later\n\n"
				}
				p.mu.Unlock()
				_, _ = io.WriteString(w, event)
				return
			}
			if event == nil {
				_, err = io.WriteString(w, "event: more\ndata:\n\n")
				continue
			}
			_, err = fmt.Fprintf(w, "event: progress\ndata: %s\n\n", event)
		case <-r.Context().Done():
			// A browser that goes on to the next state leaves the one before late.
			p.mu.Lock()
			p.there = len(p.watching) > 1 || time.Since(p.shown) < 2*time.Second
			p.mu.Unlock()
			return
		case <-p.ended:
			return
		}
	}
}
