package router_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

func TestTrainers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		need  router.TrainingTask
		first string
	}{
		"cheapest":  {router.TrainingTask{}, "qwen.Image2512Trainer"},
		"ecosystem": {router.TrainingTask{Ecosystem: true}, "flux.FastTrainer"},
		"FLUX.2":    {router.TrainingTask{Only: []string{"FLUX.2"}}, "flux.Klein9BBaseTrainer"},
		"edit":      {router.TrainingTask{Lesson: router.LearnEdit, References: 1}, "flux.KontextTrainer"},
		"edit Qwen": {router.TrainingTask{Lesson: router.LearnEdit, Only: []string{"qwen"}}, "qwen.Edit2509Trainer"},
		"banned":    {router.TrainingTask{Not: []string{"qwen.Image2512Trainer", "flux.FastTrainer"}}, "flux.PortraitTrainer"},
	} {
		got, err := router.Trainers(tt.need)
		if err != nil || got[0].Model.Name != tt.first || len(got[0].Reasons) == 0 {
			t.Errorf("%s: %v, %v, want %s", name, got[0].Model, err, tt.first)
		}
		for i := 1; i < len(got); i++ {
			if len(got[i-1].Losses) > len(got[i].Losses) {
				t.Errorf("%s: %v, which may be retired, comes before %v", name, got[i-1].Model, got[i].Model)
			}
		}
	}
	// What is said of the cheapest is said of what it is true for alone.
	edits, err := router.Trainers(router.TrainingTask{Lesson: router.LearnEdit, Only: []string{"qwen"}})
	if err != nil || edits[0].Reasons[0].Rule != "qwen-lora-trainers" {
		t.Errorf("%+v, %v", edits, err)
	}
	// The prices that the article gives for 1,000 steps.
	all, err := router.Trainers(router.TrainingTask{})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, trainer := range all {
		switch trainer.Model.Name {
		case "qwen.ImageTrainer", "qwen.ImageTrainerV2":
			found++
			if trainer.Quote.Expected != 200*cent {
				t.Errorf("%v costs %v, want $2", trainer.Model, trainer.Quote.Expected)
			}
		case "flux.Klein4BBaseTrainer":
			found++
			if trainer.Quote.Expected != 500*cent {
				t.Errorf("%v costs %v, want $5", trainer.Model, trainer.Quote.Expected)
			}
		}
	}
	if found != 3 {
		t.Errorf("%d of 3 trainers found", found)
	}
	for _, tt := range []struct {
		need router.TrainingTask
		want []string // the fields that are named
	}{
		{router.TrainingTask{Lesson: "cooking", Steps: -1, References: 11, MaxPrice: -1}, []string{"lesson", "steps", "references", "max_price"}},
		{router.TrainingTask{Only: []string{"qwen", "sdxl"}, Not: []string{"x"}}, []string{"only[1]", "not[0]"}},
		{router.TrainingTask{MaxPrice: cent}, []string{"max_price"}},
		{router.TrainingTask{Lesson: router.LearnLayers}, []string{"lesson"}}, // no source tells what it costs
		{router.TrainingTask{Only: []string{"qwen"}, Not: []string{"qwen"}}, []string{"lesson"}},
	} {
		_, err := router.Trainers(tt.need)
		e, ok := errors.AsType[*router.TaskError](err)
		if !ok || !fal.NotSent(err) {
			t.Errorf("%+v: %T %v", tt.need, err, err)
			continue
		}
		var fields []string
		for _, p := range e.Problems {
			fields = append(fields, p.Field)
		}
		if diff := cmp.Diff(tt.want, fields); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.need, diff)
		}
	}
}

// Trainers are priced by the policy's table.
func TestTrainersOfAPolicy(t *testing.T) {
	t.Parallel()
	embedded, err := router.Trainers(router.TrainingTask{})
	if err != nil {
		t.Fatal(err)
	}
	p := router.DefaultPolicy()
	if p.Prices, err = pricing.Embedded().Discounted(50 * pricing.One); err != nil {
		t.Fatal(err)
	}
	half, err := mustRouter(t, p).Trainers(router.TrainingTask{})
	if err != nil || half[0].Quote.Expected*2 != embedded[0].Quote.Expected {
		t.Errorf("%v, %v of %v", err, half[0].Quote.Expected, embedded[0].Quote.Expected)
	}
}
