package falimage_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
	"github.com/falimage/falimage-go/fal/dataset"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/faltest/record"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/fal/proxy"
	"github.com/falimage/falimage-go/fal/realtime"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/qwen"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/sheet"
	"github.com/falimage/falimage-go/router/studio"
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
	for _, name := range []string{"readme_test.go", "fal/falotel/readme_test.go", "fal/batch/riverbatch/readme_test.go", "examples/mug/main.go"} {
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

// TestReadmeCounts holds the numbers of the README against the packages.
func TestReadmeCounts(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	models := slices.Concat(flux.Models(), qwen.Models())
	aliases, types := 0, map[string]bool{}
	for _, m := range models {
		aliases += len(m.Aliases)
		types[m.Package+"."+m.Name] = true
	}
	for _, want := range []string{
		fmt.Sprintf("All %d FLUX and Qwen Image ids are reached by %d documented", len(models)+aliases, len(types)),
		fmt.Sprintf("types: %d endpoints", len(models)),
		fmt.Sprintf("%d second names", aliases),
	} {
		if !strings.Contains(strings.Join(strings.Fields(string(readme)), " "), want) {
			t.Errorf("the README does not say %q", want)
		}
	}
}

// TestNothingGoneIsShown keeps models that fal has withdrawn or left out of its
// list out of the README and the examples.
func TestNothingGoneIsShown(t *testing.T) {
	t.Parallel()
	shown := []string{"README.md", "doc.go", "flux/doc.go", "qwen/doc.go"}
	err := filepath.WalkDir("examples", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && d.Name() == "drift" { // what is gone is its subject
			return filepath.SkipDir
		}
		if err == nil && !d.IsDir() && (filepath.Ext(path) == ".go" || filepath.Ext(path) == ".md") {
			shown = append(shown, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		if m.Status.State != schema.Live {
			gone = append(gone, regexp.QuoteMeta(m.Package+"."+m.Name), regexp.QuoteMeta(`"`+m.Endpoint+`"`))
		}
	}
	found := regexp.MustCompile(`(` + strings.Join(gone, "|") + `)([^A-Za-z0-9]|$)`)
	for _, path := range shown {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if name := found.Find(text); name != nil {
			t.Errorf("%s shows %s, which is gone from fal's list", path, name)
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

func _(ctx context.Context, req flux.Pro2) (*fal.Images, error) {
	client := &fal.Client{FixSeeds: true}
	job, err := fal.Submit(ctx, client, req)
	if err != nil {
		job, err = platform.Adopt(ctx, platform.Reconciler{Client: client}, req.Endpoint(), err)
	}
	switch {
	case err == nil:
		return job.Wait(ctx) // the job that was accepted, or found
	case fal.NotSent(err):
		// Refused here, or proved absent: it may be sent again.
	}
	return nil, err // fal's refusal, or still unknown, and why
}

func _(ctx context.Context, req flux.Pro2) error {
	recorder := &record.Recorder{}
	client := &fal.Client{HTTPClient: &http.Client{Transport: recorder}}
	if _, err := fal.Subscribe(ctx, client, req); err != nil {
		return err
	}
	err := recorder.Tape().WriteFile("testdata/mug.tape") // and then record.ReadFile, tape.Client(t)
	return err
}

func _(keyFromVault string) any {
	client := &fal.Client{Key: fal.NewKey(keyFromVault)}

	return client
}

func _(ctx context.Context, client *fal.Client) error {
	var last *fal.Images
	for out, err := range fal.Stream(ctx, client, flux.DevLoRA{Prompt: "a mug"}) {
		if err != nil {
			return err
		}
		last = out // the last one is the final one
	}

	_ = last
	return nil
}

func _(ctx context.Context, client *fal.Client, out *fal.Images) error {
	for i, picture := range out.Images {
		if out.Flagged(i) {
			continue // black: ask for another, or say so
		}
		if err := client.Save(ctx, picture, fmt.Sprint("mug", i, picture.Extension())); err != nil {
			return err
		}
	}

	return nil
}

func _(ctx context.Context, client *fal.Client, out *fal.Images) error {
	files, err := client.SaveAll(ctx, out, "out/{id}{-n}{ext}")
	if err != nil {
		return err
	}
	digest, err := files[0].SHA256() // of out/019a3c5e.jpg, files[0].Path()
	_ = digest
	return err
}

func _(ctx context.Context, client *fal.Client, camera chan []byte, show func([]byte)) error {
	session, err := realtime.Open(ctx, client, flux.KleinRealtime{}.Endpoint(), realtime.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	go func() {
		for picture := range camera {
			_ = session.Send(ctx, flux.KleinRealtime{Prompt: "oil painting", ImageURL: fal.Bytes(picture)})
		}
	}()
	for out, err := range session.Results(ctx) {
		if err != nil {
			return err
		}
		show(out.Images[0].Content)
	}

	return nil
}

func _(ctx context.Context, client *fal.Client) (any, error) {
	file := fal.Path("training.zip").Progress(func(sent, total int64) {
		fmt.Printf("\r%d of %d bytes", sent, total)
	})
	remote, err := client.Upload(ctx, file)

	return remote, err
}

func _(req flux.Pro2, out *fal.Images, bill pricing.Settlement) error {
	rec, err := provenance.Of(req, out.Meta, out.Seed)
	if err != nil {
		return err
	}
	rec.Cost = bill.Billed.String()
	if err := provenance.MarkFile("mug.png", rec); err != nil {
		return err
	}

	// A year later, from the file alone:
	rec, err = provenance.ReadFile("mug.png")
	if err != nil {
		return err
	}
	again, err := provenance.Reproduce[fal.Images](rec, nil, flux.Decode, qwen.Decode)

	_ = again
	return err
}

func _(ctx context.Context, req flux.Pro2) error {
	ledger, err := spend.OpenLedger("spending.jsonl")
	if err != nil {
		return err
	}
	client := &fal.Client{Guard: &spend.Budget{
		Limits: []spend.Limit{{Amount: 20 * pricing.Dollar}, {Tag: spend.Tag{Name: "tenant", Value: "acme"}, Amount: 5 * pricing.Dollar}},
		Ledger: ledger,
	}}
	out, err := fal.Subscribe(ctx, client, req, fal.WithTags(map[string]string{"tenant": "acme"}))

	_ = out
	return err
}

func _(ctx context.Context, client *fal.Client) error {
	routing, err := router.Route(router.Task{
		Prompt:           "a poster for a jazz night, headline 'BLUE HOUR'",
		Aspect:           "3:4",
		MaxPricePerImage: 4 * pricing.Cent,
	})
	if err != nil {
		return err // names the needs that conflict, and what the nearest choice costs
	}
	best := routing.Best()
	fmt.Println(best.Model, best.Expected) // Qwen Image 3 (qwen.Image3) $0.04
	for _, reason := range best.Reasons() {
		fmt.Println(reason.Points, reason.Text, reason.Source)
	}
	advice, why := routing.Article() // Qwen Image 2512, and why it is another
	out, err := fal.Subscribe(ctx, client, best.Request)

	_, _, _ = out, advice, why
	return err
}

func _(ctx context.Context, client *fal.Client, sharpness func(context.Context, studio.Variant) (float64, error), file io.Writer) error {
	task := router.Task{Prompt: "a matte black mug on marble, product photography", MaxPrice: 2 * pricing.Dollar}

	// The best model, and the next one if it is down; never after a lost answer.
	outcome, err := studio.Do(ctx, client, task)
	if err != nil {
		return err
	}
	fmt.Println(len(outcome.Images()), outcome.Billed)

	// Seven drafts at $0.003, the best three again at $0.03.
	drafted, err := studio.Draft(ctx, client, task, studio.Drafts{Count: 7, Finals: 3}, studio.ByScore(3, sharpness))
	if err != nil {
		return err
	}

	// The same task on several models at once, into a page to look at.
	compared, err := studio.Compare(ctx, client, task, []string{"flux.Pro2", "qwen.Image3"})
	if err != nil {
		return err
	}
	page := sheet.Sheet{Title: "Mugs", Sections: append(drafted.Sections(ctx, client), compared.Section(ctx, client))}
	err = page.WriteHTML(file)

	return err
}

func _(ctx context.Context, client *fal.Client, task router.Task) error {
	page, err := studio.Serve(ctx, client)
	if err != nil {
		return err
	}
	defer page.Close()
	fmt.Println("pick at", page.URL())
	drafted, err := studio.Draft(ctx, client, task, studio.Drafts{Count: 8, Finals: 2, Made: page.Show}, page.Pick)

	_ = drafted
	return err
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

func _(ctx context.Context, client *fal.Client, req flux.Pro2) (any, error) {
	http.Handle("POST /fal", &webhook.Handler{
		Handle: func(ctx context.Context, e *webhook.Event) error {
			out, err := webhook.Into(ctx, e, fal.Resume(client, flux.Pro2{}.Endpoint(), e.RequestID))
			if err != nil {
				return err // fal calls again
			}
			return client.Save(ctx, out.Images[0], e.RequestID+".jpg")
		},
	})
	job, err := fal.Submit(ctx, client, req, fal.WithWebhook("https://example.com/fal?order=17"))
	return job, err
}

func _(sessionUser func(*http.Request) (string, error)) {
	http.Handle("/api/fal/proxy", &proxy.Handler{
		Client:    &fal.Client{Guard: &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar, Tag: spend.Tag{Name: "user"}}}}},
		Endpoints: []string{"fal-ai/flux/schnell"},
		Decode:    flux.Decode, // what is checked and priced is what is sent
		User:      sessionUser, // who calls; an error refuses
	})
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

func _(ctx context.Context, client *fal.Client, req flux.Pro2) (any, error) {
	out, err := fal.Subscribe(ctx, client, req)
	switch {
	case err == nil:
		return out, nil
	case fal.NotSent(err):
		// Nothing has reached fal: mend the request, or try again.
	case fal.RequestID(err) != "":
		// Fal knows the job: take it up again by its id, with fal.Resume.
	}
	fmt.Println(fal.Charged(err)) // billed, not billed, or unknown

	return nil, err
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
	training := flux.Dev2Trainer{DefaultCaption: "a photo of TOK"}
	archive, err := set.Pack(training, dataset.Options{})
	if err != nil {
		return err // every missing caption and unreadable picture by name
	}
	training.ImageDataURL = archive
	trained, err := fal.Subscribe(ctx, client, training)
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

func _(ctx context.Context, client *fal.Client, names []string) error {
	j, err := journal.Open("catalogue.batch")
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	run := &batch.Runner{
		Client: client, Journal: j, Concurrency: 16, Dir: "out", // the client's Guard is the budget
		Reconcile: platform.Reconciler{Client: client}.Find, // for answers that are lost
	}
	items := func(yield func(batch.Item[fal.Images]) bool) {
		for _, name := range names { // FLUX and Qwen in one batch, as many as there are
			if !yield(batch.Item[fal.Images]{Key: name, Request: flux.Pro2{Prompt: name + " on marble"}}) {
				return
			}
		}
	}
	for r, err := range batch.Run(ctx, run, items) {
		if err != nil {
			log.Println(r.Key, err) // of this item; the others go on
			continue
		}
		fmt.Println(r.Key, r.Files[0].Name, r.RequestID, r.Units)
	}

	return nil
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
