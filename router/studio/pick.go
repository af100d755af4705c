package studio

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/falimage/falimage-go/fal"
)

// Variant is a draft to pick from.
type Variant struct {
	// Index is its number, from 0.
	Index int
	Attempt
	// Image is the picture.
	Image fal.Image

	run *drafting // what it is one of
}

// Pick returns those of the variants that are to be made again, the best
// first; none if none is good enough. It is given only variants that succeeded and were not flagged. See
// [ByScore], and [Page.Pick] for a person.
type Pick func(ctx context.Context, variants []Variant) ([]Variant, error)

// ByScore returns a Pick that takes the n variants with the highest score. Of
// equal ones the earlier counts. An error of score ends the work.
func ByScore(n int, score func(ctx context.Context, v Variant) (float64, error)) Pick {
	return func(ctx context.Context, variants []Variant) ([]Variant, error) {
		scores := make(map[int]float64, len(variants))
		for _, v := range variants {
			var err error
			if scores[v.Index], err = score(ctx, v); err != nil {
				return nil, fmt.Errorf("draft %d: %w", v.Index, err)
			}
		}
		best := slices.Clone(variants)
		slices.SortStableFunc(best, func(a, b Variant) int { return cmp.Compare(scores[b.Index], scores[a.Index]) })
		return best[:max(0, min(n, len(best)))], nil
	}
}

// checkPick returns the variants that were picked, as they were made. It refuses a
// choice that was not priced or is none of them.
func (p *DraftPlan) checkPick(picked, variants []Variant) ([]Variant, error) {
	if len(picked) > p.drafts.Finals {
		return nil, fmt.Errorf("studio: drafts: %d were picked, and %d were priced", len(picked), p.drafts.Finals)
	}
	left := make(map[int]*Variant, len(variants))
	for i := range variants {
		left[variants[i].Index] = &variants[i]
	}
	var out []Variant
	for i := range picked {
		number := picked[i].Index
		if left[number] == nil {
			return nil, fmt.Errorf("studio: drafts: draft %d was picked twice, or is none of the variants", number)
		}
		out = append(out, *left[number])
		delete(left, number)
	}
	return out, nil
}
