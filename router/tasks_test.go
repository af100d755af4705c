package router_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
	"github.com/falimage/falimage-go/router"
)

const cent = pricing.Cent

// pictures returns so many pictures of one megapixel.
func pictures(n int) []router.Picture {
	one := router.Picture{File: fal.URL("https://pictures.example/a.png"), Width: 1024, Height: 1024}
	return slices.Repeat([]router.Picture{one}, n)
}

var mask = fal.URL("https://pictures.example/mask.png")

// The head-to-head prompts of the article.
const (
	posterPrompt  = "A vintage movie poster for a film called 'The Last Garden' starring Elena Voss, with tagline 'Some things grow back stronger' in serif typography, 1970s Saul Bass-inspired design"
	journalPrompt = "Close-up of a weathered leather journal on a wooden desk, fountain pen resting across the open pages, warm afternoon light from a nearby window casting long shadows, shallow depth of field, shot on 85mm lens"
	terracePrompt = "A busy Parisian café terrace at golden hour, four people at separate tables each engaged in different activities, reading, sketching, talking on phone, and eating a croissant, with a waiter carrying a tray of espressos in the middle ground and the Eiffel Tower visible in the distance"
	mugPrompt     = "A matte black ceramic coffee mug on a sunlit marble countertop, morning light streaming through linen curtains, a small succulent in the background slightly out of focus, editorial product photography style"
)

