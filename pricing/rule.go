package pricing

import (
	"errors"
	"fmt"
)

// Rule says how an endpoint charges. It is one of [PerMegapixel],
// [PerTieredMegapixel], [PerImage], [PerRequest], [PerStep] and [PerSecond], as
// a value: a table refuses pointers to them and structs that embed one. Rules
// compare with ==. Its String is the rule in words.
type Rule interface {
	fmt.Stringer
	// Unit names what UnitPrice buys, such as "megapixel".
	Unit() string
	// UnitPrice is the price of one billed unit.
	UnitPrice() USD

	validate() error
	withPrice(USD) Rule // with another UnitPrice
}

// Inputs says how input images count in a price per megapixel.
type Inputs string

// The ways to count input images.
const (
	InputsFree      Inputs = ""           // they do not
	InputsOneEach   Inputs = "one each"   // each as one megapixel
	InputsRoundedUp Inputs = "rounded up" // each by its own size
)

// PerMegapixel charges the same for each megapixel.
type PerMegapixel struct {
	Price  USD
	Inputs Inputs
	// InputCap is the number of megapixels that larger input images are
	// resized to before they count; 0 means that they are not resized.
	InputCap int64
	// LoRA is charged on top for large LoRA weights.
	LoRA LoRASurcharge
}

// LoRASurcharge is charged for LoRA weights larger than FreeGB: PerGB for each
// started gigabyte over it. Weights larger than MaxGB are refused by the
// endpoint. The zero value is no surcharge.
type LoRASurcharge struct {
	FreeGB int64 `json:"free_gb"`
	PerGB  USD   `json:"per_gb"`
	MaxGB  int64 `json:"max_gb"`
}

// PerTieredMegapixel charges First for the first megapixel of each output and
// Extra for each further one, and Extra for each megapixel of input.
type PerTieredMegapixel struct {
	First, Extra USD
	// InputCap is as in PerMegapixel.
	InputCap int64
}

// PerImage charges the same for each image that is made, whatever its size.
type PerImage struct{ Price USD }

// PerRequest charges the same for each request, whatever it makes.
type PerRequest struct{ Price USD }

// PerStep charges for each step of training.
type PerStep struct {
	Price USD
	// MinSteps are charged at least.
	MinSteps int64
	// MinStepsUnknown says that there is such a minimum but no source tells
	// it. A quote then spans up to the largest that is known elsewhere, 1000.
	MinStepsUnknown bool
	// MaxSteps is the largest number of steps that the endpoint takes, for
	// requests that leave the number to it; 0 if none may.
	MaxSteps int64
	// MinCharge is charged at least.
	MinCharge USD
	// References multiply the price by the number of reference images, from
	// one to four, that come with each picture to learn from. All zero means
	// that they do not count.
	References [4]Units
}

// PerSecond charges for the time that the request takes to compute, which
// nobody knows before.
type PerSecond struct{ Price USD }

// Unit returns "megapixel".
func (PerMegapixel) Unit() string { return "megapixel" }

// Unit returns "tiered megapixel".
func (PerTieredMegapixel) Unit() string { return "tiered megapixel" }

// Unit returns "image".
func (PerImage) Unit() string { return "image" }

// Unit returns "request".
func (PerRequest) Unit() string { return "request" }

// Unit returns "step".
func (PerStep) Unit() string { return "step" }

// Unit returns "compute second".
func (PerSecond) Unit() string { return "compute second" }

// UnitPrice returns the price of a megapixel.
func (r PerMegapixel) UnitPrice() USD { return r.Price }

// UnitPrice returns the price of the first megapixel of an output.
func (r PerTieredMegapixel) UnitPrice() USD { return r.First }

// UnitPrice returns the price of an image.
func (r PerImage) UnitPrice() USD { return r.Price }

// UnitPrice returns the price of a request.
func (r PerRequest) UnitPrice() USD { return r.Price }

// UnitPrice returns the price of a step.
func (r PerStep) UnitPrice() USD { return r.Price }

// UnitPrice returns the price of a second.
func (r PerSecond) UnitPrice() USD { return r.Price }

func (r PerMegapixel) withPrice(p USD) Rule       { r.Price = p; return r }
func (r PerTieredMegapixel) withPrice(p USD) Rule { r.First = p; return r }
func (r PerImage) withPrice(p USD) Rule           { r.Price = p; return r }
func (r PerRequest) withPrice(p USD) Rule         { r.Price = p; return r }
func (r PerStep) withPrice(p USD) Rule            { r.Price = p; return r }
func (r PerSecond) withPrice(p USD) Rule          { r.Price = p; return r }

// checkRule refuses what a quote would not know how to count, such as a rule
// that another type embeds and so seems to be, and amounts that no rule has.
func checkRule(r Rule) error {
	switch r.(type) {
	case PerMegapixel, PerTieredMegapixel, PerImage, PerRequest, PerStep, PerSecond:
		return r.validate()
	}
	return fmt.Errorf("a rule of type %T: must be one of the rules of this package, as a value", r)
}

var errPrice = errors.New("the price must be more than zero: what has no known price is given without a rule")

func positive(prices ...USD) error {
	for _, p := range prices {
		if p <= 0 {
			return errPrice
		}
	}
	return nil
}

func (r PerMegapixel) validate() error {
	switch {
	case r.Inputs != InputsFree && r.Inputs != InputsOneEach && r.Inputs != InputsRoundedUp:
		return fmt.Errorf("inputs %.60q: must be left out, %q or %q", r.Inputs, InputsOneEach, InputsRoundedUp)
	case r.InputCap < 0:
		return fmt.Errorf("input cap %d: must not be negative", r.InputCap)
	case r.LoRA != LoRASurcharge{} && (r.LoRA.FreeGB < 0 || r.LoRA.MaxGB <= r.LoRA.FreeGB || r.LoRA.PerGB <= 0):
		return errors.New("LoRA surcharge: the price must be positive and the most more than what is free")
	}
	return positive(r.Price)
}

func (r PerTieredMegapixel) validate() error {
	if r.InputCap < 0 {
		return fmt.Errorf("input cap %d: must not be negative", r.InputCap)
	}
	return positive(r.First, r.Extra)
}

func (r PerImage) validate() error   { return positive(r.Price) }
func (r PerRequest) validate() error { return positive(r.Price) }
func (r PerSecond) validate() error  { return positive(r.Price) }

func (r PerStep) validate() error {
	if r.MinSteps < 0 || r.MaxSteps < 0 || r.MinCharge < 0 {
		return errors.New("minimum and maximum of steps and charge must not be negative")
	}
	if r.MaxSteps > 0 && r.MinSteps > r.MaxSteps {
		return fmt.Errorf("at least %d steps and at most %d", r.MinSteps, r.MaxSteps)
	}
	if r.References != [4]Units{} {
		least := One
		for i, m := range r.References {
			if m < least {
				return fmt.Errorf("reference multiplier %d is %v: multipliers must not decrease, and not be below 1", i+1, m)
			}
			least = m
		}
	}
	return positive(r.Price)
}
