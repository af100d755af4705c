package pricing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// tableJSON is the form of a table in a file.
type tableJSON struct {
	AsOf   string      `json:"as_of,omitzero"` // for prices without a date of their own
	Prices []priceJSON `json:"prices"`
}

// priceJSON is a price with its rule; which fields the rule has depends on
// Per. Amounts are decimal strings.
type priceJSON struct {
	Endpoint string   `json:"endpoint"`
	Also     []string `json:"also,omitzero"` // second names, which share the price
	Per      string   `json:"per,omitzero"`  // the unit of the rule; "" if it is not known

	Price           USD           `json:"price,omitzero"`
	First           USD           `json:"first,omitzero"`
	Extra           USD           `json:"extra,omitzero"`
	Inputs          Inputs        `json:"inputs,omitzero"`
	InputCap        int64         `json:"input_cap,omitzero"`
	InputMin        int64         `json:"input_min,omitzero"`
	FirstOfInputs   bool          `json:"first_of_inputs,omitzero"`
	LoRA            LoRASurcharge `json:"lora,omitzero"`
	Fractions       bool          `json:"fractions,omitzero"`
	Pixels          int64         `json:"pixels,omitzero"`
	SidesTo         int64         `json:"sides_to,omitzero"`
	Tiers           []Tier        `json:"tiers,omitzero"`
	Reference       USD           `json:"reference,omitzero"`
	MinSteps        int64         `json:"min_steps,omitzero"`
	MinStepsUnknown bool          `json:"min_steps_unknown,omitzero"`
	MaxSteps        int64         `json:"max_steps,omitzero"`
	MinCharge       USD           `json:"min_charge,omitzero"`
	References      []Units       `json:"references,omitzero"`

	Unknown  string `json:"unknown,omitzero"`
	Probable USD    `json:"probable,omitzero"`

	Confidence Confidence  `json:"price_confidence,omitzero"`
	Rounding   Confidence  `json:"rounding_confidence,omitzero"`
	AsOf       string      `json:"as_of,omitzero"`
	Sources    []string    `json:"sources,omitzero"`
	Alternates []Alternate `json:"alternates,omitzero"`
	History    []Alternate `json:"history,omitzero"`
	Discount   Units       `json:"discount,omitzero"`
}

// UnmarshalJSON reads a table, in the form of the embedded prices.json.
// Fields it does not know are an error: a price with a condition that is not
// understood would be wrong.
func (t *Table) UnmarshalJSON(data []byte) error {
	if err := checkKeys(data); err != nil {
		return fmt.Errorf("pricing: reading a table: %w", err)
	}
	var file tableJSON
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return fmt.Errorf("pricing: reading a table: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("pricing: reading a table: there is something after it")
	}
	if file.Prices == nil {
		return errors.New("pricing: reading a table: it has no prices")
	}
	cards := make(map[string]*card, len(file.Prices))
	for _, f := range file.Prices {
		f.AsOf = cmp.Or(f.AsOf, newestDate(f.Sources), file.AsOf)
		p, err := f.price()
		if err != nil {
			return fmt.Errorf("pricing: %s: %w", f.Endpoint, err)
		}
		for _, p.Endpoint = range append([]string{f.Endpoint}, f.Also...) {
			if _, twice := cards[p.Endpoint]; twice {
				return fmt.Errorf("pricing: %s: has two prices", p.Endpoint)
			}
			if cards[p.Endpoint], err = newCard(p); err != nil {
				return err
			}
		}
	}
	t.cards = cards
	return nil
}

var dates = regexp.MustCompile(`\b20[0-9]{2}-[0-9]{2}(-[0-9]{2})?\b`)

// newestDate returns the newest date that sources tell, or "".
func newestDate(sources []string) (newest string) {
	for _, s := range sources {
		for _, date := range dates.FindAllString(s, -1) {
			newest = max(newest, date)
		}
	}
	return newest
}

// checkKeys refuses what encoding/json lets pass: a key that an object has
// twice, a key in other letters than the field has, and null.
func checkKeys(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // keys of the objects around, nil for a list
	isKey := false
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		if text, ok := token.(string); ok && inObject && isKey {
			keys := open[len(open)-1]
			if keys[text] {
				return fmt.Errorf("key %.60q is given twice", text)
			}
			if strings.Trim(text, "abcdefghijklmnopqrstuvwxyz_") != "" {
				return fmt.Errorf("key %.60q is not known", text)
			}
			keys[text] = true
			isKey = false
			continue
		}
		switch token {
		case nil:
			return errors.New("null is no value here")
		case json.Delim('{'):
			open = append(open, make(map[string]bool))
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		isKey = true // where an object is open
	}
}

