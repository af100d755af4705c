package falimage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/dataset"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

// TestReadmeIsCompiled makes sure that every Go block of the README stands in
// a file that is compiled: this one, or the example program.
func TestReadmeIsCompiled(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var compiled []string
	for _, name := range []string{"readme_test.go", "examples/mug/main.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		compiled = append(compiled, unindent(string(source)))
	}
	blocks := strings.Split(string(readme), "```go\n")[1:]
	if len(blocks) < 8 {
		t.Errorf("the README has %d Go blocks; the way they are found may be wrong", len(blocks))
	}
	for _, b := range blocks {
		code, _, _ := strings.Cut(b, "```")
		if !strings.Contains(strings.Join(compiled, "\n"), unindent(code)) {
			t.Errorf("this block of the README is not compiled:\n%s", code)
		}
	}
}

func unindent(code string) string {
	lines := strings.Split(code, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return strings.Join(lines, "\n")
}

// The functions below hold the README's blocks. They are compiled, not run.

func _(ctx context.Context, client *fal.Client) error {
	req := flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(1920, 1080)}
	quote, err := pricing.Estimate(req)
	if err != nil {
		return err
	}
	fmt.Println(quote) // $0.045 and why

	out, err := fal.Subscribe(ctx, client, req)
	if err != nil {
		return err
	}
	bill, err := pricing.Settle(quote, out.Meta)
	if err != nil {
		return err
	}
	fmt.Println(bill.Billed, "for request", out.RequestID)
	return nil
}

func _(ctx context.Context, client *fal.Client, req flux.Pro2) error {
	job, err := fal.Submit(ctx, client, req)
	if err != nil {
		return err
	}
	for status, err := range job.Updates(ctx) {
		if err != nil {
			return err
		}
		fmt.Println(status.State, status.QueuePosition)
	}
	out, err := job.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Println(out.Images[0].URL)
	return nil
}

func _(ctx context.Context, client *fal.Client, requestID string) (any, error) {
	job := fal.Resume(client, flux.Pro2{}.Endpoint(), requestID)
	out, err := job.Wait(ctx)

	return out, err
}

func _() any {
	req := flux.Pro2Edit{
		Prompt:    "@image1 on the table of @image2",
		ImageURLs: []fal.File{fal.Path("mug.png"), fal.URL("https://example.com/table.jpg")},
	}

	return req
}

func _(ctx context.Context, client *fal.Client, req flux.Pro2) any {
	out, err := fal.Subscribe(ctx, client, req)
	var invalid *fal.ValidationError
	var unknown *fal.SubmitUnknownError
	var failed *fal.Error
	switch {
	case errors.As(err, &invalid):
		// Refused here: every problem is named, nothing was sent.
	case errors.As(err, &unknown):
		// The answer was lost. It was not sent again: the job may be running.
	case errors.Is(err, fal.ErrRateLimited):
		// One of the errors that fal reports often.
	case errors.As(err, &failed):
		// What else fal reported: failed.Status, failed.Type, failed.Billing ...
	case fal.RequestID(err) != "":
		// Lost on the way after fal accepted the job: take it up with fal.Resume.
	}

	return out
}

func _(ctx context.Context, client *fal.Client) (any, error) {
	type caption struct {
		fal.Meta
		Output string `json:"output"`
	}
	out, err := fal.Subscribe(ctx, client, fal.Call[caption]{
		ID:    "fal-ai/some-model",
		Input: map[string]any{"image_url": fal.Path("mug.png")},
	})

	return out, err
}

func _() any {
	var refs flux.Refs
	mug := refs.Add(fal.Path("mug.png"))
	table := refs.Add(fal.Path("table.jpg"))
	prompt := flux.StructuredPrompt{
		Scene: "a sunlit kitchen",
		Subjects: []flux.PromptSubject{
			{Description: "the mug of " + mug, Position: "foreground", Colors: []flux.Color{"#2ECC71"}},
			{Description: "the table of " + table},
		},
		Camera: flux.PromptCamera{LensMM: 85, FNumber: "f/2.8"},
	}
	req := flux.Pro2Edit{Prompt: prompt.Prompt(), ImageURLs: refs.Files()}

	return req
}

func _(ctx context.Context, client *fal.Client) error {
	set := dataset.ReadImages(os.DirFS("photos"))
	archive, err := set.Pack(dataset.Options{Trainer: "fal-ai/flux-2-trainer"})
	if err != nil {
		return err // every missing caption and unreadable picture by name
	}
	trained, err := fal.Subscribe(ctx, client, flux.Dev2Trainer{ImageDataURL: archive})
	if err != nil {
		return err
	}
	out, err := fal.Subscribe(ctx, client, flux.Dev2LoRA{
		Prompt: "TOK on a beach",
		LoRAs:  []flux.LoRA{{Path: trained.LoRA.URL}},
	})

	_ = out
	return err
}

func TestMug(t *testing.T) {
	srv := faltest.NewServer(t)
	out, err := fal.Subscribe(t.Context(), srv.Client(), flux.Schnell{Prompt: "a mug"})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Images) != 1 {
		t.Errorf("got %d pictures", len(out.Images))
	}
}
