package router_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// TestEdgesOfTasks takes what just may be, and refuses what just may not.
func TestEdgesOfTasks(t *testing.T) {
	t.Parallel()
	sized := func(width, height int) router.Task {
		return router.Task{Prompt: "x", Pictures: []router.Picture{{File: fal.URL("https://pictures.example/a.png"), Width: width, Height: height}}}
	}
	for _, tt := range []struct {
		name  string
		task  router.Task
		field string // what is refused, or ""
	}{
		{"unknown size", sized(0, 0), ""},
		{"no width", sized(0, 5), "pictures[0]"},
		{"no height", sized(5, 0), "pictures[0]"},
		{"negative width", sized(-5, 5), "pictures[0]"},
		{"negative height", sized(5, -5), "pictures[0]"},
		{"widest", sized(1<<20, 5), ""},
		{"too wide", sized(1<<20+1, 5), "pictures[0]"},
		{"highest", sized(5, 1<<20), ""},
		{"too high", sized(5, 1<<20+1), "pictures[0]"},
		{"size", router.Task{Prompt: "x", Size: fal.Size(512, 512)}, ""},
		{"size of the model's choice", router.Task{Prompt: "x", Size: fal.AutoSize}, ""},
		{"size without a width", router.Task{Prompt: "x", Size: fal.Size(0, 512)}, "size"},
		{"size without a height", router.Task{Prompt: "x", Size: fal.Size(512, 0)}, "size"},
		{"no size", router.Task{Prompt: "x", Size: "huge"}, "size"},
		{"widest aspect", router.Task{Prompt: "x", Aspect: "100:1"}, ""},
		{"too wide an aspect", router.Task{Prompt: "x", Aspect: "101:1"}, "aspect"},
	} {
		_, err := router.Route(tt.task)
		refused := err != nil && strings.Contains(err.Error(), tt.field+": ") && strings.Contains(err.Error(), "must")
		if refused != (tt.field != "") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for steps, valid := range map[int]bool{-1: false, 1: true, 40_000: true, 40_001: false} {
		if _, err := router.Trainers(router.TrainingTask{Steps: steps}); (err == nil || !strings.Contains(err.Error(), "steps")) != valid {
			t.Errorf("%d steps: %v", steps, err)
		}
	}
}

// The volume of the whole job counts, and makes no more pictures.
func TestVolume(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		count, volume int
		many          bool
	}{{1, 99, false}, {1, 100, true}, {0, 5000, true}, {100, 0, true}, {99, 0, false}, {100, 1, true}} {
		r, err := router.Route(router.Task{Prompt: "x", Count: tt.count, Volume: tt.volume})
		if err != nil {
			t.Fatal(err)
		}
		many := slices.ContainsFunc(r.Facts, func(f router.Fact) bool { return f.Name == "volume" })
		if pictures := max(tt.count, 1); many != tt.many || r.Best().Model.Name == "flux.Pro2" && r.Best().Calls != pictures {
			t.Errorf("%+v: many %t, %d calls", tt, many, r.Best().Calls)
		}
	}
	if _, err := router.Route(router.Task{Prompt: "x", Volume: -1}); err == nil {
		t.Error("a negative volume was accepted")
	}
}

