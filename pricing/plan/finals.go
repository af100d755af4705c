package plan

import (
	"errors"
	"fmt"
	"math"

	"github.com/falimage/falimage-go/pricing"
)

// MostFinals returns the plan that makes the given number of images within a
// budget with as many as possible by the second, better and dearer model and
// the others by the first. What is kept within the budget is the maximum. The
// error tells by how much the budget is too small if no mix is within it.
// Where a request makes several images, there may be 10 million at most.
func MostFinals(images int64, budget pricing.USD, drafts, finals Part) (Plan, error) {
	for _, p := range []Part{drafts, finals} {
		if _, err := p.row(images); err != nil && !errors.Is(err, pricing.ErrOverflow) {
			return Plan{}, err
		}
	}
	n, err := mostFinals(images, budget, &drafts.Quote, &finals.Quote)
	if err != nil {
		return Plan{}, err
	}
	return plan([]Part{drafts, finals}, []int64{images - n, n})
}

// mostFinals goes through the numbers of requests for drafts, from none on:
// the first with which the budget is enough for all other images leaves the
// most finals. Where each request makes one image that number is calculated.
func mostFinals(images int64, budget pricing.USD, drafts, finals *pricing.Quote) (int64, error) {
	const most = 10_000_000
	perDraft, perFinal := drafts.Images(), finals.Images()
	if perDraft == 1 && perFinal == 1 {
		return mostSingleFinals(images, budget, drafts.Max, finals.Max)
	}
	if images > most {
		return 0, fmt.Errorf("plan: %d images: there may be %d at most where a request makes several", images, int64(most))
	}
	least := pricing.USD(math.MaxInt64)
	for m := int64(0); ; m++ {
		cost, err := drafts.Max.Mul(m)
		if err != nil {
			return 0, err
		}
		needed := max(0, images-m*perDraft)
		requests := needed / perFinal
		if needed%perFinal > 0 {
			requests++
		}
		all, err := finals.Max.Mul(requests)
		if err == nil {
			all, err = all.Add(cost)
		}
		if err == nil {
			least = min(least, all)
			if all <= budget {
				return min(images, int64((budget-cost)/finals.Max)*perFinal), nil
			}
		}
		if needed == 0 && err != nil && least == math.MaxInt64 {
			return 0, err
		}
		if needed == 0 {
			return 0, tooSmall(images, budget, least)
		}
	}
}

// mostSingleFinals is mostFinals where each request makes one image.
func mostSingleFinals(images int64, budget, draft, final pricing.USD) (int64, error) {
	all, err := draft.Mul(images)
	dear, dearErr := final.Mul(images)
	switch {
	case dearErr == nil && dear <= budget:
		return images, nil
	case final <= draft && dearErr != nil:
		return 0, dearErr
	case final <= draft:
		return 0, tooSmall(images, budget, dear)
	case err != nil:
		return 0, err
	case all > budget:
		return 0, tooSmall(images, budget, all)
	}
	return int64((budget - all) / (final - draft)), nil
}

func tooSmall(images int64, budget, least pricing.USD) error {
	if budget < 0 {
		return fmt.Errorf("plan: a budget of %v: must not be negative", budget)
	}
	return fmt.Errorf("plan: %d images cost up to %v in the cheapest way, which is %v more than the budget of %v", images, least, least-budget, budget)
}
