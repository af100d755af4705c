package studio

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
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
const mostShown = 2000

// Show shows a draft of [Studio.Draft] beside those that are still being made; it is
// for [Drafts.Made]. Pictures can be looked at, compared and starred then, and once
// all are there, Pick has the stars for picks. Nothing is shown of drafts while the
// page is used for others, and of more than 2,000 before all are there.
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

// tell tells every browser of progress, or by nil that more pictures are there. The
// lock must be held.
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
		p.tell(nil)
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