// tasks are realistic needs, each with the model that must be the first choice
// by the article's advice and the rule that must be among its reasons.
var tasks = []struct {
	name  string
	task  router.Task
	model string
	rule  string
}{
	// Choose FLUX when.
	{"photorealism", router.Task{Prompt: journalPrompt}, "flux.Pro2", "flux-photorealism"},
	{"photorealism, stated", router.Task{Prompt: "an old fisherman mending a net", Purpose: router.Photo}, "flux.Pro2", "flux-pro-photorealism"},
	{"product photo", router.Task{Prompt: mugPrompt}, "flux.Pro2", "flux-pro-photorealism"},
	{"plain prompt", router.Task{Prompt: "a lighthouse in a storm"}, "flux.Pro2", "flux-pro-default"},
	{"price tiers: a batch of drafts", router.Task{Prompt: "a mug, product photo", Stage: router.StageDraft, Count: 500}, "flux.Schnell", "flux-price-tiers"},
	{"LoRA of no known base", router.Task{Prompt: "TOK on a beach", LoRAs: []router.LoRA{{Path: "https://x.example/l.safetensors"}}}, "flux.Dev2LoRA", "flux-lora"},
	{"LoRA for FLUX.1", router.Task{Prompt: "TOK on a beach", LoRAs: []router.LoRA{{Path: "a/b", Base: "flux.DevLoRA"}}}, "flux.DevLoRA", "flux-lora"},
	{"live preview", router.Task{Prompt: "a castle", Stage: router.StagePreview}, "flux.Schnell", "flux-realtime-first"},
	{"live preview without schnell", router.Task{Prompt: "a castle", Stage: router.StagePreview, Not: []string{"flux.Schnell"}}, "flux.Turbo2", "flux-realtime-first"},
	{"live preview with text", router.Task{Prompt: "a sign reading 'OPEN'", Stage: router.StagePreview}, "flux.Schnell", "flux-realtime-first"},
	{"live preview of an edit", router.Task{Prompt: "make the sky red", Pictures: pictures(1), Stage: router.StagePreview}, "flux.Flash2Edit", "flux-realtime"},
	{"in-context edit", router.Task{Prompt: "change the car color to red", Pictures: pictures(1), Edit: router.EditInContext}, "flux.KontextPro", "kontext-in-context"},
	{"in-context edit with lettering", router.Task{Prompt: "the man's shirt now says 'HELLO'", Pictures: pictures(1), Edit: router.EditInContext}, "flux.KontextMax", "kontext-max-typography"},
	{"in-context edit of several pictures", router.Task{Prompt: "both of them at a table", Pictures: pictures(2), Edit: router.EditInContext}, "flux.KontextProMulti", "kontext-in-context"},
	{"in-context edit, quality above all", router.Task{Prompt: "she turns around", Pictures: pictures(1), Edit: router.EditInContext, Prefer: router.Preference{Quality: 10}}, "flux.KontextMax", "kontext-max-in-context"},
	{"structured prompt", router.Task{Structured: &flux.StructuredPrompt{Scene: "a kitchen", Camera: flux.PromptCamera{Lens: "85mm"}}}, "flux.Pro2", "flux-prompting"},
	{"structured prompt with text in it", router.Task{Structured: &flux.StructuredPrompt{Scene: "a shop", Subjects: []flux.PromptSubject{{Description: "a mug"}}}, Colors: []flux.Color{"#2ECC71"}}, "flux.Pro2", "flux-prompting"},
	{"hex colour in the prompt", router.Task{Prompt: "a wall painted in color #2ECC71"}, "flux.Pro2", "flux-prompting"},
	{"brand colours", router.Task{Prompt: "a mug on marble", Colors: []flux.Color{"#0B3D2E (brand green)"}}, "flux.Pro2", "flux-prompting"},
	{"image references", router.Task{Prompt: "@image1 wearing the outfit from @image2", Pictures: pictures(2)}, "flux.Pro2Edit", "flux-prompting"},
	{"nine references", router.Task{Prompt: "all of them on one shelf", Pictures: pictures(9), Edit: router.EditCompose}, "flux.Pro2Edit", "pro-edit-references"},
	{"steps and guidance", router.Task{Prompt: "a lighthouse", Steps: 40, Guidance: new(4.5)}, "flux.Flex2", "flex-control"},
	{"text within FLUX", router.Task{Prompt: "a sign reading 'OPEN'", Only: []string{"flux"}}, "flux.Flex2", "flex-typography"},
	{"editing at high volume", router.Task{Prompt: "white background", Pictures: pictures(1), Count: 1000, Edit: router.EditBackground}, "flux.Dev2Edit", "dev-edit-volume"},
	{"2K photo", router.Task{Prompt: "mountains, photo", MinPixels: 2048 * 1536}, "flux.Pro11Ultra", "ultra-2k"},

	// Choose Qwen Image when.
	{"sign", router.Task{Prompt: "a sign reading 'OPEN' on a glass door"}, "qwen.Image", "qwen-text"},
	{"text given apart", router.Task{Prompt: "a storefront at night", Text: []string{"NORTH SEA FISH"}}, "qwen.Image", "qwen-text"},
	{"text on fabric, photo", router.Task{Prompt: "photo of a t-shirt that says 'GO'"}, "qwen.Image", "qwen-text"},
	{"Chinese prompt", router.Task{Prompt: "一家茶馆的招牌,上面写着“清风茶馆”"}, "qwen.Image", "qwen-multilingual"},
	{"Japanese text", router.Task{Prompt: "a ramen shop with a banner", Text: []string{"ラーメン"}, Purpose: router.Photo}, "qwen.Image", "qwen-multilingual"},
	{"Arabic poster", router.Task{Prompt: "a poster that says 'مرحبا'"}, "qwen.Image2512", "qwen-multilingual"},
	{"German text by tag", router.Task{Prompt: "a bakery window with the words 'Frische Brötchen'", Languages: []string{"de"}}, "qwen.Image", "qwen-multilingual"},
	{"many elements", router.Task{Prompt: terracePrompt}, "qwen.Image2Pro", "qwen-composition"},
	{"language by its name", router.Task{Prompt: "street photography, rainy Tokyo, neon signs in Japanese"}, "qwen.Image", "qwen-multilingual"},
	{"a style is no language", router.Task{Prompt: "a garden in Japanese style, photo"}, "flux.Pro2", "flux-photorealism"},
	{"many elements, stated, quality first", router.Task{Prompt: "a market", ManyElements: true, Prefer: router.Preference{Quality: 10}}, "qwen.Image2Pro", "qwen-composition"},
	{"layers", router.Task{Pictures: pictures(1), Edit: router.EditLayers, Layers: 6}, "qwen.Layered", "qwen-layers"},
	{"removal", router.Task{Prompt: "remove the lamp", Pictures: pictures(1), Edit: router.EditRemove}, "qwen.Image2Edit", "qwen-2-edit"},
	{"camera angle", router.Task{Pictures: pictures(1), Edit: router.EditAngle, Angle: router.Angle{Direction: qwen.Right}}, "qwen.Edit2511Angles", "qwen-angles"},
	{"camera angle from below", router.Task{Pictures: pictures(1), Edit: router.EditAngle, Angle: router.Angle{Height: qwen.LowAngle}}, "qwen.Edit2511Angles", "qwen-angles"},
	{"poster", router.Task{Prompt: posterPrompt}, "qwen.Image2Pro", "qwen-pro-layout"},
	{"infographic", router.Task{Prompt: "infographic about the water cycle with four labelled steps"}, "qwen.Image2Pro", "qwen-pro-layout"},
	{"comic", router.Task{Prompt: "a four panel comic, a cat says 'no' in a speech bubble"}, "qwen.Image2Pro", "qwen-pro-layout"},
	{"dashboard", router.Task{Prompt: "dashboard of a bank with the headline 'Balance'"}, "qwen.Image2Pro", "qwen-pro-ui"},
	{"poster on a budget", router.Task{Prompt: posterPrompt, MaxPricePerImage: 2 * cent}, "qwen.Image2512", "qwen-text"},
	{"poster for 4 cents", router.Task{Prompt: posterPrompt, MaxPricePerImage: 4 * cent, Not: []string{"qwen.Image2512"}}, "qwen.Image2", "qwen-layout"},

	// Use both, drafts and finals.
	{"draft of a photo", router.Task{Prompt: journalPrompt, Stage: router.StageDraft}, "flux.Schnell", "drafts"},
	{"draft of a poster", router.Task{Prompt: posterPrompt, Stage: router.StageDraft}, "flux.Flash2", "drafts-flash-quality"},
	{"draft of an edit", router.Task{Prompt: "make it night", Pictures: pictures(1), Stage: router.StageDraft}, "flux.Flash2Edit", "drafts-edit"},
	{"final of a photo, with a seed", router.Task{Prompt: journalPrompt, Stage: router.StageFinal, Seed: fal.Seed(7)}, "flux.Pro2", "flux-pro-photorealism"},
	{"500 finals", router.Task{Prompt: mugPrompt, Count: 500}, "flux.Pro2", "flux-price-tiers"},

	// Editing.
	{"style transfer", router.Task{Prompt: "as a watercolour", Pictures: pictures(1), Edit: router.EditStyle}, "qwen.Image2Edit", "qwen-2-edit"},
	{"style transfer, quality first", router.Task{Prompt: "as a watercolour", Pictures: pictures(1), Edit: router.EditStyle, Prefer: router.Preference{Quality: 10}}, "qwen.Image2ProEdit", "qwen-2-pro-edit"},
	{"background", router.Task{Prompt: "put it on a beach", Pictures: pictures(1), Edit: router.EditBackground}, "qwen.Image2Edit", "qwen-2-edit"},
	{"text in a picture", router.Task{Prompt: "change 'SALE' to 'SOLD'", Pictures: pictures(1), Edit: router.EditText}, "qwen.Image2Edit", "qwen-2-edit"},
	{"season, in plain words", router.Task{Prompt: "Make this scene summer setting.", Pictures: pictures(1)}, "qwen.Image2Edit", "qwen-2-edit-general"},
	{"inpainting", router.Task{Prompt: "a bird", Pictures: pictures(1), Mask: mask, Edit: router.EditInpaint}, "flux.ProFill", "fill"},
	{"inpainting, Apache only", router.Task{Prompt: "a bird", Pictures: pictures(1), Mask: mask, Edit: router.EditInpaint, Licence: router.Apache2}, "qwen.EditInpaint", ""},
	{"try-on", router.Task{Prompt: "she wears the jacket", Pictures: pictures(2), Edit: router.EditTryOn}, "flux.Gallery2Edit", "try-on-weights"},
	{"upscaling", router.Task{Pictures: pictures(1), Edit: router.EditUpscale, Scale: 2}, "flux.VisionUpscaler", ""},
	{"large edit", router.Task{Prompt: "make it night", Pictures: pictures(1), Size: fal.Size(2560, 2560), Only: []string{"Qwen Image Edit"}}, "qwen.Edit2511", "edit-2511-resolution"},
	{"compositing two pictures", router.Task{Prompt: "the cup of the first on the table of the second", Pictures: pictures(2), Edit: router.EditCompose}, "flux.Pro2Edit", "pro-edit-references"},

	// Constraints.
	{"photo, Apache only", router.Task{Prompt: journalPrompt, Licence: router.Apache2}, "qwen.Image2512", "qwen-2512-photo"},
	{"people, Apache only", router.Task{Prompt: "portrait of a woman, photo", Licence: router.Apache2}, "qwen.Image2512", "qwen-2512-people"},
	{"text, Apache only", router.Task{Prompt: "a sign reading 'OPEN'", Licence: router.Apache2}, "qwen.Image", "qwen-image-route"},
	{"live preview, Apache only", router.Task{Prompt: "a castle", Stage: router.StagePreview, Licence: router.Apache2}, "flux.Schnell", "flux-realtime-first"},
	{"open weights", router.Task{Prompt: "a lighthouse", Licence: router.OpenWeights, Only: []string{"FLUX.2"}}, "flux.Turbo2", ""},
	{"WebP", router.Task{Prompt: "a sign reading 'OPEN'", Format: "webp"}, "qwen.Image2Pro", "qwen-text"},
	{"negative prompt required", router.Task{Prompt: "a lighthouse, photo", NegativePrompt: "people", Require: []router.Feature{router.FeatureNegative}}, "qwen.Image2512", "qwen-2512-photo"},
	{"negative prompt wished", router.Task{Prompt: "a lighthouse, photo", NegativePrompt: "people"}, "flux.Pro2", "flux-pro-photorealism"},
	{"prompt as it stands", router.Task{Prompt: "a lighthouse, photo", VerbatimPrompt: true}, "flux.Turbo2", "flux-photorealism"},
	{"photo for a cent", router.Task{Prompt: journalPrompt, MaxPricePerImage: cent}, "flux.Turbo2", "flux-photorealism"},
	{"photo, cheapest", router.Task{Prompt: journalPrompt, Prefer: router.Preference{Price: 10}}, "flux.Schnell", "flux-photorealism"},
	{"exact size", router.Task{Prompt: journalPrompt, Size: fal.Size(1920, 1080), Require: []router.Feature{router.FeatureSize}}, "flux.Pro2", "flux-photorealism"},
	{"banned family", router.Task{Prompt: journalPrompt, Not: []string{"FLUX.2"}}, "flux.Pro11Ultra", "flux-photorealism"},
	{"one model alone", router.Task{Prompt: journalPrompt, Only: []string{"qwen.Max"}}, "qwen.Max", ""},
}

