package sheet_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"image"
	"image/color"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/router/sheet"
)

// page writes a sheet as a page.
func page(tb testing.TB, s *sheet.Sheet) string {
	tb.Helper()
	var b bytes.Buffer
	if err := s.WriteHTML(&b); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// all returns what the first group of a pattern matches, everywhere in s.
func all(s, pattern string) []string {
	var out []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(s, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// outline returns the headings, pictures and facts of a page in their order.
func outline(s string) []string {
	_, s, _ = strings.Cut(s, "<body>")
	s, _, _ = strings.Cut(s, "</main>")
	s = regexp.MustCompile(`(?s)<form.*?</form>`).ReplaceAllString(s, "")
	var out []string
	for _, m := range regexp.MustCompile(`(?s)<(h[1-6]|p|dt|dd|li|img|summary)\b([^>]*)>(.*?)(?:</|<a|<figure|$)`).FindAllStringSubmatch(s, -1) {
		if m[1] == "li" && strings.Contains(m[2], "entry") || strings.Contains(m[2], "original") {
			continue
		}
		text := m[3]
		if m[1] == "img" {
			text = strings.Join(all(m[2], `alt="([^"]*)"`), "")
		}
		text = strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, ""))
		out = append(out, m[1]+" "+html.UnescapeString(text))
	}
	return out
}

func TestOutline(t *testing.T) {
	t.Parallel()
	want := []string{
		"h1 A red fox",
		"p 3 models, $0.09",
		"h2 Models",
		"p a red fox in the snow",
		"p 2 pictures, 1 picked, 1 failed",
		"img Picture by FLUX.2 [pro]: a red fox in the snow",
		"p FLUX.2 [pro] $0.045",
		"p Picture",
		"h3 FLUX.2 [pro]",
		"p fal-ai/flux-2-pro",
		"dt Price", "dd $0.045",
		"dt Time", "dd 6.4 s",
		"dt Size", "dd 64 × 48",
		"dt Seed", "dd 18446744073709551615",
		"dt Request", "dd 764cabcf",
		"li the cheapest", "li obeys hex colours",
		"summary Original",
		"img A fox sits.",
		"p Qwen Image",
		"p Picture",
		"h3 Qwen Image",
		"p 雪中的红狐",
		"dt Size", "dd 64 × 48",
		"p No picture.",
		"p Picture",
		"h3 FLUX.1 [dev]",
		"h2 Pictures 2",
		"p the same from afar",
		"p 2 pictures",
		"img Picture by fal-ai/flux/dev: the same from afar",
		"p fal-ai/flux/dev",
		"p Picture",
		"h3 fal-ai/flux/dev",
		"summary Original",
		"img Picture 2: the same from afar",
		"p Picture 2",
		"p Picture",
		"h3 Picture 2",
		"dt Size", "dd 1 × 1",
		"h2 Nothing",
		"p There are no pictures in this section.",
	}
	if diff := cmp.Diff(want, outline(page(t, full(t)))); diff != "" {
		t.Errorf("outline (-want +got):\n%s", diff)
	}
}

func TestEmptySheet(t *testing.T) {
	t.Parallel()
	want := []string{"h1 Contact sheet", "p There are no pictures on this sheet."}
	if diff := cmp.Diff(want, outline(page(t, &sheet.Sheet{}))); diff != "" {
		t.Errorf("outline (-want +got):\n%s", diff)
	}
}

func TestOnePage(t *testing.T) {
	t.Parallel()
	s := full(t)
	got := page(t, s)
	if n := strings.Count(got, ">Picked</span>"); n != 1 {
		t.Errorf("%d entries have the badge, want 1", n)
	}
	if n := strings.Count(got, `class="entry picked"`); n != 1 {
		t.Errorf("%d entries have the frame, want 1", n)
	}
	if !strings.Contains(got, "<strong>No picture.</strong> the budget was spent</p>") {
		t.Error("the error is not shown")
	}
	want := []string{"https://files.example/fox.png?a=1&b=2", "http://files.example/far.webp"}
	if diff := cmp.Diff(want, all(got, `<a href="(http[^"]*)" rel="noreferrer noopener">`)); diff != "" {
		t.Errorf("links to originals (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:], all(got, `<img [^>]*src="(http[^"]*)">`)); diff != "" {
		t.Errorf("linked pictures (-want +got):\n%s", diff)
	}
	for _, must := range []string{`<html lang="en" data-sheet="`, `<meta charset="utf-8">`, `name="viewport"`, "<title>A red fox</title>", "<main>", "</html>\n", `dir="auto" lang=""`} {
		if !strings.Contains(got, must) {
			t.Errorf("the page lacks %s", must)
		}
	}
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	got := page(t, full(t))
	ids := all(got, ` id="([^"]*)"`)
	slices.Sort(ids)
	if n := len(slices.Compact(slices.Clone(ids))); n != len(ids) {
		t.Errorf("some id is there twice: %q", ids)
	}
	for _, to := range all(got, ` (?:href="#|aria-labelledby=")([^"]*)"`) {
		if !slices.Contains(ids, to) {
			t.Errorf("%q is not on the page", to)
		}
	}
	for _, want := range []string{"s1", "s2", "e1-1", "e1-3", "p1-1", "e2-2", "p2-2"} {
		if !slices.Contains(ids, want) {
			t.Errorf("there is no %q", want)
		}
	}
	// The views are a chain through the whole sheet.
	want := []string{"p1-2", "p2-1", "p2-2"}
	if diff := cmp.Diff(want, all(got, `<a href="#([^"]*)">Next</a>`)); diff != "" {
		t.Errorf("next (-want +got):\n%s", diff)
	}
	want = []string{"p1-1", "p1-2", "p2-1"}
	if diff := cmp.Diff(want, all(got, `<a href="#([^"]*)">Previous</a>`)); diff != "" {
		t.Errorf("previous (-want +got):\n%s", diff)
	}
}

func TestEmbedding(t *testing.T) {
	t.Parallel()
	pictures := []struct {
		kind  string
		attrs string
		data  []byte
	}{
		{"png", `<img loading="lazy" decoding="async" width="300" height="10" alt=""`, pngOf(t, flat(red, 300, 10))},
		{"png", `<img class="clear" loading="lazy" decoding="async" width="1" height="1" alt=""`, pngOf(t, flat(transparentRed, 1, 1))},
		{"jpeg", `<img loading="lazy" decoding="async" width="20" height="70" alt=""`, jpegOf(t, flat(blue, 20, 70))},
		{"png", `<img class="clear" loading="lazy" decoding="async" width="3" height="3" alt=""`, pngOf(t, image.NewPaletted(image.Rect(0, 0, 3, 3), color.Palette{red, color.Transparent}))},
		{"png", `<img loading="lazy" decoding="async" width="3" height="3" alt=""`, pngOf(t, image.NewPaletted(image.Rect(0, 0, 3, 3), color.Palette{red, blue}))},
		{"gif", `<img class="clear" loading="lazy" decoding="async" width="30" height="10" alt=""`, gifOf(t, flat(red, 30, 10))},
		{"gif", `<img class="clear" loading="lazy" decoding="async" width="2" height="2" alt=""`, gifOf(t, image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{red, color.Transparent}))},
		{"webp", `<img class="clear" loading="lazy" decoding="async" width="1" height="1" alt=""`, webpDot(t)},
	}
	s := &sheet.Sheet{Sections: []sheet.Section{{}}}
	for _, p := range pictures {
		s.Sections[0].Entries = append(s.Sections[0].Entries, sheet.Entry{Picture: p.data, Alt: "x"})
	}
	found := regexp.MustCompile(`(<img [^>]*alt=")x" src="data:image/([a-z]+);base64,([A-Za-z0-9+/=]*)">`).FindAllStringSubmatch(page(t, s), -1)
	if len(found) != len(pictures) {
		t.Fatalf("%d pictures are embedded, want %d", len(found), len(pictures))
	}
	for i, p := range pictures {
		if got := found[i][1] + `"`; got != p.attrs {
			t.Errorf("picture %d is %s, want %s", i+1, got, p.attrs)
		}
		if found[i][2] != p.kind {
			t.Errorf("picture %d is of type image/%s, want image/%s", i+1, found[i][2], p.kind)
		}
		if b, err := base64.StdEncoding.DecodeString(found[i][3]); err != nil || !bytes.Equal(b, p.data) {
			t.Errorf("the bytes of picture %d changed (%v)", i+1, err)
		}
	}
}

// hashOf is how a policy calls a text.
func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, images string
		entry        sheet.Entry
	}{
		{"embedded", "data:", sheet.Entry{Picture: webpDot(t), URL: "https://files.example/a.webp"}},
		{"linked", "data: https: http:", sheet.Entry{URL: "https://files.example/a.webp"}},
		{"failed", "data:", sheet.Entry{URL: "https://files.example/a.webp", Error: "gone"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := page(t, one(tt.entry))
			styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(got, -1)
			if len(styles) != 1 {
				t.Fatalf("%d styles, want 1", len(styles))
			}
			scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(got, -1)
			if len(scripts) != 1 {
				t.Fatalf("%d scripts, want 1", len(scripts))
			}
			want := []string{"default-src 'none'; img-src " + tt.images + "; style-src 'sha256-" +
				hashOf(styles[0][1]) + "'; script-src 'sha256-" + hashOf(scripts[0][1]) + "'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"}
			if diff := cmp.Diff(want, all(got, `<meta http-equiv="Content-Security-Policy" content="([^"]*)">`)); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			if regexp.MustCompile(`<script[^>]| style="| on[a-z]+="|url\(|innerHTML`).MatchString(got) {
				t.Error("the page has something the policy forbids")
			}
		})
	}
}

func TestHostile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`</figure><script>alert(1)</script>`,
		`" onerror="alert(1)" x="`,
		`' autofocus onfocus=alert(1) '`,
		`</style></title></textarea><img src=x onerror=alert(1)>`,
		`<!--`, `]]>`, `{{.}}`, `&lt;script&gt;`, `;base64,">`,
		"\xff\xfe<b>\x00\x1b[31m", "\u202Egnp.exe", strings.Repeat("\xf0\x9f", 100),
	} {
		s := &sheet.Sheet{Title: text, Note: text, ID: text, Command: text, Sections: []sheet.Section{{Title: text, Prompt: text, Entries: []sheet.Entry{
			{Title: text, Endpoint: text + "e", Prompt: text + "p", Alt: text, Picture: webpDot(t), Price: text, RequestID: text, Request: text, Reasons: []string{text}, Error: text},
			{Title: text, Error: text}, {Waiting: text},
		}}}}
		plain := &sheet.Sheet{Title: "a", Note: "a", ID: "a", Command: "a", Sections: []sheet.Section{{Title: "a", Prompt: "a", Entries: []sheet.Entry{
			{Title: "a", Endpoint: "ae", Prompt: "ap", Alt: "a", Picture: webpDot(t), Price: "a", RequestID: "a", Request: "a", Reasons: []string{"a"}, Error: "a"},
			{Title: "a", Error: "a"}, {Waiting: "a"},
		}}}}
		got := page(t, s)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\x1b") {
			t.Errorf("%q: the page is no text", text)
		}
		// The tags, and the names of their attributes, are what they are for an innocent text.
		tags := func(s string) []string {
			var out []string
			for _, tag := range all(s, `(<[^>]*>)`) {
				out = append(out, regexp.MustCompile(`"[^"]*"`).ReplaceAllString(tag, `""`))
			}
			return out
		}
		unescaped := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "&#34;", ""), "&gt;", "") }
		if diff := cmp.Diff(tags(unescaped(page(t, plain))), tags(unescaped(got))); diff != "" {
			t.Errorf("%q changes the page (-plain +got):\n%s", text, diff)
		}
		title := all(got, `<h1 dir="auto">([^<]*)</h1>`)
		want := strings.Map(func(r rune) rune {
			if r == 0 || r == 0x1b {
				return utf8.RuneError
			}
			return r
		}, strings.ToValidUTF8(text, "\uFFFD"))
		if diff := cmp.Diff([]string{want}, title); diff != "" {
			t.Errorf("%q: title (-want +got):\n%s", text, diff)
		}
	}
}

