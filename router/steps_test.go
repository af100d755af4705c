package router_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// What no model does alone is done in two steps, priced as a whole.
func TestTwoSteps(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		task             router.Task
		first, then      string
		expected, max    pricing.USD
		firstHas, edited string
	}{
		"transparent without Qwen Image 2.1": {router.Task{Prompt: "a mug", Transparent: true, Not: []string{"Qwen Image 2.1"}}, "flux.Pro2", "qwen.Layered", 8 * cent, 8 * cent, "before a plain background", `"num_layers":2`},
		"transparent":                        {router.Task{Prompt: "a mug", Transparent: true}, "qwen.Image21", "", 2097152, 2097152, "a mug", ""},
		"sticker":                            {router.Task{Prompt: "sticker of a cat", Only: []string{"flux.Pro2"}}, "flux.Pro2", "qwen.Layered", 8 * cent, 8 * cent, "before a plain background", `"num_layers":2`},
		"transparent WebP":                   {router.Task{Prompt: "a mug", Transparent: true, Format: "webp", Only: []string{"flux.Pro2"}}, "flux.Pro2", "qwen.Layered", 8 * cent, 8 * cent, `{"prompt"`, `"output_format":"webp"`},
		"a sticker that is none":             {router.Task{Prompt: "sticker of a cat", Deny: []string{"transparent"}}, "flux.Pro2", "", 3 * cent, 3 * cent, "sticker", ""},
		"sticker as JPEG":                    {router.Task{Prompt: "sticker of a cat", Format: fal.JPEG, Only: []string{"flux.Pro2"}}, "flux.Pro2", "", 3 * cent, 3 * cent, `"output_format":"jpeg"`, ""},
		"three stickers":                     {router.Task{Prompt: "sticker of a cat", Count: 3, Only: []string{"flux.Pro2"}}, "flux.Pro2", "qwen.Layered", 24 * cent, 24 * cent, "", ""},
		"draft of a sticker":                 {router.Task{Prompt: "sticker of a cat", Stage: router.StageDraft}, "flux.Schnell", "", 3 * cent / 10, 3 * cent / 10, "", ""},
		"transparent edit":                   {router.Task{Prompt: "cut it out, transparent background", Pictures: pictures(1), Only: []string{"flux.KontextPro"}}, "flux.KontextPro", "qwen.Layered", 9 * cent, 9 * cent, "cut it out", ""},
		"layers of a prompt":                 {router.Task{Prompt: "a barn", Edit: router.EditLayers, Layers: 6}, "flux.Pro2", "qwen.Layered", 8 * cent, 8 * cent, "a barn", `"num_layers":6`},
		"layers of a picture":                {router.Task{Pictures: pictures(1), Edit: router.EditLayers}, "qwen.Layered", "", 5 * cent, 5 * cent, "", ""},
		"4K by a model of 4 megapixels":      {router.Task{Prompt: "a barn", MinPixels: 3840 * 2160, Aspect: "16:9", Only: []string{"flux.Pro2"}}, "flux.Pro2", "flux.VisionUpscaler", 83 * cent, 83 * cent, `"landscape_16_9"`, `"upscale_factor":3.75`},
		"4K by a model of ratios":            {router.Task{Prompt: "a barn", MinPixels: 3840 * 2160, Aspect: "16:9", Only: []string{"flux.KontextProTextToImage"}}, "flux.KontextProTextToImage", "flux.VisionUpscaler", 84 * cent, 84 * cent, `"16:9"`, `"upscale_factor":3`},
		"4K of an edit":                      {router.Task{Prompt: "red", Pictures: pictures(1), MinPixels: 3840 * 2160, Only: []string{"qwen.Edit2511"}}, "qwen.Edit2511", "flux.VisionUpscaler", 0, 0, "", `"upscale_factor":`},
		"4K alone":                           {router.Task{Prompt: "a barn", MinPixels: 3840 * 2160}, "flux.Image3", "", 0, 0, "", ""},
		"lettered photo":                     {router.Task{Prompt: "a photo of a bar", Purpose: router.Poster, Text: []string{"BLUE"}}, "flux.Pro2", "qwen.Image3Edit", 73 * cent / 10, 108 * cent / 10, "write none", `It reads \"BLUE\"`},
		"poster over a photo":                {router.Task{Prompt: "poster over a photo of a bar", Text: []string{"BLUE", "HOUR"}}, "flux.Pro2", "qwen.Image3Edit", 0, 0, "write none", `It reads \"BLUE\", and \"HOUR\"`},
		"photo of a menu":                    {router.Task{Prompt: "photo of a menu", Text: []string{"FISH"}}, "qwen.Image", "", 0, 0, "FISH", ""},
		"lettered photo in one step":         {router.Task{Prompt: "a photo of a bar", Purpose: router.Poster, Text: []string{"BLUE"}, Require: []router.Feature{router.FeatureOneStep}}, "qwen.Image3", "", 4 * cent, 4 * cent, "BLUE", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := router.Route(tt.task)
			if err != nil {
				t.Fatal(err)
			}
			best, then := r.Best(), ""
			if best.Then != nil {
				then = best.Then.Model.Name
				if !slices.ContainsFunc(best.Losses, func(l router.Loss) bool { return l.Feature == router.FeatureOneStep && strings.Contains(l.Text, then) }) {
					t.Errorf("losses %v", best.Losses)
				}
				if got := body(t, best.Then.Request); !strings.Contains(got, tt.edited) {
					t.Errorf("the second is %s, without %s", got, tt.edited)
				}
			}
			if best.Model.Name != tt.first || then != tt.then {
				t.Errorf("%v, then %q", best.Model, then)
			}
			if tt.max > 0 && (best.Expected != tt.expected && tt.first != "qwen.Image21" || best.Max != tt.max && tt.first != "qwen.Image21") {
				t.Errorf("costs %v, at most %v", best.Expected, best.Max)
			}
			if got := body(t, best.Request); !strings.Contains(got, tt.firstHas) {
				t.Errorf("the first is %s, without %s", got, tt.firstHas)
			}
			sum := 0
			for _, reason := range best.Reasons() {
				sum += reason.Points
			}
			for _, l := range best.Losses {
				sum -= l.Points
			}
			if sum != best.Score {
				t.Errorf("the reasons have %d points, the score is %d", sum, best.Score)
			}
		})
	}
}

