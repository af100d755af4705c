package router_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
	"github.com/falimage/falimage-go/router"
)

// candidate routes a task and returns the candidate of one model.
func candidate(t *testing.T, task router.Task, model string) *router.Candidate {
	t.Helper()
	r, err := router.Route(task)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Candidates, func(c router.Candidate) bool { return c.Model.Name == model })
	if i < 0 {
		for _, refused := range r.Refused {
			if refused.Model().Name == model {
				t.Fatal(refused.String())
			}
		}
		t.Fatalf("no candidate %s", model)
	}
	return &r.Candidates[i]
}

// The same task becomes what each model understands.
func TestCompile(t *testing.T) {
	t.Parallel()
	a, b := fal.URL("https://pictures.example/a.png"), fal.URL("https://pictures.example/b.png")
	two := []router.Picture{{File: a}, {File: b}}
	structured := &flux.StructuredPrompt{Scene: "a kitchen", Subjects: []flux.PromptSubject{{Description: "a mug", Colors: []flux.Color{"#2ECC71"}}}}
	seed := fal.Seed(42)
	for _, tt := range []struct {
		name string
		task router.Task
		want any
	}{
		{"preset", router.Task{Prompt: "x", Aspect: "16:9"}, flux.Pro2{Prompt: "x", ImageSize: fal.Landscape16x9}},
		{"ratio without a preset", router.Task{Prompt: "x", Aspect: "3:2"}, flux.Pro2{Prompt: "x", ImageSize: fal.Size(1248, 832)}},
		{"ratio and area", router.Task{Prompt: "x", Aspect: "16:9", MinPixels: 2 << 20}, flux.Pro2{Prompt: "x", ImageSize: fal.Size(1936, 1088)}},
		{"area of an edit", router.Task{Prompt: "x", Pictures: []router.Picture{{File: a, Width: 700, Height: 500}}, MinPixels: 1 << 20}, qwen.Image3Edit{Prompt: "x", ImageURLs: []fal.File{a}, ImageSize: fal.Size(1216, 880)}},
		{"area that the picture has", router.Task{Prompt: "x", Pictures: []router.Picture{{File: a, Width: 2000, Height: 1500}}, MinPixels: 1 << 20}, qwen.Image3Edit{Prompt: "x", ImageURLs: []fal.File{a}}},
		{"area alone", router.Task{Prompt: "x", MinPixels: 4 << 20}, qwen.Image3{Prompt: "x", ImageSize: fal.Size(2048, 2048)}},
		{"ratio on an aspect model", router.Task{Prompt: "x", Size: fal.Size(1920, 1080)}, flux.KontextProTextToImage{Prompt: "x", AspectRatio: "16:9"}},
		{"size too large", router.Task{Prompt: "x", Size: fal.Size(3000, 2000)}, qwen.Image3{Prompt: "x", ImageSize: fal.Size(2496, 1664)}},
		{"side too long", router.Task{Prompt: "x", Size: fal.Size(3000, 2000)}, flux.Dev2{Prompt: "x", ImageSize: fal.Size(2048, 1360)}},
		{"size too small", router.Task{Prompt: "x", Size: fal.Size(400, 300)}, flux.Dev2{Prompt: "x", ImageSize: fal.Size(688, 512)}},
		{"size that fits", router.Task{Prompt: "x", Size: fal.Size(2400, 1600)}, flux.Pro2{Prompt: "x", ImageSize: fal.Size(2400, 1600)}},
		{"size past what is reduced", router.Task{Prompt: "x", Size: fal.Size(3000, 2000)}, flux.Pro2{Prompt: "x", ImageSize: fal.Size(2496, 1664)}},
		{"area too small", router.Task{Prompt: "x", Size: fal.Size(400, 300)}, qwen.Image3{Prompt: "x", ImageSize: fal.Size(592, 448)}},
		{"no size", router.Task{Prompt: "x"}, qwen.Image{Prompt: "x"}},
		{"seed, steps, guidance, format", router.Task{Prompt: "x", Seed: seed, Steps: 20, Guidance: new(3.0), Format: fal.PNG}, qwen.Image{Prompt: "x", Seed: seed, NumInferenceSteps: 20, GuidanceScale: new(3.0), OutputFormat: fal.PNG}},
		{"negative prompt left out", router.Task{Prompt: "x", NegativePrompt: "y"}, flux.Pro2{Prompt: "x"}},
		{"negative prompt", router.Task{Prompt: "x", NegativePrompt: "y"}, qwen.Image2512{Prompt: "x", NegativePrompt: "y"}},
		{"json", router.Task{Structured: structured}, flux.Max2{Prompt: structured.Prompt()}},
		{"prose", router.Task{Structured: structured}, qwen.Image{Prompt: "a kitchen. a mug, in color #2ECC71."}},
		{"colours in words", router.Task{Prompt: "a mug", Colors: []flux.Color{"#2ECC71 (emerald)"}}, qwen.Image3{Prompt: "a mug. Color palette: emerald (color #2ECC71)."}},
		{"text in words", router.Task{Prompt: "a shop", Text: []string{"FISH"}}, qwen.Image{Prompt: `a shop. The text "FISH" is written in the picture.`}},
		{"text that is there", router.Task{Prompt: "a sign FISH", Text: []string{"FISH"}}, qwen.Image{Prompt: "a sign FISH"}},
		{"references by sign", router.Task{Prompt: "@image1 on @Image2", Pictures: two}, flux.Pro2Edit{Prompt: "@image1 on @Image2", ImageURLs: []fal.File{a, b}}},
		{"references by number", router.Task{Prompt: "@image1 on @Image2", Pictures: two}, qwen.Image3Edit{Prompt: "image 1 on image 2", ImageURLs: []fal.File{a, b}}},
		{"an address is no reference", router.Task{Prompt: "write me@image1.com on @image1", Pictures: two[:1]}, flux.KontextPro{Prompt: "write me@image1.com on image 1", ImageURL: a}},
		{"one picture", router.Task{Prompt: "red", Pictures: two[:1]}, flux.KontextPro{Prompt: "red", ImageURL: a}},
		{"preview", router.Task{Prompt: "x", Stage: router.StagePreview}, qwen.Image{Prompt: "x", UseTurbo: true, Acceleration: qwen.AccelerationHigh}},
		{"preview with text", router.Task{Prompt: "the words 'x'", Stage: router.StagePreview}, qwen.Image{Prompt: "the words 'x'", UseTurbo: true, Acceleration: qwen.AccelerationRegular}},
		{"preview with steps", router.Task{Prompt: "x", Stage: router.StagePreview, Steps: 12}, qwen.Image{Prompt: "x", NumInferenceSteps: 12, Acceleration: qwen.AccelerationHigh}},
		{"speed preferred", router.Task{Prompt: "x", Prefer: router.Preference{Speed: 3, Quality: 1}}, flux.Dev2{Prompt: "x", Acceleration: flux.AccelerationHigh}},
		{"verbatim", router.Task{Prompt: "x", VerbatimPrompt: true}, qwen.Image3{Prompt: "x", EnablePromptExpansion: new(false)}},
		{"four pictures", router.Task{Prompt: "x", Count: 4}, qwen.Image{Prompt: "x", NumImages: 4}},
		{"layers", router.Task{Pictures: two[:1], Edit: router.EditLayers, Layers: 6}, qwen.Layered{ImageURL: a, NumLayers: 6}},
		{"angle", router.Task{Pictures: two[:1], Edit: router.EditAngle, Angle: router.Angle{Direction: qwen.Right, Height: qwen.Elevated, Distance: new(qwen.CloseUp)}},
			qwen.Edit2511Angles{ImageURLs: []fal.File{a}, HorizontalAngle: 90, VerticalAngle: 30, Zoom: new(qwen.CloseUp)}},
		{"angle as a move", router.Task{Pictures: two[:1], Edit: router.EditAngle, Angle: router.Angle{Direction: qwen.Right, Height: qwen.BirdsEye}},
			qwen.Edit2509Angles{ImageURLs: []fal.File{a}, RotateRightLeft: -90, VerticalAngle: -1}},
		{"angle in words", router.Task{Prompt: "keep the light", Pictures: two[:1], Edit: router.EditAngle, Angle: router.Angle{Direction: 315, Height: qwen.HighAngle, Distance: new(qwen.CloseUp)}},
			flux.KontextPro{Prompt: "keep the light. Show the same scene with the camera at the front left of the subject, from above, as a close-up.", ImageURL: a}},
		{"mask", router.Task{Prompt: "a bird", Pictures: two[:1], Mask: b, Edit: router.EditInpaint}, flux.ProFill{Prompt: "a bird", ImageURL: a, MaskURL: b}},
		{"garment", router.Task{Prompt: "x", Pictures: two, Edit: router.EditTryOn, UnknownPrice: true}, flux.ProTryOn{Prompt: "x", HumanImageURL: a, GarmentImageURL: b}},
		{"loras for flux", router.Task{Prompt: "x", LoRAs: []router.LoRA{{Path: "a/b", Scale: new(0.5)}}}, flux.DevLoRA{Prompt: "x", LoRAs: []flux.LoRA{{Path: "a/b", Scale: new(0.5)}}}},
		{"loras for qwen", router.Task{Prompt: "x", LoRAs: []router.LoRA{{Path: "a/b"}}}, qwen.Image{Prompt: "x", LoRAs: []qwen.LoRA{{Path: "a/b"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := router.Route(tt.task)
			if err != nil {
				t.Fatal(err)
			}
			want := body(t, tt.want)
			for i := range r.Candidates {
				if c := &r.Candidates[i]; endpoint(c.Request) == endpoint(tt.want) {
					if diff := cmp.Diff(want, body(t, c.Request)); diff != "" {
						t.Errorf("%s (-want +got)\n%s", c.Model.Name, diff)
					}
					return
				}
			}
			t.Errorf("no candidate %s", endpoint(tt.want))
		})
	}
}

func endpoint(r any) string {
	e, ok := r.(fal.Request[fal.Images])
	if !ok {
		return ""
	}
	return string(e.Endpoint())
}

func body(t *testing.T, r any) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Several pictures take several requests where the model makes one at a time;
// the price is that of all, and each has a seed of its own.
func TestRequests(t *testing.T) {
	t.Parallel()
	c := candidate(t, router.Task{Prompt: "x", Count: 3, Seed: fal.Seed(5), Size: fal.Size(1920, 1080)}, "flux.Pro2")
	if c.Calls != 3 || c.Expected != 135*cent/10 {
		t.Errorf("%d calls for %v, want 3 for $0.135", c.Calls, c.Expected)
	}
	var seeds []uint64
	for r := range c.Requests() {
		if pro, ok := r.(flux.Pro2); ok {
			seeds = append(seeds, *pro.Seed)
		}
	}
	if diff := cmp.Diff([]uint64{5, 6, 7}, seeds); diff != "" {
		t.Errorf("seeds (-want +got)\n%s", diff)
	}
	c = candidate(t, router.Task{Prompt: "x", Count: 10}, "qwen.Image") // 4 + 4 + 2
	var counts []int
	for r := range c.Requests() {
		if image, ok := r.(qwen.Image); ok {
			counts = append(counts, image.NumImages)
		}
	}
	if diff := cmp.Diff([]int{4, 4, 2}, counts); diff != "" || c.Expected != 20*cent {
		t.Errorf("%v, counts (-want +got)\n%s", c.Expected, diff)
	}
}

// What is lost is said; what is required is not lost.
func TestLosses(t *testing.T) {
	t.Parallel()
	task := router.Task{
		Structured: &flux.StructuredPrompt{Scene: "a kitchen"}, NegativePrompt: "people", Steps: 20, Guidance: new(3.0),
		Size: fal.Size(1000, 1000), Seed: fal.Seed(1), Languages: []string{"th"}, Colors: []flux.Color{"#2ECC71"},
	}
	for model, want := range map[string][]router.Feature{
		"flux.Pro2":                  {router.FeatureNegative, router.FeatureSteps, router.FeatureGuidance},
		"flux.Flex2":                 {router.FeatureNegative},
		"qwen.Image":                 {router.FeatureStructured, router.FeatureColors},
		"qwen.Image3":                {router.FeatureStructured, router.FeatureColors, router.FeatureSteps, router.FeatureGuidance, router.FeatureLanguage},
		"flux.KontextProTextToImage": {router.FeatureStructured, router.FeatureColors, router.FeatureNegative, router.FeatureSteps, router.FeatureSize},
	} {
		c := candidate(t, task, model)
		var got []router.Feature
		for _, l := range c.Losses {
			got = append(got, l.Feature)
			if l.Text == "" {
				t.Errorf("%s: %s without words", model, l.Feature)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", model, diff)
		}
		for _, f := range got {
			required := task
			required.Require = []router.Feature{f}
			r, err := router.Route(required)
			if err == nil && slices.ContainsFunc(r.Candidates, func(c router.Candidate) bool { return c.Model.Name == model }) {
				t.Errorf("%s is a candidate although it lacks %s", model, f)
			}
		}
	}
}

// A LoRA whose model is not named is a doubt that can be ruled out.
func TestLoRABase(t *testing.T) {
	t.Parallel()
	task := router.Task{Prompt: "x", LoRAs: []router.LoRA{{Path: "a/b"}}, Require: []router.Feature{router.FeatureLoRABase}}
	if r, err := router.Route(task); err == nil {
		t.Errorf("%v is the first choice for a LoRA of no known base", r.Best().Model)
	}
	task.LoRAs[0].Base = "qwen.Image"
	if r, err := router.Route(task); err != nil || r.Best().Model.Name != "qwen.Image" || len(r.Best().Losses) != 0 {
		t.Errorf("%v", err)
	}
}

// What belongs to one kind of editing is not dropped in silence by another.
func TestLossesOfEdits(t *testing.T) {
	t.Parallel()
	for feature, task := range map[router.Feature]router.Task{
		router.FeatureMask:   {Prompt: "remove the lamp", Pictures: pictures(1), Mask: mask, Edit: router.EditRemove},
		router.FeatureAngle:  {Prompt: "turn it", Pictures: pictures(1), Edit: router.EditAngle, Angle: router.Angle{Direction: qwen.Left}},
		router.FeaturePrompt: {Prompt: "larger", Pictures: pictures(1), Edit: router.EditUpscale},
	} {
		r, err := router.Route(task)
		if err != nil {
			t.Fatal(err)
		}
		lost := 0
		for i := range r.Candidates {
			if slices.ContainsFunc(r.Candidates[i].Losses, func(l router.Loss) bool { return l.Feature == feature }) {
				lost++
			}
		}
		if lost == 0 {
			t.Errorf("no candidate loses the %s", feature)
		}
	}
}

// Every model is a candidate or refused with reasons, whatever the task.
func TestNothingIsSilent(t *testing.T) {
	t.Parallel()
	for _, tt := range tasks {
		r, err := router.Route(tt.task)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Candidates)+len(r.Refused) < len(router.Models()) {
			t.Errorf("%s: %d candidates and %d refused of %d models", tt.name, len(r.Candidates), len(r.Refused), len(router.Models()))
		}
		for _, refused := range r.Refused {
			why := refused.Why()
			if len(why) == 0 || slices.Contains(why, "") || refused.Model().Title == "" {
				t.Errorf("%s: refused without a reason: %v", tt.name, refused.String())
			}
		}
		for i := range r.Candidates {
			c := &r.Candidates[i]
			if v, ok := c.Request.(interface{ Validate() error }); !ok || v.Validate() != nil {
				t.Errorf("%s: %s would be refused: %v", tt.name, c.Model.Name, v.Validate())
			}
			if c.Max <= 0 || c.Min > c.Expected || c.Expected > c.Max || c.Calls < 1 {
				t.Errorf("%s: %s costs %v to %v to %v in %d calls", tt.name, c.Model.Name, c.Min, c.Expected, c.Max, c.Calls)
			}
			if limit := tt.task.MaxPricePerImage; limit > 0 && c.Max > limit {
				t.Errorf("%s: %s costs %v, more than %v", tt.name, c.Model.Name, c.Max, limit)
			}
		}
	}
}

// The quote of a candidate is that of its request.
func TestQuotes(t *testing.T) {
	t.Parallel()
	for _, tt := range tasks {
		r, err := router.Route(tt.task)
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Candidates {
			c := &r.Candidates[i]
			if len(tt.task.Pictures) > 0 {
				continue // the request does not know their sizes
			}
			q, err := pricing.Estimate(c.Request)
			if err != nil || q.Max != c.Quote.Max || q.Expected != c.Quote.Expected {
				t.Errorf("%s: %s: the request costs %v, the candidate says %v; %v", tt.name, c.Model.Name, q.Max, c.Quote.Max, err)
			}
		}
	}
	// Sizes that are known make it exact; others a range.
	known := candidate(t, router.Task{Prompt: "x", Pictures: pictures(2), Size: fal.SquareHD}, "flux.Pro2Edit")
	if known.Min != 6*cent || known.Max != 6*cent {
		t.Errorf("%v to %v, want $0.06", known.Min, known.Max)
	}
	open := candidate(t, router.Task{Prompt: "x", Pictures: []router.Picture{{File: mask}}, Size: fal.SquareHD}, "flux.Pro2Edit")
	if open.Min >= open.Max {
		t.Errorf("%v to %v, want a range", open.Min, open.Max)
	}
}

// Routing opens no file and answers the same each time.
func TestPure(t *testing.T) {
	t.Parallel()
	file := fal.Open("a.png", func() (io.ReadCloser, error) {
		t.Error("a file was opened")
		return nil, errors.ErrUnsupported
	})
	for _, edit := range []router.Edit{"", router.EditInContext, router.EditLayers, router.EditInpaint, router.EditUpscale} {
		task := router.Task{Prompt: "x", Pictures: []router.Picture{{File: file, Width: 800, Height: 600}}, Edit: edit}
		if edit == router.EditInpaint {
			task.Mask = file
		}
		first, err := router.Route(task)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			again, err := router.Route(task)
			if err != nil {
				t.Fatal(err)
			}
			for i := range first.Candidates {
				a, b := &first.Candidates[i], &again.Candidates[i]
				if a.Model != b.Model || a.Score != b.Score || a.Max != b.Max {
					t.Errorf("place %d: %v %d, then %v %d", i, a.Model, a.Score, b.Model, b.Score)
				}
			}
		}
	}
}

// Needs that conflict are named, with the nearest choices and their prices.
func TestConflicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		task router.Task
		want string
	}{
		{"layers and FLUX only", router.Task{Pictures: pictures(1), Edit: router.EditLayers, Only: []string{"flux"}},
			`router: no model can do all of this together: editing: layers + only flux; without "editing: layers": FLUX 3 (flux.Image3Edit) for $0.048; without "only flux": Qwen Image Layered (qwen.Layered) for $0.05`},
		{"Apache only and Kontext", router.Task{Prompt: "red car", Pictures: pictures(1), Edit: router.EditInContext, Licence: router.Apache2, Only: []string{"Kontext"}},
			`router: no model can do all of this together: licence: Apache 2.0 + only Kontext; without "licence: Apache 2.0": FLUX.1 Kontext [pro] (flux.KontextPro) for $0.04: its weights are not published; without "only Kontext": Qwen Image Edit 2511 (qwen.Edit2511) for $0.03`},
		{"impossible price", router.Task{Prompt: "x", MaxPricePerImage: cent / 10},
			`router: no model can do all of this together: a price of at most $0.001 for each picture; without "a price of at most $0.001 for each picture": FLUX.1 [schnell] (flux.Schnell) for $0.003`},
		{"impossible total", router.Task{Prompt: "x", Count: 100, MaxPrice: 20 * cent},
			`router: no model can do all of this together: a price of at most $0.20; without "a price of at most $0.20": FLUX.1 [schnell] (flux.Schnell) for $0.30`},
		{"two needs too many", router.Task{Prompt: "x", Only: []string{"flux.Pro2"}, VerbatimPrompt: true, Format: "webp"},
			`router: no model can do all of this together: format: webp + no rewriting of the prompt + only flux.Pro2; without "only flux.Pro2": FLUX.2 [dev] Turbo (flux.Turbo2) for $0.008; without "format: webp and no rewriting of the prompt": FLUX.2 [pro] (flux.Pro2) for $0.03: makes [jpeg png] files alone; rewrites prompts and has no switch for it`},
		{"more pictures than a family takes", router.Task{Prompt: "x", Pictures: pictures(12), Only: []string{"FLUX.2"}, MaxPricePerImage: 500 * cent},
			`router: no model can do all of this together: 12 input pictures; without "12 input pictures": FLUX.2 [flex] (flux.Flex2Edit) for $0.65 (at most $0.80): takes 1 to 10 pictures, you gave 12`},
		{"price not known", router.Task{Prompt: "a hat", Only: []string{"flux.Klein9BBase"}},
			`router: no model can do all of this together: only flux.Klein9BBase + a known price; without "only flux.Klein9BBase": FLUX.2 [pro] (flux.Pro2) for $0.03; without "a known price": FLUX.2 [klein] 9B Base (flux.Klein9BBase) at a price that is not known`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := router.Route(tt.task)
			e, ok := errors.AsType[*router.NoModelError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(tt.want, e.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if len(e.Refused) < len(router.Models()) {
				t.Errorf("%d refused of %d", len(e.Refused), len(router.Models()))
			}
		})
	}
}