// newer are the tasks for which the default policy has another model than the
// article, with the rule that must be among its reasons and what must be told
// of the difference.
var newer = map[string]struct{ model, rule, why string }{
	"nine references":                      {"flux.Image3Edit", "flux-3-references", "came after the article: FLUX 3 combines up to 10"},
	"many elements":                        {"qwen.Image3", "qwen-composition", "not in fal's list of models any more"},
	"many elements, stated, quality first": {"qwen.Image3", "qwen-composition", "not in fal's list of models any more"},
	"removal":                              {"qwen.Image3Edit", "qwen-3-edit", "was withdrawn by fal on 2026-08-19; use alibaba/qwen-image-3/edit"},
	"poster":                               {"qwen.Image3", "qwen-3-layout", "not in fal's list of models any more"},
	"infographic":                          {"qwen.Image3", "qwen-3-layout", "not in fal's list of models any more"},
	"comic":                                {"qwen.Image3", "qwen-3-layout", "not in fal's list of models any more"},
	"dashboard":                            {"qwen.Image3", "qwen-3-ui", "not in fal's list of models any more"},
	"poster for 4 cents":                   {"qwen.Image3", "qwen-3-layout", "not in fal's list of models any more"},
	"style transfer":                       {"qwen.Image3Edit", "qwen-3-edit", "was withdrawn by fal"},
	"style transfer, quality first":        {"qwen.Image3Edit", "qwen-3-edit", "not in fal's list of models any more"},
	"background":                           {"qwen.Image3Edit", "qwen-3-edit", "was withdrawn by fal"},
	"text in a picture":                    {"qwen.Image3Edit", "qwen-3-edit", "was withdrawn by fal"},
	"season, in plain words":               {"qwen.Image3Edit", "qwen-3-edit-general", "was withdrawn by fal"},
	"WebP":                                 {"qwen.Image3", "qwen-text", "not in fal's list of models any more"},
	"negative prompt required":             {"qwen.Image3", "quality", "came after the article: quality 9 of 10"},
	"negative prompt wished":               {"qwen.Image3", "quality", "came after the article: quality 9 of 10"},
	"banned family":                        {"flux.Image3", "flux-photorealism", "came after the article"},
}

