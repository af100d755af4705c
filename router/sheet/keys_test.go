package sheet_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/router/sheet"
)

// keyed is a sheet of two sections whose entries have keys.
func keyed(keys ...string) *sheet.Sheet {
	s := &sheet.Sheet{Sections: []sheet.Section{{}, {}}}
	for i, key := range keys {
		at := &s.Sections[min(i/2, 1)]
		at.Entries = append(at.Entries, sheet.Entry{Key: key})
	}
	return s
}

// Entries without a key have the numbers that are left.
func TestKeys(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("狐", 100)
	for _, tt := range []struct{ keys, want []string }{
		{[]string{"", "", "", ""}, []string{"1", "2", "3", "4"}},
		{[]string{"0", "2", "", ""}, []string{"0", "2", "1", "3"}},
		{[]string{"", "2", "3", ""}, []string{"1", "2", "3", "4"}},
		{[]string{"sku 17/front", longest, "'$(x)'", ""}, []string{"sku 17/front", longest, "'$(x)'", "1"}},
	} {
		got := page(t, keyed(tt.keys...))
		for _, pattern := range []string{`data-key="([^"]*)"`, `<span class="hide">Picture </span><span>([^<]*)</span>`} {
			if diff := cmp.Diff(tt.want, all(got, pattern)); diff != "" {
				t.Errorf("%q, %s (-want +got):\n%s", tt.keys, pattern, diff)
			}
		}
	}
}

func TestBadSheets(t *testing.T) {
	t.Parallel()
	const unfit = " is not fit to be read: it must have at most 100 characters, of which none is invisible or a comma, and no space at its ends"
	for name, tt := range map[string]struct {
		s    *sheet.Sheet
		want string
	}{
		"twice":     {keyed("a", "b", "a"), `sheet: section 2, entry 1: the key "a" is that of section 1, entry 1, too`},
		"long":      {keyed("", strings.Repeat("x", 101)), `sheet: section 1, entry 2: the key "` + strings.Repeat("x", 59) + `…"` + unfit},
		"comma":     {keyed("a,b"), `sheet: section 1, entry 1: the key "a,b"` + unfit},
		"space":     {keyed(" a"), `sheet: section 1, entry 1: the key "a"` + unfit},
		"line":      {keyed("a\nb"), `sheet: section 1, entry 1: the key "a\nb"` + unfit},
		"direction": {keyed("a\u202eb"), `sheet: section 1, entry 1: the key "a\u202eb"` + unfit},
		"bytes":     {keyed("a\xff"), `sheet: section 1, entry 1: the key "a` + "\uFFFD" + `"` + unfit},
		"width":     {one(sheet.Entry{Width: -1}), `sheet: section 1 ("Red"), entry 1: the width and height are -1 and 0: they must not be negative`},
		"height":    {one(sheet.Entry{Height: -1}), `sheet: section 1 ("Red"), entry 1: the width and height are 0 and -1: they must not be negative`},
		"most":      {&sheet.Sheet{Live: &sheet.Live{Most: -1}}, `sheet: live: most is -1 and events is "": it must not be negative, and a relative path without ".." or empty`},
		"events":    {&sheet.Sheet{Live: &sheet.Live{Events: "https://x/"}}, `sheet: live: most is 0 and events is "https://x/": it must not be negative, and a relative path without ".." or empty`},
	} {
		for form, write := range map[string]func(io.Writer) error{"HTML": tt.s.WriteHTML, "PNG": tt.s.WritePNG} {
			if err := write(io.Discard); err == nil || err.Error() != tt.want {
				t.Errorf("%s, %s: error %v, want %s", name, form, err, tt.want)
			}
		}
	}
	for _, file := range []string{"../a.png", "/etc/passwd", "a//b.png", ".", "a/./b.png", "a\x00.png"} {
		err := one(sheet.Entry{File: file}).WriteHTML(io.Discard)
		if err == nil || !strings.Contains(err.Error(), "is no path beside the page: it must be relative, with slashes and without") {
			t.Errorf("%q: error %v", file, err)
		}
	}
	font := &sheet.Sheet{Fonts: [][]byte{[]byte("none")}}
	if err := font.WritePNG(io.Discard); err == nil || !strings.HasPrefix(err.Error(), "sheet: font 1 cannot be read: it must be TrueType, OpenType or a collection of them: ") {
		t.Errorf("a font: %v", err)
	}
}

