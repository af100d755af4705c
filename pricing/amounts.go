package pricing

// Amounts are what something costs at least, as expected and at most. They are
// the same where nothing is left open.
type Amounts struct {
	Min      USD `json:"min,omitzero"`
	Expected USD `json:"expected,omitzero"`
	Max      USD `json:"max,omitzero"`
}

// Add returns what both cost together, or [ErrOverflow].
func (a Amounts) Add(b Amounts) (Amounts, error) {
	for _, sum := range []struct {
		to *USD
		by USD
	}{{&a.Min, b.Min}, {&a.Expected, b.Expected}, {&a.Max, b.Max}} {
		var err error
		if *sum.to, err = sum.to.Add(sum.by); err != nil {
			return Amounts{}, err
		}
	}
	return a, nil
}

// Mul returns what n of the same cost, or [ErrOverflow].
func (a Amounts) Mul(n int64) (Amounts, error) {
	for _, amount := range []*USD{&a.Min, &a.Expected, &a.Max} {
		var err error
		if *amount, err = amount.Mul(n); err != nil {
			return Amounts{}, err
		}
	}
	return a, nil
}
