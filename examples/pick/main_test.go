package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// The program picks through its own page, and saves what came of it.
func TestRun(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	s := settings{
		task:   router.Task{Prompt: "a photo of a mug", Size: "square"},
		drafts: studio.Drafts{Count: 3, Finals: 2}, auto: true, out: filepath.Join(t.TempDir(), "out"),
	}
	var out strings.Builder
	if err := run(t.Context(), &out, srv.Client(), s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pick at http://127.0.0.1:", "final of draft 0: ", "final of draft 1: ", "for 3 drafts and 2 finals", "contact sheet: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	if page, err := os.ReadFile(filepath.Join(s.out, "pick.html")); err != nil || strings.Count(string(page), `src="data:image/`) != 5 {
		t.Errorf("the page: %v", err)
	}
	if finals, err := filepath.Glob(filepath.Join(s.out, "pick-*")); err != nil || len(finals) != 2 {
		t.Errorf("finals %v, %v", finals, err)
	}
}

// What the page refuses ends the program, and no final is made.
func TestRefused(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	s := settings{task: router.Task{Prompt: "a mug"}, drafts: studio.Drafts{Count: 2, Finals: 1}, auto: true, out: t.TempDir()}
	page, err := studio.Serve(t.Context(), srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	go func() { _, _ = studio.Draft(t.Context(), srv.Client(), s.task, s.drafts, page.Pick) }()
	if err := pick(t.Context(), page.URL(), 2); err == nil || !strings.Contains(err.Error(), "2 were picked, and 1 can be") {
		t.Errorf("error %v", err)
	}
}
