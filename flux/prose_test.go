package flux_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/flux"
)

func TestProse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		prompt flux.StructuredPrompt
		want   string
	}{
		{"empty", flux.StructuredPrompt{}, ""},
		{"full", full, "a product photograph in a studio. " +
			"coffee mug, matte black ceramic, none expression, upright, in the foreground, steaming, with the text \"TO GO\", in color #1A1A1A, in matte black and gold (color #FFD700), exact color match, high detail preservation, id mug, details thin rim. " +
			"a succulent, left of the mug. Text: \"SALE\", \"today\". editorial. Color palette: color #2ECC71 and linen white. Colors: color #ABCDEF. Lighting: soft window light. Mood: calm. Background: polished concrete. Composition: rule of thirds. " +
			"Camera: high angle, close-up, focus on the handle, macro lens, 85mm lens, f/5.6, ISO 200, shallow depth of field, taken with X100, film slide. Effects: film grain, R&D <glow>. Aspect ratio: 16:9. Technical: z 1, a true."},
		{"ends", flux.StructuredPrompt{Scene: " A cup! ", Style: "水墨画。", Mood: "why?"}, "A cup! 水墨画。 Mood: why?"},
		{"no repetition", flux.StructuredPrompt{
			Subjects: []flux.PromptSubject{{Type: "mug", Description: "A black Mug"}},
			Camera:   flux.PromptCamera{Lens: "85mm lens", LensMM: 85, Focus: "sharp focus", DepthOfField: "great depth"},
		}, "A black Mug. Camera: sharp focus, 85mm lens, great depth."},
		{"part of a word", flux.StructuredPrompt{
			Subjects: []flux.PromptSubject{{Type: "cat", Description: "a caterpillar, a scat and cats"}, {Type: "猫", Description: "一只猫在睡觉"}},
			Camera:   flux.PromptCamera{Lens: "185mm", LensMM: 85},
		}, "cat, a caterpillar, a scat and cats. 一只猫在睡觉. Camera: 185mm lens, 85mm lens."},
		{"word after a part of one", flux.StructuredPrompt{Subjects: []flux.PromptSubject{{Type: "cat", Description: "a caterpillar and a cat"}}}, "a caterpillar and a cat."},
		{"full stops inside", flux.StructuredPrompt{
			Subjects: []flux.PromptSubject{{Description: "A mug. It is blue.", Pose: "upright...", Action: "steaming."}},
		}, "A mug. It is blue, upright..., steaming."},
		{"full stop of another language", flux.StructuredPrompt{Subjects: []flux.PromptSubject{{Description: "a painting", Pose: "水墨。"}}}, "a painting, 水墨。"},
		{"lettering", flux.StructuredPrompt{
			Text:     []string{"SALE", `24" screen`, `the word "NEW" in red`, "“now”", " "},
			Subjects: []flux.PromptSubject{{Description: "a poster", Text: "50% off"}},
			Extra:    flux.PromptFields{{Key: "title", Value: "Honey"}, {Key: "text_on_box", Value: "x"}, {Key: "headline", Value: flux.PromptFields{{Key: "text", Value: "Bees"}, {Key: "font", Value: "serif"}}}},
		}, "a poster, with the text \"50% off\". Text: \"SALE\", “24\" screen”, the word \"NEW\" in red, “now”. " +
			"Title: \"Honey\". Text on box: x. Headline: text \"Bees\", font serif."},
		{"colours once", flux.StructuredPrompt{
			Scene:        "a wall in color #AAAAAA",
			Subjects:     []flux.PromptSubject{{Description: "a mug, strictly in color #2ecc71", Colors: []flux.Color{"#2ECC71", "#FF0000"}, ColorPalette: []flux.Color{"#FF0000", "red"}}, {Description: "a cup", Colors: []flux.Color{"#FF0000"}}},
			ColorPalette: []flux.Color{"#2ECC71", "#FF0000", "#ff0000 red", "#0000FF", "red", "#aaaaaa"},
			Colors:       []flux.Color{"#FF0000"},
			Order:        []string{"color_palette"},
		}, "Color palette: red (color #ff0000), color #0000FF and red. a wall in color #AAAAAA. " +
			"a mug, strictly in color #2ecc71, in color #FF0000, in red. a cup, in color #FF0000."},
		{"a code after its name", flux.StructuredPrompt{ColorPalette: []flux.Color{"#FF0000 red", "#ff0000", "red (#FF0000)"}}, "Color palette: red (color #FF0000)."},
		{"color of a color", flux.StructuredPrompt{Extra: flux.PromptFields{{Key: "dress", Value: flux.PromptFields{{Key: "color", Value: "#7B2D8E"}, {Key: "cut", Value: "cutaway"}}}}}, "Dress: color #7B2D8E, cut cutaway."},
		{"space around", flux.StructuredPrompt{Subjects: []flux.PromptSubject{{Description: " a mug ", Pose: "\tupright\n"}}}, "a mug, upright."},
		{"colours elsewhere", flux.StructuredPrompt{Extra: flux.PromptFields{{Key: "box", Value: flux.PromptFields{{Key: "colors", Value: []any{"#FF0000", "red"}}}}}}, "Box: colors color #FF0000 and red."},
		{"subjects in a string", flux.StructuredPrompt{Extra: flux.PromptFields{{Key: "subjects", Value: []any{"a cat", "a dog."}}}}, "a cat. a dog."},
		{"objects in objects", flux.StructuredPrompt{Extra: flux.PromptFields{
			{Key: "look", Value: flux.PromptFields{{Key: "light", Value: flux.PromptFields{{Key: "key", Value: "soft"}, {Key: "fill", Value: "none"}}}, {Key: "gear", Value: []any{"a", "b", "c"}}, {Key: "one", Value: flux.PromptFields{{Key: "k", Value: "v"}}}}},
		}}, "Look: light (key soft, fill none), gear a, b and c, one k v."},
		{"Chinese", flux.StructuredPrompt{
			Scene:        "清晨的厨房",
			Subjects:     []flux.PromptSubject{{Type: "杯子", Description: "陶瓷杯。", Expression: "微笑", Position: "foreground", Text: "早安", Colors: []flux.Color{"#2ECC71 (翠绿)", "白色"}, ColorMatch: "exact", DetailPreservation: "high"}},
			Text:         []string{"春", "夏"},
			ColorPalette: []flux.Color{"#1A1A1A", "米色"},
			Lighting:     "柔和的晨光。",
			Camera:       flux.PromptCamera{Angle: "俯拍", Focus: "杯口", Lens: "微距", LensMM: 85, ISO: 200, DepthOfField: "浅景深", Model: "Sony A7IV"},
			Extra:        flux.PromptFields{{Key: "sections", Value: []any{flux.PromptFields{{Key: "heading", Value: "一"}, {Key: "visual", Value: "图标"}}}}, {Key: "weather", Value: "晴"}},
		}, "清晨的厨房。杯子，陶瓷杯，表情微笑，位于前景，带有文字“早安”，翠绿（颜色 #2ECC71）和白色，精确匹配颜色，高度保留细节。文字：“春”、“夏”。配色：颜色 #1A1A1A和米色。光线：柔和的晨光。" +
			"镜头：俯拍，对焦于杯口，微距镜头，85mm镜头，ISO 200，浅景深，使用Sony A7IV拍摄。板块 1：标题 “一”，画面 图标。Weather：晴。"},
		{"Japanese", flux.StructuredPrompt{Mood: "静かな朝の台所"}, "Mood: 静かな朝の台所."},
		{"English with Chinese lettering", flux.StructuredPrompt{Scene: "a shop", Text: []string{"春"}}, "a shop. Text: \"春\"."},
		{"three colours", flux.StructuredPrompt{Colors: []flux.Color{"red", "#00ff00", "blue"}}, "Colors: red, color #00ff00 and blue."},
		{"blank", flux.StructuredPrompt{Scene: " ", Subjects: []flux.PromptSubject{{}}, Effects: []string{""}, Extra: flux.PromptFields{{Key: "x", Value: ""}, {Key: "", Value: "y"}}}, "y."},
		{"Go values", flux.StructuredPrompt{Extra: flux.PromptFields{
			{Key: "list", Value: []string{"a", "#FF0000"}}, {Key: "objects", Value: []map[string]string{{"heading": "H"}, {"b": "x"}}}, {Key: "loss", Value: []any{flux.PromptFields{{Key: "k", Value: "v"}}}}, {Key: "map", Value: map[string]int{"k": 1}}, {Key: "on", Value: true},
			{Key: "n", Value: 1.5}, {Key: "c", Value: flux.Color("#00FF00")}, {Key: "bad", Value: math.NaN()}, {Key: "nil", Value: nil}, {Key: "élan", Value: "v"},
		}}, "List: a, color #FF0000. Object 1: heading \"H\". Object 2: b x. Loss 1: k v. Map: k 1. On: true. N: 1.5. C: color #00FF00. Bad: NaN. Élan: v."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.prompt.Prose()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLettering quotes what is to be read in the picture, by its key.
func TestLettering(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"text", "lettering", "title", "subtitle", "heading", "headline", "content", "slogan", "tagline", "caption", "label", "labels"} {
		p := flux.StructuredPrompt{Extra: flux.PromptFields{{Key: "box", Value: flux.PromptFields{{Key: key, Value: "Honey"}}}}}
		if want := "Box: " + key + ` "Honey".`; p.Prose() != want {
			t.Errorf("Prose = %q, want %q", p.Prose(), want)
		}
	}
}

func TestProseOfOtherForms(t *testing.T) {
	t.Parallel()
	in := `{"scene":{"setting":"a kitchen","time":"dawn"},"colors":{"primary":"#FF0000 (red)","accent":"#00ff00"},"camera":"35mm","iso":1.50}`
	var p flux.StructuredPrompt
	if err := json.Unmarshal([]byte(in), &p); err != nil {
		t.Fatal(err)
	}
	want := "Scene: setting a kitchen, time dawn. Colors: primary red (color #FF0000), accent color #00ff00. Camera: 35mm. Iso: 1.50."
	if diff := cmp.Diff(want, p.Prose()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ExampleStructuredPrompt() {
	prompt := flux.StructuredPrompt{
		Scene: "a sunlit kitchen",
		Subjects: []flux.PromptSubject{{
			Description: "a ceramic coffee mug",
			Position:    "foreground",
			Colors:      []flux.Color{"#2ECC71"},
		}},
		Camera: flux.PromptCamera{Lens: "85mm"},
	}
	req := flux.Pro2{Prompt: prompt.Prompt()}
	fmt.Println(req.Prompt)
	// Output:
	// {"scene":"a sunlit kitchen","subjects":[{"description":"a ceramic coffee mug","position":"foreground","colors":["#2ECC71"]}],"camera":{"lens":"85mm"}}
}

func ExampleStructuredPrompt_UnmarshalJSON() {
	// A prompt from a library of prompts, with a key that has no field.
	text := `{"mood": "calm", "weather": "fog", "scene": "a harbour"}`
	var prompt flux.StructuredPrompt
	if err := json.Unmarshal([]byte(text), &prompt); err != nil {
		fmt.Println(err)
		return
	}
	prompt.Mood = "tense"
	fmt.Println(prompt.Prompt())
	// Output: {"mood":"tense","weather":"fog","scene":"a harbour"}
}

func ExampleReadPrompt() {
	// What a language model answered.
	answer := "Here is your prompt:\n```json\n{\"subjects\": [{\"description\": \"a mug\"}], \"scene\": \"a kitchen\"}\n```"
	prompt, err := flux.ReadPrompt(answer)
	if err != nil {
		fmt.Println(err)
		return
	}
	prompt.Scene = "a garden"
	fmt.Println(prompt.Prompt())
	// Output: {"subjects":[{"description":"a mug"}],"scene":"a garden"}
}

func ExampleStructuredPrompt_Prose() {
	prompt := flux.StructuredPrompt{
		Scene:    "a sunlit kitchen",
		Subjects: []flux.PromptSubject{{Description: "a ceramic mug", Colors: []flux.Color{"#2ECC71"}}},
		Camera:   flux.PromptCamera{Lens: "85mm"},
	}
	fmt.Println(prompt.Prose())
	// Output: a sunlit kitchen. a ceramic mug, in color #2ECC71. Camera: 85mm lens.
}