// price returns the price that a file holds. Fields that its rule does not
// have are an error.
func (f priceJSON) price() (Price, error) {
	p := Price{
		Endpoint: f.Endpoint, Unknown: f.Unknown, Probable: f.Probable,
		Confidence: f.Confidence, Rounding: f.Rounding, AsOf: f.AsOf, Sources: f.Sources,
		Alternates: f.Alternates, History: f.History, Discount: f.Discount,
	}
	if f.Unknown != "" {
		if f.Per != "" || !newPriceJSON(p).sameRule(f) {
			return p, errors.New("unknown: a price that is not known has no rule")
		}
		return p, nil
	}
	switch f.Per {
	case PerMegapixel{}.Unit():
		p.Rule = PerMegapixel{Price: f.Price, Inputs: f.Inputs, InputCap: f.InputCap, LoRA: f.LoRA, Fractions: f.Fractions, Pixels: f.Pixels, SidesTo: f.SidesTo}
	case PerTieredMegapixel{}.Unit():
		p.Rule = PerTieredMegapixel{First: f.First, Extra: f.Extra, InputCap: f.InputCap, InputMin: f.InputMin, FirstOfInputs: f.FirstOfInputs}
	case PerImage{}.Unit():
		p.Rule = PerImage{f.Price}
	case PerTieredImage{}.Unit():
		r := PerTieredImage{Price: f.Price, Reference: f.Reference}
		if copy(r.Tiers[:], f.Tiers) != len(f.Tiers) {
			return p, fmt.Errorf("%d tiers: at most %d are accepted", len(f.Tiers), len(r.Tiers))
		}
		p.Rule = r
	case PerRequest{}.Unit():
		p.Rule = PerRequest{f.Price}
	case PerSecond{}.Unit():
		p.Rule = PerSecond{f.Price}
	case PerStep{}.Unit():
		r := PerStep{
			Price: f.Price, MinSteps: f.MinSteps, MinStepsUnknown: f.MinStepsUnknown,
			MaxSteps: f.MaxSteps, MinCharge: f.MinCharge,
		}
		if copy(r.References[:], f.References) != len(f.References) {
			return p, fmt.Errorf("%d reference multipliers: at most %d are accepted", len(f.References), len(r.References))
		}
		p.Rule = r
	default:
		return p, fmt.Errorf("per %.60q: not a known unit", f.Per)
	}
	if g := newPriceJSON(p); !g.sameRule(f) {
		return p, errors.New("a field does not belong to the rule " + f.Per)
	}
	return p, nil
}

// sameRule reports whether f and g hold the same rule.
func (f priceJSON) sameRule(g priceJSON) bool {
	return f.Price == g.Price && f.First == g.First && f.Extra == g.Extra && f.Inputs == g.Inputs && f.InputCap == g.InputCap &&
		f.InputMin == g.InputMin && f.FirstOfInputs == g.FirstOfInputs && f.LoRA == g.LoRA &&
		f.Fractions == g.Fractions && f.Pixels == g.Pixels && f.SidesTo == g.SidesTo && slices.Equal(f.Tiers, g.Tiers) && f.Reference == g.Reference &&
		f.MinSteps == g.MinSteps && f.MinStepsUnknown == g.MinStepsUnknown &&
		f.MaxSteps == g.MaxSteps && f.MinCharge == g.MinCharge && slices.Equal(f.References, g.References)
}

// MarshalJSON returns the table as [ReadTable] reads it.
func (t *Table) MarshalJSON() ([]byte, error) {
	file := tableJSON{Prices: []priceJSON{}}
	if t != nil {
		for _, endpoint := range slices.Sorted(maps.Keys(t.cards)) {
			file.Prices = append(file.Prices, newPriceJSON(t.cards[endpoint].Price))
		}
	}
	return json.Marshal(file)
}

func newPriceJSON(p Price) priceJSON {
	f := priceJSON{
		Endpoint: p.Endpoint, Unknown: p.Unknown, Probable: p.Probable,
		Confidence: p.Confidence, Rounding: p.Rounding, AsOf: p.AsOf, Sources: p.Sources,
		Alternates: p.Alternates, History: p.History, Discount: p.Discount,
	}
	if p.Rule == nil {
		return f
	}
	f.Per = p.Rule.Unit()
	switch r := p.Rule.(type) {
	case PerMegapixel:
		f.Price, f.Inputs, f.InputCap, f.LoRA = r.Price, r.Inputs, r.InputCap, r.LoRA
		f.Fractions, f.Pixels, f.SidesTo = r.Fractions, r.Pixels, r.SidesTo
	case PerTieredMegapixel:
		f.First, f.Extra, f.InputCap, f.Inputs = r.First, r.Extra, r.InputCap, InputsRoundedUp
		f.InputMin, f.FirstOfInputs = r.InputMin, r.FirstOfInputs
	case PerTieredImage:
		f.Price, f.Tiers, f.Reference = r.Price, r.tiers(), r.Reference
	case PerStep:
		f.Price, f.MinSteps, f.MinStepsUnknown, f.MaxSteps, f.MinCharge = r.Price, r.MinSteps, r.MinStepsUnknown, r.MaxSteps, r.MinCharge
		if n := r.mostReferences(); n > 0 {
			f.References = r.References[:n]
		}
	default:
		f.Price = p.Rule.UnitPrice()
	}
	return f
}
