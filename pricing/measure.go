package pricing

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/falimage/falimage-go/fal"
)

// Measure is like [Estimate] but looks up the sizes of the remote input
// pictures that count, so that the quote gets narrower. It reads the first
// bytes of each, all at once, by [fal.Client.Dimensions]. Where that fails the
// error comes with a quote in which that picture may have any size.
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
	var failed error
	err = t.estimate(&better, &u, func(f fal.File) (int, int, error) {
		m := remote[f]
		switch {
		case m == nil:
			return f.Dimensions()
		case m.err != nil:
			failed = m.err
			return 0, 0, fal.ErrRemote
		}
		return m.width, m.height, nil
	})
	if err != nil {
		return q, err
	}
	if failed != nil {
		failed = fmt.Errorf("pricing: %s: measuring an input: %w", u.Endpoint, failed)
	}
	return better, failed
}

// measured is the size of a remote picture.
type measured struct {
	width, height int
	err           error
}
