package router_test

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/router"
)

//go:embed testdata/prompts.txt
var labelled string

// least is the precision and recall of a fact that must not be lost, in percent;
// 100 where it is not here. Look with -v at what a change does before a figure
// is changed.
var least = map[string][2]int{
	"illustration": {99, 100}, "people": {98, 98}, "photo": {99, 100}, "poster": {99, 100},
	"product": {100, 94}, "remove": {96, 100}, "text": {99, 99},
}

// labelledTasks yields a task for each labelled prompt, and its labels.
func labelledTasks() iter.Seq2[router.Task, string] {
	return func(yield func(router.Task, string) bool) {
		for line := range strings.Lines(labelled) {
			labels, prompt, ok := strings.Cut(strings.TrimSpace(line), "\t")
			if !ok {
				continue
			}
			task := router.Task{Prompt: prompt}
			for l := range strings.FieldsSeq(labels) {
				switch l {
				case "edit":
					task.Pictures = pictures(1)
				case "edits":
					task.Pictures = pictures(2)
				}
			}
			if !yield(task, labels) {
				return
			}
		}
	}
}

var update = flag.Bool("update", false, "write the files in testdata anew")

// What is found in each labelled prompt, by what words, and which model follows from
// it, stays as it is until somebody means to change it: then go test -update shows
// the difference, in prompts that are still misunderstood too.
func TestUnderstood(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	for task := range labelledTasks() {
		r, err := router.Route(task)
		if err != nil {
			t.Fatalf("%s: %v", task.Prompt, err)
		}
		best := r.Best()
		fmt.Fprintf(&got, "%.60s\n  %s %v, of %d", task.Prompt, best.Model.Name, best.Expected, len(r.Candidates))
		for _, f := range r.Facts {
			fmt.Fprintf(&got, "\n  %s: %.80s", f.Name, f.Why)
		}
		got.WriteByte('\n')
	}
	golden(t, "testdata/understood.txt", got.Bytes())
}

// golden compares with a file, or writes it anew.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("-want +got, go test -update accepts it:\n%.4000s", diff)
	}
}

// The labelled prompts are understood as a person understands them, but for a
// few: precision is how many of the prompts that a fact is found in have it,
// recall in how many of those that have it it is found.
func TestLabelledPrompts(t *testing.T) {
	t.Parallel()
	judged := []string{
		"photo", "product", "illustration", "poster", "infographic", "comic", "ui", "texture", "text", "multilingual", "many-elements", "people",
		"in-context", "style", "remove", "background", "text-edit", "angle", "extend", "cut-out", "try-on", "relight", "transparent",
	}
	type count struct{ right, missed, wrong int }
	counts := make(map[string]*count)
	for _, f := range judged {
		counts[f] = new(count)
	}
	prompts := 0
	for task, labels := range labelledTasks() {
		prompts++
		prompt := task.Prompt
		want := make(map[string]bool)
		for l := range strings.FieldsSeq(labels) {
			switch {
			case l == "edit", l == "edits":
			case strings.HasPrefix(l, "lang:"):
				want["multilingual"] = true
			case l == "text" && task.Pictures != nil:
				want["text-edit"] = true
			default:
				want[l] = true
			}
		}
		r, err := router.Route(task)
		if err != nil {
			t.Errorf("%s: %v", prompt, err)
			continue
		}
		got := make(map[string]string)
		for _, f := range r.Facts {
			got[f.Name] = f.Why
		}
		if task.Pictures != nil { // what an edit is for, and says, is not labelled
			for _, f := range judged[:12] {
				delete(got, f)
			}
		}
		for f, n := range counts {
			why, found := got[f]
			switch {
			case found && want[f]:
				n.right++
			case found:
				n.wrong++
				t.Logf("%s: %s, as %s", prompt, f, why)
			case want[f]:
				n.missed++
				t.Logf("%s: not %s", prompt, f)
			}
		}
	}
	t.Logf("%d prompts", prompts)
	if prompts < 1500 {
		t.Errorf("%d prompts, want 1500 at least", prompts)
	}
	for _, f := range slices.Sorted(maps.Keys(counts)) {
		n := counts[f]
		precision, recall := 100, 100
		if found := n.right + n.wrong; found > 0 {
			precision = 100 * n.right / found
		}
		if all := n.right + n.missed; all > 0 {
			recall = 100 * n.right / all
		}
		t.Logf("%-13s precision %3d%%, recall %3d%%, of %d", f, precision, recall, n.right+n.missed)
		w, ok := least[f]
		if !ok {
			w = [2]int{100, 100}
		}
		if precision < w[0] || recall < w[1] {
			t.Errorf("%s: precision %d%%, recall %d%%, want %d%% and %d%% at least", f, precision, recall, w[0], w[1])
		}
	}
}

