// Compare paints the same prompts with several models and puts the pictures
// side by side on one contact sheet, a web page and a PNG. By default it is the
// comparison of the article "FLUX vs. Qwen Image" with a model of today: four
// prompts for FLUX.2 [pro] and, in the place of Qwen Image 2.0 Pro, which is gone
// from fal's list, Qwen Image 3.
//
//	go run ./examples/compare
//	go run ./examples/compare -models flux.Pro2,flux.Max2,qwen.Image -prompt "a red fox in the snow"
//	go run ./examples/compare -plan
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/sheet"
	"github.com/falimage/falimage-go/router/studio"
)

// test is a prompt of the comparison.
type test struct{ title, prompt string }

// article are the prompts of the article of 2026-03-17.
var article = []test{
	{"Text rendering", "A vintage movie poster for a film called 'The Last Garden' starring Elena Voss, with tagline 'Some things grow back stronger' in serif typography, 1970s Saul Bass-inspired design"},
	{"Photorealism", "Close-up of a weathered leather journal on a wooden desk, fountain pen resting across the open pages, warm afternoon light from a nearby window casting long shadows, shallow depth of field, shot on 85mm lens"},
	{"Complex multi-element scene", "A busy Parisian café terrace at golden hour, four people at separate tables each engaged in different activities, reading, sketching, talking on phone, and eating a croissant, with a waiter carrying a tray of espressos in the middle ground and the Eiffel Tower visible in the distance"},
	{"Product photography", "A matte black ceramic coffee mug on a sunlit marble countertop, morning light streaming through linen curtains, a small succulent in the background slightly out of focus, editorial product photography style"},
}

func main() {
	models := flag.String("models", "flux.Pro2,qwen.Image3", "models, separated by commas")
	prompt := flag.String("prompt", "", "a prompt of your own instead of the article's four")
	size := flag.String("size", "", "size of the pictures, such as 1920x1080; default: 1024x1024")
	out := flag.String("out", "out", "folder for compare.html and compare.png")
	planOnly := flag.Bool("plan", false, "print what it costs and send nothing")
	var tests []test
	var tasks []router.Task
	demo.Program{
		Name: "compare",
		Plan: func() (string, error) {
			if tests = article; *prompt != "" {
				tests = []test{{"", *prompt}}
			}
			tasks = nil
			for _, t := range tests {
				// Without a size those of the models differ.
				tasks = append(tasks, router.Task{Prompt: t.prompt, Size: cmp.Or(fal.ImageSize(*size), fal.SquareHD)})
			}
			plan, err := quote(tasks, demo.List(*models))
			if err != nil {
				return "", err
			}
			if *planOnly || !demo.HasKey() {
				fmt.Printf("What it will cost:\n%v\n", plan)
			}
			if *planOnly {
				return "", nil
			}
			return plan.String(), nil
		},
		Run: func(ctx context.Context) error {
			if *planOnly {
				return nil
			}
			client, simulated, stop := demo.Client()
			defer stop()
			if simulated {
				fmt.Println(demo.Note)
			}
			return paint(ctx, os.Stdout, client, simulated, tests, tasks, demo.List(*models), *out)
		},
	}.Main()
}

// paint makes the pictures, reports what they cost and writes the sheet.
func paint(ctx context.Context, w io.Writer, client *fal.Client, simulated bool, tests []test, tasks []router.Task, models []string, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	comparisons, err := compare(ctx, client, tasks, models)
	if err != nil {
		return err
	}
	ctx, stop := demo.Unstopped(ctx) // what is made is paid, so it is saved
	defer stop()
	spent, failure := report(w, tests, comparisons)
	note := fmt.Sprintf("%d prompts, %s: %v in all, %s", len(tests), strings.Join(titles(comparisons), " and "), spent, time.Now().Format(time.DateOnly))
	if simulated {
		note += ". Simulated: no model painted these pictures, and nothing was charged."
	}
	s := &sheet.Sheet{Title: "The same prompt, side by side", Note: note}
	for i, c := range comparisons {
		section := c.Section(ctx, client)
		section.Title = tests[i].title
		s.Sections = append(s.Sections, section)
	}
	return errors.Join(failure, demo.SaveSheet(w, s, filepath.Join(out, "compare")))
}

// quote returns what all tasks cost by all models, before anything is sent.
func quote(tasks []router.Task, models []string) (plan.Plan, error) {
	var quotes []pricing.Quote
	for _, t := range tasks {
		candidates, err := studio.PlanComparison(t, models)
		if err != nil {
			return plan.Plan{}, err
		}
		for i := range candidates {
			quotes = append(quotes, candidates[i].Quote)
			if then := candidates[i].Then; then != nil {
				quotes = append(quotes, then.Quote)
			}
		}
	}
	return plan.Sum(quotes...)
}

// compare does all tasks at once.
func compare(ctx context.Context, client *fal.Client, tasks []router.Task, models []string) ([]*studio.Comparison, error) {
	out, failures := make([]*studio.Comparison, len(tasks)), make([]error, len(tasks))
	var wait sync.WaitGroup
	for i, t := range tasks {
		wait.Go(func() { out[i], failures[i] = studio.Compare(ctx, client, t, models) })
	}
	wait.Wait()
	return out, errors.Join(failures...)
}

// report prints what each picture cost and took, and returns what was spent at
// most. The error joins those of the pictures that are missing.
func report(w io.Writer, tests []test, comparisons []*studio.Comparison) (spent pricing.USD, failure error) {
	var billed pricing.USD
	for i, c := range comparisons {
		fmt.Fprintf(w, "\n%d  %s\n", i+1, cmp.Or(tests[i].title, tests[i].prompt))
		for j := range c.Models {
			m := &c.Models[j]
			if m.Err != nil {
				fmt.Fprintf(w, "   %-20s failed, at most %v was charged: %v\n", m.Candidate.Model.Title, m.Spent, m.Err)
				failure = errors.Join(failure, fmt.Errorf("%s: %w", m.Candidate.Model.Name, m.Err))
				continue
			}
			for _, a := range m.Attempts {
				fmt.Fprintf(w, "   %-20s billed %-8v %6.2f s  request %s\n", a.Model.Title, a.Billed, a.Elapsed.Seconds(), a.RequestID)
			}
		}
		var errBilled, errSpent error
		billed, errBilled = billed.Add(c.Billed)
		spent, errSpent = spent.Add(c.Spent)
		if err := errors.Join(errBilled, errSpent); err != nil {
			return spent, err
		}
	}
	fmt.Fprintf(w, "\nbilled in all: %v\n", billed)
	if spent != billed {
		fmt.Fprintf(w, "of some requests it is not known what was billed; with those it is %v at most\n", spent)
	}
	return spent, failure
}

// titles returns the names of the models.
func titles(comparisons []*studio.Comparison) []string {
	var out []string
	for i := range comparisons[0].Models {
		out = append(out, comparisons[0].Models[i].Candidate.Model.Title)
	}
	return out
}
