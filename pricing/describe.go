package pricing

import (
	"fmt"
	"strings"
)

// String returns the rule in words.
func (r PerMegapixel) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v per megapixel of output", r.Price)
	if r.Pixels > 0 {
		fmt.Fprintf(&b, " of %d pixels", r.Pixels)
	}
	if r.SidesTo > 0 {
		fmt.Fprintf(&b, ", each side rounded to the nearest multiple of %d", r.SidesTo)
	}
	if r.Fractions {
		b.WriteString(", fractions charged as such")
	} else {
		b.WriteString(", each image rounded up to whole megapixels")
	}
	switch r.Inputs {
	case InputsFree:
		b.WriteString("; input images are not charged")
	case InputsOneEach:
		b.WriteString("; each input image counts as 1 megapixel")
	case InputsRoundedUp:
		b.WriteString("; input images count in the same way")
		b.WriteString(capWords(r.InputCap))
	case InputsOwnSize:
		b.WriteString("; input images count at their own size")
	}
	if (r.LoRA != LoRASurcharge{}) {
		fmt.Fprintf(&b, "; LoRA weights over %d GB together cost %v times the price more per started GB, up to %d GB", r.LoRA.FreeGB, r.LoRA.PerGB, r.LoRA.MaxGB)
	}
	return b.String()
}

// String returns the rule in words.
func (r PerTieredMegapixel) String() string {
	form := "%v for the first megapixel of output, %v for each further megapixel of output or input, each image rounded up to whole megapixels%s"
	if r.FirstOfInputs {
		form = "%v for the first megapixel of input, %v for each further megapixel of input and each of output, each image rounded up to whole megapixels%s"
	}
	text := fmt.Sprintf(form, r.First, r.Extra, capWords(r.InputCap))
	if r.InputMin > 0 {
		text += fmt.Sprintf("; input images count as %d megapixels together at least", r.InputMin)
	}
	return text
}

// String returns the rule in words.
func (r PerTieredImage) String() string {
	var words []string
	for _, t := range r.tiers() {
		price := "an unknown price"
		if t.Price > 0 {
			price = t.Price.String()
		}
		if t.Least > 0 {
			price += fmt.Sprintf(" (perhaps %v)", t.Least)
		}
		words = append(words, price+" "+t.words())
	}
	text := "per image " + strings.Join(words, ", ")
	if r.Reference > 0 {
		text += fmt.Sprintf("; %v for each input image", r.Reference)
	}
	return text
}

// sizeWords say what belongs to a tier by its number.
func (r PerTieredImage) sizeWords(i int64) string {
	if t := r.Tiers[i]; i == 0 || t.Name != "" || t.MaxPixels > 0 {
		return t.words()
	}
	return fmt.Sprintf("of more than %d pixels", r.Tiers[i-1].MaxPixels)
}

// words say what belongs to the tier.
func (t Tier) words() string {
	switch {
	case t.Name != "" && t.MaxPixels > 0:
		return fmt.Sprintf("at %s (up to %d pixels)", t.Name, t.MaxPixels)
	case t.Name != "":
		return "at " + t.Name
	case t.MaxPixels > 0:
		return fmt.Sprintf("up to %d pixels", t.MaxPixels)
	}
	return "for larger ones"
}

func capWords(megapixels int64) string {
	if megapixels == 0 {
		return ""
	}
	return fmt.Sprintf("; input images over %d megapixels count as %d", megapixels, megapixels)
}

// String returns the rule in words.
func (r PerImage) String() string { return fmt.Sprintf("%v per image, whatever its size", r.Price) }

// String returns the rule in words.
func (r PerRequest) String() string {
	return fmt.Sprintf("%v per request, whatever it makes", r.Price)
}

// String returns the rule in words.
func (r PerSecond) String() string { return fmt.Sprintf("%v per second of computing", r.Price) }

// String returns the rule in words.
func (r PerStep) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v per step", r.Price)
	if r.MinSteps > 0 {
		fmt.Fprintf(&b, ", at least %d steps", r.MinSteps)
	}
	if r.MinStepsUnknown {
		b.WriteString(", at least a number of steps that no source tells")
	}
	if r.MinCharge > 0 {
		fmt.Fprintf(&b, ", at least %v", r.MinCharge)
	}
	if r.mostReferences() > 0 {
		b.WriteString(", times")
		for i, m := range r.References {
			if m > 0 {
				fmt.Fprintf(&b, " %v for %d,", m, i+1)
			}
		}
		return strings.TrimSuffix(b.String(), ",") + " reference images"
	}
	return b.String()
}