// newTasks are needs that the article does not speak of, by the default policy.
var newTasks = []struct {
	name  string
	task  router.Task
	model string
	rule  string
}{
	{"4K", router.Task{Prompt: "mountains, photo", MinPixels: 3000 * 3000}, "flux.Image3", "flux-3-4k"},
	{"ten references", router.Task{Prompt: "all of them on one shelf", Pictures: pictures(10), Edit: router.EditCompose}, "flux.Image3Edit", "flux-3-references"},
	{"live preview by FLUX 3", router.Task{Prompt: "a castle", Stage: router.StagePreview, Only: []string{"FLUX 3", "FLUX 3 Klein"}}, "flux.Klein3", "flux-3-preview"},
	{"three references, Qwen alone", router.Task{Prompt: "all of them on one shelf", Pictures: pictures(3), Only: []string{"qwen"}}, "qwen.Image3Edit", "qwen-3-edit-references"},
	{"2K with text", router.Task{Prompt: "a sign reading 'OPEN'", MinPixels: 3 << 20}, "qwen.Image3", "qwen-3-2k"},
	{"cut-out, transparent", router.Task{Prompt: "cut out the shoe, transparent background", Pictures: pictures(1)}, "qwen.Image21Edit", "quality"},
	{"try-on in words", router.Task{Prompt: "put the jacket from the second picture on the man", Pictures: pictures(2)}, "flux.Pro2Edit", "pro-edit-references"},
	{"another place, the same face", router.Task{Prompt: "don't alter the model, just put her in a red coat", Pictures: pictures(1)}, "flux.KontextPro", "kontext-in-context"},
	{"extended in words", router.Task{Prompt: "extend this picture to 16:9", Pictures: pictures(1)}, "flux.Pro2Outpaint", "flux-outpaint"},
	{"extended in words, with something else", router.Task{Prompt: "extend this picture to 16:9 by a fox", Pictures: pictures(1)}, "qwen.Image3Edit", "qwen-3-edit-general"},
	{"a list of things", router.Task{Prompt: "on the desk: a brass lamp, a globe, a broken watch, a mug and a fern"}, "qwen.Image3", "qwen-composition"},
}

