package site_test

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// until waits until the page has what JavaScript tells, through its reloads.
func until(t *testing.T, tab context.Context, js string) { //nolint:revive // as for eval
	t.Helper()
	for range 400 {
		if ok, err := chromedp.Run(tab, chromedp.Evaluate[bool]("Boolean("+js+")")); err == nil && ok {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("never: %s; the page is %s", js, eval[string](t, tab, `location.href + " " + document.body.innerText.slice(0, 500)`))
}

// shoot saves what is in the window, if the environment names a folder for the
// pictures of the README.
func shoot(t *testing.T, tab context.Context, name string, scale float64) { //nolint:revive // as for eval
	t.Helper()
	folder := os.Getenv("FALIMAGE_SCREENSHOTS")
	if folder == "" {
		return
	}
	until(t, tab, `[...document.images].every((i) => i.complete || i.getBoundingClientRect().top > innerHeight)`)
	time.Sleep(200 * time.Millisecond)
	shot, err := chromedp.Call(tab, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Clip: &page.Viewport{Y: eval[float64](t, tab, "scrollY"), Width: 1280, Height: 900, Scale: scale},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join((&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, m), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// A person picks with the keyboard, sees how the finals go on, and keeps the page
// when the program has ended.
func TestPickPage(t *testing.T) {
	t.Parallel()
	address := start(t, "pick", "-drafts", "8", "-finals", "2")
	tab := open(t, address, 1280, "light")
	until(t, tab, `document.title === "Pick the best" && document.documentElement.dataset.ready`)
	press(t, tab, "2s5s")
	// A third cannot be picked.
	press(t, tab, "7s")
	if got := eval[string](t, tab, `[...document.querySelectorAll("[name=pick]:checked")].map((box) => box.value).join() + " " + document.getElementById("pick").textContent`); got != "2,5 Make the finals (2)" {
		t.Errorf("picked are %s", got)
	}
	if got := eval[string](t, tab, `document.getElementById("status").textContent`); got != "2 can be picked: take back another first." {
		t.Errorf("one is told %q", got)
	}
	press(t, tab, "3c4cv")
	press(t, tab, "1")
	shoot(t, tab, "compare.png", 0.6)
	press(t, tab, kb.Escape)
	eval[bool](t, tab, `(document.activeElement.blur(), scrollTo(0, 0), true)`)
	shoot(t, tab, "pick.png", 1)
	eval[bool](t, tab, `(document.getElementById("pick").click(), true)`)
	until(t, tab, `document.querySelectorAll(".waiting").length > 0 || document.querySelectorAll("[data-key^='final'] img").length > 0`)
	until(t, tab, `document.querySelectorAll("[data-key='final 2'] img[src^='data:'], [data-key='final 5'] img[src^='data:']").length === 2`)
	// The program is gone, and all of it is there.
	until(t, tab, `document.readyState === "complete" && document.documentElement.dataset.ready && document.querySelectorAll(".entry img[src^='data:']").length === 10`)
	press(t, tab, "3s")
	if got := eval[string](t, tab, `document.querySelector("[data-key='3']").className`); got != "entry starred" {
		t.Errorf("starred afterwards it is %q", got)
	}
}