func TestAlt(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 100)
	for _, tt := range []struct {
		name, common string
		entry        sheet.Entry
		want         string
	}{
		{"given", "fox", sheet.Entry{Title: "M", Alt: "a fox"}, "a fox"},
		{"common prompt", "a\n fox", sheet.Entry{Title: "M"}, "Picture by M: a fox"},
		{"own prompt", "fox", sheet.Entry{Title: "M", Prompt: "hare"}, "Picture by M: hare"},
		{"none", "", sheet.Entry{Title: "M"}, "Picture by M"},
		{"endpoint", "", sheet.Entry{Endpoint: "fal-ai/m"}, "Picture by fal-ai/m"},
		{"long", long, sheet.Entry{Title: "M"}, "Picture by M: " + strings.TrimSpace(strings.Repeat("word ", 47)) + "…"},
		{"long word", strings.Repeat("狐", 300), sheet.Entry{Title: "M"}, "Picture by M: " + strings.Repeat("狐", 239) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.entry.Picture = webpDot(t)
			got := page(t, &sheet.Sheet{Sections: []sheet.Section{{Prompt: tt.common, Entries: []sheet.Entry{tt.entry}}}})
			if diff := cmp.Diff([]string{tt.want}, all(got, `<img [^>]*alt="([^"]*)"`)); diff != "" {
				t.Errorf("alt (-want +got):\n%s", diff)
			}
		})
	}
}

