// Package check looks at pages in a real browser and tells what is wrong with
// them.
package check

import (
	"cmp"
	"context"
	_ "embed" // for the checks inside the page
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

//go:embed check.js
var checkJS string

// limit is how long one page may take in one view.
const limit = time.Minute

// View is a way to look at a page.
type View struct {
	Width  int64  // of the window, in CSS pixels
	Scheme string // "light", "dark", or "print" for paper while the screen is dark
}

func (v View) String() string { return fmt.Sprintf("%d px, %s", v.Width, v.Scheme) }

// Views returns all the ways in which a page is looked at.
func Views() []View {
	return []View{{360, "light"}, {360, "dark"}, {1440, "light"}, {1440, "dark"}, {718, "print"}}
}

// Finding is something wrong with a page.
type Finding struct {
	Page string // name of the file
	View View
	Text string
}

func (f Finding) String() string { return fmt.Sprintf("%s (%s): %s", f.Page, f.View, f.Text) }

// Browser is a running browser.
type Browser struct {
	ctx     context.Context
	cancels []context.CancelFunc
	profile string
}

// Start starts the browser of that file, such as /usr/bin/chromium, with an
// empty profile and no way to any host but this one. It ends by Close, or with
// the context.
func Start(ctx context.Context, executable string) (*Browser, error) {
	profile, err := os.MkdirTemp("", "browser-")
	if err != nil {
		return nil, err
	}
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(executable),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	})
	alloc, endAlloc := chromedp.NewExecAllocator(ctx, options...)
	tabs, endTabs := chromedp.NewContext(alloc)
	b := &Browser{ctx: tabs, cancels: []context.CancelFunc{endTabs, endAlloc}, profile: profile}
	if err := chromedp.Do(tabs); err != nil {
		b.Close()
		return nil, fmt.Errorf("starting %s: %w", executable, err)
	}
	return b, nil
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() {
	for _, cancel := range b.cancels {
		cancel()
	}
	_ = os.RemoveAll(b.profile)
}

// Check looks at the page of a file in every view. It serves the directory of
// the file on the loopback for that, so the page may have neighbours. Where
// shots is not empty, what is seen is saved in that directory as PNG files.
func (b *Browser) Check(file, shots string) ([]Finding, error) {
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	if _, err := root.Stat(filepath.Base(file)); err != nil {
		return nil, err
	}
	// Over HTTP, pages are held to the rules that hold for pages on the web.
	server := httptest.NewServer(http.FileServerFS(root.FS()))
	defer server.Close()
	address := server.URL + "/" + url.PathEscape(filepath.Base(file))

	w := &watcher{host: strings.TrimPrefix(server.URL, "http://"), urls: make(map[network.RequestID]string)}
	tab, end := chromedp.NewContext(b.ctx, chromedp.WithListener(w.event))
	defer end()
	// The first call opens the tab, which lives as long as its context.
	if err := chromedp.Do(tab); err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	var all []Finding
	for _, v := range Views() {
		w.reset()
		shot := ""
		if shots != "" {
			shot = filepath.Join(shots, fmt.Sprintf("%s-%d-%s", name, v.Width, v.Scheme))
		}
		wrong, err := look(tab, address, v, shot)
		if err != nil {
			return all, fmt.Errorf("%s (%s): %w", file, v, err)
		}
		for _, text := range slices.Concat(w.said(), wrong) {
			all = append(all, Finding{file, v, text})
		}
	}
	return all, nil
}

// watcher notes what a page does that it should not do.
type watcher struct {
	host  string // the only one that may be asked
	mu    sync.Mutex
	wrong []string
	urls  map[network.RequestID]string
}

func (w *watcher) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !slices.Contains(w.wrong, text) {
		w.wrong = append(w.wrong, text)
	}
}

// reset forgets what was noted.
func (w *watcher) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = nil
}

// said returns what was noted.
func (w *watcher) said() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wrong)
}

func (w *watcher) event(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		switch ev.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
			var words []string
			for _, a := range ev.Args {
				words = append(words, cmp.Or(strings.Trim(string(a.Value), `"`), a.Description))
			}
			w.say("the console has the %s %q", ev.Type, strings.Join(words, " "))
		}
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			text += " " + e.Description
		}
		w.say("an exception was thrown: %s", text)
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			w.say("the browser logs the %s %q", ev.Entry.Level, ev.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(ev.Request.URL)
		w.mu.Lock()
		w.urls[ev.RequestID] = brief(ev.Request.URL)
		w.mu.Unlock()
		if err != nil || u.Scheme != "data" && u.Scheme != "blob" && u.Host != w.host {
			w.say("the page asks another host: %s", brief(ev.Request.URL))
		}
	case *network.EventLoadingFailed:
		w.mu.Lock()
		u := w.urls[ev.RequestID]
		w.mu.Unlock()
		w.say("loading %s failed: %s%s", u, ev.ErrorText, ev.BlockedReason)
	case *network.EventResponseReceived:
		if ev.Response.Status >= 400 {
			w.say("%s was answered with status %d", brief(ev.Response.URL), ev.Response.Status)
		}
	}
}

// brief cuts the length of a URL.
func brief(u string) string {
	if len(u) > 120 {
		return u[:120] + "…"
	}
	return u
}

