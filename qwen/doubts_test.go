package qwen_test

import (
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/qwen"
)

// What has no effect, or is likely to fail, is doubted and sent.
func TestDoubts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		req  interface {
			Usage() fal.Usage
			Validate() error
		}
		want string // the field, "" for no doubt
	}{
		{"plain", qwen.Image21{Prompt: "a mug"}, ""},
		{"transparent png", qwen.Image21{Prompt: "a mug, transparent background"}, ""},
		{"transparent jpeg", qwen.Image21{Prompt: "a mug, Transparent background", OutputFormat: fal.JPEG}, "output_format"},
		{"opaque jpeg", qwen.Image21{Prompt: "a mug", OutputFormat: fal.JPEG}, ""},
		{"negative prompt at the default guidance", qwen.Image21{Prompt: "a mug", NegativePrompt: "people"}, "negative_prompt"},
		{"negative prompt at a guidance of 1", qwen.Image21{Prompt: "a mug", NegativePrompt: "people", GuidanceScale: new(1.0)}, "negative_prompt"},
		{"negative prompt above", qwen.Image21{Prompt: "a mug", NegativePrompt: "people", GuidanceScale: new(1.1)}, ""},
		{"steps that an older schema refused", qwen.Image2512Trainer{ImageDataURL: fal.URL("https://example.com/a.zip"), Steps: 150}, "steps"},
		{"steps that both take", qwen.Image2512Trainer{ImageDataURL: fal.URL("https://example.com/a.zip"), Steps: 200}, ""},
		{"at risk", qwen.Max{Prompt: "a mug"}, "endpoint"},
		{"delisted", qwen.Image2{Prompt: "a mug"}, "endpoint"},
	} {
		if err := tt.req.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		got := ""
		if d := tt.req.Usage().Doubts; len(d) > 0 {
			got = d[0].Field
		}
		if got != tt.want {
			t.Errorf("%s: doubts %v, want one of %q", tt.name, tt.req.Usage().Doubts, tt.want)
		}
	}
}
