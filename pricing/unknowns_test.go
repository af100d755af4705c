package pricing_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// Each range says what is not known, and an exact quote nothing.
func TestUnknowns(t *testing.T) {
	t.Parallel()
	remote := []fal.File{fal.URL("https://x.example/a.png")}
	for name, tt := range map[string]struct {
		usage fal.Usage
		want  []string // the beginnings
	}{
		"exact":                    {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.SquareHD}, nil},
		"a remote input":           {fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.SquareHD, Inputs: remote}, []string{"the size of a picture that is sent"}},
		"as large as that":         {fal.Usage{Endpoint: "fal-ai/qwen-image-edit-2511", Outputs: 1, MatchInput: 1, Inputs: remote}, []string{"the size of a picture that is sent"}},
		"one whose size is told":   {fal.Usage{Endpoint: "fal-ai/qwen-image-edit-2511", Outputs: 1, MatchInput: 1, Inputs: []fal.File{remote[0].Sized(1024, 1024)}}, nil},
		"usually as large as that": {fal.Usage{Endpoint: "fal-ai/qwen-image-edit-2511", Outputs: 1, MatchInput: 1, MatchAssumed: true, Inputs: []fal.File{remote[0].Sized(2048, 2048)}}, []string{"the size of the picture, which the model"}},
		"the model chooses":        {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, MaxPixels: 4 << 20}, []string{"the size of the picture, which the model"}},
		"the input that is not":    {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, MaxPixels: 4 << 20, MatchInput: 1}, []string{"the size of the picture, which the model"}},
		"scaled down":              {fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.Size(2048, 2048), MaxPixels: 1 << 20}, []string{"whether the size that was asked for"}},
		"LoRAs":                    {fal.Usage{Endpoint: "fal-ai/flux-2/lora", Outputs: 1, Size: fal.SquareHD, LoRAs: 1}, []string{"the size of the LoRA"}},
		"LoRAs of a known size":    {fal.Usage{Endpoint: "fal-ai/flux-2/lora", Outputs: 1, Size: fal.SquareHD, LoRAs: 1, LoRABytes: 1e9}, nil},
		"steps":                    {fal.Usage{Endpoint: "fal-ai/flux-lora-fast-training", Outputs: 1}, []string{"the number of steps"}},
		"the least of steps":       {fal.Usage{Endpoint: "fal-ai/qwen-image-edit-2511-trainer", Outputs: 1, Steps: 100}, []string{"the least number of steps"}},
		"references":               {fal.Usage{Endpoint: "fal-ai/flux-2-klein-4b-base-trainer/edit", Outputs: 1, Steps: 1000}, []string{"the number of reference"}},
		"the price":                {fal.Usage{Endpoint: "fal-ai/flux-2/klein/4b", Outputs: 1, Size: fal.SquareHD}, []string{"the price itself"}},
		"two at once":              {fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Inputs: remote}, []string{"the size of a picture that is sent", "the size of the picture, which the model"}},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil {
			t.Fatal(name, err)
		}
		got := q.Unknowns()
		for i := range min(len(got), len(tt.want)) {
			if strings.HasPrefix(got[i], tt.want[i]) {
				got[i] = tt.want[i]
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
