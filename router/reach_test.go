package router_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
	"github.com/falimage/falimage-go/router"
)

// Every endpoint of the catalogue is reached by a task that needs it, or says in
// a sentence why it is not.
func TestEveryEndpointIsReached(t *testing.T) {
	t.Parallel()
	chooser := mustRouter(t, router.DefaultPolicy())
	one, two := pictures(1), pictures(2)
	needs := []router.Task{
		{Prompt: "x"}, {Prompt: "x", Pictures: one}, {Prompt: "x", Pictures: two}, {Prompt: "x", Pictures: one, Edit: router.EditRework, Strength: new(0.5)},
		{Prompt: "x", LoRAs: []router.LoRA{{Path: "a/b"}}}, {Prompt: "x", Pictures: one, LoRAs: []router.LoRA{{Path: "a/b"}}},
		{Pictures: one, Edit: router.EditLayers}, {Pictures: one, Edit: router.EditUpscale}, {Pictures: one, Edit: router.EditVariation},
		{Pictures: one, Edit: router.EditExtend, Aspect: "16:9"}, {Pictures: one, Edit: router.EditRelight}, {Pictures: one, Edit: router.EditAngle},
		{Prompt: "x", Pictures: one, Mask: mask, Edit: router.EditInpaint}, {Pictures: one, Mask: mask, Edit: router.EditRemove}, {Prompt: "x", Pictures: one, Edit: router.EditRemove},
		{Prompt: "x", Pictures: two, Edit: router.EditTryOn}, {Prompt: "x", Pictures: one, Edit: router.EditBackground}, {Prompt: "x", Pictures: one, Edit: router.EditInContext},
		{Prompt: "x", Pictures: one, Edit: router.EditFace}, {Prompt: "x", Pictures: one, Edit: router.EditSubject}, {Prompt: "x", Pictures: two, Edit: router.EditCompose},
		{Prompt: "x", Pictures: one, Edit: router.EditDepth}, {Prompt: "x", Pictures: one, Edit: router.EditEdges}, {Prompt: "x", Pictures: two, Edit: router.EditDepth},
		{Prompt: "x", Pictures: two, Edit: router.EditEdges}, {Prompt: "x", Pictures: one, Edit: router.EditStyle}, {Prompt: "x", Pictures: two, Mask: mask, Edit: router.EditInpaint},
	}
	for i := range needs {
		needs[i].UnknownPrice = true
	}
	lora := []router.LoRA{{Path: "a/b"}}
	unreached := make(map[string]string)
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		if m.Task == "train" {
			_, err := router.Trainers(router.TrainingTask{Lesson: router.LearnSubject})
			if err != nil {
				t.Error(err)
			}
			continue
		}
		reached := false
		for _, need := range needs {
			need.Only = []string{m.Endpoint}
			for _, need.LoRAs = range [][]router.LoRA{need.LoRAs, lora} {
				if r, err := chooser.Route(need); err == nil && r.Best().Model.Endpoint == m.Endpoint {
					reached = true
				}
			}
		}
		if reached {
			continue
		}
		r, err := chooser.Route(router.Task{Prompt: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Refused {
			if f.Model().Endpoint == m.Endpoint {
				unreached[m.Endpoint] = strings.Join(f.Why(), "; ")
			}
		}
	}
	for id, want := range map[string]string{
		"fal-ai/flux-2/klein/realtime":               "realtime session",
		"fal-ai/flux-general/differential-diffusion": "a map of how much",
		"fal-ai/flux-differential-diffusion":         "a map of how much",
	} {
		if !strings.Contains(unreached[id], want) {
			t.Errorf("%s: %q", id, unreached[id])
		}
		delete(unreached, id)
	}
	for id, why := range unreached {
		if !strings.Contains(why, "fine-tune of an account") {
			t.Errorf("%s is not reached: %s", id, why)
		}
	}
}

// The work that has models of its own goes to them, live ones.
func TestKindsOfWork(t *testing.T) {
	t.Parallel()
	gone := make(map[string]bool)
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		gone[m.Endpoint] = m.Status.State != schema.Live
	}
	one, two := pictures(1), pictures(2)
	for _, tt := range []struct {
		task router.Task
		want []string
	}{
		{router.Task{Pictures: one, Edit: router.EditVariation}, []string{"flux.Pro11Redux", "flux.DevRedux"}},
		{router.Task{Prompt: "a castle", Pictures: one, Edit: router.EditDepth}, []string{"flux.Control"}},
		{router.Task{Prompt: "a castle", Pictures: one, Edit: router.EditEdges, LoRAs: []router.LoRA{{Path: "a/b"}}}, []string{"flux.StructureLoRA", "flux.Control"}},
		{router.Task{Prompt: "a castle", Pictures: two, Edit: router.EditEdges}, []string{"flux.ControlImageToImage"}},
		{router.Task{Prompt: "her as a pilot", Pictures: one, Edit: router.EditFace}, []string{"flux.PuLID"}},
		{router.Task{Prompt: "the mug on a beach", Pictures: one, Edit: router.EditSubject}, []string{"flux.SubjectDriven"}},
		{router.Task{Pictures: one, Edit: router.EditExtend, Aspect: "16:9"}, []string{"flux.Pro2Outpaint"}},
		{router.Task{Pictures: one, Edit: router.EditRelight}, []string{"qwen.Edit2509Lighting"}},
		{router.Task{Prompt: "in oil", Pictures: one, Edit: router.EditRework, Strength: new(0.4)}, []string{"flux.DevImageToImage", "qwen.ImageToImage"}},
	} {
		r, err := router.Route(tt.task)
		if err != nil {
			t.Errorf("%s: %v", tt.task.Edit, err)
			continue
		}
		for _, want := range tt.want {
			if !slices.ContainsFunc(r.Candidates, func(c router.Candidate) bool { return c.Model.Name == want }) {
				t.Errorf("%s: no %s", tt.task.Edit, want)
			}
		}
		if gone[r.Best().Model.Endpoint] {
			t.Errorf("%s: the best, %v, is gone", tt.task.Edit, r.Best().Model)
		}
		t.Log(tt.task.Edit, r.Best().Model, r.Best().Amounts)
	}
}

