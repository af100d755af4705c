// Draftfinal makes many cheap drafts, picks some of them and makes those again
// with a better model: the article's split of 70 % drafts and 30 % finals.
//
//	go run ./examples/draftfinal
//	go run ./examples/draftfinal -drafts 4 -finals 1 -prompt "a red fox in the snow" -pick contrast
//	go run ./examples/draftfinal -seed 42 -pick 0,3,5
//	go run ./examples/draftfinal -strength 0.5 -final-models flux.DevImageToImage
//	go run ./examples/draftfinal -plan -drafts 7000 -finals 3000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/sheet"
	"github.com/falimage/falimage-go/router/studio"
)

func main() {
	var task router.Task
	var drafts studio.Drafts
	flag.StringVar(&task.Prompt, "prompt", "A matte black ceramic coffee mug on a sunlit marble countertop, morning light streaming through linen curtains, editorial product photography style", "what the pictures show")
	size := flag.String("size", string(fal.SquareHD), "size of the pictures, such as 1920x1080")
	flag.IntVar(&drafts.Count, "drafts", 7, "number of drafts")
	flag.IntVar(&drafts.Finals, "finals", 3, "number of finals")
	draftModels := flag.String("draft-models", "", "models that may make the drafts, such as flux.Schnell; default: what is best for drafts")
	finalModels := flag.String("final-models", "", "models that may make the finals; default: what is best for the prompt")
	flag.BoolVar(&drafts.FromDraft, "from-draft", false, "have each final made from its draft, by a model that edits pictures; else a final of another model is another picture")
	strength := flag.Float64("strength", 0, "have each final made from its draft, by a model that reworks pictures: 0.01 keeps nearly all of it, 1 nearly nothing")
	seed := flag.Uint64("seed", 0, "seed of the first draft, so that another run makes the same drafts; default: a random one")
	flag.TextVar(&task.MaxPrice, "max", pricing.USD(0), "most that all of it may cost, such as $0.50")
	by := flag.String("pick", "sharpness", "which drafts are made again: sharpness, contrast, first, random, or their numbers such as 0,3,5")
	planOnly := flag.Bool("plan", false, "print what it costs and send nothing")
	out := flag.String("out", "out", "folder for the finals, drafts.html and drafts.png")
	demo.Program{
		Name: "draftfinal",
		Plan: func() (string, error) {
			task.Size = fal.ImageSize(*size)
			task.Only, drafts.Models = demo.List(*finalModels), demo.List(*draftModels)
			flag.Visit(func(f *flag.Flag) {
				switch f.Name {
				case "seed":
					task.Seed = seed
				case "strength":
					drafts.Strength = strength
				}
			})
			return check(os.Stdout, task, drafts, *by, *planOnly)
		},
		Run: func(ctx context.Context) error {
			if *planOnly {
				return nil
			}
			return run(ctx, os.Stdout, task, drafts, *by, *out)
		},
	}.Main()
}

// check checks the flags and tells what it costs, or only shows it.
func check(w io.Writer, t router.Task, d studio.Drafts, by string, planOnly bool) (string, error) {
	switch {
	case d.Count < 1 || d.Finals < 1:
		return "", fmt.Errorf("-drafts %d -finals %d: both must be at least 1", d.Count, d.Finals)
	case t.MaxPrice < 0:
		return "", fmt.Errorf("-max %v: must not be negative", t.MaxPrice)
	case planOnly:
		return "", showPlan(w, t, d)
	}
	if _, err := picker(nil, w, by, d); err != nil {
		return "", err
	}
	p, err := studio.PlanDrafts(t, d)
	if err != nil {
		return "", err
	}
	return p.Cost.String(), nil
}

// showPlan prints what drafts and finals cost.
func showPlan(w io.Writer, t router.Task, d studio.Drafts) error {
	p, err := studio.PlanDrafts(t, d)
	if err != nil {
		return err
	}
	return show(w, p)
}

// show prints a plan, and what as many pictures cost without drafts.
func show(w io.Writer, p *studio.DraftPlan) error {
	fmt.Fprintf(w, "What it will cost:\n%v", p.Cost)
	all, err := plan.New(p.Cost.Images, plan.Part{Quote: p.Final.Quote})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%d pictures by %s alone would cost %v.\n\n", all.Images, p.Final.Model.Title, all.Expected)
	return err
}

// run does it with a real fal or a simulated one.
func run(ctx context.Context, w io.Writer, t router.Task, d studio.Drafts, by, out string) error {
	client, simulated, stop := demo.Client()
	defer stop()
	if simulated {
		fmt.Fprintln(w, demo.Note)
	}
	return paint(ctx, w, client, simulated, t, d, by, out)
}

// paint makes drafts and finals, saves the finals and writes the contact sheet.
func paint(ctx context.Context, w io.Writer, client *fal.Client, simulated bool, t router.Task, d studio.Drafts, by, out string) error {
	pick, err := picker(client, w, by, d)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	// Whoever must ask a person first does it here.
	d.Approve = func(p *studio.DraftPlan) error { return show(w, p) }
	made, failure := studio.Draft(ctx, client, t, d, pick)
	if made == nil {
		return failure // nothing was sent
	}
	ctx, stop := demo.Unstopped(ctx) // what is made is paid, so it is saved
	defer stop()
	for i, o := range made.Finals {
		for _, image := range o.Images() {
			path := filepath.Join(out, fmt.Sprintf("final-%d%s", made.Picked[i].Index, image.Extension()))
			if err := client.Save(ctx, image, path); err != nil {
				failure = errors.Join(failure, err)
				continue
			}
			fmt.Fprintf(w, "final of draft %d: %s\n", made.Picked[i].Index, path)
		}
	}
	fmt.Fprintf(w, "billed: %v for %d drafts and %d finals\n", made.Billed, len(made.Variants), len(made.Finals))
	if made.Spent != made.Billed {
		fmt.Fprintf(w, "of some requests it is not known what was billed; with those it is %v at most\n", made.Spent)
	}
	note := fmt.Sprintf("%d drafts, %d finals: %v in all", len(made.Variants), len(made.Finals), made.Spent)
	if simulated {
		note += ". Simulated: no model painted these pictures, and nothing was charged."
	}
	s := &sheet.Sheet{Title: "Drafts and finals", Note: note, Sections: made.Sections(ctx, client), Command: again(t, d, made)}
	return errors.Join(failure, demo.SaveSheet(w, s, filepath.Join(out, "drafts")))
}

// again returns how a command line begins that makes the same drafts and takes
// the numbers of others to be made again.
func again(t router.Task, d studio.Drafts, made *studio.Drafted) string {
	words := []string{"go run ./examples/draftfinal -drafts", strconv.Itoa(d.Count), "-finals", strconv.Itoa(d.Finals), "-size", string(t.Size)}
	if len(made.Variants) > 0 {
		v := made.Variants[0]
		words = append(words, "-seed", strconv.FormatUint(*v.Seed-uint64(v.Index), 10)) //nolint:gosec // it is its number
	}
	if len(d.Models) > 0 {
		words = append(words, "-draft-models", word(strings.Join(d.Models, ",")))
	}
	if len(t.Only) > 0 {
		words = append(words, "-final-models", word(strings.Join(t.Only, ",")))
	}
	return strings.Join(append(words, "-prompt", word(t.Prompt), "-pick"), " ")
}

// word makes a text one word of a command line.
func word(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
