package pricing_test

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

// Worked examples of every rule, by hand.
func TestRules(t *testing.T) {
	t.Parallel()
	remote := fal.URL("https://x.example/a.png")
	large := fal.Path(picture(t, "large.png", 4000, 3000)) // 12 MP
	small := fal.Path(picture(t, "small.jpg", 800, 600))   // 1 MP
	for name, tt := range map[string]struct {
		usage               fal.Usage
		least, likely, most string
		lines               []string
	}{
		"tiered, references of 1 and 12 MP": {
			fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.Size(2048, 2048), Inputs: []fal.File{small, large}},
			"$0.15", "$0.15", "$0.15",
			[]string{
				"1 output x 4 MP: $0.03 + 3 x $0.015 = $0.075", "input 1 x 1 MP: $0.015",
				"input 2 x 4 MP: 4 x $0.015 = $0.06",
			},
		},
		"tiered, remote reference": {
			fal.Usage{Endpoint: "fal-ai/flux-2-max/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{remote}},
			"$0.10", "$0.19", "$0.19", []string{"1 output x 1 MP: $0.07", "input 1 x 1 to 4 MP: $0.03 to $0.12, expected $0.12"},
		},
		"tiered, the model chooses": {
			fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, MaxPixels: 4 << 20, Inputs: []fal.File{small}},
			"$0.045", "$0.045", "$0.09", []string{"1 output x 1 to 4 MP: $0.03 to $0.075, expected $0.03", "input 1 x 1 MP: $0.015"},
		},
		"inputs rounded up": {
			fal.Usage{Endpoint: "fal-ai/flux-2-flex/edit", Outputs: 1, Size: fal.Size(1920, 1080), Inputs: []fal.File{large}},
			"$0.30", "$0.30", "$0.30", []string{"1 output x 2 MP: 2 x $0.05 = $0.10", "input 1 x 4 MP: 4 x $0.05 = $0.20"},
		},
		"inputs count one each": {
			fal.Usage{Endpoint: "fal-ai/flux-2/edit", Outputs: 2, Size: fal.Size(1920, 1080), Inputs: []fal.File{large, remote, small}},
			"$0.084", "$0.084", "$0.084", []string{"2 outputs x 2 MP: 4 x $0.012 = $0.048", "3 inputs x 1 MP: 3 x $0.012 = $0.036"},
		},
		"as large as the input": {
			fal.Usage{Endpoint: "fal-ai/qwen-image-edit-2511", Outputs: 1, MatchInput: 2, Inputs: []fal.File{remote, large}},
			"$0.36", "$0.36", "$0.36", []string{"1 output x 12 MP: 12 x $0.03 = $0.36"},
		},
		"as large as a remote input": {
			fal.Usage{Endpoint: "fal-ai/qwen-image-edit-2511", Outputs: 1, MatchInput: 1, Inputs: []fal.File{remote}},
			"$0.03", "$0.12", "$5.73", []string{"1 output x 1 to 191 MP: $0.03 to $5.73, expected $0.12"},
		},
		"as large as the input, within limits": {
			fal.Usage{Endpoint: "fal-ai/qwen-image-edit-2511", Outputs: 1, MatchInput: 1, MinPixels: 1, MaxPixels: 4 << 20, Inputs: []fal.File{large}},
			"$0.12", "$0.12", "$0.12", nil,
		},
		"upscaled by 2.5": {
			fal.Usage{Endpoint: "fal-ai/flux-vision-upscaler", Outputs: 1, MatchInput: 1, Upscale: 2500, Inputs: []fal.File{small}}, // 2000x1500: 3 MP
			"$0.30", "$0.30", "$0.30", nil,
		},
		"inputs that count for no more than one": {
			fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.Size(1, 1), Inputs: []fal.File{small}},
			"$0.045", "$0.045", "$0.045", nil,
		},
		"per image": {
			fal.Usage{Endpoint: "fal-ai/flux-pro/kontext", Outputs: 3, Inputs: []fal.File{remote}},
			"$0.12", "$0.12", "$0.12", []string{"3 outputs: 3 x $0.04 = $0.12"},
		},
		"per request": {
			fal.Usage{Endpoint: "fal-ai/qwen-image-layered", Outputs: 10, Inputs: []fal.File{remote}},
			"$0.05", "$0.05", "$0.05", []string{"1 request: $0.05"},
		},
		"steps": {
			fal.Usage{Endpoint: "fal-ai/flux-2-klein-4b-base-trainer", Outputs: 1, Steps: 1000},
			"$5.00", "$5.00", "$5.00", []string{"1000 steps: 1000 x $0.005 = $5.00"},
		},
		"fewer steps than the minimum": {
			fal.Usage{Endpoint: "fal-ai/qwen-image-trainer", Outputs: 1, Steps: 100},
			"$0.50", "$0.50", "$0.50", []string{"250 steps: 250 x $0.002 = $0.50"},
		},
		"a minimum that nobody tells": {
			fal.Usage{Endpoint: "fal-ai/qwen-image-edit-2511-trainer", Outputs: 1, Steps: 100},
			"$0.40", "$0.40", "$4.00", []string{"100 to 1000 steps: $0.40 to $4.00, expected $0.40"},
		},
		"steps left to the endpoint": {
			fal.Usage{Endpoint: "fal-ai/flux-lora-fast-training", Outputs: 1},
			"$0.002", "$2.00", "$20.00", []string{"1 to 10000 steps: $0.002 to $20.00, expected $2.00"},
		},
		"references of an unknown number": { // 0.0046 x 2.11 and x 6.95
			fal.Usage{Endpoint: "fal-ai/flux-2-klein-4b-base-trainer/edit", Outputs: 1, Steps: 1000},
			"$9.706", "$9.706", "$31.97", []string{"1000 steps: $9.706 to $31.97, expected $9.706"},
		},
		"LoRA of unknown size": {
			fal.Usage{Endpoint: "fal-ai/flux-2/lora", Outputs: 1, Size: fal.SquareHD, LoRAs: 2},
			"$0.021", "$0.021", "$0.0525", []string{"1 output x 1 MP: $0.021", "2 x large LoRA weights: $0.00 to $0.0315, expected $0.00"},
		},
		"LoRA where it does not count": {
			fal.Usage{Endpoint: "fal-ai/flux-lora", Outputs: 1, Size: fal.SquareHD, LoRAs: 2}, "$0.035", "$0.035", "$0.035", nil,
		},
		"disputed price": {
			fal.Usage{Endpoint: "fal-ai/flux-2/klein/4b", Outputs: 1, Size: fal.SquareHD}, "$0.005", "$0.005", "$0.014", nil,
		},
		"price that one source alone disputes": {
			fal.Usage{Endpoint: "fal-ai/flux-pro/v1.1", Outputs: 1, Size: fal.SquareHD}, "$0.04", "$0.04", "$0.04", nil,
		},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := []string{q.Min.String(), q.Expected.String(), q.Max.String()}
		if diff := cmp.Diff([]string{tt.least, tt.likely, tt.most}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if q.Exact() != (tt.least == tt.most) {
			t.Errorf("%s: exact %t", name, q.Exact())
		}
		var lines []string
		for l := range q.Lines() {
			lines = append(lines, l.String())
		}
		if diff := cmp.Diff(tt.lines, lines); tt.lines != nil && diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestDisputedQuoteTellsBoth(t *testing.T) {
	t.Parallel()
	q := estimate(t, flux.Pro11{Prompt: "x", ImageSize: fal.SquareHD})
	if text := q.String(); !strings.Contains(text, " for fal-ai/flux-pro/v1.1\n") || !strings.Contains(text, "$0.055 (one third-party skill file)") || !strings.Contains(text, "$0.04") {
		t.Errorf("printed as\n%s", text)
	}
	if p := q.Price(); len(p.Alternates) != 1 || p.Alternates[0].Price != 55*pricing.Cent/10 || q.Confidence() != pricing.Medium {
		t.Errorf("%+v, confidence %s", p, q.Confidence())
	}
}

func TestEstimateRefuses(t *testing.T) {
	t.Parallel()
	missing := fal.Path("no-such-file.png")
	for name, u := range map[string]fal.Usage{
		"negative outputs": {Endpoint: "fal-ai/flux-2-pro", Outputs: -1, Size: fal.SquareHD},
		"no area":          {Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.Size(0, 10)},
		"overflow of area": {Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.Size(math.MaxInt, math.MaxInt)},
		"overflow of sum":  {Endpoint: "fal-ai/flux-2-pro", Outputs: math.MaxInt, Size: fal.Size(math.MaxInt32, 1<<20)},
		"missing file":     {Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{missing}},
		"overflow upscale": {Endpoint: "fal-ai/flux-vision-upscaler", Outputs: 1, MatchInput: 1, Upscale: math.MaxInt, Inputs: []fal.File{fal.Bytes(pngFile(t, 4000, 3000))}},
	} {
		q, err := pricing.EstimateUsage(u)
		if err == nil || q.Max != 0 || errors.Is(err, pricing.ErrUnknown) {
			t.Errorf("%s: %v, %v", name, q, err)
		}
		if name == "missing file" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A file that does not matter for the price is not opened.
	u := fal.Usage{Endpoint: "fal-ai/flux-2/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{missing}}
	if _, err := pricing.EstimateUsage(u); err != nil {
		t.Error(err)
	}
	// A picture of a format that is not known here may have any size.
	u = fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{fal.Bytes([]byte("....ftypavif"))}}
	if q, err := pricing.EstimateUsage(u); err != nil || q.Min != 45*pricing.Cent/10 || q.Max != 9*pricing.Cent {
		t.Errorf("%v, %v", q, err)
	}
}

// Estimate takes requests as values, pointers and interfaces.
func TestEstimateForms(t *testing.T) {
	t.Parallel()
	value := flux.Pro2{Prompt: "x", ImageSize: fal.Size(1920, 1080)}
	byValue, err1 := pricing.Estimate(value)
	byPointer, err2 := pricing.Estimate(&value)
	byInterface, err3 := pricing.Estimate(fal.Request[fal.Images](value))
	inInterface, err4 := pricing.Estimate(fal.Request[fal.Images](&value))
	elsewhere, err5 := pricing.Estimate(fal.At(value, "fal-ai/flux-2-max"))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	for _, q := range []pricing.Quote{byValue, byPointer, byInterface, inInterface} {
		if q.Expected != 45*pricing.Cent/10 {
			t.Errorf("%v, want $0.045", q.Expected)
		}
	}
	if elsewhere.Expected != 10*pricing.Cent {
		t.Errorf("at another endpoint %v, want $0.10", elsewhere.Expected)
	}
}

func TestEstimateAllocates(t *testing.T) {
	req := flux.Pro2{Prompt: strings.Repeat("x", 9), ImageSize: fal.Size(1920, 1080)}
	var failed error
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := pricing.Estimate(req); err != nil {
			failed = err
		}
	}); n > 1 {
		t.Errorf("%v allocations, want one: the request in an interface", n)
	}
	if failed != nil {
		t.Error(failed)
	}
}

func TestMismatches(t *testing.T) {
	t.Parallel()
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 3, Size: fal.Size(4096, 4096)})
	if err != nil {
		t.Fatal(err)
	}
	got := pricing.Mismatches(q, []fal.Image{{Width: 4096, Height: 4096}, {Width: 1536, Height: 1536}, {}})
	if len(got) != 1 || got[0].String() != "picture 1 is 1536x1536, not 4096x4096: worth $0.06, not $0.32" {
		t.Errorf("%v", got)
	}
	auto, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1})
	if err != nil || pricing.Mismatches(auto, []fal.Image{{Width: 1, Height: 1}}) != nil {
		t.Error("a size that was not asked for cannot mismatch", err)
	}
}
