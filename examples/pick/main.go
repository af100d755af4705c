// Pick makes cheap drafts, opens a page on this machine to pick among them with
// one's eyes, and makes finals of those, while the page shows how they go on.
//
//	go run ./examples/pick
//	go run ./examples/pick -open -drafts 12 -finals 2 -prompt "a red fox in the snow"
//	go run ./examples/pick -auto
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/sheet"
	"github.com/falimage/falimage-go/router/studio"
)

// settings are what the flags say.
type settings struct {
	task       router.Task
	drafts     studio.Drafts
	auto, open bool
	out        string
}

func main() {
	var s settings
	flag.StringVar(&s.task.Prompt, "prompt", "A matte black ceramic coffee mug on a sunlit marble countertop, morning light streaming through linen curtains, editorial product photography style", "what the pictures show")
	size := flag.String("size", string(fal.SquareHD), "size of the pictures, such as 1920x1080")
	flag.IntVar(&s.drafts.Count, "drafts", 7, "number of drafts")
	flag.IntVar(&s.drafts.Finals, "finals", 3, "most that can be picked")
	flag.TextVar(&s.task.MaxPrice, "max", pricing.USD(0), "most that all of it may cost, such as $0.50")
	flag.BoolVar(&s.open, "open", false, "open the page in the browser")
	flag.BoolVar(&s.auto, "auto", false, "pick the first drafts through the page, as a person would, without one")
	flag.StringVar(&s.out, "out", "out", "folder for the finals and pick.html")
	demo.Program{
		Name: "pick",
		Plan: func() (string, error) {
			s.task.Size = fal.ImageSize(*size)
			if s.drafts.Count < 1 || s.drafts.Finals < 1 {
				return "", fmt.Errorf("-drafts %d -finals %d: both must be at least 1", s.drafts.Count, s.drafts.Finals)
			}
			plan, err := studio.PlanDrafts(s.task, s.drafts)
			if err != nil {
				return "", err
			}
			return plan.Cost.String(), nil
		},
		Run: func(ctx context.Context) error {
			client, simulated, stop := demo.Client()
			defer stop()
			if simulated {
				fmt.Println(demo.Note)
			}
			return run(ctx, os.Stdout, client, s)
		},
	}.Main()
}

// run makes drafts, waits for a person and makes finals.
func run(ctx context.Context, w io.Writer, client *fal.Client, s settings) error {
	page, err := studio.Serve(ctx, client)
	if err != nil {
		return err
	}
	defer page.Close()
	fmt.Fprintf(w, "pick at %s\n", page.URL())
	if s.open {
		if err := show(ctx, page.URL()); err != nil {
			fmt.Fprintf(w, "no browser was opened: %v\n", err)
		}
	}
	if s.auto {
		go func() {
			if err := pick(ctx, page.URL(), s.drafts.Finals); err != nil {
				fmt.Fprintln(os.Stderr, err)
				page.Close()
			}
		}()
	}
	s.drafts.Made = page.Show // each as it comes
	made, failure := studio.Draft(ctx, client, s.task, s.drafts, page.Pick)
	if made == nil {
		return failure // nothing was sent
	}
	ctx, stop := demo.Unstopped(ctx) // what is made is paid, so it is saved
	defer stop()
	return errors.Join(failure, save(ctx, w, client, made, s.out))
}

// save saves the finals, and what the page showed last.
func save(ctx context.Context, w io.Writer, client *fal.Client, made *studio.Drafted, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var failure error
	for i, o := range made.Finals {
		for _, image := range o.Images() {
			path := filepath.Join(out, fmt.Sprintf("pick-%d%s", made.Picked[i].Index, image.Extension()))
			if err := client.Save(ctx, image, path); err != nil {
				failure = errors.Join(failure, err)
				continue
			}
			fmt.Fprintf(w, "final of draft %d: %s\n", made.Picked[i].Index, path)
		}
	}
	fmt.Fprintf(w, "billed: %v for %d drafts and %d finals\n", made.Billed, len(made.Variants), len(made.Finals))
	path := filepath.Join(out, "pick.html")
	f, err := os.Create(path)
	if err != nil {
		return errors.Join(failure, err)
	}
	s := &sheet.Sheet{Title: "Drafts and finals", Note: fmt.Sprintf("%v in all", made.Spent), Sections: made.Sections(ctx, client)}
	if err := errors.Join(s.WriteHTML(f), f.Close()); err != nil {
		return errors.Join(failure, err)
	}
	fmt.Fprintf(w, "contact sheet: %s\n", path)
	return failure
}

// show opens an address in the browser of the person who is there.
func show(ctx context.Context, address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return exec.CommandContext(ctx, name, args...).Start()
}

// pick sends the form of the page with the first n drafts, once it is there.
func pick(ctx context.Context, address string, n int) error {
	form := url.Values{}
	for i := range n {
		form.Add("pick", strconv.Itoa(i))
	}
	for {
		body, err := ask(ctx, http.MethodGet, address, "")
		if err != nil {
			return err
		}
		if _, after, ok := strings.Cut(body, `name="seen" value="`); ok {
			seen, _, _ := strings.Cut(after, `"`)
			form.Set("seen", seen) // the page takes picks among what it shows now
			_, err := ask(ctx, http.MethodPost, address, form.Encode())
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ask asks for a page, or sends its form.
func ask(ctx context.Context, method, address, form string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the page answered %s: %s", resp.Status, body)
	}
	return string(body), err
}
