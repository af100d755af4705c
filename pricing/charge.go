package pricing

import (
	"fmt"
	"math"
)

// Item is what a line of a quote charges for.
type Item string

// The items of quotes.
const (
	ItemOutput  Item = "output"
	ItemInput   Item = "input"
	ItemLoRA    Item = "large LoRA weights"
	ItemRequest Item = "request"
	ItemStep    Item = "step"
	ItemMinimum Item = "up to the minimum charge"
)

// charge is a line of a quote in one of its cases.
type charge struct {
	item   Item
	count  int64 // how many; the number of the input where each has a line
	size   int64 // of each as it is counted, or 0; for tiers which, from 1
	amount USD
}

// charges appends the lines of what is charged for under a rule in one case.
// Each case has the same lines.
func charges(dst []charge, rule Rule, n *quantities, c which) ([]charge, error) {
	switch r := rule.(type) {
	case PerMegapixel:
		return r.charges(dst, n, c)
	case PerTieredMegapixel:
		return r.charges(dst, n, c)
	case PerImage:
		amount, err := r.Price.Mul(n.outputs)
		return append(dst, charge{ItemOutput, n.outputs, 0, amount}), err
	case PerTieredImage:
		return r.charges(dst, n, c)
	case PerRequest:
		return append(dst, charge{ItemRequest, 1, 0, r.Price}), nil
	case PerStep:
		return r.charges(dst, n, c)
	}
	return dst, fmt.Errorf("there are no charges by %T", rule) // tables have none such
}

func (r PerMegapixel) charges(dst []charge, n *quantities, c which) ([]charge, error) {
	counted, err := mul(n.size[c], n.outputs)
	if err != nil {
		return dst, err
	}
	total := &runningTotal{price: r.Price, per: n.counting.unit()}
	amount, err := total.add(counted)
	if err != nil {
		return dst, err
	}
	dst = append(dst, charge{ItemOutput, n.outputs, n.size[c], amount})
	switch {
	case r.Inputs == InputsOneEach && n.inputCount > 0:
		if amount, err = total.add(n.inputCount); err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemInput, n.inputCount, 1, amount})
	case r.Inputs != InputsFree:
		if dst, err = inputCharges(dst, total, r.InputCap, n, c); err != nil {
			return dst, err
		}
	}
	if n.loras > 0 {
		factor, err := mul(n.loraGB[c], int64(r.LoRA.PerGB))
		if err != nil {
			return dst, err
		}
		if amount, err = total.charged.Scale(factor, billion); err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemLoRA, n.loras, 0, amount})
	}
	return dst, nil
}

// unit is how much of what is counted has the price.
func (c counting) unit() int64 {
	if c.fractions {
		return c.pixels
	}
	return 1
}

// runningTotal charges a price for one part after the other so that all of them
// come to the price of their sum, to the nearest billionth.
type runningTotal struct {
	price   USD
	per     int64
	counted int64
	charged USD
}

func (t *runningTotal) add(count int64) (USD, error) {
	if count > math.MaxInt64-t.counted {
		return 0, ErrOverflow
	}
	t.counted += count
	all, err := mulDiv(int64(t.price), t.counted, t.per, roundNearest)
	amount := USD(all) - t.charged
	t.charged = USD(all)
	return amount, err
}

func (r PerTieredMegapixel) charges(dst []charge, n *quantities, c which) ([]charge, error) {
	first, further := r.First, n.size[c]-1
	if r.FirstOfInputs {
		first, further = 0, n.size[c]
	}
	each, err := r.Extra.Mul(further)
	if err == nil {
		each, err = each.Add(first)
	}
	amount := each
	if err == nil {
		amount, err = each.Mul(n.outputs)
	}
	if err != nil {
		return dst, err
	}
	at := len(dst) + 1
	total := &runningTotal{price: r.Extra, per: 1}
	dst, err = inputCharges(append(dst, charge{ItemOutput, n.outputs, n.size[c], amount}), total, r.InputCap, n, c)
	if err != nil {
		return dst, err
	}
	if r.FirstOfInputs && len(dst) > at {
		if dst[at].amount, err = (dst[at].amount - r.Extra).Add(r.First); err != nil {
			return dst, err
		}
	}
	if r.InputMin > 0 {
		amount, err = total.add(max(0, r.InputMin-total.counted))
		dst = append(dst, charge{ItemMinimum, 1, 0, amount})
	}
	return dst, err
}

// inputCharges charges each input by its own size.
func inputCharges(dst []charge, total *runningTotal, limit int64, n *quantities, c which) ([]charge, error) {
	for i, in := range n.inputs {
		size := in[c]
		if limit > 0 {
			size = min(size, limit)
		}
		amount, err := total.add(size)
		if err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemInput, int64(i + 1), size, amount})
	}
	return dst, nil
}

func (r PerTieredImage) charges(dst []charge, n *quantities, c which) ([]charge, error) {
	tier := r.Tiers[n.size[c]]
	price := tier.Price
	if n.between && c == least {
		price = tier.Least
	}
	amount, err := price.Mul(n.outputs)
	if err != nil {
		return dst, err
	}
	dst = append(dst, charge{ItemOutput, n.outputs, n.size[c] + 1, amount})
	if n.inputCount > 0 {
		amount, err = r.Reference.Mul(n.inputCount)
		if err == nil && c == most {
			amount, err = amount.Mul(n.outputs)
		}
		dst = append(dst, charge{ItemInput, n.inputCount, 0, amount})
	}
	return dst, err
}

func (r PerStep) charges(dst []charge, n *quantities, c which) ([]charge, error) {
	steps := max(n.size[c], r.MinSteps)
	amount, err := r.Price.Mul(steps)
	if r.mostReferences() > 0 && err == nil {
		amount, err = amount.Scale(int64(r.References[n.references[c]-1]), billion)
	}
	if err != nil {
		return dst, err
	}
	dst = append(dst, charge{ItemStep, steps, 0, amount})
	if r.MinCharge > 0 {
		dst = append(dst, charge{ItemMinimum, 1, 0, max(0, r.MinCharge-amount)})
	}
	return dst, nil
}
