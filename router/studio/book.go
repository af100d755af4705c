package studio

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/platform"
)

// book makes requests that are on record in a journal.
type book struct {
	runner *batch.Runner
	// read says that nothing is sent: what is not on record is not made.
	read bool

	mu    sync.Mutex
	times map[string]int // how often a request was made
}

// errNotOnRecord says that a request is not in the journal. Nothing was sent.
var errNotOnRecord = unsent(errors.New("studio: the request is not on record"))

// errUnfinished says that a request that is on record may still be under way.
var errUnfinished = errors.New("studio: the request on record has not ended")

// newBook returns the book of one task. Without a journal it is kept in memory, and
// ends with the task.
func newBook(c *fal.Client, j batch.Journal) *book {
	look := platform.Reconciler{Client: c}
	return &book{times: make(map[string]int), runner: &batch.Runner{
		Client: c, Journal: j, CancelJobs: true, Reconcile: look.Find, Recover: look.Result,
	}}
}

// reading returns the book as it stands, to read on in what an earlier program made.
func (b *book) reading() *book {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &book{runner: b.runner, read: true, times: maps.Clone(b.times)}
}

// adopt goes on after what was read.
func (b *book) adopt(read *book) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, n := range read.times {
		b.times[key] = max(b.times[key], n)
	}
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

// unmade takes back a key that was not used.
func (b *book) unmade(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.times[key[:strings.LastIndexByte(key, '-')]]--
}

// make makes an attempt, or goes on with it where it stands.
func (b *book) make(ctx context.Context, a *Attempt, opts []fal.Option) (*fal.Images, error) {
	if b.read {
		switch row, found, err := b.runner.Journal.Get(ctx, a.key); {
		case err != nil:
			return nil, unsent(err)
		case !found:
			if err := allows(ctx, b.runner.Client, a.Quote.Max, opts); err != nil {
				return nil, unsent(err) // as it was when less was spent, or was not
			}
			return nil, errNotOnRecord
		case row.State == batch.Failed:
			return nil, row.Err()
		case row.State != batch.Done:
			return nil, errUnfinished
		}
	}
	res, err := batch.Step(ctx, b.runner, batch.Item[fal.Images]{Key: a.key, Request: a.Request, Options: opts})
	return res.Out, err
}

// seedOf returns a seed that is the same for the same prompts.
func seedOf(prompt string, variants []string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q", prompt, variants)
	return h.Sum64()
}
