package invoice

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/pricing/spend"
)

// around is how far from its quote a request may be charged.
const around = 3 * 24 * time.Hour

// Of asks fal for its bill of a time, such as a month, and holds a ledger against
// it; both ends must be set. The key of the API's client needs admin scope.
//
// A request belongs to the time in which fal charged it, and to that of its
// quote only where fal did not: what was asked for at the end of a month and
// charged in the next is on the invoice of that one.
func Of(ctx context.Context, api platform.API, l *spend.Ledger, span platform.Span) (*Invoice, error) {
	if span.Start.IsZero() || span.End.IsZero() {
		return nil, errors.New("invoice: the span has no Start or no End")
	}
	events, err := collect(api.BillingEvents(ctx, platform.BillingQuery{Span: span}))
	if err != nil {
		return nil, fmt.Errorf("invoice: the bill: %w", err)
	}
	charged := make(map[string]bool) // in the span; false is at another time
	for _, e := range events {
		charged[e.RequestID] = true
	}
	settled, err := collect(l.Settled())
	if err != nil {
		return nil, fmt.Errorf("invoice: the books: %w", err)
	}
	open := l.Open()
	within := func(e *spend.Entry) bool { return !e.Time.Before(span.Start) && e.Time.Before(span.End) }
	var without []string
	look := func(e *spend.Entry) {
		if e.RequestID != "" && !charged[e.RequestID] && within(e) {
			without = append(without, e.RequestID)
		}
	}
	for i := range settled {
		look(&settled[i].Entry)
	}
	for i := range open {
		look(&open[i])
	}
	if len(without) > 0 {
		wide := platform.Span{Start: span.Start.Add(-around), End: span.End.Add(around)}
		for e, err := range api.BillingEvents(ctx, platform.BillingQuery{Span: wide, RequestIDs: without}) {
			if err != nil {
				return nil, fmt.Errorf("invoice: the bill: %w", err)
			}
			if !charged[e.RequestID] {
				charged[e.RequestID] = false
			}
		}
	}
	ours := func(e *spend.Entry) bool {
		inSpan, somewhere := charged[e.RequestID]
		return inSpan || !somewhere && within(e)
	}
	settled = slices.DeleteFunc(settled, func(s spend.Settled) bool { return !ours(&s.Entry) })
	open = slices.DeleteFunc(open, func(e spend.Entry) bool { return !ours(&e) })
	return Compare(each(settled), open, each(events))
}

// each yields values, and no error.
func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range list {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// collect returns all that an iterator yields.
func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}
