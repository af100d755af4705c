// Quickstart makes one picture with FLUX.2 [pro] and one with Qwen Image, side
// by side: it quotes, submits, follows, saves and bills them.
//
// Without an API key it talks to a local fal inside the program and says so.
// With FAL_KEY set it does the same for real, for about five cents.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

func main() {
	prompt := flag.String("prompt", "a ceramic coffee mug on a marble countertop, morning light, a sign reading 'OPEN'", "what the pictures show")
	out := flag.String("out", "out", "folder for the pictures")
	asJSON := flag.Bool("json", false, "print one JSON object a line instead")
	var jobs []*job
	demo.Program{
		Name: "quickstart",
		Plan: func() (cost string, err error) {
			jobs, cost, err = prepare(*prompt)
			return cost, err
		},
		Run: func(ctx context.Context) error { return run(ctx, jobs, *out, *asJSON) },
	}.Main()
}

// prepare returns the requests and tells what they cost.
func prepare(prompt string) ([]*job, string, error) {
	jobs := []*job{
		{Model: "flux.Pro2", request: flux.Pro2{Prompt: prompt, ImageSize: fal.Size(1920, 1080)}},
		{Model: "qwen.Image", request: qwen.Image{Prompt: prompt, ImageSize: fal.SquareHD, Acceleration: qwen.AccelerationRegular}},
	}
	var quotes []pricing.Quote
	for _, j := range jobs {
		q, err := pricing.Estimate(j.request)
		if err != nil {
			return nil, "", err
		}
		quotes = append(quotes, q)
	}
	cost, err := demo.Cost(quotes...)
	return jobs, cost, err
}

func run(ctx context.Context, jobs []*job, out string, asJSON bool) error {
	client, simulated, stop := demo.Client()
	defer stop()
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	show := newDisplay(os.Stdout, jobs, asJSON)
	if simulated {
		show.note(demo.Note)
	}
	var wait sync.WaitGroup
	for _, j := range jobs {
		wait.Go(func() {
			j.Simulated = simulated
			if notes := demo.Notes("quickstart", out, simulated); notes != "" {
				j.note = notes + "-" + j.Model + ".json"
			}
			j.err = j.do(ctx, client, out, show)
			show.update(j, "")
		})
	}
	wait.Wait()
	failure := errors.Join(jobs[0].err, jobs[1].err)
	if failure == nil { // until then the next run takes up what is paid
		failure = errors.Join(demo.Forget(jobs[0].note), demo.Forget(jobs[1].note))
	}
	return errors.Join(show.finish(), failure)
}

// job is one picture on its way, and what -json prints of it.
type job struct {
	Model     string      `json:"model"`
	Endpoint  string      `json:"endpoint"`
	Quote     pricing.USD `json:"quote_usd"`
	Billed    pricing.USD `json:"billed_usd"`
	RequestID string      `json:"request_id"`
	Width     int         `json:"width"`
	Height    int         `json:"height"`
	Path      string      `json:"path"`
	Simulated bool        `json:"simulated"`

	request fal.Request[fal.Images]
	note    string             // file that tells of the request
	notes   []pricing.Mismatch // pictures of another size than quoted
	err     error
}

// do takes the picture from quote to file.
func (j *job) do(ctx context.Context, client *fal.Client, out string, show *display) error {
	j.Endpoint = string(j.request.Endpoint())
	quote, err := pricing.Estimate(j.request)
	if err != nil {
		return err
	}
	j.Quote = quote.Expected
	show.update(j, "quoted "+quote.Expected.String())

	result, err := demo.Once(ctx, client, j.note, j.request, fal.WithUpdates(func(s fal.Status) {
		show.update(j, describe(s))
	}))
	if err != nil {
		return err
	}
	j.RequestID = result.RequestID
	// Where it is not known what was billed, the most is told: no reason to lose
	// the picture.
	j.Billed = quote.Max
	if bill, err := pricing.Settle(quote, result.Meta); err == nil {
		j.Billed = bill.Billed
	}
	if len(result.Images) == 0 {
		return fmt.Errorf("%s: the result has no picture", j.Endpoint)
	}
	j.notes = pricing.Mismatches(quote, result.Images)
	image := result.Images[0]
	j.Width, j.Height = image.Width, image.Height
	j.Path = filepath.Join(out, filepath.Base(j.Model)+"-"+cmp.Or(j.RequestID, "picture")+image.Extension())
	ctx, stop := demo.Unstopped(ctx) // it is paid
	defer stop()
	return client.Save(ctx, image, j.Path)
}

func describe(s fal.Status) string {
	switch s.State {
	case fal.InQueue:
		return fmt.Sprintf("in the queue, %d ahead", s.QueuePosition)
	case fal.InProgress:
		return "running"
	case fal.Completed:
		return "completed"
	}
	return string(s.State)
}