// mustRouter returns the router of a policy.
func mustRouter(t *testing.T, p router.Policy) *router.Router {
	t.Helper()
	r, err := router.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTasks(t *testing.T) {
	t.Parallel()
	article := mustRouter(t, router.ArticlePolicy())
	for _, tt := range tasks {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := article.Route(tt.task)
			if err != nil {
				t.Fatal(err)
			}
			checkBest(t, r, tt.model, tt.rule)
		})
		t.Run(tt.name+", today", func(t *testing.T) {
			t.Parallel()
			r, err := router.Route(tt.task)
			if err != nil {
				t.Fatal(err)
			}
			model, rule := tt.model, tt.rule
			other, differs := newer[tt.name]
			if differs {
				model, rule = other.model, other.rule
			}
			checkBest(t, r, model, rule)
			advice, why := r.Article()
			if advice.Name != tt.model || differs != (why != "") || !strings.Contains(why, other.why) {
				t.Errorf("Article() = %v, %q", advice, why)
			}
		})
	}
	for _, tt := range newTasks {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := router.Route(tt.task)
			if err != nil {
				t.Fatal(err)
			}
			checkBest(t, r, tt.model, tt.rule)
		})
	}
	if len(tasks) < 60 {
		t.Errorf("%d tasks, want at least 60", len(tasks))
	}
}