// Wrong tasks are refused with every problem by field, value and what would be
// accepted.
func TestWrongTasks(t *testing.T) {
	t.Parallel()
	_, err := router.Route(router.Task{
		Prompt: "@image2", Structured: new(flux.StructuredPrompt), Size: "huge", Aspect: "0:1", Count: -1, MinPixels: -1,
		Purpose: "fun", Stage: "soon", Edit: "melt", Licence: "MIT", Layers: 11, Scale: 9, Steps: -1,
		MaxPrice: -1, Only: []string{"flux.Pro3"}, Not: []string{"gpt"}, Require: []router.Feature{"taste"},
		LoRAs: []router.LoRA{{Base: "sdxl"}}, Colors: []flux.Color{"#12"}, Languages: []string{"German!"}, Text: []string{" "},
		Prefer: router.Preference{Quality: -1}, Mask: fal.URL("x"), UnknownPrice: true, MaxPricePerImage: 1, Angle: router.Angle{Height: 1},
	})
	e, ok := errors.AsType[*router.TaskError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	var fields []string
	for _, p := range e.Problems {
		fields = append(fields, p.Field)
		if p.Message == "" {
			t.Errorf("%s without a message", p.Field)
		}
	}
	for _, want := range []string{
		"prompt", "size", "aspect", "count", "min_pixels", "purpose", "stage", "edit", "licence", "layers", "scale", "steps",
		"max_price", "only[0]", "not[0]", "require[0]", "loras[0].base", "loras[0].path", "colors[0]", "languages[0]", "text[0]",
		"prefer.quality", "mask", "unknown_price", "angle",
	} {
		if !slices.Contains(fields, want) {
			t.Errorf("nothing is said of %s", want)
		}
	}
	if text := err.Error(); !strings.Contains(text, "flux.Pro2") || !strings.Contains(text, `"huge"`) && !strings.Contains(text, "huge") {
		t.Errorf("the error does not help: %v", text)
	}
	for name, task := range map[string]router.Task{
		"nothing":              {},
		"structured reference": {Structured: &flux.StructuredPrompt{Scene: "the mug of @image2"}, Pictures: pictures(1)},
		"edit without picture": {Prompt: "x", Edit: router.EditStyle},
		"inpaint without mask": {Prompt: "x", Edit: router.EditInpaint, Pictures: pictures(1)},
		"no garment":           {Prompt: "x", Edit: router.EditTryOn, Pictures: pictures(1)},
		"half a size":          {Prompt: "x", Pictures: []router.Picture{{File: mask, Width: 3}}},
		"no file":              {Prompt: "x", Pictures: make([]router.Picture, 1)},
		"size below area":      {Prompt: "x", Size: fal.Square, MinPixels: 1 << 20},
	} {
		if _, err := router.Route(task); err == nil {
			t.Errorf("%s was accepted", name)
		} else if _, ok := errors.AsType[*router.TaskError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is detected, and what is not.
func TestFacts(t *testing.T) {
	t.Parallel()
	for prompt, want := range map[string]string{
		"a woman's hat and the dog's bowl":  "people",
		"a sign that says \"HI\"":           "text",
		"„Brot“ on a board":                 "text",
		"the words of “old” masters":        "text",
		"a landscape without text":          "",
		"a poster with no text":             "poster",
		"тихий вечер":                       "multilingual",
		"a 35mm photograph":                 "photo",
		"a wall in #2ECC71":                 "colors",
		"issue #123456789":                  "",
		"seamless pattern of leaves":        "texture",
		"three cats, each behind a box":     "many-elements",
		"a Café in Zürich":                  "",
		"an email to a@imageless.example":   "",
		"「清風」 on a lantern":                 "text multilingual",
		"rock 'n' roll concert":             "",
		"anime girl with a packaging label": "illustration people",
	} {
		r, err := router.Route(router.Task{Prompt: prompt})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range r.Facts {
			if f.Name != "generate" && f.Name != "final" {
				got = append(got, f.Name)
			}
			if f.Why == "" {
				t.Errorf("%q: %s without a reason", prompt, f.Name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", prompt, got, want)
		}
	}
}

// A policy is data: it can be written, read, changed and judged by functions.
func TestPolicy(t *testing.T) {
	t.Parallel()
	p := router.DefaultPolicy()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := router.ReadPolicy(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("(-written +read)\n%s", diff)
	}
	for _, m := range router.Models() {
		if _, ok := p.Ratings[m.Name]; !ok {
			t.Errorf("%s has no rating", m.Name)
		}
	}
	for _, rule := range p.Rules {
		if rule.Because == "" || rule.Source == "" || rule.Points <= 0 || len(rule.Models) == 0 {
			t.Errorf("rule %s is not complete", rule.Name)
		}
	}

	p.Ratings["flux.Krea"] = router.Rating{Quality: 10, Speed: 10}
	p.Rules = append(p.Rules, router.ScoreRule{Name: "ours", When: []string{"photo"}, Models: []string{"flux.Krea"}, Points: 100, Because: "we like it", Source: "us"})
	p.Functions = append(p.Functions, func(task *router.Task, facts []router.Fact, m router.Model) (int, string) {
		if strings.Contains(task.Prompt, "cat") && facts[0].Name == "generate" && m.Family == "Kontext" {
			return 1000, "cats belong to Kontext"
		}
		return 0, ""
	})
	ours, err := router.New(p)
	if err != nil {
		t.Fatal(err)
	}
	for prompt, want := range map[string]string{"a dog, photo": "flux.Krea", "a cat": "flux.KontextMaxTextToImage", "a dog": "flux.Krea"} {
		r, err := ours.Route(router.Task{Prompt: prompt})
		if err != nil || r.Best().Model.Name != want {
			t.Errorf("%q: %v, %v, want %s", prompt, r.Best().Model, err, want)
		}
	}
	if r, err := router.Route(router.Task{Prompt: "a dog, photo"}); err != nil || r.Best().Model.Name != "flux.Pro2" {
		t.Errorf("the default policy changed: %v, %v", r.Best().Model, err)
	}

	// Once, however many of its names mean a model.
	p.Rules = []router.ScoreRule{{Name: "ours", Models: []string{"flux", "FLUX.2", "flux.Pro2"}, Points: 7, Because: "we like it", Source: "us"}}
	r, err := mustRouter(t, p).Route(router.Task{Prompt: "a dog", Only: []string{"flux.Pro2"}})
	if err != nil || len(r.Best().Reasons()) != 4 || r.Best().Reasons()[0].Points != 7 {
		t.Errorf("%v, %+v", err, r.Best().Reasons())
	}

	for name, change := range map[string]func(*router.Policy){
		"fact": func(p *router.Policy) {
			p.Rules = []router.ScoreRule{{Name: "x", When: []string{"sunny"}, Models: []string{"flux"}}}
		},
		"model":             func(p *router.Policy) { p.Rules = []router.ScoreRule{{Name: "x", Models: []string{"flux.Pro3"}}} },
		"rating":            func(p *router.Policy) { p.Ratings["flux.Pro3"] = router.Rating{} },
		"stage":             func(p *router.Policy) { p.Stages["soon"] = router.Preference{} },
		"loss":              func(p *router.Policy) { p.Losses["charm"] = 3 },
		"range of a rating": func(p *router.Policy) { p.Ratings["flux.Pro2"] = router.Rating{Quality: 11} },
		"range of a weight": func(p *router.Policy) { p.Stages[router.StageFinal] = router.Preference{Price: -1} },
		"range of a loss":   func(p *router.Policy) { p.Losses[router.FeatureSeed] = math.MaxInt },
		"range of points":   func(p *router.Policy) { p.Rules[0].Points = math.MaxInt },
		"order of prices":   func(p *router.Policy) { slices.Reverse(p.PricePoints) },
		"rule of no model":  func(p *router.Policy) { p.Rules = []router.ScoreRule{{Name: "x", Points: 3}} },
	} {
		bad := router.DefaultPolicy()
		change(&bad)
		if _, err := router.New(bad); err == nil {
			t.Errorf("a policy with an unknown %s was accepted", name)
		}
	}
	for _, text := range []string{`{"rulez":[]}`, `{} {}`, `{}x`, `null`, `[]`, `{"Rules":[]}`, `{"rules":null}`, `{"rules":[{"Name":"x"}]}`, `{"ratings":{"flux.Pro2":{"Quality":1}}}`} {
		if _, err := router.ReadPolicy(strings.NewReader(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	// One rule is one rule more, and one of a name that there is takes its place.
	one := `{"rules":[{"name":"mine","models":["flux.Krea"],"points":5,"because":"a","source":"b"},{"name":"flux-photorealism","models":["flux.Dev"],"points":1,"because":"a","source":"b"}],"losses":{"seed":3},"ratings":{"flux.Krea":{"quality":1,"speed":2}},"stages":{"draft":{"price":9}},"price_points":[{"up_to":"1","points":1}],"not":["flux.Dev"]}`
	more, err := router.ReadPolicy(strings.NewReader(one))
	if err != nil || len(more.Rules) != len(router.DefaultPolicy().Rules)+1 || more.Losses[router.FeatureSeed] != 3 || len(more.Losses) != len(router.DefaultPolicy().Losses) {
		t.Errorf("%d rules, %v, %v", len(more.Rules), more.Losses, err)
	}
	if got := more.Ratings["flux.Krea"]; got.Speed != 2 || more.Stages[router.StageDraft].Price != 9 || len(more.Stages) != 3 || len(more.PricePoints) != 1 || len(more.Not) != 1 {
		t.Errorf("%v, %v, %v, %v", got, more.Stages, more.PricePoints, more.Not)
	}
	if i := slices.IndexFunc(more.Rules, func(r router.ScoreRule) bool { return r.Name == "flux-photorealism" }); more.Rules[i].Models[0] != "flux.Dev" {
		t.Errorf("the rule is still %v", more.Rules[i])
	}
	// A copy is a copy to the bottom.
	more.Rules[1].Models[0] = "flux.Krea"
	if router.DefaultPolicy().Rules[1].Models[0] == "flux.Krea" {
		t.Error("a change of a copy changed the default")
	}
	if _, err := router.ReadPolicy(strings.NewReader(`{"rulez":[]}`)); err == nil {
		t.Error("an unknown field was accepted")
	}
}

// Tasks can be written as JSON.
func TestTaskJSON(t *testing.T) {
	t.Parallel()
	var task router.Task
	err := json.Unmarshal([]byte(`{"prompt":"make @image1 red","pictures":[{"url":"https://x.example/a.png","width":10,"height":10}],"max_price":"0.25","size":"square_hd","seed":18446744073709551615,"only":["flux"]}`), &task)
	if err != nil || task.MaxPrice != 25*cent || *task.Seed != 1<<64-1 || task.Size != fal.SquareHD {
		t.Fatalf("%+v, %v", task, err)
	}
	data, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	var again router.Task
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(body(t, task), body(t, again)); diff != "" {
		t.Error(diff)
	}
}

// Areas that an int of 32 bits does not hold are compared all the same.
func TestHugePicture(t *testing.T) {
	t.Parallel()
	huge := []router.Picture{{File: mask, Width: 1<<16 + 1, Height: 1 << 16}} // more than 1<<32 pixels
	c := candidate(t, router.Task{Prompt: "x", Pictures: huge, MinPixels: 1 << 20}, "flux.Dev2Edit")
	if diff := cmp.Diff(body(t, flux.Dev2Edit{Prompt: "x", ImageURLs: []fal.File{mask}}), body(t, c.Request)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestHugeSize leaves a size alone that no model could take: it is a slip, and
// making it fit would hide that.
func TestHugeSize(t *testing.T) {
	t.Parallel()
	for _, size := range []fal.ImageSize{fal.Size(20000, 10000), fal.Size(10000, 20000)} {
		r, err := router.Route(router.Task{Prompt: "x", Size: size})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Candidates {
			if c.Model.Name == "flux.Dev2" || c.Model.Name == "flux.Pro2" {
				t.Errorf("%s takes %s", c.Model.Name, size)
			}
		}
	}
}

// TestAngleWords tells every angle in words, to a model that knows only these.
func TestAngleWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		angle router.Angle
		want  string
	}{
		{router.Angle{}, "the front of the subject, at eye level."},
		{router.Angle{Direction: 22}, "the front of the subject, at eye level."},
		{router.Angle{Direction: 23}, "the front right of the subject, at eye level."},
		{router.Angle{Direction: 67}, "the front right of the subject, at eye level."},
		{router.Angle{Direction: 90}, "the right of the subject, at eye level."},
		{router.Angle{Direction: 135}, "the back right of the subject, at eye level."},
		{router.Angle{Direction: 180}, "the back of the subject, at eye level."},
		{router.Angle{Direction: 225}, "the back left of the subject, at eye level."},
		{router.Angle{Direction: 270}, "the left of the subject, at eye level."},
		{router.Angle{Direction: 315}, "the front left of the subject, at eye level."},
		{router.Angle{Direction: 337}, "the front left of the subject, at eye level."},
		{router.Angle{Direction: 338}, "the front of the subject, at eye level."},
		{router.Angle{Direction: 360}, "the front of the subject, at eye level."},
		{router.Angle{Height: -10}, "the front of the subject, at eye level."},
		{router.Angle{Height: -11}, "the front of the subject, from below."},
		{router.Angle{Height: 15}, "the front of the subject, at eye level."},
		{router.Angle{Height: 16}, "the front of the subject, from above."},
		{router.Angle{Height: 75}, "the front of the subject, from above."},
		{router.Angle{Height: 76}, "the front of the subject, straight from above."},
		{router.Angle{Distance: new(qwen.WideShot)}, "the front of the subject, at eye level, as a wide shot."},
		{router.Angle{Distance: new(qwen.Distance(2))}, "the front of the subject, at eye level, as a wide shot."},
		{router.Angle{Distance: new(qwen.Distance(3))}, "the front of the subject, at eye level."},
		{router.Angle{Distance: new(qwen.Distance(7))}, "the front of the subject, at eye level."},
		{router.Angle{Distance: new(qwen.Distance(8))}, "the front of the subject, at eye level, as a close-up."},
	} {
		task := router.Task{Pictures: []router.Picture{{File: fal.URL("https://pictures.example/a.png")}}, Edit: router.EditAngle, Angle: tt.angle}
		requests := candidate(t, task, "flux.Pro2Edit").Requests()
		prompt := ""
		for r := range requests {
			edit, _ := r.(flux.Pro2Edit)
			prompt = edit.Prompt
		}
		if _, got, _ := strings.Cut(prompt, "with the camera at "); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.angle, prompt, tt.want)
		}
	}
}

// TestPolicyCopies changes every part of a policy: the next one is as before.
func TestPolicyCopies(t *testing.T) {
	t.Parallel()
	before, err := json.Marshal(router.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	p := router.DefaultPolicy()
	clear(p.Ratings)
	clear(p.Stages)
	clear(p.PricePoints)
	clear(p.Losses)
	clear(p.Rules)
	clear(p.Not)
	after, err := json.Marshal(router.DefaultPolicy())
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("a change of one policy changed the next: %v\n%s", err, after)
	}
}
