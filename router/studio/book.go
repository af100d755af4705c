package studio

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/platform"
)

// book makes requests that are on record in a journal.
type book struct {
	runner *batch.Runner

	mu    sync.Mutex
	times map[string]int // how often a request was made
}

// newBook returns the book of one task. Without a journal it is kept in memory, and
// ends with the task.
func newBook(c *fal.Client, j batch.Journal) *book {
	look := platform.Reconciler{Client: c}
	return &book{times: make(map[string]int), runner: &batch.Runner{
		Client: c, Journal: j, CancelJobs: true, Reconcile: look.Find, Recover: look.Result,
	}}
}

// key returns what a request is called in the journal. One that is made several
// times has a key for each, in the order in which they are made.
func (b *book) key(r fal.Request[fal.Images]) (string, error) {
	key, err := batch.Key(r)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.times[key]++
	return key + "-" + strconv.Itoa(b.times[key]), nil
}

// make sends a request, or goes on with it where it stands.
func (b *book) make(ctx context.Context, key string, r fal.Request[fal.Images], opts []fal.Option) (*fal.Images, error) {
	res, err := batch.Step(ctx, b.runner, batch.Item[fal.Images]{Key: key, Request: r, Options: opts})
	return res.Out, err
}

// seedOf returns a seed that is the same for the same prompts.
func seedOf(prompt string, variants []string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q", prompt, variants)
	return h.Sum64()
}