// What is beside the page is loaded when it comes near, and from no other place.
func TestBeside(t *testing.T) {
	t.Parallel()
	s := one(sheet.Entry{File: "out/mug #1?.jpg", Width: 300, Height: 200, URL: "https://files.example/a.jpg"})
	got := page(t, s)
	for _, want := range []string{
		`<img loading="lazy" decoding="async" width="300" height="200" alt="Picture 1" src="./out/mug%20%231%3F.jpg">`,
		"shape-3-2", "<dd>300 × 200</dd>", `href="https://files.example/a.jpg"`, "img-src data: &#39;self&#39;; style-src",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	failed := s.Sections[0].Entries[0]
	failed.Error = "gone"
	waiting := s.Sections[0].Entries[0]
	waiting.Waiting = "in the queue"
	for _, e := range []sheet.Entry{failed, waiting} {
		if got := page(t, one(e)); strings.Contains(got, "<img") || strings.Contains(got, "&#39;self&#39;") {
			t.Errorf("%+v is shown", e)
		}
	}
	if got := page(t, one(waiting)); !strings.Contains(got, `<strong>Not there yet.</strong> <span>in the queue</span>`) {
		t.Error("nobody is told that it is waited for")
	}
}

// What is wrong is said in words.
func TestCounts(t *testing.T) {
	t.Parallel()
	good := sheet.Entry{Picture: webpDot(t)}
	picked, flagged := good, good
	picked.Picked, flagged.Flagged = true, true
	for _, tt := range []struct {
		entries []sheet.Entry
		want    string
	}{
		{[]sheet.Entry{good}, "1 picture"},
		{[]sheet.Entry{good, picked, flagged, flagged}, "4 pictures, 1 picked, 2 flagged"},
		{[]sheet.Entry{{}, {Error: "x"}, {Error: "y"}, {Waiting: "z"}, {URL: "https://x.example/"}}, "1 picture, 1 under way, 2 failed, 1 missing"},
		{[]sheet.Entry{{}}, "0 pictures, 1 missing"},
	} {
		if got := all(page(t, untitled(tt.entries...)), `<p class="counts">([^<]*)</p>`); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// A page that is served has a form, which works without script.
func TestLive(t *testing.T) {
	t.Parallel()
	good := sheet.Entry{Key: "3", Picture: webpDot(t)}
	flagged := good
	flagged.Key, flagged.Flagged = "4", true
	s := untitled(good, flagged, sheet.Entry{Key: "5", Waiting: "soon"})
	const refresh = `<noscript><meta http-equiv="refresh" content="3"></noscript>`
	quiet := page(t, s)
	for _, no := range []string{`method="post"`, "data-most", "data-events", `type="checkbox" name`, refresh, `<button class="go" id="pick"`, "connect-src"} {
		if strings.Contains(quiet, no) {
			t.Errorf("a page that nobody serves has %s", no)
		}
	}
	if !strings.Contains(quiet, `<meta name="referrer" content="no-referrer">`) {
		t.Error("a page that nobody serves tells other hosts of itself")
	}
	s.Live = &sheet.Live{Pick: "Make <them>", Most: 2, Seen: `a"b`, Events: "events"}
	live := page(t, s)
	for _, want := range []string{
		` method="post" data-most="2" data-events="events"`, `<button class="go" id="pick">Make &lt;them&gt;</button>`, `<button name="none" value="1">`,
		`<input type="hidden" name="seen" value="a&#34;b" autocomplete="off">`, `<meta name="referrer" content="same-origin">`, "form-action &#39;self&#39;; connect-src &#39;self&#39;;", refresh,
	} {
		if !strings.Contains(live, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if got := all(live, `<input type="checkbox" name="pick" value="([^"]*)" form="desk">`); !slices.Equal(got, []string{"3"}) {
		t.Errorf("%q can be picked", got)
	}
	s.Live = &sheet.Live{Events: "events"}
	s.Sections[0].Entries = s.Sections[0].Entries[:2]
	if strings.Contains(page(t, s), refresh) {
		t.Error("the page is loaded again although nothing is waited for")
	}
	s.Live = &sheet.Live{Events: "events", Most: 2} // something is to be picked later
	if later := page(t, s); !strings.Contains(later, refresh) || !strings.Contains(later, ` data-most="2"`) || strings.Contains(later, `method="post"`) {
		t.Error("the page does not wait for what is to be picked")
	}
	s.Live = &sheet.Live{}
	s.Sections[0].Entries = s.Sections[0].Entries[:1]
	plain := page(t, s)
	for _, no := range []string{`method="post"`, "data-most", "data-events", `type="checkbox" name`, refresh} {
		if strings.Contains(plain, no) {
			t.Errorf("a page that asks for nothing has %s", no)
		}
	}
}

// Sheets of the same pictures find their stars again, others do not.
func TestID(t *testing.T) {
	t.Parallel()
	id := func(s *sheet.Sheet) string { return all(page(t, s), `data-sheet="([^"]*)"`)[0] }
	base := sheet.Entry{Title: "T", Picture: webpDot(t)}
	seen := map[string]string{id(one(base)): "the first"}
	if first, again := one(base), one(base); id(first) != id(again) {
		t.Error("the id changes")
	}
	for name, change := range map[string]func(*sheet.Entry){
		"title":   func(e *sheet.Entry) { e.Title = "U" },
		"key":     func(e *sheet.Entry) { e.Key = "k" },
		"prompt":  func(e *sheet.Entry) { e.Prompt = "p" },
		"seed":    func(e *sheet.Entry) { e.Seed = new(uint64(1)) },
		"request": func(e *sheet.Entry) { e.RequestID = "r" },
		"file":    func(e *sheet.Entry) { e.Picture, e.File = nil, "a.png" },
		"size":    func(e *sheet.Entry) { e.Picture = append(webpDot(t), 0) },
	} {
		e := base
		change(&e)
		if other, ok := seen[id(one(e))]; ok {
			t.Errorf("a sheet with another %s has the id of %s", name, other)
		}
		seen[id(one(e))] = name
	}
	s := one(base)
	if s.ID = `mine"`; id(s) != `mine"` {
		t.Errorf("the id is %q", id(s))
	}
}

// An entry can be checked before the sheet is written.
func TestCheck(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]sheet.Entry{
		"":                     {Picture: webpDot(t), URL: "https://x.example/"},
		"no PNG, JPEG":         {Picture: []byte("BM, a bitmap")},
		"no http or https":     {URL: "https://[::1/"},
		"must not be negative": {Width: -1},
	} {
		if err := e.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