// What is to be extended may be said in words, with the size or the ratio, and the
// side; else the fields that tell it are named.
func TestExtensionInWords(t *testing.T) {
	t.Parallel()
	a := fal.URL("https://pictures.example/a.png")
	known := []router.Picture{{File: a, Width: 1000, Height: 1000}}
	for prompt, want := range map[string]flux.Pro2Outpaint{
		"Extend this picture to 16:9":                                                  {ExpandLeft: 388, ExpandRight: 389},
		"outpaint to 16 by 9":                                                          {ExpandLeft: 388, ExpandRight: 389},
		"expand the image to 9:16 at 10:30 in the morning":                             {ExpandTop: 388, ExpandBottom: 389},
		"Extend this picture to the right, to 2:1":                                     {ExpandRight: 1000},
		"extend the canvas on the left side to 1600x1000":                              {ExpandLeft: 600},
		"uncrop it to 1200 x 1300":                                                     {ExpandLeft: 100, ExpandRight: 100, ExpandTop: 150, ExpandBottom: 150},
		"extend the image upwards to 1000×1400":                                        {ExpandTop: 400},
		"extend the picture down to 1:2":                                               {ExpandBottom: 1000},
		"expand the photo to the left and to the right, 3:1":                           {ExpandLeft: 1000, ExpandRight: 1000},
		"erweitere das Bild nach links auf 2:1":                                        {ExpandLeft: 1000},
		"Snow! Extend this picture to 16:9":                                            {ExpandLeft: 388, ExpandRight: 389},
		"画像を右に広げて 2:1":                                                                 {ExpandRight: 1000},
		"make it 16:9":                                                                 {ExpandLeft: 388, ExpandRight: 389},
		"extend it to 2:1, and keep the man and his dog in the tall grass on the left": {ExpandLeft: 500, ExpandRight: 500},
	} {
		want.ImageURL = a
		c := candidate(t, router.Task{Prompt: prompt, Pictures: known}, "flux.Pro2Outpaint")
		if got := body(t, c.Request); got != body(t, want) {
			t.Errorf("%s: %s", prompt, got)
		}
		if more := strings.Contains(prompt, "morning") || strings.Contains(prompt, "Snow") || strings.Contains(prompt, "dog") || strings.Contains(prompt, "Bild"); len(c.Losses) > 0 != more {
			t.Errorf("%s: %+v", prompt, c.Losses)
		}
	}
	r, err := router.Route(router.Task{Prompt: "Extend this picture to 16:9", Pictures: known})
	if err != nil {
		t.Fatal(err)
	}
	if r.Task.Aspect != "" {
		t.Errorf("the task became %+v", r.Task)
	}
	kontext := candidate(t, router.Task{Prompt: "Extend this picture to 16:9", Pictures: known}, "flux.KontextPro")
	if got := body(t, kontext.Request); !strings.Contains(got, `"aspect_ratio":"16:9"`) {
		t.Errorf("a model that edits in words is not told: %s", got)
	}
	for name, task := range map[string]router.Task{
		"no size":            {Prompt: "extend the picture to the right", Pictures: known},
		"an unknown picture": {Prompt: "extend the picture to 16:9", Pictures: []router.Picture{{File: a}}},
		"a time":             {Prompt: "extend the picture, it is 9:30", Pictures: known},
	} {
		r, err := router.Route(task)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(r.Refused, func(f router.Refusal) bool { return f.Model().Name == "flux.Pro2Outpaint" })
		if i < 0 || !strings.Contains(r.Refused[i].String(), "needs the size or the aspect that the picture is to have, and the width and height") {
			t.Errorf("%s: %v", name, r.Refused[max(i, 0)].Why())
		}
	}
	// The task decides, and a fact may be denied.
	c := candidate(t, router.Task{Prompt: "extend this picture to 16:9", Aspect: "2:1", Pictures: known}, "flux.Pro2Outpaint")
	if got := body(t, c.Request); got != body(t, flux.Pro2Outpaint{ImageURL: a, ExpandLeft: 500, ExpandRight: 500}) {
		t.Errorf("against the aspect that is given: %s", got)
	}
	if _, err := router.Route(router.Task{Prompt: "extend this picture to 16:9", Pictures: known, Deny: []string{"extend"}, Only: []string{"flux.Pro2Outpaint"}}); err == nil {
		t.Error("what is denied was done")
	}
}