// What is cut out has no background, where a model or two can make that; but for what
// the prompt or the task says of another.
func TestCutOut(t *testing.T) {
	t.Parallel()
	remove := router.Task{Prompt: "remove the background", Pictures: pictures(1)}
	for name, tt := range map[string]struct {
		task        router.Task
		first, then string
		transparent bool
		lost        bool
	}{
		"alone":        {remove, "qwen.Image21Edit", "", true, false},
		"in two steps": {with(remove, func(t *router.Task) { t.Only = []string{"flux.KontextPro"} }), "flux.KontextPro", "qwen.Layered", true, false},
		"by none":      {with(remove, func(t *router.Task) { t.Only = []string{"Kontext"} }), "flux.KontextMax", "", true, true},
		"in one step": {with(remove, func(t *router.Task) {
			t.Only, t.Require = []string{"flux.KontextPro"}, []router.Feature{router.FeatureOneStep}
		}), "flux.KontextPro", "", true, true},
		"as JPEG":          {with(remove, func(t *router.Task) { t.Format = fal.JPEG }), "flux.Image3Edit", "", false, false},
		"denied":           {with(remove, func(t *router.Task) { t.Deny = []string{"transparent"} }), "flux.Image3Edit", "", false, false},
		"not cut out":      {with(remove, func(t *router.Task) { t.Deny = []string{"cut-out"} }), "qwen.Image3Edit", "", false, false},
		"another":          {with(remove, func(t *router.Task) { t.Prompt += " and put it on a beach" }), "flux.Image3Edit", "", false, false},
		"another, by name": {with(remove, func(t *router.Task) { t.Prompt += ", replace it with a forest" }), "flux.Image3Edit", "", false, false},
		"as a draft":       {with(remove, func(t *router.Task) { t.Stage = router.StageDraft }), "flux.Flash2Edit", "", true, true},
		"large":            {with(remove, func(t *router.Task) { t.Only, t.MinPixels = []string{"Kontext"}, 1<<23 }), "", "", true, false},
	} {
		r, err := router.Route(tt.task)
		if tt.first == "" {
			if err == nil {
				t.Errorf("%s: %v", name, r.Best().Model)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		then := ""
		if r.Best().Then != nil {
			then = r.Best().Then.Model.Name
		}
		transparent := slices.ContainsFunc(r.Facts, func(f router.Fact) bool { return f.Name == "transparent" })
		lost := slices.ContainsFunc(r.Best().Losses, func(l router.Loss) bool { return l.Feature == router.FeatureAlpha })
		if r.Best().Model.Name != tt.first || then != tt.then || transparent != tt.transparent || lost != tt.lost {
			t.Errorf("%s: %v, then %q, transparent %t, lost %t", name, r.Best().Model, then, transparent, lost)
		}
	}
	for name, task := range map[string]router.Task{
		"too dear":  with(remove, func(t *router.Task) { t.MaxPrice = cent }),
		"required":  with(remove, func(t *router.Task) { t.Only, t.Require = []string{"Kontext"}, []router.Feature{router.FeatureAlpha} }),
		"said":      with(remove, func(t *router.Task) { t.Only, t.Transparent = []string{"Kontext"}, true }),
		"in words":  with(remove, func(t *router.Task) { t.Only, t.Prompt = []string{"Kontext"}, "remove the background, transparent png" }),
		"of a kind": {Prompt: "sticker of a cat", Only: []string{"Kontext"}},
	} {
		if r, err := router.Route(task); err == nil {
			t.Errorf("%s: %v is no error", name, r.Best().Model)
		}
	}
}

// What two steps do not reach is refused with the reason, and bounds hold for the
// whole.
func TestTwoStepsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		task router.Task
		want string
	}{
		"too large":      {router.Task{Prompt: "x", MinPixels: 12000 * 12000, Only: []string{"flux.Pro2"}}, "are too small to be made 144000000 pixels large, 4 times as wide and high at most"},
		"of no size":     {router.Task{Prompt: "x", MinPixels: 8 << 20, Pictures: []router.Picture{{File: mask}}, Edit: router.EditRework, Only: []string{"flux.DevImageToImage"}}, "the size of its pictures is not known"},
		"too dear":       {router.Task{Prompt: "x", Transparent: true, MaxPrice: 7 * cent, Only: []string{"flux.Pro2"}}, "a price of at most $0.07"},
		"each too dear":  {router.Task{Prompt: "x", Transparent: true, Count: 2, MaxPricePerImage: 7 * cent, Only: []string{"flux.Pro2"}}, "a price of at most $0.07 for each"},
		"open weights":   {router.Task{Prompt: "x", MinPixels: 12 << 20, Licence: router.OpenWeights, Only: []string{"FLUX.1"}}, "its weights are not published"},
		"FLUX alone":     {router.Task{Prompt: "x", Transparent: true, Only: []string{"flux"}}, "no model can do the second step, transparency: editing: layers + only flux"},
		"a JPEG":         {router.Task{Prompt: "x", Transparent: true, Format: fal.JPEG}, "format: jpeg: has no transparency: png or webp has"},
		"second banned":  {router.Task{Prompt: "x", Edit: router.EditLayers, Not: []string{"Qwen Image Layered"}}, "is banned"},
		"one step alone": {router.Task{Prompt: "x", Edit: router.EditLayers, Require: []router.Feature{router.FeatureOneStep}}, "layers from a prompt alone"},
	} {
		_, err := router.Route(tt.task)
		var text strings.Builder
		if err != nil {
			text.WriteString(err.Error())
		}
		if e, ok := errors.AsType[*router.NoModelError](err); ok {
			for _, f := range e.Refused {
				text.WriteString("\n" + f.String())
			}
		}
		if name == "too large" && err != nil && !strings.Contains(err.Error(), "in two steps\": FLUX.2 [pro] (flux.Pro2) for $0.075: its pictures are too small") {
			t.Errorf("%s: the reason is missing in %v", name, err)
		}
		if err == nil || !strings.Contains(text.String(), tt.want) {
			t.Errorf("%s: %.600s", name, text.String())
		}
	}
}

