package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Rule says how an endpoint charges. It is one of [PerMegapixel],
// [PerTieredMegapixel], [PerImage], [PerTieredImage], [PerRequest], [PerStep]
// and [PerSecond], as a value: a table refuses pointers to them and structs
// that embed one. Rules compare with ==. Its String is the rule in words.
type Rule interface {
	fmt.Stringer
	// Unit names what UnitPrice buys, such as "megapixel".
	Unit() string
	// UnitPrice is the price of one billed unit.
	UnitPrice() USD

	validate() error
	withPrice(USD) Rule       // with another UnitPrice
	scaled(by, of int64) Rule // with all amounts times by/of
}

// Inputs says how input images count in a price per megapixel.
type Inputs string

// The ways to count input images.
const (
	InputsFree      Inputs = ""           // they do not
	InputsOneEach   Inputs = "one each"   // each as one megapixel
	InputsRoundedUp Inputs = "rounded up" // each by its own size, rounded up
	InputsOwnSize   Inputs = "own size"   // each by its own size, where fractions are charged
)

// PerMegapixel charges the same for each megapixel. Each image is rounded up to
// whole megapixels, unless Fractions are charged.
type PerMegapixel struct {
	Price  USD
	Inputs Inputs
	// InputCap is the number of megapixels that larger input images are
	// resized to before they count; 0 means that they are not resized.
	InputCap int64
	// LoRA is charged on top for large LoRA weights.
	LoRA LoRASurcharge
	// Fractions says that nothing is rounded up: 1.5 megapixels cost one and a
	// half times the price.
	Fractions bool
	// Pixels is the number of pixels in a megapixel; 0 means [MegapixelArea].
	Pixels int64
	// SidesTo is what each side of an output is rounded to a multiple of before
	// it counts, to the nearest and at least to one; 0 means that it is not.
	SidesTo int64
}

// LoRASurcharge is charged for LoRA weights larger than FreeGB, all together:
// for each started gigabyte over it PerGB times the price of the request. With
// a PerGB of 0.5 and 2 GB free, 4.5 GB make the price 2.5 times as high.
// Weights larger than MaxGB are refused by the endpoint. The zero value is no
// surcharge.
type LoRASurcharge struct {
	FreeGB int64 `json:"free_gb"`
	PerGB  Units `json:"per_gb"`
	MaxGB  int64 `json:"max_gb"`
}

// PerTieredMegapixel charges First for the first megapixel of each output and
// Extra for each further one, and Extra for each megapixel of input. Each image
// is rounded up to whole megapixels.
type PerTieredMegapixel struct {
	First, Extra USD
	// InputCap is as in PerMegapixel.
	InputCap int64
	// InputMin is the number of megapixels that the inputs count together at
	// least.
	InputMin int64
	// FirstOfInputs says that First is for the first megapixel of the inputs
	// together, and Extra for each further one and for each of output.
	FirstOfInputs bool
}

// PerImage charges the same for each image that is made, whatever its size.
type PerImage struct{ Price USD }

// PerTieredImage charges for each image by the tier that its size falls into:
// the one that the request names as its resolution where tiers have no
// MaxPixels, and else the first whose MaxPixels are not passed.
type PerTieredImage struct {
	// Price is that of a billed unit: what the tier that the endpoint takes by
	// default, or the smallest, costs. Another unit price changes all tiers by
	// as much.
	Price USD
	// Tiers are the prices by size, the smallest first. What is left over of
	// them is zero.
	Tiers [6]Tier
	// Reference is charged on top for each input image. No source says whether
	// it is once or for each output: quotes expect it once.
	Reference USD
}

// Tier is the price of images up to some size.
type Tier struct {
	// Name is what the endpoint calls it, such as "2k".
	Name string `json:"name,omitzero"`
	// MaxPixels is the largest size that belongs to it; 0 in the last tier
	// means that it has no bound, and in all of them that they go by Name.
	MaxPixels int64 `json:"max_pixels,omitzero"`
	// Price is what an image costs; 0 means that no source tells it.
	Price USD `json:"price,omitzero"`
	// Least, if not 0, is what an image that is smaller than MaxPixels may cost
	// instead: where the price between two sizes was not told, or sources
	// disagree on where the tier begins.
	Least USD `json:"least,omitzero"`
}

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
	// one to ten, that come with each picture to learn from. Zero is a
	// multiplier that was not published: quotes then span from the one before
	// it to the one after it, which is expected. All zero means that they do
	// not count.
	References [10]Units
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

// Unit returns "tiered image".
func (PerTieredImage) Unit() string { return "tiered image" }

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

// UnitPrice returns the price of a unit, which is an image of the tier that the
// endpoint takes by default.
func (r PerTieredImage) UnitPrice() USD { return r.Price }

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
func (r PerSecond) withPrice(p USD) Rule          { r.Price = p; return r }

func (r PerTieredImage) withPrice(p USD) Rule {
	for i, t := range r.Tiers {
		r.Tiers[i].Price, r.Tiers[i].Least = t.Price.ratio(int64(p), int64(r.Price)), t.Least.ratio(int64(p), int64(r.Price))
	}
	r.Price = p
	return r
}

func (r PerStep) withPrice(p USD) Rule {
	// The least charge is the price of so many steps.
	r.MinCharge = r.MinCharge.ratio(int64(p), int64(r.Price))
	r.Price = p
	return r
}

