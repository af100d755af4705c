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
			"coffee mug, matte black ceramic, upright, steaming, in the foreground, in color #1A1A1A, in matte black and gold (color #FFD700), exact color match, high detail preservation, id mug, details thin rim. " +
			"a succulent, left of the mug. editorial. Color palette: color #2ECC71 and linen white. Colors: color #ABCDEF. Lighting: soft window light. Mood: calm. Background: polished concrete. Composition: rule of thirds. " +
			"Camera: high angle, close-up, macro lens, 85mm lens, f/5.6, ISO 200, focus on the handle, shallow depth of field, model X100. Effects: film grain, R&D <glow>. Aspect ratio: 16:9. Technical: z 1, a true."},
		{"ends", flux.StructuredPrompt{Scene: " A cup! ", Style: "水墨画。", Mood: "why?"}, "A cup! 水墨画。 Mood: why?"},
		{"no repetition", flux.StructuredPrompt{
			Subjects: []flux.PromptSubject{{Type: "mug", Description: "A black Mug"}},
			Camera:   flux.PromptCamera{Lens: "85mm lens", LensMM: 85, Focus: "sharp focus", DepthOfField: "great depth"},
		}, "A black Mug. Camera: 85mm lens, sharp focus, great depth."},
		{"three colours", flux.StructuredPrompt{Colors: []flux.Color{"red", "#00ff00", "blue"}}, "Colors: red, color #00ff00 and blue."},
		{"blank", flux.StructuredPrompt{Scene: " ", Subjects: []flux.PromptSubject{{}}, Effects: []string{""}, Extra: flux.PromptFields{{Key: "x", Value: ""}, {Key: "", Value: "y"}}}, "y."},
		{"Go values", flux.StructuredPrompt{Extra: flux.PromptFields{
			{Key: "list", Value: []string{"a", "#FF0000"}}, {Key: "map", Value: map[string]int{"k": 1}}, {Key: "on", Value: true},
			{Key: "n", Value: 1.5}, {Key: "c", Value: flux.Color("#00FF00")}, {Key: "bad", Value: math.NaN()}, {Key: "nil", Value: nil}, {Key: "élan", Value: "v"},
		}}, "List: a, color #FF0000. Map: k 1. On: true. N: 1.5. C: color #00FF00. Bad: NaN. Élan: v."},
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
	// Output: {"scene":"a harbour","mood":"tense","weather":"fog"}
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