// checkBest fails the test unless the first choice is a model, for a rule, and
// its points add up.
func checkBest(t *testing.T, r *router.Routing, model, rule string) {
	t.Helper()
	best := r.Best()
	var rules []string
	sum := 0
	for _, reason := range best.Reasons() {
		rules = append(rules, reason.Rule)
		sum += reason.Points
		if reason.Text == "" || reason.Source == "" {
			t.Errorf("reason without words or source: %+v", reason)
		}
	}
	for _, l := range best.Losses {
		sum -= l.Points
	}
	if sum != best.Score {
		t.Errorf("the reasons have %d points, the score is %d", sum, best.Score)
	}
	if best.Model.Name == model && (rule == "" || slices.Contains(rules, rule)) {
		return
	}
	var top []string
	for _, c := range r.Candidates[:min(5, len(r.Candidates))] {
		var why []string
		for _, reason := range c.Reasons() {
			why = append(why, reason.Rule)
		}
		top = append(top, c.Model.Name+" "+c.Expected.String()+" "+strings.Join(why, ","))
	}
	t.Errorf("got %s for %v, want %s for %s\nfacts %v\n%s", best.Model.Name, rules, model, rule, r.Facts, strings.Join(top, "\n"))
}

// Every rule of the policies decides something in these tasks: each is a reason
// of some first choice or at least of a candidate.
func TestRulesApply(t *testing.T) {
	t.Parallel()
	var needs []router.Task
	for _, tt := range tasks {
		needs = append(needs, tt.task)
	}
	for _, tt := range newTasks {
		needs = append(needs, tt.task)
	}
	for name, policy := range map[string]router.Policy{"article": router.ArticlePolicy(), "default": router.DefaultPolicy()} {
		used := make(map[string]bool)
		chooser := mustRouter(t, policy)
		for _, task := range needs {
			r, err := chooser.Route(task)
			if err != nil {
				if name == "article" {
					continue // newer than its models
				}
				t.Fatal(err)
			}
			for i := range r.Candidates {
				for _, reason := range r.Candidates[i].Reasons() {
					used[reason.Rule] = true
				}
			}
		}
		for _, rule := range policy.Rules {
			if !used[rule.Name] {
				t.Errorf("%s: rule %s never applies", name, rule.Name)
			}
		}
	}
}

// Models that are gone from fal's list come after all others, with a loss, and
// those that fal has withdrawn are refused, unless the task names them.
func TestGoneModels(t *testing.T) {
	t.Parallel()
	gone := make(map[string]schema.State)
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		if m.Status.State != schema.Live {
			gone[m.Endpoint] = m.Status.State
		}
	}
	for _, tt := range tasks {
		r, err := router.Route(tt.task)
		if err != nil {
			t.Fatal(err)
		}
		last := false
		for _, c := range r.Candidates {
			state := gone[c.Model.Endpoint]
			told := slices.ContainsFunc(c.Losses, func(l router.Loss) bool { return l.Feature == router.FeatureCurrent })
			if last && state == "" || state == schema.Withdrawn || state != "" && !told {
				t.Errorf("%s: %v is %q, after one that is gone: %t, losses %v", tt.name, c.Model, state, last, c.Losses)
			}
			last = state != ""
		}
	}
	edit := router.Task{Prompt: "make it night", Pictures: pictures(1)}
	for _, name := range []string{"qwen.Image2Edit", "fal-ai/qwen-image-2/edit", "Qwen Image 2.0"} {
		edit.Only = []string{name}
		r, err := router.Route(edit)
		if err != nil || !slices.ContainsFunc(r.Candidates, func(c router.Candidate) bool { return c.Model.Name == "qwen.Image2Edit" && len(c.Losses) > 0 }) {
			t.Errorf("%s: %v", name, err)
		}
	}
	edit.Only = []string{"qwen"}
	r, err := router.Route(edit)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Refused {
		if f.Model().Name == "qwen.Image2Edit" && strings.Contains(f.String(), "was withdrawn by fal on 2026-08-19; use alibaba/qwen-image-3/edit instead") {
			return
		}
	}
	t.Error("a withdrawn model is not refused with its successor")
}