func (r PerMegapixel) scaled(by, of int64) Rule { return r.withPrice(r.Price.ratio(by, of)) }
func (r PerImage) scaled(by, of int64) Rule     { return r.withPrice(r.Price.ratio(by, of)) }
func (r PerRequest) scaled(by, of int64) Rule   { return r.withPrice(r.Price.ratio(by, of)) }
func (r PerStep) scaled(by, of int64) Rule      { return r.withPrice(r.Price.ratio(by, of)) }
func (r PerSecond) scaled(by, of int64) Rule    { return r.withPrice(r.Price.ratio(by, of)) }

func (r PerTieredMegapixel) scaled(by, of int64) Rule {
	r.First, r.Extra = r.First.ratio(by, of), r.Extra.ratio(by, of)
	return r
}

func (r PerTieredImage) scaled(by, of int64) Rule {
	r.Reference = r.Reference.ratio(by, of)
	return r.withPrice(r.Price.ratio(by, of))
}

// ratio returns a times by/of to the nearest billionth, for prices of rules:
// what can be scaled down cannot overflow, and what is scaled up too far is a
// price that no quote can hold.
func (a USD) ratio(by, of int64) USD {
	n, err := mulDiv(int64(a), by, of, roundNearest)
	if err != nil {
		return math.MaxInt64
	}
	return USD(n)
}

// checkRule refuses what a quote would not know how to count, such as a rule
// that another type embeds and so seems to be, and amounts that no rule has.
func checkRule(r Rule) error {
	switch r.(type) {
	case PerMegapixel, PerTieredMegapixel, PerImage, PerTieredImage, PerRequest, PerStep, PerSecond:
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
	known := []Inputs{InputsFree, InputsOneEach, InputsRoundedUp}
	if r.Fractions {
		known = []Inputs{InputsFree, InputsOwnSize}
	}
	switch {
	case !slices.Contains(known, r.Inputs):
		return fmt.Errorf("inputs %.60q: must be left out or one of %q here", r.Inputs, known[1:])
	case r.InputCap < 0 || r.Pixels < 0 || r.SidesTo < 0:
		return errors.New("input cap, pixels of a megapixel and multiple of sides must not be negative")
	case r.InputCap > 0 && r.Fractions:
		return errors.New("input cap: goes with whole megapixels")
	case r.LoRA != LoRASurcharge{} && (r.LoRA.FreeGB < 0 || r.LoRA.MaxGB <= r.LoRA.FreeGB || r.LoRA.PerGB <= 0):
		return errors.New("LoRA surcharge: the price must be positive and the most more than what is free")
	}
	return positive(r.Price)
}

// area is the number of pixels in a megapixel.
func (r PerMegapixel) area() int64 { return cmp.Or(r.Pixels, MegapixelArea) }

func (r PerTieredMegapixel) validate() error {
	if r.InputCap < 0 || r.InputMin < 0 {
		return fmt.Errorf("input cap %d and minimum %d: must not be negative", r.InputCap, r.InputMin)
	}
	return positive(r.First, r.Extra)
}

// named reports whether requests name their tier.
func (r PerTieredImage) named() bool { return r.Tiers[0].MaxPixels == 0 && r.Tiers[0].Name != "" }

// tiers returns those that there are.
func (r PerTieredImage) tiers() []Tier {
	n := len(r.Tiers)
	for n > 0 && r.Tiers[n-1] == (Tier{}) {
		n--
	}
	return r.Tiers[:n]
}

func (r PerTieredImage) validate() error {
	tiers, named := r.tiers(), r.named()
	priced, bound, price := false, int64(0), USD(1)
	for i, t := range tiers {
		switch {
		case t.Price < 0 || t.Least < 0 || t.Least > t.Price:
			return fmt.Errorf("tier %d: %v, at least %v: must not be negative, nor the least more", i+1, t.Price, t.Least)
		case t.Price > 0 && t.Price < price:
			return fmt.Errorf("tier %d: %v: prices must not decrease", i+1, t.Price)
		case named && (t.Name == "" || t.MaxPixels != 0):
			return fmt.Errorf("tier %d: must have a name and no bound, as the first", i+1)
		case !named && t.MaxPixels <= bound && (t.MaxPixels != 0 || i < len(tiers)-1):
			return fmt.Errorf("tier %d: %d pixels: bounds must increase, and only the last may have none", i+1, t.MaxPixels)
		}
		priced, bound, price = priced || t.Price > 0, t.MaxPixels, max(price, t.Price)
	}
	if !priced || r.Reference < 0 {
		return errors.New("tiers: one at least must have a price, and references must not cost less than nothing")
	}
	return positive(r.Price)
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
	least := One
	for i, m := range r.References {
		if m != 0 && m < least {
			return fmt.Errorf("reference multiplier %d is %v: multipliers must not decrease, and not be below 1", i+1, m)
		}
		least = max(least, m)
	}
	if r.References[0] == 0 && r.mostReferences() > 0 {
		return errors.New("reference multiplier 1: is missing")
	}
	return positive(r.Price)
}

// mostReferences returns the largest number of references that has a multiplier;
// 0 if they do not count.
func (r PerStep) mostReferences() int {
	n := len(r.References)
	for n > 0 && r.References[n-1] == 0 {
		n--
	}
	return n
}