// What the task says itself is so, whatever the prompt seems to say.
func TestDeny(t *testing.T) {
	t.Parallel()
	const prompt = "photo of two men under a neon sign in Japanese"
	for name, tt := range map[string]struct {
		task router.Task
		want string
	}{
		"as detected":         {router.Task{}, "photo text multilingual people"},
		"denied":              {router.Task{Deny: []string{"photo", "text", "people"}}, "multilingual"},
		"no text":             {router.Task{Text: []string{}}, "photo multilingual people"},
		"another purpose":     {router.Task{Purpose: router.Poster}, "poster text multilingual people"},
		"a language":          {router.Task{Languages: []string{"en"}}, "photo text people"},
		"stated, then denied": {router.Task{Purpose: router.Photo, Text: []string{"A"}, Deny: []string{"photo", "text", "multilingual"}}, "photo text people"},
	} {
		tt.task.Prompt = prompt
		r, err := router.Route(tt.task)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := detected(r.Facts); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	_, err := router.Route(router.Task{Prompt: prompt, Deny: []string{"text", "cats", "final"}})
	if err == nil || !strings.Contains(err.Error(), `deny[1]: "cats"`) && !strings.Contains(err.Error(), "deny[1]: cats") || !strings.Contains(err.Error(), "deny[2]") ||
		!strings.Contains(err.Error(), `one of ["photo" "product" "illustration" "poster" "infographic" "comic" "ui" "texture" "text" "multilingual" "many-elements" "people" "mentions" `+
			`"in-context" "style" "remove" "background" "text-edit" "angle" "try-on" "extend" "cut-out" "relight" "transparent"]`) {
		t.Errorf("got %v", err)
	}
}

// detected are the names of the facts that may be found in a prompt.
func detected(facts []router.Fact) string {
	var out []string
	for _, f := range facts {
		if f.Name != "generate" && f.Name != "final" {
			out = append(out, f.Name)
		}
	}
	return strings.Join(out, " ")
}

// A policy's own detection sees what this package's found, and decides; but not
// about what the task says.
func TestDetect(t *testing.T) {
	t.Parallel()
	p := router.DefaultPolicy()
	var saw string
	p.Detect = func(_ *router.Task, found []router.Fact) []router.Fact {
		saw = detected(found)
		return []router.Fact{{Name: "text", Why: "I say so"}, {Name: "final"}, {Name: "comic"}}
	}
	r, err := router.New(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Route(router.Task{Prompt: "photo of a man", Stage: router.StageDraft, Seed: new(uint64)})
	if err != nil {
		t.Fatal(err)
	}
	if saw != "draft photo people" || detected(got.Facts) != "draft comic text" {
		t.Errorf("saw %q, made %v", saw, got.Facts)
	}
	calls := 0
	p.Detect = func(_ *router.Task, found []router.Fact) []router.Fact { calls++; return found }
	counting := mustRouter(t, p)
	for want, task := range []router.Task{
		{Pictures: pictures(1), Edit: router.EditUpscale},
		{Prompt: "a mug", Transparent: true, Not: []string{"Qwen Image 2.1"}},
		{Prompt: "photo of a bar", Purpose: router.Poster, Text: []string{"BLUE"}},
	} {
		calls = 0
		if _, err := counting.Route(task); err != nil || calls != want {
			t.Errorf("%d calls, want %d, %v", calls, want, err)
		}
	}
	p.Detect = func(*router.Task, []router.Fact) []router.Fact { return []router.Fact{{Name: "txet"}} }
	if r, err = router.New(p); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Route(router.Task{Prompt: "a"}); err == nil || !strings.Contains(err.Error(), `no fact "txet"`) {
		t.Errorf("got %v", err)
	}
}

// A prompt of any bytes is read.
func FuzzDetect(f *testing.F) {
	for line := range strings.Lines(labelled) {
		f.Add(line)
	}
	f.Add("'\xff' \xf0 “a")
	f.Fuzz(func(t *testing.T, prompt string) {
		r, err := router.Route(router.Task{Prompt: prompt})
		if err == nil && len(r.Facts) == 0 {
			t.Error("no facts")
		}
	})
}

// What a LoRA was trained for is known by any of its names.
func TestLoRANames(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"flux.Dev": "flux.DevLoRA", "fal-ai/flux/dev": "flux.DevLoRA", "fal-ai/flux-lora-fast-training": "flux.DevLoRA", "FLUX.1 [dev]": "flux.DevLoRA",
		"flux.KreaTrainer": "flux.KreaLoRA", "flux.Dev2Trainer": "flux.Dev2LoRA", "flux.Klein4BBaseTrainer": "flux.Klein4BLoRA",
		"qwen.Image2512Trainer": "qwen.Image2512LoRA", "fal-ai/qwen-image-2512-trainer": "qwen.Image2512LoRA",
	} {
		r, err := router.Route(router.Task{Prompt: "TOK on a beach", LoRAs: []router.LoRA{{Path: "a/b", Base: base}}})
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		if i := slices.IndexFunc(r.Candidates, func(c router.Candidate) bool { return c.Model.Name == want }); i < 0 {
			t.Errorf("%s: %s is no candidate; the best is %v", base, want, r.Best().Model)
		}
		for _, c := range r.Candidates {
			if c.Model.Family != r.Best().Model.Family {
				t.Errorf("%s: %v and %v", base, c.Model, r.Best().Model)
			}
		}
	}
	_, err := router.Route(router.Task{Prompt: "a", LoRAs: []router.LoRA{{Path: "a/b", Base: "sdxl"}}})
	if err == nil || !strings.Contains(err.Error(), "loras[0].base") {
		t.Errorf("got %v", err)
	}
}
