package site_test

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// Drafts appear as they are made, on a page that is looked at, zoomed and starred
// meanwhile; it becomes the page to pick on once its reader has closed what is open.
func TestDraftsAsTheyCome(t *testing.T) {
	t.Parallel()
	client := faltest.NewServer(t).Client()
	page, err := studio.Serve(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	gates := make([]chan struct{}, 5)
	for i := range gates {
		gates[i] = make(chan struct{})
	}
	done := make(chan error, 1)
	go func() {
		made, err := studio.Draft(context.WithoutCancel(t.Context()), client, router.Task{Prompt: "a mug", Size: "square_hd"},
			studio.Drafts{Count: len(gates), Finals: 1, Made: func(v studio.Variant) {
				<-gates[v.Index]
				page.Show(v)
			}}, page.Pick)
		if err == nil && (len(made.Picked) != 1 || made.Picked[0].Index != 3) {
			t.Errorf("picked %v", made.Picked)
		}
		done <- err
	}()
	tab := open(t, page.URL(), 1280, "light")
	until(t, tab, `document.documentElement.dataset.ready && document.body.innerText.includes("The drafts are being made.")`)
	there := func(n string) string { return `document.querySelector("[data-key='` + n + `'] .open img")` }
	close(gates[3])
	until(t, tab, `document.documentElement.dataset.ready && `+there("3")+` && document.querySelector(".note").textContent.startsWith("1 of 5 drafts")`)
	eval[bool](t, tab, `window.same = true`)
	// It is starred, and what is not there cannot be.
	press(t, tab, "3s")
	press(t, tab, "2s")
	if got := eval[string](t, tab, `document.getElementById("status").textContent`); got != "Picture 2 is not there yet." {
		t.Errorf("one is told %q", got)
	}
	// The next comes while the first is looked at closely, and can be gone to.
	press(t, tab, "3")
	press(t, tab, kb.Enter)
	close(gates[2])
	// Its buttons come once it is near the window, a moment later.
	until(t, tab, there("2")+` && document.querySelector(".counts").textContent === "2 pictures, 3 under way" && document.querySelectorAll("[data-key='2'] .tools .mark").length === 1`)
	if !eval[bool](t, tab, `window.same && document.getElementById("viewer").open`) {
		t.Error("the page was loaded again, or the picture that was looked at is gone")
	}
	press(t, tab, kb.ArrowLeft)
	if got := eval[string](t, tab, `document.querySelector("#viewer figcaption b").textContent`); got != "2" {
		t.Errorf("the picture before the third is %s", got)
	}
	press(t, tab, kb.Escape)
	// Blind, what comes has no name.
	press(t, tab, "b")
	letter := eval[string](t, tab, `document.querySelector("[data-key='4'] .number span:last-child").textContent`)
	close(gates[4])
	until(t, tab, there("4"))
	if got := eval[string](t, tab, `document.querySelector("[data-key='4'] .number span:last-child").textContent + " " + `+there("4")+`.alt`); got != letter+" Picture "+letter || letter == "4" {
		t.Errorf("blind, draft 4 is called %q", got)
	}
	press(t, tab, "b")
	if got := eval[string](t, tab, there("4")+`.alt`); got == "Picture 4" || got == "" {
		t.Errorf("seen, draft 4 is called %q", got)
	}
	// A second star is one too many, as it will be when one picks.
	press(t, tab, "4s")
	if got := eval[string](t, tab, `document.querySelectorAll(".entry.starred").length + " " + document.getElementById("status").textContent`); got != "1 One can be picked: take back the other first." {
		t.Errorf("after a second star: %s", got)
	}
	press(t, tab, "4n")
	close(gates[0])
	close(gates[1])
	until(t, tab, there("0")+" && "+there("1"))
	eval[bool](t, tab, `(document.getElementById("note-text").select(), true)`) // the key went into it, too
	press(t, tab, "nice")
	if !eval[bool](t, tab, `window.same && document.getElementById("noting").open && document.title === "Drafts"`) {
		t.Error("the page was loaded again while a note was written")
	}
	eval[bool](t, tab, `(document.querySelector("#noting .go").click(), true)`)
	until(t, tab, `document.title === "Pick the best" && document.documentElement.dataset.ready`)
	if got := eval[string](t, tab, `[...document.querySelectorAll("[name=pick]:checked")].map((box) => box.value).join() + " " + document.getElementById("pick").textContent + " " + document.querySelector("[data-key='4'] .mine")?.textContent`); got != "3 Make the finals (1) nice" {
		t.Errorf("picked are %s", got)
	}
	eval[bool](t, tab, `(document.getElementById("pick").click(), true)`)
	if err := <-done; err != nil {
		t.Error(err)
	}
	until(t, tab, `document.readyState === "complete" && document.documentElement.dataset.ready && document.querySelectorAll(".entry img[src^='data:']").length === 6`)
}
