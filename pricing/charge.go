package pricing

import "fmt"

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
	size   int64 // of each in megapixels, or 0
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
	case PerRequest:
		return append(dst, charge{ItemRequest, 1, 0, r.Price}), nil
	case PerStep:
		return r.charges(dst, n, c)
	}
	return dst, fmt.Errorf("there are no charges by %T", rule) // tables have none such
}

func (r PerMegapixel) charges(dst []charge, n *quantities, c which) ([]charge, error) {
	each, err := r.Price.Mul(n.size[c])
	if err != nil {
		return dst, err
	}
	amount, err := each.Mul(n.outputs)
	if err != nil {
		return dst, err
	}
	dst = append(dst, charge{ItemOutput, n.outputs, n.size[c], amount})
	if r.Inputs == InputsOneEach && n.inputCount > 0 {
		if amount, err = r.Price.Mul(n.inputCount); err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemInput, n.inputCount, 1, amount})
	}
	if r.Inputs == InputsRoundedUp {
		if dst, err = inputCharges(dst, r.Price, r.InputCap, n, c); err != nil {
			return dst, err
		}
	}
	if n.loras > 0 {
		if amount, err = r.LoRA.PerGB.Mul(n.loraGB[c]); err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemLoRA, n.loras, 0, amount})
	}
	return dst, nil
}

func (r PerTieredMegapixel) charges(dst []charge, n *quantities, c which) ([]charge, error) {
	further, err := r.Extra.Mul(n.size[c] - 1)
	if err != nil {
		return dst, err
	}
	each, err := r.First.Add(further)
	if err != nil {
		return dst, err
	}
	amount, err := each.Mul(n.outputs)
	if err != nil {
		return dst, err
	}
	dst = append(dst, charge{ItemOutput, n.outputs, n.size[c], amount})
	return inputCharges(dst, r.Extra, r.InputCap, n, c)
}

// inputCharges charges each input by its own size.
func inputCharges(dst []charge, price USD, limit int64, n *quantities, c which) ([]charge, error) {
	for i, in := range n.inputs {
		size := in[c]
		if limit > 0 {
			size = min(size, limit)
		}
		amount, err := price.Mul(size)
		if err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemInput, int64(i + 1), size, amount})
	}
	return dst, nil
}

func (r PerStep) charges(dst []charge, n *quantities, c which) ([]charge, error) {
	steps := max(n.size[c], r.MinSteps)
	amount, err := r.Price.Mul(steps)
	if (r.References != [4]Units{}) && err == nil {
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