// A picture is extended by pixels, half of them on each side.
func TestExtension(t *testing.T) {
	t.Parallel()
	a := fal.URL("https://pictures.example/a.png")
	extend := router.Task{Edit: router.EditExtend, Only: []string{"flux.Pro2Outpaint"}, Pictures: []router.Picture{{File: a, Width: 1000, Height: 1001}}}
	for name, tt := range map[string]struct {
		aspect, size string
		of           [2]int // the picture, where it is another
		want         any
	}{
		"wider":           {aspect: "2:1", want: flux.Pro2Outpaint{ImageURL: a, ExpandLeft: 501, ExpandRight: 501}},
		"higher":          {aspect: "1:2", want: flux.Pro2Outpaint{ImageURL: a, ExpandTop: 499, ExpandBottom: 500}},
		"by one":          {size: "1001x1001", want: flux.Pro2Outpaint{ImageURL: a, ExpandRight: 1}},
		"in steps":        {aspect: "2:3", want: flux.Pro2Outpaint{ImageURL: a, ExpandTop: 249, ExpandBottom: 250}},
		"both":            {size: "1201x1302", want: flux.Pro2Outpaint{ImageURL: a, ExpandLeft: 100, ExpandRight: 101, ExpandTop: 150, ExpandBottom: 151}},
		"of the largest":  {aspect: "1:1", of: [2]int{schema.MaxSide - 10, schema.MaxSide}, want: flux.Pro2Outpaint{ImageURL: a, ExpandLeft: 5, ExpandRight: 5}},
		"of the smallest": {size: "2x1", of: [2]int{1, 1}, want: flux.Pro2Outpaint{ImageURL: a, ExpandRight: 1}},
	} {
		task := extend
		task.Aspect, task.Size = tt.aspect, fal.ImageSize(tt.size)
		if tt.of[0] > 0 {
			task.Pictures = []router.Picture{{File: a, Width: tt.of[0], Height: tt.of[1]}}
		}
		r, err := router.Route(task)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got, want := body(t, r.Best().Request), body(t, tt.want); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for name, change := range map[string]func(*router.Task){
		"shrinks":      func(t *router.Task) { t.Size = "900x1200" },
		"stays":        func(t *router.Task) { t.Size = "1000x1001" },
		"of no size":   func(t *router.Task) { t.Aspect, t.Pictures = "2:1", []router.Picture{{File: a}} },
		"of no target": func(*router.Task) {},
		"of a huge picture": func(t *router.Task) {
			t.Aspect, t.Pictures = "66:1", []router.Picture{{File: a, Width: 20000, Height: 300}}
		},
		"by too much":   func(t *router.Task) { t.Size = "9000x1001" },
		"automatically": func(t *router.Task) { t.Size = fal.AutoSize },
	} {
		task := extend
		change(&task)
		if _, err := router.Route(task); err == nil {
			t.Errorf("%s: is no error", name)
		}
	}
}
