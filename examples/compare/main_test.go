package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router"
)

// The article's comparison costs what its prices say.
func TestQuote(t *testing.T) {
	t.Parallel()
	var tasks []router.Task
	for _, a := range article {
		tasks = append(tasks, router.Task{Prompt: a.prompt, Size: fal.SquareHD})
	}
	for _, tt := range []struct{ models, want string }{
		{"flux.Pro2, qwen.Image3", "$0.28"},
		{"flux.Pro2", "$0.12"},
		{"flux.Pro9", "!the nearest are"},
		{"", "!no models"},
	} {
		plan, err := quote(tasks, demo.List(tt.models))
		if problem, ok := strings.CutPrefix(tt.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%q: %v", tt.models, err)
			}
		} else if err != nil || plan.Max.String() != tt.want {
			t.Errorf("%q: %v, %v", tt.models, plan.Max, err)
		}
	}
}

// A sheet is written even if a model fails, and says that it did.
func TestPaint(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.InjectFor("fal-ai/qwen-image", faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1)
	tests := []test{{"Foxes", "a red fox in the snow"}}
	tasks := []router.Task{{Prompt: tests[0].prompt, Size: fal.SquareHD}}
	folder := filepath.Join(t.TempDir(), "out")
	var out strings.Builder
	err := paint(t.Context(), &out, srv.Client(), true, tests, tasks, []string{"flux.Pro2", "qwen.Image"}, folder)
	if err == nil || !strings.Contains(err.Error(), "qwen.Image: ") {
		t.Errorf("the failure: %v", err)
	}
	for _, want := range []string{"1  Foxes", "FLUX.2 [pro]         billed $0.03", "Qwen Image           failed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	page, err := os.ReadFile(filepath.Join(folder, "compare.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Foxes", "a red fox in the snow", "Simulated: no model painted", "FLUX.2 [pro]"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%q is missing in the page", want)
		}
	}
	if info, err := os.Stat(filepath.Join(folder, "compare.png")); err != nil || info.Size() == 0 {
		t.Errorf("the PNG: %v", err)
	}
}