// look looks at a page in one view and returns what is wrong in the page. Where
// shot is not empty, it is how the names of screenshots begin.
func look(tab context.Context, address string, v View, shot string) ([]string, error) {
	ctx, cancel := context.WithTimeout(tab, limit)
	defer cancel()
	if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: v.Width, Height: 900, DeviceScaleFactor: 1, Mobile: v.Width < 600,
	}); err != nil {
		return nil, err
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.Scheme}}}
	if v.Scheme == "print" {
		media.Media, media.Features[0].Value = "print", "dark"
	}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		return nil, err
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		return nil, err
	}
	// What is far from the window is loaded only when it comes near, which is not
	// waited for here. A broken picture is complete too.
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](`[...document.images].every((i) => { i.loading = "eager"; return i.complete; })`, chromedp.WithPollingTimeout(20*time.Second)))
	if err != nil && !errors.Is(err, chromedp.ErrPollingTimeout) {
		return nil, err
	}
	inside, err := call[[]string](ctx, checkJS, v.Width)
	if err != nil {
		return nil, err
	}
	links, problems, err := tabs(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		problems = append(problems, "the Tab key does not reach "+l)
	}
	if shot != "" {
		if err := shoot(ctx, shot+".png", true); err != nil {
			return nil, err
		}
	}
	if v.Scheme != "print" {
		enlarged, err := call[[]string](ctx, enlargeJS)
		if err != nil {
			return nil, err
		}
		problems = append(problems, enlarged...)
		if shot != "" && enlarged != nil {
			if err := shoot(ctx, shot+"-enlarged.png", false); err != nil {
				return nil, err
			}
		}
	}
	return slices.Concat(inside, problems), nil
}

// call calls a function of JavaScript in the page.
func call[T any](ctx context.Context, function string, args ...int64) (T, error) {
	var list []string
	for _, a := range args {
		list = append(list, strconv.FormatInt(a, 10))
	}
	return chromedp.Run(ctx, chromedp.Evaluate[T]("("+function+")("+strings.Join(list, ", ")+")", chromedp.EvalAwaitPromise))
}

// linksJS marks the links that have pictures, and returns their names.
const linksJS = `() => [...document.querySelectorAll("a[href]")].filter((a) => a.querySelector("img")).map((a, i) => {
	a.dataset.checkLink = i;
	return i + 1 + ". link with a picture: " + a.querySelector("img").alt.slice(0, 40);
})`

// focusJS tells where the focus is: the number of a marked link or -1, whether
// one can see it, and whether the end of the page was reached.
const focusJS = `() => {
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement) return { link: -1, seen: true, end: true, name: "" };
	const s = getComputedStyle(e);
	return {
		link: Number(e.dataset.checkLink ?? -1),
		seen: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none",
		end: false,
		name: e.tagName.toLowerCase() + " " + e.textContent.trim().slice(0, 40),
	};
}`

// focus is what focusJS returns.
type focus struct {
	Link int    `json:"link"`
	Seen bool   `json:"seen"`
	End  bool   `json:"end"`
	Name string `json:"name"`
}

// tabs presses the Tab key through the page. It returns the links with
// pictures that were not reached, and what else is wrong.
func tabs(ctx context.Context) (missed, wrong []string, err error) {
	links, err := call[[]string](ctx, linksJS)
	if err != nil {
		return nil, nil, err
	}
	stops, err := call[int](ctx, `() => document.querySelectorAll("a, button, input, select, textarea, summary, [tabindex]").length`)
	if err != nil {
		return nil, nil, err
	}
	reached := make([]bool, len(links))
	for range stops + 1 {
		if err := chromedp.Do(ctx, chromedp.KeyEvent(kb.Tab)); err != nil {
			return nil, nil, err
		}
		at, err := call[focus](ctx, focusJS)
		if err != nil {
			return nil, nil, err
		}
		if at.End {
			break
		}
		if at.Link >= 0 {
			reached[at.Link] = true
		}
		if !at.Seen {
			wrong = append(wrong, "one cannot see that the focus is on "+at.Name)
		}
	}
	for i, ok := range reached {
		if !ok {
			missed = append(missed, links[i])
		}
	}
	return missed, wrong, nil
}

// enlargeJS follows the first link from a picture to a view of it on the same
// page, and returns what is wrong there. It returns null if there is no such
// link.
const enlargeJS = `async () => {
	const link = [...document.querySelectorAll("a[href^='#']")].find((a) => a.querySelector("img"));
	if (!link) return null;
	const wrong = [], frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
	const before = link.querySelector("img").getBoundingClientRect();
	link.click();
	await frame();
	const img = document.querySelector("dialog[open] img") ?? link.querySelector("img");
	await img.decode().catch(() => {});
	await frame();
	const r = img.getBoundingClientRect();
	if (r.left < -1 || r.top < -1 || r.right > innerWidth + 1 || r.bottom > innerHeight + 1) wrong.push("the enlarged picture reaches out of the window");
	if (r.width < before.width - 1) wrong.push("the enlarged picture is smaller than before");
	for (const a of document.querySelectorAll(":target a[href], dialog[open] button")) {
		if (!a.checkVisibility() || a.contains(img)) continue;
		const b = a.getBoundingClientRect();
		if (!a.contains(document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2))) {
			wrong.push("one cannot click on " + JSON.stringify(a.textContent.trim()) + " beside the enlarged picture");
		}
	}
	return wrong;
}`

// shoot saves what is in the window as a PNG file, or the whole page.
func shoot(ctx context.Context, file string, whole bool) error {
	const ready = `async () => {
		document.activeElement?.blur();
		if (!document.querySelector("dialog[open]")) scrollTo(0, 0);
		await Promise.allSettled([...document.images].map((i) => i.decode()));
		return true;
	}`
	if _, err := call[bool](ctx, ready); err != nil {
		return err
	}
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
	if err != nil {
		return err
	}
	return os.WriteFile(file, shot.Data, 0o644)
}
