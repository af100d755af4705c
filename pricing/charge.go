package pricing

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

// times returns price x a x b.
func times(price USD, a, b int64) (USD, error) {
	n, err := mul(a, b)
	if err != nil {
		return 0, err
	}
	n, err = mul(int64(price), n)
	return USD(n), err
}

// charges appends the lines of the work under a rule in one case. Each case
// of the same work has the same lines.
func charges(dst []charge, rule Rule, w *work, c which) ([]charge, error) {
	switch r := rule.(type) {
	case PerMegapixel:
		return r.charges(dst, w, c)
	case PerTieredMegapixel:
		return r.charges(dst, w, c)
	case PerImage:
		amount, err := times(r.Price, w.outputs, 1)
		return append(dst, charge{ItemOutput, w.outputs, 0, amount}), err
	case PerRequest:
		return append(dst, charge{ItemRequest, 1, 0, r.Price}), nil
	case PerStep:
		return r.charges(dst, w, c)
	}
	return dst, nil
}

func (r PerMegapixel) charges(dst []charge, w *work, c which) ([]charge, error) {
	amount, err := times(r.Price, w.outputs, w.size[c])
	if err != nil {
		return dst, err
	}
	dst = append(dst, charge{ItemOutput, w.outputs, w.size[c], amount})
	if r.Inputs == InputsOneEach && w.inputCount > 0 {
		if amount, err = times(r.Price, w.inputCount, 1); err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemInput, w.inputCount, 1, amount})
	}
	if r.Inputs == InputsRoundedUp {
		if dst, err = inputCharges(dst, r.Price, r.InputCap, w, c); err != nil {
			return dst, err
		}
	}
	if w.loras > 0 {
		if amount, err = times(r.LoRA.PerGB, w.loraGB[c], 1); err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemLoRA, w.loras, 0, amount})
	}
	return dst, nil
}

func (r PerTieredMegapixel) charges(dst []charge, w *work, c which) ([]charge, error) {
	further, err := times(r.Extra, w.size[c]-1, 1)
	if err != nil {
		return dst, err
	}
	each, err := r.First.Add(further)
	if err != nil {
		return dst, err
	}
	amount, err := times(each, w.outputs, 1)
	if err != nil {
		return dst, err
	}
	dst = append(dst, charge{ItemOutput, w.outputs, w.size[c], amount})
	return inputCharges(dst, r.Extra, r.InputCap, w, c)
}

// inputCharges charges each input by its own size.
func inputCharges(dst []charge, price USD, limit int64, w *work, c which) ([]charge, error) {
	for i, in := range w.inputs {
		size := in[c]
		if limit > 0 {
			size = min(size, limit)
		}
		amount, err := times(price, size, 1)
		if err != nil {
			return dst, err
		}
		dst = append(dst, charge{ItemInput, int64(i + 1), size, amount})
	}
	return dst, nil
}

func (r PerStep) charges(dst []charge, w *work, c which) ([]charge, error) {
	steps := max(w.size[c], r.MinSteps)
	amount, err := times(r.Price, steps, 1)
	if (r.References != [4]Units{}) && err == nil {
		amount, err = amount.Scale(int64(r.References[w.references[c]-1]), billion)
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