// What is asked for is said once in the first step, however it is given.
func TestFirstPrompt(t *testing.T) {
	t.Parallel()
	structured := &flux.StructuredPrompt{Scene: "a bar", ColorPalette: []flux.Color{"#101010"}}
	for name, task := range map[string]router.Task{
		"transparent":             {Prompt: "a mug", Transparent: true, Colors: []flux.Color{"#2ECC71"}, Text: []string{"BLUE"}},
		"transparent, structured": {Structured: structured, Transparent: true, Colors: []flux.Color{"#2ECC71"}, Text: []string{"BLUE"}},
		"lettered":                {Prompt: "a photo of a bar", Purpose: router.Poster, Colors: []flux.Color{"#2ECC71"}, Text: []string{"BLUE"}},
	} {
		c := candidate(t, with(task, func(t *router.Task) { t.Only = []string{"flux.Pro2"} }), "flux.Pro2")
		got := body(t, c.Request)
		if c.Then == nil || strings.Count(got, "#2ECC71") != 1 || strings.Count(got, "BLUE") != strings.Count(name, "transparent") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// with returns a task with a change.
func with(t router.Task, change func(*router.Task)) router.Task {
	change(&t)
	return t
}

// The steps of a candidate are tasks: one where its model does all.
func TestSteps(t *testing.T) {
	t.Parallel()
	task := router.Task{Prompt: "a barn", Only: []string{"flux.Pro2"}}
	one := candidate(t, task, "flux.Pro2")
	if first, then := one.Steps(); then != nil || first.Prompt != task.Prompt {
		t.Errorf("%v", first)
	}
	task.MinPixels = 4096 * 4096
	two := candidate(t, task, "flux.Pro2")
	first, then := two.Steps()
	made := then(router.Picture{File: fal.URL("https://pictures.example/a.png"), Width: 2048, Height: 1024})
	if first.MinPixels != 0 || made.Scale != 2.83 || made.Edit != router.EditUpscale || made.Pictures[0].Width != 2048 {
		t.Errorf("%v, %v", first, made)
	}
	if _, err := router.Route(then(router.Picture{File: fal.URL("https://pictures.example/a.png"), Width: 4100, Height: 4100})); err != nil {
		t.Errorf("of a picture that came large enough: %v", err)
	}
}

// What a model of ratios makes is about a megapixel at the ratio that is asked for, a
// square without one.
func TestEnlargedRatio(t *testing.T) {
	t.Parallel()
	for aspect, want := range map[string]string{"": `"upscale_factor":3}`, "16:9": `"upscale_factor":3}`, "21:9": `"upscale_factor":3.01}`, "9:21": `"upscale_factor":3.01}`} {
		c := candidate(t, router.Task{Prompt: "a barn", MinPixels: 3840 * 2160, Aspect: aspect, Only: []string{"flux.KontextProTextToImage"}}, "flux.KontextProTextToImage")
		if got := body(t, c.Then.Request); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s, want %s", aspect, got, want)
		}
	}
}

// Of equal models for the second step the first that is listed does it, as of equal
// candidates.
func TestEqualSecondSteps(t *testing.T) {
	t.Parallel()
	p := router.DefaultPolicy()
	for _, name := range []string{"acme.One", "acme.Two", "acme.Three"} {
		p.Models = append(p.Models, router.OwnModel{
			Model: router.Model{Name: name, Endpoint: name, Title: name, Family: "Acme"}, Task: "layers", MaxPictures: 1,
			Rating: router.Rating{Quality: 10, Speed: 10}, Price: pricing.PerImage{Price: cent / 100},
			Request: func(router.Task) fal.Request[fal.Images] {
				return fal.Call[fal.Images]{ID: fal.Endpoint[fal.Images](name), Input: "x"}
			},
		})
	}
	r, err := mustRouter(t, p).Route(router.Task{Prompt: "a barn", Edit: router.EditLayers})
	if err != nil || r.Best().Then == nil || r.Best().Then.Model.Name != "acme.One" {
		t.Errorf("%v, %v", r.Best().Then, err)
	}
	if r, err = mustRouter(t, p).Route(router.Task{Pictures: pictures(1), Edit: router.EditLayers}); err != nil || r.Best().Model.Name != "acme.One" {
		t.Errorf("alone: %v, %v", r.Best().Model, err)
	}
}

// A model that does the task alone, and is refused for its price, is refused for
// that of one step.
func TestPriceOfOneStep(t *testing.T) {
	t.Parallel()
	_, err := router.Route(router.Task{Prompt: "x", Transparent: true, MaxPrice: cent, Only: []string{"qwen.Image21"}})
	e, ok := errors.AsType[*router.NoModelError](err)
	if !ok {
		t.Fatal(err)
	}
	for _, f := range e.Refused {
		if f.Model().Name == "qwen.Image21" && strings.Join(f.Why(), "; ") != "costs up to $0.02097152" {
			t.Errorf("%v", f.Why())
		}
	}
}
