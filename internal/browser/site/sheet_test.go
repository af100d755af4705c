package site_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/falimage/falimage-go/router/sheet"
)

// contest is a sheet of two sections by three models, and what else there is.
func contest(t *testing.T) *sheet.Sheet {
	t.Helper()
	made := func(title, price string, seed uint64, tint uint8) sheet.Entry {
		return sheet.Entry{
			Title: title, Endpoint: "fal-ai/" + strings.ToLower(title), Picture: hill(t, 640, 480, tint), Price: price, Elapsed: 3 * time.Second,
			Seed: &seed, RequestID: fmt.Sprintf("r-%d", tint), Request: `{"prompt": "a fox"}`,
		}
	}
	s := &sheet.Sheet{ID: fmt.Sprint(t.Name(), time.Now().UnixNano()), Title: "Foxes", Command: "draftfinal -pick", Sections: []sheet.Section{
		{Title: "In the snow", Prompt: `雪中的红狐 "quoted" </script><script>alert(1)</script>`, Entries: []sheet.Entry{
			made("Alpha", "$0.003", 1<<63, 1), made("Beta", "$0.03", 2, 60), made("Gamma", "$0.1", 3, 120),
		}},
		{Title: "In the sand", Prompt: "ثعلب أحمر · बर्फ़ में लोमड़ी", Entries: []sheet.Entry{
			made("Alpha", "$0.003", 4, 180), made("Beta", "$0.03", 5, 240), {Title: "Gamma", Error: "the model was busy"}, made("Alpha", "$0.003", 6, 20),
		}},
	}}
	for i := range s.Sections[0].Entries {
		s.Sections[0].Entries[i].Key = strconv.Itoa(i) // as drafts are numbered
	}
	s.Sections[1].Entries[0].Picked = true
	s.Sections[1].Entries[3].Flagged = true
	return s
}

// What each key does, one after the other on one page.
func TestSheetKeys(t *testing.T) {
	t.Parallel()
	tab := open(t, write(t, contest(t)), 1440, "light")
	const at = `document.activeElement.closest(".entry")?.dataset.key`
	const status = `document.getElementById("status").textContent`
	starred := `[...document.querySelectorAll(".starred")].map((e) => e.dataset.key).join()`
	const shown = `[...document.querySelectorAll(".entry:not([hidden])")].map((e) => e.dataset.key).join()`
	filter := func(id, value string) string {
		return fmt.Sprintf(`(() => { const s = document.getElementById(%q); s.value = %q; s.dispatchEvent(new Event("change")); return %s; })()`, id, value, shown)
	}
	const scale = `document.getElementById("scale").textContent`
	for i, step := range []struct{ keys, js, want string }{
		{"", shown, "0,1,2,3,4,5,6"},
		{kb.ArrowRight, at, "0"},
		{kb.ArrowRight, at, "1"},
		{kb.ArrowDown, at, "4"}, // what is beneath
		{kb.ArrowUp, at, "1"},
		{kb.ArrowLeft, at, "0"},
		{"5", at, "5"}, // there is no picture, and it is reached
		{"9", status, "There is no picture 59."},
		{"s", starred, "5"},
		{"s", starred, ""},
		{kb.ArrowUp + "s" + kb.ArrowLeft + "S", starred, "1,2"},
		{"x", `document.querySelector(".rejected").dataset.key + "/" + ` + starred, "1/2"},
		{"x", `document.querySelectorAll(".rejected").length + ""`, "0"},
		// Notes.
		{"n", `(document.activeElement.value = "", document.activeElement.id)`, "note-text"}, // the browser that is driven types the n, too
		{"too red" + kb.Tab + kb.Enter, `document.querySelector("[data-key='1'] .mine").textContent + "/" + ` + at, "too red/1"},
		// Compare.
		{"v", `document.querySelector("dialog[open]")?.id ?? ""`, ""},
		{"c" + kb.ArrowRight + "c" + kb.ArrowRight + "c", status, "3 marked: V shows them side by side."},
		{"v", `document.querySelectorAll("dialog[open] .stage").length + ""`, "3"},
		{"1", scale, "100 %"},
		{kb.Escape, `document.querySelector("dialog[open]")?.id ?? ""`, ""},
		// Close by.
		{"0" + kb.Enter, `document.querySelector("dialog[open] b").textContent + " " + ` + scale, "0 100 %"},
		{"+", scale, "125 %"},
		{kb.ArrowRight, `document.querySelector("dialog[open] b").textContent + " " + ` + scale, "1 125 %"},
		{"f", scale, "100 %"},
		{"s", starred, "1,2"},
		{kb.Escape, at, "1"},
		// Filters.
		{"", filter("by-model", "Beta"), "1,4"},
		{"", filter("by-model", ""), "0,1,2,3,4,5,6"},
		{"", filter("by-price", "0.003"), "0,3,6"},
		{"", filter("by-price", "0.03"), "0,1,3,4,6"},
		{"", filter("by-price", ""), "0,1,2,3,4,5,6"},
		{"", filter("by-mark", "starred"), "1,2"},
		{"", filter("by-mark", "picked"), "3"},
		{"", filter("by-mark", ""), "0,1,2,3,4,5,6"},
		// Help.
		{"?", `document.querySelector("dialog[open]").id`, "helping"},
		{kb.Escape, `document.querySelector("dialog[open]")?.id ?? ""`, ""},
		// Export.
		{"e", `document.getElementById("export-keys").value`, "draftfinal -pick 1,2"},
		{"", `(({ starred, rejected, entries }) => JSON.stringify({ starred, rejected, entries }))(JSON.parse(document.getElementById("export-json").value))`,
			`{"starred":["1","2"],"rejected":[],"entries":[` +
				`{"key":"1","star":true,"reject":false,"note":"too red","title":"Beta","endpoint":"fal-ai/beta","price":"$0.03","seed":"2","request":"r-60"},` +
				`{"key":"2","star":true,"reject":false,"note":"","title":"Gamma","endpoint":"fal-ai/gamma","price":"$0.1","seed":"3","request":"r-120"}]}`},
		{kb.Escape, `document.querySelector("dialog[open]")?.id ?? ""`, ""},
		// Keys can be switched off, but for those that have no letter.
		{"", `(document.getElementById("keys-on").click(), "")`, ""},
		{"0x", `document.querySelectorAll(".rejected").length + ""`, "0"},
	} {
		if step.keys != "" {
			press(t, tab, step.keys)
		}
		if got := eval[string](t, tab, step.js); got != step.want {
			t.Fatalf("step %d, %q: %s is %q, want %q", i, step.keys, step.js, got, step.want)
		}
	}
}

