package dataset_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

func TestUnknownTrainer(t *testing.T) {
	t.Parallel()
	set := dataset.Images(dataset.Image{File: fal.Bytes(pngPicture)})
	const say = ": is no trainer that is known here; the nearest are "
	for trainer, want := range map[string]string{
		"fal-ai/flux-2-trainr":              "fal-ai/flux-2-trainer, fal-ai/flux-2-trainer-v2, fal-ai/flux-krea-trainer",
		"fal-ai/flux-2":                     "fal-ai/flux-2-trainer, fal-ai/flux-2-trainer-v2, fal-ai/flux-krea-trainer",
		"flux-2-trainer/edit":               "fal-ai/flux-2-trainer/edit, fal-ai/flux-2-trainer-v2/edit, fal-ai/flux-2-trainer",
		"fal-ai/qwen-image-2512-trainer2":   "fal-ai/qwen-image-2512-trainer, fal-ai/qwen-image-2512-trainer-v2, fal-ai/qwen-image-edit-trainer",
		"fal-ai/Flux-Kontext-Trainer":       "fal-ai/flux-kontext-trainer, fal-ai/flux-krea-trainer, fal-ai/flux-2-trainer",
		"someone/flux-3/klein/base/trainer": "blackforestlabs/flux-3/klein/base/trainer, blackforestlabs/flux-3/klein/base/trainer/edit, fal-ai/flux-2-klein-4b-base-trainer",
	} {
		got := problems(t, set, options{Trainer: trainer})
		if diff := cmp.Diff([]string{"endpoint: " + trainer + say + want}, got); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	}
	if got := problems(t, set, options{Trainer: strings.Repeat("x", 1<<20)}); len(got) != 1 {
		t.Errorf("%d problems", len(got))
	}
	// The rest is checked all the same.
	got := problems(t, dataset.Images(dataset.Image{Name: "a"}), options{Trainer: "x"})
	if len(got) != 2 || got[1] != "a: is missing" {
		t.Errorf("problems %q, want what is wrong with the set too", got)
	}
}

// TestEveryTrainer knows all trainers that there are requests for.
func TestEveryTrainer(t *testing.T) {
	t.Parallel()
	picture := fal.Bytes(pngPicture)
	sets := map[string]dataset.Set{
		"images": dataset.Images(dataset.Image{File: picture, Caption: "c"}),
		"pairs":  dataset.Pairs(dataset.Pair{Start: []fal.File{picture}, End: picture, Caption: "c"}),
		"layers": dataset.Layers(dataset.Stack{Base: picture, Layers: []fal.File{picture}, Caption: "c"}),
	}
	seen := 0
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		if m.Task != "train" {
			continue
		}
		seen++
		form := "images"
		switch {
		case strings.Contains(m.Endpoint, "edit") || strings.Contains(m.Endpoint, "kontext"):
			form = "pairs"
		case strings.Contains(m.Endpoint, "layered"):
			form = "layers"
		}
		for _, id := range append(m.Aliases, m.Endpoint) {
			if _, err := (options{Trainer: id, Logger: slog.New(slog.DiscardHandler)}).pack(sets[form]); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d trainers", seen)
	}
}
