package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

// catalogue makes pictures of products in a folder.
type catalogue struct {
	client *fal.Client
	folder string
	models [2][]string // that may make drafts and finals; none means all
	finals int         // number of products that get a final; -1 means all
}

// stages are the pictures of a product, in the order in which they are made.
var stages = []router.Stage{router.StageDraft, router.StageFinal}

// dir returns the folder of the pictures of a stage.
func (c *catalogue) dir(stage router.Stage) string { return filepath.Join(c.folder, string(stage)+"s") }

func (c *catalogue) ledger() string { return filepath.Join(c.folder, "ledger.jsonl") }

func (c *catalogue) path(stage router.Stage, sku string) string {
	return filepath.Join(c.dir(stage), sku+".jpg")
}

// exists reports whether a picture was made before.
func (c *catalogue) exists(stage router.Stage, sku string) bool {
	_, err := os.Stat(c.path(stage, sku))
	return err == nil
}

// todo returns the pictures that product number i lacks. A final needs no
// draft any more.
func (c *catalogue) todo(i int, p product) []router.Stage {
	wanted := stages
	if c.finals >= 0 && i >= c.finals {
		wanted = stages[:1]
	}
	last := len(wanted) - 1
	for _, stage := range wanted {
		if _, err := os.Stat(c.flagged(stage, p.sku)); err == nil {
			return nil
		}
	}
	switch {
	case c.exists(wanted[last], p.sku):
		return nil
	case c.exists(wanted[0], p.sku):
		return wanted[1:]
	}
	return wanted
}

// task returns what a picture of a product is to be. Drafts are smaller, which
// is faster. Draft and final have the same seed, which every run gives the
// product again.
func (c *catalogue) task(stage router.Stage, p product) router.Task {
	h := fnv.New32a()
	_, _ = io.WriteString(h, p.sku)
	seed := uint64(h.Sum32() >> 1)
	t := router.Task{
		Prompt:  "Product photo of one " + p.name + " (" + p.description + ") in the brand colour, on a seamless pale grey background, soft studio light",
		Colors:  []flux.Color{p.color},
		Purpose: router.Product, Stage: stage, Size: fal.Square, Format: fal.JPEG, Seed: &seed, Only: c.models[0],
	}
	if p.description == "" {
		t.Prompt = "Product photo of one " + p.name + " in the brand colour, on a seamless pale grey background, soft studio light"
	}
	if stage == router.StageFinal {
		t.Size, t.Only = fal.SquareHD, c.models[1]
	}
	return t
}