// Pictures side by side are enlarged and moved together, whatever their sizes.
func TestSheetZoom(t *testing.T) {
	t.Parallel()
	s := &sheet.Sheet{Sections: []sheet.Section{{Entries: []sheet.Entry{
		{Title: "Large", Picture: hill(t, 2000, 1500, 1)}, {Title: "Small", Picture: hill(t, 1000, 750, 99)},
	}}}}
	tab := open(t, write(t, s), 1440, "dark")
	press(t, tab, kb.ArrowRight+"c"+kb.ArrowRight+"cv")
	eval[bool](t, tab, `Promise.all([...document.querySelectorAll(".stage img")].map((i) => i.decode())).then(() => new Promise(requestAnimationFrame)).then(() => true)`)
	// Where the middle of each stage is in its picture, in thousandths, and how wide it is.
	const where = `JSON.stringify([...document.querySelectorAll(".stage")].map((stage) => {
		const s = stage.getBoundingClientRect(), i = stage.querySelector("img").getBoundingClientRect();
		return [Math.round((s.left + s.width / 2 - i.left) / i.width * 1000), Math.round((s.top + s.height / 2 - i.top) / i.height * 1000), Math.round(i.width)];
	}))`
	fit := eval[string](t, tab, where)
	for _, step := range []struct{ keys, want string }{
		{"1", "[[500,500,2000],[500,500,1000]]"},
		{"++", "[[500,500,3125],[500,500,1563]]"},
		{"1" + strings.Repeat("+", 3), "[[500,500,3906],[500,500,1953]]"},
		{"f", fit},
	} {
		if press(t, tab, step.keys); eval[string](t, tab, where) != step.want {
			t.Errorf("%s: %s, want %s", step.keys, eval[string](t, tab, where), step.want)
		}
	}
	// The wheel enlarges around the pointer, and both go there.
	got := eval[string](t, tab, `(() => {
		const stage = document.querySelector(".stage"), s = stage.getBoundingClientRect();
		for (let i = 0; i < 8; i++) stage.dispatchEvent(new WheelEvent("wheel", { deltaY: -100, bubbles: true, cancelable: true, clientX: s.left + s.width / 4, clientY: s.top + s.height / 2 }));
		return `+where+`;
	})()`)
	m := regexp.MustCompile(`^\[\[(\d+),500,(\d+)\],\[(\d+),500,(\d+)\]\]$`).FindStringSubmatch(got)
	if m == nil || m[1] != m[3] || m[1] >= "500" || m[2] == m[4] {
		t.Errorf("after the wheel: %s", got)
	}
	// Dragging moves both.
	dragged := eval[string](t, tab, `(() => {
		const stage = document.querySelectorAll(".stage")[1];
		const fire = (type, x) => stage.dispatchEvent(new PointerEvent(type, { pointerId: 1, bubbles: true, clientX: 1000 + x, clientY: 400 }));
		stage.setPointerCapture = () => {};
		fire("pointerdown", 0); fire("pointermove", -50); fire("pointermove", -100); fire("pointerup", -100);
		return `+where+`;
	})()`)
	d := regexp.MustCompile(`^\[\[(\d+),500,(\d+)\],\[(\d+),500,(\d+)\]\]$`).FindStringSubmatch(dragged)
	if d == nil || d[1] != d[3] || d[1] <= m[1] {
		t.Errorf("after dragging: %s, before %s", dragged, got)
	}
}

