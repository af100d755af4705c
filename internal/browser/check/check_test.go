package check_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falimage/falimage-go/internal/browser/check"
	"github.com/falimage/falimage-go/router/sheet"
)

// browser is the browser of all tests.
var browser = sync.OnceValues(func() (*check.Browser, error) {
	return check.Start(context.Background(), "/usr/bin/chromium")
})

func TestMain(m *testing.M) {
	code := m.Run()
	if b, err := browser(); err == nil {
		b.Close()
	}
	os.Exit(code)
}

// look checks a page.
func look(t *testing.T, page string) []check.Finding {
	t.Helper()
	b, err := browser()
	if err != nil {
		t.Fatalf("%v; install.sh installs it", err)
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	findings, err := b.Check(file, "")
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// dot is a picture of one pixel.
const dot = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

// good is a page with nothing wrong. The tests break it.
const good = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Title</title>
<style>
:root { color-scheme: light dark; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
img { width: 100%; height: 3rem; }
</style>
</head>
<body>
<main>
<h1>Title</h1>
<section>
<h2>Section</h2>
<div class="grid">
<figure id="a"><a href="#a"><img alt="one" src="` + dot + `"></a><figcaption><h3>One</h3></figcaption></figure>
<figure id="b"><a href="#b"><img alt="two" src="` + dot + `"></a><figcaption><h3>Two</h3></figcaption></figure>
</div>
</section>
</main>
</body>
</html>
`

func TestGood(t *testing.T) {
	t.Parallel()
	for _, f := range look(t, good) {
		t.Errorf("nothing is wrong, but: %s", f)
	}
}

func TestDefects(t *testing.T) {
	t.Parallel()
	everywhere := []string{"360 px, light", "360 px, dark", "1440 px, light", "1440 px, dark", "718 px, print"}
	narrow, wide, screens := everywhere[:2], everywhere[2:4], everywhere[:4]
	for _, tt := range []struct {
		name     string
		old, new string   // what is replaced in the good page
		want     string   // what each view says of it
		views    []string // where it is wrong
		also     []string // what may be said besides
	}{
		{"console error", "</main>", "<script>console.error('bad', 1)</script></main>", `the console has the error "bad 1"`, everywhere, nil},
		{"console warning", "</main>", "<script>console.warn('hm')</script></main>", `the console has the warning "hm"`, everywhere, nil},
		{"exception", "</main>", "<script>throw new Error('boom')</script></main>", "an exception was thrown: Uncaught Error: boom", everywhere, nil},
		{"rejection", "</main>", "<script>Promise.reject(new Error('boom'))</script></main>", "an exception was thrown: Uncaught (in promise) Error: boom", everywhere, nil},
		{"missing file", "</head>", `<script src="none.js"></script></head>`, "/none.js was answered with status 404", everywhere, []string{"Failed to load resource", "Refused to execute script", "loading "}},
		{"policy", "<title>", `<meta http-equiv="Content-Security-Policy" content="style-src 'none'"><title>`, "Content Security Policy", everywhere, []string{"columns", "column"}},
		{"other host", "</main>", `<img alt="far" src="https://files.example/a.png"></main>`, "the page asks another host: https://files.example/a.png", everywhere, []string{"ERR_NAME_NOT_RESOLVED", "did not load"}},
		{"failed request", "</main>", `<img alt="far" src="https://files.example/a.png"></main>`, "loading https://files.example/a.png failed: net::ERR_NAME_NOT_RESOLVED", everywhere, []string{"another host", "ERR_NAME_NOT_RESOLVED", "did not load"}},
		{"broken picture", `alt="one" src="` + dot, `alt="one" src="data:image/png;base64,AAAA`, `img "one" did not load`, everywhere, nil},
		{"missing picture", `alt="one" src="` + dot, `alt="one" src="none.png`, `img "one" did not load`, everywhere, []string{"404", "loading "}},
		{"no alt", `<img alt="one"`, "<img", "img has no alt text", everywhere, nil},
		{"empty alt in a link", `<img alt="one"`, `<img alt=""`, "a link has a picture without a name", everywhere, nil},
		{"sideways", "</main>", `<p style="width: 2000px">wide</p></main>`, "the page scrolls sideways: it is", wide, []string{"360 px", "718 px", "out of the window"}},
		{"sideways on a telephone", "</main>", `<p style="width: 500px">wide</p></main>`, "because of p \"wide\"", narrow, []string{"out of the window"}},
		{"cut off sideways", "<h3>One</h3>", `<h3 style="width: 2rem; overflow: hidden; white-space: nowrap">One and more</h3>`, `the text of h3 "One and more" is cut off`, everywhere, nil},
		{"ellipsis", "<h3>One</h3>", `<h3 style="width: 4rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap">One and more</h3>`, `the text of h3 "One and more" is cut off`, everywhere, nil},
		{"cut off below", "<h3>One</h3>", `<h3 style="width: 4rem; height: 1em; overflow: hidden">One and more</h3>`, `the text of h3 "One and more" is cut off`, everywhere, nil},
		{"out of the window", "<h3>One</h3>", `<h3 style="position: relative; left: -4rem">One</h3>`, `the text of h3 "One" reaches out of the window`, everywhere, nil},
		{"overlap", "</style>", "figure + figure { position: relative; top: -3rem; left: -3rem; } .grid { overflow: visible; gap: 0; }</style>", "figure#a \"One\" and figure#b \"Two\" overlap", narrow, []string{"1440", "718", "out of the window"}},
		{"one column", "repeat(auto-fill, minmax(min(100%, 20rem), 1fr))", "1fr", "has its 2 entries in one column", wide, nil},
		{"two columns", "repeat(auto-fill, minmax(min(100%, 20rem), 1fr))", "1fr 1fr", "has 2 columns", narrow, nil},
		{"twice the id", `id="b"`, `id="a"`, `the id "a" is there 2 times`, everywhere, []string{"leads nowhere"}},
		{"link to nowhere", `href="#b"`, `href="#c"`, `a leads nowhere: #c`, everywhere, nil},
		{"label", "<section>", `<section aria-labelledby="none">`, "is labelled by none, which is not there", everywhere, nil},
		{"heading skipped", "<h2>Section</h2>", "", `h3 "One" comes after h1`, everywhere, nil},
		{"heading before the first", "<h1>Title</h1>", "<h2>Title</h2>", `h2 "Title" comes after no heading`, everywhere, nil},
		{"two titles", "<h2>Section</h2>", "<h1>Section</h1><h2>More</h2>", `h1 "Section" is a second h1`, everywhere, nil},
		{"empty heading", "<h3>One</h3>", "<h3></h3>", "an h3 is empty", everywhere, nil},
		{"no title", "<title>Title</title>", "", "there is no title", everywhere, nil},
		{"no language", ` lang="en"`, "", "the language is not set", everywhere, nil},
		{"no main", "main>", "div>", "there is not exactly one main", everywhere, nil},
		{"pale", "<h3>One</h3>", `<h3 style="font-weight: 400; color: #999; background: #fff">One</h3>`, `the text of h3 "One" has a contrast of 2.85, and 4.5 is needed`, everywhere, nil},
		{"dark on dark", "</style>", "h1 { color: #333; }</style>", "has a contrast of", []string{everywhere[1], everywhere[3], everywhere[4]}, nil},
		{"out of reach", `<a href="#b">`, `<a href="#b" tabindex="-1">`, "the Tab key does not reach 2. link with a picture: two", everywhere, nil},
		{"focus unseen", "</style>", "a:focus { outline: none; }</style>", "one cannot see that the focus is on a", everywhere, nil},
		{"enlarged too far", "</style>", "figure:target img { position: fixed; top: 0; left: 0; width: 200vw; max-width: none; height: 3rem; }</style>", "the enlarged picture reaches out of the window", screens, nil},
		{"enlarged less", "</style>", "figure:target img { width: 50%; }</style>", "the enlarged picture is smaller than before", screens, nil},
		{"covered", `<h3>One</h3>`, `<h3>One</h3><p style="position: relative"><a href="#b">Close</a><span style="position: absolute; inset: -1rem"></span></p>`, `one cannot click on "Close" beside the enlarged picture`, screens, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			broken := strings.ReplaceAll(good, tt.old, tt.new)
			if broken == good {
				t.Fatal("the page is not broken")
			}
			var said []string
			for _, f := range look(t, broken) {
				text := f.String()
				if strings.Contains(f.Text, tt.want) {
					said = append(said, f.View.String())
				} else if !slices.ContainsFunc(tt.also, func(s string) bool { return strings.Contains(text, s) }) {
					t.Errorf("also found: %s", f)
				}
			}
			for _, v := range tt.views {
				if !slices.Contains(said, v) {
					t.Errorf("not found at %s: %s", v, tt.want)
				}
			}
			for _, v := range said {
				if !slices.Contains(tt.views, v) && !slices.ContainsFunc(tt.also, func(s string) bool { return strings.HasPrefix(v, s) }) {
					t.Errorf("found at %s too: %s", v, tt.want)
				}
			}
		})
	}
}