// TestLongPolicy reads a policy as long as may be, and none that is longer.
func TestLongPolicy(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(router.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	long := string(data) + strings.Repeat(" ", 4<<20-len(data))
	if _, err := router.ReadPolicy(strings.NewReader(long)); err != nil {
		t.Error(err)
	}
	if _, err := router.ReadPolicy(strings.NewReader(long + " ")); err == nil {
		t.Error("a longer policy was read")
	}
}

// TestFactsOfTheDefault says of a fact that nobody stated why it is so.
func TestFactsOfTheDefault(t *testing.T) {
	t.Parallel()
	r, err := router.Route(router.Task{Prompt: `a door with "7" on it`})
	if err != nil {
		t.Fatal(err)
	}
	why := func(name string) string {
		for _, f := range r.Facts {
			if f.Name == name {
				return f.Why
			}
		}
		return "not so"
	}
	if got := why("final"); got != "the default" {
		t.Errorf("final: %q", got)
	}
	if got := why("text"); got == "not so" {
		t.Errorf("a single character in quotes is no text: %v", r.Facts)
	}
}

// References that a model does not know by their sign are a loss on it alone.
func TestLostMentions(t *testing.T) {
	t.Parallel()
	task := router.Task{Prompt: "@image1 on a shelf", Pictures: pictures(1)}
	for model, lost := range map[string]bool{"flux.Pro2Edit": false, "qwen.Image3Edit": true} {
		got := slices.ContainsFunc(candidate(t, task, model).Losses, func(l router.Loss) bool { return l.Feature == router.FeatureMentions })
		if got != lost {
			t.Errorf("%s: lost %t", model, got)
		}
	}
}

// The least price there is has points, and a size is held to the least area up to
// the longest side.
func TestEdgesOfNumbers(t *testing.T) {
	t.Parallel()
	p := router.DefaultPolicy()
	var err error
	if p.Prices, err = pricing.Embedded().With(pricing.Price{Endpoint: "fal-ai/flux-2-pro", Rule: pricing.PerImage{Price: 1}, Sources: []string{"a test"}}); err != nil {
		t.Fatal(err)
	}
	r, err := mustRouter(t, p).Route(router.Task{Prompt: "x", Only: []string{"flux.Pro2"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Best().Reasons(); got[len(got)-1].Points != 20 {
		t.Errorf("%+v", got)
	}
	for size, wrong := range map[fal.ImageSize]bool{"100x14142": true, "14142x100": true, "1000x14142": false} {
		_, err := router.Route(router.Task{Prompt: "x", Size: size, MinPixels: 5_000_000})
		if got := err != nil && strings.Contains(err.Error(), "has fewer pixels than min_pixels"); got != wrong {
			t.Errorf("%s: %v", size, err)
		}
	}
}

// Weights for camera angles are asked for what they reach alone.
func TestAnglesReached(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model   string
		angle   router.Angle
		reaches bool
	}{
		{"qwen.Edit2509Angles", router.Angle{Direction: 0, Height: 90}, true},
		{"qwen.Edit2509Angles", router.Angle{Direction: 90}, true},
		{"qwen.Edit2509Angles", router.Angle{Direction: 180}, false},
		{"flux.Gallery2Angles", router.Angle{Direction: 180, Height: 60}, true},
		{"flux.Gallery2Angles", router.Angle{Direction: 180, Height: 61}, false},
		{"flux.Gallery2Angles", router.Angle{Height: -1}, false},
		{"flux.Gallery2Angles", router.Angle{Height: 0}, true},
	} {
		r, err := router.Route(router.Task{Prompt: "x", Pictures: pictures(1), Edit: router.EditAngle, Angle: tt.angle})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(r.Candidates, func(c router.Candidate) bool { return c.Model.Name == tt.model }); got != tt.reaches {
			t.Errorf("%s at %+v: reached %t", tt.model, tt.angle, got)
		}
	}
}

// What is another by a policy of the caller's is not said to be newer.
func TestArticleOfAnotherPolicy(t *testing.T) {
	t.Parallel()
	p := router.DefaultPolicy()
	p.Ratings["flux.Krea"] = router.Rating{Quality: 10, Speed: 10}
	r, err := mustRouter(t, p).Route(router.Task{Prompt: "a lighthouse in a storm", Prefer: router.Preference{Quality: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if advice, why := r.Article(); r.Best().Model.Name != "flux.Krea" || !strings.HasPrefix(why, "this policy is another: quality 10 of 10") {
		t.Errorf("%v instead of %v: %q", r.Best().Model, advice, why)
	}
}

// A word with an apostrophe is one, at the start of a prompt too.
func TestFirstWord(t *testing.T) {
	t.Parallel()
	for _, prompt := range []string{"Don't write text: a bare wall", "A bare wall: don't write text"} {
		r, err := router.Route(router.Task{Prompt: prompt})
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(r.Facts, func(f router.Fact) bool { return f.Name == "text" }) {
			t.Errorf("%s: %v", prompt, r.Facts)
		}
	}
}

// Near a name that there is not is one that half of its letters make.
func TestNearestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"abcdefghqwen.Max":  "the nearest are qwen.Max and ",
		"abcdefghiqwen.Max": "Models lists them",
		"qwen.Mxa":          "the nearest are qwen.Max and ",
		"QWEN.MAXX":         "the nearest are qwen.Max and ",
	} {
		_, err := router.Route(router.Task{Prompt: "x", Only: []string{name}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Words for editing mean nothing where no picture is given, a comma parts the words of
// a phrase, and what is joined to something denied is denied too.
func TestWordsApart(t *testing.T) {
	t.Parallel()
	for prompt, want := range map[string]string{
		`time to change the sign "open late"`:                     "text",
		"lost in thought, bubbles rise from the pond":             "",
		"emote, a happy frog":                                     "transparent",
		"a heap of rusty iron texture":                            "",
		"poster of a dragon, Elena Voss, smoke, fire, Mira Stone": "poster text",
		"infographic for chefs about knives":                      "infographic text",
		"a thought bubble over the pond":                          "text",
		"an empty street, no man or woman or child":               "",
		"an empty street, a man or woman or child":                "people",
		"a bare wall, no sign or label or poster or text":         "",
		"a field without text or letters or words or signs":       "",
	} {
		r, err := router.Route(router.Task{Prompt: prompt})
		if err != nil {
			t.Fatal(err)
		}
		if got := detected(r.Facts); got != want {
			t.Errorf("%s: %q, want %q", prompt, got, want)
		}
	}
}

// Why a model makes no picture that large is said of each kind of model.
func TestWhyPixels(t *testing.T) {
	t.Parallel()
	r, err := router.Route(router.Task{Prompt: "x", Pictures: []router.Picture{{File: mask}}, Edit: router.EditStyle, MinPixels: 9 << 20, Require: []router.Feature{router.FeatureOneStep}})
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{
		"flux.DevImageToImage": "decides the size by itself",
		"flux.KontextPro":      "makes pictures of about 1 megapixels",
		"qwen.Edit":            "makes no pictures that large, as far as any source tells",
	} {
		i := slices.IndexFunc(r.Refused, func(f router.Refusal) bool { return f.Model().Name == model })
		if i < 0 || !slices.Contains(r.Refused[i].Why(), want) {
			t.Errorf("%s: %d, %v", model, i, r.Refused[max(i, 0)].Why())
		}
	}
}

// A model that decides the size by itself has as many pixels as it makes, and no more.
func TestOwnPixels(t *testing.T) {
	t.Parallel()
	for pixels, enough := range map[int]bool{4 << 20: true, 4<<20 + 1: false} {
		_, err := router.Route(router.Task{Prompt: "x", MinPixels: pixels, Only: []string{"flux.Pro11Ultra"}, Require: []router.Feature{router.FeatureOneStep}})
		if (err == nil) != enough || err != nil && !strings.Contains(err.Error(), "makes pictures of about 4 megapixels") {
			t.Errorf("%d pixels: %v", pixels, err)
		}
	}
}

// A picture of which the size is not known is edited at its own, whatever the least
// area, and how many pictures a model takes is said.
func TestUnknownPictures(t *testing.T) {
	t.Parallel()
	c := candidate(t, router.Task{Prompt: "x", Pictures: []router.Picture{{File: mask}}, MinPixels: 2 << 20, Only: []string{"qwen.Edit2511"}}, "qwen.Edit2511")
	if got := body(t, c.Request); strings.Contains(got, "image_size") {
		t.Errorf("%s", got)
	}
	for most, want := range map[int]string{0: "takes 3 pictures or more", 3: "takes 3 pictures", 5: "takes 3 to 5 pictures"} {
		r, err := own(t, func(m *router.OwnModel) { m.Task, m.MinPictures, m.MaxPictures = "edit", 3, most }).Route(router.Task{Prompt: "x", Pictures: pictures(1)})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(r.Refused, func(f router.Refusal) bool { return f.Model().Name == "acme.Portrait" })
		if i < 0 || !slices.Contains(r.Refused[i].Why(), want) {
			t.Errorf("%d, want %q", i, want)
		}
	}
}

// Why a LoRA does not fit is said of each kind of model.
func TestWhyLoRAs(t *testing.T) {
	t.Parallel()
	r, err := router.Route(router.Task{Prompt: "x", LoRAs: []router.LoRA{{Path: "a/b", Base: "qwen.Image2512LoRA"}}})
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{
		"flux.Pro2":     "takes no LoRAs",
		"flux.Dev2LoRA": "takes LoRAs that were trained for FLUX.2 [dev], 3 at most",
		"flux.DevLoRA":  "is for LoRAs that were trained for FLUX.1 [dev]",
	} {
		i := slices.IndexFunc(r.Refused, func(f router.Refusal) bool { return f.Model().Name == model })
		if i < 0 || !slices.Contains(r.Refused[i].Why(), want) {
			t.Errorf("%s: %d, %v", model, i, r.Refused[max(i, 0)].Why())
		}
	}
}
