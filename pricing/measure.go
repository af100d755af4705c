package pricing

import (
	"context"
	"errors"
	"sync"

	"github.com/falimage/falimage-go/fal"
)

// Measure is like [Estimate] but looks up the sizes of the remote input
// pictures that count, so that the quote gets narrower. It reads the first
// bytes of each, all at once, by [fal.Client.Dimensions]. Where that fails the
// error comes with the quote of Estimate.
func Measure[Out any, T fal.Request[Out]](ctx context.Context, c *fal.Client, r T) (Quote, error) {
	u, err := usageOf[Out](r)
	if err != nil {
		return Quote{}, err
	}
	return Default().Measure(ctx, c, u)
}

// Measure is like the function [Measure], by this table.
func (t *Table) Measure(ctx context.Context, c *fal.Client, u fal.Usage) (Quote, error) {
	// The first round finds out which remote pictures count.
	remote := make(map[fal.File]*measured)
	var q Quote
	err := t.estimate(&q, &u, func(f fal.File) (int, int, error) {
		width, height, err := f.Dimensions()
		if errors.Is(err, fal.ErrRemote) {
			remote[f] = new(measured)
		}
		return width, height, err
	})
	if err != nil || len(remote) == 0 {
		return q, err
	}
	var wait sync.WaitGroup
	for f, m := range remote {
		wait.Go(func() { m.width, m.height, m.err = c.Dimensions(ctx, f) })
	}
	wait.Wait()
	var better Quote
	err = t.estimate(&better, &u, func(f fal.File) (int, int, error) {
		if m := remote[f]; m != nil {
			return m.width, m.height, m.err
		}
		return f.Dimensions()
	})
	if err != nil {
		return q, err
	}
	return better, nil
}

// measured is the size of a remote picture.
type measured struct {
	width, height int
	err           error
}