// Blind, nothing tells the model until there is a vote, and stars outlast the page.
func TestSheetBlind(t *testing.T) {
	t.Parallel()
	address := write(t, contest(t))
	tab := open(t, address, 1440, "light")
	press(t, tab, "b")
	const told = `[...document.querySelectorAll("main section")].map((s) => s.innerText + [...s.querySelectorAll("img, [aria-label]")].map((e) => e.alt + e.ariaLabel)).join("|")`
	both := func() (first, second bool) {
		parts := strings.Split(eval[string](t, tab, told), "|")
		tells := func(s string) bool { return regexp.MustCompile(`Alpha|Beta|Gamma|\$|r-\d|fal-ai`).MatchString(s) }
		return tells(parts[0]), tells(parts[1])
	}
	if a, b := both(); a || b {
		t.Fatalf("the models are told: %s", eval[string](t, tab, told))
	}
	press(t, tab, kb.ArrowRight+kb.Enter)
	if got := eval[string](t, tab, `document.querySelector("dialog[open]").innerText`); !strings.HasPrefix(got, "A") || strings.Contains(got, "$") || regexp.MustCompile("Alpha|Beta|Gamma").MatchString(got) {
		t.Errorf("the viewer tells %q", got)
	}
	press(t, tab, kb.Escape)
	order := eval[string](t, tab, `[...document.querySelectorAll(".entry")].map((e) => e.dataset.key).join()`)
	voted := eval[string](t, tab, `document.querySelector(".entry").querySelector("h3 bdi").textContent`)
	press(t, tab, "s")
	if a, b := both(); !a || b {
		t.Errorf("after a vote for the first section: %v, %v are told", a, b)
	}
	tally := eval[string](t, tab, `document.getElementById("tally").innerText`)
	if !strings.Contains(tally, voted+" 1") || !strings.Contains(tally, "1 to go") {
		t.Errorf("the tally is %q", tally)
	}
	// The page is loaded again: what is hidden stays so, in the same order.
	if err := chromedp.Do(tab, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if eval[bool](t, tab, `document.readyState === "complete" && document.documentElement.dataset.ready === "true"`) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if a, b := both(); !a || b || eval[string](t, tab, `document.querySelectorAll(".starred").length + ""`) != "1" {
		t.Errorf("loaded again: %v, %v are told", a, b)
	}
	again := eval[string](t, tab, `[...document.querySelectorAll(".entry")].map((e) => e.dataset.key).join()`)
	if again[len(again)-7:] != order[len(order)-7:] {
		t.Errorf("the order was %s and is %s", order, again)
	}
	press(t, tab, "b")
	if got := eval[string](t, tab, `[...document.querySelectorAll(".entry")].map((e) => e.dataset.key).join()`); got != "0,1,2,3,4,5,6" {
		t.Errorf("shown again, the order is %s", got)
	}
}

// What is starred in one window is starred in the other, which has it open too.
func TestSheetTwice(t *testing.T) {
	t.Parallel()
	address := write(t, contest(t))
	one, other := open(t, address, 1440, "light"), open(t, address, 1440, "light")
	press(t, one, "2s")
	const kept = `(localStorage.getItem(store) ?? "").split('"star":true').length - 1`
	wait := func(tab context.Context, n int) {
		for range 250 {
			if eval[int](t, tab, kept) == n {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("there are never %d stars", n)
	}
	wait(other, 1)
	press(t, other, "1s")
	wait(one, 2)
	for _, tab := range []context.Context{one, other} {
		eval[bool](t, tab, `dispatchEvent(new Event("focus"))`)
		const starred = `[...document.querySelectorAll(".starred")].map((e) => e.dataset.key).join()`
		if got := eval[string](t, tab, starred); got != "1,2" {
			t.Errorf("starred are %s", got)
		}
	}
}

// Without script the page still reads, and a picture is a link to a view of it.
func TestSheetWithoutScript(t *testing.T) {
	t.Parallel()
	tab := open(t, "about:blank", 1440, "light")
	if _, err := chromedp.Call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(tab, chromedp.Navigate(write(t, contest(t))+"#p1-2")); err != nil {
		t.Fatal(err)
	}
	got, err := chromedp.Run(tab, chromedp.Evaluate[string](`(() => {
		const view = document.getElementById("p1-2").getBoundingClientRect();
		return [document.documentElement.dataset.ready, getComputedStyle(document.getElementById("desk")).display, getComputedStyle(document.querySelector(".tools")).display, view.width, view.height].join();
	})()`))
	if want := ",none,none,1440,900"; err != nil || got != want {
		t.Errorf("the page is %s, %v", got, err)
	}
}

// Pictures beside the page are fetched when they come near the window, and not
// before, however many there are.
func TestSheetLazy(t *testing.T) {
	t.Parallel()
	const many = 2000
	s := &sheet.Sheet{Title: "Many", Sections: []sheet.Section{{}}}
	for i := range many {
		s.Sections[0].Entries = append(s.Sections[0].Entries, sheet.Entry{Title: "M", File: fmt.Sprintf("p/%d.jpg", i+1), Width: 640, Height: 480})
	}
	picture := hill(t, 640, 480, 1)
	var fetched atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/p/") {
			fetched.Add(1)
			_, _ = w.Write(picture)
			return
		}
		if err := s.WriteHTML(w); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	tab := open(t, server.URL, 1440, "light")
	until(t, tab, `document.documentElement.dataset.ready && document.querySelector(".entry img").naturalWidth`)
	if n := fetched.Load(); n > many/10 {
		t.Errorf("%d pictures were fetched at once", n)
	}
	press(t, tab, strconv.Itoa(many))
	until(t, tab, fmt.Sprintf(`document.activeElement.closest("[data-key='%d']")?.querySelector("img").naturalWidth`, many))
	if n := fetched.Load(); n > many/5 {
		t.Errorf("%d pictures were fetched to see the last", n)
	}
}

// The rules of axe hold, for the page and for all that opens on it.
func TestSheetAccessible(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("%v; install.sh installs it", err)
	}
	address := write(t, contest(t))
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 1440} {
			t.Run(fmt.Sprint(scheme, width), func(t *testing.T) {
				t.Parallel()
				tab := open(t, address, width, scheme)
				eval[bool](t, tab, "(() => {"+string(axe)+"; return true; })()")
				for name, keys := range map[string]string{"page": "", "marked": "0s1x2c3c", "viewer": "0" + kb.Enter, "compare": "v", "help": "?", "export": "e", "note": "0n", "blind": "b"} {
					press(t, tab, keys)
					eval[bool](t, tab, `new Promise(requestAnimationFrame).then(() => true)`)
					wrong := eval[[]string](t, tab, `axe.run({ resultTypes: ["violations"] }).then((r) => r.violations.map((v) => v.id + ": " + v.help + " " + v.nodes.slice(0, 2).map((n) => n.html.slice(0, 200) + n.failureSummary).join()))`)
					for _, w := range wrong {
						t.Errorf("%s: %s", name, w)
					}
					press(t, tab, kb.Escape)
				}
			})
		}
	}
}

// Each section is a page of paper.
func TestSheetPrints(t *testing.T) {
	t.Parallel()
	s := contest(t)
	s.Sections = append(s.Sections, s.Sections[1])
	s.Sections[2].Entries = s.Sections[2].Entries[:1]
	tab := open(t, write(t, s), 1440, "dark")
	press(t, tab, "0n")
	press(t, tab, "a note"+kb.Tab+kb.Enter)
	pdf, err := printed(tab)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`/Type /Page\b`).FindAll(pdf, -1)); n != 3 {
		t.Errorf("%d pages, want 3", n)
	}
}

// A page that is opened at a picture it has no more works as any other.
func TestStaleFragment(t *testing.T) {
	t.Parallel()
	tab := open(t, write(t, contest(t))+"#p9-9", 1280, "light")
	if got := eval[string](t, tab, `document.documentElement.dataset.ready ?? "not"`); got != "true" {
		t.Errorf("ready is %q", got)
	}
}