func TestElapsed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    time.Duration
		want []string
	}{
		{-1, nil},
		{0, nil},
		{time.Microsecond, []string{"1 ms"}},
		{850 * time.Millisecond, []string{"850 ms"}},
		{time.Second, []string{"1.0 s"}},
		{59940 * time.Millisecond, []string{"59.9 s"}},
		{59960 * time.Millisecond, []string{"1 min 0 s"}},
		{75 * time.Minute, []string{"75 min 0 s"}},
		{125*time.Second + 400*time.Millisecond, []string{"2 min 5 s"}},
	} {
		got := page(t, one(sheet.Entry{Elapsed: tt.d}))
		if diff := cmp.Diff(tt.want, all(got, `<dt>Time</dt><dd>([^<]*)</dd>`)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.d, diff)
		}
	}
}

func TestGrid(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n, w, h int
		want    string
	}{
		{1, 100, 100, "cols-1 shape-1-1"},
		{2, 64, 48, "cols-2 shape-4-3"},
		{3, 48, 64, "cols-3 shape-3-4"},
		{4, 108, 192, "cols-4 shape-9-16"},
		{5, 192, 108, "cols-3 shape-16-9"},
		{6, 30, 20, "cols-3 shape-3-2"},
		{7, 1, 100, "cols-4 shape-9-16"},
		{8, 100, 1, "cols-4 shape-21-9"},
		{9, 83, 125, "cols-3 shape-2-3"},
		{10, 90, 110, "cols-4 shape-4-5"},
		{11, 110, 90, "cols-4 shape-5-4"},
	} {
		e := sheet.Entry{Picture: pngOf(t, flat(red, tt.w, tt.h))}
		got := page(t, &sheet.Sheet{Sections: []sheet.Section{{Entries: slices.Repeat([]sheet.Entry{e}, tt.n)}}})
		if diff := cmp.Diff([]string{tt.want}, all(got, `<ul class="grid ([^"]*)"`)); diff != "" {
			t.Errorf("%d pictures of %d×%d (-want +got):\n%s", tt.n, tt.w, tt.h, diff)
		}
		for class := range strings.FieldsSeq(tt.want) {
			if !strings.Contains(got, "\n."+class+" {") {
				t.Errorf("the style has no .%s", class)
			}
		}
	}
}

// TestStreams is not parallel: it looks at what the whole process allocates.
func TestStreams(t *testing.T) {
	picture := append(jpegOf(t, flat(blue, 64, 48)), make([]byte, 4<<20)...)
	s := one(sheet.Entry{Picture: picture})
	s.Sections[0].Entries = slices.Repeat(s.Sections[0].Entries, 16)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := s.WriteHTML(io.Discard); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
		t.Errorf("a page with 64 MB of pictures allocates %d bytes", got)
	}
}

func BenchmarkWriteHTML(b *testing.B) {
	s := one(sheet.Entry{Picture: append(jpegOf(b, flat(blue, 64, 48)), make([]byte, 4<<20)...)})
	s.Sections[0].Entries = slices.Repeat(s.Sections[0].Entries, 8)
	b.SetBytes(8 * 4 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.WriteHTML(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