// plan adds up what is left to do.
func (c *catalogue) plan(rows iter.Seq2[product, error]) (*todo, error) {
	p := new(todo)
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		todo := c.todo(p.products, row)
		p.products++
		if len(todo) > 0 {
			p.lacking++
		}
		for _, stage := range todo {
			routing, err := router.Route(c.task(stage, row))
			if err != nil {
				return nil, fmt.Errorf("sku %s: %s: %w", row.sku, stage, err)
			}
			if err := p.add(stage, routing.Best()); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// mostFailures is how many products may fail until the work ends.
const mostFailures = 20

// make makes what is left, some products at a time, and calls ready for each
// that is finished. It ends early when the budget or the context ends, when the
// key is refused, or when many products fail; what is under way is finished.
// Over is why it ended early, and failed joins the errors of single products.
func (c *catalogue) make(ctx context.Context, rows iter.Seq2[product, error], parallel int, ready func()) (over, failed error) {
	feed, end := context.WithCancel(ctx) // ends the rows, not what is under way
	defer end()
	var mu sync.Mutex
	failures := 0
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if ends(ctx, err) {
			if over == nil {
				over = err
			}
			end()
			return
		}
		failed = errors.Join(failed, err)
		if failures++; failures == mostFailures {
			over = errors.Join(over, fmt.Errorf("%d products failed; the others were not tried", failures))
			end()
		}
	}

	work := make(chan job)
	var wait sync.WaitGroup
	for range max(parallel, 1) {
		wait.Go(func() {
			for j := range work {
				if err := c.do(ctx, j); err != nil {
					fail(err)
				} else {
					ready()
				}
			}
		})
	}
	c.feed(feed, rows, work, fail)
	wait.Wait()
	return over, failed
}

// ends reports whether no other product can do better after an error.
func ends(ctx context.Context, err error) bool {
	_, budget := errors.AsType[*spend.BudgetError](err)
	return budget || ctx.Err() != nil || errors.Is(err, fal.ErrUnauthorized) || errors.Is(err, fal.ErrLocked) || errors.Is(err, fal.ErrNoKey)
}

// job is a product and the pictures that it lacks.
type job struct {
	product product
	stages  []router.Stage
}

// feed hands out the products that lack pictures, until the context ends.
func (c *catalogue) feed(ctx context.Context, rows iter.Seq2[product, error], work chan<- job, fail func(error)) {
	defer close(work)
	i := 0
	for row, err := range rows {
		if err != nil {
			fail(err)
			return
		}
		todo := c.todo(i, row)
		if i++; len(todo) == 0 {
			continue
		}
		select {
		case work <- job{row, todo}:
		case <-ctx.Done():
			return
		}
	}
}

// do makes the pictures of a product.
func (c *catalogue) do(ctx context.Context, j job) error {
	for _, stage := range j.stages {
		if err := c.picture(ctx, stage, j.product); err != nil {
			return fmt.Errorf("sku %s: %s: %w", j.product.sku, stage, err)
		}
	}
	return nil
}

// note returns the file that tells of the request for a picture until that is
// saved.
func (c *catalogue) note(stage router.Stage, sku string) string {
	return filepath.Join(c.folder, "under-way", string(stage)+" "+sku+".json")
}

// picture makes one picture and saves it. The tags say in the ledger which it
// is.
func (c *catalogue) picture(ctx context.Context, stage router.Stage, p product) error {
	routing, err := router.Route(c.task(stage, p))
	if err != nil {
		return err
	}
	tags := map[string]string{"sku": p.sku, "stage": string(stage)}
	out, err := demo.Once(ctx, c.client, c.note(stage, p.sku), routing.Best().Request, fal.WithTags(tags))
	if err != nil {
		return err
	}
	return c.save(ctx, stage, p.sku, out)
}

// save saves a picture that is paid, though the program is told to stop, and
// then forgets its request. One that was flagged is saved under another name: it
// would come out the same again, and be charged again.
func (c *catalogue) save(ctx context.Context, stage router.Stage, sku string, out *fal.Images) error {
	if len(out.Images) == 0 {
		return fmt.Errorf("request %s has no picture", out.RequestID)
	}
	ctx, stop := demo.Unstopped(ctx)
	defer stop()
	path, flagged := c.path(stage, sku), out.Flagged(0)
	if flagged {
		path = c.flagged(stage, sku)
	}
	if err := c.client.Save(ctx, out.Images[0], path); err != nil {
		return err
	}
	if err := demo.Forget(c.note(stage, sku)); err != nil || !flagged {
		return err
	}
	return fmt.Errorf("request %s: the safety checker flagged the picture, which is in %s: the product is left out until that is removed", out.RequestID, path)
}

// flagged returns the path of a picture that the safety checker flagged.
func (c *catalogue) flagged(stage router.Stage, sku string) string {
	return filepath.Join(c.dir(stage), sku+".flagged.jpg")
}

// takeUp finishes what an earlier run sent and did not see through, so that it
// is not paid for twice.
func (c *catalogue) takeUp(ctx context.Context, w io.Writer, ledger *spend.Ledger) error {
	if err := c.sweep(); err != nil {
		return err
	}
	open := make(map[string]spend.Entry)
	for _, e := range ledger.Open() {
		path := c.note(router.Stage(e.Tags["stage"]), e.Tags["sku"])
		open[path] = e
		if e.RequestID == "" {
			continue
		}
		// The ledger is told of the id first, and then the program may end.
		if err := demo.Accepted(path, e.Endpoint, e.RequestID, e.Time); err != nil {
			return err
		}
	}
	for _, stage := range stages {
		notes, err := filepath.Glob(c.note(stage, "*"))
		if err != nil {
			return err
		}
		for _, path := range notes {
			sku := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), string(stage)+" "), ".json")
			if c.exists(stage, sku) { // it was saved, and then the program ended
				if err := demo.Forget(path); err != nil {
					return err
				}
				continue
			}
			what := fmt.Sprintf("the %s of %s, sent in an earlier run", stage, sku)
			out, err := demo.TakeUp[fal.Images](ctx, c.client, path)
			if e, ok := open[path]; ok && err != nil && fal.Charged(err) == fal.NotBilled {
				err = errors.Join(err, ledger.Release(e.ID))
			}
			if err == nil {
				_ = ledger.Record(out.Meta) // what fal did not tell stays set aside
				err = c.save(ctx, stage, sku, out)
			}
			if err != nil {
				fmt.Fprintf(w, "%s: %v\n", what, err)
				continue
			}
			fmt.Fprintf(w, "%s: taken up and saved\n", what)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// sweep removes the halves of files that a program left that was killed. There is
// one program at a time: the ledger sees to that.
func (c *catalogue) sweep() error {
	var errs []error
	for _, pattern := range []string{filepath.Join(c.dir(router.StageDraft), ".falimage-*"), filepath.Join(c.dir(router.StageFinal), ".falimage-*"), filepath.Join(filepath.Dir(c.note("", "")), ".note-*")} {
		found, err := filepath.Glob(pattern)
		errs = append(errs, err)
		for _, path := range found {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}
