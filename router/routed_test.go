package router_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
	"github.com/falimage/falimage-go/router"
)

// corners are tasks with what the others do not have.
var corners = []router.Task{
	{Prompt: "x", Aspect: "16:9", MinPixels: 2 << 20},
	{Prompt: "x", Aspect: "21:9"},
	{Prompt: "x", Size: fal.Size(3000, 2000)},
	{Prompt: "x", Size: fal.Size(400, 300)},
	{Prompt: "x", Size: fal.Portrait16x9, Count: 3, Seed: fal.Seed(7)},
	{Prompt: "x", Count: 9, Seed: fal.Seed(1<<31 - 4)},
	{Prompt: "x", NegativePrompt: "y", Steps: 20, Guidance: new(3.0), Format: fal.PNG},
	{Prompt: "x", Format: fal.WebP},
	{Prompt: "x", Licence: router.Apache2},
	{Prompt: "x", Licence: router.OpenWeights, VerbatimPrompt: true},
	{Prompt: "x", Stage: router.StageDraft, Volume: 200},
	{Prompt: "x", Stage: router.StagePreview, Text: []string{"OPEN"}},
	{Prompt: "x", Prefer: router.Preference{Speed: 3, Quality: 1}},
	{Prompt: "x", Prefer: router.Preference{Price: 5}},
	{Prompt: "x", MaxPricePerImage: 2 * cent, Count: 2},
	{Prompt: "x", MaxPrice: cent / 10},
	{Prompt: "x", UnknownPrice: true, Require: []router.Feature{router.FeatureCurrent}},
	{Prompt: "x", Require: []router.Feature{router.FeatureSeed, router.FeatureSteps, router.FeatureNegative}},
	{Prompt: "x", Only: []string{"qwen"}, Not: []string{"Qwen Image 3"}},
	{Prompt: "x", Only: []string{"flux.Pro2"}, Format: fal.WebP},
	{Prompt: "x", LoRAs: []router.LoRA{{Path: "a/b", Base: "flux.Dev2"}, {Path: "c/d", Base: "flux.Dev2"}}},
	{Prompt: "x", LoRAs: []router.LoRA{{Path: "a/b", Base: "qwen.Image2512"}}},
	{Prompt: "a fox", MinPixels: 9 << 20},
	{Prompt: "a fox", MinPixels: 40 << 20},
	{Prompt: "sticker of a fox", Count: 2},
	{Prompt: "sticker of a fox", Not: []string{"Qwen Image 2.1"}, MaxPrice: 20 * cent},
	{Prompt: "a fox and an owl", Edit: router.EditLayers, Layers: 3},
	{Prompt: "a photo of a bar", Purpose: router.Poster, Text: []string{"BLUE", "HOUR"}},
	{Prompt: "a mug", Colors: []flux.Color{"#2ECC71 (emerald)"}, Transparent: true, Stage: router.StageDraft},
	{Structured: &flux.StructuredPrompt{Scene: "a kitchen", Subjects: []flux.PromptSubject{{Description: "a mug"}}}, Text: []string{"TEA"}},
	{Prompt: "الشتاء", Languages: []string{"ar"}, ManyElements: true},
	{Prompt: "a dashboard of sales", Deny: []string{"ui"}},
	{Prompt: "make it night", Pictures: pictures(1)},
	{Prompt: "make it night", Pictures: pictures(1), Strength: new(0.4), Size: fal.Size(800, 600)},
	{Prompt: "@image1 beside @image2", Pictures: pictures(2), Count: 2},
	{Prompt: "all on one shelf", Pictures: pictures(12)},
	{Prompt: "a bird", Pictures: pictures(1), Mask: mask, Edit: router.EditInpaint},
	{Pictures: pictures(1), Mask: mask, Edit: router.EditRemove},
	{Pictures: pictures(1), Edit: router.EditUpscale, Scale: 3},
	{Pictures: []router.Picture{{File: mask}}, Edit: router.EditUpscale},
	{Pictures: pictures(1), Edit: router.EditLayers},
	{Pictures: pictures(1), Edit: router.EditExtend, Aspect: "16:9"},
	{Pictures: pictures(1), Edit: router.EditExtend, Size: fal.Size(1024, 2048)},
	{Pictures: pictures(1), Edit: router.EditAngle, Angle: router.Angle{Direction: qwen.Right, Height: qwen.Elevated}},
	{Prompt: "x", Pictures: pictures(2), Edit: router.EditTryOn, UnknownPrice: true},
	{Prompt: "x", Pictures: pictures(1), Edit: router.EditBackground, MinPixels: 4 << 20},
	{Prompt: "turn the camera to the left", Pictures: pictures(1)},
	{Prompt: "remove the background", Pictures: pictures(1)},
	{Prompt: "extend it to the left to 3:2", Pictures: pictures(1)},
}

// TestRouted holds what becomes of a task as it is, until somebody means to change
// it: how it is understood, what the first candidate is and why, and in one sum all
// other candidates and refusals. Then go test -update shows the difference.
func TestRouted(t *testing.T) {
	t.Parallel()
	all := slices.Clone(corners)
	for _, tt := range tasks {
		all = append(all, tt.task)
	}
	for _, tt := range newTasks {
		all = append(all, tt.task)
	}
	var got bytes.Buffer
	for i, task := range all {
		fmt.Fprintf(&got, "%d %.60s\n", i, task.Prompt)
		r, err := router.Route(task)
		if err != nil {
			fmt.Fprintln(&got, " ", err)
			continue
		}
		for _, f := range r.Facts {
			fmt.Fprintf(&got, "  %s: %.80s\n", f.Name, f.Why)
		}
		got.WriteString(routed(t, r.Best()))
		margin, changes := r.Firmness()
		fmt.Fprintf(&got, "  by %d: %.300s\n", margin, strings.Join(changes, "; "))
		var rest bytes.Buffer
		for i := range r.Candidates[1:] {
			rest.WriteString(routed(t, &r.Candidates[i+1]))
		}
		for i := range r.Refused {
			fmt.Fprintln(&rest, &r.Refused[i])
		}
		fmt.Fprintf(&got, "  %d others, %d refused: %08x\n", len(r.Candidates)-1, len(r.Refused), crc32.ChecksumIEEE(rest.Bytes()))
	}
	golden(t, "testdata/routed.txt", got.Bytes())
}

// routed writes a candidate in full.
func routed(t *testing.T, c *router.Candidate) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "  %s %d, %v to %v to %v, unpriced %t\n", c.Model.Name, c.Score, c.Min, c.Expected, c.Max, c.Unpriced)
	i := 0
	for r, quote := range c.Requests() {
		if i++; i <= 2 || i == c.Calls {
			fmt.Fprintf(&b, "    %d %s %s for %v\n", i, endpoint(r), body(t, r), quote.Max)
		}
	}
	for _, r := range c.Reasons() {
		fmt.Fprintf(&b, "    %d %s: %s\n", r.Points, r.Rule, r.Text)
	}
	for _, l := range c.Losses {
		fmt.Fprintf(&b, "    -%d %s: %s\n", l.Points, l.Feature, l.Text)
	}
	if c.Then != nil {
		b.WriteString("    then" + routed(t, c.Then))
		_, then := c.Steps()
		fmt.Fprintf(&b, "    %+v\n", then(router.Picture{File: mask, Width: 1000, Height: 600}).Prompt)
	}
	return b.String()
}