// hill returns a picture of some hills.
func hill(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(250 - 180*y/h), uint8(200 - 120*((x*x/w+y)%h)/h), 120, 255})
		}
	}
	return m
}

func jpegOf(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSheets(t *testing.T) {
	t.Parallel()
	wide, high := jpegOf(t, hill(1024, 768)), jpegOf(t, hill(576, 1024))
	empty := pngOf(t, image.NewNRGBA(image.Rect(0, 0, 300, 300)))
	long := strings.Repeat("averylongwordwithoutanyspace", 20)
	hostile := `</figure></section><script>alert(1)</script><img src=x onerror=alert(1)>"' onload='`
	scripts := "雪中的红狐 · ثعلب أحمر في الثلج · बर्फ़ में लोमड़ी · שועל · ลิง 🦊\nsecond line"
	everything := func(text string) sheet.Entry {
		return sheet.Entry{
			Title: text, Endpoint: "fal-ai/" + text, Prompt: text + text, Alt: text, Picture: wide, URL: "https://files.example/" + strings.Repeat("x", 300),
			Price: text, Elapsed: time.Minute, Seed: new(uint64(1 << 63)), RequestID: text, Reasons: []string{text, text}, Picked: true, Error: text,
		}
	}
	failed := sheet.Entry{Title: "Failed", Error: strings.Repeat("because of this and that ", 20)}
	for name, s := range map[string]*sheet.Sheet{
		"empty": {},
		"plain": {Title: "A red fox", Note: "3 models, $0.09", Sections: []sheet.Section{{Title: "Models", Prompt: "a red fox in the snow", Entries: []sheet.Entry{
			{Title: "FLUX.2 [pro]", Endpoint: "fal-ai/flux-2-pro", Picture: wide, Price: "$0.045", Elapsed: 6 * time.Second, Picked: true},
			{Title: "FLUX.2 [flex]", Endpoint: "fal-ai/flux-2-flex", Picture: wide, Price: "$0.060", Elapsed: 9 * time.Second},
			{Title: "Qwen Image", Picture: empty}, failed,
		}}}},
		"sections": {Title: "Many", Sections: []sheet.Section{
			{Entries: []sheet.Entry{{Picture: wide}}},
			{Entries: []sheet.Entry{{Picture: high}}},
			{Entries: slices.Repeat([]sheet.Entry{{Picture: high}}, 2)},
			{Entries: slices.Repeat([]sheet.Entry{{Picture: wide}}, 7)},
			{Entries: []sheet.Entry{{}, failed, {Error: "x"}}},
			{Title: "Nothing"},
		}},
		"long":    {Title: long, Note: long, Sections: []sheet.Section{{Title: long, Prompt: long, Entries: slices.Repeat([]sheet.Entry{everything(long)}, 3)}}},
		"hostile": {Title: hostile, Note: hostile, Sections: []sheet.Section{{Title: hostile, Prompt: hostile, Entries: slices.Repeat([]sheet.Entry{everything(hostile)}, 2)}}},
		"scripts": {Title: scripts, Note: scripts, Sections: []sheet.Section{{Title: scripts, Prompt: scripts, Entries: slices.Repeat([]sheet.Entry{everything(scripts)}, 4)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := s.WriteHTML(&b); err != nil {
				t.Fatal(err)
			}
			for _, f := range look(t, b.String()) {
				t.Error(f)
			}
		})
	}
}

// TestLinked looks at pictures that come from elsewhere, which is all that may
// be found.
func TestLinked(t *testing.T) {
	t.Parallel()
	picture := jpegOf(t, hill(800, 1200))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(picture)
	}))
	defer server.Close()
	s := &sheet.Sheet{Title: "Far", Sections: []sheet.Section{{Entries: []sheet.Entry{
		{Title: "One", URL: server.URL + "/1.jpg"}, {Title: "Two", URL: server.URL + "/2.jpg"}, {Title: "Near", Picture: picture},
	}}}}
	var b bytes.Buffer
	if err := s.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, f := range look(t, b.String()) {
		if strings.HasPrefix(f.Text, "the page asks another host: "+server.URL) {
			asked++
		} else {
			t.Error(f)
		}
	}
	if want := 2 * len(check.Views()); asked != want {
		t.Errorf("the other host was asked %d times, want %d", asked, want)
	}
}

func TestScreenshots(t *testing.T) {
	t.Parallel()
	b, err := browser()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Check(file, dir); err != nil {
		t.Fatal(err)
	}
	for _, v := range check.Views() {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("page-%d-%s.png", v.Width, v.Scheme)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil || int64(c.Width) != v.Width {
			t.Errorf("%s: the screenshot is %d pixels wide (%v)", v, c.Width, err)
		}
	}
}
