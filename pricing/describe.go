package pricing

import (
	"fmt"
	"strings"
)

// String returns the rule in words.
func (r PerMegapixel) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v per megapixel of output, each image rounded up to whole megapixels", r.Price)
	switch r.Inputs {
	case InputsFree:
		b.WriteString("; input images are not charged")
	case InputsOneEach:
		b.WriteString("; each input image counts as 1 megapixel")
	case InputsRoundedUp:
		b.WriteString("; input images count in the same way")
		b.WriteString(capWords(r.InputCap))
	}
	if (r.LoRA != LoRASurcharge{}) {
		fmt.Fprintf(&b, "; LoRA weights over %d GB cost %v per started GB more, up to %d GB", r.LoRA.FreeGB, r.LoRA.PerGB, r.LoRA.MaxGB)
	}
	return b.String()
}

// String returns the rule in words.
func (r PerTieredMegapixel) String() string {
	return fmt.Sprintf("%v for the first megapixel of output, %v for each further megapixel of output or input, each image rounded up to whole megapixels%s",
		r.First, r.Extra, capWords(r.InputCap))
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
	if r.References != [4]Units{} {
		b.WriteString(", times")
		for i, m := range r.References {
			fmt.Fprintf(&b, " %v for %d,", m, i+1)
		}
		return strings.TrimSuffix(b.String(), ",") + " reference images"
	}
	return b.String()
}
